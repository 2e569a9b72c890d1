"""What may change in a model: each method is called on a model and says what it made of it."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.methods import nf4, prune
    from ftlab.methods.adapter import Adapter, put_behind
    from ftlab.methods.anchors import EWC, KL, L2SP
    from ftlab.methods.attention_lora import KINDS, AttentionLoRA, FreezeStack, of_kind, pattern
    from ftlab.methods.between import partway
    from ftlab.methods.bottleneck import Bottleneck, load_bottleneck, save_bottleneck
    from ftlab.methods.export import merge, save_adapter, save_model
    from ftlab.methods.freeze import Freeze
    from ftlab.methods.full_tuning import full
    from ftlab.methods.lora import LoRA
    from ftlab.methods.off import adapter_off
    from ftlab.methods.prepared import Prepared, count
    from ftlab.methods.qlora import QLoRA
    from ftlab.methods.table import METHODS, NAMES, named
    from ftlab.methods.token_losses import DFT, EAFT, STM
    from ftlab.methods.virtual_tokens import Prefix, Prompt
    from ftlab.methods.weight_adapters import IA3, OFT, OSF

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
