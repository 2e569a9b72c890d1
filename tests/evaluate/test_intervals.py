"""Intervals against published values, scipy, and their own promises.

Run: pytest tests/evaluate/test_intervals.py
"""

import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from ftlab.evaluate.intervals import (
    bootstrap_mean,
    paired_difference,
    paired_shares,
    student_t,
    unpaired_shares,
    wilson,
)


def test_wilson_by_hand():
    """81 of 263, from R. G. Newcombe, Statistics in Medicine 17 (1998) 857, Table I."""
    interval = wilson(81, 263)
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(0, 20).low, wilson(0, 20).high) == pytest.approx((0, 0.1611), abs=5e-5)


@given(n=st.integers(1, 500), data=st.data())
def test_wilson_stays_in_bounds_and_mirrors(n, data):
    right = data.draw(st.integers(0, n))
    interval, mirror = wilson(right, n), wilson(n - right, n)
    assert 0 <= interval.low <= right / n <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirror.high, abs=1e-9)
    assert interval.low < interval.high


def test_unpaired_shares_by_hand():
    """56 of 70 against 48 of 80, and 9 of 10 against 3 of 10: Newcombe (1998) 873, Table II."""
    found = unpaired_shares(wilson(48, 80), wilson(56, 70))
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    found = unpaired_shares(wilson(3, 10), wilson(9, 10))
    assert (found.low, found.high) == pytest.approx((0.1705, 0.8090), abs=5e-5)


@given(n=st.integers(1, 400), data=st.data())
def test_paired_shares_hold_the_change_and_mirror(n, data):
    lost = data.draw(st.integers(0, n))
    won = data.draw(st.integers(0, n - lost))
    found, mirror = paired_shares(lost, won, n), paired_shares(won, lost, n)
    assert -1 <= found.low <= (won - lost) / n <= found.high <= 1 and found.low < found.high
    assert found.low == pytest.approx(-mirror.high, abs=1e-9)


def test_paired_shares_cover_the_truth():
    """Of 2,000 samples of 60 items, of which 15 % turn one way and 5 % the other."""
    dice, hits = random.Random(0), 0
    for _ in range(2000):
        turned = dice.choices((-1, 1, 0), (15, 5, 80), k=60)
        found = paired_shares(turned.count(-1), turned.count(1), 60)
        hits += found.low <= -0.1 <= found.high
    assert 0.93 <= hits / 2000 <= 0.98


@pytest.mark.parametrize(("lost", "won", "n"), [(-1, 0, 3), (2, 2, 3), (0, 0, 0)])
def test_paired_shares_refuse_what_cannot_be(lost, won, n):
    with pytest.raises(InputError, match="cannot be"):
        paired_shares(lost, won, n)


def test_student_t_is_that_of_the_tables():
    table = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 9: 2.2622, 30: 2.0423, 1000: 1.9623}
    for degrees, t in table.items():
        assert student_t(0.95, degrees) == pytest.approx(t, abs=6e-5)
    assert student_t(0.99, 4) == pytest.approx(4.6041, abs=6e-5)


def test_student_t_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    for degrees in range(1, 40):
        for confidence in (0.5, 0.9, 0.95, 0.999):
            expected = stats.t.ppf((1 + confidence) / 2, degrees)
            assert student_t(confidence, degrees) == pytest.approx(expected, rel=1e-7)


def test_paired_difference_by_hand():
    interval = paired_difference([0.9, 0.8, 0.7], [0.6, 0.6, 0.6])
    half = 4.302653 * 0.1 / 3**0.5
    assert interval.estimate == pytest.approx(0.2)
    assert (interval.low, interval.high) == pytest.approx((0.2 - half, 0.2 + half), abs=1e-6)


def test_pairing_takes_off_what_both_share():
    """Two methods that differ by 0.1 at every seed differ surely, however far the seeds lie."""
    seeds = [0.2, 0.9, 0.5, 0.7]
    interval = paired_difference([s + 0.1 for s in seeds], seeds)
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.1))


def test_bootstrap_is_seeded_weighted_and_covers():
    dice = random.Random(0)
    losses = [dice.gauss(3, 0.5) for _ in range(100)]
    tokens = [dice.randint(5, 50) for _ in range(100)]
    interval = bootstrap_mean(losses, tokens)
    pooled = sum(a * b for a, b in zip(losses, tokens, strict=True)) / sum(tokens)
    assert interval == bootstrap_mean(losses, tokens)
    assert interval != bootstrap_mean(losses, tokens, seed=1)
    assert interval.estimate == pytest.approx(pooled)
    assert interval.low < 3 < interval.high
    plain = bootstrap_mean(losses)
    assert plain.estimate == pytest.approx(fmean(losses))
    # about 2 x 1.96 x 0.5 / sqrt(100) wide
    assert plain.high - plain.low == pytest.approx(0.196, rel=0.2)


def test_bootstrap_of_documents_that_agree():
    interval = bootstrap_mean([2.0, 2.0, 2.0], [1, 5, 9])
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
        lambda: bootstrap_mean([]),
        lambda: bootstrap_mean([1.0], [1.0, 2.0]),
        lambda: paired_difference([1.0], [2.0]),
        lambda: paired_difference([1.0, 2.0], [2.0]),
    ],
)
def test_bad_input(call):
    with pytest.raises(InputError):
        call()
