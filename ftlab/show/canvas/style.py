"""One colour and one marker per method, one colour per skill, in the whole workbook.

A reader who has learnt in notebook 01 that full fine-tuning is the orange circle meets that
circle again in notebook 10. Notable choices:

- every colour has a contrast of at least 3:1 against white (WCAG 2.1, 1.4.11), so the light
  hues of the Okabe-Ito set (2008) are darkened;
- colour never speaks alone: in one plot no two methods share a marker, no two skills marker and
  dash, and lines are labelled at their end;
- a name that is not listed here gets a spare mark, the same one on every call.

How to run: `method_mark("freeze").colour`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import cycle

from ftlab.base.shares import skill_name
from ftlab.methods import table
from ftlab.plan import rate_text
from ftlab.show.canvas.data import MEASURES

INK = "#222222"  # text, and the mean in the two-number plot
SOFT = "#595959"  # second-rank text
GRID = "#E3E3E3"
PAPER = "#FFFFFF"
GOOD = "#00795C"
BAD = "#B84A00"
PREDICTION = "#8A2BA8"  # the learner's own guess: used for nothing else
TEXT, SMALL, TINY = 10.5, 9.5, 8.5  # sizes of letters, in points

Dash = str | tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class Mark:
    """How one thing is drawn: colour, marker, label, and dash of its line."""

    colour: str
    marker: str
    label: str
    dash: Dash = "-"


METHODS: dict[str, Mark] = {
    name: Mark(row.colour, row.marker, row.label) for name, row in table.METHODS.items()
}

MEASURED = {
    "target_score": Mark(METHODS["full"].colour, "o", MEASURES["target_score"]),
    "retention": Mark(METHODS["freeze"].colour, "s", MEASURES["retention"]),
}
"""The two measures of a run, where both are drawn against something else."""

SKILLS: dict[str, Mark] = {
    "facts": Mark("#0072B2", "o", skill_name("facts")),
    "facts_choice": Mark("#3A8FC0", "s", skill_name("facts_choice"), (0, (5, 1.5))),
    "grammar": Mark("#008A66", "^", "grammar", (0, (1, 1.2))),
    "arithmetic": Mark("#C25500", "D", "arithmetic", (0, (6, 1.5, 1, 1.5))),
    "order": Mark("#C25500", "X", skill_name("order"), (0, (8, 2))),
    "retell": Mark("#A03C8C", "P", skill_name("retell"), (0, (2, 1.5, 6, 1.5))),
    "recall": Mark("#A03C8C", "v", "recall", (0, (3, 1.2))),
}

SPARE = (
    ("#4B4BA8", "H"),
    ("#8C6D00", "8"),
    ("#5E7D1E", "P"),
    ("#A8324A", "X"),
    ("#2F7F86", "p"),
    ("#6B5B4B", "d"),
    ("#C2385A", "<"),
    ("#1F6FA0", ">"),
)


def words(name: object) -> str:
    """A name as plain words: `facts_choice` becomes "facts choice"."""
    return str(name).replace("_", " ").strip() or "unnamed"


def shorten(text: str, limit: int = 26) -> str:
    """`text` in at most `limit` characters; what is cut is shown by an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def spare_mark(name: str) -> Mark:
    """A mark for an unlisted name; the sum of its letters chooses, so it never changes."""
    colour, marker = SPARE[sum(name.encode()) % len(SPARE)]
    return Mark(colour, marker, shorten(words(name)))


def method_mark(name: str) -> Mark:
    """The mark of a method, listed or not."""
    return METHODS.get(name) or spare_mark(name)


def marks(names: Iterable[str], known: Mapping[str, Mark]) -> dict[str, Mark]:
    """The mark of each name, as `known`; a name not in it takes the next spare one, and so does the
    marker of a name that would look like one before it, as far as there are any."""
    spare, found = cycle(SPARE), dict[str, Mark]()
    for name in names:
        mark = known.get(name) or Mark(*next(spare), shorten(words(name)))
        taken = {(one.marker, str(one.dash)) for one in found.values()}
        for _, marker in SPARE:
            if (mark.marker, str(mark.dash)) in taken:
                mark = replace(mark, marker=marker)
        found[name] = mark
    return found


def skill_marks(names: Iterable[str]) -> dict[str, Mark]:
    """One mark per skill, listed or not."""
    return marks(names, SKILLS)


def value_text(value: object, quantity: str = "") -> str:
    """A value as a learner would write it: "12,000", "0.05", "lower half"; a rate if so named."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return words(value)
    if quantity == "lr":
        return rate_text(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
