"""What no slider of the rank explorer changes: drawn once, and laid behind every picture.

    behind, (skills, plane) = sheet(explorer)
    figure = Picture(WIDTH, HEIGHT, behind=behind)
    over(figure, plane).plot(...)

On the sheet: the headings, the blocks at rest, the two panels with their axes, and all recorded
runs as dots with the line that none of them beats. Most of the words stand here, and words are
what takes matplotlib long: a picture over a sheet is ready in less than half the time. `over`
gives axes at the same place with the same limits and nothing of their own, to draw marks in.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ftlab.explorer.explorer import Explorer
from ftlab.explorer.recorded import Recorded
from ftlab.show.canvas import sheet as canvas
from ftlab.show.canvas.agg import own_settings, pixels
from ftlab.show.canvas.sheet import EDGE, Picture, panel
from ftlab.show.canvas.style import GOOD, SMALL, SOFT, skill_marks
from ftlab.show.plots.blocks import WIDE, Cell, blocks
from ftlab.show.plots.recorded import PALE

WIDTH, HEIGHT = 9.8, 6.0  # inches
TOP, BLOCKS = 5.45, 4.53  # of the plan's words, and the foot of its boxes
NAMES = ("embeddings", *map(str, range(1, 13)), "head")
FROZEN = Cell("frozen", "#F4F4F4", SOFT, "#9A9A9A", True)
"""A box in which nothing trains."""
MOST = 1.05
"""A skill that gained, so that more than this is retained, is drawn here."""
Frame = dict[str, Any]  # where axes stand, and their limits


@lru_cache(maxsize=8)
@own_settings()
def sheet(explorer: Explorer, live: bool = False) -> tuple[np.ndarray, tuple[Frame, Frame]]:
    """All that stays the same as pixels, (height, width, 4); the frames of skills and plane.

    Beside a `live` run there is room for a second column of numbers.
    """
    figure = Picture(WIDTH, HEIGHT)
    canvas.write_head(figure, EDGE, TOP, "The plan", "")
    blocks(figure, BLOCKS, [FROZEN] * len(NAMES), WIDE, names=NAMES)
    skills, plane = panel(figure, 1.5, 0.55, 2.75, 3.0), panel(figure, 5.25, 0.55, 4.3, 3.0)
    _skills(skills, explorer.points[0], 2.0 if live else 1.3)
    _plane(plane, explorer)
    return pixels(figure), (_frame(skills), _frame(plane))


def _frame(axes: Axes) -> Frame:
    return {"rect": axes.get_position().bounds, "xlim": axes.get_xlim(), "ylim": axes.get_ylim()}


def over(figure: Picture, frame: Frame) -> Axes:
    """Axes in that frame that show nothing of their own."""
    axes = figure.add_axes(**frame)
    axes.set_axis_off()
    return axes


def _skills(axes: Axes, point: Recorded, limit: float) -> None:
    """A row for the task, and one for each skill."""
    names = ["learned", *(mark.label for mark in skill_marks(point.kept).values())]
    canvas.head(axes, "Learned, and retained by skill", "further right is better", left=1.5)
    canvas.percent_axis(axes, "x")
    canvas.bar_axes(axes, names, SMALL)
    axes.grid(False)
    axes.set_xticks([0, 0.5, 1])
    axes.set_xlim(0, limit)
    axes.axhline(0.5, color="#C8C8C8", linewidth=0.8)


def _plane(axes: Axes, explorer: Explorer) -> None:
    """Every recorded run as a dot."""
    title = f"{explorer.header.get('model')}: all recorded runs"
    canvas.plane_axes(axes, title, "upward: retained; line: none is better in both")
    xs = [point.target_score for point in explorer.points]
    ys = [min(point.retention, MOST) for point in explorer.points]
    axes.plot(xs, ys, linestyle="", marker="o", markersize=3, color=PALE, zorder=1)
    axes.plot(*zip(*frontier(explorer.points), strict=True), color=GOOD, linewidth=1.3, zorder=2)


def frontier(points: Sequence[Recorded]) -> list[tuple[float, float]]:
    """The recorded points that no other beats in both measures, from left to right."""
    best: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: (-p.target_score, -p.retention)):
        if not best or point.retention > best[-1][1]:
            best.append((point.target_score, min(point.retention, MOST)))
    return best[::-1]
