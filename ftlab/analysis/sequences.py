"""Several tasks in a row, in three numbers, from a[i][j]: accuracy on task j after task i of T.

    average_accuracy(a)      mean over j of a[T-1][j]                     higher is better
    forgetting(a)            mean over j < T-1 of a[j][j] - a[T-1][j]     + is bad, - is a gain
    backward_transfer(a)     BWT = -forgetting                            + is good, - is a loss
    just_learned(a)          mean over j of a[j][j]                       higher is better

Signs differ between projects; these are Avalanche's (`evaluation/metrics/forgetting_bwt.py`). In
Mammoth forgetting counts from the best score there ever was, so it is never below 0. The last task
has had no time to be forgotten, and is left out of both. So, for T tasks,

    average_accuracy = just_learned - (T - 1) / T * forgetting

Source of BWT: Lopez-Paz and Ranzato, Gradient episodic memory (2017), equation 3.
Run the tests: pytest tests/analysis/test_sequences.py
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Annotated

from ftlab.base.errors import InputError

Matrix = Annotated[Sequence[Sequence[float]], "a matrix, a row for each task that was trained"]
"""T rows of T accuracies, 0 to 1: row i after task i, column j on task j."""


def average_accuracy(matrix: Matrix) -> float:
    """Mean accuracy over all tasks after the last. Raises InputError as `forgetting`."""
    return fmean(_square(matrix)[-1])


def just_learned(matrix: Matrix) -> float:
    """Mean accuracy on each task right after it was trained. Raises InputError as `forgetting`."""
    return fmean(row[i] for i, row in enumerate(_square(matrix)))


def forgetting(matrix: Matrix) -> float:
    """How much lower the earlier tasks are at the end than right after they were trained.

    Raises InputError for what is no square matrix of at least two tasks.
    """
    *before, last = _square(matrix)
    return fmean(row[j] - last[j] for j, row in enumerate(before))


def backward_transfer(matrix: Matrix) -> float:
    """BWT: what later tasks added to earlier ones; below 0 where they took. As `forgetting`."""
    return -forgetting(matrix)


def _square(matrix: Matrix) -> Matrix:
    size = len(matrix)
    if size < 2 or any(len(row) != size for row in matrix):
        shape = ", ".join(str(len(row)) for row in matrix)
        raise InputError(
            f"{size} rows with {shape or 'no'} columns are no square matrix of tasks; give T rows "
            "of T accuracies, for at least two tasks."
        )
    return matrix
