"""Token losses: the weights by hand, the weighted loss's gradient, and what is never learned.

pytest tests/methods/test_token_losses.py
"""

import copy
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

import ftlab
from ftlab.base.errors import InputError
from ftlab.methods import DFT, EAFT, STM, LoRA
from ftlab.methods.token_losses import entropy, probability
from ftlab.text.loss import learned_logits, summed_loss
from ftlab.text.train_batches import collate, encode

ITEMS = [{"prompt": f"Note {n}: {'pain ' * (n % 3)}", "answer": f" Code {n}."} for n in range(6)]


def batch_of(tokenizer: Any) -> Any:
    return collate(encode(ITEMS, tokenizer, loss_on="answer", limit=128))


def test_without_weights_it_is_the_plain_loss(tiny_gpt2, tiny_tokenizer) -> None:
    batch = batch_of(tiny_tokenizer)
    ones = summed_loss(tiny_gpt2, batch, lambda b, logits, tokens: torch.ones(len(tokens)))
    torch.testing.assert_close(ones, summed_loss(tiny_gpt2, batch))


def test_dft_has_the_gradient_of_minus_the_probability(tiny_gpt2, tiny_tokenizer) -> None:
    """p stopped, times d(-ln p), is d(-p): Wu et al. 2025, section 3."""
    batch, model = batch_of(tiny_tokenizer), copy.deepcopy(tiny_gpt2)
    summed_loss(model, batch, DFT()(model).weigh).backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    logits, tokens = learned_logits(model, batch)
    (-logits.softmax(-1)[torch.arange(len(tokens)), tokens]).sum().backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(found[name], p.grad, rtol=1e-3, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**20), st.floats(0.01, 30))
def test_weights_lie_between_0_and_1(width: int, seed: int, scale: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(7, width, generator=draw)
    tokens = torch.randint(width, (7,), generator=draw)
    for weigh in (probability, entropy):
        weights = weigh(None, logits, tokens)  # pyright: ignore
        assert weights.shape == (7,)
        assert (weights >= 0).all() and (weights <= 1 + 1e-5).all()


def test_entropy_is_1_where_nothing_is_known_and_0_where_it_is_sure() -> None:
    logits = torch.zeros(2, 50)
    logits[1, 3] = 100.0
    weights = entropy(None, logits, torch.zeros(2, dtype=torch.long))  # pyright: ignore
    torch.testing.assert_close(weights, torch.tensor([1.0, 0.0]))
    half = torch.full((1, 50), -100.0)
    half[0, :2] = 0.0
    two = entropy(None, half, torch.zeros(1, dtype=torch.long))  # pyright: ignore
    torch.testing.assert_close(two, torch.tensor([math.log(2) / math.log(20)]))


def test_stm_learns_what_the_base_finds_easy_and_no_more(tiny_gpt2, tiny_tokenizer) -> None:
    batch, bench = batch_of(tiny_tokenizer), SimpleNamespace()
    bench.evaluator = SimpleNamespace(base=copy.deepcopy(tiny_gpt2))
    hard = cross_entropy(*learned_logits(tiny_gpt2, batch), reduction="none").exp()
    middle = hard.detach().median().item()
    weigh = STM(perplexity=middle)(copy.deepcopy(tiny_gpt2), bench).weigh
    logits, tokens = learned_logits(tiny_gpt2, batch)
    assert weigh is not None
    weights = weigh(batch, logits, tokens)
    torch.testing.assert_close(weights, (hard <= middle * (1 + 1e-6)).float())
    assert 0 < weights.mean() < 1


@pytest.mark.parametrize("method", [DFT(LoRA()), EAFT(), STM()])
def test_a_lab_trains_with_it(lab, method) -> None:
    plan = ftlab.Plan(steps=3, lr=1e-3, measure_every=0, batch_size=4)
    run = lab.run(plan, method=method, store=False).finish()
    plain = lab.run(plan, method=method.method, store=False).finish()
    first, without = run.steps[1].loss, plain.steps[1].loss
    assert first is not None and without is not None and first < 0.9 * without
    assert run.method == method.name


def test_slips_are_named() -> None:
    with pytest.raises(InputError, match="no token to learn"):
        STM(perplexity=1.0)
    with pytest.raises(InputError, match="with its brackets"):
        DFT(LoRA)  # pyright: ignore
