"""A run's own random numbers: those of torch, and nobody else's. pytest tests/base/test_draws.py"""

import threading

import pytest
import torch
from torch.nn import functional as F

from ftlab.base.draws import Draws, forked

ONES = torch.ones(1, 2, 5, 4)


def drawn() -> list[torch.Tensor]:
    """By factories, in place, in distributions, and inside of larger operations."""
    given = torch.empty(6)
    return [
        torch.rand(3), torch.randn(4), torch.randint(9, (3,)), torch.randint(2, 9, (3,)),
        torch.randperm(7), given.normal_().clone(), given.uniform_().clone(),
        torch.rand_like(given), torch.randn_like(given), torch.randint_like(given, 9),
        torch.bernoulli(torch.full((5,), 0.5)), torch.multinomial(torch.ones(5), 3),
        torch.normal(torch.zeros(3), 1.0), torch.normal(0.0, torch.ones(3)),
        torch.nn.init.kaiming_uniform_(torch.empty(3, 3)), torch.nn.Linear(3, 2).weight.detach(),
        F.dropout(ONES, 0.5), F.scaled_dot_product_attention(ONES, ONES, ONES, dropout_p=0.5),
    ]  # fmt: skip


def same(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("seed", [0, 3])
def test_they_are_what_a_seed_gives_and_torchs_own_state_stays(seed: int) -> None:
    torch.manual_seed(seed)
    expected, state = drawn(), torch.get_rng_state()
    with Draws(seed) as own:
        assert same(drawn(), expected)
    assert own.drew and torch.equal(torch.get_rng_state(), state)
    with Draws(seed + 1):
        assert not same(drawn(), expected)


def test_what_draws_nothing_is_known_and_a_given_generator_is_used() -> None:
    with Draws(0) as own:
        (ONES @ ONES.mT).softmax(-1)
        F.scaled_dot_product_attention(ONES, ONES, ONES)
        torch.rand(2, device="meta")
        one, two = (torch.rand(3, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two) and not own.drew


def test_another_thread_draws_from_its_own_inside_and_moves_nothing() -> None:
    with Draws(4):
        alone = [torch.rand(3), torch.rand(3)]
    with Draws(4):
        first = torch.rand(3)
        other = threading.Thread(target=torch.rand, args=(100,))
        other.start()
        other.join()
        assert same([first, torch.rand(3)], alone)


def test_a_fork_is_undone() -> None:
    torch.manual_seed(3)
    expected, state = drawn(), torch.get_rng_state()
    with forked(3):
        assert same(drawn(), expected)
    assert torch.equal(torch.get_rng_state(), state)
