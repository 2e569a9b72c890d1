"""Zeros that stay zero: a pruned model is trained, and its mask M (1 where W is not 0) holds.

    Masked()            dW <- M * dW        full fine-tuning of the weights that are left
    Masked(LoRA())      W + M * (alpha / r) B A        adapters that never fill a hole

    pruned = prune.magnitude(model, 0.5)
    lab.run(plan, start=pruned, method=Masked())        any other method fills the holes in one step

A masked gradient is enough: AdamW's moments of a weight at 0 whose gradients are all 0 stay 0, and
decay shrinks 0 to 0. An adapter's product is dense, so it is masked in the forward pass as well as
in the merge: what is saved computes what was trained. (Merged without, it would fill every hole;
masked only when merged, it would be another model than the one that was trained.)

Notable choices:
- Hooks on parameters do not survive a copy of the model, so `attach` hangs them on again where a
  run goes on from another.
- Saved alone, the adapter loses the mask, for peft knows of none; save the merged model.
- The mask on adapters goes by peft's variants of LoRA, which peft calls subject to change.

Source: for adapters SparsePEFT, in Muñoz, Yuan and Jain, SQFT (2024, arXiv 2410.03750).
Run the tests: pytest tests/methods/test_prune.py
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.methods.full_tuning import full, refuse_codes
from ftlab.methods.prepared import Prepared, named_around
from ftlab.models.layers import layer_map


@checked
@dataclass(frozen=True)
class Masked:
    """A method under which the zeros of the model it is called on stay zero."""

    method: Callable[[Any], Prepared] | None = None
    """What trains the rest: None is `full`; Freeze(...), LoRA(...)."""
    name: str = ""
    """What records and plots call it; by default it follows from the method."""

    def __post_init__(self) -> None:
        own = named_around("masked", self.method or full)
        object.__setattr__(self, "name", self.name or own)

    def __call__(self, model: nn.Module) -> Prepared:
        """Apply the method, and hold the zeros of all layers that `prune` prunes.

        Raises InputError for a model without zeros, for one that the method quantizes, and for
        adapters that are not LoRA or are a variant of it (DoRA).
        """
        made = (self.method or full)(model)
        refuse_codes(made.model)
        still = hold(made.model)
        moving = made.trainable - still
        return replace(made, method=self.name, trainable=moving, attach=hold)


def hold(model: Any) -> int:
    """Hold the zeros of the blocks' matrices and of a head of its own; how many would have moved.

    Raises InputError where there are none.
    """
    found = layer_map(model)
    layers = [*found.matrices().values(), *([] if found.tied else [_moving(found.head)])]
    pruned = [layer for layer in layers if (_base(layer).weight == 0).any()]
    if not pruned:
        raise InputError(
            "This model has no zeros to hold; prune it first, as in lab.run(plan, "
            "start=prune.magnitude(model, 0.5), method=prune.Masked())."
        )
    still = 0
    for layer in pruned:
        weight = _base(layer).weight
        if weight.requires_grad:
            weight.register_hook(partial(_masked, zero=weight.detach() == 0))
            still += int((weight == 0).sum())
        if layer is not _base(layer):
            _mask_adapters(layer)
    return still


def _mask_adapters(layer: Any) -> None:
    """Put every adapter of a layer under its mask. Raises InputError for all but plain LoRA."""
    variants = getattr(layer, "lora_variant", None)
    if variants is None or any(type(found) is not _UnderMask for found in variants.values()):
        kind = next((type(v).__name__ for v in (variants or {}).values()), type(layer).__module__)
        raise InputError(
            f"Zeros can be held under full, Freeze and plain LoRA; {kind} would fill them."
        )
    for adapter in layer.lora_A:
        variants[adapter] = _UnderMask()


def _masked(gradient: Tensor, zero: Tensor) -> Tensor:
    return gradient.masked_fill(zero, 0.0)


def _base(layer: Any) -> Any:
    """The linear layer itself, without the adapter around it."""
    return getattr(layer, "base_layer", layer)


def _moving(head: Any) -> Any:
    """The copy of a head that peft trains in its place, where it does."""
    return head.modules_to_save["default"] if hasattr(head, "modules_to_save") else head


class _UnderMask:
    """peft's LoRA where its layer is not pruned: y = x (W + M * (alpha / r) B A)^T."""

    def supports_lora_conversion(self) -> bool:
        return False

    def forward(self, layer: Any, active_adapter: str, x: Tensor, result: Tensor, **_: Any) -> Any:
        update = self._update(layer, active_adapter)
        wide = update if layer.fan_in_fan_out else update.T  # (in, out)
        return result + layer.lora_dropout[active_adapter](x) @ wide

    def merge_unsafe(self, layer: Any, active_adapter: str, weight: Tensor) -> None:
        weight.data += self._update(layer, active_adapter).to(weight.dtype)

    def merge_safe(self, layer: Any, active_adapter: str, weight: Tensor) -> Tensor:
        return weight + self._update(layer, active_adapter).to(weight.dtype)

    def unmerge(self, layer: Any, active_adapter: str, weight: Tensor) -> Tensor:
        return weight - self._update(layer, active_adapter).to(weight.dtype)

    def _update(self, layer: Any, adapter: str) -> Tensor:
        """M * (alpha / r) B A, as the layer holds its weight."""
        return layer.get_delta_weight(adapter) * (_base(layer).weight != 0)
