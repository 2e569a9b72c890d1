"""Several tasks in a row as a heat map: a row for each task that was trained, a column for each.

    task_matrix(row.matrix, row.tasks, retained=row.retained)
    recorded_matrix(setting.runs)          of recorded sequences, means over the seeds
    with Live(row.total, draw=lambda steps: task_matrix(row.matrix, ...)) as live: ...

Every cell says its number, so that colour never speaks alone. Framed: the task that was just
trained. Right of the frame, in grey: tasks that are still to come. A matrix may be short of rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from ftlab.analysis.sequences import average_accuracy, backward_transfer, forgetting
from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import Picture, head, panel, text_width
from ftlab.show.canvas.style import INK, PAPER, SOFT, TEXT, words

BLUE = LinearSegmentedColormap.from_list("learned", [PAPER, "#0072B2"])
GREEN = LinearSegmentedColormap.from_list("retained", [PAPER, "#00795C"])
WIDE, HIGH, GAP = 1.1, 0.48, 0.35  # inches: a cell, its height, a gap
AFTER = "after"


@own_settings()
def task_matrix(
    matrix: Sequence[Sequence[float]],
    tasks: Sequence[str],
    *,
    retained: Sequence[float] = (),
    title: str | None = None,
    measured: str = "accuracy",
    after: str = AFTER,
) -> Picture:
    """a[i][j], `measured` on task j `after` task i, in shares; beside it what is `retained`.

    Raises InputError for rows that are no row of the tasks.
    """
    if len(matrix) > len(tasks) or any(len(row) != len(tasks) for row in matrix):
        raise InputError(
            f"The matrix does not fit its {len(tasks)} tasks; give at most as many rows, each with "
            "a share for each task."
        )
    count, names = len(tasks), [f"{after} {words(task)}" for task in tasks]
    left = text_width(names, TEXT) + 0.25
    figure = Picture(left + (count + 1) * WIDE + GAP + 0.2, 0.75 + count * HIGH + 0.55, title=title)
    axes = panel(figure, left, 0.6, count * WIDE, count * HIGH)
    reading = _sums(matrix, after)
    head(axes, f"{measured[0].upper()}{measured[1:]} on each task", reading, left=left)
    _cells(axes, [list(row) for row in matrix], count, BLUE, later=after == AFTER)
    _names(axes, [words(task) for task in tasks], names)
    for i in range(len(matrix)):
        look = {"facecolor": "none", "edgecolor": INK, "linewidth": 1.8}
        axes.add_patch(Rectangle((i - 0.47, i - 0.45), 0.94, 0.9, **look))
    beside = panel(figure, left + count * WIDE + GAP, 0.6, WIDE, count * HIGH)
    _cells(beside, [[share] for share in retained], 1, GREEN, high=count)
    _names(beside, ["retained"], [])
    figure.alt = _alt(matrix, tasks, retained, measured, after, title)
    return figure


def recorded_matrix(
    runs: Sequence[Any], *, title: str | None = None, cross: bool = False
) -> Picture:
    """The matrix of recorded sequences that differ in their seed alone, means over the seeds.

    `cross`: of one adapter per task, each adapter on each task. Raises InputError for other runs.
    """
    found, key = [run.extra.get("sequence", {}) for run in runs], "cross" if cross else "matrix"
    if not found or any(key not in one for one in found):
        what = "with one adapter per task" if cross else "of several tasks"
        raise InputError(
            f'These are no recorded sequences {what}; take those of analysis.shipped("sequence").'
        )
    matrix = np.mean([one[key] for one in found], axis=0).tolist()
    retained = np.mean([one["retained"] for one in found], axis=0).tolist()
    after = "with the adapter of" if cross else "after"
    return task_matrix(matrix, found[0]["tasks"], retained=retained, title=title, after=after)


def _cells(
    axes: Axes, rows: list[list[float]], wide: int, colours: LinearSegmentedColormap, *,
    high: int = 0, later: bool = False,
) -> None:  # fmt: skip
    """A coloured cell with its number for each share, grey where its task is still to come
    (`later`); what is not there yet stays empty."""
    high = high or wide
    shares = np.full((high, wide), np.nan)
    for i, row in enumerate(rows):
        shares[i] = row
    for i, j in np.ndindex(high, wide):
        share = shares[i, j]
        there = share == share
        shade = min(max(share, 0.0), 1.0) if there else 0.0
        place, look = (j - 0.48, i - 0.46), {"edgecolor": SOFT, "linewidth": 0.5}
        if not there:
            axes.add_patch(Rectangle(place, 0.96, 0.92, fill=False, linestyle=(0, (2, 3)), **look))
            continue
        axes.add_patch(Rectangle(place, 0.96, 0.92, facecolor=colours(shade), **look))
        ink = PAPER if shade > 0.88 else SOFT if later and j > i else INK
        axes.text(j, i, percent(float(share)), ha="center", va="center", fontsize=TEXT, color=ink)
    axes.set(xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5))


def _names(axes: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    axes.set_xticks(range(len(columns)), columns, fontsize=TEXT)
    axes.set_yticks(range(len(rows)), rows, fontsize=TEXT)
    axes.tick_params(length=0)
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(False)


def _sums(matrix: Sequence[Sequence[float]], after: str) -> str:
    """The whole matrix in numbers, signs stated; where it is not whole how to read it."""
    if after != AFTER:
        return "framed: each on its own task; higher is better"
    if not matrix or len(matrix) < len(matrix[0]):
        return "framed: the task just trained; higher is better"
    average, lost, bwt = average_accuracy(matrix), forgetting(matrix), backward_transfer(matrix)
    return (
        f"at the end {percent(average)} on average; forgetting {100 * lost:+.0f} points (+ is bad),"
        f" BWT {100 * bwt:+.0f}"
    )


def _alt(
    matrix: Sequence[Sequence[float]], tasks: Sequence[str], retained: Sequence[float],
    measured: str, after: str, title: str | None,
) -> str:  # fmt: skip
    lines = []
    for i, row in enumerate(matrix):
        shares = (f"{words(task)} {percent(a)}" for task, a in zip(tasks, row, strict=True))
        left = f", retained {percent(retained[i])}" if i < len(retained) else ""
        lines.append(f"{after} {words(tasks[i])}: {', '.join(shares)}{left}")
    told = f"{title}. " if title else ""
    end = f"; {_sums(matrix, after)}" if len(matrix) == len(tasks) and after == AFTER else ""
    return (
        f"{told}{measured[0].upper()}{measured[1:]} {'; '.join(lines) or 'not measured yet'}{end}."
    )
