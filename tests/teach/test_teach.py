"""Predictions, claims and exercises: what a learner reads after every kind of answer."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from ftlab.teach import Claim, claim, exercise, predict, says, verdict_table
from ftlab.teach.exercises import same
from ftlab.teach.predictions import Prediction

# ---- predictions


def test_no_guess_asks_and_goes_on(capsys) -> None:
    guess = predict("How much is retained?", None, unit="%")
    assert guess.value is None
    assert capsys.readouterr().out == (
        "How much is retained?\n"
        "No guess yet: write a number from 0 to 100 % instead of None. "
        "The notebook also runs without one.\n"
    )
    assert guess.compare(22) == "Measured: 22 %. You made no guess."


def test_a_guess_is_compared(capsys) -> None:
    guess = predict("How much is retained?", 50, unit="%")
    assert capsys.readouterr().out.endswith("Your guess: 50 %.\n")
    assert guess.compare(22.25) == (
        "Measured: 22.2 %. You guessed 50 %. The result is 27.8 points lower."
    )
    assert guess.compare(48) == "Measured: 48 %. You guessed 50 %. That is close."
    assert guess.compare(math.nan) == "Measured: nan %. You guessed 50 %."
    steps = predict("How many steps?", 1200, high=5000, unit="steps")
    assert steps.compare(2000).endswith("The result is 800 steps higher.")


@pytest.mark.parametrize("value", ["50", True, 101, -1, math.nan, math.inf, [1]])
def test_an_unusable_guess_is_not_used_and_said(value, capsys) -> None:
    assert predict("How much?", value, unit="%").value is None
    assert "please write a number from 0 to 100 %" in capsys.readouterr().out


@settings(deadline=None)  # a busy machine is no failure
@given(st.one_of(st.none(), st.floats(), st.integers(), st.text()), st.floats())
def test_a_prediction_never_stops_a_notebook(value, measured: float) -> None:
    assert predict("?", value).compare(measured).startswith("Measured: ")


def test_a_range_with_nothing_in_it_is_refused() -> None:
    with pytest.raises(InputError, match="leaves nothing to guess"):
        Prediction("?", 1.0, 1.0, "", None)


# ---- claims


def test_a_claim_shows_its_mark_and_number(capsys, monkeypatch) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)
    assert claim("It forgets", bool(np.True_), "retained 19 %").holds
    assert claim("It retains all", np.float64(0.19) > 0.9, "retained 19 %").holds is False
    assert (
        capsys.readouterr().out
        == "✓ It forgets (retained 19 %)\n✗ It retains all (retained 19 %)\n"
    )


def test_a_failing_claim_raises_under_strict(monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_STRICT", "1")
    assert claim("It forgets", True, "19 %").holds
    with pytest.raises(AssertionError, match=r"does not hold: It retains all \(19 %\)"):
        claim("It retains all", False, "19 %")


def test_a_claim_without_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="has no evidence"):
        claim("It forgets", True, " ")


YES, NO = Claim("a", True, "1 nat"), Claim("b", False, "2 nats")


@pytest.mark.parametrize(
    ("support", "against", "verdict"),
    [
        ([YES], [], "holds"),
        ([], [YES], "does not hold"),
        ([YES], [YES], "holds in part"),
        ([NO], [], "does not hold"),
        ([], [NO], "holds"),
        ([YES, NO], [], "holds in part"),
    ],
)
def test_the_verdict_follows_from_the_claims(support, against, verdict: str) -> None:
    row = says("Rates matter", supported_by=support, contradicted_by=against)
    assert row.verdict == verdict
    assert row.measured == "; ".join(made.evidence for made in support + against)


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("holds", "holds"), "holds"),
        (("does not hold", "does not hold"), "does not hold"),
        (("holds", "does not hold"), "holds in part"),
        (("holds", "not decided"), "holds in part"),
        (("does not hold", "not decided"), "fails in part"),
        (("not decided", "not decided"), "not decided"),
    ],
)
def test_what_records_decide_is_a_verdict(words, verdict):
    row = says("Rates matter", decided={f"model {n}": word for n, word in enumerate(words)})
    assert (row.verdict, row.measured) == (verdict, "model 0; model 1")


def test_a_word_that_is_no_verdict_is_refused():
    with pytest.raises(InputError, match="choose one of holds, does not hold, not decided"):
        says("Rates matter", decided={"nano": "maybe"})


def test_the_verdict_table_in_both_forms() -> None:
    table = verdict_table(says("a | b < c", supported_by=[YES]), says("d", contradicted_by=[YES]))
    assert repr(table).splitlines() == [
        "| What is said | We measured | Verdict |",
        "| --- | --- | --- |",
        "| a \\| b < c | 1 nat | ✓ holds |",
        "| d | 1 nat | ✗ does not hold |",
    ]
    html = table._repr_html_()
    assert html.count('scope="col"') == 3 and html.count("<tr>") == 3
    assert "a | b &lt; c" in html


def test_opinions_and_empty_tables_are_refused() -> None:
    with pytest.raises(InputError, match="no claim to judge it by"):
        says("Rates matter")
    with pytest.raises(InputError, match="no rows"):
        verdict_table()


# ---- exercises


def halve(x):
    return x / 2


CHECKS = [
    ("half of 0 is 0", lambda f: (f(0), 0.0)),
    ("it is smaller", lambda f: f(8) < 8),
]
CASES = [(4,), (10,)]


def run(answer, **settings):
    settings = {"reference": halve, "checks": CHECKS, "cases": CASES} | settings
    return exercise(answer, **settings)


def test_a_right_answer_is_handed_back(capsys) -> None:
    def half(x):
        return 0.5 * x

    assert run(half) is half
    assert capsys.readouterr().out.splitlines() == [
        "✓ half of 0 is 0",
        "✓ it is smaller",
        "✓ equal to the reference on 2 inputs",
        "✓ done: half",
    ]


def raising(x):
    raise NotImplementedError


@pytest.mark.parametrize(
    "stub", [lambda x: None, lambda x: ..., lambda x: NotImplemented, raising, None, ...]
)
def test_an_empty_stub_continues_with_the_reference(stub, capsys, monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_STRICT", "1")  # not even then does it raise
    assert run(stub) is halve
    name = "raising" if stub is raising else "halve"  # a lambda has no name of its own
    said = capsys.readouterr().out
    assert said == f"not done yet: {name}. The notebook continues with the reference solution.\n"


def test_a_wrong_answer_gets_sentences(capsys, monkeypatch) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)
    assert run(lambda x: x + 1) is halve
    assert capsys.readouterr().out.splitlines() == [
        "✗ half of 0 is 0: got 1, expected 0",
        "✗ it is smaller: this is not the case",
        "✗ equal to the reference for (4): got 5, expected 2",
        "halve is not right yet. The notebook continues with the reference solution.",
    ]
    monkeypatch.setenv("FTLAB_STRICT", "1")
    with pytest.raises(AssertionError, match="halve fails its checks: half of 0"):
        run(lambda x: x + 1)


def test_right_on_the_first_input_alone_is_wrong(capsys, monkeypatch) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)
    assert run(lambda x: min(x / 2, 4.0)) is halve
    assert "✗ equal to the reference for (10): got 4, expected 5" in capsys.readouterr().out


def test_an_exception_is_a_sentence_with_the_line(capsys, monkeypatch) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)

    def mine(x):
        return x / 0

    assert run(mine) is halve
    said = capsys.readouterr().out
    assert "your code raised ZeroDivisionError: " in said
    assert "of the cell: `return x / 0`)" in said
    assert "Traceback" not in said


def test_a_blank_after_an_answer_is_a_wrong_answer(capsys, monkeypatch) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)
    assert run(lambda x: 0.0 if x == 0 else None) is halve
    said = capsys.readouterr().out
    assert "✓ half of 0 is 0" in said
    assert "got None, expected 2" in said


def test_an_answer_may_change_its_input() -> None:
    def last(values):
        return values.pop()

    cases = [([1, 2],), ([3],)]
    given = copy.deepcopy(cases)
    assert exercise(last, reference=lambda values: values[-1], cases=cases) is last
    assert cases == given


def test_a_plain_value_is_an_answer_too(capsys, monkeypatch) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)
    assert exercise(0.5, reference=0.5) == 0.5
    assert exercise(None, reference=0.5) == 0.5
    assert exercise(0.4, reference=0.5, checks=[("below 1", lambda x: x < 1)]) == 0.5
    assert "✗ equal to the reference: got 0.4, expected 0.5" in capsys.readouterr().out


def test_an_exercise_that_checks_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="checks nothing"):
        exercise(halve, reference=halve)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES)
def test_everything_is_the_same_as_its_copy(value) -> None:
    assert same(copy.deepcopy(value), value)


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES, VALUES)
def test_same_is_symmetric(one, other) -> None:
    assert same(one, other) == same(other, one)


@pytest.mark.parametrize(
    ("got", "expected", "equal"),
    [
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.001, False),
        (np.float32(2), 2.0, True),
        (np.array([1.0, 2.0]), [1, 2], True),
        (np.array([[1.0, 2.0]]), np.array([1.0, 2.0]), False),
        (np.array([1.0, math.nan]), np.array([1.0, math.nan]), True),
        (np.array(3.0), 3, True),
        (np.array([1.0]), "one", False),
        ([1, [2.0]], (1, (2.0,)), True),
        ({"a": 1}, {"b": 1}, False),
        (1j, 1.0, False),
        ("a", "a", True),
    ],
)
def test_what_counts_as_the_same(got, expected, equal: bool) -> None:
    assert same(got, expected) is equal


def test_tensors_compare_by_shape_and_value() -> None:
    torch = pytest.importorskip("torch")
    one = torch.ones(2, requires_grad=True)
    assert same(one, torch.ones(2)) and same(one.sum(), 2.0)
    assert not same(one, torch.ones(2, 1))
