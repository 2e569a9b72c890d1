"""The GPU lane: on a CPU with a small shape; on a GPU its predictions.

pytest tests/tools/test_gpu_memory.py
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.cli.main import main, single
from ftlab.experiments import make
from ftlab.memory import shapes
from ftlab.models.bases import Quantize
from ftlab.models.quantizing import is_quantized
from tools.bench import gpu_memory
from tools.making import options

SMALL = {
    "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128,
    "num_attention_heads": 2, "vocab_size": 96, "tie_word_embeddings": True,
}  # fmt: skip
TRIAL = gpu_memory.Trial("small", "paged_adamw", rank=4, tokens=16, batch_size=2, steps=4)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(shapes.SHAPES, "small", SMALL)
    return shapes.config_of("small")


def test_a_random_base_is_a_whole_model_in_four_bits(small: Any) -> None:
    model = gpu_memory.random_base(small, Quantize(), torch.device("cpu"))
    assert is_quantized(model) and not any(t.is_meta for t in model.state_dict().values())
    assert model.lm_head.weight is model.model.embed_tokens.weight
    with torch.no_grad():
        logits = model(torch.tensor([[1, 2, 3]])).logits
    assert torch.isfinite(logits).all() and logits.std() > 0


def test_a_trial_trains_and_tells(small: Any) -> None:
    found = gpu_memory.measure(TRIAL, torch.device("cpu"))
    assert found["fits"] and found["tokens_per_second"] > 0 and found["predicted"] > 10_000
    assert found["peak"] is None and found["device"] == "cpu"
    assert found["trial"]["optimizer"] == "paged_adamw"


def test_what_does_not_fit_is_a_result(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(gpu_memory.Engine, "step", full)
    found = gpu_memory.measure(TRIAL, torch.device("cpu"))
    assert (
        not found["fits"]
        and found["predicted"] > 10_000
        and "does not fit" in gpu_memory.told(found)
    )


def test_the_tight_trials_follow_what_the_paged_one_needed(tmp_path: Path) -> None:
    for trial in gpu_memory.trials():
        reserved, peak = (1000, 900) if "paged" in trial.optimizer else (3000, 2000)
        found = {"peak": peak, "reserved": reserved}
        gpu_memory.write_json(gpu_memory.place(tmp_path, trial), found)
    tight = [trial for trial in gpu_memory.in_order(tmp_path) if trial.tight]
    assert [(t.model, t.optimizer, t.cap) for t in tight] == [
        (model, optimizer, 1500)
        for model in ("llama-3b", "llama-7b")
        for optimizer in ("paged_adamw", "adamw")
    ]
    names = [trial.name for trial in gpu_memory.in_order(tmp_path)]
    assert len(set(names)) == len(names) == 10


def test_without_a_gpu_one_sentence(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="measures a CUDA GPU and there is none here"):
        next(gpu_memory.run_benchmark(tmp_path))


@pytest.mark.gpu
@pytest.mark.slow
def test_on_a_card_the_prediction_holds_and_only_paging_survives() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    paged = gpu_memory.in_a_process(gpu_memory.Trial("llama-7b", "paged_adamw"))
    assert paged["fits"] and paged["predicted"] == pytest.approx(paged["peak"], rel=0.05)
    plain = gpu_memory.in_a_process(gpu_memory.Trial("llama-7b", "adamw"))
    cap = (paged["reserved"] + plain["peak"]) // 2
    tight = gpu_memory.Trial("llama-7b", "adamw", cap=cap, tight=True)
    assert not gpu_memory.in_a_process(tight)["fits"]
    assert gpu_memory.in_a_process(replace(tight, optimizer="paged_adamw"))["fits"]


def test_what_ships_of_the_grid_qlora_is_what_was_planned() -> None:
    found = {(run.model, run.name) for run in compare.shipped("qlora")}
    models = ("nano-gpt2", "nano-t5", "smollm2-135m")
    planned = {(model, p.name) for model in models for p in make.points("qlora", model)}
    assert found == planned
    for run in compare.shipped("qlora"):
        four = {"kind": "nf4", "double": True, "block": 64}
        assert run.extra.get("base") == (four if run.method == "qlora" else None)
        assert run.precision == "fp32"  # as its counterparts on the plain base
        assert run.baseline["retention"] == 1.0 and run.curve[0]["measured"]["retention"] == 1.0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["grid", "naive", "--profile", "t4"], "invalid choice"),
        (["run", "--base", "nf5"], "There is no base 'nf5'; give one of plain"),
        (["run", "--optimizer", "sgd"], "give one of adamw, adamw8bit"),
    ],
)
def test_slips_get_one_sentence(
    asked: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1


def test_the_benchmark_lists_its_trials(capsys: pytest.CaptureFixture[str]) -> None:
    listed = ["--list"]
    assert single("bench", options("here"), gpu_memory.command, listed) == 0
    assert single("bench", options("here"), gpu_memory.command, ["--most", "0"]) == 2
    assert "llama-7b, paged_adamw, 15 GB" in capsys.readouterr().out
