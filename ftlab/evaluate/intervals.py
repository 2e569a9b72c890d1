"""How sure a result is: a 95 % interval for each kind of result.

    wilson              an accuracy: k right of n
    paired_shares       two accuracies on the same items: what was won less what was lost
    unpaired_shares     the same where nobody knows which items they were
    bootstrap_mean      a loss over documents: resample documents, with replacement
    paired_difference   one method against another over the same seeds: Student's t

Notable choices. Wilson's interval stays between 0 and 1 and is not empty at 0 of n or n of n,
where the common p +- 2 sd is. The bootstrap draws whole documents, since the tokens of one document
are not independent. Runs are paired by seed, since the same seed gives both methods the same data
order: what the seed does to both then cancels. Three seeds give a wide interval, and rightly so.

Of two accuracies on the same items only the items that turned say anything; half an item is added
to each kind, so that few turned items give no narrow interval.

Sources: E. B. Wilson, JASA 22 (1927) 209; A. Agresti and Y. Min, Statistics in Medicine 24 (2005)
729, section 3 (paired); R. G. Newcombe, same journal 17 (1998) 873, method 10 (unpaired);
B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; Student's t for whole
degrees of freedom: Abramowitz and Stegun (1964), 26.7.3 and 26.7.4. No torch, no scipy is needed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, stdev

import numpy as np

from ftlab.base.errors import InputError

CONFIDENCE = 0.95
"""Share of such intervals that hold the true value."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its bounds, in the unit of what was measured."""

    estimate: float
    """The number itself."""
    low: float
    """Lower bound."""
    high: float
    """Upper bound."""


def wilson(right: int, n: int) -> Interval:
    """Interval of an accuracy: `right` of `n`. Raises InputError unless 0 <= right <= n, n > 0."""
    if n < 1 or not 0 <= right <= n:
        raise InputError(f"{right} right of {n} is no accuracy; give 0 <= right <= n and n > 0.")
    z, p = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def paired_shares(lost: int, won: int, n: int) -> Interval:
    """Interval of (won - lost) / n: of `n` items asked before and after, so many turned each way.

    Raises InputError unless lost + won <= n, n > 0 and none is below 0.
    """
    if min(lost, won) < 0 or not 0 < n >= lost + won:
        raise InputError(f"{lost} lost and {won} won of {n} cannot be; give lost + won <= n.")
    z, b, c, m = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), lost + 0.5, won + 0.5, n + 2
    centre = (c - b) / m
    half = z * math.sqrt(((b + c) / m - centre**2) / m)
    change = (won - lost) / n
    low, high = min(change, centre - half), max(change, centre + half)
    return Interval(change, max(-1.0, low), min(1.0, high))


def unpaired_shares(before: Interval, after: Interval) -> Interval:
    """Interval of after - before, from Wilson's interval of each."""
    change = after.estimate - before.estimate
    down = math.hypot(after.estimate - after.low, before.high - before.estimate)
    up = math.hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(change, change - down, change + up)


def bootstrap_mean(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of sum(weight x value) / sum(weight), over resampled documents.

    For a loss: values are nats per token of every document, weights their tokens.
    Raises InputError when there is no value, or not one weight for each.
    """
    value = np.asarray(values, dtype=np.float64)  # (n,)
    weight = np.ones_like(value) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(value) or value.shape != weight.shape:
        raise InputError(
            f"{len(value)} values and {len(weight)} weights; give at least one value, "
            "and one weight for each."
        )
    drawn = np.random.default_rng(seed).integers(len(value), size=(draws, len(value)))
    means = (value * weight)[drawn].sum(1) / weight[drawn].sum(1)  # (draws,)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float((value * weight).sum() / weight.sum()), float(low), float(high))


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Interval of the mean of first - second, entry by entry (one entry a seed).

    Raises InputError unless both have the same length, of at least 2.
    """
    if len(first) != len(second) or len(first) < 2:
        raise InputError(
            f"{len(first)} and {len(second)} runs cannot be paired; "
            "give the same seeds for both, at least two."
        )
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean, n = fmean(differences), len(differences)
    half = student_t(CONFIDENCE, n - 1) * stdev(differences) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


@cache
def student_t(confidence: float, degrees: int) -> float:
    """The t with P(|T| <= t) = confidence, by bisection over its angle atan(t / sqrt(degrees))."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _within(angle: float, degrees: int) -> float:
    """P(|T| <= sqrt(degrees) tan(angle)): a finite sum for whole degrees of freedom."""
    odd = degrees % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, degrees, 2):
        total += term
        term *= math.cos(angle) ** 2 * k / (k + 1)
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
