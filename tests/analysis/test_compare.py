"""Matched learning, and orders compared. pytest tests/analysis/test_compare.py"""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.evaluate.intervals import Interval


def run(losses, retained, *, name="full, clinic, lr 1, seed 0", sweep="full", seed=0, lr=1.0):
    curve = [
        {"step": n, "measured": {"target_loss": loss, "retention": share, "forgotten": 1 - share}}
        for n, (loss, share) in enumerate(zip(losses, retained, strict=True))
    ]
    return SimpleNamespace(
        name=name, method=sweep, domain="clinic", plan={"lr": lr}, seed=seed, curve=curve,
        extra={"sweep": sweep}, final={"retention": retained[-1], "target_score": 0.5},
        baseline={"guess_loss": 0.5},
    )  # fmt: skip


def test_matched_learning_is_read_between_two_measurements_in_log_loss():
    one = run([4, 1, 0.25], [1.0, 0.8, 0.2])
    assert compare.at_loss(one, 2, "retention") == pytest.approx(0.9)
    assert compare.at_loss(one, 2) == pytest.approx(0.1)
    assert compare.at_loss(one, 0.5, "retention") == pytest.approx(0.5)
    assert compare.at_loss(one, 0.1) is None
    assert compare.at_loss(one, 5, "retention") == 1.0


def test_the_first_moment_counts_even_if_the_loss_rises_again():
    assert compare.at_loss(run([4, 1, 3, 1], [1, 0.7, 0.6, 0.1]), 1, "retention") == 0.7


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
    assert best.setting is found[0]
    assert best.retained == best.forgotten == (0.5, 0.5, 0.5)
    censored = compare.best_at(found, 0.1)["full"]
    assert censored.setting is None and censored.lowest == 1 and not censored.forgotten


def test_the_least_forgetful_rate_is_taken():
    runs = [
        run([4, 1], [1, end], seed=s, lr=lr, name=f"full, clinic, lr {lr}, seed {s}")
        for lr, end in ((1.0, 0.5), (2.0, 0.8), (3.0, 0.6))
        for s in range(3)
    ]
    best = compare.best_at(compare.settings(runs), 1.0)["full"].setting
    assert best is not None and best.lr == 2.0


def test_a_level_is_reached_when_the_slowest_seed_reaches_it():
    ends = {
        ("full", 1.0): (0.2, 0.5, 0.1),
        ("full", 2.0): (0.3, 0.3, 0.4),
        ("lora", 1.0): (0.1,) * 3,
    }
    found = compare.settings(
        run([4, end], [1, 0.9], sweep=sweep, seed=s, lr=lr, name=f"{sweep}, lr {lr}, seed {s}")
        for (sweep, lr), several in ends.items()
        for s, end in enumerate(several)
    )
    assert compare.common_level(found, ["full", "lora"]) == 0.4
    assert compare.common_level(found, ["lora"]) == 0.1
    assert compare.best_at(found, 0.01)["full"].lowest == 0.4


def test_the_level_is_half_of_what_guessing_the_rule_costs():
    assert compare.level(compare.settings([run([1], [1])])) == 0.25
    other = run([1], [1])
    other.baseline = {}
    with pytest.raises(InputError, match="guessing"):
        compare.level(compare.settings([other]))


def test_runs_are_paired_by_the_seeds_that_both_have():
    assert compare.paired([1.0, 2.0, 3.0, 9.0], [0.0, 1.0, 2.0]).estimate == 1
    assert compare.verdict([1.0], [0.0]) == "not decided"


def test_verdicts_need_an_interval_without_zero():
    assert compare.verdict([0.9, 0.91, 0.9], [0.5, 0.5, 0.52]) == "holds"
    assert compare.verdict([0.5, 0.5, 0.52], [0.9, 0.91, 0.9]) == "does not hold"
    assert compare.verdict([0.9, 0.4, 0.7], [0.5, 0.6, 0.7]) == "not decided"
    high, low = (
        compare.Setting("", tuple(SimpleNamespace(final={"retention": v}) for v in shares))
        for shares in ((0.9, 0.91, 0.9), (0.5, 0.5, 0.52))
    )
    assert compare.more(high, low) and not compare.more(low, high) and not compare.more(low, low)
    assert not compare.close(high, low) and not compare.close(low, high)
    assert compare.close(low, low) and compare.close(high, low, room=0.5)
    assert compare.difference(high, low) == "+40 points (+36 to +43)"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ((0.12, 0.005, 0.24), "+12 points (+0.5 to +24)"),
        ((0.01, -0.0003, 0.02), "+1 points (-0.03 to +2)"),
        ((-0.003, -0.0102, 0.0042), "+0 points (-1 to +0.4)"),
        ((0.4, -1.2, 2.0), "+40 points (-100 to +100)"),
    ],
)
def test_an_end_near_zero_keeps_its_side(found: tuple[float, float, float], text: str):
    assert compare.points_text(Interval(*found)) == text


def test_what_is_left_of_another_base_has_guessing_taken_off():
    base = {"skills": {"facts": 0.8, "grammar": 0.9}, "chance": {"facts": 0.0, "grammar": 0.5}}
    now = {"skills": {"facts": 0.4, "grammar": 0.6}, "chance": {"facts": 0.9, "grammar": 0.9}}
    assert compare.retained_of(now, base) == pytest.approx((0.5 + 0.25) / 2)


def test_whole_settings_have_all_their_seeds_in_order():
    runs = [run([1], [1], seed=s, name=f"full, lr 1, seed {s}") for s in (2, 0, 1)]
    runs += [run([1], [1], seed=s, name=f"lora, lr 1, seed {s}", sweep="lora") for s in (1, 0)]
    found = compare.settings(runs)
    assert [[r.seed for r in s.runs] for s in found] == [[0, 1, 2], [0, 1]]
    assert [s.sweep for s in compare.whole(found)] == ["full"]


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
    """Every nano setting that ships has its three seeds, and all start from the base itself."""
    for setting in compare.settings(compare.shipped("nano")):
        assert [r.seed for r in setting.runs][:3] == [0, 1, 2], setting.name
        assert {r.curve[0]["measured"]["retention"] for r in setting.runs} == {1}, setting.name
    for setting in compare.settings(compare.shipped("laptop")):
        assert [r.seed for r in setting.runs] == [0, 1, 2][: len(setting.runs)], setting.name
        assert {r.curve[0]["measured"]["retention"] for r in setting.runs} == {1}, setting.name
