"""The three attentions of an encoder-decoder model, drawn: where each looks, and what it carries.

A drawing, not data: two columns of blocks, and an arrow for each attention. `ranks` writes what
a plan puts on each (see `methods.seq2seq.AttentionLoRA`); what is not named is drawn pale.
"""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import LIFT, Picture, heading
from ftlab.show.canvas.style import INK, METHODS, SOFT

KINDS = {
    "encoder": ("encoder's own", "every word of the input\nlooks at the input"),
    "cross": ("cross", "the answer looks\nat the input"),
    "decoder": ("decoder's own", "every word of the answer\nlooks at those before it"),
}
READS = ("input", "answer so far")


@own_settings
def three_attentions(
    ranks: Mapping[str, int] | None = None,
    *,
    blocks: tuple[int, int] = (4, 4),
    title: str | None = None,
) -> Picture:
    """Both stacks and their attentions; `ranks` by encoder, cross and decoder, all if None."""
    lift = LIFT if title else 0.0
    figure = Picture(9.0, 3.3 + lift)
    axes = figure.add_axes((0.02, 0.02, 0.96, 3.2 / (3.3 + lift)))
    axes.set_xlim(0, 9)
    axes.set_ylim(0, 3.2)
    axes.axis("off")
    for x, name, count, reads in zip(
        (2.9, 5.7), ("encoder", "decoder"), blocks, READS, strict=True
    ):
        draw_stack(axes, x, f"{name}, {count} blocks", reads)
    for kind in KINDS:
        draw_attention(axes, kind, ranks)
    axes.text(0.1, 0.25, "arrows: who looks at what", fontsize=9.5, color=SOFT)
    heading(figure, title)
    figure.alt = alt_stacks(ranks, blocks)
    return figure


def draw_stack(axes: Axes, x: float, name: str, reads: str) -> None:
    for n in range(4):
        box = FancyBboxPatch(
            (x - 0.6, 0.75 + 0.5 * n), 1.2, 0.36, boxstyle="round,pad=0.02",
            facecolor="#F2F2F2", edgecolor=SOFT,
        )  # fmt: skip
        axes.add_patch(box)
    axes.text(x, 2.95, name, ha="center", fontsize=10.5, color=INK, fontweight="bold")
    axes.text(x, 0.45, reads, ha="center", fontsize=9.5, color=SOFT)


def draw_attention(axes: Axes, kind: str, ranks: Mapping[str, int] | None) -> None:
    name, says = KINDS[kind]
    on = ranks is None or kind in ranks
    colour = METHODS[f"lora_{kind}"].colour if on else "#B8B8B8"
    if kind == "cross":
        for n in range(4):
            _arrow(axes, (5.02, 0.93 + 0.5 * n), (3.58, 2.43), colour, 0.0)
        where, side = (4.3, 0.6), "center"
    else:
        x, turn = (2.28, -1.0) if kind == "encoder" else (6.32, 1.0)
        for n in range(4):
            low, high = 0.83 + 0.5 * n, 1.05 + 0.5 * n
            _arrow(axes, (x, low), (x, high), colour, 1.6 * turn)
        where, side = ((1.85, 1.9), "right") if kind == "encoder" else ((6.75, 1.9), "left")
    rank = "" if ranks is None else f"rank {ranks[kind]}" if on else "no adapter"
    words = f"{name}\n{says}\n{rank}".rstrip()
    axes.text(*where, words, ha=side, va="center", fontsize=9.5, color=colour if on else SOFT)


def _arrow(axes: Axes, start: tuple, end: tuple, colour: str, turn: float) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            connectionstyle=f"arc3,rad={turn}",
            arrowstyle="-|>",
            mutation_scale=9,
            color=colour,
            linewidth=1.5,
        )
    )


def alt_stacks(ranks: Mapping[str, int] | None, blocks: tuple[int, int]) -> str:
    """The drawing in words."""
    text = f"An encoder of {blocks[0]} blocks beside a decoder of {blocks[1]}, three attentions"
    for kind, (name, says) in KINDS.items():
        text += f"; {name}: {says}".replace("\n", " ")
        if ranks is not None:
            text += f" (rank {ranks[kind]})" if kind in ranks else " (no adapter)"
    return f"{text}."
