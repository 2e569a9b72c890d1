"""NF4: a weight in four bits, with sixteen levels placed where normal weights lie.

    absmax_i = max |w| over block i (64 weights)          one constant a block
    code     = nearest level to w / absmax_i              4 bits, two in a byte, the first high
    w'       = level[code] x absmax_i

    bits a weight: 4 + 32 / 64 = 4.5; with the constants quantized too (by bitsandbytes) 4.127

Weights of a trained network are about normal, with mean 0. NF4's levels lie at equal PROBABILITY
(quantiles of the normal distribution), so they are used more evenly than levels at equal DISTANCE
(int4), whose outer ones are nearly idle. Not quite evenly: the table ends at 1.85 standard
deviations, and the largest of 64 weights lies further out. Zero is a level of its own, so that
nothing moves what is 0.

Notable choices:
- Seven levels lie below zero, eight above: 16 in all with zero.
- int4 has 16 levels and no middle: its constant carries a sign, so that the weight that is
  largest in its block, of whichever sign, takes the one level that has no opposite.
- The nearest level is the first of the nearest, as bitsandbytes has it.
- Blocks run over the flattened weight, row after row; a last block may be short.
- This is for reading and for checking. Training uses bitsandbytes (`ftlab.models.quantizing`).

Source: Dettmers et al., QLoRA (2023), section 3 and appendix E.
Run the tests: pytest tests/methods/test_nf4.py
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ftlab.base.errors import InputError

BLOCK = 64
"""Weights that share a constant."""
SECOND_BLOCK = 256
"""Constants that share a constant, with double quantization."""
TAIL = 1 - (1 / 30 + 1 / 32) / 2
"""The outermost quantile (1 would lie at infinity): of 15 and of 16 equal shares the outermost is
cut in half, and this is the middle of both."""


def nf4_levels() -> Tensor:
    """The sixteen levels of NF4, rising from -1 to 1. (16,)"""
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    positive = normal.icdf(torch.linspace(TAIL, 0.5, 9, dtype=torch.float64))[:-1]  # (8,)
    negative = -normal.icdf(torch.linspace(TAIL, 0.5, 8, dtype=torch.float64))[:-1]  # (7,)
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive.flip(0)])
    return (levels / levels.max()).float()


def int4_levels() -> Tensor:
    """Sixteen levels at equal distance, zero among them: -8/8 to 7/8. (16,)"""
    return torch.arange(-8, 8) / 8


def fp4_levels() -> Tensor:
    """The levels of bitsandbytes' 4-bit float (sign, 2 exponent bits, 1 of mantissa). (15,)"""
    positive = torch.tensor([0.0625, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0]) / 12  # 0.0625: subnormal
    return torch.cat([-positive.flip(0), torch.zeros(1), positive])


LEVELS = {"nf4": nf4_levels, "int4": int4_levels, "fp4": fp4_levels}
"""By the name that bitsandbytes or a plot uses; int4 is ours, for comparison."""


@dataclass(frozen=True)
class Quantized:
    """A weight in four bits: what is stored, and what it takes to read it."""

    packed: Tensor
    """Two codes a byte, the first in the high half. (ceil(n / 2),) uint8"""
    absmax: Tensor
    """One constant a block; below 0 where int4 turned it round. (ceil(n / block),) float32"""
    levels: Tensor
    """What a code stands for. (16 or fewer,) float32"""
    block: int
    """Weights in a block."""
    shape: tuple[int, ...]
    """Of the weight."""

    @property
    def bits(self) -> float:
        """Bits a weight: codes and constants, without the table of levels."""
        return 8 * (self.packed.nbytes + self.absmax.nbytes) / math.prod(self.shape)


def quantize(
    weight: Tensor,
    *,
    block: Annotated[int, "2 or more, as 64"] = BLOCK,
    levels: Tensor | None = None,
) -> Quantized:
    """Round every weight to the nearest level of its block. Levels: NF4 if None.

    Where the levels have no 1 (int4), the block's largest weight goes to -1, whatever its sign.

    Raises InputError for a block below 2 or weights that are not finite.
    """
    if isinstance(block, bool) or not isinstance(block, int) or block < 2:
        raise InputError(f"A block of {block!r} weights is not possible; give 2 or more, as 64.")
    if not torch.isfinite(weight).all():
        raise InputError("The weight holds numbers that are not finite; quantize a sound one.")
    levels = nf4_levels() if levels is None else levels
    rows, n = _blocks(weight.detach().float().flatten(), block), weight.numel()
    absmax = rows.abs().amax(1)  # (blocks,)
    if levels.max() < 1:
        first = rows.gather(1, rows.abs().argmax(1, keepdim=True))[:, 0]
        absmax = torch.where(first > 0, -absmax, absmax)
    scaled = rows / absmax.where(absmax != 0, 1.0)[:, None]  # in [-1, 1]; a block of zeros stays 0
    codes = nearest(scaled.flatten()[:n], levels)
    return Quantized(pack(codes), absmax, levels, block, tuple(weight.shape))


def dequantize(stored: Quantized) -> Tensor:
    """The weight as the model will see it. `stored.shape`, float32"""
    n = math.prod(stored.shape)
    values = stored.levels.to(stored.packed.device)[unpack(stored.packed, n).long()]
    rows = _blocks(values, stored.block) * stored.absmax[:, None]
    return rows.flatten()[:n].reshape(stored.shape)


def nearest(x: Tensor, levels: Tensor) -> Tensor:
    """For each number the code of the nearest level. (n,) -> (n,) uint8"""
    codes, levels = torch.empty(len(x), dtype=torch.uint8, device=x.device), levels.to(x.device)
    for start in range(0, len(x), 2**20):  # a million at a time: 16 distances for each
        part = x[start : start + 2**20]
        codes[start : start + 2**20] = (part[:, None] - levels).abs().argmin(1)
    return codes


def pack(codes: Tensor) -> Tensor:
    """Two codes a byte, the first in the high half; an odd one out gets a zero. (ceil(n / 2),)"""
    even = torch.cat([codes, codes.new_zeros(len(codes) % 2)])
    return even[::2] << 4 | even[1::2]


def unpack(packed: Tensor, n: int) -> Tensor:
    """The first n codes. (n,) uint8"""
    return torch.stack([packed >> 4, packed & 15], dim=1).flatten()[:n]


def _blocks(flat: Tensor, block: int) -> Tensor:
    """(n,) -> (blocks, block), the last one filled up with zeros."""
    short = -len(flat) % block
    return torch.cat([flat, flat.new_zeros(short)]).reshape(-1, block)
