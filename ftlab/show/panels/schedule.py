"""Notebook 02's schedule designer: peak, warmup and shape, and what was recorded for them.

    schedule_panel(nano).show()                         with controls
    schedule_outcome(1e-3, 10, "cosine", found=nano)    one picture of it

Left the learning rate over the run, with its area; right what runs with that very curve kept and
learned. A curve that was never run has no point: the two nearest recorded ones stand in, and are
called so. Near means that the curves overlap:

    overlap = sum of the lower rate of each step / sum of the higher rate of each step

Run the tests: pytest tests/show/test_designers.py
"""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes

from ftlab.base.errors import InputError
from ftlab.plan import SCHEDULES
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import LIFT, Picture, head, heading, row
from ftlab.show.canvas.style import METHODS, SOFT, percent, plain
from ftlab.show.panels.panel import Panel, choice, slider
from ftlab.show.plots.recorded import Found, both_told, how_near, nearest, outcomes
from ftlab.train.schedules import lr_factors

PEAKS = (3e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 5e-4, 7e-4, 1e-3, 2e-3, 3e-3)
WARMUPS = (0, 5, 10, 20, 30, 40, 50)
TOPS = (1e-4, 3e-4, 1e-3, 3e-3)  # few heights of the axis, so that a higher peak looks higher
SWEEPS = ("learning rate", "schedule", "equal area", "warmup")
COLOUR = METHODS["schedule"].colour
Rates = list[float]


@own_settings
def schedule_outcome(
    peak: float = 1e-3,
    warmup: int = 10,
    shape: str = "cosine",
    *,
    found: Iterable[Any],
    title: str | None = None,
) -> Picture:
    """The curve of a schedule and what was recorded for it, or nearest to it.

    `found`: recorded settings (`measure.compare.settings`). Raises InputError where they hold no
    full fine-tuning, or for a shape or warmup that is not possible.
    """
    recorded = _recorded(found)
    steps = recorded[0].runs[0].plan["steps"]
    asked = rates(peak, warmup, shape, steps)
    chosen = nearest([_near(setting, asked) for setting in recorded])
    lift = LIFT if title else 0.0
    figure = Picture(9.6, 3.8 + lift)
    left, right = row(figure, [1.75, 0.35], left=0.66, top=0.64 + lift)
    head(left, "Learning rate", f"shaded: its area, {sum(asked):.3g} over the {steps} steps")
    _curves(left, asked, chosen)
    head(right, *_over(chosen))
    outcomes(right, chosen, [setting.runs for setting in recorded], COLOUR)
    heading(figure, title)
    figure.alt = sentence(peak, warmup, shape, asked, chosen)
    return figure


def rates(peak: float, warmup: int, shape: str, steps: int) -> Rates:
    """The learning rate of every step."""
    if not 0 <= warmup < steps:
        raise InputError(f"A warmup of {warmup} does not fit {steps} steps; give fewer than those.")
    return [peak * factor for factor in lr_factors(shape, steps=steps, warmup=warmup)]


def overlap(one: Rates, other: Rates) -> float:
    """Shared share of two curves' area, in [0, 1]; 1 for the same curve."""
    pairs = list(zip(one, other, strict=True))
    return sum(map(min, pairs)) / sum(map(max, pairs))


def _recorded(found: Iterable[Any]) -> list[Any]:
    """Settings in which everything moves and only the learning rate differs."""
    chosen = [setting for setting in found if setting.sweep in SWEEPS]
    if not chosen:
        raise InputError(
            f"None of these recorded runs is about {', '.join(SWEEPS)}; "
            'take those of compare.settings(compare.shipped("nano")).'
        )
    return chosen


def _near(setting: Any, asked: Rates) -> Found:
    plan = setting.runs[0].plan
    curve = rates(plan["lr"], plan["warmup"], plan["schedule"], plan["steps"])
    name = told(plan["lr"], plan["warmup"], plan["schedule"])
    return Found(name, setting.runs, 1 - overlap(asked, curve), curve)


def _over(chosen: Sequence[Found]) -> tuple[str, str]:
    """Title and reading of the panel of outcomes."""
    title = "Recorded for this curve" if chosen[0].exact else "Not recorded: the nearest that were"
    return title, "upward: skills kept; pale: the other recorded curves"


def _curves(axes: Axes, asked: Rates, chosen: Sequence[Found]) -> None:
    """The curve over its area, the constant rate of the same area, and the nearest recorded."""
    steps, mean = range(1, len(asked) + 1), sum(asked) / len(asked)
    top = next((top for top in TOPS if max(asked) <= top * 1.001), max(asked))
    axes.fill_between(steps, asked, color=COLOUR, alpha=0.16, linewidth=0)
    axes.plot(steps, asked, color=COLOUR, linewidth=2.6)
    labels = [Label(steps[-1], asked[-1], "your curve", COLOUR, True)]
    if max(asked) > 1.001 * min(asked):
        axes.plot(steps, [mean] * len(asked), color=SOFT, linewidth=1.2, linestyle=(0, (1, 1.5)))
        labels.append(Label(steps[-1], mean, f"same area: {plain(round(mean, 7))}", SOFT))
    for one, near in zip(chosen, how_near(chosen), strict=True):
        if not one.exact:
            axes.plot(steps, one.detail, color=COLOUR, linewidth=1.3, linestyle=(0, (5, 2)))
            labels.append(Label(steps[-1], min(one.detail[-1], top), near, COLOUR))
    axes.set_ylim(-0.02 * top, top * 1.08)
    axes.set_xlim(0, len(asked))
    axes.yaxis.set_major_formatter(lambda value, _: plain(value) if value > 0 else "0")
    axes.set_yticks([0, top / 2, top])
    axes.set_xlabel("training step", fontsize=9.5, labelpad=3)
    end_labels(axes, labels)


def told(peak: float, warmup: int, shape: str) -> str:
    """A schedule in words."""
    first = f"{warmup} steps of warmup, then " if warmup else ""
    return f"{first}{shape}, peak {plain(peak)}"


def sentence(peak: float, warmup: int, shape: str, asked: Rates, chosen: Sequence[Found]) -> str:
    """The curve and what was recorded, in one sentence."""
    mean = plain(float(f"{sum(asked) / len(asked):.3g}"))
    text = f"{told(peak, warmup, shape).capitalize()}, a mean rate of {mean}: "
    if chosen[0].exact:
        return f"{text}recorded, {both_told(chosen[0].runs)}."
    near = [
        f"{one.name} (curves overlap by {percent(1 - one.apart)}), {both_told(one.runs)}"
        for one in chosen
    ]
    return f"{text}not recorded; the nearest that were: {'; '.join(near)}."


def schedule_panel(found: Iterable[Any]) -> Panel:
    """Choose peak, warmup and shape; see the curve, and what was recorded (`found`) for it."""
    found = _recorded(found)
    controls = {
        "peak": slider("peak rate", [(plain(peak), peak) for peak in PEAKS], 1e-3),
        "warmup": slider("steps of warmup", WARMUPS, 10),
        "shape": choice("then", SCHEDULES, "cosine"),
    }
    return Panel(controls, lambda **values: schedule_outcome(**values, found=found))
