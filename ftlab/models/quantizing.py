"""A base in four bits: the linear layers of the blocks become NF4, everything else stays.

    quantize(model)                     in place; 4.127 bits a weight with double quantization
    dequantize(model)                   back to plain weights: those the 4-bit model computed with

    y = dequantize(codes) x             the codes never change; gradients flow THROUGH to x,
                                        and so to adapters that stand before and beside

The layers are bitsandbytes' `Linear4bit`; `ftlab.methods.nf4` shows by hand what is in them.
Notable choices:

- Embeddings, norms and the head keep their numbers, as in QLoRA. So does the second layer of
  T5's feed-forward: T5 asks for its data type, and would cast the states to bytes.
- A fused attention is parted first, so that q and v can be named. The blocks of 64 weights lie
  along the rows of each output, so parting changes no code (tested).
- GPT-2's Conv1D is a transposed linear layer; it becomes one, and a Conv1D again on the way back.
- On CPUs with bfloat16 instructions, bitsandbytes repacks a layer's codes when it is first asked
  in eval mode, and from then on gives no gradient and cannot be read back. That is switched off,
  layer by layer, so the numbers are the same on every CPU.
- On a CPU, bitsandbytes 0.50.2 reads a layer wrongly whose width is no multiple of the block: the
  blocks run on over the ends of rows when written, and restart at each row when read. Such a
  width is refused there.

Source: Dettmers et al., QLoRA (2023), sections 2 and 3.
Run the tests: pytest tests/models/test_quantize.py
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from ftlab.base.errors import InputError
from ftlab.base.libraries import bitsandbytes
from ftlab.base.machine import precision
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS, LayerMap, layer_map
from ftlab.models.split import split_qkv

COMPUTE = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def quantize(
    model: Any, how: Quantize | None = None, *, device: torch.device | str | None = None
) -> Any:
    """Put the linear layers of every block into four bits, in place, and freeze the model.

    They go to `device` (None: where they are) one by one, and the rest of the model after them.
    Raises InputError without bitsandbytes, for a model that is quantized already or carries
    adapters, and on a CPU for a width that is no multiple of the block.
    """
    how, bnb = how or Quantize(), bitsandbytes()
    if is_quantized(model) or hasattr(model, "peft_config"):
        state = "quantized already" if is_quantized(model) else "wrapped by peft"
        raise InputError(f"This model is {state}; quantize a freshly loaded one.")
    found = layer_map(model)
    split_qkv(model)
    places = list(linears_of(found))
    to = torch.device(device) if device else next(model.parameters()).device
    for name, parent, last in places:
        _check_width(name, getattr(parent, last), how.block, to)
    for _, parent, last in places:
        setattr(parent, last, pack_layer(getattr(parent, last), how, bnb, to))
    model.requires_grad_(False).to(to)
    model.is_loaded_in_4bit = True  # peft asks this before it puts adapters on such layers
    return model


def dequantize(model: Any) -> Any:
    """Undo `quantize`, in place: plain layers with the weights that the 4-bit ones stand for."""
    for name, module in list(model.named_modules()):
        if _is_packed(module):
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, _plain(module))
    model.is_loaded_in_4bit = False
    return model


def is_quantized(model: Any) -> bool:
    """Has the model a layer in four bits?"""
    return any(_is_packed(module) for module in model.modules())


def stored_bytes(model: nn.Module) -> dict[str, int]:
    """Bytes of all weights: {"codes", "constants", "plain"}, tied ones once.

    Constants are all that is needed to read the codes: those of the blocks, of blocks of
    constants, and the tables of levels.
    """
    found, constants = {"codes": 0, "plain": 0}, {}
    for p in model.parameters():
        state: Any = getattr(p, "quant_state", None)
        found["plain" if state is None else "codes"] += p.nbytes
        while state is not None:
            held = (state.absmax, state.code, getattr(state, "offset", None))
            constants |= {t.data_ptr(): t.nbytes for t in held if t is not None}
            state = getattr(state, "state2", None)
    return found | {"constants": sum(constants.values())}


def _is_packed(module: nn.Module) -> bool:
    return type(module).__name__ == "Linear4bit" and not hasattr(module, "lora_A")


def linears_of(found: LayerMap) -> Iterator[tuple[str, Any, str]]:
    """Every layer that goes into four bits: (path, its parent, its name there)."""
    keep = getattr(found.model, "_keep_in_fp32_modules", None) or ()
    for stack in found.entry.stacks:
        for linear in found.linears(TARGETS, stack=stack.name):
            path, _, last = linear.name.rpartition(".")
            if last not in keep:
                yield linear.name, found.model.get_submodule(path), last


def _check_width(name: str, layer: Any, block: int, device: torch.device) -> None:
    width = layer.nx if isinstance(layer, Conv1D) else layer.in_features
    if device.type == "cpu" and width % block:
        raise InputError(
            f"{name} has {width} inputs, which is no multiple of the block of {block}: on a CPU "
            "bitsandbytes reads such a layer wrongly; take a smaller block, another model or a GPU."
        )


def pack_layer(layer: Any, how: Quantize, bnb: Any, device: torch.device) -> Any:
    """The same layer with its weight in four bits; it computes in the device's precision."""
    transposed = isinstance(layer, Conv1D)
    weight = layer.weight.detach().T if transposed else layer.weight.detach()  # (out, in)
    wide, out = weight.shape[1], weight.shape[0]
    made = bnb.nn.Linear4bit(
        wide,
        out,
        bias=False,  # set below
        compute_dtype=COMPUTE[precision(device.type)],
        compress_statistics=how.double,
        quant_type=how.kind,
        device="meta",
    )
    made.weight = bnb.nn.Params4bit(
        weight.contiguous(),
        requires_grad=False,
        blocksize=how.block,
        compress_statistics=how.double,
        quant_type=how.kind,
        module=made,
    )
    if layer.bias is not None:  # in the type it is computed in: forward would cast it, in place
        made.bias = nn.Parameter(layer.bias.detach().to(made.compute_dtype, copy=True))
    made.transposed = transposed
    made.support_avx512bf16_for_cpu = False  # see above: no other format, the same everywhere
    return made.to(device).train(layer.training)  # moving there is what quantizes


def _plain(layer: Any) -> nn.Module:
    """The layer with plain float32 weights."""
    weight = weight_of(layer)
    transposed = getattr(layer, "transposed", False)
    made: Any = Conv1D(*weight.shape) if transposed else nn.Linear(1, 1, device="meta")
    if not transposed:
        made.in_features, made.out_features = weight.shape[1], weight.shape[0]
    made.weight = nn.Parameter(weight.T.contiguous() if transposed else weight)
    made.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().float().clone())
    return made.requires_grad_(False).to(weight.device).train(layer.training)


def weight_of(layer: Any) -> torch.Tensor:
    """What a 4-bit layer computes with. (out, in) float32"""
    codes = layer.weight
    return bitsandbytes().functional.dequantize_4bit(codes.data, codes.quant_state).float()
