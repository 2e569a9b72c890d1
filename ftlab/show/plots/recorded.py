"""What was recorded, beside what was chosen: names, both measures with their seeds, a small plane.

    called("learning rate")             "full fine-tuning"
    setting_name(setting)               "full fine-tuning, rate 1e-3"
    both(runs)                          "learned 84 % (78 to 88), retained 20 % (18 to 24)"
    outcomes(figure, chosen, others)    chosen settings among all others, in a plane

Notable choice: what was recorded for the very choice is drawn filled; what was only recorded near
it is hollow, with dotted bars, and is called nearest. Nothing is drawn between recorded points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.show.canvas.data import MEASURES
from ftlab.show.canvas.labels import Label, boxes, point_labels
from ftlab.show.canvas.sheet import LEARNED, Picture, panel, plane_axes
from ftlab.show.canvas.style import method_mark, rate_text, skill_marks

PALE = "#BDBDBD"
FULL = ("learning rate", "steps", "data set")
"""Sweeps of full fine-tuning."""
SWEEPS = dict.fromkeys(FULL, method_mark("full").label) | {
    "equal area": "half the rate, constant",
    "warmup": "warmup, then constant",
}
"""What a sweep is called where its name is not that of a method."""


def called(sweep: str) -> str:
    """A sweep's name as in the figures."""
    return SWEEPS.get(sweep) or method_mark(sweep).label


def setting_name(setting: Any) -> str:
    """A setting's name in words, unique among the settings of a grid."""
    kind = called(setting.sweep)
    if setting.sweep.startswith("rank"):
        kind = f"{method_mark(setting.method).label}, {kind}"
    more = [part for part in setting.name.split(", ")[3:] if part not in ("100 steps", "cosine")]
    return ", ".join([kind, f"rate {rate_text(setting.lr)}", *more])


@dataclass(frozen=True)
class Found:
    """Recorded runs that differ in their seed alone, and how near they are to a choice."""

    name: str
    """What they were."""
    runs: tuple[Any, ...]
    """Their records, by seed."""
    apart: float
    """0 for the very choice; larger for what is farther away."""
    how: str = ""
    """How far that is, in words."""
    detail: Any = None
    """What a panel wants to remember of them."""

    @property
    def exact(self) -> bool:
        """Is this the very choice?"""
        return self.apart < 1e-9


def nearest(found: Sequence[Found]) -> list[Found]:
    """The very choice alone, if it was recorded; else the two nearest, nearest first."""
    ranked = sorted(found, key=lambda one: one.apart)
    return ranked[:1] if ranked[0].exact else ranked[:2]


def how_near(chosen: Sequence[Found]) -> list[str]:
    """What each of `chosen` is to be called in a picture."""
    if chosen[0].exact:
        return ["recorded"]
    tie = abs(chosen[0].apart - chosen[-1].apart) < 1e-9
    return ["nearest", "as near" if tie else "second nearest"][: len(chosen)]


def missing(what: str, size: str) -> InputError:
    """The refusal of records that hold nothing a panel is about; `size`: of those that do."""
    return InputError(
        f"None of these recorded runs {what}; take those of "
        f'compare.settings(compare.shipped("{size}")).'
    )


def seeds_range(values: Sequence[float]) -> str:
    """A mean with its lowest and highest seed: "43 % (39 to 50)"; one seed stands alone."""
    low, high = (percent(end(values)).removesuffix(" %") for end in (min, max))
    return percent(fmean(values)) + (f" ({low} to {high})" if len(values) > 1 else "")


def both(runs: Sequence[Any]) -> str:
    """What runs have learned and retained, with their seeds' range."""
    parts = [f"{word} {seeds_range(_values(runs, key))}" for key, word in MEASURES.items()]
    return ", ".join(parts) + (" (one seed)" if len(runs) == 1 else "")


def least(shares: Mapping[str, float | None]) -> str:
    """The skill that was retained least, as the end of a sentence; nothing where all is there."""
    there = {name: share for name, share in shares.items() if share is not None}
    name = min(there, key=lambda skill: there[skill], default="")
    if not name or there[name] >= 0.95:
        return ""
    return f", least of {skill_marks([name])[name].label} ({percent(there[name])})"


def counted(trained: int, total: int) -> str:
    """How many parameters train, and their share."""
    return f"{trained:,} of {total:,} parameters train ({100 * trained / total:.3g} %)"


def outcome(chosen: Sequence[Found], name: str = "") -> str:
    """What was recorded for a choice, or near it, as the end of a sentence without its stop."""
    if chosen[0].exact:
        return f"recorded{f' as {name}' if name else ''}, {both(chosen[0].runs)}"
    near = [f"{one.name}{f' ({one.how})' if one.how else ''}, {both(one.runs)}" for one in chosen]
    return f"not recorded; the nearest that were: {'; '.join(near)}"


def outcomes(
    figure: Picture, chosen: Sequence[Found], others: Sequence[Any], colour: str, pale: str
) -> None:
    """A plane at the right with the chosen settings and their seeds' range.

    `others`: groups of runs, drawn as pale dots; `pale`: what they are.
    """
    model = chosen[0].runs[0].model
    axes = panel(figure, 6.25, 0.55, 3.0, figure.get_size_inches()[1] - 1.19)
    how = "recorded" if chosen[0].exact else "not recorded, the nearest"
    plane_axes(axes, f"{model}: {how}", f"upward: retained; pale: {pale}")
    axes.set_xlabel(f"{LEARNED}; bars: all seeds")
    places = [_place(runs) for runs in others]
    axes.plot(*zip(*places, strict=True), linestyle="", marker="o", markersize=4, color=PALE)
    labels, taken = [], [(spot, spot) for spot in places]
    for one, near in zip(chosen, how_near(chosen), strict=True):
        x, y = _place(one.runs)
        across, up = (_values(one.runs, key) for key in MEASURES)
        look: dict[str, Any] = {"color": colour, "linestyle": "-" if one.exact else (0, (1, 1))}
        bars = [((min(across), y), (max(across), y)), ((x, min(up)), (x, max(up)))]
        for bar in bars:
            axes.plot(*zip(*bar, strict=True), linewidth=1.6, **look)
        taken += bars
        size = 10 if one is chosen[0] else 8
        axes.plot([x], [y], marker="o", markersize=size, color=colour, markeredgewidth=1.8,
                  markerfacecolor=colour if one.exact else "white", zorder=3)  # fmt: skip
        labels.append(Label(x, y, near, colour, one is chosen[0]))
    point_labels(axes, labels, boxes(axes, taken, 4))


def _values(runs: Sequence[Any], key: str) -> list[float]:
    return [run.final[key] for run in runs]


def _place(runs: Sequence[Any]) -> tuple[float, float]:
    """Learned and retained, means over the seeds."""
    learned, retained = (fmean(_values(runs, key)) for key in MEASURES)
    return learned, retained
