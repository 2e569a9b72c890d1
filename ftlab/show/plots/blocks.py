"""A decoder model as a row of boxes: the embeddings, its 12 blocks from the input on, the head.

    blocks(figure, 2.5, cells)         one row, `y` inches above the lower edge of the figure
    blocks(figure, 4.5, cells, WIDE)   the same, large; names=NAMES for a name over each box
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


@dataclass(frozen=True)
class Sizes:
    """How large the boxes are, in inches."""

    end: float
    """Width of the embeddings, and of the head."""
    block: float
    """Width of a block."""
    gap: float
    """Between two blocks."""
    height: float
    """Of all boxes."""

    def left(self, part: int) -> float:
        """Where a box begins: 0 is the embeddings, 1 to 12 are the blocks, 13 is the head."""
        if part == 0:
            return EDGE + 0.02
        first = EDGE + 0.02 + self.end + APART
        step = self.block + self.gap
        return first + (part - 1) * step if part < 13 else first + 12 * step - self.gap + APART

    def width(self, part: int) -> float:
        """How wide it is."""
        return self.block if 1 <= part <= 12 else self.end


SMALL = Sizes(0.62, 0.3, 0.07, 0.3)
WIDE = Sizes(1.0, 0.52, 0.065, 0.62)


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


def blocks(
    figure: Picture,
    y: float,
    cells: Sequence[Cell | None],
    sizes: Sizes = SMALL,
    *,
    names: Sequence[str] = (),
) -> None:
    """One row of boxes, from the embeddings up; the 14th cell, where there is one, is the head.

    None draws nothing: what lies behind shows. `names` stand over the boxes.
    """
    inches: dict[str, Any] = {"transform": figure.dpi_scale_trans}
    for part, name in enumerate(names):
        middle, top = sizes.left(part) + sizes.width(part) / 2, y + sizes.height
        write(figure, middle, top + 0.12, name, ha="center", color=SOFT, fontsize=9)
    for part, cell in enumerate(cells):
        if cell is None:
            continue
        x, width, high = sizes.left(part), sizes.width(part), sizes.height
        box = FancyBboxPatch(
            (x, y), width, high, boxstyle="round,pad=0,rounding_size=0.05", facecolor=cell.face,
            edgecolor=cell.edge, linestyle=(0, (2, 1.5)) if cell.still else "-", **inches,
        )  # fmt: skip
        figure.add_artist(box)
        middle = x + width / 2
        write(figure, middle, y + high / 2 - 0.005, cell.words, ha="center", color=cell.ink)
        if cell.marked:
            under = [x, x + width], [y - 0.06] * 2
            figure.add_artist(Line2D(*under, color=BAD, linewidth=2.4, **inches))


def gradients(figure: Picture, y: float, lowest: int | None) -> None:
    """An arrow from the output down to the lowest part that trains, and words under it."""
    if lowest is None:
        write(figure, EDGE, y - 0.2, "no block needs a gradient", color=SOFT)
        return
    end = SMALL.left(12) + SMALL.block
    arrow = FancyArrowPatch(
        (end, y), (SMALL.left(lowest), y), arrowstyle="-|>", mutation_scale=10, color=SOFT,
        shrinkA=0, shrinkB=0, transform=figure.dpi_scale_trans,
    )  # fmt: skip
    figure.add_artist(arrow)
    where = f"block {lowest}" if lowest else "the embeddings"
    text = f"gradients are computed from the output down to {where}"
    write(figure, end, y - 0.18, text, ha="right", color=SOFT)
