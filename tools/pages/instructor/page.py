"""docs/instructor.md, written from the notebooks, the records and instructor.toml."""

import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from tools.pages.instructor import sections as stored
from tools.pages.instructor.outcomes import recorded
from tools.pages.instructor.pacing import Workshop, workshop

ROOT = Path(__file__).resolve().parents[3]
ON_SCREEN = 230  # letters of a figure's alt text that fit a glance
HEAD = """\
# For the instructor

<!-- Written by `python -m tools.pages.instructor`. What a person says stands in
notebooks/source/instructor.toml; everything else is computed. Edit there, never here. -->

One page to glance at while you speak. Minutes are counted for people who follow for the first
time: {words} words a minute, {line} seconds for a line of code, {figure} for a figure, {table}
for a table, the exercises as they say themselves, and once per notebook the time that it took to
run on two CPU cores. A notebook in full:

"""


def page(root: Path = ROOT) -> str:
    """The whole page as Markdown. Raises InputError where the sources do not fit together."""
    notes = tomllib.loads((root / "notebooks/source/instructor.toml").read_text(encoding="utf-8"))
    paths = {
        path.stem[:2]: path for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    }
    plans = [workshop(plan, paths) for plan in notes["plan"]]
    head = HEAD.format(
        words=stored.WORDS_A_MINUTE,
        line=stored.LINE_S,
        figure=stored.FIGURE_S,
        table=stored.TABLE_S,
    )
    parts = [
        head + _notebooks(paths),
        _room(notes["room"], "The day before", "day_before"),
        _room(notes["room"], "At the door", "at_the_door"),
        *(_plan(plan, paths) for plan in plans),
        _predictions(notes["prediction"], paths),
        _beliefs(paths),
        _plots(notes["say"], paths),
        _room(notes["room"], "When it breaks", "when_it_breaks"),
        _room(notes["room"], "Questions to ask the room", "questions"),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _link(path: Path) -> str:
    return f"[{path.stem[:2]} {stored.title(path)}](../notebooks/{path.name})"


def _notebooks(paths: Mapping[str, Path]) -> str:
    rows = []
    for path in paths.values():
        took = stored.minutes(path)
        parts = [math.ceil(x) for x in (took.reading, took.running, took.exercises)]
        rows.append((_link(path), *parts, sum(parts)))
    return _table(("notebook", "follow", "run", "exercises", "together"), rows)


def _room(room: Mapping[str, Sequence[str]], title: str, key: str) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {line}" for line in room[key])


# ---- the clock


def _plan(plan: Workshop, paths: Mapping[str, Path]) -> str:
    rows = [(_clock(x.begin), x.minutes, _stop(x.notebook, x.sections), x.what) for x in plan.stops]
    rows.append((_clock(plan.spent), plan.minutes - plan.spent, "Questions", ""))
    return (
        f"## {plan.minutes} minutes\n\n{plan.title}.\n\n"
        + _table(("clock", "minutes", "what", "you"), rows)
        + f"\n\nSkipped: {'; '.join(_skipped(plan, paths))}."
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _stop(notebook: str, names: Sequence[str]) -> str:
    return f"**{notebook}** " + ", ".join(f"*{name}*" for name in names) if notebook else "together"


def _skipped(plan: Workshop, paths: Mapping[str, Path]) -> Iterator[str]:
    """What of the visited notebooks is left out."""
    for number, path in paths.items():
        used = plan.used(number)
        names = [section.title for section in stored.sections(path)[1:]]
        left = [name for name in names if name not in used]
        if used and left:
            yield f"of **{number}** {', '.join(f'*{name}*' for name in left)}"
    unused = [number for number in paths if not plan.used(number)]
    if unused:
        yield f"notebook{'s' if len(unused) > 1 else ''} {', '.join(unused)}"


# ---- questions and answers


def _predictions(entries: Sequence[Mapping[str, Any]], paths: Mapping[str, Path]) -> str:
    known = {(entry["notebook"], entry["question"]): entry for entry in entries}
    rows = []
    for number, path in paths.items():
        for asked in stored.predictions(path):
            entry = known.pop((number, asked.question), None)
            if entry is None:
                raise InputError(f"instructor.toml has no [[prediction]] for: {asked.question}")
            came = f"in the notebook {asked.measured}; recorded: {recorded(entry)}"
            rows.append((number, asked.question, entry["tempting"], came, entry["say"]))
    if known:
        raise InputError(f"No notebook asks (any more): {next(iter(known))[1]}")
    return (
        "## Predictions, and what came out\n\n"
        "*Tempting* is what the authors expect many to answer; nobody has counted. Count yours.\n"
        "A notebook's own run asks a sample of the questions, the recorded runs ask all; in\n"
        "brackets the lowest and the highest seed.\n\n"
        + _table(("nb", "the notebook asks", "tempting", "came out", "say"), rows)
    )


def _beliefs(paths: Mapping[str, Path]) -> str:
    """What did not hold, or in part only: the rows of the notebooks' last tables."""
    rows = [
        (number, f"{row.article}?", row.verdict, row.measured)
        for number, path in paths.items()
        for row in stored.verdicts(path)
        if row.verdict != "holds"
    ]
    return (
        "## Who believes that ...?\n\n"
        "Hands up before the last table of each notebook. These did not come out as they are\n"
        "told:\n\n" + _table(("nb", "who believes:", "verdict", "we measured"), rows)
    )


# ---- plots


def _plots(says: Mapping[str, Mapping[str, str]], paths: Mapping[str, Path]) -> str:
    parts = ["## What to say at each plot"]
    for number, path in paths.items():
        lines = dict(says.get(number, {}))
        rows = []
        for section in stored.sections(path):
            if section.figures:
                if section.title not in lines:
                    raise InputError(
                        f"instructor.toml says nothing at {number}, {section.title!r}."
                    )
                shown = "<br>".join(glance(alt) for alt in section.figures)
                rows.append((section.title, lines.pop(section.title), shown))
        if lines:
            raise InputError(
                f"Notebook {number} has no figure (any more) at {next(iter(lines))!r}."
            )
        parts.append(f"### {_link(path)}\n\n" + _table(("at", "say", "on the screen"), rows))
    return "\n\n".join(parts)


def glance(alt: str, limit: int = ON_SCREEN) -> str:
    """The first clauses of an alt text that fit into `limit` letters; at least one."""
    clauses = re.split(r"(?<=[.;])\s+", alt)
    while len(clauses) > 1 and len(" ".join(clauses)) > limit:
        clauses.pop()
    return " ".join(clauses).rstrip(".;") + ("." if len(" ".join(clauses)) >= len(alt) else " ...")
