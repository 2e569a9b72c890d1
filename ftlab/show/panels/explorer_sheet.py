"""The rank explorer's two charts: the plane of all recorded runs, and what one slider does.

    plane(explorer, marks)      learned to the right, retained upward; `marks` on it
    along(name, stops)          learned and retained at every stop of the slider `name`

Of the plane all that no slider changes (axes, words, the dots of all recorded runs and the line
that none of them beats) is drawn once, and lies behind every picture: words are what takes
matplotlib long.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ftlab.explorer.explorer import Explorer
from ftlab.explorer.recorded import Recorded
from ftlab.show.canvas import sheet as canvas
from ftlab.show.canvas.agg import own_settings, pixels
from ftlab.show.canvas.data import field
from ftlab.show.canvas.labels import Label, point_labels
from ftlab.show.canvas.sheet import Picture, panel
from ftlab.show.canvas.style import GOOD, MEASURED, PAPER, SMALL
from ftlab.show.plots.recorded import PALE

WIDTH, HEIGHT = 2.85, 2.7  # inches of each chart
PLACE = (0.6, 0.46, 2.08, 1.7)  # of its panel
MOST = 1.05
"""A skill that gained, so that more than this is retained, is drawn here."""
LIVE = "#3B3B98"
Way = Sequence[tuple[float, float]]  # points (learned, retained), in their order


@dataclass(frozen=True)
class Mark:
    """A point on the plane with its words; `way`: the points that led there."""

    at: tuple[float, float]
    words: str
    colour: str
    marker: str = "D"
    hollow: bool = False
    off: tuple[float, float] | None = None
    way: Way = ()


@dataclass(frozen=True)
class Stop:
    """One stop of a slider: what was recorded or is estimated there, and what was trained now."""

    words: str
    known: Any
    recorded: bool
    here: bool = False
    now: Any = None
    part: bool = False
    """Is `now` of fewer steps than were asked for?"""


@own_settings()
def plane(explorer: Explorer, marks: Sequence[Mark]) -> Picture:
    """The marks among all recorded runs."""
    behind, frame = sheet(explorer)
    figure = Picture(WIDTH, HEIGHT, behind=behind)
    axes = figure.add_axes(**frame)
    axes.set_axis_off()
    for mark in marks:
        if mark.way:
            axes.plot(*zip(*mark.way, strict=True), color=mark.colour, lw=1.4, marker=".", zorder=4)
        if mark.off:
            bars: dict[str, Any] = {"xerr": mark.off[0], "yerr": mark.off[1]}
            axes.errorbar(*mark.at, **bars, color=mark.colour, linewidth=1.2, capsize=3, zorder=3)
        axes.plot(
            *mark.at, marker=mark.marker, markersize=13 if mark.marker == "*" else 8, zorder=5,
            markerfacecolor=PAPER if mark.hollow else mark.colour, markeredgecolor=mark.colour,
            markeredgewidth=1.6, clip_on=False,
        )  # fmt: skip
    point_labels(axes, [Label(*m.at, m.words, m.colour) for m in marks], halo=True)
    return figure


@lru_cache(maxsize=4)
@own_settings()
def sheet(explorer: Explorer) -> tuple[np.ndarray, dict[str, Any]]:
    """The plane without a mark as pixels, (height, width, 4), and where its axes stand."""
    figure = Picture(WIDTH, HEIGHT)
    axes = panel(figure, *PLACE)
    title = f"{explorer.header.get('model')}: recorded runs"
    canvas.plane_axes(axes, title, "up: retained; line: best recorded")
    axes.set_xlabel("learned")
    axes.set_xticks([0, 0.5, 1])
    xs = [point.target_score for point in explorer.points]
    ys = [min(point.retention, MOST) for point in explorer.points]
    axes.plot(xs, ys, linestyle="", marker="o", markersize=3, color=PALE, zorder=1)
    axes.plot(*zip(*frontier(explorer.points), strict=True), color=GOOD, linewidth=1.3, zorder=2)
    limits = {"xlim": axes.get_xlim(), "ylim": axes.get_ylim()}
    return pixels(figure), {"rect": axes.get_position().bounds, **limits}


def frontier(points: Sequence[Recorded]) -> list[tuple[float, float]]:
    """The recorded points that no other beats in both measures, from left to right."""
    best: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: (-p.target_score, -p.retention)):
        if not best or point.retention > best[-1][1]:
            best.append((point.target_score, min(point.retention, MOST)))
    return best[::-1]


@own_settings()
def along(name: str, stops: Sequence[Stop]) -> Picture:
    """Both measures at every stop; pale: recorded (hollow: estimated), stars: trained now (hollow:
    so far)."""
    figure = Picture(WIDTH, HEIGHT)
    axes = panel(figure, *PLACE)
    canvas.percent_axis(axes, "y")
    canvas.head(axes, name[:1].upper() + name[1:], "")
    xs = range(len(stops))
    axes.set_xticks(xs, [stop.words for stop in stops])
    axes.set_xlim(-0.4, len(stops) - 0.6)
    for at in (i for i in xs if stops[i].here):
        axes.axvline(at, color=PALE, linewidth=1.2, zorder=0)
    for key in MEASURED:
        _curve(axes, stops, key)
    return figure


def _curve(axes: Axes, stops: Sequence[Stop], key: str) -> None:
    colour, marker, words = MEASURED[key].colour, MEASURED[key].marker, MEASURED[key].label
    ys = [min(field(stop.known, key), MOST) for stop in stops]
    axes.plot(range(len(ys)), ys, color=colour, alpha=0.35, linewidth=1.6, zorder=1)
    for full in (True, False):
        some = [i for i, stop in enumerate(stops) if stop.recorded is full]
        face = colour if full else PAPER
        look: dict[str, Any] = {"marker": marker, "markersize": 5, "linestyle": "", "alpha": 0.6}
        axes.plot(some, [ys[i] for i in some], color=colour, markerfacecolor=face, **look)
    now = [(i, min(field(stop.now, key), MOST)) for i, stop in enumerate(stops) if stop.now]
    if now:
        axes.plot(*zip(*now, strict=True), color=colour, zorder=4)
    for at, y in now:
        face = PAPER if stops[at].part else colour
        axes.plot(at, y, color=colour, marker="*", markersize=11, markerfacecolor=face, zorder=5)
    say = {"transform": axes.transAxes, "color": colour, "fontsize": SMALL}
    axes.text(-0.2 if marker == "o" else 0.2, 1 + 10 / 72 / PLACE[3], words, **say)
