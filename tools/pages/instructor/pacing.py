"""Workshops of a given length: sections in order, with a running clock that must fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from tools.pages.instructor.sections import minutes, sections

LEAST = 0.85  # a plan fills so much of its time or more; the rest is for questions


@dataclass(frozen=True)
class Stop:
    """A stretch of a workshop."""

    begin: int
    """Minutes since the start."""
    minutes: int
    notebook: str
    """00, 01 ...; empty: no notebook."""
    sections: tuple[str, ...]
    what: str
    """What the instructor does there; may be empty."""


@dataclass(frozen=True)
class Workshop:
    """A plan on the clock."""

    minutes: int
    title: str
    stops: tuple[Stop, ...]

    @property
    def spent(self) -> int:
        """Minutes that the stops take together."""
        return self.stops[-1].begin + self.stops[-1].minutes

    def used(self, notebook: str) -> set[str]:
        """The sections of a notebook that are gone through."""
        return {name for stop in self.stops if stop.notebook == notebook for name in stop.sections}


def workshop(plan: Mapping[str, Any], paths: Mapping[str, Path]) -> Workshop:
    """A [[plan]] of instructor.toml put on the clock; `paths`: 00 to the stored notebook.

    Raises InputError for a section that is not there, for one that needs a skipped one where the
    notebook was not run as a whole before, and for a plan that does not fit its time.
    """
    stops: list[Stop] = []
    clock = 0
    begun: set[str] = set()
    whole: set[str] = set()
    for given in plan["stop"]:
        names = tuple(given.get("sections", ()))
        number = given.get("notebook", "")
        took = given.get("minutes", 0)
        if number:
            took += math.ceil(_minutes(paths[number], names, run=number not in begun))
            begun.add(number)
        what = [given["what"]] if "what" in given else []
        if starts := given.get("starts", ()):
            what.append(f"Then everybody starts {_listed(starts)} with *Run All*.")
        stops.append(Stop(clock, took, number, names, " ".join(what)))
        whole |= set(starts)
        if number and number not in whole:
            _check_names(paths[number], [s for s in stops if s.notebook == number])
        clock += took
    made = Workshop(plan["minutes"], plan["title"], tuple(stops))
    if not LEAST * made.minutes <= made.spent <= made.minutes:
        raise InputError(
            f"The workshop of {made.minutes} minutes takes {made.spent}; "
            f"change its stops until it takes {math.ceil(LEAST * made.minutes)} to {made.minutes}."
        )
    return made


def _listed(numbers: Sequence[str]) -> str:
    *first, last = numbers
    return f"notebooks {', '.join(first)} and {last}" if first else f"notebook {last}"


def _check_names(path: Path, stops: Sequence[Stop]) -> None:
    """Refuse sections whose code needs what a skipped section makes."""
    chosen = {name for stop in stops for name in stop.sections}
    head, *rest = sections(path)
    made = head.gives.union(*(section.gives for section in rest if section.title in chosen))
    for section in rest:
        skipped = [s for s in rest if s.gives & (section.needs - made)]
        if section.title in chosen and skipped:
            raise InputError(
                f"{path.stem}: {section.title!r} needs {skipped[0].title!r}, which the plan skips; "
                f'let an earlier stop have everybody run all of it: starts = ["{path.stem[:2]}"].'
            )


def _minutes(path: Path, names: Sequence[str], *, run: bool) -> float:
    """Following these sections, their exercises, and once the running of the whole notebook."""
    have = {section.title: section for section in sections(path)}
    if unknown := [name for name in names if name not in have]:
        raise InputError(f"{path.stem} has no section {unknown[0]!r}; it has: {', '.join(have)}.")
    chosen = [have[name] for name in names]
    follow = sum(section.reading + section.exercise for section in chosen)
    return follow + (minutes(path).running if run else 0)
