"""The map of the course: which notebook answers which question, for whom, and in what time.

    course()        a table with links, in a notebook beside the others

What the notebooks say of themselves is stored when they are built (data/course/map.json).
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from ftlab.base.jsonfile import read_as
from ftlab.base.machine import profile
from ftlab.base.paths import data_dir
from ftlab.teach.timings import timings

HEAD = ("", "notebook", "the question", "who needs it", "minutes to run")


def file_of() -> Path:
    """Where the notebooks' titles and questions are stored."""
    return data_dir() / "course" / "map.json"


@dataclass(frozen=True)
class Course:
    """Rows of cells, and where each notebook lies."""

    rows: tuple[tuple[str, ...], ...]
    links: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [" | ".join(row) for row in (HEAD, *self.rows)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        style = ' style="text-align: left"'
        head = "".join(f'<th scope="col"{style}>{name}</th>' for name in HEAD[1:])
        body = ""
        for (number, title, *rest), link in zip(self.rows, self.links, strict=True):
            cells = [number, f'<a href="{link}">{escape(title)}</a>', *map(escape, rest)]
            body += "<tr>" + "".join(f"<td{style}>{cell}</td>" for cell in cells) + "</tr>"
        top = f"<thead><tr><td></td>{head}</tr></thead>"
        return f"<table>{top}<tbody>{body}</tbody></table>"


def course() -> Course:
    """The map; minutes are to run all cells, as they were measured for this profile."""
    said = read_as(dict[str, dict[str, str]], file_of())
    took = timings(profile().name)
    rows = [
        (
            stem[:2],
            told["title"],
            told["question"] or told["seen"],
            told["who"],
            f"{took[stem].seconds / 60:.1f}" if stem in took else "",
        )
        for stem, told in said.items()
    ]
    return Course(tuple(rows), tuple(f"{stem}.ipynb" for stem in said))
