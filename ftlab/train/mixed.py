"""Mixed precision of one run: what is multiplied in 16 bits, and the scale that fp16 needs.

    bf16   matrix products in bfloat16, which has float32's range
    fp16   matrix products in float16, which ends at 65,504; the loss is multiplied by a scale, so
           that small gradients do not become 0, and the gradients are divided by it afterwards

Where a gradient overflows, the scale was too large: it is halved, and the same batch is taken
again. (Usual is to leave the optimiser's step out, while schedule and data go on: a short run then
learned 59 % in place of 85 %.) Two runs of one process may differ in precision.

Source: Micikevicius et al., Mixed Precision Training (2018), section 3.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ftlab.base import machine

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MOST_REPEATS = 24
"""Halvings of the scale in one step, from 65,536: below that the gradient is no number at all."""


def autocast(
    model: nn.Module, precision: Literal["fp32", "bf16", "fp16"] | None = None
) -> AbstractContextManager[Any]:
    """Inside, matrix products are computed as in a run of this model (by default: its device's)."""
    device = next(model.parameters()).device
    return MixedPrecision(device, machine.precision(device.type, precision)).autocast()


class MixedPrecision:
    """The precision of one run on one device."""

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device, self.precision = device, precision
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def autocast(self) -> AbstractContextManager[Any]:
        """Inside, matrix products are computed in the run's precision."""
        half = self.precision != "fp32"
        return torch.autocast(self.device.type, dtype=DTYPES[self.precision], enabled=half)

    def gradients(
        self, optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor], norm: Callable[[], Any]
    ) -> tuple[float, int]:
        """Compute the gradients of `loss()`; the gradient's norm, and how often it was repeated.

        `norm()` gives the norm of all gradients, and may clip them. The norm is not finite where
        the loss is not, or where no scale helps.
        """
        for repeats in range(MOST_REPEATS + 1):
            optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss()).backward()
            self.scaler.unscale_(optimizer)
            found = float(norm())
            if math.isfinite(found) or not self.scaler.is_enabled():
                return found, repeats
            self.scaler.update(self.scaler.get_scale() / 2)
        return found, repeats

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """The optimiser's step; the scale may grow again after many that fitted."""
        optimizer.step()
        if self.scaler.is_enabled():
            self.scaler.update()
