"""Matched learning, and orders compared. pytest tests/analysis/test_compare.py"""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from ftlab.analysis import compare
from ftlab.base.errors import InputError


def run(losses, retained, *, name="full, clinic, lr 1, seed 0", sweep="full", seed=0, lr=1.0):
    curve = [
        {"step": n, "measured": {"target_loss": loss, "retention": share}}
        for n, (loss, share) in enumerate(zip(losses, retained, strict=True))
    ]
    return SimpleNamespace(
        name=name, method=sweep, domain="clinic", plan={"lr": lr}, seed=seed, curve=curve,
        extra={"sweep": sweep}, final={"retention": retained[-1], "target_score": 0.5},
    )  # fmt: skip


def test_matched_learning_is_read_between_two_measurements():
    one = run([4, 2, 1], [1.0, 0.8, 0.2])
    assert compare.retained_when_learned(one, 3) == pytest.approx(0.9)
    assert compare.retained_when_learned(one, 1.5) == pytest.approx(0.5)
    assert compare.retained_when_learned(one, 0.5) is None
    assert compare.retained_when_learned(one, 5) == 1.0


def test_the_first_moment_counts_even_if_the_loss_rises_again():
    assert compare.retained_when_learned(run([4, 1, 3, 1], [1, 0.7, 0.6, 0.1]), 1) == 0.7


def test_a_setting_needs_all_its_seeds_and_the_best_rate_is_taken():
    runs = [
        run([4, 1], [1, 0.5], seed=s, name=f"full, clinic, lr 1, seed {s}") for s in range(3)
    ] + [
        run([4, 1 if s else 3], [1, 0.9], seed=s, lr=2.0, name=f"full, clinic, lr 2, seed {s}")
        for s in range(3)
    ]
    found = compare.settings(runs)
    assert [len(s.runs) for s in found] == [3, 3]
    best = compare.best_at(found, 1.0)["full"]
    assert best.setting is found[0] and best.retained == (0.5, 0.5, 0.5)
    assert compare.best_at(found, 0.1)["full"].setting is None


def test_verdicts_need_an_interval_without_zero():
    assert compare.verdict([0.9, 0.91, 0.9], [0.5, 0.5, 0.52]) == "holds"
    assert compare.verdict([0.5, 0.5, 0.52], [0.9, 0.91, 0.9]) == "does not hold"
    assert compare.verdict([0.9, 0.4, 0.7], [0.5, 0.6, 0.7]) == "not decided"
    high, low = (
        compare.Setting("", tuple(SimpleNamespace(final={"retention": v}) for v in shares))
        for shares in ((0.9, 0.91, 0.9), (0.5, 0.5, 0.52))
    )
    assert compare.more(high, low) and not compare.more(low, high) and not compare.more(low, low)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_spearman_equals_scipys(pairs):
    xs, ys = zip(*pairs, strict=True)
    if len(set(xs)) == 1 or len(set(ys)) == 1:
        with pytest.raises(InputError, match="no order"):
            compare.spearman(xs, ys)
        return
    assert compare.spearman(xs, ys) == pytest.approx(spearmanr(xs, ys)[0], abs=1e-9)


def test_what_is_not_recorded_is_named():
    with pytest.raises(InputError, match="there are runs of: full"):
        compare.pick(compare.settings([run([1], [1])]), "lora")


def test_what_ships_is_whole():
    """Every setting that ships has its three seeds, at equal budgets within a sweep."""
    for size in ("nano", "laptop"):
        for setting in compare.settings(compare.shipped(size)):
            assert [r.seed for r in setting.runs] == [0, 1, 2], setting.name
            # The curves on SmolLM2 were measured under bfloat16 autocast, which costs one of the 25
            # sums (see LOG.md); what was measured at the end of each run was not.
            least = 1 if size == "nano" else 0.98
            starts = [r.curve[0]["measured"]["retention"] for r in setting.runs]
            assert all(least <= start <= 1 for start in starts), setting.name
