"""A sweep: learned and retained against one quantity, such as the learning rate.

Two panels with one horizontal axis, what is learned on the left. A line runs through the mean
over seeds; its band reaches from the lowest to the highest seed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from ftlab.base.shares import percent
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import MEASURES, field, find, fold, last, number, numbers
from ftlab.show.canvas.labels import Label, end_labels, point_labels
from ftlab.show.canvas.sheet import DPI, Picture, head, note, percent_axis, row, text_width, write
from ftlab.show.canvas.style import SOFT, TINY, Mark, method_mark, value_text, words
from ftlab.show.plots.curves import PANELS

QUANTITIES = {
    "lr": "peak learning rate",
    "steps": "training steps",
    "examples": "examples seen",
    "rows": "examples in the training set",
    "batch_size": "examples per step",
    "rank": "rank r of LoRA",
    "share": "share of replay",
    "sparsity": "share of weights removed",
    "frozen": "blocks frozen",
}
Folded = tuple[float, float, float]  # mean, lowest, highest


@dataclass(frozen=True)
class _Series:
    """One line: the mean and range of both measures at each place of the swept quantity."""

    mark: Mark
    named: bool
    places: tuple[float, ...]
    values: dict[str, tuple[Folded, ...]]


@own_settings()
def sweep(rows: Iterable[Any], x: str, *, log: bool = False, title: str | None = None) -> Picture:
    """Learned and retained against the numbers `x`, one line per method.

    `rows`: mappings with the keys `x`, "target_score", "retention" and perhaps "method", or
    records; rows that agree in method and `x` are seeds of one point. `log` asks for a
    logarithmic axis, which is used only if every value is above 0.
    """
    groups: dict[tuple[str, float], list[Any]] = {}
    for item in rows:
        if (value := number(find(item, x))) == value:
            groups.setdefault((str(field(item, "method", "")), value), []).append(item)
    series = _series(groups)
    ticks = {place: value_text(place, x) for place in sorted({place for _, place in groups})}
    log = log and min(ticks, default=0.0) > 0
    many, counts = len(series) > 1, sorted({len(group) for group in groups.values()}) or [0]
    seeds, told = counts[-1], "-".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    label = QUANTITIES.get(x, words(x))
    figure = Picture(9.0, 4.0, title=title)
    room = text_width([one.mark.label for one in series]) + 0.35 if many else 0.3
    panels = row(figure, [room, room], bottom=0.76 if seeds > 1 else 0.55)
    for axes, key, texts in zip(panels, MEASURES, PANELS, strict=True):
        percent_axis(axes)
        axes.set_ylim(-0.03, max([1.1, *(v[2] + 0.1 for one in series for v in one.values[key])]))
        head(axes, *texts)
        _horizontal(axes, ticks, log)
        axes.set_xlabel(label + (" (log scale)" if log else ""))
        _draw(axes, series, key)
    if seeds > 1:
        band = f"line: mean, band: lowest to highest of {told} seeds"
        write(figure, 8.86, 0.15, band, ha="right", fontsize=TINY, color=SOFT)
    figure.alt = alt_sweep(series, ticks, label)
    return figure


def _series(groups: Mapping[tuple[str, float], Sequence[Any]]) -> list[_Series]:
    """The rows of each (method, place), which are its seeds, as lines."""
    lines = []
    for method in dict.fromkeys(method for method, _ in groups):
        here = sorted(place for other, place in groups if other == method)
        columns = {
            key: tuple(
                fold([value for item in groups[method, at] for value in numbers(find(item, key))])
                for at in here
            )
            for key in MEASURES
        }
        lines.append(_Series(method_mark(method or "full"), bool(method), tuple(here), columns))
    return lines


def _horizontal(axes: Axes, ticks: Mapping[float, str], log: bool) -> None:
    """The swept values as ticks; those that would run into each other are left out."""
    if log:
        axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = min(ticks, default=0.0), max(ticks, default=0.0)
    if log:
        margin = (high / low) ** 0.09 if high > low else 2.0
        axes.set_xlim(low / margin, high * margin)
    else:
        margin = 0.09 * (high - low) or 1.0
        axes.set_xlim(low - margin, high + margin)
    if len(ticks) > 12 and not log:
        return  # so many numbers: matplotlib's own round ticks read better
    shown: dict[float, str] = {}
    free = float("inf")  # left edge of the last tick label written, in pixels
    for place, text in sorted(ticks.items(), reverse=True):
        half = text_width([text]) / 2 * DPI + 4
        pixel = axes.transData.transform((place, 0))[0]
        if pixel + half <= free:
            shown[place], free = text, pixel - half
    axes.set_xticks(list(shown), list(shown.values()))


def _draw(axes: Axes, series: Sequence[_Series], key: str) -> None:
    """Lines with bands; numbers at the points of a single line, names at the ends of several."""
    ends = []
    for line in series:
        mark, folded = line.mark, line.values[key]
        rows = [(p, *v) for p, v in zip(line.places, folded, strict=True) if v[0] == v[0]]
        if not rows:
            continue
        at, middle, low, high = (list(column) for column in zip(*rows, strict=True))
        axes.fill_between(at, low, high, color=mark.colour, alpha=0.18, linewidth=0)
        axes.plot(at, middle, color=mark.colour, marker=mark.marker, markersize=6, linewidth=2.2,
                  clip_on=False)  # fmt: skip
        ends.append(Label(at[-1], middle[-1], mark.label, mark.colour))
        if len(series) == 1 and len(rows) <= 9:
            _numbers(axes, at, middle)
    if len(series) > 1:
        end_labels(axes, ends)
    if not ends:
        note(axes, "nothing measured yet")


def _numbers(axes: Axes, at: Sequence[float], middle: Sequence[float]) -> None:
    """Each value beside its point, clear of the line."""
    points = list(zip(at, middle, strict=True))
    spots = axes.transData.transform(points)  # (N, 2) in pixels
    way = [spot for a, b in pairwise(spots) for spot in np.linspace(a, b, 20)]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in way]
    frame = axes.get_window_extent()
    taken.append((frame.x1 + 10, frame.y0, frame.x1 + DPI, frame.y1))  # the next panel's ticks
    point_labels(axes, [Label(x, y, percent(y)) for x, y in points], taken)


def alt_sweep(series: Sequence[_Series], ticks: Mapping[float, str], label: str) -> str:
    """The sweep in words: both measures at both ends of every line."""
    if not series:
        return f"Two empty panels: no run with a {label} has been measured yet."
    text = f"Two panels against {label}, from {ticks[min(ticks)]} to {ticks[max(ticks)]}"
    for line in series:
        learned, retained = (_ends(line.values[key]) for key in MEASURES)
        text += f"; {f'{line.mark.label}: ' if line.named else ''}"
        text += f"learned {learned}, retained {retained}"
    return text + "."


def _ends(folded: Sequence[Folded]) -> str:
    """A line in words: "goes from 90 % to 20 %"."""
    middle = [value for value, *_ in folded if value == value]
    if len(middle) < 2:
        return f"is {percent(last(middle))}"
    return f"goes from {percent(middle[0])} to {percent(middle[-1])}"
