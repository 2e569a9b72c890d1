"""How far each layer moved: |W_after - W_before| / |W_before|, one bar per layer.

One small panel per run, all on one scale, embeddings first. A bar of height 0 is marked "0":
that layer was frozen.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import field, number
from ftlab.show.canvas.sheet import DPI, Picture, head, note, panel
from ftlab.show.canvas.style import METHODS, SOFT, TINY, method_mark, shorten, words

BLOCKS = "#33658A"  # a run that is not named after a method
OTHERS = "#8C8C8C"  # embeddings, head: what is no block
READING = "change, in % of the weights' size"
Norms = Mapping[str, Any]  # layer -> {"update": ..., "relative": ...}, or layer -> relative


@own_settings()
def layer_updates(norms: Mapping[str, Any], *, title: str | None = None) -> Picture:
    """Relative update per layer; `norms` is one run's layers, or run name -> layers."""
    runs = {name: _order(layers) for name, layers in _runs(norms).items()}
    across = 2 if len(runs) == 4 else min(len(runs), 3) or 1
    down = -(-len(runs) // across) or 1
    width, height = 9.0 / across, 3.4 if down == 1 else 2.7
    figure = Picture(9.0, 0.1 + down * height, title=title)
    top = max([v for layers in runs.values() for v in layers.values() if v == v], default=0) or 1
    for i, (name, layers) in enumerate((runs or {"": {}}).items()):
        left, below = 0.62 + i % across * width, (down - 1 - i // across) * height + 0.6
        axes = panel(figure, left, below, width - 0.75, height - 1.14)
        head(axes, shorten(_name(name), 26 if across == 3 else 44), READING if i == 0 else "")
        _bars(axes, layers, top, _colour(name))
    figure.alt = alt_layers(runs)
    return figure


def _runs(norms: Mapping[str, Any]) -> dict[str, Norms]:
    """Runs by name; the layers of a single run stand under an empty name."""
    values = list(norms.values())
    single = values and all(
        not isinstance(value, Mapping) or "relative" in value for value in values
    )
    return {"": norms} if single else dict(norms)


def _order(layers: Norms) -> dict[str, float]:
    """Layer -> relative update: embeddings first, then blocks as given, then the rest."""

    def rank(name: str) -> int:
        low = name.lower()
        if any(part in low for part in ("emb", "wte", "wpe", "shared")):
            return 0
        return 1 if any(letter.isdigit() for letter in low) else 2

    def relative(given: Any) -> float:
        return number(field(given, "relative") if isinstance(given, Mapping) else given)

    return {name: relative(layers[name]) for name in sorted(layers, key=rank)}


def _colour(run: str) -> str:
    """The method's colour where the name begins with a method: "full, learning rate 1e-3"."""
    method = run.split(",")[0].strip()
    return METHODS[method].colour if method in METHODS else BLOCKS


def _name(run: str) -> str:
    """What stands over a panel."""
    if not run:
        return "How far each layer moved"
    return method_mark(run).label if run in METHODS else words(run)


def _is_block(name: str) -> bool:
    return any(letter.isdigit() for letter in name)


def _ticks(layers: Mapping[str, float]) -> list[str]:
    """Short names: "emb", "norm", "head"; blocks by their number from 1, counted per stack."""
    counts: dict[str, int] = {}
    ticks = []
    for name in map(str.lower, layers):
        if not _is_block(name):
            known = ("emb", "norm", "head")
            ticks.append(next((word for word in known if word in name), shorten(words(name), 5)))
            continue
        stack = name[0] if name.startswith(("enc", "dec")) else ""
        counts[stack] = counts.get(stack, 0) + 1
        ticks.append(f"{stack}{counts[stack]}")
    return ticks


def _bars(axes: Axes, layers: Mapping[str, float], top: float, colour: str) -> None:
    """The bars of one run."""
    heights = [0.0 if value != value else value for value in layers.values()]
    paints = [colour if _is_block(name) else OTHERS for name in layers]
    axes.bar(range(len(heights)), heights, 0.78, color=paints)
    axes.set_ylim(0, top * 1.06)
    axes.set_xlim(-0.7, max(len(layers), 1) - 0.3)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
    axes.set_xlabel("layer (input to output)")
    bar = axes.get_window_extent().width / DPI / max(len(layers), 1)  # inches
    _say_still(axes, list(layers.values()), top, bar)
    _name_bars(axes, _ticks(layers), bar)
    if not layers:
        note(axes, "no layer measured yet")


def _say_still(axes: Axes, values: list[float], top: float, bar: float) -> None:
    """Words over each stretch of layers that did not move or were not measured."""
    start = 0
    for word, group in groupby(
        values, lambda v: "did not move" if v == 0 else "" if v == v else "not measured"
    ):
        count = len(list(group))
        text = word if count * bar > 0.95 else "0" if word == "did not move" else "?"
        if word:
            look = {"ha": "center", "va": "bottom", "fontsize": TINY, "color": SOFT}
            axes.text(start + (count - 1) / 2, 0.015 * top, text, **look)
        start += count


def _name_bars(axes: Axes, ticks: list[str], bar: float) -> None:
    """Names under the bars: every one, or every second, third, fifth block if it is tight."""
    skip = next((k for k in (1, 2, 3, 5, 10) if bar * k > 0.24), 20)
    blocks = [i for i, tick in enumerate(ticks) if _is_block(tick)]
    shown = [i for i in blocks if (i - blocks[0] + 1) % skip == 0]
    for i in sorted(set(range(len(ticks))) - set(blocks)):
        room = {other: 0.035 * len(ticks[i] + ticks[other]) + 0.05 for other in shown}  # inches
        if all(abs(i - other) * bar > need for other, need in room.items()):
            shown.append(i)
    axes.set_xticks(sorted(shown), [ticks[i] for i in sorted(shown)], fontsize=TINY)
    axes.tick_params(axis="x", length=0)


def alt_layers(runs: Mapping[str, Mapping[str, float]]) -> str:
    """The bars in words: for every run the layers that moved most and least."""
    if not any(runs.values()):
        return "An empty chart: no layer has been measured yet."
    parts = []
    for name, layers in runs.items():
        there = {layer: value for layer, value in layers.items() if value == value}
        who = f"{_name(name)}: " if name else ""
        if not there:
            parts.append(f"{who}no layer measured")
            continue
        most, least = max(there, key=lambda k: there[k]), min(there, key=lambda k: there[k])
        still = sum(value == 0 for value in there.values())
        parts.append(
            f"{who}{words(most)} moved most ({100 * there[most]:.3g} %), {words(least)} least "
            f"({100 * there[least]:.3g} %)" + (f"; {still} layers did not move" if still else "")
        )
    return f"Bars per layer, change of its weights in percent of their size. {'. '.join(parts)}."
