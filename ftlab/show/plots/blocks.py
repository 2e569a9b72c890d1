"""A decoder model as a row of boxes: the embeddings, its 12 blocks from the input on, the head.

    blocks(figure, 2.5, cells)         one row, `y` inches above the lower edge of the figure
    gradients(figure, 2.4, 7)          an arrow from the output down to block 7

Drawn on the figure and not in axes, where each of its many words would take far longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ftlab.show.canvas.sheet import EDGE, Picture, write
from ftlab.show.canvas.style import BAD, SOFT

APART = 0.11  # inches between the blocks and what stands at either end


END, BLOCK, GAP, HIGH = 0.62, 0.3, 0.07, 0.3  # inches: embeddings and head, a block, between two


def left(part: int) -> float:
    """Where a box begins: 0 is the embeddings, 1 to 12 are the blocks, 13 is the head."""
    if part == 0:
        return EDGE + 0.02
    first = EDGE + 0.02 + END + APART
    return first + (part - 1) * (BLOCK + GAP) + (APART - GAP if part == 13 else 0)


def width(part: int) -> float:
    """How wide it is."""
    return BLOCK if 1 <= part <= 12 else END


@dataclass(frozen=True)
class Cell:
    """How one box is drawn."""

    words: str
    """In it."""
    face: Any
    """Its colour, as matplotlib takes it."""
    ink: str
    """The colour of its words."""
    edge: str = SOFT
    """The colour of its border."""
    still: bool = False
    """Frozen: its border is dashed."""
    marked: bool = False
    """Underlined."""


def blocks(figure: Picture, y: float, cells: Sequence[Cell]) -> None:
    """One row of boxes, from the embeddings up; the 14th cell, where there is one, is the head."""
    inches: dict[str, Any] = {"transform": figure.dpi_scale_trans}
    for part, cell in enumerate(cells):
        x, wide = left(part), width(part)
        box = FancyBboxPatch(
            (x, y), wide, HIGH, boxstyle="round,pad=0,rounding_size=0.05", facecolor=cell.face,
            edgecolor=cell.edge, linestyle=(0, (2, 1.5)) if cell.still else "-", **inches,
        )  # fmt: skip
        figure.add_artist(box)
        middle = x + wide / 2
        write(figure, middle, y + HIGH / 2 - 0.005, cell.words, ha="center", color=cell.ink)
        if cell.marked:
            under = [x, x + wide], [y - 0.06] * 2
            figure.add_artist(Line2D(*under, color=BAD, linewidth=2.4, **inches))


def gradients(figure: Picture, y: float, lowest: int | None) -> None:
    """An arrow from the output down to the lowest part that trains, and words under it."""
    if lowest is None:
        write(figure, EDGE, y - 0.2, "no block needs a gradient", color=SOFT)
        return
    end = left(13) - APART
    arrow = FancyArrowPatch(
        (end, y), (left(lowest), y), arrowstyle="-|>", mutation_scale=10, color=SOFT,
        shrinkA=0, shrinkB=0, transform=figure.dpi_scale_trans,
    )  # fmt: skip
    figure.add_artist(arrow)
    where = f"block {lowest}" if lowest else "the embeddings"
    text = f"gradients are computed from the output down to {where}"
    write(figure, end, y - 0.18, text, ha="right", color=SOFT)
