"""Full fine-tuning: every weight may move. It learns most freely, and forgets most freely.

summary = full(model)
print(summary)            # full: 2,713,344 of 2,713,344 weights move (100 %)
"""

from torch import nn

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.methods.prepared import Prepared, count


@checked
def full(model: nn.Module) -> Prepared:
    """Let every weight move. Raises InputError for a quantized model, whose weights are codes."""
    refuse_codes(model)
    model.requires_grad_(True)
    return count(model, "full")


def refuse_codes(model: nn.Module) -> None:
    """Raise InputError for a model whose weights are quantized."""
    codes = [name for name, p in model.named_parameters() if not p.is_floating_point()]
    if codes:
        raise InputError(
            f"{len(codes)} weights of this model are quantized ({codes[0]} is one), and codes "
            "cannot be trained; load the model unquantized, or use LoRA."
        )
