"""A method's own term of the loss: its gradient is added, and nothing else changes.

pytest tests/train/test_penalty.py
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.plan import Plan, Step
from ftlab.train.loop import completed_steps, train

ITEMS = [{"prompt": f"Note {n}: {'pain ' * (n % 3)}", "answer": f" Code {n}."} for n in range(9)]
PLAN = Plan(steps=3, batch_size=4, lr=1e-3, clip=0, checkpoint_every=1)
STRENGTH = 0.3


def l2_sp(start: dict[str, Tensor], strength: float = STRENGTH) -> Callable[..., Tensor]:
    """strength / 2 times the squared distance to a start (Li et al. 2018, L2-SP)."""

    def penalty(model: nn.Module, batch: Any) -> Tensor:
        assert batch.ids.ndim == 2
        apart = [(p - start[name]).square().sum() for name, p in model.named_parameters()]
        return strength / 2 * torch.stack(apart).sum()

    return penalty


def trained(
    model: Any, tokenizer: Any, **more: Any
) -> tuple[list[Step], Any, list[dict[str, Any]]]:
    """The steps of a run on a copy, the copy, and the gradients of each step."""
    model, gradients = copy.deepcopy(model), []
    for name, p in model.named_parameters():
        p.register_post_accumulate_grad_hook(
            lambda p, name=name: gradients[-1].__setitem__(name, p.grad.clone())
        )
    steps = []
    for step in train(model, tokenizer, ITEMS, PLAN, **more):
        steps.append(step)
        gradients.append({})
    return steps, model, gradients[:-1]


def test_its_gradient_is_added(tiny_gpt2, tiny_tokenizer) -> None:
    """d/dp of strength / 2 |p - start|^2 is strength (p - start)."""
    torch.manual_seed(1)
    start = {n: p.detach() + 0.1 * torch.randn_like(p) for n, p in tiny_gpt2.named_parameters()}
    before = {n: p.detach().clone() for n, p in tiny_gpt2.named_parameters()}
    plain, _, without = trained(tiny_gpt2, tiny_tokenizer)
    steps, _, with_it = trained(tiny_gpt2, tiny_tokenizer, penalty=l2_sp(start))
    for name, p in before.items():
        by_hand = without[0][name] + STRENGTH * (p - start[name])
        torch.testing.assert_close(with_it[0][name], by_hand, rtol=1e-5, atol=1e-6)
    distance = sum(float((p - start[n]).double().square().sum()) for n, p in before.items())
    assert steps[1].penalty == pytest.approx(STRENGTH / 2 * distance, rel=1e-5)
    assert steps[1].loss == plain[1].loss and plain[1].penalty is steps[0].penalty is None
    assert steps[1].grad_norm != plain[1].grad_norm and steps[2].loss != plain[2].loss


def test_a_penalty_of_zero_changes_nothing(tiny_gpt2, tiny_tokenizer) -> None:
    start = {n: p.detach().clone() for n, p in tiny_gpt2.named_parameters()}
    plain, one, without = trained(tiny_gpt2, tiny_tokenizer)
    steps, two, with_it = trained(tiny_gpt2, tiny_tokenizer, penalty=l2_sp(start, strength=0.0))
    assert [(s.loss, s.grad_norm) for s in steps] == [(s.loss, s.grad_norm) for s in plain]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert all(torch.equal(a[n], b[n]) for a, b in zip(without, with_it, strict=True) for n in a)
    assert [s.penalty for s in steps] == [None, 0.0, 0.0, 0.0]


def test_a_row_of_a_curve_has_it_only_where_there_is_one(tiny_gpt2, tiny_tokenizer) -> None:
    start = {n: torch.zeros_like(p) for n, p in tiny_gpt2.named_parameters()}
    steps, _, _ = trained(tiny_gpt2, tiny_tokenizer, penalty=l2_sp(start))
    assert "penalty" not in steps[0].row() and steps[1].row()["penalty"] == steps[1].penalty
    assert [Step(**step.row()) for step in steps] == steps


def test_stopped_and_resumed_it_ends_the_same(tiny_gpt2, tiny_tokenizer, tmp_path) -> None:
    start = {n: torch.zeros_like(p) for n, p in tiny_gpt2.named_parameters()}
    more = {"penalty": l2_sp(start), "checkpoint": tmp_path}
    whole, model, _ = trained(tiny_gpt2, tiny_tokenizer, penalty=l2_sp(start))
    for step in train(copy.deepcopy(tiny_gpt2), tiny_tokenizer, ITEMS, PLAN, **more):
        if step.step == 2:
            break
    with pytest.raises(InputError, match="penalty was True, now False"):
        train(tiny_gpt2, tiny_tokenizer, ITEMS, PLAN, checkpoint=tmp_path)
    assert completed_steps(tmp_path) == whole[:3]
    assert list(train(tiny_gpt2, tiny_tokenizer, ITEMS, PLAN, **more)) == whole[3:]
    pairs = zip(tiny_gpt2.parameters(), model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("penalty", "says"),
    [
        (lambda model, batch: 0.5, r"The penalty gives float; it must give a tensor of shape \(\)"),
        (lambda model, batch: torch.zeros(2), r"The penalty gives \(2,\); it must"),
        (lambda model, batch: torch.tensor(torch.nan), "The loss is no longer a number at step 1"),
    ],
)
def test_what_is_no_penalty_is_refused(tiny_gpt2, tiny_tokenizer, penalty, says: str) -> None:
    with pytest.raises(InputError, match=says):
        list(train(tiny_gpt2, tiny_tokenizer, ITEMS, PLAN, penalty=penalty))
    assert not tiny_gpt2.training
