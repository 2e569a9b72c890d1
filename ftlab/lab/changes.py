"""What changed between base and tuned, each measure with its 95 % interval; + is better.

Base and tuned were asked the same items, so only items that turned count (`paired_shares`); a
record without evidence (schema 3) has the wider interval of two separate samples. Several seeds
widen the items' interval for their mean by Student's t over the seeds: half-widths add as squares.

Run the tests: pytest tests/lab/test_report.py
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Any

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.base.shares import skill_name
from ftlab.evaluate.intervals import (
    Interval,
    paired_difference,
    paired_shares,
    unpaired_shares,
    wilson,
)

LOSS = "loss of the right answers, nats a token"
TASK = "the task"


@dataclass(frozen=True)
class Change:
    """One measure before and after, and the change with its interval: + is better."""

    name: str
    before: float
    after: float
    interval: Interval
    """Of the change."""
    n: int
    """Items that were asked."""
    judged: bool = True
    """False for what the base could not do: there is nothing to lose."""

    @property
    def in_points(self) -> bool:
        """Is it a share? Else it is in nats a token."""
        return self.name != LOSS

    @property
    def text(self) -> str:
        """ "-3 points (-5 to -1)", or nats."""
        by, places, unit = (100, 0, " points") if self.in_points else (1, 2, "")
        ends = self.interval.low, self.interval.estimate, self.interval.high
        low, change, high = (f"{by * value:+z.{places}f}" for value in ends)  # z: no "-0"
        return f"{change}{unit} ({low} to {high})"


def task(runs: Sequence[records.Record]) -> Change:
    """The gain in right answers; in their loss where no answer is ever right."""
    n = runs[0].final.get("n", {}).get("target", 0)
    right = any(part["target_score"] for parts in both(runs) for part in parts)
    bounds: list[Any] = [run.evidence.get("learned") or [None] for run in runs]  # None: NaN, older
    falls = [run.final["learned"] for run in runs]
    losses = [[part["target_loss"] for part in parts] for parts in both(runs)]
    if right or None in (*falls, *chain(*losses, *bounds)):
        return _shares(TASK, runs, "target_score", n)
    low, high = (fmean(ends[k] for ends in bounds) for k in (0, 1))
    before, after = map(fmean, losses)
    return Change(LOSS, before, after, over_seeds(Interval(fmean(falls), low, high), falls), n)


def skills(runs: Sequence[records.Record]) -> Iterator[Change]:
    """What happened to each skill; those that the base did not have are not judged."""
    for name, kept in runs[0].final["kept"].items():
        n = runs[0].final.get("n", {}).get("skills", {}).get(name, 0)
        yield _shares(skill_name(name), runs, name, n, judged=kept is not None)


def both(runs: Sequence[records.Record]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The measurements before, and those after."""
    return [run.baseline for run in runs], [run.final for run in runs]


def _shares(
    name: str, runs: Sequence[records.Record], key: str, n: int, *, judged: bool = True
) -> Change:
    """Change of a share, `key` of the measurements or a skill."""
    if not n:
        raise InputError(
            f"{runs[0].name} does not say how many items were asked; run it again with this ftlab."
        )
    told = key == "target_score"
    before, after = (
        [part[key] if told else part["skills"][key] for part in parts] for parts in both(runs)
    )
    seen = [{"target": {}, "skills": {}} | run.evidence for run in runs]  # an older one tells none
    turned = [one["target"] if told else one["skills"].get(key, {}) for one in seen]
    if all(turned):
        lost, won = (round(fmean(counts[way] for counts in turned)) for way in ("lost", "won"))
        items = paired_shares(lost, won, n)
    else:
        was, now = (wilson(round(fmean(shares) * n), n) for shares in (before, after))
        items = unpaired_shares(was, now)
    moved = [b - a for a, b in zip(before, after, strict=True)]
    return Change(name, fmean(before), fmean(after), _bounded(over_seeds(items, moved)), n, judged)


def over_seeds(items: Interval, values: Sequence[float]) -> Interval:
    """The items' interval round the mean of the seeds, wider by what the seeds differ."""
    mean = fmean(values)
    if len(values) < 2:
        return Interval(mean, items.low, items.high)
    spread = paired_difference(values, [0.0] * len(values))
    half = spread.high - spread.estimate
    down, up = items.estimate - items.low, items.high - items.estimate
    return Interval(mean, mean - math.hypot(down, half), mean + math.hypot(up, half))


def _bounded(found: Interval) -> Interval:
    """Of a difference of shares."""
    return Interval(found.estimate, max(-1.0, found.low), min(1.0, found.high))
