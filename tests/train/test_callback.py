"""Trainer with the callback measures what a lab's run measures, where both do the same work.

pytest tests/train/test_callback.py
"""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments

import ftlab
from ftlab.base.errors import InputError
from ftlab.datasets.load import Suite
from ftlab.lab.lab import open_lab
from ftlab.plan import Plan
from ftlab.text.train_batches import batch_indices, collate, encode

PLAN = Plan(steps=20, batch_size=8, lr=1e-3, measure_every=10)
SUITE_KEYS = {"retention", "least_retained", "forgotten", "general_loss"}


class InOrder(Trainer):
    """Reads its rows as they stand."""

    def _get_train_sampler(self, *args: Any) -> Any:
        return SequentialSampler(self.train_dataset)  # pyright: ignore


class Heard(TrainerCallback):
    """What TensorBoard would be told."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        self.rows.append({"step": state.global_step, **logs})


@pytest.fixture(scope="module")
def lab():
    return open_lab("clinic", model="nano-gpt2", suite="world", per_skill=4, documents=3)


def arguments(folder: Path, **more: Any) -> Any:
    usual: dict[str, Any] = {
        "output_dir": str(folder), "max_steps": PLAN.steps, "learning_rate": PLAN.lr,
        "per_device_train_batch_size": PLAN.batch_size, "lr_scheduler_type": "constant",
        "logging_steps": 10, "save_strategy": "no", "report_to": [], "use_cpu": True,
        "dataloader_pin_memory": False, "disable_tqdm": True, "seed": PLAN.seed,
    }  # fmt: skip
    return usual | more


def trainer_of(lab: Any, folder: Path, plan: Plan = PLAN, **more: Any) -> tuple[Any, Heard]:
    """A Trainer that reads what a lab's run reads, batch by batch."""
    examples = encode(lab.items(), lab.tokenizer, loss_on="answer", limit=plan.max_tokens)
    order = [
        i
        for step in range(1, plan.steps + 1)
        for i in batch_indices(len(examples), plan.batch_size, step, plan.seed)
    ]

    def batch(rows: Any) -> dict[str, torch.Tensor]:
        made = collate([examples[row["number"]] for row in rows])
        return {"input_ids": made.ids, "attention_mask": made.mask, "labels": made.labels}

    heard = Heard()
    trainer = InOrder(
        model=lab.fresh(),
        args=TrainingArguments(**arguments(folder, remove_unused_columns=False, **more)),
        train_dataset=Dataset.from_dict({"number": order}),
        data_collator=batch,
        processing_class=lab.tokenizer,
        callbacks=[heard],
    )
    return trainer, heard


def add(trainer: Any, **more: Any) -> ftlab.RetentionCallback:
    given = {"every": 10, "suite": "world", "per_skill": 4, "documents": 3} | more
    trainer.add_callback(callback := ftlab.RetentionCallback(trainer, **given))
    return callback


def measured(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if "retention" in row]


def test_trainer_and_a_lab_lose_the_same_on_the_same_work(lab, tmp_path: Path) -> None:
    trainer, heard = trainer_of(lab, tmp_path)
    add(trainer)
    trainer.train()
    run = lab.run(PLAN, store=False).finish()
    ours = [step for step in run.steps if step.measured]
    theirs = measured(heard.rows)
    assert [row["step"] for row in theirs] == [step.step for step in ours] == [0, 10, 20]
    for row, step in zip(theirs, ours, strict=True):
        lost = step.measured or {}
        for key in SUITE_KEYS:
            assert row[key] == pytest.approx(lost[key], abs=2e-4), (row["step"], key)
        assert {name: row[f"skills/{name}"] for name in lost["skills"]} == lost["skills"]
    assert theirs[0]["retention"] == 1 and theirs[0]["forgotten"] == 0
    assert theirs[2]["forgotten"] > 0.3 and theirs[2]["retention"] < 0.9  # it did forget


def test_it_logs_as_trainer_does_and_takes_nothing_from_it(lab, tmp_path: Path) -> None:
    """Trainer's own line comes as without it, and the weights are the same."""
    trainer, heard = trainer_of(lab, tmp_path / "a")
    add(trainer)
    trainer.train()
    alone, lines = trainer_of(lab, tmp_path / "b")
    alone.train()
    losses = [row["loss"] for row in heard.rows if "loss" in row]
    assert losses == [row["loss"] for row in lines.rows if "loss" in row] and len(losses) == 2
    assert len(measured(trainer.state.log_history)) == len(measured(heard.rows)) == 3
    for ours, theirs in zip(trainer.model.parameters(), alone.model.parameters(), strict=True):
        assert torch.equal(ours, theirs) and ours.requires_grad


def test_it_stops_where_too_much_is_lost(lab, tmp_path: Path, capsys) -> None:
    trainer, heard = trainer_of(lab, tmp_path)
    add(trainer, every=5, most_lost=0.05)
    trainer.train()
    rows = measured(heard.rows)
    assert trainer.state.global_step == rows[-1]["step"] < PLAN.steps
    assert [1 - row["retention"] > 0.05 for row in rows] == [False] * (len(rows) - 1) + [True]
    assert f"Stopped at step {rows[-1]['step']}:" in capsys.readouterr().out


def test_the_last_step_is_measured_wherever_it_falls(lab, tmp_path: Path) -> None:
    trainer, heard = trainer_of(lab, tmp_path, max_steps=3)
    add(trainer, every=2)
    trainer.train()
    assert [row["step"] for row in measured(heard.rows)] == [0, 2, 3]


def test_a_resumed_run_counts_from_its_own_base(lab, tmp_path: Path) -> None:
    first, _ = trainer_of(lab, tmp_path, max_steps=10, save_strategy="steps", save_steps=10)
    add(first)
    first.train()
    second, heard = trainer_of(lab, tmp_path, max_steps=12)
    callback = add(second, every=2)
    second.train(resume_from_checkpoint=str(tmp_path / "checkpoint-10"))
    base, *_ = measured(first.state.log_history)
    assert callback.base == base and base["step"] == 0
    (row,) = measured(heard.rows)
    assert row["forgotten"] == row["general_loss"] - base["general_loss"] > 0

    strange, _ = trainer_of(lab, tmp_path, max_steps=12)
    add(strange, suite="english")
    with pytest.raises(InputError, match="step 10 was trained without this callback and suite"):
        strange.train(resume_from_checkpoint=str(tmp_path / "checkpoint-10"))


def test_slips_are_told_before_the_training(lab, tmp_path: Path) -> None:
    trainer, _ = trainer_of(lab, tmp_path)
    with pytest.raises(InputError, match="every=0 is not possible"):
        add(trainer, every=0)
    with pytest.raises(InputError, match="most_lost=10 is not possible; give a share"):
        add(trainer, most_lost=10)
    with pytest.raises(InputError, match="There is no suite 'wurld'"):
        add(trainer, suite="wurld")
    long = replace(lab.suite.probes[0], query="a " * 400)
    suite = Suite("long", (long,), ("A text.",))
    with pytest.raises(InputError, match="do not fit the 256 tokens"):
        add(trainer, suite=suite)
    trainer.processing_class = None
    with pytest.raises(InputError, match="made with processing_class=tokenizer"):
        add(trainer)
    with pytest.raises(InputError, match="The tokenizer of this int"):
        ftlab.RetentionCallback(3)


@pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="trl is not installed (pip install trl)"
)
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning")  # trl's
@pytest.mark.parametrize("lora", [False, True])
def test_sft_trainer_logs_what_the_evaluator_says(lab, tmp_path: Path, lora: bool) -> None:
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig  # pyright: ignore
    from trl.trainer.sft_trainer import SFTTrainer  # pyright: ignore

    config = LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True, task_type="CAUSAL_LM")
    rows = [{"prompt": row["prompt"], "completion": row["answer"]} for row in lab.items(80)]

    def made() -> Any:
        return SFTTrainer(
            model=lab.fresh(),
            args=SFTConfig(**arguments(tmp_path, max_steps=10, logging_steps=5, bf16=False)),
            train_dataset=Dataset.from_list(rows),
            processing_class=lab.tokenizer,
            peft_config=config if lora else None,
        )

    trainer, alone = made(), made()
    add(trainer)
    trainer.train()
    alone.train()
    found = measured(trainer.state.log_history)
    assert [row["step"] for row in found] == [0, 10]
    by_hand = lab.evaluator(trainer.model)
    for key in SUITE_KEYS:
        assert found[1][key] == pytest.approx(by_hand[key], abs=1e-6)
    own = [row for row in trainer.state.log_history if "loss" in row]
    for row, other in zip(own, [r for r in alone.state.log_history if "loss" in r], strict=True):
        assert row["mean_token_accuracy"] == other["mean_token_accuracy"]  # not emptied by ours
    assert "mean_token_accuracy" not in found[1]
