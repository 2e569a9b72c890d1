"""The same functions in fewer operations, for the many small steps of a small model on a CPU.

    LoRA    y = W x + s B (A x)     ->     y = (W + s B A) x          one product in place of three
    q, k, v     three layers that read the same x     ->     one product, their weights stacked
    head    a product for each text        ->    one for all, what it reads laid side by side

    with fused(model):              inside, layers that can be are; afterwards all is as before

Notable choices:
- B A is small beside the batch, so adding it to W first costs less than two thin products over
  every token. The gradients of A and B are taken without that of W, which nobody needs:
  dA = s (B^T dy^T) x and dB^T = s (A x^T) dy. In this order: with the r rows first, a thin product
  takes a third of what it takes with r columns.
- Only what is the very same function is replaced: plain LoRA of one adapter without dropout, on
  float32 weights on a CPU. Everything else runs its own forward.

Source: Hu et al., LoRA (2021), section 4.1: an adapter can be merged into its weight.
Run the tests: pytest tests/lab/test_fast.py
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from ftlab.models.split import PARTS, SplitQKV


@contextmanager
def fused(model: nn.Module) -> Iterator[int]:
    """Inside, the model computes the same with fewer operations; gives how many layers do."""
    changed = list(_shorter(model))
    try:
        for module, way in changed:
            vars(module)["forward"] = way
        yield len(changed)
    finally:
        for module, _ in changed:
            vars(module).pop("forward", None)


def _shorter(model: Any) -> Iterator[tuple[nn.Module, Callable[..., Tensor]]]:
    """The modules whose forward can be had in fewer operations, and that forward."""
    done: set[nn.Module] = set()  # parts of one that is computed as a whole
    head = model.get_output_embeddings()
    for module in model.modules():
        if "forward" in vars(module) or module in done:
            continue
        parts = [module.get_submodule(p) for p in PARTS] if isinstance(module, SplitQKV) else []
        if _are_plain(parts or [module]):
            done.update(parts)
            shorter = partial(_merged_forward, parts or [module])
            yield module, partial(_arranged, module, shorter) if parts else shorter
        elif module is head and type(module) is nn.Linear:
            yield module, partial(_linear_forward, module)


def _arranged(split: SplitQKV, shorter: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return split.arranged(shorter(x))


def _linear_forward(module: nn.Linear, x: Tensor) -> Tensor:
    """The last places of each text are a view with gaps, and of such torch makes many products."""
    return F.linear(x.contiguous(), module.weight, module.bias)


def _are_plain(parts: Sequence[nn.Module]) -> bool:
    """Does each carry plain LoRA or stand still, and does one carry it?"""
    adapted = [_is_plain_lora(part) for part in parts]
    return any(adapted) and all(
        plain or _is_still(part) for plain, part in zip(adapted, parts, strict=True)
    )


def _is_still(module: nn.Module) -> bool:
    """Is it a linear layer on a CPU that no gradient is asked of?"""
    return type(module) in (nn.Linear, Conv1D) and all(
        p.dtype == torch.float32 and p.device.type == "cpu" and not p.requires_grad
        for p in module.parameters()
    )


def _is_plain_lora(module: Any) -> bool:
    """Is it peft's LoRA on one linear layer that stands still, in its plainest form?"""
    base: Any = getattr(module, "base_layer", None)
    if base is None or list(getattr(module, "lora_A", ())) != ["default"]:
        return False
    a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
    return (
        _is_still(base)
        and all(w.dtype == torch.float32 and w.device.type == "cpu" for w in (a, b))
        and isinstance(module.lora_dropout["default"], nn.Identity)
        and not (module.merged or module.disable_adapters or module.lora_variant)
        and module.lora_B["default"].bias is None
    )


def _merged_forward(parts: Sequence[Any], x: Tensor) -> Tensor:
    """What layers that read the same `x` give, side by side."""
    biases, scales, tensors = zip(*map(_read, parts), strict=True)
    bias = biases[0] if len(biases) == 1 or biases[0] is None else torch.cat(biases)
    return _Merged.apply(x, bias, scales, *(tensor for three in tensors for tensor in three))


def _read(part: Any) -> tuple[Tensor | None, float, tuple[Tensor | None, ...]]:
    """Bias, scale (0: it stands still), and W (out, in), A (r, in) and B (out, r) of a layer."""
    base = getattr(part, "base_layer", part)
    weight = base.weight if isinstance(base, nn.Linear) else base.weight.T
    if base is part:
        return base.bias, 0.0, (weight, None, None)
    factors = part.lora_A["default"].weight, part.lora_B["default"].weight
    return base.bias, part.scaling["default"], (weight, *factors)


class _Merged(torch.autograd.Function):
    """y = x (W + s B A)^T + bias for layers side by side; gradients for x, each A and B alone."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor | None, scales: Sequence[float], *tensors: Tensor
    ) -> Tensor:
        triples = list(zip(tensors[::3], tensors[1::3], tensors[2::3], strict=True))
        weights = [
            torch.addmm(weight, b, a, alpha=s) if s else weight
            for (weight, a, b), s in zip(triples, scales, strict=True)
        ]  # (out, in) each
        merged = weights[0] if len(weights) == 1 else torch.cat(weights)
        ctx.save_for_backward(x, merged, *(t for _, a, b in triples for t in (a, b)))
        ctx.scales, ctx.widths = scales, [len(weight) for weight in weights]
        return F.linear(x, merged, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, merged, *factors = ctx.saved_tensors
        dy, rows = grads[0].flatten(0, -2), x.flatten(0, -2)  # (N, out), (N, in)
        found: list[Tensor | None] = []
        pairs = zip(factors[::2], factors[1::2], strict=True)
        for (a, b), part, s in zip(pairs, dy.split(ctx.widths, dim=1), ctx.scales, strict=True):
            found += [None, *_thin(a, b, part, rows, s)] if s else [None] * 3
        dx = (dy @ merged).view_as(x) if ctx.needs_input_grad[0] else None
        return dx, None, None, *found


def _thin(a: Tensor, b: Tensor, dy: Tensor, x: Tensor, s: float) -> tuple[Tensor, Tensor]:
    """dA (r, in) and dB (out, r), both by way of (r, N)."""
    return (b.T * s) @ dy.T @ x, (a @ x.T @ dy).mul_(s).T
