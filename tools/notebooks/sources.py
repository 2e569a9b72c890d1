"""The source of a notebook: one Python file, from which both versions are built.

A source `notebooks/source/NN_name.py` is in the percent format (jupytext reads it). Inside a code
cell, regions say what belongs to which version:

    # <solution>                  only in the solved notebook, without the markers
    rate = peak / 2
    # </solution>
    # <stub>                      only in the learner's, uncommented
    # rate = None  # your code
    # </stub>

A cell with `tags=["solution"]`, code or Markdown, stands in the solved notebook only, one with
`tags=["learner"]` in the learner's only. A line `# %pip ...` becomes that magic. So a source stays
a file that Python and ruff read.

Notable choices: every notebook begins with the same code cell, FIRST_CELL, which installs the clone
that it lies in (`tools.notebooks.stamp` makes it install from GitHub) and goes on in the same
kernel,
whose torch and numpy it leaves alone; a cell's id is the heading above it and its place below that
heading, so that a new cell changes few others; the first *word* in italics that docs/glossary.md
explains becomes a link to it; what cannot work (markers that do not pair, a
version that does not parse, an empty cell) is refused when the notebook is built, not found by a
learner.
"""

import ast
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from ftlab.base.errors import InputError

FIRST_CELL = """\
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()"""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}

MARKER = re.compile(r"\s*#\s*<(/?)(\w+)>\s*")
COMMENT = re.compile(r"(\s*)# ?(.*)")
MAGIC = re.compile(r"^(\s*)# (%pip )", re.MULTILINE)
MARKED_PROSE = re.compile(r"^(# ?)?</?(solution|stub)>\s*$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
ITALIC = re.compile(r"(?<![*\w\[])\*([A-Za-z][\w -]*?)\*(?![*\w\]])")
GLOSSARY = Path("docs", "glossary.md")
HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$", re.MULTILINE)


def build(text: str, *, solved: bool) -> NotebookNode:
    """The notebook, unrun, that the source `text` describes.

    Raises InputError, naming the cell, for a wrong first cell, markers that do not pair, code
    that does not parse, a cell that would be empty, or the tag raises-exception.
    """
    cells = jupytext.reads(text, fmt=FORMAT).cells
    first = next((cell.source for cell in cells if cell.cell_type == "code"), "")
    if first != FIRST_CELL:
        raise InputError(f"The first code cell must be, in every notebook:\n{FIRST_CELL}")
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    linked: set[str] = set()
    for cell, name in zip(cells, _ids(cells), strict=True):
        if ("learner" if solved else "solution") not in _tags(cell):
            try:
                made = _made(cell, name, solved)
            except InputError as slip:
                raise InputError(f"Cell {name}: {slip}.") from None
            if made.cell_type == "markdown":
                made.source = explained(made.source, linked, "../../" if solved else "../")
            notebook.cells.append(made)
    return notebook


def explained(prose: str, linked: set[str], home: str) -> str:
    """The prose with a link for each *word* that the glossary explains and that is not in `linked`,
    to which it is added; `home` leads from the notebook to the root."""

    def link(found: re.Match[str]) -> str:
        word = found[1].lower()
        anchor = words().get(word) or words().get(word.removesuffix("s"))
        if not anchor or anchor in linked:
            return found[0]
        linked.add(anchor)
        return f"[{found[0]}]({home}{GLOSSARY.as_posix()}#{anchor})"

    lines = prose.split("\n")
    return "\n".join(line if line.startswith("#") else ITALIC.sub(link, line) for line in lines)


@cache
def words() -> dict[str, str]:
    """{a word of the glossary, in small letters: its anchor on the page}."""
    page = (Path(__file__).resolve().parents[2] / GLOSSARY).read_text(encoding="utf-8")
    return {w.lower(): w.lower().replace(" ", "-") for w in re.findall(r"^### (.+)$", page, re.M)}


def content(cell: NotebookNode) -> tuple[str, str, str, tuple[str, ...]]:
    """What of a cell comes from its source: id, kind, text and tags; not its outputs."""
    return cell.id, cell.cell_type, cell.source, tuple(_tags(cell))


def _tags(cell: NotebookNode) -> Sequence[str]:
    return cell.metadata.get("tags", [])


def _made(cell: NotebookNode, name: str, solved: bool) -> NotebookNode:
    """The cell as one version has it."""
    if "raises-exception" in _tags(cell):
        raise InputError("the tag raises-exception hides every error of the cell; remove it")
    if cell.cell_type == "code":
        made = nbformat.v4.new_code_cell(_code(cell.source, solved), id=name)
    elif cell.cell_type == "markdown":
        made = nbformat.v4.new_markdown_cell(_prose(cell.source), id=name)
    else:
        raise InputError(f"its kind is {cell.cell_type!r}; make it code or [markdown]")
    tags = [tag for tag in _tags(cell) if tag not in ("solution", "learner")]
    if tags:
        made.metadata["tags"] = tags
    return made


def _prose(source: str) -> str:
    if MARKED_PROSE.search(source):
        raise InputError('markers work in code cells; give a [markdown] cell tags=["solution"]')
    return source


def _code(source: str, solved: bool) -> str:
    """A code cell's text in one version, its magics live."""
    text = choose(source, solved=solved)
    if not text.strip():
        raise InputError('nothing is left of it; add a <stub>, or tags=["solution"]')
    try:
        ast.parse(text)
    except SyntaxError as error:
        version = "solved" if solved else "learner's"
        raise InputError(f"line {error.lineno} of the {version} version: {error.msg}") from None
    return MAGIC.sub(r"\1\2", text)


def choose(source: str, *, solved: bool) -> str:
    """The lines of a code cell that belong to one version, without markers.

    Raises InputError for markers that are unknown or do not pair, and for a stub line that is no
    comment.
    """
    kept: list[str] = []
    region = ""
    for line in source.splitlines():
        if marker := MARKER.fullmatch(line):
            region = _enter(region, closing=bool(marker[1]), name=marker[2])
        elif region == "stub":
            stub = _uncommented(line)
            kept += [] if solved else [stub]
        elif solved or not region:
            kept.append(line)
    if region:
        raise InputError(f"<{region}> is never closed; add `# </{region}>`")
    return "\n".join(kept).strip("\n")


def _enter(region: str, *, closing: bool, name: str) -> str:
    """The region after a marker, given the region before it ("": none)."""
    if name not in ("solution", "stub"):
        raise InputError(f"<{name}> is no marker; there are <solution> and <stub>")
    if closing and region != name:
        raise InputError(f"</{name}> closes nothing; open it with `# <{name}>`")
    if not closing and region:
        raise InputError(f"<{name}> stands inside <{region}>; close that first")
    return "" if closing else name


def _uncommented(line: str) -> str:
    if not line.strip():
        return ""
    comment = COMMENT.fullmatch(line)
    if comment is None:
        raise InputError(f"the stub line {line.strip()!r} is no comment; put `# ` before it")
    return (comment[1] + comment[2]).rstrip()


def headings(markdown: str) -> list[tuple[int, str]]:
    """The headings of a Markdown text as (level, text), those in code fences left out."""
    found = HEADING.findall(FENCED.sub("", markdown))
    return [(len(marks), text) for marks, text in found]


def _ids(cells: Sequence[NotebookNode]) -> list[str]:
    """An id for each cell: its section and its number there; the same in both versions."""
    section, ids = "start", []
    seen: Counter[str] = Counter()
    for cell in cells:
        inside = headings(cell.source) if cell.cell_type == "markdown" else []
        if inside:
            section = re.sub(r"[^a-z0-9]+", "-", inside[0][1].lower())[:40].strip("-") or "section"
        seen[section] += 1
        ids.append(f"{section}-{seen[section]}")
    return ids
