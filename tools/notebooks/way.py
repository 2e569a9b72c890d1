"""The way through the workbook: links above and below each notebook, and the rows of the map.

    above("02", ...)     ← 01 ... | 03 ... → | this notebook, solved

Both come from the sources beside a notebook, so a new notebook is linked once its source is there.
A source says at its top what its question is and who needs it:

    **The question:** how much is forgotten?
    <!-- for: everyone -->
"""

import re
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ftlab.base.jsonfile import write_json
from ftlab.teach.syllabus import file_of

ABOVE, BELOW = "way-above", "way-below"
PATTERNS = {
    "title": r"^# # (.+)$",
    "seen": r"<!-- seen: (.+?) -->",
    "question": r"\*\*The question:\*\* ([^?]+\?)",
    "who": r"<!-- for: (.+?) -->",
}


def told(source: Path) -> dict[str, str]:
    """What a source says of itself: title, what one sees, its question, who needs it."""
    text = source.read_text(encoding="utf-8")
    found = {key: re.search(pattern, text, re.M) for key, pattern in PATTERNS.items()}
    plain = {"\n# ": " ", "*": ""}
    said = {key: match[1] if match else "" for key, match in found.items()}
    for mark, instead in plain.items():
        said = {key: words.replace(mark, instead) for key, words in said.items()}
    return said


def line(source: Path, *, solved: bool) -> str:
    """Links to the notebook before, the one after, and the other version of this one."""
    every = sorted(source.parent.glob("[0-9][0-9]_*.py"))
    place = every.index(source)
    parts = [f"← {_link(every[place - 1])}"] if place else []
    parts += [f"{_link(every[place + 1])} →"] if place + 1 < len(every) else []
    name = f"{source.stem}.ipynb"
    other = f"solved; [the one to work in](../{name})"
    parts.append(other if solved else f"[this notebook, solved](solutions/{name})")
    return " | ".join(parts)


def add(notebook: NotebookNode, source: Path, *, solved: bool) -> NotebookNode:
    """`notebook`, changed in place: the links below its first cell and after its last."""
    text = line(source, solved=solved)
    above, below = (nbformat.v4.new_markdown_cell(text, id=name) for name in (ABOVE, BELOW))
    notebook.cells = [*notebook.cells[:1], above, *notebook.cells[1:], below]
    return notebook


def note_course(every: Iterable[Path]) -> None:
    """Store what the map of the course (`ftlab.teach.syllabus`) shows."""
    write_json(file_of(), {source.stem: told(source) for source in every})


def _link(source: Path) -> str:
    return f"[{source.stem[:2]} {told(source)['title']}]({source.stem}.ipynb)"
