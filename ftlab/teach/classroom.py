"""What a room guessed and did, read from the outputs that are stored in its notebooks.

    room = read_class("handed-in")      # every .ipynb below that folder
    print(room)                         # guesses beside the result, and how the exercises stand
    room.picture()                      # the same guesses as dots

Nothing is run, and no name is shown: a file counts as one learner's notebook. What is read is what
`ftlab.predict`, its `compare` and `ftlab.exercise` printed, so a notebook must have been saved
after its cells ran.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from ftlab.base.errors import InputError, first_line

ASKED = re.compile(r"(\w+)\s*=\s*ftlab\.predict\(")
ANSWER = re.compile(r"Your guess: (?P<guess>\S+)|No guess yet:|.* continues without a guess\.$")
NUMBER = re.compile(r"(?<!\d)\d\d(?=_)")
"""A notebook's own, as in 01_naive_full_fine_tuning."""
MEASURED = re.compile(r"Measured: (\S+)(?: ([^.\d]+))?\.")
STATES = {
    "done": re.compile(r"^✓ done: (.+)$", re.M),
    "not right yet": re.compile(r"^(.+) is not right yet\. The notebook", re.M),
    "not begun": re.compile(r"^not done yet: (.+?)\. The notebook", re.M),
}
WIDE = 40
"""Letters of a strip in the terminal."""


@dataclass
class Question:
    """One prediction that was asked for, and what the room said."""

    notebook: str
    text: str
    unit: str = ""
    guesses: list[float] = field(default_factory=list)
    """In `unit`, one for each notebook with a guess."""
    measured: list[float] = field(default_factory=list)
    """What came out, one for each notebook in which the cell below was run."""

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value of a drawing: 0 to 100, or further."""
        values = [*self.guesses, *self.measured]
        return min([0.0, *values]), max([100.0 if self.unit == "%" else 1.0, *values])

    def told(self) -> str:
        """How many guessed, their median, and the result, in words."""
        unit = f" {self.unit}" if self.unit else ""
        text = f"{len(self.guesses)} guessed"
        if self.guesses:
            text += f", median {median(self.guesses):.3g}{unit}"
        return f"{text}; measured " + (
            f"{median(self.measured):.3g}{unit}" if self.measured else "nothing yet"
        )


@dataclass
class Room:
    """All notebooks of a folder, together."""

    notebooks: Counter[str] = field(default_factory=Counter)
    """How many there are of each, by title."""
    questions: dict[tuple[str, str], Question] = field(default_factory=dict)
    """By notebook and question."""
    exercises: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """By notebook and exercise: how many are "done", "not right yet", "not begun"."""
    unread: list[str] = field(default_factory=list)
    """Files that are no notebooks, and why."""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from (f"not read: {line}" for line in self.unread)
        for title, count in sorted(self.notebooks.items()):
            yield f"{title}: {count} notebook{'s' if count > 1 else ''}"
            for question in (q for (of, _), q in self.questions.items() if of == title):
                low, high = question.ends
                yield f"  {question.text}"
                yield f"    {low:g} [{_strip(question)}] {high:g}   {question.told()}"
            for (of, name), states in self.exercises.items():
                if of == title:
                    told = ", ".join(f"{states[s]} {s}" for s in STATES if states[s])
                    yield f"  exercise {name}: {told}"

    def picture(self) -> Any:
        """Each question's guesses as dots, the result as a line across them."""
        from ftlab.show.plots.guesses import guesses

        return guesses(list(self.questions.values()))


def read_class(folder: str | Path) -> Room:
    """Read every notebook below `folder`; copies that Jupyter keeps as checkpoints are left out.

    Raises InputError where there is no such folder, or no notebook in it.
    """
    home = Path(folder)
    if not home.is_dir():
        raise InputError(f"There is no folder {folder}; give the one with the learners' notebooks.")
    paths = [p for p in sorted(home.rglob("*.ipynb")) if ".ipynb_checkpoints" not in p.parts]
    if not paths:
        raise InputError(f"There is no notebook (.ipynb) in {folder} or below it.")
    room = Room()
    for path in paths:
        _read(path, room)
    return room


def _read(path: Path, room: Room) -> None:
    import nbformat

    try:
        _take_down(nbformat.read(path, as_version=4).cells, path, room)
    except Exception as error:  # whatever a broken file raises
        room.unread.append(f"{path.name} ({first_line(error):.100})")


def _take_down(cells: Any, path: Path, room: Room) -> None:
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.search(r"^# (.+)$", prose, re.M)
    title = found[1].strip() if found else path.stem
    title = f"{number[0]} {title}" if (number := NUMBER.search(path.stem)) else title
    room.notebooks[title] += 1
    named: dict[str, Question] = {}
    for cell in cells:
        if cell.cell_type == "code":
            said = "".join(o.get("text", "") for o in cell.outputs if o.output_type == "stream")
            _guessed(cell.source, said, title, room, named)
            for state, pattern in STATES.items():
                for name in pattern.findall(said):
                    room.exercises.setdefault((title, name), Counter())[state] += 1


def _guessed(source: str, said: str, title: str, room: Room, named: dict[str, Question]) -> None:
    """Take down what a cell asked, and what one of the questions before it came to."""
    lines = said.splitlines()
    asked = [(text, m) for text, line in pairwise(lines) if (m := ANSWER.match(line))]
    for name, (text, answer) in zip(ASKED.findall(source), asked, strict=False):
        named[name] = room.questions.setdefault((title, text), Question(title, text))
        if answer["guess"]:
            guess = answer["guess"].rstrip(".")
            named[name].guesses.append(float(guess))
            named[name].unit = answer.string.rpartition(guess)[2].strip(" .")
    compared = re.findall(r"\b(\w+)\.compare\(", source)
    for name, (value, unit) in zip(compared, MEASURED.findall(said), strict=False):
        if name in named and isfinite(float(value)):
            named[name].measured.append(float(value))
            named[name].unit = unit or named[name].unit


def _strip(question: Question) -> str:
    """The guesses in a line of letters, from lowest to highest; | is what was measured."""
    low, high = question.ends

    def at(value: float) -> int:
        return round((WIDE - 1) * (value - low) / (high - low))

    there = Counter(map(at, question.guesses))
    letters = [str(min(there[i], 9)) if there[i] else "." for i in range(WIDE)]
    for value in {median(question.measured)} if question.measured else ():
        letters[at(value)] = "|"
    return "".join(letters)
