"""Notebook 10's chooser: how tasks are linked, with what, in which order; what was recorded.

    sequence_panel({"nano-gpt2": nano, "SmolLM2-135M": real}).show()        with buttons
    sequence_outcome("LoRA merged", "replay", "", found=nano)               one picture of it

A choice that was never recorded has no numbers: the nearest one that was stands in, and the title
says so. Nearest is: the same link first, then what is added, then the order.

Run the tests: pytest tests/show/test_matrices.py
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ftlab.show.canvas.sheet import Picture
from ftlab.show.canvas.style import rate_text
from ftlab.show.panels.panel import Panel, choice, toggles
from ftlab.show.plots import recorded
from ftlab.show.plots.matrices import recorded_matrix

NAME = re.compile(r"(.+?)(?: \+ (.+?))?(?: \((.+)\))?")
"""A sweep's link, what is added, and its order: "LoRA merged + replay (reversed)"."""


def sequence_outcome(
    link: str = "LoRA continued", added: str = "", order: str = "", *, found: Iterable[Any]
) -> Picture:
    """The matrix that was recorded for that choice, or for the nearest; means over the seeds.

    `found`: recorded settings of one model (`analysis.settings`). Raises InputError where there is
    no sequence among them.
    """
    known = {_parts(setting): setting for setting in _sequences(found)}
    if not known:
        raise recorded.missing("is of several tasks", "sequence")
    asked = (link, added, order)

    def apart(parts: tuple[str, str, str]) -> int:
        return sum(w * (a != b) for w, a, b in zip((4, 2, 1), parts, asked, strict=True))

    near = min(known, key=apart)
    setting = known[near]
    seeds = f"{len(setting.runs)} seeds" if len(setting.runs) > 1 else "one seed"
    told = f"{setting.sweep}, rate {rate_text(setting.lr)}, {seeds}"
    return recorded_matrix(setting.runs, title=told if near == asked else f"Nearest: {told}")


def _sequences(found: Iterable[Any]) -> list[Any]:
    """The settings that are sequences; of two rates the higher one, which forgets, comes last."""
    those = [setting for setting in found if "sequence" in setting.runs[0].extra]
    return sorted(those, key=lambda setting: setting.lr)


def _parts(setting: Any) -> tuple[str, str, str]:
    parts = NAME.fullmatch(setting.sweep)
    link, added, order = parts.groups() if parts else (setting.sweep, "", "")
    return link, added or "", order or ""


def sequence_panel(found: Mapping[str, Iterable[Any]]) -> Panel:
    """Choose a model, a link, what is added and an order; see the matrix (`found`, by model)."""
    settings = {name: _sequences(several) for name, several in found.items()}
    parts = [_parts(setting) for several in settings.values() for setting in several]
    if not parts:
        raise recorded.missing("is of several tasks", "sequence")
    links, added, orders = (list(dict.fromkeys(one)) for one in zip(*sorted(parts), strict=True))
    models = [name for name, several in settings.items() if several]
    controls = {
        "model": choice("model", models, models[0]),
        "link": toggles("link", [(link, link) for link in links]),
        "added": toggles("with", [(one or "nothing more", one) for one in added]),
        "order": toggles("order", [(one or "as above", one) for one in sorted(orders)]),
    }

    def draw(model: str, **asked: str) -> Picture:
        return sequence_outcome(**asked, found=settings[model])

    return Panel(controls, draw, rows={" " * n: [name] for n, name in enumerate(controls)})
