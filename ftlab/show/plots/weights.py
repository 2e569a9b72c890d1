"""Drawings, not data: a LoRA beside its layer, and how a weight becomes four bits.

    low_rank(128, 128, 8)           notebook 04: W, and beside it A and B
    four_bits(block[:6], levels)    notebook 06: weights, nearest of sixteen values, codes, bytes

Sources: Hu et al., LoRA (2021), figure 1, as an idea; Dettmers et al., QLoRA (2023), section 3.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import EDGE, Picture, drawing, panel, write
from ftlab.show.canvas.style import INK, METHODS, SMALL, SOFT, TEXT

FROZEN, TRAINED = "#E4E4E4", METHODS["lora_qv"].colour
VALUE, WEIGHT = "#0072B2", "#B84A00"


@own_settings()
def low_rank(d_in: int, d_out: int, r: int) -> Picture:
    """A frozen matrix with a low-rank pair beside it, and how many weights each has."""
    figure = Picture(9.0, 3.1)
    axes = drawing(figure, (0, 9), (0, 3.0))
    large, small = d_in * d_out, r * (d_in + d_out)
    _box(axes, 2.0, 0.75, 1.5, 1.5, FROZEN, f"W\n{d_out} x {d_in}", INK)
    _box(axes, 4.7, 0.55, 1.5, 0.3, TRAINED, f"A   {r} x {d_in}", "white")
    _box(axes, 5.3, 1.2, 0.3, 1.2, TRAINED, "", "white")
    axes.text(5.72, 1.8, f"B   {d_out} x {r}", fontsize=TEXT, color=TRAINED, va="center")
    axes.text(0.75, 0.2, "x, the input", fontsize=TEXT, ha="center", va="center", color=INK)
    axes.text(0.75, 2.78, "y, the output", fontsize=TEXT, ha="center", va="center", color=INK)
    ways = [((1.3, 0.2), (2.75, 0.75)), ((1.3, 0.2), (5.45, 0.55)), ((5.45, 0.85), (5.45, 1.2))]
    ways += [((2.75, 2.25), (1.35, 2.72)), ((5.45, 2.4), (1.35, 2.8))]
    for start, end in ways:
        look = {"arrowstyle": "-|>", "mutation_scale": 10, "color": SOFT}
        axes.add_patch(FancyArrowPatch(start, end, shrinkA=1, shrinkB=1, **look))
    axes.text(4.3, 2.72, "times alpha / r, then added", fontsize=SMALL, color=SOFT, ha="left")
    told = [(f"frozen: {large:,} weights", SOFT), (f"trained: {small:,} weights", TRAINED)]
    told += [(f"{100 * small / large:.3g} % as many" if small < large else "no fewer", TRAINED)]
    for row, (text, colour) in enumerate(told):
        axes.text(7.2, 1.8 - 0.3 * row, text, fontsize=TEXT, color=colour, va="center")
    figure.alt = (
        f"A LoRA beside its layer. The input x goes through the frozen matrix W ({d_out} x {d_in}, "
        f"{large:,} weights), and also through A ({r} x {d_in}) and then B ({d_out} x {r}), which "
        f"have {small:,} trained weights. What comes from B is multiplied by alpha / r and added."
    )
    return figure


def _box(
    axes: Axes, x: float, y: float, wide: float, high: float, face: str, words: str, ink: str
) -> None:
    shape = "round,pad=0,rounding_size=0.05"
    axes.add_patch(FancyBboxPatch((x, y), wide, high, boxstyle=shape, facecolor=face, lw=0))
    middle = (x + wide / 2, y + high / 2)
    axes.text(*middle, words, ha="center", va="center", fontsize=TEXT, color=ink)


@own_settings()
def four_bits(weights: Sequence[float], absmax: float, levels: Sequence[float]) -> Picture:
    """Some weights of a block, divided by `absmax`, each beside the nearest of the levels.

    weights, absmax: of one block; levels: sixteen values from -1 to 1, rising.
    """
    figure = Picture(9.0, 3.0)
    axes = panel(figure, 0.4, 1.05, 8.2, 0.75)
    axes.set(xlim=(-1.05, 1.05), ylim=(0, 1))
    axes.axis("off")
    axes.plot([-1, 1], [0.3, 0.3], color=SOFT, linewidth=1)
    for code, value in enumerate(levels):
        axes.plot([value, value], [0.3, 0.62], color=VALUE, linewidth=1.6)
        axes.text(value, 0.0, str(code), ha="center", fontsize=SMALL, color=VALUE)
    scaled = [weight / absmax for weight in weights]
    codes = [min(range(len(levels)), key=lambda k: abs(levels[k] - w)) for w in scaled]
    for weight, code in zip(scaled, codes, strict=True):
        axes.plot([weight], [0.3], "o", color=WEIGHT, markersize=6, clip_on=False, zorder=3)
        look = {"arrowstyle": "-|>", "mutation_scale": 8, "color": WEIGHT}
        way = FancyArrowPatch((weight, 0.34), (levels[code], 0.66), **look, clip_on=False)
        axes.add_patch(way)
    head = "sixteen values from -1 to 1 and their codes; dots: weights, divided by absmax"
    write(figure, EDGE, 2.1, head, color=SOFT)
    pairs = [f"{w:+.4f} → {c}" for w, c in zip(weights, codes, strict=True)]
    write(figure, EDGE, 2.65, "weight → code:   " + "     ".join(pairs), fontsize=TEXT)
    first, second = codes[:2]
    stored = f"in memory: codes {first} and {second} share a byte, {first:04b} {second:04b}"
    write(figure, EDGE, 0.6, f"{stored};   one absmax for 64 weights: {absmax:.4f}", fontsize=TEXT)
    back = f"read again: value of the code x absmax = {levels[first] * absmax:+.4f}"
    write(figure, EDGE, 0.25, f"{back}   (the first weight was {weights[0]:+.4f})", fontsize=TEXT)
    figure.alt = (
        f"How weights become four bits. Weights {', '.join(f'{w:+.4f}' for w in weights)} are "
        f"divided by the largest of their block, {absmax:.4f}, and each takes the nearest of "
        f"sixteen values: codes {', '.join(map(str, codes))}. Two codes share a byte; read again, "
        f"the first weight is {levels[first] * absmax:+.4f}."
    )
    return figure
