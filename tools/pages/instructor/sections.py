"""A stored notebook as an instructor sees it: sections, minutes, figures, questions, verdicts.

Minutes are those of somebody who follows for the first time, spoken to: prose at 150 words a
minute, 4 seconds for a line of code, 45 for a figure, 30 for a table. Exercises say theirs
themselves; what a notebook takes to run was measured when it was built (`ftlab.teach.timings`).
"""

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ftlab.base.errors import InputError
from ftlab.teach.timings import timings

WORDS_A_MINUTE, LINE_S, FIGURE_S, TABLE_S = 150, 4, 45, 30
SECTION = re.compile(r"^(?=#{1,2} )", re.MULTILINE)
GOAL = re.compile(r"\*Goal:[^*]*?(\d+)\s+minutes,\s+(?:easy|medium|hard|open)\.\*")
MEASURED = re.compile(r"^Measured: (.+?)\. You ", re.MULTILINE)


@dataclass
class Section:
    """What stands under one heading of the first or second level."""

    title: str
    words: int = 0
    lines: int = 0
    exercise: int = 0
    """Minutes that its exercise is given; 0: it has none."""
    tables: int = 0
    figures: list[str] = field(default_factory=list)
    """Alt texts of what is shown, in order."""
    gives: set[str] = field(default_factory=set)
    """The names that its code makes."""
    needs: set[str] = field(default_factory=set)
    """The names that its code uses and does not make."""

    @property
    def reading(self) -> float:
        """Minutes to follow it, without its exercise and without running anything."""
        seconds = self.lines * LINE_S + len(self.figures) * FIGURE_S + self.tables * TABLE_S
        return self.words / WORDS_A_MINUTE + seconds / 60


@dataclass(frozen=True)
class Minutes:
    """Of a whole notebook."""

    reading: float
    running: float
    exercises: float


@dataclass(frozen=True)
class Asked:
    """A prediction of a notebook and what came out in its stored run."""

    question: str
    measured: str


@dataclass(frozen=True)
class Judged:
    """A row of "the article says, we measured"."""

    article: str
    measured: str
    verdict: str
    """holds, holds in part, does not hold."""


def _cells(path: Path) -> list[NotebookNode]:
    return _read(path, path.stat().st_mtime_ns)


@lru_cache
def _read(path: Path, written: int) -> list[NotebookNode]:
    return nbformat.read(path, as_version=4).cells


def title(path: Path) -> str:
    """The first heading of a notebook."""
    return sections(path)[0].title


def sections(path: Path) -> list[Section]:
    """The sections of a stored notebook, in order."""
    found: list[Section] = []
    for cell in _cells(path):
        if cell.cell_type == "markdown":
            for part in filter(str.strip, SECTION.split(cell.source)):
                if part.startswith(("# ", "## ")):
                    found.append(Section(part.splitlines()[0].lstrip("# ").strip()))
                found[-1].words += len(part.split())
                found[-1].exercise += sum(map(int, GOAL.findall(part)))
        elif cell.cell_type == "code":
            found[-1].lines += sum(bool(line.strip()) for line in cell.source.splitlines())
            _shown(found[-1], cell)
            _names(found[-1], cell.source)
    return found


def _names(section: Section, source: str) -> None:
    """What a cell makes and uses; a local name counts as made."""
    used = set(dir(builtins))
    for node in ast.walk(ast.parse(re.sub(r"(?m)^(\s*)%.*$", r"\1pass", source))):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                section.needs.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                section.gives.add(name)
            case ast.alias(name=name, asname=other):
                section.gives.add(other or name.partition(".")[0])
    section.needs -= section.gives | used


def _shown(section: Section, cell: NotebookNode) -> None:
    for output in cell.outputs:
        data = output.get("data", {})
        page = data.get("text/html", "")
        if "<img" in page:
            section.figures.append(data.get("text/plain", "").strip())
        section.tables += "<table" in page


def minutes(path: Path) -> Minutes:
    """How long a stored notebook takes. Raises InputError where it was never timed."""
    timed = timings()
    if path.stem not in timed:
        raise InputError(f"{path.stem} was never timed; `make notebooks` times it.")
    found = sections(path)
    return Minutes(
        sum(section.reading for section in found),
        timed[path.stem].seconds / 60,
        sum(section.exercise for section in found),
    )


def predictions(path: Path) -> list[Asked]:
    """What the notebook asks before a run, each with what came out when it was stored.

    Raises InputError for a prediction that is never compared with a number.
    """
    cells = [cell for cell in _cells(path) if cell.cell_type == "code"]
    return [
        Asked(question, _came_out(cells[place:], name, f"{path.stem}: {question}"))
        for place, cell in enumerate(cells)
        for name, question in _guesses(cell.source)
    ]


def _guesses(source: str) -> Iterator[tuple[str, str]]:
    """(variable, question) of each `x = ftlab.predict("...")` in a cell."""
    if "ftlab.predict(" not in source:
        return
    for line in ast.parse(source).body:
        match line:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(
                    func=ast.Attribute(attr="predict"), args=[ast.Constant(value=str(text)), *_]
                ),
            ):
                yield name, text


def _came_out(cells: list[NotebookNode], name: str, where: str) -> str:
    """From its own cell on: a notebook may ask twice under one name."""
    for cell in cells:
        if re.search(rf"\b{name}\.compare\(", cell.source):
            said = "".join(output.get("text", "") for output in cell.outputs)
            if found := MEASURED.search(said):
                return found[1]
    raise InputError(f"{where}: no cell says what came out; print({name}.compare(...)).")


def verdicts(path: Path) -> list[Judged]:
    """The rows of the notebook's last table, as they were computed when it was stored."""
    for cell in reversed(_cells(path)):
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/plain", "")
            if "| We measured | Verdict |" in text.partition("\n")[0]:
                return [_row(line) for line in text.splitlines()[2:]]
    return []


def _row(line: str) -> Judged:
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
    article, measured, verdict = (cell.replace("\\|", "|") for cell in cells)
    return Judged(article, measured, verdict.lstrip("✓✗~ "))
