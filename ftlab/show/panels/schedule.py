"""Notebook 02's schedule designer: peak, warmup and shape, and what was recorded for them.

    schedule_panel(nano).show()                         with controls
    schedule_outcome(1e-3, 10, "cosine", found=nano)    one picture of it

Left the learning rate over the run, with its area; right what runs with that very curve learned
and retained. A curve that was never run has no point: the two nearest recorded ones stand in, and
are called so. Near means that the curves overlap:

    overlap = sum of the lower rate of each step / sum of the higher rate of each step

Run the tests: pytest tests/show/test_designers.py
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes

from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.plan import SCHEDULES
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import Picture, head, panel
from ftlab.show.canvas.style import METHODS, SOFT, rate_text
from ftlab.show.panels.panel import Panel, choice, rate_slider, slider
from ftlab.show.plots import recorded
from ftlab.show.plots.recorded import Found
from ftlab.train.schedules import lr_factors

PEAKS = (3e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 5e-4, 7e-4, 1e-3, 2e-3, 3e-3)
WARMUPS = (0, 5, 10, 20, 30, 40, 50)
TOPS = (1e-4, 3e-4, 1e-3, 3e-3)  # few heights of the axis, so that a higher peak looks higher
SWEEPS = ("learning rate", "schedule", "equal area", "warmup")
COLOUR = METHODS["schedule"].colour
Rates = list[float]


@own_settings()
def schedule_outcome(
    peak: float = 1e-3, warmup: int = 10, shape: str = "cosine", *, found: Iterable[Any]
) -> Picture:
    """The curve of a schedule and what was recorded for it, or nearest to it.

    `found`: recorded settings (`analysis.compare.settings`). Raises InputError where they hold no
    full fine-tuning, or for a shape or warmup that is not possible.
    """
    settings = _settings(found)
    steps = settings[0].runs[0].plan["steps"]
    asked = rates(peak, warmup, shape, steps)
    chosen = recorded.nearest([_near(setting, asked) for setting in settings])
    figure = Picture(9.6, 3.8)
    axes = panel(figure, 0.66, 0.55, 3.1, 2.61)
    head(axes, "Learning rate", f"shaded: its area, {sum(asked):.3g} over the {steps} steps")
    _curves(axes, asked, chosen)
    others = [setting.runs for setting in settings]
    recorded.outcomes(figure, chosen, others, COLOUR, "the other curves")
    mean, name = rate_text(fmean(asked)), schedule_name(peak, warmup, shape)
    figure.alt = f"{name.capitalize()}, a mean rate of {mean}: {recorded.outcome(chosen)}."
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


def _settings(found: Iterable[Any]) -> list[Any]:
    """Settings in which all weights are trained and only the learning rate differs."""
    chosen = [setting for setting in found if setting.sweep in SWEEPS]
    if not chosen:
        raise recorded.missing("is full fine-tuning with a schedule", "nano")
    return chosen


def _near(setting: Any, asked: Rates) -> Found:
    plan = setting.runs[0].plan
    asks = plan["lr"], plan["warmup"], plan["schedule"]
    curve = rates(*asks, plan["steps"])
    shared = overlap(asked, curve)
    how = f"curves overlap by {percent(shared)}"
    return Found(schedule_name(*asks), setting.runs, 1 - shared, how, curve)


def _curves(axes: Axes, asked: Rates, chosen: Sequence[Found]) -> None:
    """The curve over its area, the constant rate of the same area, and the nearest recorded."""
    steps, mean = range(1, len(asked) + 1), fmean(asked)
    top = next((top for top in TOPS if max(asked) <= top * 1.001), max(asked))
    axes.fill_between(steps, asked, color=COLOUR, alpha=0.16, linewidth=0)
    axes.plot(steps, asked, color=COLOUR, linewidth=2.6)
    labels = [Label(steps[-1], asked[-1], "your curve", COLOUR, True)]
    if max(asked) > 1.001 * min(asked):
        axes.plot(steps, [mean] * len(asked), color=SOFT, linewidth=1.2, linestyle=(0, (1, 1.5)))
        labels.append(Label(steps[-1], mean, f"same area: {rate_text(mean)}", SOFT))
    for one, near in zip(chosen, recorded.how_near(chosen), strict=True):
        if not one.exact:
            axes.plot(steps, one.detail, color=COLOUR, linewidth=1.3, linestyle=(0, (5, 2)))
            labels.append(Label(steps[-1], min(one.detail[-1], top), near, COLOUR))
    axes.set_ylim(-0.02 * top, top * 1.08)
    axes.set_xlim(0, len(asked))
    axes.yaxis.set_major_formatter(lambda value, _: rate_text(value))
    axes.set_yticks([0, top / 2, top])
    axes.set_xlabel("training step")
    end_labels(axes, labels)


def schedule_name(peak: float, warmup: int, shape: str) -> str:
    """A schedule in words."""
    first = f"{warmup} steps of warmup, then " if warmup else ""
    return f"{first}{shape}, peak {rate_text(peak)}"


def schedule_panel(found: Iterable[Any]) -> Panel:
    """Choose peak, warmup and shape; see the curve, and what was recorded (`found`) for it."""
    found = _settings(found)
    controls = {
        "peak": rate_slider("peak rate", PEAKS),
        "warmup": slider("steps of warmup", WARMUPS, 10),
        "shape": choice("then", SCHEDULES, "cosine"),
    }
    return Panel(controls, lambda **values: schedule_outcome(**values, found=found))
