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
from ftlab.show.canvas.sheet import (
    LIFT,
    Picture,
    head,
    heading,
    note,
    percent_axis,
    row,
    text_width,
)
from ftlab.show.canvas.style import METHODS, SPARE, Mark, method_mark, shorten, words

Line = Sequence[tuple[Any, ...]]
"""(x, y) or (x, y, lowest, highest), point by point."""


@own_settings
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
    shares on a scale from 0 to 1, `whole` keeps the ticks below at whole numbers.
    """
    marks = _marks(list(series))
    figure = Picture(9.0, 3.7 + (LIFT if title else 0))
    room = text_width(figure, [mark.label for mark in marks.values()]) + 0.4
    (axes,) = row(figure, [room], top=0.64 + (LIFT if title else 0))
    head(axes, name, reading)
    axes.set_xlabel(xlabel, fontsize=9.5, labelpad=3)
    if percent:
        percent_axis(axes)
    if whole:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    ends = []
    for key, points in series.items():
        there = [point for point in points if number(point[1]) == number(point[1])]
        if not there:
            continue
        at, values = [p[0] for p in there], [p[1] for p in there]
        if len(there[0]) == 4:
            low, high = [p[2] for p in there], [p[3] for p in there]
            axes.fill_between(at, low, high, color=marks[key].colour, alpha=0.18, linewidth=0)
        few = marks[key].marker if len(there) <= 40 else ""
        axes.plot(at, values, color=marks[key].colour, marker=few, markersize=5, linewidth=2.0)
        ends.append(Label(at[-1], values[-1], marks[key].label, marks[key].colour))
    end_labels(axes, ends)
    if not ends:
        note(axes, "nothing measured yet")
    heading(figure, title)
    figure.alt = alt_lines(series, marks, name, xlabel)
    return figure


def _marks(names: Sequence[str]) -> dict[str, Mark]:
    """A mark for every line: that of its method, else the spare ones in turn."""
    marks: dict[str, Mark] = {}
    for key in names:
        if key in METHODS:
            marks[key] = method_mark(key)
            continue
        colour, marker = SPARE[len(marks) % len(SPARE)]
        marks[key] = Mark(colour, marker, shorten(words(key), 30))
    return marks


def alt_lines(series: Mapping[str, Line], marks: Mapping[str, Mark], name: str, xlabel: str) -> str:
    """The lines in words: where each begins, its highest point, and where it ends."""
    text = f"{name}, against {xlabel}"
    for key, points in series.items():
        values = [(p[0], number(p[1])) for p in points if number(p[1]) == number(p[1])]
        if not values:
            text += f"; {marks[key].label}: nothing measured"
            continue
        top = max(values, key=lambda pair: pair[1])
        text += (
            f"; {marks[key].label}: from {values[0][1]:.3g} to {values[-1][1]:.3g}, "
            f"highest {top[1]:.3g} at {top[0]:g}"
        )
    return f"{text}."
