"""The plane: what was learned (to the right) against what was retained (upward).

Every run is one point; a good remedy lies in the upper right corner. Over several seeds a point is
their mean, and thin bars reach from the lowest to the highest.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ftlab.base.shares import model_name, percent
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import field, find, fold, has_some, number, numbers
from ftlab.show.canvas.labels import Label, boxes, point_labels
from ftlab.show.canvas.sheet import HIGHER, LEARNED, RETAINED, Picture, note, panel, plane_axes
from ftlab.show.canvas.style import GOOD, SMALL, Mark, marks, method_mark, shorten

Scores = float | Sequence[float]  # one seed, or one number per seed


@dataclass(frozen=True)
class Point:
    """One run, or one method over several seeds, in the plane."""

    method: str  # chooses colour and marker
    target: Scores | None  # learned: accuracy on the new task, 0..1
    retention: Scores | None  # retained: share of the base's skills
    label: str | None = None  # words beside the point; the method's name if not given
    line: str | None = None  # points of one line are joined, and only the first one has its name


@dataclass(frozen=True)
class _Spot:
    """A point with its seeds folded into mean, lowest and highest."""

    method: str
    label: str
    x: tuple[float, float, float]  # mean, low, high
    y: tuple[float, float, float]
    seeds: int = 1
    line: str | None = None

    @property
    def bars(self) -> tuple[Any, ...]:
        """From the lowest seed to the highest, across and up."""
        (x, left, right), (y, low, high) = self.x, self.y
        return ((left, y), (right, y)), ((x, low), (x, high))


@own_settings()
def plane(
    points: Iterable[Any],
    *,
    base: float | Sequence[float] | None = None,
    model: str | None = None,
    title: str | None = None,
    learned: str = LEARNED,
    crop: bool = False,
) -> Picture:
    """Points of learned x retained.

    `points`: `Point`s, or mappings with the keys method, target (or target_score), retention
    and perhaps label; or records. `base`: what the base model has learned, or (learned, retained).
    `model`: its name, for the heading; that of records is known. `learned`: what stands under the
    plane. `crop` begins both axes a little below the lowest point. Points with a missing number are
    left out of the picture and named in the alt text.
    """
    points = list(points)
    given = [_spot(point) for point in points]
    spots = [spot for spot in given if spot.x[0] == spot.x[0] and spot.y[0] == spot.y[0]]
    start, model = _base(base), model_name(model or _model(points))
    figure = Picture(9.0, 5.0, title=title)
    axes = panel(figure, 0.66, 0.62, 6.2, 3.74)
    top = max([1.0, *(spot.y[2] for spot in spots)])
    name = f"{model}: learned and retained" if model else "Learned and retained"
    plane_axes(axes, name, f"upward: {RETAINED} {HIGHER}", top)
    axes.set_xlabel(learned)
    if crop:
        _crop(axes, [*spots, *start], top)
    _corner(axes, top)
    taken = [(at, at) for at in _join(axes, spots)]
    taken += [bar for spot in spots for bar in spot.bars]
    methods = dict.fromkeys(spot.method for spot in [*start, *spots])
    looks = marks(methods, {name: method_mark(name) for name in methods})
    labels = [_draw(axes, spot, looks[spot.method]) for spot in [*_named_once(spots), *start]]
    point_labels(axes, labels, boxes(axes, taken))
    if not labels:
        note(axes, "no run to show yet")
    figure.alt = alt_plane(given, start, model)
    return figure


def _model(points: Sequence[Any]) -> str | None:
    """The model that all of these were trained from, if they say so."""
    names = {field(point, "model") for point in points}
    return names.pop() if len(names) == 1 else None


def _spot(point: Any) -> _Spot:
    """A point read from a `Point`, a mapping or a record."""
    has_some(point, "a point", "method", "target", "target_score", "retention")
    method = str(field(point, "method", "unnamed"))
    target = numbers(field(point, "target", find(point, "target_score")))
    retained = numbers(find(point, "retention"))
    label = field(point, "label", field(point, "name", method_mark(method).label))
    seeds = max(len(target), len(retained))
    line = field(point, "line")
    return _Spot(method, shorten(str(label), 34), fold(target), fold(retained), seeds, line)


def _base(base: Any) -> list[_Spot]:
    """The base model's place: it retains all by definition where that is not given."""
    x, y = base if isinstance(base, Sequence) else (base, 1.0)
    spot = _Spot("base", method_mark("base").label, fold([number(x)]), fold([number(y)]))
    return [spot] if number(x) == number(x) and number(y) == number(y) else []


def _crop(axes: Axes, spots: Sequence[_Spot], top: float) -> None:
    """Leave out what lies below the twentieth under the lowest point, where no point is."""
    low_x, low_y = (
        max(0.0, math.floor(20 * (min([0.95, *ends]) - 0.02)) / 20)
        for ends in ([spot.x[1] for spot in spots], [spot.y[1] for spot in spots])
    )
    axes.set_xlim(low_x - 0.01, 1.04)
    axes.set_ylim(low_y - 0.01, top + min(0.06, (top - low_y) / 4))
    for axis, low in ((axes.xaxis, low_x), (axes.yaxis, low_y)):
        if low >= 0.75:
            axis.set_ticks([tick / 20 for tick in range(round(20 * low), 21)])


def _corner(axes: Axes, top: float) -> None:
    """The good corner: shaded, and named above the panel where no point can lie."""
    low, high = 0.8, axes.get_ylim()[1]
    axes.add_patch(Rectangle((low, low), 0.24, high - low, color="#E4F3EC", zorder=0, lw=0))
    axes.annotate(
        "the good corner", (1.04, high), (0, 5), textcoords="offset points", ha="right",
        va="bottom", fontsize=SMALL, color=GOOD, fontweight="bold", annotation_clip=False,
    )  # fmt: skip


def _join(axes: Axes, spots: Sequence[_Spot]) -> list[Any]:
    """A pale line through the points that belong together, in order; places all along it."""
    along = []
    for line in dict.fromkeys(spot.line for spot in spots if spot.line):
        joined = [spot for spot in spots if spot.line == line]
        xs, ys = [spot.x[0] for spot in joined], [spot.y[0] for spot in joined]
        axes.plot(xs, ys, color=method_mark(joined[0].method).colour, alpha=0.3, linewidth=1.2)
        at = np.linspace(0, len(xs) - 1, 40 * len(xs))
        along += zip(*(np.interp(at, range(len(xs)), values) for values in (xs, ys)), strict=True)
    return along


def _named_once(spots: Sequence[_Spot]) -> list[_Spot]:
    """The spots with the name of a line taken off the labels of all but its first."""
    first = {spot.line: spot for spot in reversed(spots)}
    return [
        replace(spot, label=spot.label.removeprefix(f"{spot.line}, "))
        if spot.line and first[spot.line] is not spot
        else spot
        for spot in spots
    ]


def _draw(axes: Axes, spot: _Spot, mark: Mark) -> Label:
    """The mark of a point and the bars over its seeds; returns the words for it."""
    x, y = spot.x[0], spot.y[0]
    for bar in spot.bars:
        axes.plot(*zip(*bar, strict=True), color=mark.colour, linewidth=1.4, alpha=0.6,
                  clip_on=False)  # fmt: skip
    letter = mark.marker.startswith("$")
    size = 13 if mark.marker == "*" else 10 if letter else 9
    axes.plot(
        [x], [y], marker=mark.marker, markersize=size, color=mark.colour, linestyle="",
        markeredgecolor=mark.colour if letter else "white", markeredgewidth=0.8, clip_on=False,
        zorder=3,
    )  # fmt: skip
    return Label(x, y, spot.label, mark.colour)


def alt_plane(spots: Sequence[_Spot], start: Sequence[_Spot], model: str | None = None) -> str:
    """The plane in words: every point with both measures, best corner first."""
    missing = [spot.label for spot in spots if spot.x[0] + spot.y[0] != spot.x[0] + spot.y[0]]
    there = [spot for spot in spots if spot.label not in missing]
    there.sort(key=lambda spot: -(spot.x[0] + spot.y[0]))
    text = f"A plane{f' of {model}' if model else ''}, learned to the right and retained upward"
    if not there:
        text += ", with no run in it yet"
    for spot in there:
        text += f"; {spot.label}: {_both(spot)}"
        text += f" (mean of {spot.seeds} seeds)" if spot.seeds > 1 else ""
    text += "." + "".join(f" The base model starts at {_both(spot)}." for spot in start)
    return text + (f" Not measured: {', '.join(missing)}." if missing else "")


def _both(spot: _Spot) -> str:
    return f"{percent(spot.x[0])} learned, {percent(spot.y[0])} retained"
