"""The two-number plot: what a run has learned and what it has retained, step by step.

Left: accuracy on the new task. Right: the share of the base model's skills that is left (0 = no
better than guessing, 1 = as good as before), thin for each skill and thick for their mean. Neither
is ever drawn without the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ftlab.base.shares import percent
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import Curve, curve, field, guess, has_some, last, number
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import HIGHER, Picture, head, note, percent_axis, row, text_width
from ftlab.show.canvas.style import INK, PREDICTION, Mark, method_mark, skill_marks

PANELS = (
    ("Learned", f"accuracy on the new task {HIGHER}"),
    ("Retained", f"share of the base's skills {HIGHER}"),
)


@dataclass(frozen=True)
class _Line:
    """A line and how it is drawn; `mark.label` stands at its end."""

    values: tuple[float, ...]
    mark: Mark
    width: float = 1.3
    bold: bool = False


@own_settings()
def two_numbers(
    steps: Iterable[Any],
    *,
    prediction: Any = None,
    title: str | None = None,
    method: str = "full",
    total: int | None = None,
    final: Mapping[str, Any] | None = None,
) -> Picture:
    """Learned and retained over training steps, from a run or the part run so far.

    `steps`: Step objects or the dicts of a record's curve. `prediction`: what the learner expects
    to be retained (0..1), or (learned, retained). `total`: the last step planned, so that the axis
    of a live plot stands still. `final`: a record's last measurement, which asks the test items and
    every probe where the lines ask fewer and others; a star of its own.
    """
    steps = [has_some(step, "a step", "step", "measured") for step in steps]
    run, expected = curve(steps), guess(prediction)
    reached = number(field(steps[-1], "step", 0)) if steps else 0
    late = total is None and run.steps and reached > run.steps[-1]
    after = f"; stopped at {reached:g}" if late else ""
    sides = list(zip((_learned(run, method), _retained(run)), expected, strict=True))
    ends = (final["target_score"], final["retention"]) if final else (None, None)
    figure = Picture(9.0, 4.0, title=title)
    end = max([*run.steps, reached, total or 0, 1])
    panels = row(figure, [_room(lines) for lines, _ in sides])
    for axes, (name, reading), (lines, guessed), tested in zip(
        panels, PANELS, sides, ends, strict=True
    ):
        axes.set_xlim(-0.02 * end, end * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(f"training steps{after}")
        percent_axis(axes, top=max([1.0, *(v for line in lines for v in line.values if v == v)]))
        head(axes, name, reading)
        _draw(axes, run.steps, lines, guessed, tested, reached)
    figure.alt = alt_two_numbers(run, expected, title)
    if after:
        figure.alt += f" The run was stopped at step {reached:g}, later than it was last measured."
    if final:
        learned, retained = (percent(number(end)) for end in ends)
        figure.alt += f" In the test after it: {learned} learned, {retained} retained."
    return figure


def _learned(run: Curve, method: str) -> list[_Line]:
    """The lines on the left."""
    look = method_mark(method)
    cases = Mark(look.colour, look.marker, "new cases", (0, (3, 2)))
    items = Mark(look.colour, look.marker, "all new items")
    return [_Line(run.held, cases), _Line(run.learned, items, 2.6, True)]


def _retained(run: Curve) -> list[_Line]:
    """The lines on the right."""
    marks = skill_marks(run.skills)
    skills = [_Line(values, marks[name]) for name, values in run.skills.items()]
    return [*skills, _Line(run.retained, Mark(INK, "o", "mean"), 3.0, True)]


def _room(lines: Sequence[_Line]) -> float:
    """Inches for the labels, as if each said 100 %: a live plot must not jump."""
    there = [line.mark.label for line in lines if last(line.values) == last(line.values)]
    return text_width([f"{name} 100 %" for name in [*there, "predicted"]]) + 0.36


def _draw(
    axes: Axes,
    steps: Sequence[float],
    lines: Sequence[_Line],
    expected: float,
    tested: float | None,
    reached: float,
) -> None:
    """The lines, named at their ends, the learner's prediction across, the test's star."""
    size = 5.0 if len(steps) <= 12 else 3.5 if len(steps) <= 40 else 0.0
    labels = []
    for line in lines:
        mark, value = line.mark, last(line.values)
        if value != value:
            continue
        there = [(x, y) for x, y in zip(steps, line.values, strict=True) if y == y]
        axes.plot(
            *zip(*there, strict=True), color=mark.colour, marker=mark.marker, markersize=size,
            linestyle=mark.dash, linewidth=line.width, clip_on=False,
        )  # fmt: skip
        words = f"{mark.label} {percent(value)}"
        labels.append(Label(there[-1][0], value, words, mark.colour, line.bold))
    if tested is not None:
        axes.plot(
            reached, tested, "*", markersize=15, color=INK, markeredgecolor="white",
            zorder=9, clip_on=False,
        )  # fmt: skip
        labels.append(Label(reached, tested, f"★ in the test {percent(tested)}", INK))
    if expected == expected:
        axes.axhline(expected, color=PREDICTION, linewidth=1.6, dashes=(4, 3), zorder=1)
        labels.append(Label(0, expected, f"predicted {percent(expected)}", PREDICTION))
    if not steps:
        note(axes, "nothing measured yet")
    end_labels(axes, labels)


def alt_two_numbers(run: Curve, expected: tuple[float, float], title: str | None = None) -> str:
    """The plot in two or three sentences, with its numbers and which way they went."""
    start = f"{title}: two" if title else "Two"
    if not run.steps:
        return f"{start} empty panels: nothing has been measured yet."
    text = (
        f"{start} panels up to training step {run.steps[-1]:g}. Learned: accuracy on the new task "
        f"{_way(run.learned)}. Retained: the share of the base's skills {_way(run.retained)} on "
        "average"
    )
    marks = skill_marks(run.skills)
    ends = {n: value for n, v in run.skills.items() if (value := last(v)) == value}
    low, high = (pick(ends, key=lambda n: ends[n], default="") for pick in (min, max))
    if ends and percent(ends[low]) != percent(ends[high]):
        text += (
            f"; least of {marks[low].label} ({percent(ends[low])}), most of "
            f"{marks[high].label} ({percent(ends[high])})"
        )
    pairs = zip(expected, ("learned", "retained"), strict=True)
    guesses = [f"{percent(value)} {what}" for value, what in pairs if value == value]
    return f"{text}." + (f" The prediction was {' and '.join(guesses)}." if guesses else "")


def _way(values: Sequence[float]) -> str:
    """How a column went: "rose from 0 % to 95 %"."""
    there = [value for value in values if value == value]
    if not there:
        return "was not measured"
    if len(there) == 1 or percent(there[0]) == percent(there[-1]):
        return f"{'is' if len(there) == 1 else 'stayed'} at {percent(there[-1])}"
    verb = "rose" if there[-1] > there[0] else "fell"
    return f"{verb} from {percent(there[0])} to {percent(there[-1])}"
