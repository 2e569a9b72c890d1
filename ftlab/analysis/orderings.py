"""Is the small model a faithful scale model? And do the orders hold that the literature expects?

    both = faithful(nano, laptop)      each method's retention at matched learning, on both models
    both.interval                      do both put the methods into the same order?
    same_settings(nano, laptop)        the same question without a choice of rates
    orderings(nano)                    eight orders that several sources agree on, with verdicts

A verdict is holds, does not hold, or not decided: the paired difference over seeds, with its 95 %
interval on one side of zero or not (`compare.verdict`). With three seeds much stays undecided.

Sources of the eight: docstrings of the functions name one each; where several agree, the first.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from ftlab.analysis.compare import (
    Matched,
    Setting,
    best_at,
    common_level,
    pick,
    rate_text,
    retained_when_learned,
    spearman,
    verdict,
    whole,
)
from ftlab.base.errors import InputError
from ftlab.evaluate.intervals import Interval

METHODS = ("learning rate", "lora_band", "lora_even", "schedule", "freeze_low", "replay")
"""Sweeps that were run on both models; `learning rate` is full fine-tuning."""
OPTIONAL = ("freeze_top",)
"""Compared as well, where both models have all their runs."""


@dataclass(frozen=True)
class Faithful:
    """The methods on both models, at matched learning."""

    levels: tuple[float, float]
    """The target loss at which nano and the real model are compared, nats per token."""
    rows: tuple[tuple[str, Matched, Matched], ...]
    """Method, on nano, on the real model."""

    @property
    def interval(self) -> Interval:
        """Rank correlation of the retentions over the methods, with 95 % over draws of seeds."""
        return spearman_interval([(a.retained, b.retained) for _, a, b in self.rows])


LEVELS = (2.0, 1.5, 1.0, 0.8, 0.6, 0.4)
"""Target losses (nats per token) from a first grasp of the format to nearly all of the task."""


def by_level(
    nano: Sequence[Setting], laptop: Sequence[Setting], levels: Sequence[float] = LEVELS
) -> list[tuple[float, Interval, int]]:
    """(target loss, rank correlation, methods) at each level that three methods reach on both."""
    found = []
    for level in levels:
        a, b = (best_at(whole(side), level) for side in (nano, laptop))
        both = [m for m in (*METHODS, *OPTIONAL) if _reached(a, m) and _reached(b, m)]
        if len(both) >= 3:
            shares = [(a[m].retained, b[m].retained) for m in both]
            found.append((level, spearman_interval(shares, draws=500), len(both)))
    return found


def _reached(side: Mapping[str, Matched], method: str) -> bool:
    return method in side and side[method].setting is not None


def same_settings(
    nano: Sequence[Setting], laptop: Sequence[Setting]
) -> list[tuple[str, Setting, Setting]]:
    """Settings that were run on both models at the same learning rate, by retention on nano.

    Each in its model's own budget. No rate is chosen here, so nothing can be chosen well.
    """
    real = {(s.sweep, s.lr): s for s in whole(laptop)}
    both = [(s, real[s.sweep, s.lr]) for s in whole(nano) if (s.sweep, s.lr) in real]
    both.sort(key=lambda pair: -pair[0].mean("retention"))
    return [(f"{a.sweep} {rate_text(a.lr)}", a, b) for a, b in both]


def spearman_interval(
    rows: Sequence[tuple[Sequence[float], Sequence[float]]], *, draws: int = 2000
) -> Interval:
    """Rank correlation of the rows' means, with 95 % of its values over draws of the seeds.

    Where rows differ by less than their seeds do, the interval is wide: their order is not known.
    """
    dice = random.Random("spearman")

    def drawn(side: int) -> list[float]:
        return [fmean(dice.choices(row[side], k=len(row[side]))) for row in rows]

    both = zip(*[(drawn(0), drawn(1)) for _ in range(draws)], strict=True)
    nano, real = (pd.DataFrame(side).T.rank() for side in both)  # (rows, draws)
    found = nano.corrwith(real).fillna(0.0).sort_values()
    middle = spearman([fmean(a) for a, _ in rows], [fmean(b) for _, b in rows])
    return Interval(middle, found.iloc[round(0.025 * draws)], found.iloc[round(0.975 * draws) - 1])


def faithful(nano: Sequence[Setting], laptop: Sequence[Setting]) -> Faithful:
    """Both models' methods at matched learning. Raises InputError where runs are missing."""
    both = [whole(found) for found in (nano, laptop)]
    have = [{s.sweep for s in found} for found in both]
    methods = [m for m in (*METHODS, *OPTIONAL) if m in have[0] & have[1]]
    if len(methods) < 3:
        raise InputError(
            f"Only {len(methods)} methods have three seeds on both models; make the rest with "
            "`ftlab grid decoder --profile nano` and `--profile laptop`."
        )
    levels = tuple(common_level(found, methods) for found in both)
    best = [best_at(found, level) for found, level in zip(both, levels, strict=True)]
    return Faithful((levels[0], levels[1]), tuple((m, best[0][m], best[1][m]) for m in methods))


@dataclass(frozen=True)
class Ordering:
    """One expected order and what the records say about it."""

    says: str
    verdict: str
    """holds, does not hold, not decided, or not run."""
    evidence: str


def orderings(found: Sequence[Setting]) -> list[Ordering]:
    """The eight orders on one model's settings."""
    return [_judged(says, judge, whole(found)) for says, judge in EIGHT]


Judge = Callable[[Sequence[Setting]], tuple[str, str]]


def _judged(says: str, judge: Judge | None, found: Sequence[Setting]) -> Ordering:
    if judge is None:
        return Ordering(says, "not run", "its notebook is still to come")
    try:
        return Ordering(says, *judge(found))
    except InputError as error:
        return Ordering(says, "not run", str(error))


def _rate(found: Sequence[Setting]) -> tuple[str, str]:
    """Gupta et al. 2023, Continual pre-training of LLMs: how to (re)warm your model?"""
    low, *_, high = pick(found, "learning rate")
    ends = [f"{end.text('retention')} at {rate_text(end.lr)}" for end in (low, high)]
    return verdict(low.values("retention"), high.values("retention")), _retained(ends)


def _steps(found: Sequence[Setting]) -> tuple[str, str]:
    """Biderman et al. 2024, LoRA learns less and forgets less, section 4."""
    full = [s for s in found if s.method == "full" and s.sweep in ("steps", "learning rate")]
    if not full:
        raise InputError("There are no recorded runs of full fine-tuning.")
    longest = max(full, key=lambda s: (s.runs[0].plan["steps"], s.lr))
    curves = [[s for s in run.curve if s["measured"] and s["step"]] for run in longest.runs]
    early, late = ([curve[at]["measured"]["retention"] for curve in curves] for at in (0, -1))
    return verdict(early, late), (
        f"at {rate_text(longest.lr)} retained {fmean(early):.0%} after {curves[0][0]['step']} "
        f"steps, {fmean(late):.0%} after {curves[0][-1]['step']}"
    )


def _rank(found: Sequence[Setting]) -> tuple[str, str]:
    """Biderman et al. 2024, figure 2: rank 16 forgets less than 64 and 256."""
    low, high = pick(found, "rank 2")[0], pick(found, "rank 64")[0]
    ends = [f"{end.text('retention')} at {end.sweep}" for end in (low, high)]
    return verdict(low.values("retention"), high.values("retention")), _retained(ends)


def _retained(ends: Sequence[str]) -> str:
    return f"retained {', '.join(ends)}"


def _replay(found: Sequence[Setting]) -> tuple[str, str]:
    """Bethune et al. 2025, Scaling laws for forgetting with pretraining data injection."""
    words = []
    decisions = []
    for mixed in pick(found, "replay"):
        plain = pick(found, "learning rate", mixed.lr)[0]
        level = max(common_level([mixed], ["replay"]), common_level([plain], ["learning rate"]))
        pairs = [
            (retained_when_learned(a, level), retained_when_learned(b, level))
            for a, b in zip(mixed.runs, plain.runs, strict=True)
        ]
        first = [a for a, _ in pairs if a is not None]
        second = [b for _, b in pairs if b is not None]
        decisions.append(verdict(first, second))
        words.append(
            f"at {rate_text(mixed.lr)} retained {fmean(first):.0%} against {fmean(second):.0%}"
        )
    one = decisions[0] if len(set(decisions)) == 1 else "not decided"
    return one, "; ".join(words) + " (equal target loss)"


def _placement(found: Sequence[Setting]) -> tuple[str, str]:
    """Schulman et al. 2025, LoRA without regret: attention alone is worse."""
    everywhere, qv = ("lora_all", "lora_qv")
    if not any(s.sweep == everywhere for s in found):
        everywhere, qv = ("lora_even", "lora_band")
    a, b = (
        max(pick(found, sweep), key=lambda s: s.mean("target_score")) for sweep in (everywhere, qv)
    )
    return verdict(a.values("target_score"), b.values("target_score")), (
        f"learned {a.text('target_score')} against {b.text('target_score')}, "
        f"retained {a.mean('retention'):.0%} and {b.mean('retention'):.0%}"
    )


def _size(found: Sequence[Setting]) -> tuple[str, str]:
    """peft's method comparison (2026): 35 MB against 6128 MB."""
    lora, full = pick(found, "lora_band")[0].runs[0], pick(found, "learning rate")[0].runs[0]
    small, large = (3 * run.trainable * 4 / 2**20 for run in (lora, full))
    return ("holds" if small < large else "does not hold"), (
        f"adapter {lora.trainable * 4 / 2**20:.2f} MiB against {full.trainable * 4 / 2**20:.1f}; "
        f"gradients and AdamW {small:.1f} MiB against {large:.1f} (float32, by count)"
    )


EIGHT: tuple[tuple[str, Judge | None], ...] = (
    ("forgetting rises with the learning rate at fixed steps", _rate),
    ("forgetting rises with the number of steps", _steps),
    ("forgetting rises with the rank of LoRA, weakly", _rank),
    ("5 % replay retains more than none at equal target loss", _replay),
    ("a point between base and tuned weights retains more at little cost", None),
    ("a prefix with a random start retains least, switched on", None),
    ("LoRA learns on all linear layers at least as much as on Q and V, at equal size", _placement),
    ("LoRA needs less memory and smaller files than full fine-tuning", _size),
)
