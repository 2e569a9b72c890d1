"""The notebooks as they are stored, and the machinery that writes and runs them.

They are run again by `make test` (nbval); here they are compared with their sources and read.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools.notebooks import build as builder
from tools.notebooks.build import NotebookFault, execute, first_difference, main, stored, versions
from tools.notebooks.sources import FIRST_CELL, METADATA, build, headings
from tools.notebooks.stamp import first_cell, stamp_in

FOLDER = builder.ROOT / "notebooks"
SOURCES = sorted((FOLDER / "source").glob("*.py"))
STORED = [(path, solved) for source in SOURCES for path, solved, _ in versions(source)]
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
each_stored = pytest.mark.parametrize(
    ("path", "solved"), STORED, ids=lambda value: value.stem if isinstance(value, Path) else None
)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (output for cell in code_cells(notebook) for output in cell.outputs)


def without_alt(notebook: NotebookNode) -> list[str]:
    """Every picture that a screen reader could not tell, by its first characters."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = []
    for output in outputs(notebook):
        data = output.get("data", {})
        texts.append(data.get("text/html", ""))
        bare = [kind for kind in PICTURES if kind in data]
        found += [kind for kind in bare if not output.metadata.get(kind, {}).get("alt", "").strip()]
    for text in texts:
        tags = re.findall(r"<img\b[^>]*>", text)
        found += [tag[:80] for tag in tags if not re.search(r"""\balt=("[^"]*\w|'[^']*\w)""", tag)]
        found += re.findall(r"!\[\s*\]\(.{0,60}", text)
    return found


# ---- the notebooks of the workbook


def test_there_are_notebooks() -> None:
    assert SOURCES, "notebooks/source/ holds no notebook"


def test_every_notebook_has_a_source() -> None:
    made = {path for path, _ in STORED}
    assert {*FOLDER.glob("*.ipynb"), *FOLDER.glob("solutions/*.ipynb")} == made


@each_source
def test_every_cell_equals_its_source(source: Path) -> None:
    assert first_difference(source) == ""


@each_source
def test_every_live_plot_hears_its_stop_button(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    heard = re.findall(r"live\.update\(step\)\n +if live\.stopped:\n +break", text)
    assert len(heard) == text.count("live.update(")
    assert text.count("ftlab.Live(") == len(heard) + text.count("live.follow(")  # hears it itself


@each_stored
def test_stored_notebook_is_run_and_clean(path: Path, solved: bool) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata == METADATA  # no widgets among it
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        assert builder.WIDGET not in output.get("data", {})


@each_stored
def test_stored_notebook_shows_no_machine(path: Path, solved: bool) -> None:
    text = re.sub(r"base64,[^\"']*", "", path.read_text(encoding="utf-8"))
    assert not re.findall(r"(?:/(?:home|root|tmp|Users)/|[A-Z]:\\\\)\S{0,60}", text)


@each_stored
def test_first_cell_is_short_and_the_same(path: Path, solved: bool) -> None:
    first = code_cells(read(path))[0]
    assert first.source == first_cell(stamp_in(builder.ROOT))
    assert len(first.source.splitlines()) <= 6
    assert len(first.outputs) == 1, "one line says what is running"


@each_stored
def test_no_cell_is_over_30_lines(path: Path, solved: bool) -> None:
    long = [cell.id for cell in code_cells(read(path)) if len(cell.source.splitlines()) > 30]
    assert long == []


@each_stored
def test_every_picture_has_alt_text(path: Path, solved: bool) -> None:
    assert without_alt(read(path)) == []


@each_stored
def test_headings_nest(path: Path, solved: bool) -> None:
    levels = [
        level
        for cell in read(path).cells
        if cell.cell_type == "markdown"
        for level, _ in headings(cell.source)
    ]
    assert levels[:1] == [1] and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


@each_source
def test_every_section_says_its_goal(source: Path) -> None:
    """In one short sentence under its heading; all but the verdicts and what to do from now on."""
    text = re.sub(r"(?m)^# ?", "", source.read_text(encoding="utf-8"))
    sections = re.split(r"(?m)^## ", text)[1:-2]
    stated = re.compile(r"[^\n]+\n\n\*Goal: ([^*]+)\.\*\n")
    assert [section[:40] for section in sections if not stated.match(section)] == []
    plain = [goal for goal in stated.findall("\n".join(sections)) if "minutes" not in goal]
    assert all(len(goal.split()) <= 15 for goal in plain) and len(set(plain)) == len(plain)


@each_stored
def test_exercises_are_done_in_the_solved_one_only(path: Path, solved: bool) -> None:
    notebook = read(path)
    told = [output.get("text", "") for output in outputs(notebook)]
    exercises = sum(cell.source.count("exercise(") for cell in code_cells(notebook))
    assert sum(text.count("not done yet") for text in told) == (0 if solved else exercises)


@each_stored
def test_folded_parts_are_closed(path: Path, solved: bool) -> None:
    for cell in read(path).cells:
        assert cell.source.count("<details") == cell.source.count("</details>"), cell.id


def test_the_first_cell_prints_at_once() -> None:
    """Within a second on a quiet machine: what takes seconds to load is not loaded yet."""
    heavy = "{'torch', 'numpy', 'pandas', 'datasets', 'transformers', 'peft', 'matplotlib'}"
    code = f"{FIRST_CELL}\nimport sys\nprint({heavy} & sys.modules.keys())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=builder.ROOT)
    line, loaded = done.stdout.splitlines()
    assert line.startswith("ftlab ") and loaded == "set()"


# ---- the machinery

SAMPLE = f"""\
# %% [markdown]
# # A sample

# %%
{FIRST_CELL}

# %%
import os

import ipywidgets
from IPython.display import HTML, display

slider = ipywidgets.IntSlider(value=3)
display(slider)
display(HTML('<img alt="A red dot" src="data:image/png;base64,AAAA">'))
print(os.environ["FTLAB_PROFILE"], os.environ["FTLAB_STRICT"])

# %%
# <solution>
answer = 42
# </solution>
# <stub>
# answer = None
# </stub>
answer
"""


def sample(folder: Path, text: str = SAMPLE) -> Path:
    source = folder / "source" / "00_sample.py"
    source.parent.mkdir(exist_ok=True)
    source.write_text(text, encoding="utf-8")
    return source


def notebook(code: str) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, id="only-1")])


def test_from_source_to_two_notebooks_and_back(tmp_path: Path, capsys) -> None:
    sample(tmp_path)
    assert main([], folder=tmp_path) == 0
    assert main(["--check"], folder=tmp_path) == 0
    learner, solved = (
        read(tmp_path / name) for name in ("00_sample.ipynb", "solutions/00_sample.ipynb")
    )
    assert learner.metadata == METADATA
    assert [cell.execution_count for cell in code_cells(learner)] == [1, 2, 3]
    picture, printed = code_cells(learner)[1].outputs  # and no widget
    assert "A red dot" in picture.data["text/html"]
    assert printed.text == "nano 1\n"
    assert code_cells(learner)[2].outputs == []
    assert code_cells(solved)[2].outputs[0].data["text/plain"] == "42"
    assert without_alt(learner) == []

    sample(tmp_path, SAMPLE.replace("# # A sample", "# # A sample\n#\n# More prose."))
    assert main(["--check"], folder=tmp_path) == 1
    assert "00_sample.ipynb: cell a-sample-1 differs" in capsys.readouterr().err
    assert main(["00", "--no-execute"], folder=tmp_path) == 0  # prose alone keeps the outputs
    assert code_cells(read(tmp_path / "00_sample.ipynb"))[1].outputs == [picture, printed]
    sample(tmp_path, SAMPLE.replace("42", "43"))
    assert main(["00", "--no-execute"], folder=tmp_path) == 0  # new code does not
    assert code_cells(read(tmp_path / "solutions" / "00_sample.ipynb"))[1].outputs == []


def test_a_failing_cell_leaves_the_old_files(tmp_path: Path, capsys) -> None:
    sample(tmp_path)
    assert main(["--no-execute"], folder=tmp_path) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.ipynb")}
    sample(tmp_path, SAMPLE.replace("answer = 42", "answer = 1 / 0"))
    assert main([], folder=tmp_path) == 1
    told = capsys.readouterr().err
    assert "solutions/00_sample.ipynb, cell a-sample-4" in told
    assert "ZeroDivisionError" in told
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.ipynb")} == before
    assert not list(tmp_path.rglob(".*.part"))


@pytest.mark.parametrize(
    ("code", "says", "limit"),
    [
        ("import sys; print('odd', file=sys.stderr)", "writes to stderr: odd", 300),
        ("import time; time.sleep(600)", "only-1: .*(?i:time)", 3),
    ],
)
def test_what_a_cell_must_not_do(code: str, says: str, limit: float) -> None:
    with pytest.raises(NotebookFault, match=says):
        execute(notebook(code), timeout=limit)


def display_data(**data: str) -> NotebookNode:
    named = {kind.replace("_", "/"): text for kind, text in data.items()}
    return nbformat.v4.new_output("display_data", data=named)


def test_a_widget_with_a_picture_beside_it_keeps_the_picture() -> None:
    output = display_data(text_html="<img alt='x'>", text_plain="x")
    output.data[builder.WIDGET] = {"model_id": "1"}
    assert stored(output, "a-1") == display_data(text_html="<img alt='x'>", text_plain="x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"saved to {builder.ROOT}/runs", "a path of this machine"),
        ("<object at 0x7f01c93b2d50>", "a memory address"),
    ],
)
def test_what_must_not_be_stored(text: str, says: str) -> None:
    with pytest.raises(NotebookFault, match=f"cell a-1 shows {says}"):
        stored(display_data(text_plain=text), "a-1")
    assert stored(display_data(text_html=f'<img src="data:image/png;base64,{text}">'), "a-1")


def test_names_choose_the_notebooks(tmp_path: Path, capsys) -> None:
    sample(tmp_path)
    assert main(["07"], folder=tmp_path) == 2
    assert "No notebook is called '07'; there are: 00_sample." in capsys.readouterr().err
    sample(tmp_path, "# %%\nx = 1\n")
    assert main(["00_s", "--check"], folder=tmp_path) == 1  # nothing is stored yet
    assert main(["00", "--no-execute"], folder=tmp_path) == 2
    assert "00_sample.py: The first code cell" in capsys.readouterr().err


@pytest.mark.parametrize(
    "html",
    ['<img src="a.png">', '<img alt="" src="a.png">', "<img alt=' '>", "![](a.png)", "<img alt>"],
)
def test_a_picture_without_alt_text_is_noticed(html: str) -> None:
    made = build(f"# %% [markdown]\n# {html}\n\n# %%\n{FIRST_CELL}\n", solved=True)
    assert len(without_alt(made)) == 1
    made.cells[0].source = '<img src="a.png" alt="Loss falls">, ![Loss falls](a.png)'
    assert without_alt(made) == []
    made.cells[1].outputs = [nbformat.v4.new_output("display_data", data={"image/png": "AAAA"})]
    assert without_alt(made) == ["image/png"]
