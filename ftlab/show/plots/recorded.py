"""What was recorded, beside what was chosen: names, both numbers with their seeds, a small plane.

    called(setting)                 "full fine-tuning, rate 1e-3"
    both_told(runs)                 "kept 20 % (18 to 24) and right 84 % (78 to 88)"
    outcomes(axes, chosen, others)  chosen settings among all others, learned against kept

Notable choice: what was recorded for the very choice is drawn filled; what was only recorded near
it is hollow, with dotted bars, and is called nearest. Nothing is drawn between recorded points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes

from ftlab.show.canvas.labels import Label, point_labels
from ftlab.show.canvas.sheet import SMALL, TEXT, Picture, percent_axis
from ftlab.show.canvas.style import INK, METHODS, SOFT, method_mark, percent, plain, words

PALE = "#BDBDBD"
KINDS = {
    "learning rate": "full fine-tuning",
    "steps": "full fine-tuning",
    "data set": "full fine-tuning",
    "equal area": "half the rate, constant",
    "warmup": "warmup, then constant",
}


@dataclass(frozen=True)
class Found:
    """Recorded runs that differ in their seed alone, and how near they are to a choice."""

    name: str
    """What they were."""
    runs: tuple[Any, ...]
    """Their records, by seed."""
    apart: float
    """0 for the very choice; larger for what is farther away."""
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


def called(setting: Any) -> str:
    """A setting's name in words, unique among the settings of a grid."""
    kind = KINDS.get(setting.sweep) or (
        METHODS[setting.sweep].label if setting.sweep in METHODS else words(setting.sweep)
    )
    if setting.sweep.startswith("rank"):
        kind = f"{method_mark(setting.method).label}, {kind}"
    more = [part for part in setting.name.split(", ")[3:] if part not in ("100 steps", "cosine")]
    return ", ".join([kind, f"rate {plain(setting.lr)}", *more])


def told(values: Sequence[float]) -> str:
    """A mean with its lowest and highest seed: "43 % (39 to 50)"; one seed stands alone."""
    low, high = (percent(end(values)).removesuffix(" %") for end in (min, max))
    return percent(fmean(values)) + (f" ({low} to {high})" if len(values) > 1 else "")


def both_told(runs: Sequence[Any]) -> str:
    """What runs kept and learned, with their seeds' range."""
    kept, right = (told([run.final[key] for run in runs]) for key in ("retention", "target_score"))
    return f"kept {kept} and right {right}" + (" (one seed)" if len(runs) == 1 else "")


def outcomes(axes: Axes, chosen: Sequence[Found], others: Sequence[Any], colour: str) -> None:
    """The chosen settings with their seeds' range; `others` (groups of runs) as pale dots."""
    percent_axis(axes, "x")
    percent_axis(axes, "y")
    axes.set_ylim(-0.03, 1.1)
    axes.set_xlabel("right answers to new questions; bars: all seeds", fontsize=9.5, labelpad=3)
    places = [_place(runs) for runs in others]
    axes.plot(*zip(*places, strict=True), linestyle="", marker="o", markersize=4, color=PALE)
    labels, ends = [], []
    for one, near in zip(chosen, how_near(chosen), strict=True):
        x, y = _place(one.runs)
        across, up = ([run.final[key] for run in one.runs] for key in ("target_score", "retention"))
        look: dict[str, Any] = {"color": colour, "linestyle": "-" if one.exact else (0, (1, 1))}
        bars = [((min(across), y), (max(across), y)), ((x, min(up)), (x, max(up)))]
        for bar in bars:
            axes.plot(*zip(*bar, strict=True), linewidth=1.6, **look)
        ends += bars
        size = 10 if one is chosen[0] else 8
        axes.plot([x], [y], marker="o", markersize=size, color=colour, markeredgewidth=1.8,
                  markerfacecolor=colour if one.exact else "white", zorder=3)  # fmt: skip
        labels.append(Label(x, y, near, colour, one is chosen[0]))
    taken = [*((spot, spot) for spot in places), *ends]
    boxes = [axes.transData.transform(pair).ravel() for pair in taken]
    point_labels(axes, labels, [(a - 4, b - 4, c + 4, d + 4) for a, b, c, d in boxes])


def _place(runs: Sequence[Any]) -> tuple[float, float]:
    """Learned and kept, means over the seeds."""
    right, kept = ([run.final[key] for run in runs] for key in ("target_score", "retention"))
    return fmean(right), fmean(kept)


def write(figure: Picture, x: float, y: float, text: str, **look: Any) -> None:
    """Words at a place in inches from the lower left corner: far quicker than in axes."""
    look = {"fontsize": SMALL, "color": INK, "va": "center"} | look
    figure.text(x, y, text, transform=figure.dpi_scale_trans, **look)


def write_head(figure: Picture, x: float, y: float, title: str, reading: str) -> None:
    """As `canvas.head`, for what has no axes; `y` is that of the panel's top."""
    write(figure, x, y + 24 / 72, title, fontsize=TEXT + 1, fontweight="bold", va="baseline")
    write(figure, x, y + 10 / 72, reading, color=SOFT, va="baseline")
