"""The plane: what was learned (to the right) against what was kept (upward).

Every run is one point. The upper right corner is where a remedy should lie: it learns the new
task and keeps the old skills. Over several seeds a point is their mean, and thin bars reach
from the lowest to the highest seed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import field, find, guess, mean, number, numbers
from ftlab.show.canvas.labels import Box, Label, point_labels
from ftlab.show.canvas.sheet import LIFT, Picture, head, heading, note, panel, percent_axis
from ftlab.show.canvas.style import GOOD, PREDICTION, method_mark, percent, shorten

READING = "upward: share of the base's skills that is left (higher is better)"
Scores = float | Sequence[float]  # one seed, or one number per seed


@dataclass(frozen=True)
class Point:
    """One run, or one method over several seeds, in the plane."""

    method: str  # chooses colour and marker
    target: Scores  # target score, 0..1
    retention: Scores  # share of the base's skills kept
    label: str | None = None  # words beside the point; the method's name if not given


@dataclass(frozen=True)
class _Spot:
    """A point with its seeds folded into mean, lowest and highest."""

    method: str
    label: str
    x: tuple[float, float, float]  # mean, low, high
    y: tuple[float, float, float]
    seeds: int


@own_settings
def plane(
    points: Iterable[Any],
    *,
    base: Any = None,
    prediction: Any = None,
    title: str | None = None,
) -> Picture:
    """Points of learned x retained.

    `points`: `Point`s, or mappings with the keys method, target (or target_score), retention
    and perhaps label. `base`: the base model's target score, or (target score, retention).
    `prediction`: a retention, or (target score, retention). Points with a missing number are
    left out of the picture and named in the alt text. Records serve as points, too.
    """
    given = [_spot(point) for point in points]
    spots = [spot for spot in given if spot.x[0] == spot.x[0] and spot.y[0] == spot.y[0]]
    start, expected = _base(base), guess(prediction)
    figure = Picture(9.0, 5.0 + (LIFT if title else 0))
    axes = panel(figure, 0.66, 0.62, 6.2, 3.74)
    top = max([1.0, *(spot.y[2] for spot in spots)])
    percent_axis(axes, "x")
    percent_axis(axes, "y", top)
    axes.set_ylim(-0.03, top + 0.11)
    axes.grid(True, axis="x", color="#EEEEEE", linewidth=0.8)
    axes.set_xlabel("right answers to new questions (further right is better)")
    head(axes, "Learned and kept", READING)
    _corner(axes, top)
    labels = [_draw(axes, spot) for spot in spots] + _extras(axes, start, expected)
    point_labels(axes, labels, _lines(axes, spots, expected))
    if not labels:
        note(axes, "no run to show yet")
    heading(figure, title)
    figure.alt = alt_plane(given, start, expected)
    return figure


def _spot(point: Any) -> _Spot:
    """A point read from a `Point` or a mapping."""
    method = str(field(point, "method", "unnamed"))
    target = numbers(field(point, "target", find(point, "target_score")))
    kept = numbers(find(point, "retention"))
    label = field(point, "label", field(point, "name", method_mark(method).label))
    label = shorten(str(label), 34)
    return _Spot(method, label, _fold(target), _fold(kept), max(len(target), len(kept)))


def _fold(values: tuple[float, ...]) -> tuple[float, float, float]:
    """Mean, lowest, highest; NaN where there is nothing."""
    middle = mean(values)
    return middle, min(values, default=middle), max(values, default=middle)


def _base(base: Any) -> tuple[float, float] | None:
    """The base model's place: retention is 1 by definition where it is not given."""
    if base is None:
        return None
    pair = tuple(base) if isinstance(base, Sequence) else (base, 1.0)
    return number(pair[0]), number(pair[1])


def _corner(axes: Axes, top: float) -> None:
    """The good corner: shaded, and named above the panel where no point can lie."""
    low, high = 0.8, top + 0.11
    axes.add_patch(Rectangle((low, low), 0.24, high - low, color="#E4F3EC", zorder=0, lw=0))
    axes.annotate(
        "the good corner", (1.04, high), (0, 5), textcoords="offset points", ha="right",
        va="bottom", fontsize=9.5, color=GOOD, fontweight="bold", annotation_clip=False,
    )  # fmt: skip


def _draw(axes: Axes, spot: _Spot) -> Label:
    """The mark of a point and the bars over its seeds; returns the words for it."""
    mark = method_mark(spot.method)
    (x, left, right), (y, low, high) = spot.x, spot.y
    for ends in (([left, right], [y, y]), ([x, x], [low, high])):
        axes.plot(*ends, color=mark.colour, linewidth=1.4, alpha=0.6, clip_on=False)
    letter = mark.marker.startswith("$")
    size = 13 if mark.marker == "*" else 10 if letter else 9
    axes.plot(
        [x], [y], marker=mark.marker, markersize=size, color=mark.colour, linestyle="",
        markeredgecolor=mark.colour if letter else "white", markeredgewidth=0.8, clip_on=False,
        zorder=3,
    )  # fmt: skip
    return Label(x, y, spot.label, mark.colour)


def _extras(axes: Axes, start: tuple[float, float] | None, expected) -> list[Label]:
    """The base model's star and the learner's prediction."""
    labels = []
    if start and start[0] == start[0] and start[1] == start[1]:
        (x, y), label = start, method_mark("base").label
        labels.append(_draw(axes, _Spot("base", label, (x, x, x), (y, y, y), 1)))
    target, kept = expected
    look = {"color": PREDICTION, "linewidth": 1.4, "dashes": (4, 3), "zorder": 1}
    if kept == kept:
        axes.axhline(kept, **look)
        labels.append(Label(1.04, kept, f"predicted {percent(kept)} kept", PREDICTION))
    if target == target:
        axes.axvline(target, **look)
        labels.append(Label(target, -0.01, f"predicted {percent(target)} learned", PREDICTION))
    return labels


def _lines(axes: Axes, spots: Sequence[_Spot], expected) -> list[Box]:
    """Error bars and the prediction's lines as boxes in pixels, for labels to keep clear of."""
    ends = []
    for spot in spots:
        (x, left, right), (y, low, high) = spot.x, spot.y
        ends += [((left, y), (right, y)), ((x, low), (x, high))]
    target, kept = expected
    if kept == kept:
        ends.append(((-0.03, kept), (1.04, kept)))
    if target == target:
        ends.append(((target, -0.03), (target, 1.04)))
    corners = [axes.transData.transform(pair) for pair in ends]
    return [(a[0] - 2, a[1] - 2, b[0] + 2, b[1] + 2) for a, b in corners]


def alt_plane(spots: Sequence[_Spot], start, expected) -> str:
    """The plane in words: every point with its two numbers, best corner first."""
    missing = [spot.label for spot in spots if spot.x[0] + spot.y[0] != spot.x[0] + spot.y[0]]
    there = [spot for spot in spots if spot.label not in missing]
    there.sort(key=lambda spot: -(spot.x[0] + spot.y[0]))
    text = "A plane, learned to the right and kept upward"
    if not there:
        text += ", with no run in it yet"
    for spot in there:
        several = f" (mean of {spot.seeds} seeds)" if spot.seeds > 1 else ""
        text += f"; {spot.label}: {percent(spot.x[0])} learned, {percent(spot.y[0])} kept{several}"
    text += "."
    if start:
        text += f" The base model starts at {percent(start[0])} learned, {percent(start[1])} kept."
    if expected[1] == expected[1]:
        text += f" The prediction was {percent(expected[1])} kept."
    return text + (f" Not measured: {', '.join(missing)}." if missing else "")
