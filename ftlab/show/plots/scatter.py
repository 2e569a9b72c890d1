"""Points of two quantities, and the curve that was fitted to them."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite

import numpy as np

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import number
from ftlab.show.canvas.sheet import Picture, head, note, row
from ftlab.show.canvas.style import INK, METHODS, marks


@own_settings()
def scatter(
    groups: Mapping[str, Sequence[tuple[float, float]]],
    *,
    name: str,
    reading: str,
    xlabel: str,
    curve: Callable[[float], float] | None = None,
    ends: tuple[float, float] | None = None,
    title: str | None = None,
) -> Picture:
    """Each group's (x, y) as pale marks; a group that is a method has that method's colour.

    `name` stands over the panel, `reading` says under it what upward means; `curve` gives y of x
    between `ends` (None: all that is drawn). Points with a missing number are left out.
    """
    looks = marks(groups, METHODS)
    there = {
        key: [(x, y) for x, y in points if isfinite(number(x)) and isfinite(number(y))]
        for key, points in groups.items()
    }
    figure = Picture(9.0, 4.0, title=title)
    (axes,) = row(figure, [0.3])
    head(axes, name, reading)
    axes.set_xlabel(xlabel)
    every = [point for points in there.values() for point in points]
    for key, points in there.items():
        if points:
            axes.plot(
                *zip(*points, strict=True), linestyle="", marker=looks[key].marker, markersize=5,
                color=looks[key].colour, alpha=0.45, label=looks[key].label,
            )  # fmt: skip
    ends = ends or (min((x for x, _ in every), default=0), max((x for x, _ in every), default=0))
    if every and curve is not None:
        xs = np.linspace(*ends, 200)
        axes.plot(xs, [curve(float(x)) for x in xs], color=INK, linewidth=1.8)
    if len(there) > 1:
        axes.legend(frameon=False, loc="upper left")
    if not every:
        note(axes, "nothing measured yet")
    figure.alt = alt_scatter(there, name, xlabel, curve, ends)
    return figure


def alt_scatter(
    groups: Mapping[str, Sequence[tuple[float, float]]],
    name: str,
    xlabel: str,
    curve: Callable[[float], float] | None,
    ends: tuple[float, float],
) -> str:
    """The points in words: how many, where they begin and end; the curve at both its ends."""
    every = sorted(point for points in groups.values() for point in points)
    if not every:
        return f"{name}: nothing measured yet."
    (left, _), (right, _) = every[0], every[-1]
    text = f"{name}: {len(every)} points, {xlabel} from {left:.3g} to {right:.3g}, y from "
    text += f"{min(y for _, y in every):.3g} to {max(y for _, y in every):.3g}"
    if curve is not None:
        low, high = ends
        text += f"; the curve goes from {curve(low):.3g} at {low:.3g}"
        text += f" to {curve(high):.3g} at {high:.3g}"
    return f"{text}."
