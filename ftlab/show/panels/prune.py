"""Notebook 08's pruning panel: what is cut, how much of it, at which rate; and what was recorded.

    prune_panel({"nano-gpt2": nano, "SmolLM2-135M": real}).show()         with controls
    prune_outcome("tune_prune", 0.5, 3e-4, found=nano)                    one picture of it

Left what is retained of each skill, right both measures. Of an update the share that is taken back
counts as cut. A choice that was never run has no point: the two nearest recorded ones stand in, and
are called so. A factor of 3 in the rate counts as much as 10 points in what is cut.

Run the tests: pytest tests/show/test_prune_panel.py
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import HIGHER, Picture, bar_axes, head, panel, percent_axis
from ftlab.show.canvas.style import TEXT, method_mark, rate_text, skill_marks
from ftlab.show.panels.panel import Panel, choice, rate_slider, slider
from ftlab.show.plots import recorded
from ftlab.show.plots.recorded import Found

ORDERS = {
    "tune_prune": r"tune, prune (\d+)%",
    "prune_tune": r"prune (\d+)%, tune",
    "tune_prune_tune": r"tune, prune (\d+)%, tune",
    "update": r"update magnitude (\d+)%",
}
"""The sweeps of each order, with the percentage that their names say."""
SHARES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)


@own_settings()
def prune_outcome(
    order: str = "tune_prune", share: float = 0.5, rate: float = 3e-4, *, found: Iterable[Any]
) -> Picture:
    """What was recorded when `share` was cut in that order, or nearest to it.

    `found`: recorded settings of one model (`analysis.settings`), the unpruned ones among them.
    Raises InputError for an order that is none, and where nothing was pruned in it.
    """
    if order not in ORDERS:
        raise InputError(f"order={order!r} is not possible; choose from {', '.join(ORDERS)}.")
    found = list(found)
    chosen = recorded.nearest(_in_order(found, order, share, rate))
    colour = method_mark(order).colour
    figure = Picture(9.9, 3.8)
    shares = skill_shares(chosen[0].runs)
    skill_bars(figure, shares, recorded.how_near(chosen)[0])
    others = [setting.runs for setting in found if _cut(setting.sweep)]
    recorded.outcomes(figure, chosen, others, colour, "all other prunings")
    asked = f"{_name(order, share)}, rate {rate_text(rate)}"
    least = recorded.least(shares) if chosen[0].exact else ""
    figure.alt = f"{asked[0].upper()}{asked[1:]}: {recorded.outcome(chosen)}{least}."
    return figure


def _cut(sweep: str) -> tuple[str, float] | None:
    """The order of a sweep and the share that it cuts; None for one that is in no order."""
    for order, pattern in ORDERS.items():
        if match := re.fullmatch(pattern, sweep):
            share = int(match[1]) / 100
            return order, round(1 - share, 2) if order == "update" else share
    return None


def _in_order(found: Sequence[Any], order: str, share: float, rate: float) -> list[Found]:
    """What was recorded in an order, nothing cut included, and how far it is from a choice."""
    cuts = {setting.name: _cut(setting.sweep) for setting in found}
    rates = {s.lr for s in found if (cut := cuts[s.name]) and cut[0] == order}
    if not rates:
        raise recorded.missing("is pruned in this order", "prune")
    near = []
    for setting in found:
        whole = setting.sweep == recorded.FULL[0] and setting.lr in rates
        of, cut = (order, 0.0) if whole else cuts[setting.name] or ("", 0.0)
        if of == order:
            apart = abs(cut - share) + 0.1 * abs(math.log(setting.lr / rate, 3))
            name = f"{_name(order, cut)}, rate {rate_text(setting.lr)}"
            near.append(Found(name, setting.runs, round(apart, 3)))
    return near


def _name(order: str, share: float) -> str:
    if not share:
        return "fine-tuned, nothing cut"
    what = percent(share)
    return f"{what} of the update taken back" if order == "update" else (
        f"{method_mark(order).label}, {what} of each matrix cut"
    )  # fmt: skip


def skill_shares(runs: Sequence[Any]) -> dict[str, float]:
    """Share of each skill that is retained, means over the seeds."""
    names = [name for name, share in runs[0].final["kept"].items() if share is not None]
    return {name: fmean(run.final["kept"][name] for run in runs) for name in names}


def skill_bars(figure: Picture, shares: Mapping[str, float], near: str) -> None:
    """A bar for each skill."""
    looks = skill_marks(shares)
    axes = panel(figure, 1.55, 0.55, 3.3, 2.61)
    percent_axis(axes, "x")
    axes.set_xlim(0, 1.18)
    bar_axes(axes, [look.label for look in looks.values()])
    for row, (name, share) in enumerate(shares.items()):
        axes.barh(row, min(share, 1.02), height=0.6, color=looks[name].colour)
        axes.text(min(share, 1.02) + 0.015, row, percent(share), va="center", fontsize=TEXT)
    axes.set_xlabel(f"retained {HIGHER}")
    head(axes, "Retained, skill by skill", f"{near}; means over the seeds", left=1.55)


def prune_panel(found: Mapping[str, Iterable[Any]]) -> Panel:
    """Choose a model, an order, a share and a rate; see what was recorded (`found`, by model)."""
    settings = {name: list(several) for name, several in found.items()}
    rates = sorted({s.lr for several in settings.values() for s in several if _cut(s.sweep)})
    if not rates:
        raise recorded.missing("is pruned", "prune")
    controls = {
        "model": choice("model", list(settings), next(iter(settings))),
        "order": choice(
            "order", [(method_mark(name).label, name) for name in ORDERS], "tune_prune"
        ),
        "share": slider("cut", [(percent(share), share) for share in SHARES], 0.5),
        "rate": rate_slider("learning rate", rates, 3e-4 if 3e-4 in rates else rates[0]),
    }

    def draw(model: str, **values: Any) -> Picture:
        return prune_outcome(**values, found=settings[model])

    return Panel(controls, draw)
