"""The learning rate by hand is transformers' own, and never leaves [0, 1]."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import get_scheduler

from ftlab.base.errors import InputError
from ftlab.train.schedules import lr_factor, lr_factors

NAMES = {"constant": "constant_with_warmup", "cosine": "cosine", "linear": "linear"}


@pytest.mark.parametrize("schedule", NAMES)
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (10, 0), (10, 3), (10, 10), (97, 13)])
def test_equals_transformers(schedule: str, steps: int, warmup: int):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = get_scheduler(NAMES[schedule], optimizer, warmup, steps)
    expected = []
    for _ in range(steps):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert lr_factors(schedule, steps=steps, warmup=warmup) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)  # a busy machine is no failure
@given(st.sampled_from(list(NAMES)), st.integers(1, 300), st.data())
def test_rises_then_never_rises_again(schedule: str, steps: int, data: st.DataObject):
    warmup = data.draw(st.integers(0, steps))
    factors = lr_factors(schedule, steps=steps, warmup=warmup)
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[:warmup] == sorted(factors[:warmup])
    assert factors[warmup:] == sorted(factors[warmup:], reverse=True)
    if warmup < steps:
        assert factors[warmup] == 1


def test_unknown_schedule_is_told():
    with pytest.raises(InputError, match=r"schedule='step'.*constant, cosine, linear"):
        lr_factor("step", 1, steps=10)
