"""The optimisers that save memory: bytes, the same steps, stopped and resumed.

pytest tests/train/test_optimizers.py
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ftlab.base.errors import InputError
from ftlab.datasets.load import load_domain
from ftlab.models.loading import load
from ftlab.plan import OPTIMIZERS, Plan
from ftlab.train import optimizers
from ftlab.train.loop import train

PLAN = Plan(steps=4, batch_size=2, lr=1e-3, checkpoint_every=2)


def model() -> Any:
    bundle = load()
    return bundle.model, bundle.tokenizer, list(load_domain("clinic").train)[:20]


def losses(steps: Any) -> list[float]:
    return [step.loss for step in steps if step.loss is not None]


def test_all_take_nearly_the_same_steps() -> None:
    """8-bit states round; on a CPU paged ones are not paged, and equal the plain ones."""
    found = {}
    for name in OPTIMIZERS:
        net, tokenizer, items = model()
        found[name] = losses(train(net, tokenizer, items, replace(PLAN, optimizer=name)))
    for name in OPTIMIZERS:
        assert found[name] == pytest.approx(found["adamw"], rel=0.02), name
    assert found["paged_adamw8bit"] == found["adamw8bit"]
    assert found["adamw8bit"] != found["adamw"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stopped_and_resumed_it_ends_with_the_same_numbers(name: str, tmp_path: Path) -> None:
    plan = replace(PLAN, optimizer=name)
    net, tokenizer, items = model()
    whole = losses(train(net, tokenizer, items, plan))
    part, *_ = model()
    for step in train(part, tokenizer, items, plan, checkpoint=tmp_path):
        if step.step == 2:
            break
    rest, *_ = model()
    again = losses(train(rest, tokenizer, items, plan, checkpoint=tmp_path))
    assert again == whole[2:]
    for a, b in zip(net.parameters(), rest.parameters(), strict=True):
        assert torch.equal(a, b)


def test_bytes_of_the_states() -> None:
    """Two numbers of 4 bytes each; in 8 bits 2 bytes and 2 constants for 256, from 4,096 on."""
    large = torch.nn.Parameter(torch.randn(64, 64))
    small = torch.nn.Parameter(torch.randn(4095))
    for name, expected in {
        "adamw": 8 * (4096 + 4095),
        "adamw8bit": 2 * 4096 + 2 * 4 * 4096 // 256 + 8 * 4095,
    }.items():
        made = optimizers.make([{"params": [large, small]}], Plan(optimizer=name))  # pyright: ignore
        for p in (large, small):
            p.grad = torch.randn_like(p)
        made.step()
        tables = 2 * 256 * 4 + 2 * 4  # of the levels, and torch's counts
        assert expected <= optimizers.state_bytes(made) <= expected + tables


@pytest.mark.gpu
def test_paged_states_leave_the_card() -> None:
    """On CUDA the states of a paged optimiser are not among the tensors that torch holds."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    found = {}
    for name in ("adamw", "paged_adamw"):
        torch.cuda.empty_cache()
        p = torch.nn.Parameter(torch.randn(2**22, device="cuda"))
        made = optimizers.make([{"params": [p]}], Plan(optimizer=name))  # pyright: ignore
        p.grad = torch.randn_like(p)
        before = torch.cuda.memory_allocated()
        made.step()
        found[name] = torch.cuda.memory_allocated() - before
    assert found["adamw"] >= 8 * 2**22 and found["paged_adamw"] < 2**20


def test_an_optimiser_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="give one of adamw, adamw8bit"):
        Plan(optimizer="sgd")  # pyright: ignore[reportArgumentType]


def test_without_the_library_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(InputError, match="pip install bitsandbytes"):
        optimizers.make([], Plan(optimizer="adamw8bit"))
