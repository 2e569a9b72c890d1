"""Models: their layers by name, loading, splitting a fused attention, four bits."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.models.bases import Quantize
    from ftlab.models.layers import LayerMap, layer_map
    from ftlab.models.loading import Bundle, load
    from ftlab.models.quantizing import dequantize, is_quantized, quantize, stored_bytes
    from ftlab.models.split import fuse_qkv, linear_layers, split_qkv, untie

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
