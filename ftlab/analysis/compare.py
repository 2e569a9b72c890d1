"""Methods side by side: runs gathered over their seeds, compared at the same learning.

    settings(records)                  runs that differ in nothing but the seed, together
    level(found)                       the loss at which methods are compared
    at_loss(record, 0.1)               what was forgotten when the target loss first fell to 0.1
    best_at(settings, 0.1)             each method at the rate that then had forgotten least
    spearman(xs, ys)                   do two models put the methods into the same order?

Who learns less forgets less: at equal steps a method can look gentle because it hardly moved. So
the fair question is asked at MATCHED learning: along each run's own curve, at the first moment
when the loss on the new task has fallen to a given level (linear in its logarithm between two
measurements).

Notable choices: the level is half of what guessing the domain's rule costs, so that a model that
gets there has begun to learn the rule; it does not depend on which methods are compared. Every
method may choose its best rate among those that were run. A run that does not get there is
censored: it ranks last and is shown so. What is compared is `forgotten`, the rise of the loss on
general text, which is less noisy than accuracies are; retention stands beside it.

Source of the rank correlation: Spearman (1904), ties at their mean rank.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import fmean
from typing import Any

import pandas as pd

from ftlab import record as records
from ftlab.analysis.frame import read_shipped, say_left_out
from ftlab.base.errors import InputError
from ftlab.evaluate.intervals import Interval, paired_difference
from ftlab.evaluate.retention import retained
from ftlab.plan import rate_text

LONGER = " longer"
"""What the names of sweeps end in whose runs last until they have learned enough."""


@dataclass(frozen=True)
class Setting:
    """Runs that differ only in their seed."""

    name: str
    """The runs' common name."""
    runs: tuple[Any, ...]
    """The records, by seed."""

    @property
    def method(self) -> str:
        """As in plots."""
        return self.runs[0].method

    @property
    def sweep(self) -> str:
        """What of the grid it belongs to; empty for a run of no grid."""
        return str(self.runs[0].extra.get("sweep", ""))

    @property
    def lr(self) -> float:
        """Peak learning rate."""
        return self.runs[0].plan["lr"]

    def values(self, key: str) -> list[float]:
        """A value of the final measurement, seed by seed. InputError where a run has none."""
        found = [run.final.get(key) for run in self.runs]
        if None in found:
            raise InputError(f"A run of '{self.name}' measured no {key}; leave the setting out.")
        return found

    def mean(self, key: str) -> float:
        """The mean over seeds."""
        return fmean(self.values(key))

    def text(self, key: str) -> str:
        """The mean, with the lowest and the highest seed if there are two, as shares."""
        values = self.values(key)
        seeds = f" ({min(values):.0%} to {max(values):.0%})" if len(values) > 1 else ""
        return f"{fmean(values):.0%}{seeds}"


def shipped(size: str) -> list[records.Record]:
    """The recorded runs of a size (nano, laptop) that came with the workbook; maybe none.

    What is damaged is left out, and a line says so.
    """
    found, left_out = read_shipped(size)
    say_left_out(left_out)
    return found


def settings(runs: Iterable[Any], *, domain: str = "clinic") -> list[Setting]:
    """Runs of a domain gathered over their seeds, by method and learning rate."""

    def common(run: Any) -> str:
        return run.name.rpartition(", seed ")[0] or run.name

    here = (run for run in runs if run.domain == domain)
    ordered = sorted(here, key=lambda run: (common(run), run.seed))
    found = [Setting(name, tuple(group)) for name, group in groupby(ordered, common)]
    return sorted(found, key=lambda setting: (setting.sweep, setting.lr, setting.name))


def whole(found: Sequence[Setting], seeds: int = 3) -> list[Setting]:
    """The settings that have all their seeds: others make no claim."""
    return [setting for setting in found if len(setting.runs) >= seeds]


def pick(found: Sequence[Setting], sweep: str, lr: float | None = None) -> list[Setting]:
    """The settings of a sweep, by rate; one rate if it is given. InputError if there is none."""
    chosen = [s for s in found if s.sweep == sweep and lr in (None, s.lr)]
    if not chosen:
        have = ", ".join(sorted({s.sweep for s in found}))
        at = "" if lr is None else f" at rate {rate_text(lr)}"
        raise InputError(f"There are no recorded runs of '{sweep}'{at}; there are runs of: {have}.")
    return chosen


def level(found: Iterable[Setting], share: float = 0.5) -> float:
    """`share` of what guessing the rule costs on the settings' domain, nats per token.

    Raises InputError where no run says what that is.
    """
    known = (run.baseline.get("guess_loss") for setting in found for run in setting.runs)
    cost = next((cost for cost in known if cost), None)
    if cost is None:
        raise InputError("No run says what guessing its domain's rule costs; name a loss yourself.")
    return share * cost


def at_loss(run: Any, loss: float, key: str = "forgotten") -> float | None:
    """`key` of a measurement at the first moment when the target loss is at most `loss`.

    None if it never is. Losses in nats per token of the right answers; between two measured steps
    linear in the logarithm of the loss.
    """
    both = [(m["target_loss"], m[key]) for step in run.curve if (m := step["measured"])]
    points = [point for point in both if None not in point]
    if points and points[0][0] <= loss:
        return points[0][1]
    for (loss_0, value_0), (loss_1, value_1) in pairwise(points):
        if loss_1 <= loss:
            way = math.log(loss_0 / loss) / math.log(loss_0 / loss_1)
            return value_0 + way * (value_1 - value_0)
    return None


@dataclass(frozen=True)
class Matched:
    """A method at the rate that had forgotten least when it had learned enough."""

    sweep: str
    setting: Setting | None
    """None where no rate got there with all its seeds: the method is censored."""
    retained: tuple[float, ...]
    """Retention seed by seed, at the matched loss."""
    forgotten: tuple[float, ...]
    """Rise of the loss on general text seed by seed, nats per token."""
    lowest: float
    """The lowest target loss that all seeds of a rate reached, nats per token."""

    @property
    def interval(self) -> Interval | None:
        """Mean retention with its 95 % interval (Student's t): three seeds give a wide one."""
        return _interval(self.retained)

    @property
    def forgotten_interval(self) -> Interval | None:
        """Mean of `forgotten` with its 95 % interval."""
        return _interval(self.forgotten)


def _interval(values: Sequence[float]) -> Interval | None:
    return paired_difference(values, [0.0] * len(values)) if len(values) > 1 else None


def best_at(found: Sequence[Setting], loss: float) -> dict[str, Matched]:
    """Every sweep (method) at its best rate for the matched `loss`, in nats per token.

    Runs that were trained longer, until they got there, count to their method.
    """
    best: dict[str, Matched] = {}
    for setting in found:
        rose, left = (
            tuple(value for run in setting.runs if (value := at_loss(run, loss, key)) is not None)
            for key in ("forgotten", "retention")
        )
        lowest, sweep = max(map(_lowest, setting.runs)), setting.sweep.removesuffix(LONGER)
        before = best.get(sweep) or Matched(sweep, None, (), (), lowest)
        lowest = min(lowest, before.lowest)
        better = not before.forgotten or fmean(rose or [math.inf]) < fmean(before.forgotten)
        if len(rose) == len(setting.runs) and better:
            before = Matched(sweep, setting, left, rose, lowest)
        best[sweep] = replace(before, lowest=lowest)
    return best


def _lowest(run: Any) -> float:
    losses = (step["measured"]["target_loss"] for step in run.curve if step["measured"])
    return min((loss for loss in losses if loss is not None), default=math.inf)


def common_level(found: Sequence[Setting], sweeps: Sequence[str]) -> float:
    """The lowest target loss that each of `sweeps` reaches with all its seeds, nats per token.

    For domains without a rule to guess (`level`). Raises InputError for a sweep without runs.
    """
    return max(
        min(max(map(_lowest, setting.runs)) for setting in pick(found, sweep)) for sweep in sweeps
    )


def paired(first: Sequence[float], second: Sequence[float]) -> Interval:
    """first - second over the seeds that both have (0, 1, 2 and on), with its 95 % interval."""
    many = min(len(first), len(second))
    return paired_difference(first[:many], second[:many])


def verdict(first: Sequence[float], second: Sequence[float]) -> str:
    """Is `first` larger, seed by seed? holds, does not hold, or not decided.

    Decided means: the 95 % interval of the paired difference leaves out 0.
    """
    if min(len(first), len(second)) < 2:
        return "not decided"
    interval = paired(first, second)
    if interval.low > 0:
        return "holds"
    return "does not hold" if interval.high < 0 else "not decided"


def retained_of(now: Mapping[str, Any], base: Mapping[str, Any]) -> float:
    """Share of the skills of `base` that is left, both given as full measurements (dicts).

    For a base other than the run's own: what a 4-bit model has left of the plain one.
    """
    chance = base["chance"]
    kept = {
        name: retained(now["skills"][name], before, chance[name])
        for name, before in base["skills"].items()
    }
    return records.retention(kept)["retention"] or 0.0


def more(first: Setting, second: Setting, key: str = "retention") -> bool:
    """Is the first clearly above the second: the whole 95 % interval above zero?"""
    return verdict(first.values(key), second.values(key)) == "holds"


def close(first: Setting, second: Setting, key: str = "retention", room: float = 0.1) -> bool:
    """Are both shown to be equal within `room`: the 95 % interval lies inside it?"""
    found = paired(first.values(key), second.values(key))
    return -room < found.low and found.high < room


def difference(first: Setting, second: Setting, key: str = "retention") -> str:
    """first - second of a share, paired by seed, in points with its 95 % interval, as text."""
    return points_text(paired(first.values(key), second.values(key)))


def points_text(found: Interval) -> str:
    """A difference of shares in points, with its interval: "-3 points (-10 to +5)".

    No difference of shares is above 100 points. An end near 0 has a decimal: its side decides.
    """
    both = max(100 * found.low, -100), min(100 * found.high, 100)
    low, high = (f"{x:+.1g}" if 0.005 < abs(x) <= 0.5 else f"{x:+.0f}" for x in both)
    return f"{round(100 * found.estimate, 0) + 0.0:+.0f} points ({low} to {high})"


def spearman(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Rank correlation, from -1 to 1. Raises InputError for fewer than 3 pairs or no spread."""
    if len(xs) != len(ys) or len(xs) < 3:
        raise InputError(f"{len(xs)} and {len(ys)} values have no rank correlation; give 3 pairs.")
    if min(len(set(xs)), len(set(ys))) == 1:
        raise InputError("All values are equal on one side, so there is no order to compare.")
    return pd.Series(xs).rank().corr(pd.Series(ys).rank())
