"""The two-number plot: what a run learns, and what it keeps, step by step.

Left: the share of new questions answered rightly. Right: retention, that is the share of the
base model's skill that is left (0 = no better than guessing, 1 = as good as before), thin for
each skill and thick for their mean. Neither number is ever drawn without the other.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import Curve, curve, guess, last
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
from ftlab.show.canvas.style import INK, PREDICTION, method_mark, percent, skill_marks


@own_settings
def two_numbers(
    steps: Iterable[Any],
    *,
    prediction: Any = None,
    title: str | None = None,
    method: str = "full",
    total: int | None = None,
) -> Picture:
    """Target score and retention over training steps, from a run or the part run so far.

    `steps`: Step objects or the dicts of a record's curve. `prediction`: the retention the
    learner expects (0..1), or (target score, retention). `total`: the last step planned, so
    that the axis of a live plot stands still.
    """
    run, expected = curve(steps), guess(prediction)
    left, right = _learned(run, expected[0], method), _kept(run, expected[1])
    figure = Picture(9.0, 4.0 + (LIFT if title else 0))
    rooms = [_room(figure, side) for side in (left, right)]
    one, two = row(figure, rooms, top=0.64 + (LIFT if title else 0))
    end = max([*run.steps, total or 0, 1])
    for axes in (one, two):
        axes.set_xlim(-0.02 * end, end * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("training steps", fontsize=9.5, labelpad=3)
    _draw_learned(one, run, expected[0], method)
    top = max([1.0, *(v for values in run.kept.values() for v in values), *run.retention])
    _draw_kept(two, run, expected[1], top)
    end_labels(one, left)
    end_labels(two, right)
    heading(figure, title)
    figure.alt = alt_two_numbers(run, expected, title)
    return figure


def _room(figure: Picture, labels: Sequence[Label]) -> float:
    """Inches for the labels, as if each said 100 %: a live plot must not jump."""
    names = [label.text.rsplit(" ", 2)[0] + " 100 %" for label in labels]
    return text_width(figure, names) + 0.36


def _learned(run: Curve, expected: float, method: str) -> list[Label]:
    """Labels for the ends of the lines on the left."""
    colour, at = method_mark(method).colour, _end(run)
    labels = []
    if last(run.target) == last(run.target):
        value = last(run.target)
        labels.append(Label(at, value, f"new items {percent(value)}", colour, True))
    if last(run.held) == last(run.held):
        labels.append(Label(at, last(run.held), f"new cases {percent(last(run.held))}", colour))
    if expected == expected:
        labels.append(Label(at, expected, f"predicted {percent(expected)}", PREDICTION))
    return labels


def _kept(run: Curve, expected: float) -> list[Label]:
    """Labels for the ends of the lines on the right."""
    marks, at, labels = skill_marks(run.kept), _end(run), []
    for name, values in run.kept.items():
        text = f"{marks[name].label} {percent(last(values))}"
        labels.append(Label(at, last(values), text, marks[name].colour))
    value = last(run.retention)
    labels.append(Label(at, value, f"mean {percent(value)}", INK, True))
    if expected == expected:
        labels.append(Label(at, expected, f"predicted {percent(expected)}", PREDICTION))
    return [label for label in labels if label.y == label.y]


def _end(run: Curve) -> float:
    return run.steps[-1] if run.steps else 0.0


def _size(run: Curve) -> float:
    """Markers shrink as points grow in number."""
    return 5.0 if len(run.steps) <= 12 else 3.5 if len(run.steps) <= 40 else 0.0


def _line(axes: Axes, steps: Sequence[float], values: Sequence[float], **look) -> None:
    """A line over the values that are there."""
    there = [(x, y) for x, y in zip(steps, values, strict=True) if y == y]
    if there:
        axes.plot(*zip(*there, strict=True), clip_on=False, **look)


def _expect(axes: Axes, expected: float) -> None:
    """The learner's prediction as a dashed line across the panel."""
    if expected == expected:
        axes.axhline(expected, color=PREDICTION, linewidth=1.6, dashes=(4, 3), zorder=1)


def _draw_learned(axes: Axes, run: Curve, expected: float, method: str) -> None:
    mark = method_mark(method)
    percent_axis(axes)
    head(axes, "What it learns", "right answers to new questions (higher is better)")
    _expect(axes, expected)
    look = {"color": mark.colour, "marker": mark.marker, "markersize": _size(run)}
    _line(axes, run.steps, run.held, linewidth=1.2, dashes=(3, 2), **look)
    _line(axes, run.steps, run.target, linewidth=2.6, **look)
    if not run.steps:
        note(axes, "nothing measured yet")


def _draw_kept(axes: Axes, run: Curve, expected: float, top: float) -> None:
    percent_axis(axes, top=top)
    head(axes, "What it keeps", "share of the base's skill that is left (higher is better)")
    _expect(axes, expected)
    for name, mark in skill_marks(run.kept).items():
        look = {"color": mark.colour, "marker": mark.marker, "markersize": _size(run) * 0.8}
        _line(axes, run.steps, run.kept[name], linewidth=1.3, linestyle=mark.dash, **look)
    _line(axes, run.steps, run.retention, color=INK, linewidth=3, marker="o", markersize=_size(run))
    if not run.steps:
        note(axes, "nothing measured yet")


def alt_two_numbers(run: Curve, expected: tuple[float, float], title: str | None = None) -> str:
    """The plot in two or three sentences, with its numbers and which way they went."""
    start = f"{title}: two" if title else "Two"
    if not run.steps:
        return f"{start} empty panels: nothing has been measured yet."
    text = (
        f"{start} panels up to training step {run.steps[-1]:g}. Learned: right answers to new "
        f"questions {_way(run.target)}. Kept: the base's skills {_way(run.retention)} on average"
    )
    ends = {name: last(values) for name, values in run.kept.items()}
    ends = {name: value for name, value in ends.items() if value == value}
    marks = skill_marks(run.kept)
    low, high = (pick(ends, key=lambda n: ends[n], default="") for pick in (min, max))
    if ends and percent(ends[low]) != percent(ends[high]):
        text += (
            f"; least is left of {marks[low].label} ({percent(ends[low])}), most of "
            f"{marks[high].label} ({percent(ends[high])})"
        )
    guesses = [
        f"{percent(value)} {what}"
        for value, what in zip(expected, ("learned", "kept"), strict=True)
        if value == value
    ]
    return f"{text}." + (f" The prediction was {' and '.join(guesses)}." if guesses else "")


def _way(values: Sequence[float]) -> str:
    """How a column went: "rose from 0 % to 95 %"."""
    there = [value for value in values if value == value]
    if not there:
        return "were not measured"
    if len(there) == 1 or percent(there[0]) == percent(there[-1]):
        return f"{'stand' if len(there) == 1 else 'stayed'} at {percent(there[-1])}"
    verb = "rose" if there[-1] > there[0] else "fell"
    return f"{verb} from {percent(there[0])} to {percent(there[-1])}"
