"""How a base is stored: as it is, or in four bits; by name, without torch.

quantize_named("nf4-double")       Quantize("nf4", double=True)
str(Quantize("nf4"))               nf4-double
"""

import re
from dataclasses import dataclass
from typing import Literal

from ftlab.base.door import checked
from ftlab.base.errors import InputError

KINDS = ("nf4", "fp4")
BLOCKS = (64, 128, 256, 512, 1024, 2048, 4096)


@checked
@dataclass(frozen=True)
class Quantize:
    """How a base is quantized."""

    kind: Literal["nf4", "fp4"] = "nf4"
    """The levels: quantiles of the normal distribution, or a 4-bit float."""
    double: bool = True
    """Are the constants of the blocks quantized too?"""
    block: int = 64
    """Weights that share a constant; a power of two from 64 to 4096."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"'{self.kind}' is no 4-bit type; give {' or '.join(KINDS)}.")
        if self.block not in BLOCKS:
            choices = ", ".join(map(str, BLOCKS))
            raise InputError(f"A block of {self.block!r} weights is not possible; give {choices}.")

    def __str__(self) -> str:
        return (
            self.kind
            + ("-double" if self.double else "")
            + (f"-{self.block}" if self.block != BLOCKS[0] else "")
        )


BASES = ("plain", "nf4-double", "nf4", "fp4-double", "fp4")
"""Names of a base; a block size may follow, as in nf4-double-128."""


def quantize_named(name: str) -> Quantize | None:
    """How the base of that name is quantized; None for "plain". Undoes `str`.

    Raises InputError for a name that is none.
    """
    if name == "plain":
        return None
    match = re.fullmatch(r"(nf4|fp4)(-double)?(?:-(\d+))?", name)
    if not match:
        raise InputError(f"There is no base '{name}'; give one of {', '.join(BASES)}.")
    kind, double, block = match.groups()
    return Quantize(kind, bool(double), int(block or BLOCKS[0]))  # pyright: ignore
