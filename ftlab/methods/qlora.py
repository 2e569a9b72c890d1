"""QLoRA: the base in four bits and frozen, adapters in full precision beside it.

    y = dequantize(codes) x + (alpha / r) B A x

    QLoRA()                         NF4, double quantization, r 4 on every linear layer
    QLoRA(LoRA({"1-12": 8}))        another plan of adapters; AttentionLoRA for a T5

Notable choices:
- All linear layers carry adapters by default, as the paper has it: adapters mend what rounding
  has moved, so they should stand wherever something was rounded.
- In a lab whose base is in four bits already (`open_lab(..., base=Quantize())`) nothing is
  quantized twice. There, what is kept is measured against that base, and the cost of quantizing
  alone is a number of its own. In a lab with a plain base this method quantizes its copy, and
  what is kept counts both.
- Merging: `ftlab.methods.export.merge` dequantizes first.

Source: Dettmers et al., QLoRA (2023), section 3. Run the tests: pytest tests/methods/test_qlora.py
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from ftlab.base.door import checked
from ftlab.methods.lora import LoRA
from ftlab.methods.prepared import Prepared
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS
from ftlab.models.quantizing import is_quantized, quantize


def everywhere() -> LoRA:
    """Rank 4 beside every linear layer of every block."""
    return LoRA({"1-12": 4}, targets=TARGETS)


@checked
@dataclass(frozen=True)
class QLoRA:
    """A base in four bits, and the adapters on it. Call it on a model to make both."""

    adapters: Callable[[Any], Prepared] = field(default_factory=everywhere)
    """A LoRA or an AttentionLoRA."""
    base: Quantize = field(default_factory=Quantize)
    """How the base is quantized, where it is not yet."""
    name: str = ""
    """What records and plots call it; by default it follows from the adapters."""

    def __post_init__(self) -> None:
        own = getattr(self.adapters, "name", "adapters")
        name = "qlora" if own == "lora_all" else f"QLoRA: {own}"
        object.__setattr__(self, "name", self.name or name)

    def __call__(self, model: nn.Module) -> Prepared:
        """Quantize the model if need be, and wrap it with peft."""
        if not is_quantized(model):
            quantize(model, self.base)
        return replace(self.adapters(model), method=self.name)
