"""Frozen does not move, not by one bit; lightly moves less. pytest tests/methods/test_freeze.py"""

import pytest
import torch

from ftlab.base.errors import InputError
from ftlab.methods.freeze import Freeze
from ftlab.models.layers import layer_map
from ftlab.plan import Plan
from ftlab.train.loop import train

ROWS = [{"prompt": f"Item {n}:", "answer": f" word{n} is here."} for n in range(8)]
PLAN = Plan(steps=3, batch_size=4, lr=0.1, weight_decay=0.1)


def trained(model, tokenizer, method, plan=PLAN):
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    moving = method(model)
    list(train(moving.model, tokenizer, ROWS, plan, groups=moving.groups(plan)))
    after = dict(moving.model.named_parameters())
    return moving, {n: (after[n] - before[n]).abs().max().item() for n in before}


def test_the_articles_plan_moves_what_it_says_and_nothing_else(tiny_gpt2, tiny_tokenizer):
    moving, moved = trained(tiny_gpt2, tiny_tokenizer, Freeze())
    found = layer_map(tiny_gpt2)
    for name, distance in moved.items():
        place = found.place(name)
        frozen = place.part == "embeddings" or (place.part == "block" and place.block < 6)
        assert (distance == 0) == frozen, (name, distance)
        assert tiny_gpt2.get_parameter(name).requires_grad != frozen
    assert moving.trainable == sum(p.numel() for p in tiny_gpt2.parameters() if p.requires_grad)
    parts = {(row.part, row.lr) for row in moving.table()}
    assert parts == {
        ("embeddings", 0.0), ("blocks 1-6", 0.0), ("blocks 7-9", 0.1), ("blocks 10-12", 1.0),
        ("final norm", 1.0),
    }  # fmt: skip
    assert sum(row.trainable for row in moving.table()) == moving.trainable


def test_lightly_trained_is_a_rate_of_its_own(tiny_gpt2):
    moving = Freeze({"1-6": 0.25, "7-12": 1})(tiny_gpt2)
    groups = moving.groups(PLAN)
    assert groups is not None
    at = {
        id(p): (group["lr"], group.get("weight_decay")) for group in groups for p in group["params"]
    }
    found = layer_map(tiny_gpt2)
    for name, p in tiny_gpt2.named_parameters():
        place = found.place(name)
        if place.part == "embeddings":
            assert id(p) not in at
            continue
        light = place.part == "block" and place.block < 6
        decay = None if p.ndim > 1 else 0.0  # matrices: the plan's; norms and biases: none
        assert at.pop(id(p)) == (pytest.approx(0.025 if light else 0.1), decay), name
    assert not at


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_final_norm_moves_as_it_is_told(share, tiny_gpt2):
    moving = Freeze({"1-6": 0, "7-12": 1}, norm=share)(tiny_gpt2)
    assert tiny_gpt2.transformer.ln_f.weight.requires_grad == bool(share)
    assert {row.lr for row in moving.table() if row.part == "final norm"} == {share}


def test_zero_gradients_are_not_freezing():
    """What the notebook tells: AdamW decays a weight that has a gradient of zero."""
    free = torch.nn.Parameter(torch.ones(1))
    free.grad = torch.zeros(1)
    torch.optim.AdamW([free], lr=0.1, weight_decay=0.1).step()
    assert free.item() == pytest.approx(0.99)


@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama", "tiny_t5", "tiny_bart"])
def test_it_works_on_every_architecture(fixture, request):
    model = request.getfixturevalue(fixture)
    moving = Freeze({"1-6": 0, "7-12": 1})(model)
    assert 0 < moving.trainable < moving.total
    assert sum(row.trainable for row in moving.table()) == moving.trainable


def test_a_tied_head_cannot_differ_from_its_embeddings(tiny_gpt2):
    with pytest.raises(InputError, match="untied=True"):
        Freeze(head=1.0)(tiny_gpt2)
    moving = Freeze(head=1.0, untied=True)(tiny_gpt2)
    assert tiny_gpt2.lm_head.weight.requires_grad
    assert not tiny_gpt2.transformer.wte.weight.requires_grad
    assert ("head", 1.0) in {(row.part, row.lr) for row in moving.table()}


def test_any_half_is_six_of_twelve_and_the_seed_decides():
    one, again, other = Freeze.random_half(0), Freeze.random_half(0), Freeze.random_half(1)
    assert one == again and one != other
    still = next(band for band, share in one.bands.items() if share == 0)
    assert len(still.split(",")) == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bands": {"1-6": 0}}, "No band says what happens to 7, 8"),
        ({"bands": {"1-12": 0}, "norm": 0}, "Everything is frozen"),
        ({"bands": {"1-12": 2}}, "band '1-12' is 2"),
        ({"embeddings": -1}, "for embeddings is -1"),
        ({"head": "yes"}, "head='yes' is not possible"),
    ],
)
def test_contradictions_are_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        Freeze(**wrong)


def test_bands_that_overlap_are_refused_on_the_model(tiny_gpt2):
    with pytest.raises(InputError, match="both name 6"):
        Freeze({"1-6": 0, "6-12": 1})(tiny_gpt2)
