"""The pages of the book: which there are, what is on each, and how they hang together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbformat import NotebookNode

from ftlab.base.errors import InputError
from ftlab.base.files import check_own, whole
from ftlab.show.canvas.style import BAD, GOOD
from tools.pages.book.markup import clean, code, mend, output, placed, prose
from tools.pages.instructor.sections import Minutes, minutes

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
PAGES = ("*.html",)


@dataclass(frozen=True)
class Chapter:
    """A notebook as it is stored, in one of its two versions."""

    path: Path
    solved: bool

    @property
    def key(self) -> str:
        """How links in the repository name it."""
        return f"solutions/{self.path.name}" if self.solved else self.path.name

    @property
    def page(self) -> str:
        """The file name of its page."""
        return f"{self.path.stem}{'_solved' if self.solved else ''}.html"

    @property
    def number(self) -> str:
        """00, 01 ..."""
        return self.path.stem[:2]

    @cached_property
    def notebook(self) -> NotebookNode:
        """Its cells and outputs."""
        return nbformat.read(self.path, as_version=4)

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.notebook.cells[0].source.splitlines()[0].lstrip("# ").strip()

    @property
    def summary(self) -> str:
        """Its first paragraph in whole sentences, as Markdown."""
        text = " ".join(self.notebook.cells[0].source.split("\n\n")[1].split())
        return re.sub(r"(?<=[.:])\s[^.:]*$", "", text).rstrip(":.") + "."

    @property
    def minutes(self) -> Minutes:
        """How long it takes to read, to run and to solve."""
        return minutes(self.path)


def chapters(root: Path = ROOT) -> list[Chapter]:
    """The notebooks of the workbook, the learner's and the solved ones. InputError for none."""
    folder = root / "notebooks"
    found = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise InputError(f"There are no notebooks in {folder}; `make notebooks` writes them.")
    return [
        Chapter(path, solved)
        for solved in (False, True)
        for path in (folder / "solutions" / one.name if solved else one for one in found)
    ]


def write(out: Path, root: Path = ROOT) -> list[Path]:
    """Write all pages into `out`, which is emptied of older pages, and return their paths.

    Raises InputError for what cannot be shown, or where `out` holds something else than a book.
    """
    found = chapters(root)
    check_own(out, PAGES)
    names = {chapter.key: chapter.page for chapter in found} | {"instructor.md": "instructor.html"}
    made = {
        "index.html": _index(found, names, root),
        "instructor.html": _instructor(names, root),
        **{chapter.page: _chapter(chapter, found, names) for chapter in found},
    }
    with whole(out, holds=PAGES) as part:
        for name, text in made.items():
            (part / name).write_text(text, encoding="utf-8")
    return [out / name for name in made]


def _chapter(chapter: Chapter, found: Sequence[Chapter], names: dict[str, str]) -> str:
    body = placed("\n".join(_cells(chapter)), names)
    line = [other for other in found if other.solved == chapter.solved]
    at = line.index(chapter)
    twin = next(x for x in found if x.path.name == chapter.path.name and x.solved != chapter.solved)
    return _page(
        body,
        chapter=chapter,
        twin=twin,
        title=f"{chapter.number} {chapter.title}{' (solved)' if chapter.solved else ''}",
        before=line[at - 1] if at else None,
        after=line[at + 1] if at + 1 < len(line) else None,
    )


def _cells(chapter: Chapter) -> list[str]:
    """Clean HTML, cell by cell; of code, pygments has made it and escaped what it found."""
    made = []
    for cell in chapter.notebook.cells:
        if cell.cell_type == "markdown":
            made.append(clean(prose(cell.source, chapter.path.parent)))
        elif cell.cell_type == "code":
            made += [code(cell.source), *(clean(output(one)) for one in cell.outputs)]
    return made


def _index(found: Sequence[Chapter], names: dict[str, str], root: Path) -> str:
    """README.md up to its first section, then the notebooks."""
    opening = (root / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    learners = [(one, mend(prose(one.summary, root), names)) for one in found if not one.solved]
    solved = {chapter.path.name: chapter for chapter in found if chapter.solved}
    body = mend(prose(opening, root), names)
    return _page(body, title="The workbook", learners=learners, solved=solved)


def _instructor(names: dict[str, str], root: Path) -> str:
    text = (root / "docs" / "instructor.md").read_text(encoding="utf-8")
    return _page(mend(prose(text, root / "docs"), names), title="For the instructor")


def _page(body: BeautifulSoup, **what: object) -> str:
    """The page around a body: head, contents, links."""
    contents = [
        (heading.name, heading["id"], heading.get_text()) for heading in body.find_all(["h2", "h3"])
    ]
    places = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    empty = dict.fromkeys(("chapter", "twin", "before", "after", "learners", "solved"))
    style = (HERE / "style.css").read_text(encoding="utf-8")
    style = style.replace("GOOD", GOOD).replace("BAD", BAD)
    return places.get_template("page.html").render(
        empty | {"body": str(body), "contents": contents, "style": style} | what
    )
