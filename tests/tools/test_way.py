"""The way through the workbook: every notebook is linked, and the map says what they say.

pytest tests/tools/test_way.py
"""

import re

import nbformat
import pytest

from ftlab.base.jsonfile import read_json
from ftlab.teach import course
from ftlab.teach.syllabus import file_of
from tools.notebooks.build import ROOT, sources, versions
from tools.notebooks.way import ABOVE, BELOW, line, told

SOURCES = sources([], ROOT / "notebooks")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_links_of_a_notebook_lead_somewhere(source) -> None:
    for path, solved, _ in versions(source):
        cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
        assert cells[ABOVE] == cells[BELOW] == line(source, solved=solved)
        for target in re.findall(r"\]\((.+?)\)", cells[ABOVE]):
            assert (path.parent / target).is_file()


def test_first_and_last_have_one_neighbour() -> None:
    first, last = (line(source, solved=False) for source in (SOURCES[0], SOURCES[-1]))
    assert "←" not in first and "→" in first and "→" not in last and "←" in last


def test_the_map_is_what_the_notebooks_say() -> None:
    assert read_json(file_of()) == {source.stem: told(source) for source in SOURCES}
    shown = course()
    assert [row[0] for row in shown.rows] == [source.stem[:2] for source in SOURCES]
    assert all(row[1] and row[2] for row in shown.rows)
    assert f'href="{SOURCES[0].stem}.ipynb"' in shown._repr_html_()
    assert SOURCES[0].stem[:2] in repr(shown)
