"""The same training three ways: the plain loop, the explorer's, and transformers.Trainer + peft.

    three_ways(lab, asked)           seconds of each, and whether the work was the same

All three begin at the same adapters and the items in text, and end with the last step: the items
are made into tokens, the optimiser is made, the steps are taken. Nothing is measured.

Notable choices:
- The same work: the same weights, batches, padding, labels and clipping, and torch's fused AdamW.
  Trainer reads our batches' items in our order. Whether the work was the same is looked at: the
  losses of every step are compared (`Ways.apart`).
- Trainer is not made to carry what it can go without: it writes no logs, bars or checkpoints.
- The ways take turns, whole run by whole run, after a short run of each that is not counted; so
  whatever else the machine does falls on all of them. Numbers are medians.
- The fast way begins each run with an empty cache, as the first press does.

Run the tests: pytest tests/tools/test_bench.py
"""

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from ftlab.explorer.live import run_of
from ftlab.explorer.settings import FIRST, PRESETS, Settings
from ftlab.lab.lab import Lab
from ftlab.lab.run import Run
from ftlab.models.fused_forward import fused
from ftlab.models.prefix_cache import cached_below
from ftlab.text.train_batches import Example, batch_indices, collate, encode
from ftlab.train.loop import train

ASKED = PRESETS[FIRST]
"""What is trained: where the panel's controls stand at first."""
SAME = 1e-3
"""How far apart the losses of the same work may be, as a share of them."""
Losses = Sequence[float]


@dataclass(frozen=True)
class Ways:
    """The same training three ways: by "plain", "fast" and "trainer"."""

    steps: int
    """Of 16 items."""
    rounds: int
    """How many runs each way."""
    seconds: dict[str, float]
    """The median run of each way."""
    losses: dict[str, float]
    """The loss of the last step, each way."""
    apart: float
    """The largest difference of any step's loss to the plain loop's, as a share of it."""

    @property
    def same(self) -> bool:
        """Did all do the same work?"""
        return self.apart <= SAME

    def ratio(self, slow: str, quick: str) -> float:
        """How many times the seconds of `quick` the way `slow` took."""
        return self.seconds[slow] / self.seconds[quick]


def three_ways(lab: Lab, asked: Settings = ASKED, *, rounds: int = 3) -> Ways:
    """Train `asked` (at a constant rate) each way `rounds` times, in turn."""
    ways = {"plain": by_plain, "fast": by_fast, "trainer": by_trainer}
    for way in ways.values():  # the first run of a way imports and allocates
        way(run_of(lab, replace(asked, steps=2), every=0))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, Losses] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()  # what the run before left is not this one's to clear away
            run, told = run_of(lab, asked, every=0), []
            began = time.perf_counter()
            told.extend(way(run))
            seconds[name].append(time.perf_counter() - began)
            losses[name] = told
    return Ways(
        steps=asked.steps,
        rounds=rounds,
        seconds={name: median(each) for name, each in seconds.items()},
        losses={name: each[-1] for name, each in losses.items()},
        apart=max(_apart(each, losses["plain"]) for each in losses.values()),
    )


def _apart(losses: Losses, plain: Losses) -> float:
    return max(abs(a - b) / abs(b) for a, b in zip(losses, plain, strict=True))


def by_plain(run: Run) -> Losses:
    """Train the run by the loop of `ftlab.train.loop`; the loss of each step."""
    groups = run.prepared.groups(run.plan)
    steps = train(run.model, run.lab.tokenizer, run.rows, run.plan, groups=groups)
    return [step.loss for step in steps if step.loss is not None]


def by_fast(run: Run) -> Losses:
    """Train the run the fast way, from an empty cache; the loss of each step."""
    with cached_below(run.model, {}), fused(run.model):
        return by_plain(run)


def by_trainer(run: Run) -> Losses:
    """Train the run by transformers.Trainer, on the same items in the same order."""
    plan = run.plan
    examples = encode(run.rows, run.lab.tokenizer, loss_on=plan.loss_on, limit=plan.max_tokens)
    order = [
        examples[index]
        for step in range(1, plan.steps + 1)
        for index in batch_indices(len(examples), plan.batch_size, step, plan.seed)
    ]
    with TemporaryDirectory() as folder:
        trainer = _Told(run.model, _arguments(run, folder), _columns, order)  # pyright: ignore
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return torch.stack(trainer.losses).tolist()


class _Told(Trainer):
    """A Trainer that keeps the loss of each step, which costs less than a log of it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.losses: list[Tensor] = []

    def training_step(self, *given: Any, **named: Any) -> Tensor:
        loss = super().training_step(*given, **named)
        self.losses.append(loss.detach())
        return loss


def _arguments(run: Run, folder: str) -> TrainingArguments:
    """The plan in Trainer's words."""
    plan, on, kind = run.plan, run.model.device.type, run.precision
    return TrainingArguments(
        output_dir=folder,
        max_steps=plan.steps,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.lr,
        lr_scheduler_type=plan.schedule,
        optim="adamw_torch_fused",
        weight_decay=plan.weight_decay,
        max_grad_norm=plan.clip,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataloader_pin_memory=on != "cpu",
        use_cpu=on == "cpu",
        bf16=kind == "bf16",
        fp16=kind == "fp16",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        save_strategy="no",
    )


def _columns(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Our batch under transformers' names."""
    batch = collate(examples)
    return {"input_ids": batch.ids, "attention_mask": batch.mask, "labels": batch.labels}
