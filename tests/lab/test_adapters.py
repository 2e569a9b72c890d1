"""Each adapter through a lab: it learns, is measured, is the base when off, and fast is the same.

pytest tests/lab/test_adapters.py
"""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from ftlab.base.errors import InputError
from ftlab.evaluate.evaluator import Sizes
from ftlab.lab.lab import Lab
from ftlab.lab.weights import check_save
from ftlab.methods import OSF, Bottleneck, LoRA, adapter_off
from ftlab.methods.table import METHODS
from ftlab.plan import Plan

RATES = {
    "bottleneck": 3e-3,
    "prefix": 3e-2,
    "prefix_words": 3e-2,
    "prompt": 1e-2,
    "ia3": 3e-2,
    "oft": 1e-2,
    "osf": 1e-3,
}
SMALL: Sizes = {"target_items": 4, "per_skill": 2, "documents": 2}


def plan(name: str, **more: Any) -> Plan:
    return Plan(**{"steps": 10, "batch_size": 4, "lr": RATES[name], "measure_every": 0} | more)


@pytest.fixture(scope="module")
def lab(lab: Lab) -> Lab:
    lab.fast_sizes = SMALL
    return lab


@pytest.mark.parametrize("name", RATES)
def test_it_learns_is_measured_and_is_the_base_when_off(lab: Lab, name: str) -> None:
    run = lab.run(plan(name), method=name).finish()
    losses = [step.loss or 0.0 for step in run.steps[1:]]
    assert losses[-1] < 0.8 * losses[0]
    record = run.record
    assert record.method == name and record.trainable == run.prepared.trainable
    assert record.final["kl_general"] > 0
    with adapter_off(run.model):
        assert lab.evaluator(run.model) == lab.evaluator.baseline
        (said,) = run.say(["Note: chest pain."])
        assert said["after"] == said["before"]
    fast = lab.run(plan(name, steps=4), method=name, fast=True).finish()
    assert [s.loss for s in fast.steps[1:]] == pytest.approx(losses[:4], rel=1e-3)
    measured = fast.steps[-1].measured or {}
    again = lab.teacher_forced(fast.model)
    for loss in ("target_loss", "general_loss"):
        assert measured[loss] == pytest.approx(again[loss], rel=1e-4)


def test_the_seed_decides_how_it_starts(lab: Lab) -> None:
    one, two, other = (
        lab.run(plan("prompt", seed=seed), method="prompt").model.prompt_encoder["default"]
        for seed in (0, 0, 1)
    )
    assert torch.equal(one.embedding.weight, two.embedding.weight)
    assert not torch.equal(one.embedding.weight, other.embedding.weight)


def test_what_cannot_be_saved_is_known_before_the_first_step(lab: Lab, tmp_path: Path) -> None:
    short = Plan(steps=1, batch_size=4, measure_every=0)
    for name, why in (("prompt", "adds tokens"), ("bottleneck", "bends")):
        with pytest.raises(InputError, match=why):
            check_save(lab.run(short, method=name), tmp_path / "a", merged=True)
    first = lab.run(short, method="lora_all").finish()
    second = lab.run(short, method="lora_all", start=first)
    with pytest.raises(InputError, match=r"merged into the base.*--merged"):
        second.save(tmp_path / "b")
    assert not list(tmp_path.iterdir())
    assert second.finish().save(tmp_path / "b", merged=True) == "model"
    assert first.save(tmp_path / "c") == "adapter"


def test_the_base_and_a_readers_notes_are_not_replaced(lab: Lab, tmp_path: Path) -> None:
    run = lab.run(Plan(steps=1, batch_size=4, measure_every=0), method="bottleneck").finish()
    base, notes = tmp_path / "base", tmp_path / "notes"
    lab.bundle.model.save_pretrained(base)
    known, lab.bundle.model.config.name_or_path = lab.bundle.model.config.name_or_path, str(base)
    try:
        with pytest.raises(InputError, match="the folder of the base model"):
            run.save(base)
    finally:
        lab.bundle.model.config.name_or_path = known
    notes.mkdir()
    (notes / "README.md").write_text("mine")
    with pytest.raises(InputError, match="holds something else too"):
        run.save(notes)
    assert (base / "model.safetensors").exists() and (notes / "README.md").read_text() == "mine"


@pytest.mark.parametrize("method", [Bottleneck(), OSF()], ids=lambda m: m.name)
def test_a_run_goes_on_from_another(lab: Lab, method: Any) -> None:
    """In a copy: there OSF's projection is put back."""
    short = Plan(steps=1, batch_size=4, measure_every=0)
    first = lab.run(short, method=method).finish()
    second = lab.run(short, start=first).finish()
    assert (second.steps[-1].loss or 0) < (first.steps[-1].loss or 0)
    hooks = [
        len(p._backward_hooks or {}) for n, p in second.model.named_parameters() if "U_low" in n
    ]
    assert set(hooks) <= {1}
    with adapter_off(second.model):
        assert lab.evaluator(second.model) == lab.evaluator.baseline


def test_what_cannot_be_merged_starts_no_other_method(lab: Lab) -> None:
    model = Bottleneck()(copy.deepcopy(lab.bundle.model)).model
    with pytest.raises(InputError, match="cannot be merged"):
        lab.run(start=model, method=LoRA())


def test_all_have_a_row() -> None:
    assert METHODS.keys() > RATES.keys()
