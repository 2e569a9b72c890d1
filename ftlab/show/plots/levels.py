"""Weights and the levels they are rounded to: three tables over one histogram, and block sizes.

    weight_levels(weight)                       NF4, int4 and FP4 over the weights of one layer
    block_sizes(errors_of(weight), "nf4", 64)   error against bits a weight, one choice marked

Both draw what was measured on the weight that is given: the weights are really rounded.
"""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.ticker import FixedLocator, MultipleLocator, NullLocator
from torch import Tensor

from ftlab.methods import nf4
from ftlab.plan import check_choice
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import Picture, head, row
from ftlab.show.canvas.style import INK, SOFT

BLOCKS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""What the slider of `block_sizes` stops at."""
NAMES = {"nf4": "NF4", "int4": "int4, equal steps", "fp4": "FP4 of bitsandbytes"}
COLOURS = {"nf4": "#7A1F4B", "int4": "#0072B2", "fp4": "#8C6D00"}


def error(weight: Tensor, kind: str, block: int = nf4.BLOCK) -> float:
    """Relative error of rounding: |w' - w| / |w|, both as lengths of the whole weight."""
    check_choice("kind", kind, tuple(nf4.LEVELS))
    stored = nf4.quantize(weight, block=block, levels=nf4.LEVELS[kind]())
    return ((nf4.dequantize(stored) - weight).norm() / weight.norm()).item()


def usage(weight: Tensor, kind: str, block: int = nf4.BLOCK) -> list[float]:
    """The share of the weights that each level takes, from the lowest level up."""
    check_choice("kind", kind, tuple(nf4.LEVELS))
    levels = nf4.LEVELS[kind]()
    stored = nf4.quantize(weight, block=block, levels=levels)
    codes = nf4.unpack(stored.packed, weight.numel()).long()
    return (torch.bincount(codes, minlength=len(levels)) / weight.numel()).tolist()


@own_settings()
def weight_levels(weight: Tensor, *, block: int = nf4.BLOCK) -> Picture:
    """The weights divided by their block's largest, and each table's levels over them."""
    weight = weight.detach().float()
    rows = weight.flatten()[: weight.numel() // block * block].reshape(-1, block)
    scaled = (rows / rows.abs().amax(1, keepdim=True)).flatten().numpy()
    figure = Picture(9.6, 3.4)
    errors = {kind: error(weight, kind, block) for kind in NAMES}
    for axes, kind in zip(row(figure, [0.1] * 3, left=0.5), NAMES, strict=True):
        head(axes, NAMES[kind], f"error {errors[kind]:.1%}; lines: its levels", left=0.5)
        axes.hist(scaled, bins=101, range=(-1, 1), color="#D2D2D2", density=True)
        for level in nf4.LEVELS[kind]().tolist():
            axes.axvline(level, color=COLOURS[kind], linewidth=1.3)
        axes.set_xlabel("weight / largest of its block")
        axes.set_yticks([])
        axes.set_xticks([-1, 0, 1])
    figure.alt = alt_levels(weight, errors, block)
    return figure


def alt_levels(weight: Tensor, errors: Mapping[str, float], block: int) -> str:
    """The three panels in words."""
    text = (
        f"A histogram of {weight.numel():,} weights, each divided by the largest of its block of "
        f"{block}: most lie near 0"
    )
    for kind, value in errors.items():
        shares = usage(weight, kind, block)
        text += (
            f"; {NAMES[kind]}: error {value:.1%}, its most used level takes {max(shares):.0%} of "
            f"the weights, its least used {min(shares):.1%}"
        )
    return f"{text}."


def bits(block: int, *, double: bool = False) -> float:
    """Bits a weight at a block size: codes and constants (QLoRA, section 3)."""
    return 4 + (8 / block + 32 / (block * nf4.SECOND_BLOCK) if double else 32 / block)


Errors = Mapping[str, Sequence[float]]  # by table, the error at each of BLOCKS


def errors_of(weight: Tensor) -> dict[str, list[float]]:
    """By table, the error of rounding at each of BLOCKS."""
    weight = weight.detach().float()
    return {kind: [error(weight, kind, size) for size in BLOCKS] for kind in NAMES}


@own_settings()
def block_sizes(errors: Errors, kind: str = "nf4", block: int = nf4.BLOCK) -> Picture:
    """The error at every block size for each table, and the memory it takes; one marked."""
    figure = Picture(9.6, 3.7)
    left, right = row(figure, [1.5, 1.75], left=0.6)
    head(left, "Error of rounding", "lower is better", left=0.6)
    head(right, "Bits a weight", "lower is better", left=0.6)
    for name, values in errors.items():
        width, alpha = (2.4, 1.0) if name == kind else (1.2, 0.55)
        look = {"color": COLOURS[name], "linewidth": width, "alpha": alpha}
        left.plot(BLOCKS, values, marker="o", markersize=4, **look)
    end_labels(left, [Label(BLOCKS[-1], v[-1], NAMES[n], COLOURS[n]) for n, v in errors.items()])
    ends = []
    for double, words, colour in (
        (False, "one constant a block", INK), (True, "constants in 8 bits", "#008A66")
    ):  # fmt: skip
        values = [bits(size, double=double) for size in BLOCKS]
        right.plot(BLOCKS, values, color=colour, marker="o", markersize=4)
        ends.append(Label(BLOCKS[-1], values[-1], words, colour))
    end_labels(right, ends)
    for axes in (left, right):
        axes.axvline(block, color=SOFT, linewidth=1, linestyle=(0, (3, 2)))
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator([8, 64, 512, 4096]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel("weights in a block")
    left.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    left.set_ylim(bottom=0)
    left.yaxis.set_major_locator(MultipleLocator(0.05))
    figure.alt = sentence(errors, kind, block)
    return figure


def sentence(errors: Errors, kind: str, block: int) -> str:
    """What one choice of table and block size costs, in one sentence."""
    off = errors[kind][BLOCKS.index(block)]
    return (
        f"{NAMES[kind]} with blocks of {block} weights: off by {off:.1%}, {bits(block):.3f} bits a "
        f"weight, or {bits(block, double=True):.3f} with the constants in 8 bits."
    )
