"""A sweep: both numbers against one quantity, such as the learning rate.

Two panels with one horizontal axis: what is learned on the left, what is kept on the right. A
line runs through the mean over seeds; its band reaches from the lowest to the highest seed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import field, find, last, mean, number, numbers
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import (
    DPI,
    LIFT,
    Picture,
    head,
    heading,
    note,
    percent_axis,
    row,
    text_width,
)
from ftlab.show.canvas.style import INK, SOFT, Mark, method_mark, percent, plain, words

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
PANELS = (
    ("target_score", "What it learns", "right answers to new questions (higher is better)"),
    ("retention", "What it keeps", "share of the base's skills that is left (higher is better)"),
)


Groups = dict[tuple[str, float], list[Any]]  # (method, place) -> the rows of its seeds


@dataclass(frozen=True)
class _Series:
    """One line: the mean and range of a number at each place of the swept quantity."""

    method: str
    places: tuple[float, ...]
    values: dict[str, tuple[tuple[float, float, float], ...]]  # number -> (mean, low, high)


@own_settings
def sweep(
    rows: Iterable[Any],
    x: str,
    *,
    log: bool = False,
    xlabel: str | None = None,
    title: str | None = None,
) -> Picture:
    """Target score and retention against `x`, a line per method, a band over seeds.

    `rows`: records, or mappings with `x`, "target_score", "retention" and perhaps "method";
    rows that agree in method and `x` are seeds of one point. Values of `x` that are no numbers
    are set side by side in the order given. `log` asks for a logarithmic axis, which is used
    only if every value is above 0.
    """
    rows = [item for item in rows if find(item, x) is not None]
    values = list(dict.fromkeys(find(item, x) for item in rows))
    numeric = all(number(value) == number(value) for value in values)
    values = sorted(values, key=number) if numeric else values
    log = log and numeric and all(number(value) > 0 for value in values)
    places = {value: number(value) if numeric else float(i) for i, value in enumerate(values)}
    groups: Groups = {}
    for item in rows:
        key = str(field(item, "method", "")), places[find(item, x)]
        groups.setdefault(key, []).append(item)
    series = _series(groups)
    figure = Picture(9.0, 4.0 + (LIFT if title else 0))
    names = [_mark(one).label for one in series] if len(series) > 1 else []
    room = text_width(figure, names) + 0.35 if names else 0.15
    label = xlabel or QUANTITIES.get(x, words(x))
    seeds = max(map(len, groups.values()), default=0)
    frame = {"top": 0.64 + (LIFT if title else 0), "bottom": 0.76 if seeds > 1 else 0.55}
    for axes, (name, *texts) in zip(row(figure, [room, room], **frame), PANELS, strict=True):
        percent_axis(axes)
        axes.set_ylim(-0.03, max([1.1, *(v[2] + 0.1 for one in series for v in one.values[name])]))
        head(axes, texts[0], texts[1])
        _horizontal(axes, places, log)
        axes.set_xlabel(label + (" (log scale)" if log else ""), fontsize=9.5, labelpad=3)
        _draw(axes, series, name)
    heading(figure, title)
    if seeds > 1:
        words_on_band = f"line: mean, band: lowest to highest of {seeds} seeds"
        figure.text(0.985, 0.025, words_on_band, ha="right", fontsize=8.5, color=SOFT)
    figure.alt = alt_sweep(series, places, label)
    return figure


def _series(groups: Groups) -> list[_Series]:
    """Groups of seeds sorted into lines."""
    lines = []
    for method in dict.fromkeys(method for method, _ in groups):
        here = sorted(place for other, place in groups if other == method)
        columns = {
            name: tuple(_fold(groups[method, place], name) for place in here) for name, *_ in PANELS
        }
        lines.append(_Series(method, tuple(here), columns))
    return lines


def _fold(seeds: Sequence[Any], name: str) -> tuple[float, float, float]:
    """Mean, lowest and highest over the seeds of one point."""
    there = [value for item in seeds for value in numbers(find(item, name))]
    middle = mean(there)
    return middle, min(there, default=middle), max(there, default=middle)


def _mark(line: _Series) -> Mark:
    return method_mark(line.method or "full")


def _horizontal(axes: Axes, places: dict[Any, float], log: bool) -> None:
    """The swept values as ticks; those that would run into each other are left out."""
    if log:
        axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    if not places:
        axes.set_xticks([])
        return
    low, high = min(places.values()), max(places.values())
    if log:
        margin = (high / low) ** 0.09 if high > low else 2.0
        axes.set_xlim(low / margin, high * margin)
    else:
        margin = 0.09 * (high - low) or 1.0
        axes.set_xlim(low - margin, high + margin)
    if not log and len(places) > 12 and all(value == place for value, place in places.items()):
        return  # so many numbers: matplotlib's own round ticks read better
    figure = axes.get_figure()
    assert isinstance(figure, Picture)
    kept: dict[float, str] = {}
    free = float("inf")  # left edge of the last tick label written, in pixels
    for value, place in sorted(places.items(), key=lambda item: -item[1]):
        half = text_width(figure, [plain(value)]) / 2 * figure.dpi + 4
        pixel = axes.transData.transform((place, 0))[0]
        if pixel + half <= free:
            kept[place], free = plain(value), pixel - half
    axes.set_xticks(list(kept), list(kept.values()))


def _draw(axes: Axes, series: Sequence[_Series], name: str) -> None:
    """Lines with bands; numbers at the points of a single line, names at the ends of several."""
    ends = []
    for line in series:
        mark, folded = _mark(line), line.values[name]
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
    """Each value beside its point, on the side that the line leaves free.

    Of points closer than half an inch only the last is told.
    """
    pixels = [axes.transData.transform((x, 0))[0] for x in at]
    gaps = [b - a for a, b in pairwise(pixels)] + [DPI]
    for i, (x, y) in enumerate(zip(at, middle, strict=True)):
        if gaps[i] < DPI / 2:
            continue
        before = y - middle[i - 1] if i else 0.0  # rise into the point
        after = middle[i + 1] - y if i + 1 < len(middle) else 0.0  # rise out of it
        valley = before < -0.02 and after > 0.02
        across = 0 if before * after < 0 or abs(before + after) < 0.04 else before + after
        if i == 0 and across > 0:  # the axis stands on the left: below, if there is room
            across, valley = (-1, True) if y > 0.08 else (0, False)
        side = "center" if across == 0 else "right" if across > 0 else "left"
        axes.annotate(
            percent(y),
            (x, y),
            (0 if across == 0 else -3 if across > 0 else 3, -9 if valley else 8),
            textcoords="offset points",
            ha=side,
            va="top" if valley else "bottom",
            fontsize=8.5,
            color=INK,
            annotation_clip=False,
        )


def alt_sweep(series: Sequence[_Series], places: dict[Any, float], label: str) -> str:
    """The sweep in words: both numbers at both ends of every line."""
    if not series:
        return f"Two empty panels: no run with a {label} has been measured yet."
    names = {place: plain(value) for value, place in places.items()}
    text = f"Two panels against {label}, from {names[min(names)]} to {names[max(names)]}"
    for line in series:
        learned, kept = (line.values[name] for name, *_ in PANELS)
        who = f"{_mark(line).label}: " if line.method else ""
        text += f"; {who}learned {_ends(learned)}, kept {_ends(kept)}"
    return text + "."


def _ends(folded: Sequence[tuple[float, float, float]]) -> str:
    """A line in words: "goes from 90 % to 20 %"."""
    middle = [value for value, *_ in folded if value == value]
    if len(middle) < 2:
        return f"is {percent(last(middle))}"
    return f"goes from {percent(middle[0])} to {percent(middle[-1])}"
