"""The parts of a step's memory, their sum, and the cards: plain data without torch.

`ftlab.memory.arithmetic` fills them in. GB are 10^9 bytes.

Run the tests: pytest tests/memory/test_memory.py
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftlab.memory.plan import MemoryPlan

GB = 10**9
CARDS = {"T4": 15 * GB, "24 GB": 24 * GB, "80 GB": 80 * GB}
"""Bytes a run can use. Of a T4's 16 GB torch can have 14.6 GiB, which is 15.6 GB: error correction
takes the rest. About 0.6 GB of that go to the CUDA context, to the libraries and to gaps between
tensors. Cards of 24 and of 80 GB count in 2^30, which leaves as much room."""

PARTS = (
    "weights",
    "quantization constants",
    "adapters",
    "optimiser states",
    "gradients",
    "half-precision copies",
    "activations",
    "logits and loss",
    "workspace",
)


@dataclass(frozen=True)
class Part:
    """One part of the memory."""

    name: str
    """One of PARTS."""
    bytes: int
    """How large it gets."""
    at_peak: int
    """How much of it is there when the sum is largest."""


@dataclass(frozen=True)
class Memory:
    """What a plan needs of a card."""

    name: str
    """The model's."""
    plan: "MemoryPlan"
    """How it is trained."""
    parts: tuple[Part, ...]
    """All of PARTS, in that order."""
    moment: str
    """When the sum is largest."""
    paged: int
    """Bytes of optimiser states that may leave the card."""

    @property
    def total(self) -> int:
        """The peak, in bytes on the card."""
        return sum(part.at_peak for part in self.parts)

    def __getitem__(self, name: str) -> int:
        """How large a part gets, in bytes."""
        return next(part.bytes for part in self.parts if part.name == name)

    def rows(self) -> list[tuple[str, str, str]]:
        """Part, how large it gets, how much is there at the peak; empty parts left out."""
        rows = [(p.name, size(p.bytes), size(p.at_peak)) for p in self.parts if p.bytes]
        if self.paged:
            rows.append(("optimiser states, paged", size(self.paged), "0, if needed"))
        return rows

    def __str__(self) -> str:
        lines = [f"{self.name}, {self.plan}"]
        rows = [("part", "largest", "at the peak"), *self.rows()]
        lines += [f"  {name:24} {whole:>10} {peak:>12}" for name, whole, peak in rows]
        return "\n".join(
            [*lines, f"  {f'together, fullest {self.moment}':35} {size(self.total):>12}"]
        )


def size(count: float) -> str:
    """Bytes in a unit that reads well: "1.2 MB", "14.9 GB"."""
    for unit, least in (("GB", GB), ("MB", 10**6), ("kB", 10**3)):
        if count >= least:
            return f"{count / least:.{0 if count >= 100 * least else 1}f} {unit}"
    return f"{count:.0f} B"
