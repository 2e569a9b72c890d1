"""Skill by skill, before and after: bars, their uncertainty, and what guessing would give.

The whiskers are 95 % Wilson score intervals: two of them that overlap widely are no news.
"""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from ftlab.base.shares import percent
from ftlab.evaluate.intervals import wilson
from ftlab.show.canvas import sheet as canvas
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import field, number
from ftlab.show.canvas.sheet import HIGHER, Picture, panel
from ftlab.show.canvas.style import INK, SOFT, TEXT, TINY, shorten, skill_marks

BEFORE = "#8F8F8F"
Score = tuple[float, float, float]  # accuracy, chance, n


@own_settings()
def skills_bars(
    base: Mapping[str, Any], after: Mapping[str, Any], *, title: str | None = None
) -> Picture:
    """Accuracy per skill before and after a run.

    `base`, `after`: skill -> SkillScore, or a mapping with accuracy, chance and n, or a bare
    accuracy; or a full measurement, as in a record's `baseline` and `final`. Skills stand in
    the order of `base`.
    """
    base, after = _by_skill(base), _by_skill(after)
    names = list(dict.fromkeys([*base, *after]))
    scores = {name: (_score(base.get(name)), _score(after.get(name))) for name in names}
    marks = skill_marks(names)
    labels = [shorten(marks[name].label, 34) for name in names]
    high = max(2.4, 1.5 + 0.56 * len(names))
    figure = Picture(9.0, high, title=title)
    left = max(0.66, canvas.text_width(labels, TEXT) + 0.3)
    axes = panel(figure, left, 0.6, 8.4 - left, high - 1.34)
    reading = "whiskers: 95 % interval; dashed: what guessing gives"
    canvas.head(axes, "Skill by skill, before and after", reading, left=left)
    canvas.percent_axis(axes, "x")
    axes.set_xlim(0, 1.08)
    canvas.bar_axes(axes, labels)
    for i, name in enumerate(names):
        _pair(axes, i, *scores[name], marks[name].colour)
    axes.set_xlabel(f"accuracy {HIGHER}")
    if not names:
        canvas.note(axes, "no skill measured yet")
    figure.alt = alt_skills(scores, {name: marks[name].label for name in names})
    return figure


def _by_skill(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Skill -> score; a full measurement holds accuracies, n and chance side by side."""
    accuracies = given.get("skills")
    if not isinstance(accuracies, Mapping):
        return given
    n = field(given.get("n"), "skills", {})
    chance = given.get("chance") or {}
    return {
        name: {"accuracy": accuracy, "n": n.get(name), "chance": chance.get(name)}
        for name, accuracy in accuracies.items()
    }


def _score(given: Any) -> Score:
    """Accuracy, chance and n of a skill; NaN for what is missing."""
    if given is None or isinstance(given, int | float):
        return number(given), math.nan, math.nan
    return tuple(number(field(given, key)) for key in ("accuracy", "chance", "n"))  # type: ignore[return-value]


def _pair(axes: Axes, i: int, before: Score, after: Score, colour: str) -> None:
    """Two bars with whiskers and numbers, and the line of guessing."""
    rows = ((before, i - 0.19, BEFORE, "before"), (after, i + 0.19, colour, "after"))
    for (accuracy, _, n), place, paint, word in rows:
        if accuracy != accuracy:
            axes.text(0.01, place, f"{word}: not measured", va="center", fontsize=TINY, color=SOFT)
            continue
        low, high = _whisker(accuracy, n)
        axes.barh(place, accuracy, 0.34, color=paint)
        axes.plot([low, high], [place, place], color=INK, linewidth=1.3, solid_capstyle="butt")
        words = f"{percent(accuracy)} {word}"
        axes.text(high + 0.012, place, words, va="center", fontsize=TINY)
    if (chance := _chance(before, after)) > 0:
        axes.plot([chance, chance], [i - 0.42, i + 0.42], color=INK, linewidth=1.6,
                  linestyle=(0, (2, 1.2)))  # fmt: skip


def _whisker(accuracy: float, n: float) -> tuple[float, float]:
    """The interval of an accuracy; the bare number where n is unknown."""
    if not n >= 1 or not 0 <= accuracy <= 1:
        return accuracy, accuracy
    interval = wilson(round(accuracy * n), int(n))
    return interval.low, interval.high


def _chance(before: Score, after: Score) -> float:
    """What guessing gives; NaN where it is not known."""
    return before[1] if before[1] == before[1] else after[1]


def alt_skills(scores: Mapping[str, tuple[Score, Score]], labels: Mapping[str, str]) -> str:
    """The bars in words: each skill before and after."""
    if not scores:
        return "An empty chart: no skill has been measured yet."
    parts = []
    for name, (before, after) in scores.items():
        chance = _chance(before, after)
        guess = f" (guessing gives {percent(chance)})" if chance > 0 else ""
        change = f"{percent(before[0])} before, {percent(after[0])} after"
        parts.append(f"{labels[name]} {change}{guess}")
    return f"Bars of accuracy per skill: {'; '.join(parts)}."
