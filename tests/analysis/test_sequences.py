"""Average accuracy, forgetting and BWT, against Avalanche's definitions. See the module."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import analysis
from ftlab.base.errors import InputError

THREE = [[0.9, 0.1, 0.0], [0.5, 0.8, 0.2], [0.3, 0.6, 0.7]]
"""By hand: (0.9 - 0.3 + 0.8 - 0.6) / 2 = 0.4; (0.3 + 0.6 + 0.7) / 3; (0.9 + 0.8 + 0.7) / 3."""


def avalanche(matrix: list[list[float]]) -> float:
    """Its StreamForgetting: a task's first score, kept, less its last, forgotten at each look."""
    initial: dict[int, float] = {}
    result = math.nan
    for trained, row in enumerate(matrix):
        last: dict[int, float] = {}
        for task, score in enumerate(row):
            (initial if task == trained else last)[task] = score
        lost = [initial[task] - last[task] for task in initial.keys() & last.keys()]
        result = sum(lost) / len(lost) if lost else math.nan
    return result


def test_a_matrix_by_hand():
    assert analysis.forgetting(THREE) == pytest.approx(0.4)
    assert analysis.backward_transfer(THREE) == pytest.approx(-0.4)
    assert analysis.average_accuracy(THREE) == pytest.approx(1.6 / 3)
    assert analysis.just_learned(THREE) == pytest.approx(0.8)


def test_a_task_that_got_better_later_counts_as_a_gain():
    assert analysis.backward_transfer([[0.5, 0.0], [0.7, 0.9]]) == pytest.approx(0.2)


shares = st.floats(0, 1)
matrices = st.integers(2, 6).flatmap(
    lambda size: st.lists(
        st.lists(shares, min_size=size, max_size=size), min_size=size, max_size=size
    )
)


@given(matrices)
def test_the_sums_agree(matrix: list[list[float]]):
    size, lost = len(matrix), analysis.forgetting(matrix)
    assert lost == pytest.approx(avalanche(matrix), abs=1e-9)
    assert analysis.backward_transfer(matrix) == -lost
    learned, left = analysis.just_learned(matrix), analysis.average_accuracy(matrix)
    assert left == pytest.approx(learned - (size - 1) / size * lost, abs=1e-9)


@given(matrices, shares)
def test_neither_the_last_task_nor_what_was_before_a_task_counts(
    matrix: list[list[float]], value: float
):
    other = [list(row) for row in matrix]
    other[-1][-1] = value
    other[0][1:] = [value] * (len(matrix) - 1)  # tasks that were not trained yet
    assert analysis.forgetting(other) == pytest.approx(analysis.forgetting(matrix), abs=1e-9)


@pytest.mark.parametrize("matrix", [[], [[0.5]], [[0.5, 0.5]], [[0.5], [0.5, 0.5]]])
def test_what_is_no_matrix_of_tasks_is_refused(matrix: list[list[float]]):
    with pytest.raises(InputError, match="no square matrix"):
        analysis.forgetting(matrix)


def test_a_score_that_is_missing_is_refused():
    with pytest.raises(InputError, match="not possible; give a matrix"):
        analysis.average_accuracy([[0.5, math.nan], [0.5, 0.5]])
