"""Two runs at once are what they are one after the other, to the last bit.

pytest tests/lab/test_at_once.py
"""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Any

import pytest
import torch

from ftlab.lab.lab import Lab, open_lab
from ftlab.lab.run import Run
from ftlab.lab.weights import checksum as weights_checksum
from ftlab.methods import AttentionLoRA, LoRA, QLoRA
from ftlab.methods.prepared import Prepared, count
from ftlab.plan import Plan
from ftlab.train.loop import train

QUICK = Plan(steps=3, batch_size=4, measure_every=2, lr=1e-2)
DROPPING = LoRA({"1-12": 2}, dropout=0.3)
ROWS = [{"prompt": f"Item {n}:", "answer": f" word{n} is here."} for n in range(8)]


@pytest.fixture(scope="module")
def lab() -> Lab:
    return open_lab("clinic", model="nano-gpt2", target_items=4, per_skill=2, documents=2)


def prepared(lab: Lab) -> list[Run]:
    """Two runs that differ in their seed, and draw in every step."""
    return [lab.run(dataclasses.replace(QUICK, seed=s), method=DROPPING) for s in (0, 1)]


def outcome(run: Run) -> tuple[Any, str]:
    return run.steps, weights_checksum(run.model)


@pytest.fixture(scope="module")
def alone(lab: Lab) -> list[tuple[Any, str]]:
    """Each begun when the other has ended."""
    return [outcome(run.finish()) for run in prepared(lab)]


def test_the_seeds_differ(alone: list[tuple[Any, str]]) -> None:
    assert alone[0][1] != alone[1][1]


def test_in_turn_step_by_step(lab: Lab, alone: list[tuple[Any, str]]) -> None:
    state = torch.get_rng_state()
    runs = prepared(lab)
    for _ in zip_longest(*runs):
        assert torch.equal(torch.get_rng_state(), state), "the caller's own state was moved"
        torch.rand(7)  # and what the caller draws is nothing to them
        state = torch.get_rng_state()
    assert [outcome(run) for run in runs] == alone


def test_in_two_threads(lab: Lab, alone: list[tuple[Any, str]]) -> None:
    """Prepared, trained and measured; in a lab of its own, whose base is measured by both."""
    fresh = Lab(lab.bundle, lab.domain, lab.suite, **lab.sizes)

    def one(seed: int) -> tuple[Any, str]:
        run = fresh.run(dataclasses.replace(QUICK, seed=seed), method=DROPPING)
        return outcome(run.finish())

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, (0, 1))) == alone


def test_both_inside_of_a_step_at_the_same_moment(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    """No lock keeps them apart, and no luck: each waits in its step for the other."""
    import copy

    both = threading.Barrier(2)

    def steps(seed: int, wait: bool) -> list[Any]:
        def noisy(model: Any, batch: Any) -> torch.Tensor:
            if wait:
                both.wait(timeout=300)
            return torch.rand(())

        model, plan = copy.deepcopy(tiny_gpt2), Plan(steps=3, batch_size=2, seed=seed)
        return list(train(model, tiny_tokenizer, ROWS, plan, penalty=noisy))

    one_by_one = [steps(seed, wait=False) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(steps, (0, 1), (True, True))) == one_by_one


def test_with_recomputed_activations_too(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    """Gradient checkpointing winds torch's own state back: there a lock keeps them apart."""
    import copy

    def steps(seed: int) -> list[Any]:
        model = copy.deepcopy(tiny_gpt2)
        plan = Plan(steps=4, batch_size=4, seed=seed, gradient_checkpointing=True)
        return list(train(model, tiny_tokenizer, ROWS, plan))

    one_by_one = [steps(seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(steps, (0, 1))) == one_by_one


@pytest.mark.parametrize("method", [LoRA(), AttentionLoRA(), QLoRA()], ids=lambda m: m.name)
def test_first_weights_are_those_of_the_seed_whatever_is_drawn_meanwhile(
    lab: Lab, method: Any
) -> None:
    """And they are the numbers that peft draws after torch.manual_seed(seed)."""
    if isinstance(method, AttentionLoRA):
        lab = open_lab("new_words", model="nano-t5", target_items=4, per_skill=2, documents=2)

    def disturbed(model: Any) -> Prepared:
        other = threading.Thread(target=torch.rand, args=(9,))
        other.start()
        other.join()
        return count(method(model).model, "disturbed")

    checksums = []
    for seed in (0, 7):
        plan = dataclasses.replace(QUICK, seed=seed)
        torch.manual_seed(seed)
        peft = weights_checksum(method(lab.fresh()).model)
        assert peft == weights_checksum(lab.run(plan, method=method).model)
        assert peft == weights_checksum(lab.run(plan, method=disturbed).model)
        checksums.append(peft)
    assert checksums[0] != checksums[1], "the seed must decide the first weights"
