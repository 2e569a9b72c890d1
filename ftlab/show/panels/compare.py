"""Notebook 04's comparer: any two recorded settings side by side, if their budgets are equal.

    compare_panel(nano).show()           with controls
    side_by_side(one, other)             one picture of it

Above both measures along the way, each seed thin and their mean thick; below what is retained of
every skill, how each setting ended and what it cost. Settings that saw unequally much are refused
with the sentence of `ftlab.record.compare`: more notes teach more and forget more, whatever the
method.

Run the tests: pytest tests/show/test_designers.py
"""

from collections.abc import Iterable, Sequence
from statistics import fmean, median
from typing import Any

from matplotlib.axes import Axes

from ftlab import record as records
from ftlab.analysis.compare import Setting, difference, verdict, whole
from ftlab.base.errors import InputError
from ftlab.show.canvas import sheet as canvas
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import MEASURES
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import EDGE, Picture, panel
from ftlab.show.canvas.style import SMALL, SOFT, TEXT, skill_marks
from ftlab.show.panels.panel import Panel, choice
from ftlab.show.plots.curves import PANELS
from ftlab.show.plots.recorded import both, seeds_range, setting_name

COLOURS = ("#B84A00", "#0072B2")  # first, second: methods have colours, but two may be the same
MARKERS = ("o", "s")
ORDER = ("first", "second")
FIRST = ("LoRA on all linear, rate 3e-3", "full fine-tuning, rate 3e-4")  # they retain as much


@own_settings()
def side_by_side(one: Setting, other: Setting) -> Picture:
    """Two settings in one picture. Raises InputError where their budgets are unequal."""
    records.compare([*one.runs, *other.runs])
    pair = (one, other)
    figure = Picture(9.6, 5.9)
    _key(figure, pair, 5.72)
    for place, (key, texts) in enumerate(zip(MEASURES, PANELS, strict=True)):
        axes = panel(figure, 0.66 + 4.75 * place, 2.98, 3.25, 1.7)
        canvas.head(axes, *texts)
        _curves(axes, pair, key)
    skills = panel(figure, 1.5, 0.35, 2.7, 1.5)
    canvas.head(skills, "Retained, skill by skill", "at the end", left=1.5)
    _skills(skills, pair)
    _ends(figure, pair, 4.89, 1.85)
    figure.alt = sentence(one, other)
    return figure


def _key(figure: Picture, pair: Sequence[Setting], y: float) -> None:
    """Which is which, above everything."""
    for place, setting in enumerate(pair):
        look: dict[str, Any] = {"color": COLOURS[place], "fontsize": TEXT}
        canvas.write(figure, EDGE, y - 0.23 * place, "●■"[place], **look)
        words = f"{ORDER[place]}: {setting_name(setting)}"
        canvas.write(figure, 0.36, y - 0.23 * place, words, fontweight="bold", **look)


def _curves(axes: Axes, pair: Sequence[Setting], key: str) -> None:
    """One measure along the way: seeds thin, their mean thick, points where it was measured."""
    canvas.percent_axis(axes)
    labels = []
    for place, setting in enumerate(pair):
        look: dict[str, Any] = {"color": COLOURS[place], "clip_on": False}
        ways = [_way(run, key) for run in setting.runs]
        for way in ways:
            axes.plot(*zip(*way.items(), strict=True), linewidth=0.8, alpha=0.5, **look)
        common = [step for step in ways[0] if all(step in way for way in ways)]
        mean = [(step, fmean(way[step] for way in ways)) for step in common]
        axes.plot(*zip(*mean, strict=True), linewidth=2.4, marker=MARKERS[place], markersize=5,
                  **look)  # fmt: skip
        labels.append(Label(*mean[-1], ORDER[place], COLOURS[place], True))
    axes.set_xlabel("training steps; marks: measured on a sample")
    end_labels(axes, labels)


def _way(run: Any, key: str) -> dict[int, float]:
    """By step, the number wherever the run was measured."""
    return {step["step"]: step["measured"][key] for step in run.curve if step["measured"]}


def _skills(axes: Axes, pair: Sequence[Setting]) -> None:
    """A line for each skill, and a mark for each setting on it."""
    canvas.percent_axis(axes, "x")
    marks = skill_marks(pair[0].runs[0].final["kept"])
    canvas.bar_axes(axes, [mark.label for mark in marks.values()], SMALL)
    for height, name in enumerate(marks):
        values = [fmean(run.final["kept"][name] for run in setting.runs) for setting in pair]
        axes.plot(values, [height, height], color="#BDBDBD", linewidth=2, zorder=1)
        for place, value in enumerate(values):
            axes.plot([value], [height], marker=MARKERS[place], markersize=7, alpha=0.9,
                      color=COLOURS[place], clip_on=False, linestyle="")  # fmt: skip


def in_numbers(setting: Setting) -> dict[str, str]:
    """How a setting ended, measured on everything, and what it cost."""
    first = setting.runs[0]
    seconds = [run.seconds for run in setting.runs if run.seconds]
    return {
        **{word: seeds_range(setting.values(key)) for key, word in MEASURES.items()},
        "parameters trained": f"{first.trainable:,}",
        "gradients and AdamW": f"{3 * first.trainable:,}",
        "tokens read": f"{fmean(run.budget['tokens'] for run in setting.runs):,.0f}",
        "seconds, with measuring": f"{median(seconds):.0f}" if seconds else "not recorded",
    }


def _ends(figure: Picture, pair: Sequence[Setting], x: float, top: float) -> None:
    """A small table, its upper left corner at a place in inches."""
    reading = "measured on everything: mean (lowest to highest seed)"
    canvas.write_head(figure, x, top, "In the end, and what it cost", reading)
    columns = [in_numbers(setting) for setting in pair]
    for line, words in enumerate(columns[0]):
        y = top - 0.14 - 0.26 * line
        canvas.write(figure, x, y, words, color=SOFT)
        for place, column in enumerate(columns):
            canvas.write(figure, x + 3.15 + 1.4 * place, y, column[words], color=COLOURS[place],
                  ha="right", fontweight="bold" if line < 2 else "normal")  # fmt: skip


def sentence(one: Setting, other: Setting) -> str:
    """Both settings and their difference, paired by seed, in one sentence."""
    texts = [f"{setting_name(setting)}, {both(setting.runs)}" for setting in (one, other)]
    if one.name == other.name:
        return f"Twice the same: {texts[0]}; choose another for one of them."
    apart = [f"{word} {_difference(one, other, key)}" for key, word in MEASURES.items()]
    trained = " against ".join(f"{setting.runs[0].trainable:,}" for setting in (one, other))
    return (
        f"{texts[0]}; {texts[1]}; first minus second: {', '.join(apart)}, with {trained} "
        "parameters trained."
    )


def _difference(one: Setting, other: Setting, key: str) -> str:
    """The difference with its 95 % interval, and a word where that leaves it open."""
    open_ = verdict(one.values(key), other.values(key)) == "not decided"
    return difference(one, other, key) + (", not decided" if open_ else "")


def compare_panel(found: Iterable[Any]) -> Panel:
    """Choose two of the recorded settings `found` (`analysis.compare.settings`).

    Settings that lack seeds are left out. Raises InputError where there are fewer than two.
    """
    by_name = {setting_name(setting): setting for setting in whole(list(found))}
    if len(by_name) < 2:
        raise InputError("Two recorded settings with three seeds each are needed to compare.")
    names = sorted(by_name)
    first, second = FIRST if by_name.keys() >= set(FIRST) else (names[0], names[-1])
    controls = {"one": choice("first", names, first), "other": choice("second", names, second)}
    return Panel(controls, lambda one, other: side_by_side(by_name[one], by_name[other]))
