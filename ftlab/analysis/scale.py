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
from statistics import fmean

import pandas as pd

from ftlab.analysis.compare import Matched, Setting, best_at, level, pick, spearman
from ftlab.base.errors import InputError
from ftlab.evaluate.intervals import Interval

METHODS = (
    "learning rate", "schedule", "replay", "replay 25", "freeze", "freeze_low", "freeze_top",
    "lora_all", "lora_ff", "lora_attention", "lora_qv", "lora_even", "lora_band", "lora_head",
)  # fmt: skip
"""Sweeps that were run on both models; `learning rate` is full fine-tuning."""
REACH = ("learning rate", "schedule", "freeze", "freeze_low", "lora_ff", "lora_all")
"""On the real model these learn 70 % and retain 90 %."""
MISS = ("lora_qv", "lora_attention", "lora_band")
"""And these do not."""
LEARNED, RETAINED = 0.7, 0.9
STEP = 3.0
"""What rates of the grids lie apart."""


def most(found: Sequence[Setting], sweep: str, retained: float) -> float:
    """Most learned by a sweep at a rate where at least `retained` is left, means over seeds."""
    able = [s for s in pick(found, sweep) if s.mean("retention") >= retained]
    return max((s.mean("target_score") for s in able), default=0.0)


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
    return {
        m: (found[m][0] >= LEARNED, found[m][1] >= LEARNED) for m in (*REACH, *MISS) if m in found
    }


def shift(nano: Sequence[Setting], real: Sequence[Setting]) -> float:
    """How far nano's rates lie above the real model's: 1 or 3, whichever brings full fine-tuning's
    learned and retained shares nearer together."""

    def off(factor: float) -> float:
        pairs = _pairs(pick(nano, "learning rate"), pick(real, "learning rate"), factor)
        gaps = [abs(a.mean(k) - b.mean(k)) for a, b in pairs for k in ("target_score", "retention")]
        return fmean(gaps or [1.0])

    return min((1.0, STEP), key=off)


def _pairs(
    nano: Sequence[Setting], real: Sequence[Setting], factor: float
) -> list[tuple[Setting, Setting]]:
    """Equal settings of both models, nano's rate `factor` times the real one's."""
    at = {(s.sweep, _place(s.lr)): s for s in nano}
    keys = [((s.sweep, _place(factor * s.lr)), s) for s in real if s.sweep in METHODS]
    return [(at[key], s) for key, s in keys if key in at]


def _place(rate: float) -> int:
    """A rate's place on a grid of two steps a power of ten: 1e-4 and 3e-4 are neighbours."""
    return round(2 * math.log10(rate))


@dataclass(frozen=True)
class Order:
    """Rank correlations (Spearman) over equal settings, nano's rates shifted."""

    factor: float
    """Nano's rates over the real model's."""
    pairs: tuple[tuple[Setting, Setting], ...]
    """The settings, on nano and on the real model."""
    learned: float
    retained: float


def order(nano: Sequence[Setting], real: Sequence[Setting]) -> Order:
    """Equal settings of both models in the same order? InputError with fewer than three."""
    factor = shift(nano, real)
    pairs = _pairs(nano, real, factor)
    found = [
        spearman([a.mean(key) for a, _ in pairs], [b.mean(key) for _, b in pairs])
        for key in ("target_score", "retention")
    ]
    return Order(factor, tuple(pairs), *found)


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
