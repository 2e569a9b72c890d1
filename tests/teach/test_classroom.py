"""The class view: what predict, compare and exercise print is what it reads.

pytest tests/teach/test_classroom.py
"""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import nbformat.v4 as v4
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ftlab
from ftlab.base.errors import InputError
from ftlab.cli import main
from ftlab.teach.classroom import read_class

ASK = 'guess = ftlab.predict("Retained?", {}, unit="%")'


def notebook(path: Path, guess: object, measured: float | None, answer: object) -> Path:
    """A learner's: a prediction, what came out, an exercise; outputs are what ftlab prints."""

    def said(call) -> list:
        with redirect_stdout(out := io.StringIO()):
            call()
        return [v4.new_output("stream", name="stdout", text=out.getvalue())]

    made = ftlab.predict("Retained?", guess, unit="%")
    cells = [
        v4.new_markdown_cell("# A title"),
        v4.new_code_cell(
            ASK.format(guess),
            outputs=said(lambda: ftlab.predict("Retained?", guess, unit="%")),
        ),
        v4.new_code_cell(
            "double = ftlab.exercise(...)",
            outputs=said(
                lambda: ftlab.exercise(answer, reference=lambda x: 2 * x, cases=[(1,), (3,)])
            ),
        ),
    ]
    if measured is not None:
        told = said(lambda: print(made.compare(measured)))
        cells.append(v4.new_code_cell("print(guess.compare(100 * run.retained))", outputs=told))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(v4.writes(v4.new_notebook(cells=cells)))
    return path


@settings(max_examples=15, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 100)), min_size=1, max_size=6))
def test_what_was_guessed_is_what_is_read(tmp_path_factory, given_):
    home = tmp_path_factory.mktemp("room")
    for number, guess in enumerate(given_):
        notebook(home / str(number) / "01_x.ipynb", guess, 16.0, lambda x: 2 * x)
    room = read_class(home)
    (question,) = room.questions.values()
    assert question.notebook == "01 A title" and question.text == "Retained?"
    assert sorted(question.guesses) == sorted(g for g in given_ if g is not None)
    assert question.measured == [16.0] * len(given_)
    assert f"{len(question.guesses)} guessed" in str(room) and "measured 16 %" in str(room)


def test_what_cannot_be_counted_is_left_out_and_the_rest_is_read(tmp_path: Path):
    notebook(tmp_path / "01_good.ipynb", 40, 16.0, lambda x: 2 * x)
    notebook(tmp_path / "01_diverged.ipynb", 50, float("nan"), lambda x: 2 * x)
    damaged = v4.writes(v4.new_notebook(cells=[v4.new_code_cell("x = 1")]))
    (tmp_path / "01_damaged.ipynb").write_text(damaged.replace('"outputs": []', '"outputs": 3'))
    room = read_class(tmp_path)
    (question,) = room.questions.values()
    assert sorted(question.guesses) == [40, 50] and question.measured == [16.0]
    assert "01_damaged" in str(room)


def test_two_results_of_one_cell_go_to_their_own_questions(tmp_path: Path):
    def cell(source: str) -> Any:
        with redirect_stdout(out := io.StringIO()):
            exec(source, names)
        told = [v4.new_output("stream", name="stdout", text=out.getvalue())]
        return v4.new_code_cell(source, outputs=told)

    names: dict[str, Any] = {"ftlab": ftlab}
    asks = [f'{name} = ftlab.predict("{name}?", 0.5)' for name in ("one", "two")]
    cells = [*map(cell, asks), cell("print(one.compare(3)); print(two.compare(50))")]
    (tmp_path / "02_x.ipynb").write_text(v4.writes(v4.new_notebook(cells=cells)))
    one, two = read_class(tmp_path).questions.values()
    assert (one.guesses, one.measured, two.measured) == ([0.5], [3.0], [50.0])


def test_exercises_are_counted_by_how_they_stand(tmp_path: Path):
    def double(x):
        return 2 * x

    def wrong(x):
        return x

    def stub(x):
        return None

    for name, answer in {"a": double, "b": wrong, "c": stub, "d": double}.items():
        notebook(tmp_path / f"{name}.ipynb", "none", None, answer)
    room = read_class(tmp_path)
    assert room.exercises[("A title", "double")] == {"done": 2}
    assert room.exercises[("A title", "wrong")] == {"not right yet": 1}
    assert room.exercises[("A title", "stub")] == {"not begun": 1}
    assert "measured nothing yet" in str(room)


def test_the_picture_says_it_in_words_and_the_command_writes_it(tmp_path: Path, capsys):
    notebook(tmp_path / "a.ipynb", 40, 16.0, lambda x: 2 * x)
    (tmp_path / "b.ipynb").write_text("{")
    notebook(tmp_path / ".ipynb_checkpoints" / "a.ipynb", 90, 16.0, lambda x: 2 * x)
    assert "Retained? 1 guessed, median 40 %; measured 16 %." in read_class(tmp_path).picture().alt
    picture = tmp_path / "room.png"
    assert main.main(["class", str(tmp_path), "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "not read: b.ipynb" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["nowhere", ""])
def test_a_folder_without_notebooks_is_a_slip(tmp_path: Path, folder: str):
    with pytest.raises(InputError, match=r"no (folder|notebook)"):
        read_class(tmp_path / folder)
