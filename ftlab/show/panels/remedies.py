"""Notebook 09's chooser: a remedy, how strong it is, the rate; and what was recorded for it.

    remedy_panel({"nano-gpt2": nano, "SmolLM2-135M": real}).show()     with controls
    remedy_outcome("ewc", 100, 3e-4, found=nano)                       one picture of it

Left what is retained of each skill, right both measures among all remedies. A choice that was never
run has no point: the two nearest recorded ones stand in, and are called so. Strengths count by
their ratio, and so do rates.

Run the tests: pytest tests/show/test_remedy_panel.py
"""

import re
from collections.abc import Iterable, Mapping
from math import log
from typing import Any

from ftlab.base.errors import InputError
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import Picture
from ftlab.show.canvas.style import method_mark, rate_text
from ftlab.show.panels.panel import Panel, choice, rate_slider, slider
from ftlab.show.panels.prune import skill_bars, skill_shares
from ftlab.show.plots import recorded
from ftlab.show.plots.recorded import Found

REMEDIES = {
    "walk": (r"walk (\d\d)%", "{:g} % of the way from the base"),
    "recipe": (r"replay 5%, walk (\d\d)%", "5 % replay, {:g} % of the way"),
    "replay": (r"replay (\d+)%", "{:g} % replay"),
    "ewc": (r"ewc (\d+)", "EWC, strength {:g}"),
    "kl": (r"kl ([\d.]+)", "KL on general text, strength {:g}"),
    "l2sp": (r"l2sp ([\d.]+)", "L2-SP, strength {:g}"),
}
"""The sweeps of each remedy, with the strength that their names say; and what it is in words. All
of the way (100 %) is no remedy, but the plain run."""
PLAIN = {"replay": ("replay", 5.0), "replay 25": ("replay", 25.0)}
"""Sweeps of the decoder's grid, whose names do not say it."""


@own_settings()
def remedy_outcome(
    remedy: str = "walk", strength: float = 80.0, rate: float = 3e-4, *, found: Iterable[Any]
) -> Picture:
    """What was recorded for a remedy of that strength at that rate, or nearest to it.

    `found`: recorded settings of one model (`analysis.settings`). Raises InputError for a remedy
    that is none, a strength of 0 or less, and where nothing was recorded with it.
    """
    if remedy not in REMEDIES:
        raise InputError(f"remedy={remedy!r} is not possible; choose from {', '.join(REMEDIES)}.")
    for name, value in (("strength", strength), ("rate", rate)):
        if not value > 0:
            raise InputError(f"{name}={value!r:.20} is not possible; give a number above 0.")
    near, others = [], []
    for setting in found:
        if (of := strength_of(setting.sweep)) is None:
            continue
        others.append(setting.runs)
        if of[0] == remedy:
            apart = abs(log(of[1] / strength)) + abs(log(setting.lr / rate))
            near.append(Found(_name(remedy, of[1], setting.lr), setting.runs, round(apart, 9)))
    if not near:
        raise recorded.missing("has this remedy", "remedies")
    chosen, figure = recorded.nearest(near), Picture(9.9, 3.8)
    shares = skill_shares(chosen[0].runs)
    skill_bars(figure, shares, recorded.how_near(chosen)[0])
    recorded.outcomes(figure, chosen, others, method_mark(remedy).colour, "all other remedies")
    asked = _name(remedy, strength, rate)
    least = recorded.least(shares) if chosen[0].exact else ""
    figure.alt = f"{asked[0].upper()}{asked[1:]}: {recorded.outcome(chosen)}{least}."
    return figure


def strength_of(sweep: str) -> tuple[str, float] | None:
    """The remedy of a sweep and its strength; None for one that is no remedy."""
    for remedy, (pattern, _) in REMEDIES.items():
        if match := re.fullmatch(pattern, sweep):
            return remedy, float(match[1])
    return PLAIN.get(sweep)


def _name(remedy: str, strength: float, rate: float) -> str:
    return f"{REMEDIES[remedy][1].format(strength)}, rate {rate_text(rate)}"


def remedy_panel(found: Mapping[str, Iterable[Any]]) -> Panel:
    """Choose a model, a remedy, its strength, a rate; see what was recorded (`found`, by model)."""
    settings = {name: list(several) for name, several in found.items()}
    known = [(of, s.lr) for several in settings.values() for s in several
             if (of := strength_of(s.sweep))]  # fmt: skip
    if not known:
        raise recorded.missing("has a remedy", "remedies")
    strengths = {
        remedy: sorted({of[1] for of, _ in known if of[0] == remedy}) for remedy in REMEDIES
    }
    offered = [remedy for remedy in REMEDIES if strengths[remedy]]
    rates = sorted({rate for _, rate in known})

    def stops(remedy: str) -> list[tuple[str, float]]:
        return [(REMEDIES[remedy][1].format(value), value) for value in strengths[remedy]]

    first = offered[0]
    controls = {
        "model": choice("model", list(settings), next(iter(settings))),
        "remedy": choice("remedy", [(method_mark(r).label, r) for r in offered], first),
        "strength": slider("how strong", stops(first), strengths[first][-1]),
        "rate": rate_slider("learning rate", rates, 3e-4 if 3e-4 in rates else rates[0]),
    }

    def other(change: Any) -> None:
        controls["strength"].options = stops(change["new"])

    controls["remedy"].observe(other, names="value")

    def draw(model: str, remedy: str, strength: float, rate: float) -> Picture:
        if strength not in strengths[remedy]:  # the slider is about to be given its stops
            strength = strengths[remedy][0]
        return remedy_outcome(remedy, strength, rate, found=settings[model])

    rows = {"": ["model", "remedy"], " ": ["strength", "rate"]}
    return Panel(controls, draw, rows=rows)
