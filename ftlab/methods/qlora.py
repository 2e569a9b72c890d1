"""QLoRA: the base in four bits and frozen, adapters in full precision beside it.

    y = dequantise(codes) x + (alpha / r) B A x

    QLoRA()                         NF4, double quantisation, r 4 on every linear layer
    QLoRA(LoRA({"1-12": 8}))        another plan of adapters; AttentionLoRA for a T5

Notable choices:
- All linear layers carry adapters by default, as the paper has it: adapters mend what rounding
  has moved, so they should stand wherever something was rounded.
- In a lab whose base is in four bits already (`open_lab(..., base=Quantise())`) nothing is
  quantised twice. There, what is kept is measured against that base, and the cost of quantising
  alone is a number of its own. In a lab with a plain base this method quantises its copy, and
  what is kept counts both.
- Merging: `ftlab.methods.export.merge` dequantises first.

Source: Dettmers et al., QLoRA (2023), section 3. Run the tests: pytest tests/methods/test_qlora.py
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from ftlab.methods.lora import LoRA
from ftlab.methods.trainable import Moving
from ftlab.models.layer_map import TARGETS
from ftlab.models.quantize import Quantise, is_quantised, quantise


def everywhere() -> LoRA:
    """Rank 4 beside every linear layer of every block."""
    return LoRA({"1-12": 4}, targets=TARGETS, name="qlora")


@dataclass(frozen=True)
class QLoRA:
    """A base in four bits, and the adapters on it. Call it on a model to make both."""

    adapters: Callable[[Any], Moving] = field(default_factory=everywhere)
    """A LoRA or an AttentionLoRA."""
    base: Quantise = field(default_factory=Quantise)
    """How the base is quantised, where it is not yet."""
    name: str = "qlora"
    """What records and plots call it."""

    def __call__(self, model: nn.Module) -> Moving:
        """Quantise the model if need be, and wrap it with peft."""
        if not is_quantised(model):
            quantise(model, self.base)
        return replace(self.adapters(model), method=self.name)
