"""The same functions in fewer operations, for the many small steps of a small model on a CPU.

    LoRA    y = W x + s B (A x)     ->     y = (W + s B A) x          one product in place of three
    GELU    its tanh form, term by term    ->    torch's own, in one pass over the numbers

    with fused(model):              inside, layers that can be are; afterwards all is as before

Notable choices:
- B A is small beside the batch, so adding it to W first costs less than two thin products over
  every token. The gradients of A and B are taken without that of W, which nobody needs:
  dA = s (B^T dy^T) x and dB^T = s (A x^T) dy. In this order: with the r rows first, a thin product
  takes a third of what it takes with r columns.
- Only what is the very same function is replaced: plain LoRA of one adapter without dropout, on
  float32 weights on a CPU. Everything else keeps its own forward.

Source: Hu et al., LoRA (2021), section 4.1: an adapter can be merged into its weight.
Run the tests: pytest tests/test_fast.py
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import NewGELUActivation
from transformers.pytorch_utils import Conv1D


@contextmanager
def fused(model: nn.Module) -> Iterator[int]:
    """Inside, the model computes the same with fewer operations; gives how many layers do."""
    changed = [(module, way) for module in model.modules() if (way := _shorter(module))]
    try:
        for module, way in changed:
            vars(module)["forward"] = way
        yield len(changed)
    finally:
        for module, _ in changed:
            vars(module).pop("forward", None)


def _shorter(module: nn.Module) -> Callable[..., Tensor] | None:
    """A module's forward in fewer operations, if there is one."""
    if "forward" in vars(module):
        return None
    if isinstance(module, NewGELUActivation):
        return partial(F.gelu, approximate="tanh")
    return partial(_lora_forward, module) if _is_plain_lora(module) else None


def _is_plain_lora(module: Any) -> bool:
    """Is it peft's LoRA on one linear layer, in its plainest form?"""
    base: Any = getattr(module, "base_layer", None)
    if type(base) not in (nn.Linear, Conv1D) or list(getattr(module, "lora_A", ())) != ["default"]:
        return False
    weights = [base.weight, module.lora_A["default"].weight, module.lora_B["default"].weight]
    return (
        all(w.dtype == torch.float32 and w.device.type == "cpu" for w in weights)
        and not base.weight.requires_grad
        and not (base.bias is not None and base.bias.requires_grad)
        and isinstance(module.lora_dropout["default"], nn.Identity)
        and not (module.merged or module.disable_adapters or module.lora_variant)
        and module.lora_B["default"].bias is None
    )


def _lora_forward(module: Any, x: Tensor) -> Tensor:
    base = module.base_layer
    weight = base.weight if isinstance(base, nn.Linear) else base.weight.T  # (out, in)
    a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
    return _Merged.apply(x, weight, base.bias, a, b, module.scaling["default"])


class _Merged(torch.autograd.Function):
    """y = x (W + s B A)^T + bias, with gradients for x, A and B alone."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, s: float
    ) -> Tensor:
        merged = torch.addmm(weight, b, a, alpha=s)  # (out, in)
        ctx.save_for_backward(x, merged, a, b)
        ctx.s = s
        return F.linear(x, merged, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, merged, a, b = ctx.saved_tensors
        dy, rows = grads[0].flatten(0, -2), x.flatten(0, -2)  # (N, out), (N, in)
        da = (b.T * ctx.s) @ dy.T @ rows  # (r, in), by way of (r, N)
        db = (a @ rows.T @ dy).mul_(ctx.s).T  # (out, r), by way of (r, N)
        dx = (dy @ merged).view_as(x) if ctx.needs_input_grad[0] else None
        return dx, None, None, da, db, None
