"""The order of attentions: verdicts follow the numbers. pytest tests/analysis/test_priorities.py"""

import pytest
from test_orderings import made

from ftlab.analysis import compare
from ftlab.analysis.attention_order import ORDER, best_rates, priorities
from ftlab.base.errors import InputError
from ftlab.experiments import make
from ftlab.experiments.seq2seq import ATTENTIONS, SHIFTS, attentions


def on(domain, runs):
    for run in runs:
        run.domain = domain
        run.name = run.name.replace("clinic", domain)
    return runs


def grid(rights, domain="new_words"):
    runs = []
    for name, right in zip(ORDER, rights, strict=True):
        runs += made(name, 0.5, right=right, lr=1e-2) + made(name, 0.9, right=right / 2, lr=1e-3)
    return on(domain, runs)


@pytest.mark.parametrize(
    ("rights", "steps", "whole"),
    [
        ((0.9, 0.6, 0.3), ("holds", "holds"), "holds"),
        ((0.3, 0.6, 0.9), ("does not hold", "does not hold"), "does not hold"),
        ((0.9, 0.3, 0.3), ("holds", "not decided"), "not decided"),
        ((0.9, 0.3, 0.6), ("holds", "does not hold"), "does not hold"),
    ],
)
def test_verdicts_follow_the_numbers(rights, steps, whole):
    found = priorities(grid(rights), "new_words")
    assert tuple(step.verdict for step in found.steps) == steps
    assert found.verdict == whole
    assert found.steps[0].gap.estimate == pytest.approx(rights[0] - rights[1])
    assert {found.best[name].lr for name in ORDER} == {1e-2}, "each at its best rate"
    best = max(ORDER, key=lambda name: rights[ORDER.index(name)])
    assert found.measured[0] == best


def test_what_is_missing_is_named():
    runs = [run for run in grid((0.9, 0.6, 0.3)) if not run.name.startswith("lora_cross")]
    with pytest.raises(InputError, match="lora_cross on new_words"):
        priorities(runs, "new_words")
    with pytest.raises(InputError, match="lora_decoder, lora_cross, lora_encoder on new_format"):
        priorities(runs, "new_format")


def test_the_grid_compares_equal_numbers(tiny_t5):
    import copy

    sizes = {
        name: plan(copy.deepcopy(tiny_t5)).trainable
        for name, plan in attentions().items()
        if name != "lora_article"
    }
    assert len(sizes) == 7 and len(set(sizes.values())) == 1
    points = make.points("seq2seq", "nano-t5")
    assert len({point.name for point in points}) == len(points)
    for domain in SHIFTS:
        seeds = [
            {p.plan.seed for p in points if p.domain == domain and p.sweep == name}
            for name in sizes
        ]
        assert all(found == {0, 1, 2} for found in seeds)
    assert {f"lora_{kind}" for kind in ATTENTIONS} == set(ORDER)


def test_what_ships_is_the_planned_grid():
    have = {run.name for run in compare.shipped("nano-t5")}
    assert have == {point.name for point in make.points("seq2seq", "nano-t5")}


def test_other_profiles_have_no_such_grid():
    assert make.model_of("seq2seq", "nano") == "nano-t5"
    assert make.model_of("decoder", "laptop") == "smollm2-135m"
    with pytest.raises(InputError, match="is made on nano-t5"):
        make.model_of("seq2seq", "laptop")


def test_the_best_rate_is_that_of_the_key():
    found = compare.settings(grid((0.9, 0.6, 0.3)), domain="new_words")
    assert best_rates(found, "target_score")["lora_cross"].lr == 1e-2
    assert best_rates(found, "retention")["lora_cross"].lr == 1e-3
