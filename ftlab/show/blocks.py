"""A decoder model as a row of boxes: the embeddings, then its 12 blocks from the input on.

    blocks(figure, 2.5, cells)         one row, `y` inches above the lower edge of the figure
    gradients(figure, 2.4, 7)          an arrow from the output down to block 7

Drawn on the figure and not in axes, where each of its many words would take far longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ftlab.show.canvas import EDGE, Picture
from ftlab.show.recorded import write
from ftlab.show.style import BAD, SOFT

WIDTHS = (0.62, *[0.3] * 12)  # inches
STEP, HEIGHT = 0.37, 0.3
END = EDGE + 0.38 + 12 * STEP + WIDTHS[-1]  # right edge of the last block


@dataclass(frozen=True)
class Cell:
    """How one box is drawn."""

    words: str
    """In it."""
    face: str
    """Its colour."""
    ink: str
    """The colour of its words."""
    edge: str = SOFT
    """The colour of its border."""
    still: bool = False
    """Frozen: its border is dashed."""
    marked: bool = False
    """Underlined."""


def left_of(part: int) -> float:
    """Where a box begins, in inches; 0 is the embeddings, 1 to 12 are the blocks."""
    return EDGE + (STEP * part + 0.38 if part else 0.02)


def blocks(figure: Picture, y: float, cells: Sequence[Cell]) -> None:
    """One row of 13 boxes."""
    inches: dict[str, Any] = {"transform": figure.dpi_scale_trans}
    for part, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True)):
        x = left_of(part)
        box = FancyBboxPatch(
            (x, y), width, HEIGHT, boxstyle="round,pad=0,rounding_size=0.05", facecolor=cell.face,
            edgecolor=cell.edge, linestyle=(0, (2, 1.5)) if cell.still else "-", **inches,
        )  # fmt: skip
        figure.add_artist(box)
        write(figure, x + width / 2, y + 0.145, cell.words, ha="center", color=cell.ink)
        if cell.marked:
            under = [x, x + width], [y - 0.06] * 2
            figure.add_artist(Line2D(*under, color=BAD, linewidth=2.4, **inches))


def gradients(figure: Picture, y: float, lowest: int | None) -> None:
    """An arrow from the output down to the lowest part that moves, and words under it."""
    if lowest is None:
        write(figure, EDGE, y - 0.2, "no block needs a gradient", color=SOFT)
        return
    arrow = FancyArrowPatch(
        (END, y), (left_of(lowest), y), arrowstyle="-|>", mutation_scale=10, color=SOFT,
        shrinkA=0, shrinkB=0, transform=figure.dpi_scale_trans,
    )  # fmt: skip
    figure.add_artist(arrow)
    where = f"block {lowest}" if lowest else "the embeddings"
    text = f"gradients are computed from the output down to {where}"
    write(figure, END, y - 0.18, text, ha="right", color=SOFT)
