"""What became of a bad input: one sentence, a traceback, or nothing at all.

FTLAB_CAMPAIGN=whole (`make campaign`) throws everything; else a part of it, for `make test`.
"""

import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError

WHOLE = os.environ.get("FTLAB_CAMPAIGN") == "whole"
COUNTS = os.environ.get("FTLAB_CAMPAIGN_COUNTS")
"""A file to which each part of the campaign adds a line with its counts."""
ONE, TRACEBACK, SILENT = "one sentence", "traceback", "silent"


class Reached(BaseException):
    """The work began with a bad input: nobody has refused it."""


def sentence(text: str) -> str:
    """What keeps a message from being one line that can be acted on; "" where nothing does."""
    if "\n" in text.strip() or len(text) > 1500:
        return "more than a line"
    if not text.strip().endswith((".", ")")):
        return "no end"
    return "Traceback" if "Traceback" in text else ""


def judged(call: Callable[[], Any]) -> tuple[str, str]:
    """The verdict on a call with a bad input, and what was said or raised."""
    try:
        made = call()
    except InputError as slip:
        fault = sentence(str(slip))
        return (TRACEBACK, f"{fault}: {slip}") if fault else (ONE, str(slip))
    except Reached:
        return SILENT, "the work began"
    except (Exception, SystemExit) as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(at.filename).name}:{at.lineno}"
        return TRACEBACK, f"{type(error).__name__}: {error!s:.100} ({place})"
    return SILENT, f"gave {made!r:.80}"


@dataclass
class Tally:
    """The verdicts of one part of the campaign."""

    part: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, what: str, verdict: tuple[str, str]) -> None:
        """Count an input, once; `what` says what is bad about it."""
        if what in self.seen:
            return
        self.seen.add(what)
        self.counts[verdict[0]] += 1
        if verdict[0] != ONE:
            self.faults.append(f"{verdict[0]}: {what}: {verdict[1]}")

    def close(self, least: int = 0) -> None:
        """Fails for a traceback, a silent one, and too few; writes the counts of many down."""
        if least:
            tell(self.part, self.counts | Counter(tried=self.counts.total()))
        assert not self.faults, "\n" + "\n".join(self.faults)
        assert self.counts.total() >= least, f"only {self.counts.total()} were tried"


def tell(part: str, counts: Counter[str]) -> None:
    """Add a line to the file of counts."""
    if COUNTS:
        with Path(COUNTS).open("a") as file:
            file.write(f"{part}: {', '.join(f'{n} {what}' for what, n in counts.items())}\n")


def some(cases: Iterable[Any], every: int) -> list[Any]:
    """All of the cases, or in `make test` every n-th."""
    return list(cases)[:: 1 if WHOLE else every]
