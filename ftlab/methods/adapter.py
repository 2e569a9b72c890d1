"""The bottleneck adapter: two small layers and a bend, put behind a sub-layer of the model.

    x -> attention or feed-forward -> [ s -> s + up(GELU(down(s))) ] -> added to the residual

    put_behind(block.attn, Adapter(width=128, size=8))

The adapter reads what the sub-layer gives, dropout included, before the residual is added.

Source: Houlsby et al., Parameter-Efficient Transfer Learning for NLP (2019), section 2.1, figure 2.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ftlab.base.door import checked


def has_adapter(model: nn.Module) -> bool:
    """Does it carry adapters that are not merged, of peft or of ours?"""
    return hasattr(model, "peft_config") or any(isinstance(m, Adapter) for m in model.modules())


@checked
class Adapter(nn.Module):
    """s + up(GELU(down(s))): (B, T, d) -> (B, T, d). `up` starts at zero: at first it is s."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)  # (m, d), (d, m)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.on = True

    def forward(self, s: Tensor) -> Tensor:
        """What goes on to the residual; s itself while the adapter is off. (B, T, d)"""
        return s + self.up(F.gelu(self.down(s))) if self.on else s


def put_behind(sublayer: nn.Module, adapter: nn.Module) -> None:
    """From now on, what `sublayer` gives goes through `adapter`, which becomes a part of it.

    It may be one of your own that has a layer `up`, as Adapter has.
    """
    sublayer.adapter = adapter
    sublayer.register_forward_hook(_through)


def _through(sublayer: Any, _: Any, output: Any) -> Any:
    """A copied model keeps this hook: it asks the sub-layer at hand for its own adapter."""
    if not isinstance(output, tuple):
        return _in_its_type(sublayer.adapter, output)
    return _in_its_type(sublayer.adapter, output[0]), *output[1:]  # attention: and its weights


def _in_its_type(adapter: Any, s: Tensor) -> Tensor:
    """A base in half precision has adapters in float32, as peft's are."""
    return adapter(s.to(adapter.up.weight.dtype)).to(s.dtype)
