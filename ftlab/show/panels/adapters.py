"""Notebook 07's chooser: a method, its size and its rate, and what was recorded for it.

    adapter_panel(runs).show()                           with controls
    adapter_outcome("lora_all", 2, 3e-3, found=runs)     one picture of it

Left what it trains, and what was learned, and retained with the adapter on and off; right the place
among all methods on that model. What was not run is answered with the two nearest that were, drawn
hollow and named; only the parameters are counted for the size that was asked for. Off is the base,
bit for bit (`methods.adapter_off`); what trains the model's own weights has no switch.

Run the tests: pytest tests/show/test_adapters_panel.py
"""

from collections.abc import Iterable
from math import log
from statistics import fmean
from typing import Any, NamedTuple

from matplotlib.patches import Rectangle

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.memory.shapes import shape
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import MEASURES
from ftlab.show.canvas.sheet import EDGE, Picture, write, write_head
from ftlab.show.canvas.style import INK, METHODS, PAPER, TEXT, rate_text
from ftlab.show.panels.panel import Panel, choice, rate_slider, slider
from ftlab.show.plots import recorded
from ftlab.show.plots.recorded import Found

LEFT, LONG, TOP = 1.5, 2.5, 1.42  # inches: where bars begin, how long 100 % is, the first bar
SIZES = (1, 2, 4, 8, 16, 32, 48)


class Kind(NamedTuple):
    """One way that is offered: its sweeps in the records, what its size counts, and where."""

    sweeps: tuple[str, ...]
    unit: str = ""
    field: str = ""


KINDS = {
    "lora_all": Kind(("lora_small", "lora_all"), "rank", "ranks"),
    "bottleneck": Kind(("bottleneck",), "width", "size"),
    "prefix": Kind(("prefix",), "tokens", "tokens"),
    "prefix_words": Kind(("prefix_words",), "tokens", "tokens"),
    "prompt": Kind(("prompt",), "tokens", "tokens"),
    "ia3": Kind(("ia3",)),
    "oft": Kind(("oft",)),
    "osf": Kind(("osf",)),
    "full": Kind(("learning rate",)),
}


@own_settings()
def adapter_outcome(
    method: str = "lora_all",
    size: int = 2,
    rate: float = 3e-3,
    model: str = "nano-gpt2",
    *,
    found: Iterable[Any],
) -> Picture:
    """What one of KINDS trains at a size (if it has one), and what was recorded for it or near it.

    `found`: recorded runs. Raises InputError where they hold nothing of that method and model.
    """
    offered = settings_of(found, model)
    if method not in offered:
        names = ", ".join(offered) or "other records"
        raise InputError(f"Nothing was recorded of '{method}' on {model}; choose from {names}.")
    kind, mark = KINDS[method], METHODS[method]
    near = [_near(setting, kind, size, rate) for setting in offered[method]]
    chosen = recorded.nearest(near)
    run, figure = chosen[0].runs[0], Picture(9.6, 3.5)
    count = parameters(kind, run, size)
    sized = f", {kind.unit} {size}" if kind.unit else ""
    asked = f"{mark.label}{sized}, rate {rate_text(rate)}"
    trains = recorded.counted(count, run.total - run.trainable + count)
    write_head(figure, EDGE, 2.6, asked, trains)
    how = "recorded" if chosen[0].exact else f"nearest: {chosen[0].name}"
    write_head(figure, EDGE, TOP + 0.2, "Learned, retained", f"{how}; lines: all seeds")
    _bars(figure, chosen[0], mark.colour, switch=method != "full")
    others = [setting.runs for settings in offered.values() for setting in settings]
    recorded.outcomes(figure, chosen, others, mark.colour, "all methods")
    off = "it has no switch" if method == "full" else "switched off, it is the base"
    figure.alt = f"{model}, {asked}, {trains}: {recorded.outcome(chosen)}; {off}."
    return figure


def settings_of(found: Iterable[Any], model: str) -> dict[str, list[Any]]:
    """The recorded settings of a model by kind, those without any left out."""
    settings = compare.settings(run for run in found if run.model == model)
    by_kind = {
        name: [s for s in settings if s.sweep in kind.sweeps] for name, kind in KINDS.items()
    }
    return {name: some for name, some in by_kind.items() if some}


def size_of(kind: Kind, run: Any) -> int:
    """The size that a recorded run had; 1 where there is none to choose."""
    held = run.extra["method"][kind.field] if kind.unit else 1
    return next(iter(held.values())) if isinstance(held, dict) else held


def parameters(kind: Kind, run: Any, size: int) -> int:
    """What trains at `size`, from a run at another: in proportion, biases of a bottleneck aside."""
    if not kind.unit:
        return run.trainable
    blocks = shape(run.model).blocks if "bottleneck" in kind.sweeps else ()
    fixed = sum(2 * block.width for block in blocks)  # the bias of every `up`
    return fixed + (run.trainable - fixed) * size // size_of(kind, run)


def _near(setting: Any, kind: Kind, size: int, rate: float) -> Found:
    held = size_of(kind, setting.runs[0])
    name = f"{f'{kind.unit} {held} ' if kind.unit else ''}at a rate of {rate_text(setting.lr)}"
    apart = abs(log(setting.lr / rate)) + (abs(log(held / size)) if kind.unit else 0.0)
    return Found(name, setting.runs, apart)


def _bars(figure: Picture, one: Found, colour: str, *, switch: bool) -> None:
    """Hollow where the very choice was not recorded; the base's bar is always true."""
    place: dict[str, Any] = {"transform": figure.dpi_scale_trans}
    learned, on = ([run.final[key] for run in one.runs] for key in MEASURES)
    rows = {"learned": learned, "retained, on" if switch else "retained": on}
    rows |= {"retained, off": [1.0]} if switch else {}
    for y, (name, shares) in zip((TOP - 0.08, TOP - 0.5, TOP - 0.92), rows.items(), strict=False):
        look: dict[str, Any] = {"facecolor": colour, "alpha": 0.7}
        if not one.exact and name != "retained, off":
            look = {"facecolor": PAPER, "edgecolor": colour, "linestyle": (0, (3, 2))}
        seeds = LEFT + LONG * min(shares), LONG * (max(shares) - min(shares))
        figure.add_artist(Rectangle((LEFT, y - 0.12), LONG * fmean(shares), 0.24, **look, **place))
        if seeds[1]:
            figure.add_artist(Rectangle((seeds[0], y - 0.015), seeds[1], 0.03, color=INK, **place))
        words = recorded.seeds_range(shares)
        write(figure, LEFT - 0.08, y, name, ha="right", fontsize=TEXT)
        write(figure, LEFT + LONG + 0.15, y, "the base" if name == "retained, off" else words)


def adapter_panel(found: Iterable[Any]) -> Panel:
    """Choose a model, a method, its size and its rate; see what was recorded (`found`: runs)."""
    runs = list(found)
    at = {model: settings_of(runs, model) for model in sorted({run.model for run in runs})}
    at = {model: kinds for model, kinds in at.items() if kinds}
    if not at:
        raise recorded.missing("leaves the weights alone", "adapters")
    rates = sorted({s.lr for kinds in at.values() for settings in kinds.values() for s in settings})
    methods = [(METHODS[name].label, name) for name in KINDS]
    controls = {
        "model": choice("model", list(at), next(iter(at))),
        "method": choice("method", methods, "lora_all"),
        "size": slider("size (rank, width, tokens)", SIZES, 2),
        "rate": rate_slider("learning rate", rates, 3e-3),
    }

    def switch(change: Any) -> None:
        controls["size"].disabled = not KINDS[change["new"]].unit

    controls["method"].observe(switch, names="value")
    rows = {"": ["model", "method"], " ": ["size", "rate"]}
    return Panel(controls, lambda **values: adapter_outcome(**values, found=runs), rows=rows)
