"""Notebooks 00 and 01: a slider over learning rates, and the learner's guess in the picture.

    rate_panel(settings, guess=my_guess, at=1e-3).show()
    rate_outcome(1e-3, found=settings)                     one picture of it

Left both measures at every rate up to the chosen one, so that the slider uncovers the curve from
the gentlest rate on; right what is retained of each skill there. All of it is recorded.

Run the tests: pytest tests/show/test_rate_panel.py
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import MEASURES, guess
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import HIGHER, Picture, bar_axes, head, panel, percent_axis
from ftlab.show.canvas.style import INK, MEASURED, PREDICTION, SMALL, TEXT, rate_text, skill_marks
from ftlab.show.panels.panel import Panel, rate_slider


@own_settings()
def rate_outcome(
    rate: float, *, found: Sequence[Any], prediction: Any = None, at: float | None = None
) -> Picture:
    """Learned and retained up to `rate`, with the guess (of what is retained at the rate `at`).

    `found`: recorded settings. Raises InputError for a rate that is not among them.
    """
    found = sorted(found, key=lambda setting: setting.lr)
    rates = [setting.lr for setting in found]
    if rate not in rates:
        have = ", ".join(map(rate_text, rates))
        raise InputError(f"Nothing was recorded at {rate:g}; choose from {have}.")
    here = found[rates.index(rate)]
    figure = Picture(9.6, 3.5)
    axes = panel(figure, 0.66, 0.62, 3.5, 2.25)
    shown = found[: rates.index(rate) + 1]
    labels = [_line(axes, shown, key) for key in MEASURES]
    _guess(axes, prediction, at)
    axes.set_xscale("log")
    axes.set_xlim(rates[0] / 1.4, rates[-1] * 1.4)
    axes.set_xticks(rates, [rate_text(one) for one in rates])
    axes.minorticks_off()
    percent_axis(axes)
    axes.set_ylim(-0.03, 1.08)
    axes.set_xlabel("learning rate")
    both = ", ".join(f"{word} {percent(here.mean(key))}" for key, word in MEASURES.items())
    model = here.runs[0].model
    head(axes, f"{rate_text(rate)}: {both}", f"{model}, {len(here.runs)} seeds {HIGHER}")
    end_labels(axes, labels)
    _skills(figure, here)
    told = f"{model} at a learning rate of {rate_text(rate)}: {both}."
    figure.alt = f"{told} {_told(prediction, at)}"
    return figure


def _line(axes: Any, shown: Sequence[Any], key: str) -> Label:
    mark = MEASURED[key]
    look = {"color": mark.colour, "marker": mark.marker}
    values = [setting.values(key) for setting in shown]
    xs, means = [setting.lr for setting in shown], [fmean(seeds) for seeds in values]
    axes.plot(xs, means, markersize=5, **look)
    for x, seeds in zip(xs, values, strict=True):
        axes.plot([x, x], [min(seeds), max(seeds)], color=mark.colour, linewidth=1.4, alpha=0.6)
    axes.plot(xs[-1:], means[-1:], markersize=10, clip_on=False, **look)
    return Label(xs[-1], means[-1], mark.label, mark.colour)


def _guess(axes: Any, prediction: Any, at: float | None) -> None:
    _, retained = guess(prediction)
    if retained == retained and at is not None:
        axes.plot([at], [retained], marker="D", markersize=9, color=PREDICTION, clip_on=False)
        axes.annotate(
            "your guess", (at, retained), (0, 9), textcoords="offset points", ha="center",
            fontsize=SMALL, color=PREDICTION,
        )  # fmt: skip


def _told(prediction: Any, at: float | None) -> str:
    _, retained = guess(prediction)
    if retained != retained or at is None:
        return "No guess is drawn."
    return f"The guess for {rate_text(at)} was {percent(retained)} retained."


def _skills(figure: Picture, here: Any) -> None:
    """What is retained of each skill at this rate, the mean over the seeds."""
    kept = [run.final["kept"] for run in here.runs]
    marks = skill_marks(kept[0])
    axes = panel(figure, 6.75, 0.62, 2.15, 2.25)
    bar_axes(axes, [mark.label for mark in marks.values()])
    for place, (skill, mark) in enumerate(marks.items()):
        share = max(0.0, fmean(one[skill] for one in kept))
        axes.barh(place, min(share, 1.0), color=mark.colour, height=0.62)
        axes.text(min(share, 1.0) + 0.03, place, percent(share), va="center", fontsize=SMALL,
                  color=INK, clip_on=False)  # fmt: skip
    percent_axis(axes, "x")
    axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"], fontsize=TEXT)
    head(axes, "Retained, skill by skill", HIGHER, left=1.4)


def rate_panel(found: Sequence[Any], *, guess: Any = None, at: float | None = None) -> Panel:
    """A slider over the recorded rates of `found`, from the gentlest; `guess` as for `Live`."""
    rates = sorted(setting.lr for setting in found)
    if not rates:
        raise InputError("There are no recorded runs to choose a rate from; give some.")
    controls = {"rate": rate_slider("learning rate", rates, rates[0])}
    return Panel(controls, lambda rate: rate_outcome(rate, found=found, prediction=guess, at=at))
