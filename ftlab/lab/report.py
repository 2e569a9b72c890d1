"""Ship or don't: base and tuned side by side, a verdict with its rule, and one change to try.

    report = ftlab.report(run)              a run, a record, a file of one, or several seeds
    report.ship, report.reasons             the verdict, and what spoke against it
    report.advice                           one change, computed from the run
    print(report)

The rule (`rule`): the task's gain is above 0 with its whole 95 % interval (and, where answers are
labels, above always giving the commonest one), and no skill of the base can have lost more than
`tolerance`: its whole interval lies inside. So the burden of proof is on shipping: a skill that was
asked too little is not decided, and that is no leave to ship.

Notable choices:
- Intervals come from the items that turned and, of several seeds, from what those differ by
  (`lab.changes`). Items tell how sure one is of this model, seeds of this recipe.
- Where no answer is right word for word, before or after, the task is judged by the fall of the
  loss of the right answers.
- General text is shown and not judged: its loss has no tolerance in points.

Run the tests: pytest tests/lab/test_report.py
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.evaluate.intervals import wilson
from ftlab.lab import changes
from ftlab.lab.advice import advise
from ftlab.lab.changes import TASK, Change, both, over_seeds
from ftlab.lab.seeds import seeds_of

if TYPE_CHECKING:
    from ftlab.lab.run import Run


@dataclass(frozen=True)
class Report:
    """What speaks for and against shipping; made by `report`."""

    runs: tuple[records.Record, ...]
    """The records, by seed."""
    task: Change
    """The gain."""
    skills: tuple[Change, ...]
    """What happened to each skill."""
    tolerance: float
    """What a skill may lose."""

    @property
    def first(self) -> records.Record:
        """The record that samples, curve and plan are shown of."""
        return self.runs[0]

    @property
    def commonest(self) -> dict[str, Any] | None:
        """{"answer", "share"} of always giving the commonest answer, where answers are labels."""
        return self.first.final.get("commonest")

    @property
    def rule(self) -> str:
        """When to ship, in words."""
        guess = ""
        if self.commonest:
            share = f"{percent(self.commonest['share'])}"
            guess = f" and its score above {share} (always saying '{self._always}')"
        return (
            f"Ship if the task's gain is above 0{guess}, and no skill of the base can have lost "
            f"more than {100 * self.tolerance:g} points, each with its whole 95 % interval."
        )

    @property
    def _always(self) -> str:
        return str((self.commonest or {}).get("answer", "")).strip()

    @cached_property
    def lost(self) -> list[Change]:
        """Skills that are shown to have lost more than the tolerance."""
        return [s for s in self.skills if s.judged and s.interval.high < -self.tolerance]

    @cached_property
    def open(self) -> list[Change]:
        """Skills that may have lost more than that, or not: too few items or seeds to say."""
        most = -self.tolerance
        return [s for s in self.skills if s.judged and s.interval.low < most <= s.interval.high]

    @property
    def learned(self) -> bool:
        """Is the task's gain above 0, and above the commonest answer?"""
        return self.task.interval.low > 0 and not self.guessing

    @property
    def guessing(self) -> bool:
        """Is it not shown to be better than always giving the commonest answer?"""
        if not self.commonest:
            return False
        n = self.task.n
        shares = [run.final["target_score"] for run in self.runs]
        found = over_seeds(wilson(round(fmean(shares) * n), n), shares)
        return found.low <= self.commonest["share"]

    @property
    def ship(self) -> bool:
        """The verdict."""
        return not self.reasons

    @cached_property
    def reasons(self) -> list[str]:
        """What speaks against shipping, a sentence each; none where it is to be shipped."""
        found = []
        if self.task.interval.low <= 0:
            found.append(f"No gain on the task is shown: {self.task.text}.")
        elif self.guessing:
            found.append(
                f"{percent(self.task_score)} right is not shown to beat always saying "
                f"'{self._always}' ({percent((self.commonest or {})['share'])})."
            )
        if not any(skill.judged for skill in self.skills):
            found.append("No skill of the base was measured that it had.")
        found += [f"{skill.name}: {skill.text}, more than it may lose." for skill in self.lost]
        found += [
            f"{skill.name}: {skill.text}, of {skill.n} questions; not decided."
            for skill in self.open
        ]
        return found

    @property
    def verdict(self) -> str:
        """ "Ship." or "Don't ship.", and whether that is shown or only not decided."""
        words = {"holds": "Ship.", "does not hold": "Don't ship."}
        return words.get(self.decided, "Don't ship yet: it is not decided.")

    @property
    def decided(self) -> str:
        """ "It may ship": holds, does not hold, or not decided, as in a table of verdicts."""
        if self.ship:
            return "holds"
        return "does not hold" if self.lost or not self.learned else "not decided"

    @cached_property
    def advice(self) -> str:
        """One change to try, computed from the run."""
        return advise(self)

    @property
    def name(self) -> str:
        """The plan's name, without a seed where there are several, model and domain."""
        name = self.first.name.rpartition(", seed ")[0] if self.runs[1:] else self.first.name
        return f"{name or self.first.name}, {self.first.model} on {self.first.domain}"

    @property
    def notes(self) -> list[str]:
        """What stands beside the table: both measures, always the commonest answer, general text,
        and what the intervals count."""
        last, mean = [run.final for run in self.runs], self._mean
        retained = mean([part["retention"] for part in last])
        kept = "none to retain" if retained is None else f"{percent(retained)}"
        found = [f"Learned {percent(self.task_score)}, retained {kept} (mean of the skills)."]
        if always := self.commonest:
            found.append(f"Always saying '{self._always}' would score {percent(always['share'])}.")
        losses = [mean([part["general_loss"] for part in parts]) for parts in both(self.runs)]
        if None not in losses:
            found.append("General text, nats a token: {:.2f} before, {:.2f} after.".format(*losses))
        return [*found, f"The intervals count {self.seeds}."]

    @staticmethod
    def _mean(values: list[float | None]) -> float | None:
        there = [value for value in values if value is not None]
        return fmean(there) if there else None

    @property
    def task_score(self) -> float:
        """Accuracy on the task's test items after training, the mean over seeds."""
        return fmean(run.learned for run in self.runs)

    @property
    def seeds(self) -> str:
        """What the intervals count."""
        if len(self.runs) == 1:
            return f"items only; one seed ({self.first.seed}), so another may give other numbers"
        return f"items, and {len(self.runs)} seeds ({', '.join(str(r.seed) for r in self.runs)})"

    @property
    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """What, before, after, change with its interval, and what that means."""
        return [_row(self.task, ""), *(_row(skill, self.said(skill)) for skill in self.skills)]

    def said(self, skill: Change) -> str:
        """What became of a skill, in two words."""
        if not skill.judged:
            return "not judged: the base could not do it"
        if skill in self.lost:
            return "lost"
        return "not decided" if skill in self.open else "within the tolerance"

    def __str__(self) -> str:
        head = ("", "before", "after", "change (95 %)", "")
        rows = [head, *self.rows]
        wide = [max(len(row[i]) for row in rows) for i in range(5)]
        table = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join(
            [
                f"{self.name}: {self.verdict}",
                *(f"  - {reason}" for reason in self.reasons),
                "",
                *table,
                *self.notes,
                f"Rule: {self.rule}",
                f"One change: {self.advice}",
            ]
        )


def _row(change: Change, said: str) -> tuple[str, str, str, str, str]:
    before, after = (
        f"{percent(value)}" if change.in_points else f"{value:.2f}"
        for value in (change.before, change.after)
    )
    name = change.name if change.in_points else f"{TASK}: {change.name}"
    return name, before, after, change.text, said


def report(
    run: "Run | records.Record | str | Path | Iterable[Run | records.Record | str | Path]",
    *,
    tolerance: float = 0.1,
    more: Sequence[Change] = (),
) -> Report:
    """Compare base and tuned of a run, or of several that differ in nothing but the seed.

    `run`: a run that was trained, its record, the file of one, a folder of them, or a list.
    `tolerance`: what a skill may lose, as a share. `more`: what else is judged, as
    `lab.harness.task_changes` gives it.
    Raises InputError for what is none of these, and for runs that differ in more than the seed.
    """
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance={tolerance:g} is not possible; give a share, such as 0.1.")
    runs = seeds_of(run)
    return Report(runs, changes.task(runs), (*changes.skills(runs), *more), tolerance)
