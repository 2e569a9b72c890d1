"""The three attentions of an encoder-decoder model, drawn: where each looks, and what it carries.

A drawing, not data: two columns of blocks, and an arrow for each attention. `ranks` writes what
a plan puts on each (see `methods.seq2seq.AttentionLoRA`); what is not named is drawn pale.
"""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import Picture, drawing
from ftlab.show.canvas.style import METHODS, SMALL, SOFT

KINDS = {
    "encoder": ("encoder's own", "every word of the input\nlooks at the input"),
    "cross": ("cross", "the answer looks\nat the input"),
    "decoder": ("decoder's own", "every word of the answer\nlooks at those before it"),
}
STACKS = {"encoder": (2.9, "input"), "decoder": (5.7, "answer so far")}
"""Where each stack stands, and what it reads."""


@own_settings()
def three_attentions(
    ranks: Mapping[str, int] | None = None,
    *,
    blocks: tuple[int, int] = (4, 4),
    title: str | None = None,
) -> Picture:
    """Both stacks and their attentions; `ranks` by encoder, cross and decoder, all if None."""
    figure = Picture(9.0, 3.3, title=title)
    axes = drawing(figure, (0, 9), (0, 3.2))
    for stack, count in zip(STACKS, blocks, strict=True):
        draw_stack(axes, stack, f"{stack}, {count} blocks")
    for kind, (name, says) in KINDS.items():
        rank = "" if ranks is None else f"\nrank {ranks[kind]}" if kind in ranks else "\nno adapter"
        draw_attention(axes, kind, f"{name}\n{says}{rank}", ranks is None or kind in ranks)
    axes.text(0.1, 0.25, "arrows: who looks at what", fontsize=SMALL, color=SOFT)
    figure.alt = alt_stacks(ranks, blocks)
    return figure


def draw_stack(
    axes: Axes, stack: str, name: str, face: str = "#F2F2F2", alpha: float = 1.0, line: str = "-"
) -> None:
    """One of STACKS as four boxes, its name above, and what it reads below."""
    x, reads = STACKS[stack]
    look = {"facecolor": face, "edgecolor": SOFT, "alpha": alpha, "linestyle": line}
    for n in range(4):
        corner = (x - 0.6, 0.75 + 0.5 * n)
        axes.add_patch(FancyBboxPatch(corner, 1.2, 0.36, boxstyle="round,pad=0.02", **look))
    axes.text(x, 2.95, name, ha="center", fontweight="bold")
    axes.text(x, 0.45, reads, ha="center", fontsize=SMALL, color=SOFT)


def draw_attention(axes: Axes, kind: str, words: str, on: bool) -> None:
    """The arrows of one of KINDS, with words beside them; pale if it is not `on`."""
    colour = METHODS[f"lora_{kind}"].colour if on else "#B8B8B8"
    for n in range(4):
        low, high = 0.83 + 0.5 * n, 1.05 + 0.5 * n
        start, end, turn = {
            "encoder": ((2.28, low), (2.28, high), -1.6),
            "cross": ((5.02, 0.93 + 0.5 * n), (3.58, 2.43), 0.0),
            "decoder": ((6.32, low), (6.32, high), 1.6),
        }[kind]
        arrow = FancyArrowPatch(
            start, end, connectionstyle=f"arc3,rad={turn}", arrowstyle="-|>", mutation_scale=9,
            color=colour, linewidth=1.5,
        )  # fmt: skip
        axes.add_patch(arrow)
    x, y, side = {
        "encoder": (1.85, 1.9, "right"),
        "cross": (4.3, 0.6, "center"),
        "decoder": (6.75, 1.9, "left"),
    }[kind]
    paint = colour if on else SOFT
    axes.text(x, y, words, ha=side, va="center", fontsize=SMALL, color=paint)


def alt_stacks(ranks: Mapping[str, int] | None, blocks: tuple[int, int]) -> str:
    """The drawing in words."""
    text = f"An encoder of {blocks[0]} blocks beside a decoder of {blocks[1]}, three attentions"
    for kind, (name, says) in KINDS.items():
        text += f"; {name}: {says}".replace("\n", " ")
        if ranks is not None:
            text += f" (rank {ranks[kind]})" if kind in ranks else " (no adapter)"
    return f"{text}."
