"""Plain lines: one quantity against another, a line per name, named at its end.

For what has no plot of its own: learning rates over a run, a probe's score over the layers, the
size of the first steps. A band may be given with a line (lowest to highest).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import number
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import Picture, head, note, percent_axis, row, text_width
from ftlab.show.canvas.style import METHODS, Mark, marks

Line = Sequence[tuple[Any, ...]]
"""(x, y) or (x, y, lowest, highest), point by point."""


@own_settings()
def lines(
    series: Mapping[str, Line],
    *,
    name: str,
    reading: str,
    xlabel: str,
    percent: bool = False,
    whole: bool = False,
    title: str | None = None,
) -> Picture:
    """Each of `series` as a line; a name that is a method has that method's colour.

    `name` stands over the panel, `reading` says under it what upward means, `percent` puts
    shares on a scale from 0 to 1, `whole` leaves whole numbers at the ticks below.
    """
    looks = marks(series, METHODS)
    figure = Picture(9.0, 3.7, title=title)
    (axes,) = row(figure, [text_width([mark.label for mark in looks.values()]) + 0.4])
    head(axes, name, reading)
    axes.set_xlabel(xlabel)
    if percent:
        percent_axis(axes)
    if whole:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    ends = []
    for key, points in series.items():
        there, mark = _there(points), looks[key]
        if not there:
            continue
        at, values, *band = zip(*there, strict=True)
        if len(band) == 2:
            axes.fill_between(at, band[0], band[1], color=mark.colour, alpha=0.18, linewidth=0)
        few = mark.marker if len(there) <= 40 else ""
        axes.plot(at, values, color=mark.colour, marker=few, markersize=5, linewidth=2.0)
        ends.append(Label(at[-1], values[-1], mark.label, mark.colour))
    end_labels(axes, ends)
    if not ends:
        note(axes, "nothing measured yet")
    figure.alt = alt_lines(series, looks, name, xlabel)
    return figure


def _there(points: Line) -> list[tuple[Any, ...]]:
    """The points that were measured."""
    return [point for point in points if number(point[1]) == number(point[1])]


def alt_lines(series: Mapping[str, Line], looks: Mapping[str, Mark], name: str, xlabel: str) -> str:
    """The lines in words: where each begins, its highest point, and where it ends."""
    text = f"{name}, against {xlabel}"
    for key, points in series.items():
        values = [(point[0], number(point[1])) for point in _there(points)]
        if not values:
            text += f"; {looks[key].label}: nothing measured"
            continue
        top = max(values, key=lambda pair: pair[1])
        text += (
            f"; {looks[key].label}: from {values[0][1]:.3g} to {values[-1][1]:.3g}, "
            f"highest {top[1]:.3g} at {top[0]:g}"
        )
    return f"{text}."
