"""What no slider of the rank explorer changes: drawn once, and laid behind every picture.

    figure = Picture(WIDTH, HEIGHT, behind=sheet(explorer))
    skills, plane = over(figure, SKILL_ROWS), over(figure, PLANE)

On the sheet: the headings, the blocks at rest, the two panels with their axes, and all recorded
runs as dots with the line that none of them beats. Most of the words stand here, and words are
what takes matplotlib long: a picture over a sheet is ready in less than half the time. `over`
gives axes at the same place with the same limits and nothing of their own, to draw marks in.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes

from ftlab.explorer.explorer import Explorer
from ftlab.explorer.recorded import Recorded
from ftlab.show.canvas.agg import own_settings, pixels
from ftlab.show.canvas.sheet import EDGE, LIFT, Picture, head, heading, panel, percent_axis
from ftlab.show.canvas.style import INK, SKILLS, SOFT
from ftlab.show.plots.blocks import WIDE, Cell, blocks
from ftlab.show.plots.recorded import write

WIDTH, HEIGHT = 9.8, 6.0  # inches
TOP, BLOCKS = 5.45, 4.53  # of the plan's words, and the foot of its boxes
NAMES = ("embeddings", *map(str, range(1, 13)), "head")
STILL = Cell("still", "#F4F4F4", SOFT, "#9A9A9A", True)
"""A box in which nothing trains."""
MOST = 1.05
"""A share kept above this (a skill that gained) is drawn here."""


@dataclass(frozen=True)
class Place:
    """Where a panel stands, in inches, and its limits."""

    left: float
    width: float
    x: tuple[float, float]
    y: tuple[float, float]
    bottom: float = 0.55
    height: float = 3.0


PLANE = Place(5.25, 4.3, (-0.03, 1.04), (-0.03, 1.13))


def skill_rows(count: int, live: bool) -> Place:
    """The panel of `count` rows, with room for a second column of numbers beside a live run."""
    return Place(1.5, 2.75, (0, 1.75 if live else 1.3), (count - 0.5, -0.5))


def over(figure: Picture, place: Place) -> Axes:
    """Axes at that place that show nothing of their own."""
    wide, high = figure.get_size_inches()
    box = place.left / wide, place.bottom / high, place.width / wide, place.height / high
    axes = figure.add_axes(box, xlim=place.x, ylim=place.y)
    axes.set_axis_off()
    return axes


@lru_cache(maxsize=8)
def sheet(explorer: Explorer, live: bool = False, title: str | None = None) -> np.ndarray:
    """The pixels of all that stays the same, as (height, width, 4)."""
    return _drawn(explorer, live, title)


@own_settings
def _drawn(explorer: Explorer, live: bool, title: str | None) -> np.ndarray:
    figure = Picture(WIDTH, HEIGHT + (LIFT if title else 0.0))
    write(figure, EDGE, TOP + 24 / 72, "The plan", fontsize=11.5, fontweight="bold", va="baseline")
    blocks(figure, BLOCKS, [STILL] * len(NAMES), WIDE, names=NAMES)
    _skills(figure, explorer, live)
    _plane(figure, explorer)
    heading(figure, title)
    return pixels(figure)


def _panel(figure: Picture, place: Place) -> Axes:
    return panel(figure, place.left, place.bottom, place.width, place.height)


def _skills(figure: Picture, explorer: Explorer, live: bool) -> None:
    names = row_names(explorer.points[0])
    place = skill_rows(len(names), live)
    axes = _panel(figure, place)
    head(axes, "Learned, and kept by skill", "further right is better", left=place.left)
    axes.grid(False)
    percent_axis(axes, "x")
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=place.x, ylim=place.y)
    axes.axhline(0.5, color="#C8C8C8", linewidth=0.8)


def row_names(point: Recorded) -> list[str]:
    """The rows of the panel of skills: the task first."""
    return ["right answers", *(SKILLS[n].label if n in SKILLS else n for n in point.kept)]


def _plane(figure: Picture, explorer: Explorer) -> None:
    axes = _panel(figure, PLANE)
    head(axes, "Among all recorded runs", "upward: skills kept; line: none is better in both")
    percent_axis(axes, "x")
    percent_axis(axes, "y")
    axes.set(xlim=PLANE.x, ylim=PLANE.y)
    axes.set_xlabel(
        "right answers to new questions; further right is better", fontsize=9.5, labelpad=2,
        color=INK,
    )  # fmt: skip
    xs = [point.target_score for point in explorer.points]
    ys = [min(point.retention, MOST) for point in explorer.points]
    axes.plot(xs, ys, linestyle="", marker="o", markersize=3, color="#C2C2C2", zorder=1)
    best = frontier(explorer.points)
    axes.plot([p[0] for p in best], [p[1] for p in best], color="#00795C", linewidth=1.3, zorder=2)


def frontier(points: Sequence[Recorded]) -> list[tuple[float, float]]:
    """The recorded points that no other beats in both numbers, from left to right."""
    best: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: (-p.target_score, -p.retention)):
        if not best or point.retention > best[-1][1]:
            best.append((point.target_score, min(point.retention, MOST)))
    return best[::-1]
