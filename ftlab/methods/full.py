"""Full fine-tuning: every weight may move. It learns most freely, and forgets most freely.

summary = full(model)
print(summary)            # full: 2,713,344 of 2,713,344 weights move (100 %)
"""

from dataclasses import dataclass

from torch import nn

from ftlab.errors import InputError


@dataclass(frozen=True)
class Moving:
    """How much of a model a method lets move; tied weights are counted once."""

    method: str
    """The method's name, as a plot or a record shows it."""
    trainable: int
    """Weights that may move."""
    total: int
    """All weights."""

    @property
    def share(self) -> float:
        """trainable / total, in [0, 1]."""
        return self.trainable / self.total

    def __str__(self) -> str:
        return (
            f"{self.method}: {self.trainable:,} of {self.total:,} weights move "
            f"({100 * self.share:.3g} %)"
        )


def count(model: nn.Module, method: str) -> Moving:
    """Read back from the live model what may move in it."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return Moving(method, sum(n for n, moves in sizes if moves), sum(n for n, _ in sizes))


def full(model: nn.Module) -> Moving:
    """Let every weight move. Raises InputError for a quantised model, whose weights are codes."""
    codes = [name for name, p in model.named_parameters() if not p.is_floating_point()]
    if codes:
        raise InputError(
            f"{len(codes)} weights of this model are quantised ({codes[0]} is one), and codes "
            "cannot be trained; load the model unquantised, or use LoRA."
        )
    model.requires_grad_(True)
    return count(model, "full")
