"""The instructor's page is what its sources say, and its sources fit together.

pytest tests/tools/test_instructor.py
"""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from tools.pages.instructor.outcomes import recorded
from tools.pages.instructor.pacing import workshop
from tools.pages.instructor.page import ROOT, glance, page
from tools.pages.instructor.sections import minutes, predictions, sections, verdicts

PAGE = ROOT / "docs" / "instructor.md"
NOTES = ROOT / "notebooks" / "source" / "instructor.toml"
PATHS = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}


def test_the_page_is_what_its_sources_say():
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run: python -m tools.pages.instructor"


def test_no_share_is_typed():
    text = re.sub(r"^(#|sweep = ).*$", "", NOTES.read_text(encoding="utf-8"), flags=re.M)
    assert not re.findall(r"\d\s?%(?!env)|per cent|percent\b", text)


def test_the_clock_of_each_plan_runs_on():
    plans = PAGE.read_text(encoding="utf-8").split("\n## ")
    for length in (60, 90, 180, 120):
        (plan,) = [part for part in plans if part.startswith(f"{length} minutes")]
        rows = re.findall(r"^\| (\d+):(\d\d) \| (\d+) \|", plan, re.M)
        clock = 0
        for hours, minute, took in rows:
            assert int(hours) * 60 + int(minute) == clock
            clock += int(took)
        assert clock == length and len(rows) > 5


# ---- sources that do not fit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of notebooks and notes, to be spoilt."""
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    for path in PATHS.values():
        (tmp_path / "notebooks" / path.name).symlink_to(path)
    shutil.copy(NOTES, tmp_path / "notebooks" / "source")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"Cause 3: a small data set"]', '"Cause 9"]', "has no section 'Cause 9'"),
        ("minutes = 15\n", "minutes = 55\n", "takes 2"),
        ('"Skill by skill" = ', '"Skill by skil" = ', "says nothing at 01, 'Skill by skill'"),
        ('"Skill by skill" = ', '"Nowhere" = "x"\n"Skill by skill" = ', "at 'Nowhere'"),
        ("facts will the model", "things will the model", "no \\[\\[prediction\\]\\] for"),
        ('measured = "facts"', 'measured = "luck"', "Nothing is known of 'luck'"),
        ('starts = ["02"]', "", "which the plan skips; let an earlier stop"),
        ('sweep = "schedule"\nlr = 1e-3', 'sweep = "schedule"\nlr = 7.0', "no recorded runs"),
    ],
)
def test_what_does_not_fit_is_refused(root: Path, old: str, new: str, says: str):
    notes = root / "notebooks" / "source" / NOTES.name
    text = notes.read_text(encoding="utf-8")
    assert old in text
    notes.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=says):
        page(root)


def test_a_prediction_that_no_notebook_asks_is_refused(root: Path):
    notes = root / "notebooks" / "source" / NOTES.name
    more = '[[prediction]]\nnotebook = "00"\nquestion = "Why?"\ntempting = ""\nsay = ""\n'
    text = notes.read_text(encoding="utf-8")
    notes.write_text(text.replace("[[prediction]]", f"{more}\n[[prediction]]", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"asks \(any more\): Why\?"):
        page(root)


# ---- what is read from a notebook

TABLE = """\
| What is said | We measured | Verdict |
| --- | --- | --- |
| a \\| b | 1 | ✗ does not hold |"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    picture = {"text/html": '<img alt="x" src="data:,">', "text/plain": "A plane. More."}
    cells = [
        new_markdown_cell("# Title\n\n" + "word " * 148),
        new_code_cell(
            'g = ftlab.predict("Kept?", None)\n\nh = 1',
            outputs=[new_output("stream", text="Kept?\nNo guess yet")],
        ),
        new_code_cell(
            "print(g.compare(5))",
            outputs=[
                new_output("stream", text="Measured: 5.5 %. You made no guess.\n"),
                new_output("display_data", data=picture),
            ],
        ),
        new_markdown_cell("end of it\n## Exercise 1\n*Goal: do\nit. 10 minutes, hard.*\n### Part"),
        new_code_cell("x", outputs=[new_output("display_data", data={"text/plain": TABLE})]),
        new_markdown_cell("## Exercise 2\n*Goal: that. 20\nminutes,\nopen.*"),
    ]
    path = tmp_path / "01_naive_full_fine_tuning.ipynb"  # a name that was timed
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_sections_hold_what_stands_below_their_heading(notebook: Path):
    first, second, third = sections(notebook)
    assert (first.title, first.words, first.lines) == ("Title", 153, 3)
    assert first.figures == ["A plane. More."] and first.exercise == 0
    assert (second.title, second.lines, second.exercise) == ("Exercise 1", 1, 10)
    assert first.reading == pytest.approx(153 / 150 + (3 * 4 + 45) / 60) and third.exercise == 20
    assert minutes(notebook).exercises == 30 and minutes(notebook).running > 0


def test_predictions_come_with_what_came_out(notebook: Path):
    (asked,) = predictions(notebook)
    assert (asked.question, asked.measured) == ("Kept?", "5.5 %")


def test_two_questions_under_one_name_have_each_their_own_outcome(notebook: Path):
    made = nbformat.read(notebook, as_version=4)
    again = [new_output("stream", text="Measured: 90 %. You made no guess.\n")]
    ask, tell = 'g = ftlab.predict("And now?", None)', "print(g.compare(90))"
    made.cells.append(new_code_cell(f"{ask}\n{tell}", outputs=again))
    nbformat.write(made, notebook)
    assert [asked.measured for asked in predictions(notebook)] == ["5.5 %", "90 %"]


def test_a_prediction_without_an_outcome_is_refused(notebook: Path):
    made = nbformat.read(notebook, as_version=4)
    made.cells[2].outputs = []
    nbformat.write(made, notebook)
    with pytest.raises(InputError, match="no cell says what came out"):
        predictions(notebook)


def test_verdicts_are_those_of_the_last_table(notebook: Path):
    (row,) = verdicts(notebook)
    assert (row.article, row.measured, row.verdict) == ("a | b", "1", "does not hold")


def test_every_exercise_of_the_workbook_has_its_minutes():
    untimed = [
        f"{number}: {section.title}"
        for number, path in PATHS.items()
        for section in sections(path)
        if section.title.startswith("Exercise") != bool(section.exercise)
    ]
    assert untimed == []


def test_each_notebook_of_the_workbook_has_verdicts_and_minutes():
    with_table = {n for n, path in PATHS.items() if "verdict_table" in path.read_text("utf-8")}
    assert with_table == {n for n, path in PATHS.items() if verdicts(path)} and len(with_table) > 5
    assert all(minutes(path).reading > 5 for path in PATHS.values())


def test_a_notebook_that_was_never_timed_is_refused(notebook: Path):
    other = notebook.rename(notebook.with_name("99_new.ipynb"))
    with pytest.raises(InputError, match="never timed"):
        minutes(other)


def test_a_plan_counts_running_once_and_talk_on_top(notebook: Path):
    stop = {"notebook": "01", "sections": ["Title"]}
    plan = {"minutes": 9, "title": "", "stop": [stop, stop | {"minutes": 3}]}
    first, second = workshop(plan, {"01": notebook}).stops
    run = minutes(notebook).running
    reading = sections(notebook)[0].reading
    assert reading + run <= first.minutes < reading + run + 1
    assert reading + 3 <= second.minutes < reading + 4 and second.begin == first.minutes


def test_an_outcome_is_that_of_the_records():
    setting = compare.pick(compare.settings(compare.shipped("nano")), "learning rate", 1e-3)[0]
    said = recorded({"sweep": "learning rate", "lr": 1e-3})
    assert setting.text("retention") in said and said.endswith("3 seeds")
    assert recorded({"measured": "rounding"}).count("retains") == 3


def test_a_glance_holds_whole_clauses():
    assert glance("One. Two.", 20) == "One. Two."
    assert glance("One; two; three.", 9) == "One; two ..."
    assert glance("A long first clause; two.", 5) == "A long first clause ..."
