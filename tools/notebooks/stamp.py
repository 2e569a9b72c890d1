"""Where a learner's runtime installs from: one table, stamped into notebooks and README.

    [tool.ftlab.colab]              in pyproject.toml, written by `make colab`
    repo = "owner/name"
    tag = "v0.1.0"

With it, the first cell of every notebook installs that tag from GitHub and a badge above the title
opens the notebook in Colab; the table of notebooks in the README gets the same badges. Without it
(the state in which the workbook is kept) the first cell installs the clone that the notebook lies
in, and there is no badge: one that leads nowhere is a defect.

Notable choices: everything here turns a text or a notebook into another one, and any stamp
replaces any other, none included, so that stamping twice changes nothing and `None` undoes it.
The sources are never stamped; `tools.notebooks.build` stamps what it builds from them.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ftlab.base.errors import InputError
from tools.notebooks.sources import FIRST_CELL

BADGE_ID = "colab-badge"
PICTURE = "https://colab.research.google.com/assets/colab-badge.svg"
TABLE = re.compile(r"\n(?:# [^\n]*\n)?\[tool\.ftlab\.colab\]\n(?:\w+ = [^\n]*\n)*")
WHY = "# Where the notebooks' first cell and their Colab badges lead; written by `make colab`."
REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
TAG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9_-])?")
INSTALL = re.compile(r'^( *%pip install --quiet )".*"$', re.MULTILINE)
LINKED = re.compile(r"^\|.*?\[[^\]\[]+\]\((notebooks/\d\d_\w+\.ipynb)\)", re.MULTILINE)
BADGE = re.compile(r" ?\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)")


@dataclass(frozen=True)
class Stamp:
    """A repository on GitHub and what of it is installed. Refuses what can be neither."""

    repo: str
    """owner/name."""
    tag: str
    """A tag (or a branch, or a commit)."""

    def __post_init__(self) -> None:
        if not REPO.fullmatch(self.repo):
            raise InputError(
                f"REPO={self.repo!r} is no repository on GitHub; give its owner and name, as in "
                "make colab REPO=owner/name, or REPO=none to take the badges away."
            )
        if not TAG.fullmatch(self.tag) or ".." in self.tag or "//" in self.tag:
            raise InputError(
                f"TAG={self.tag!r} can be no tag of git; give one of the repository, as in "
                "make colab TAG=v0.1.0."
            )


def stamp_of(project: str) -> Stamp | None:
    """The stamp in the text of a pyproject.toml; None where there is none. Raises InputError."""
    table = tomllib.loads(project).get("tool", {}).get("ftlab", {}).get("colab")
    return Stamp(str(table.get("repo")), str(table.get("tag"))) if table else None


def stamp_in(folder: Path) -> Stamp | None:
    """The stamp of the clone in `folder`, if it has one. Raises InputError for a bad one."""
    file = folder / "pyproject.toml"
    return stamp_of(file.read_text(encoding="utf-8")) if file.exists() else None


def stamp_project(project: str, stamp: Stamp | None) -> str:
    """The text of pyproject.toml with this stamp in place of any other."""
    bare = TABLE.sub("", project)
    if stamp is None:
        return bare
    return f'{bare}\n{WHY}\n[tool.ftlab.colab]\nrepo = "{stamp.repo}"\ntag = "{stamp.tag}"\n'


def first_cell(stamp: Stamp | None) -> str:
    """The first code cell of every notebook, its magic live."""
    cell = FIRST_CELL.replace("# %pip", "%pip")
    if stamp is None:
        return cell
    place = f"ftlab[colab] @ git+https://github.com/{stamp.repo}@{stamp.tag}"
    return INSTALL.sub(rf'\1"{place}"', cell)


def badge(stamp: Stamp, path: str) -> str:
    """The badge of the notebook at `path` in the repository, as Markdown."""
    place = f"https://colab.research.google.com/github/{stamp.repo}/blob/{stamp.tag}/{path}"
    return f"[![Open in Colab]({PICTURE})]({place})"


def stamp_notebook(notebook: NotebookNode, stamp: Stamp | None, path: str) -> NotebookNode:
    """`notebook`, changed in place: its first code cell and its badge are those of this stamp."""
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") != BADGE_ID]
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = first_cell(stamp)
    if stamp is not None:
        made = nbformat.v4.new_markdown_cell(badge(stamp, path), id=BADGE_ID)
        notebook.cells.insert(0, made)
    return notebook


def stamp_readme(text: str, stamp: Stamp | None) -> str:
    """The README, a badge after each link to a notebook in its tables, or none."""
    bare = BADGE.sub("", text)
    if stamp is None:
        return bare
    return LINKED.sub(lambda found: f"{found[0]} {badge(stamp, found[1])}", bare)
