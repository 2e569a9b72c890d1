"""One source, two versions: regions, stubs, ids, and what is refused."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from tools.notebooks.sources import FIRST_CELL, build, choose, explained, headings

HEAD = f"# %% [markdown]\n# # Title\n\n# %%\n{FIRST_CELL}\n\n"
EXERCISE = """\
def double(x):
    # <solution>
    return 2 * x
    # </solution>
    # <stub>
    # # your code here
    #
    # return None
    # </stub>


print(double(2))"""

LINE = st.integers(0, 99).map(lambda number: f"    x = {number}")
PART = st.tuples(st.sampled_from(["both", "solution", "stub"]), st.lists(LINE, min_size=1))


def cells(text: str, *, solved: bool) -> list[tuple[str, str]]:
    return [(cell.id, cell.source) for cell in build(HEAD + text, solved=solved).cells]


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(PART))
def test_each_version_has_its_own_lines_in_order(parts: list[tuple[str, list[str]]]) -> None:
    source: list[str] = []
    wanted: dict[bool, list[str]] = {True: [], False: []}
    for kind, lines in parts:
        written = [line.replace("x", "# x") for line in lines] if kind == "stub" else lines
        region = [f"    # <{kind}>", *written, f"    # </{kind}>"]
        source += lines if kind == "both" else region
        wanted[True] += lines if kind != "stub" else []
        wanted[False] += lines if kind != "solution" else []
    for solved, lines in wanted.items():
        assert choose("\n".join(source), solved=solved) == "\n".join(lines)


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(alphabet="abc #<>/=\n"))
def test_text_without_markers_is_the_same_in_both(text: str) -> None:
    if "<" not in text:
        assert choose(text, solved=True) == choose(text, solved=False)


def test_an_exercise_in_both_versions() -> None:
    learner, solved = (choose(EXERCISE, solved=solved) for solved in (False, True))
    assert learner == (
        "def double(x):\n    # your code here\n\n    return None\n\n\nprint(double(2))"
    )
    assert solved == "def double(x):\n    return 2 * x\n\n\nprint(double(2))"


def test_a_source_is_python_and_the_magic_is_live_in_the_notebook() -> None:
    ast.parse(HEAD + EXERCISE)
    first = build(HEAD, solved=False).cells[1].source
    assert "\n    %pip install" in first
    assert len(first.splitlines()) <= 6


def test_comments_that_look_like_commands_stay_comments() -> None:
    code = "# copy the weights, then cat them\n# %d is a placeholder\nx = 1"
    assert cells(f"# %%\n{code}\n", solved=True)[-1][1] == code


def test_marked_cells_stand_in_the_solved_notebook_only() -> None:
    text = (
        '# %% [markdown] tags=["solution"]\n# Because of B.\n\n'
        '# %% tags=["solution", "wide"]\nx = 1\n\n# %% tags=["wide"]\ny = 1\n'
    )
    assert [source for _, source in cells(text, solved=False)[2:]] == ["y = 1"]
    assert [source for _, source in cells(text, solved=True)[2:]] == [
        "Because of B.",
        "x = 1",
        "y = 1",
    ]
    assert build(HEAD + text, solved=True).cells[3].metadata == {"tags": ["wide"]}


def test_cells_for_the_learner_stand_in_the_learners_notebook_only() -> None:
    text = '# %% [markdown] tags=["learner"]\n# Your turn.\n\n# %%\ny = 1\n'
    assert [source for _, source in cells(text, solved=False)[2:]] == ["Your turn.", "y = 1"]
    assert [source for _, source in cells(text, solved=True)[2:]] == ["y = 1"]
    assert "tags" not in build(HEAD + text, solved=False).cells[2].metadata


def test_ids_name_the_section_and_agree_between_the_versions() -> None:
    text = (
        "# %%\na = 1\n\n# %% [markdown]\n# ## Two numbers, always!\n\n"
        '# %% tags=["solution"]\nb = 1\n\n# %%\nc = 1\n'
    )
    solved = cells(text, solved=True)
    assert [name for name, _ in solved] == [
        "title-1",
        "title-2",
        "title-3",
        "two-numbers-always-1",
        "two-numbers-always-2",
        "two-numbers-always-3",
    ]
    assert set(cells(text, solved=False)) == set(solved) - {("two-numbers-always-2", "b = 1")}


def test_a_new_cell_leaves_the_ids_of_other_sections() -> None:
    section = "# %% [markdown]\n# ## Next\n\n# %%\nc = 1\n"
    before, after = (cells(new + section, solved=True) for new in ("", "# %%\nnew = 1\n\n"))
    assert set(before) < set(after)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# %%\n# <solution>\nx = 1\n", "never closed"),
        ("# %%\nx = 1\n# </stub>\n", "closes nothing"),
        ("# %%\n# <stub>\n# <solution>\n# </solution>\n# </stub>\n", "stands inside <stub>"),
        ("# %%\n# <soluton>\nx = 1\n# </soluton>\n", "no marker"),
        ("# %%\n# <stub>\nx = None\n# </stub>\nx = 1\n", "is no comment"),
        ("# %%\n# <solution>\nx = 1\n# </solution>\n", "nothing is left"),
        (
            "# %%\ndef f():\n    # <solution>\n    return 1\n    # </solution>\n",
            "learner's version",
        ),
        ("# %%\nx = = 1\n", "solved version"),
        ('# %% tags=["raises-exception"]\nx = 1\n', "hides every error"),
        ("# %% [markdown]\n# <solution>\n# B\n# </solution>\n", "markers work in code cells"),
        ("# %% [raw]\n# text\n", "make it code"),
    ],
)
def test_what_cannot_work_is_refused_with_the_cell(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        for solved in (True, False):
            build(HEAD + text, solved=solved)
    assert str(refused.value).startswith("Cell title-3: ")


@pytest.mark.parametrize("text", ["", "# %%\nimport ftlab\n", '"""A docstring."""\n\n' + HEAD])
def test_another_first_cell_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="first code cell"):
        build(text, solved=True)


def test_headings_are_read_outside_code() -> None:
    text = "# One\ntext # not\n```\n# code\n```\n### Three  \n#no"
    assert headings(text) == [(1, "One"), (3, "Three")]


def test_the_first_word_in_italics_that_the_glossary_has_is_linked() -> None:
    seen: set[str] = set()
    prose = "# *LoRA* here\n*LoRA* and *LoRA*; *Adapters*, **rank**, *no such word*, a *b* c*d*"
    once = explained(prose, seen, "../")
    assert once == (
        "# *LoRA* here\n[*LoRA*](../docs/glossary.md#lora) and *LoRA*; "
        "[*Adapters*](../docs/glossary.md#adapter), **rank**, *no such word*, a *b* c*d*"
    )
    assert seen == {"lora", "adapter"} and explained(prose, seen, "../") == prose
