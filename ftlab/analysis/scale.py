"""Is the small model a scale model of the real one? Levels, sides and order, from the records.

    levels(nano, real, 0.9)     by method: most learned with 90 % retained, each at its best rate
    sides(nano, real)           which methods reach 70 % learned with 90 % retained
    order(nano, real)           do both put equal settings into the same order?
    matched(nano, real)         and the methods at matched learning, with the noise ceiling

Every method may choose its rate on each model. In `order` nothing is chosen: the small model's
rates are one constant factor above the real one's, found on full fine-tuning alone.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np
import pandas as pd

from ftlab.analysis.compare import Matched, Setting, best_at, level, pick, spearman
from ftlab.base.errors import InputError
from ftlab.evaluate.intervals import Interval
from ftlab.plan import check_whole

METHODS = (
    "learning rate", "schedule", "replay", "replay 25", "freeze", "freeze_low", "freeze_top",
    "lora_all", "lora_ff", "lora_attention", "lora_qv", "lora_even", "lora_band", "lora_head",
)  # fmt: skip
"""Sweeps that were run on both models; `learning rate` is full fine-tuning."""
ASKED = (
    "learning rate", "schedule", "freeze", "freeze_low", "lora_ff", "lora_all", "lora_qv",
    "lora_attention", "lora_band",
)  # fmt: skip
"""Of which of them is asked whether they learn 70 % with 90 % retained."""
LEARNED, RETAINED = 0.7, 0.9


def most(found: Sequence[Setting], sweep: str, retained: float) -> float:
    """Most learned by a sweep at a rate where at least `retained` is left, means over seeds.

    Between two neighbouring rates both numbers are read as linear in the rate's logarithm, so that
    a rate that misses the line by a hair does not count for nothing.
    """
    points = [(s.mean("retention"), s.mean("target_score")) for s in pick(found, sweep)]
    able = [learned for kept, learned in points if kept >= retained]
    for (kept_0, learned_0), (kept_1, learned_1) in pairwise(points):
        if (kept_0 >= retained) != (kept_1 >= retained):
            way = (kept_0 - retained) / (kept_0 - kept_1)
            able.append(learned_0 + way * (learned_1 - learned_0))
    return max(able, default=0.0)


def levels(
    nano: Sequence[Setting], real: Sequence[Setting], retained: float
) -> dict[str, tuple[float, float]]:
    """`most` of each method on both models."""
    have = [m for m in METHODS if all(any(s.sweep == m for s in side) for side in (nano, real))]
    return {m: (most(nano, m, retained), most(real, m, retained)) for m in have}


def apart(found: dict[str, tuple[float, float]]) -> float:
    """Mean absolute difference of both models' levels."""
    return fmean(abs(a - b) for a, b in found.values())


def sides(nano: Sequence[Setting], real: Sequence[Setting]) -> dict[str, tuple[bool, bool]]:
    """Does a method learn 70 % with 90 % retained, on nano and on the real model?"""
    found = levels(nano, real, RETAINED)
    return {m: (found[m][0] >= LEARNED, found[m][1] >= LEARNED) for m in ASKED if m in found}


@dataclass(frozen=True)
class Pair:
    """One method at one rate on both models; nano's is the shifted one."""

    real: Setting
    learned: tuple[float, float]
    """On nano, on the real model: means over seeds."""
    retained: tuple[float, float]


def shift(nano: Sequence[Setting], real: Sequence[Setting]) -> float:
    """How far nano's rates lie above the real model's: the factor from 1 to 10 that brings full
    fine-tuning's learned and retained shares nearest together."""

    def off(factor: float) -> float:
        pairs = _pairs(nano, pick(real, "learning rate"), factor)
        gaps = [abs(a - b) for pair in pairs for a, b in (pair.learned, pair.retained)]
        return fmean(gaps or [1.0])

    return min((10 ** (k / 20) for k in range(21)), key=off)


def _pairs(nano: Sequence[Setting], real: Sequence[Setting], factor: float) -> list[Pair]:
    """The real model's settings, each with nano's at `factor` times its rate, where nano's rates
    reach so far."""
    found = []
    for setting in real:
        if setting.sweep in METHODS and any(s.sweep == setting.sweep for s in nano):
            curve = pick(nano, setting.sweep)
            both = [
                (_between(curve, factor * setting.lr, key), setting.mean(key))
                for key in ("target_score", "retention")
            ]
            if not math.isnan(both[0][0]):
                found.append(Pair(setting, *both))
    return found


def _between(curve: Sequence[Setting], rate: float, key: str) -> float:
    """A sweep's mean at a rate, linear in the rate's logarithm; NaN outside of its rates."""
    rates, means = [math.log(s.lr) for s in curve], [s.mean(key) for s in curve]
    return float(np.interp(math.log(rate), rates, means, left=math.nan, right=math.nan))


@dataclass(frozen=True)
class Order:
    """Rank correlations (Spearman) over equal settings, nano's rates shifted."""

    factor: float
    """Nano's rates over the real model's."""
    pairs: tuple[Pair, ...]
    learned: float
    retained: float


def order(nano: Sequence[Setting], real: Sequence[Setting]) -> Order:
    """Equal settings of both models in the same order? InputError with fewer than three."""
    factor = shift(nano, real)
    pairs = _pairs(nano, real, factor)
    sides = [pair.learned for pair in pairs], [pair.retained for pair in pairs]
    return Order(factor, tuple(pairs), *(spearman(*zip(*side, strict=True)) for side in sides))


@dataclass(frozen=True)
class AtLevel:
    """The methods of both models at matched learning."""

    levels: tuple[float, float]
    """Target losses, nats per token: half of what guessing the rule costs."""
    rows: dict[str, tuple[Matched, Matched]]
    """Method -> on nano, on the real model; one that does not get there has no setting."""
    rank: Interval
    """Rank correlation of what was forgotten, over the methods that get there on both."""
    ceiling: float
    """Mean rank correlation of nano's methods with themselves, over draws of their seeds: more
    cannot be had from such noise."""


def matched(nano: Sequence[Setting], real: Sequence[Setting]) -> AtLevel:
    """Both models' methods at matched learning. Raises InputError where too few get there."""
    at = level(nano), level(real)
    best = [best_at(found, loss) for found, loss in zip((nano, real), at, strict=True)]
    rows = {m: (best[0][m], best[1][m]) for m in METHODS if m in best[0] and m in best[1]}
    both = [(a.forgotten, b.forgotten) for a, b in rows.values() if a.setting and b.setting]
    if len(both) < 3:
        raise InputError(f"Only {len(both)} methods get to half of the guessing loss on both.")
    dice = random.Random("ceiling")
    same = [(a, a) for a, _ in both]
    ceiling = fmean(_drawn(same, dice) for _ in range(200))
    return AtLevel(at, rows, spearman_interval(both), ceiling)


def spearman_interval(
    rows: Sequence[tuple[Sequence[float], Sequence[float]]], *, draws: int = 1000
) -> Interval:
    """Rank correlation of the rows' means, with 95 % over draws of the rows and of their seeds."""
    check_whole("draws", draws, 1)
    dice = random.Random("spearman")
    found = sorted(_drawn(dice.choices(rows, k=len(rows)), dice) for _ in range(draws))
    middle = spearman([fmean(a) for a, _ in rows], [fmean(b) for _, b in rows])
    return Interval(middle, found[round(0.025 * draws)], found[round(0.975 * draws) - 1])


def _drawn(rows: Sequence[tuple[Sequence[float], Sequence[float]]], dice: random.Random) -> float:
    """Rank correlation of the rows with each side's seeds drawn anew; 0 without an order."""
    sides = [[fmean(dice.choices(row[k], k=len(row[k]))) for row in rows] for k in (0, 1)]
    one, other = (pd.Series(side).rank() for side in sides)
    found = one.corr(other)
    return 0.0 if pd.isna(found) else float(found)
