"""Drawings, not data: a decoder model from the inside, and which of its blocks a plan trains.

transformer(12)                                     notebook 00
bands({"the article's plan": {"1-6": 0, ...}})      notebook 03
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ftlab.methods.bands import parts_of
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import EDGE, Picture, drawing, write
from ftlab.show.canvas.style import INK, METHODS, SMALL, SOFT, TEXT
from ftlab.show.plots.blocks import Cell, blocks

ATTENTION, FORWARD = METHODS["lora_qv"].colour, METHODS["lora_all"].colour
TRAINED = METHODS["freeze"].colour
LOOKS = {
    "frozen": ("white", SOFT, True),
    "lightly": ("#A9CDE6", INK, False),
    "trained": (TRAINED, "white", False),
}


@own_settings()
def transformer(count: int = 12) -> Picture:
    """A decoder model of `count` blocks, and one of its blocks opened."""
    figure = Picture(9.0, 3.5)
    axes = drawing(figure, (0, 9), (0, 3.4))
    parts = [("tokens", 0.05, None), ("embeddings", 0.62, "#F2F2F2")]
    parts += [(f"{count} blocks, one after another", 1.19, "#E8F1F8")]
    parts += [("head", 2.3, "#F2F2F2"), ("a score for every possible next token", 2.9, None)]
    for words, y, face in parts:
        high = 0.9 if "blocks" in words else 0.36
        _box(axes, 0.2, y, 2.9, high, words, face)
    for y in (0.42, 0.99, 2.1, 2.67):
        _arrow(axes, (1.65, y), (1.65, y + 0.19))
    axes.text(4.6, 3.15, "one block", fontsize=TEXT, fontweight="bold", color=INK)
    for y in (1.2, 2.08):
        axes.plot([3.1, 4.2], [y, 0.3 if y < 2 else 3.0], color=SOFT, linewidth=0.9, dashes=(3, 3))
    _box(axes, 4.6, 0.75, 2.1, 0.5, "attention: q, k, v, o", "white", ATTENTION)
    _box(axes, 4.6, 2.0, 2.1, 0.5, "feed-forward", "white", FORWARD)
    axes.text(6.85, 1.0, "each token fetches what\nit needs from earlier ones", fontsize=SMALL,
              va="center", color=ATTENTION)  # fmt: skip
    axes.text(6.85, 2.25, "each token is worked on\nby itself", fontsize=SMALL, va="center",
              color=FORWARD)  # fmt: skip
    _arrow(axes, (4.35, 0.2), (4.35, 3.1))
    for y in (0.75, 2.0):
        _arrow(axes, (4.35, y - 0.15), (4.75, y))
        _arrow(axes, (4.75, y + 0.5), (4.38, y + 0.68))
    axes.text(4.45, 0.12, "vectors in, one for each token", fontsize=SMALL, color=SOFT)
    axes.text(4.6, 2.78, "both add something to the vectors", fontsize=SMALL, color=SOFT)
    figure.alt = (
        f"A decoder model: tokens become embeddings, pass {count} blocks one after another, and a "
        "head turns the last vectors into a score for every next token. One block opened: "
        "attention (q, k, v, o) fetches from earlier tokens, feed-forward works on each token by "
        "itself; both add something to the vectors that pass."
    )
    return figure


def _box(
    axes: Axes, x: float, y: float, wide: float, high: float, words: str,
    face: str | None, edge: str = SOFT,
) -> None:  # fmt: skip
    if face:
        look: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.07", "facecolor": face}
        axes.add_patch(FancyBboxPatch((x, y), wide, high, edgecolor=edge, linewidth=1.3, **look))
    axes.text(x + wide / 2, y + high / 2, words, ha="center", va="center", fontsize=TEXT, color=INK)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "color": SOFT}
    axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))


@own_settings()
def bands(plans: Mapping[str, Mapping[str, float]], *, embeddings: float = 0.0) -> Picture:
    """A row of boxes for each plan: bands of twelfths and their share of the learning rate."""
    figure = Picture(6.4, 0.42 + 0.66 * len(plans))
    told = []
    for number, (name, plan) in enumerate(plans.items()):
        y = 0.42 + 0.66 * (len(plans) - 1 - number)
        shares = {part: share for band, share in plan.items() for part in parts_of(band)}
        row = [embeddings, *(shares[part] for part in range(1, 13))]
        write(figure, EDGE, y + 0.44, name, fontsize=SMALL, fontweight="bold")
        blocks(figure, y, [_cell(part, share) for part, share in enumerate(row)])
        told.append(f"{name}: " + ", ".join(f"{b} {_state(s)}" for b, s in plan.items()))
    key = "filled: trained; pale: trained lightly; dashed: frozen. Input left, output right"
    write(figure, EDGE, 0.16, key, color=SOFT)
    figure.alt = f"Which blocks a plan trains. {'; '.join(told)}; embeddings {_state(embeddings)}."
    return figure


def _state(share: float) -> str:
    return "frozen" if share == 0 else "trained" if share == 1 else "lightly"


def _cell(part: int, share: float) -> Cell:
    face, ink, still = LOOKS[_state(share)]
    return Cell(str(part or "emb."), face, ink, SOFT if still else TRAINED, still)
