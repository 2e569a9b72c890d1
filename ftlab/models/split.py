"""GPT-2 holds query, key and value in one matrix. Split it, and fuse it again.

    c_attn: x (B, T, d) -> (B, T, 3d) = [q | k | v]          one Conv1D, weight (d, 3d)
    split:  x -> cat(q(x), k(x), v(x))                       three Linears, weight (d, d) each

So do Phi-3 (a Linear, with fewer heads of k and v), and GPT-NeoX, Bloom and Falcon, head by head:
[q1 | k1 | v1 | q2 | k2 | v2 | ...], or of Falcon one k and v to several q.

A LoRA on the fused matrix trains the keys as well, whatever one wished to adapt (huggingface/peft
issue 570); after the split, targets mean the same as in every other architecture. Splitting
changes no weight, and a model is fused again before it is saved, so what lies on disk is a
stock GPT-2. For what takes no Conv1D at all (OFT) `linear_layers` makes each of them a Linear that
computes the very same product; `fuse_qkv` undoes that too.

Run the tests: pytest tests/models/test_split.py
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from ftlab.base.errors import InputError
from ftlab.models.layers import layer_map

PARTS = ("q", "k", "v")


class SplitQKV(nn.Module):
    """Three Linears in place of one fused layer: (B, T, d) -> (B, T, q + k + v)."""

    def __init__(self, fused: Any, heads: int, kv_heads: int, by_head: bool) -> None:
        super().__init__()
        self.kind = type(fused)
        weight = fused.weight.T if self.kind is Conv1D else fused.weight  # (q + k + v, d)
        size, wide = len(weight) // (heads + 2 * kv_heads), weight.shape[1]
        self.sizes = [heads * size, kv_heads * size, kv_heads * size]
        self.groups = kv_heads if by_head else 1
        biases = [None] * 3 if fused.bias is None else self._parts(fused.bias)
        for name, part, bias in zip(PARTS, self._parts(weight), biases, strict=True):
            linear: Any = nn.Linear(
                wide, len(part), bias is not None, device=weight.device, dtype=weight.dtype
            )
            linear.weight = nn.Parameter(part.detach().contiguous())
            linear.bias = None if bias is None else nn.Parameter(bias.detach().clone())
            linear.requires_grad_(fused.weight.requires_grad)
            self.add_module(name, linear)

    def _parts(self, rows: Tensor) -> list[Tensor]:
        """The rows of the fused layer that are q, k and v. (q + k + v, ...) -> 3 of (q, ...)"""
        each = [size // self.groups for size in self.sizes]
        return [p.flatten(0, 1) for p in rows.unflatten(0, (self.groups, -1)).split(each, dim=1)]

    def arranged(self, x: Tensor) -> Tensor:
        """Values of q, then k, then v in the order of the fused layer. (..., q + k + v)"""
        if self.groups == 1:
            return x
        parts = [part.unflatten(-1, (self.groups, -1)) for part in x.split(self.sizes, dim=-1)]
        return torch.cat(parts, dim=-1).flatten(-2)

    def forward(self, x: Tensor) -> Tensor:
        """Query, key and value as the fused layer gave them."""
        return self.arranged(torch.cat([self.get_submodule(part)(x) for part in PARTS], dim=-1))


class Transposed(nn.Linear):
    """A Conv1D as a Linear: the same weights in the same product, so the same bits."""

    def __init__(self, stock: Conv1D) -> None:
        super().__init__(1, 1, device="meta")
        self.in_features, self.out_features = stock.nx, stock.nf
        self.weight = nn.Parameter(stock.weight.detach().T, stock.weight.requires_grad)
        self.bias = stock.bias
        self.train(stock.training)

    def forward(self, x: Tensor) -> Tensor:
        """As Conv1D has it: (..., in) -> (..., out)."""
        flat = torch.addmm(self.bias, x.reshape(-1, self.in_features), self.weight.T)
        return flat.view(*x.shape[:-1], self.out_features)


def linear_layers(model: Any) -> Any:
    """Split every fused attention and make every other Conv1D a Linear, in place."""
    split_qkv(model)
    _replace(model, Conv1D, Transposed)
    return model


def _replace(model: nn.Module, kind: type[nn.Module], made_of: Any) -> None:
    for name, module in list(model.named_modules()):
        if isinstance(module, kind):
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, made_of(module))


def _stock(layer: nn.Linear) -> Any:
    """The Conv1D of a layer."""
    return _made(Conv1D, layer.weight.T, layer.bias, layer)


def _made(kind: Any, weight: Tensor, bias: Tensor | None, like: nn.Linear) -> Any:
    """A layer of this kind with these weights (in, out)."""
    made: Any
    if kind is Conv1D:
        made = Conv1D(weight.shape[1], weight.shape[0])
    else:
        made, weight = kind(*weight.shape, bias=bias is not None), weight.T
    made.to(weight.device, weight.dtype)
    made.weight = nn.Parameter(weight.detach().contiguous())
    made.bias = None if bias is None else nn.Parameter(bias.detach())
    return made.requires_grad_(like.weight.requires_grad).train(like.training)


def split_qkv(model: Any) -> Any:
    """Split every fused attention of `model`, in place; nothing happens where none is fused."""
    found = layer_map(model)
    if not found.fused:
        return model
    for block, parent, name in _fused(found):
        fused = getattr(parent, name)
        if not isinstance(fused, Conv1D | nn.Linear) or not fused.weight.is_floating_point():
            raise InputError(
                f"Block {block + 1} holds q, k and v in a {type(fused).__name__}, which cannot be "
                "split (a quantized model? split it before it is quantized)."
            )
        heads, kv_heads = model.config.num_attention_heads, found.entry.kv_heads(model.config)
        setattr(parent, name, SplitQKV(fused, heads, kv_heads, found.entry.by_head))
    return model


def fuse_qkv(model: Any) -> Any:
    """Undo `split_qkv` and `linear_layers`, in place. InputError while adapters sit on parts."""
    found = layer_map(model)
    for block, parent, name in _fused(found):
        split = getattr(parent, name)
        if not isinstance(split, SplitQKV):
            continue
        parts = [getattr(split, part) for part in PARTS]
        if odd := [part for part in parts if type(part) is not nn.Linear]:
            raise InputError(
                f"Block {block + 1} carries a {type(odd[0]).__name__} on its attention; merge it "
                "first (ftlab.methods.export.merge)."
            )
        setattr(parent, name, fused_of(split))
    _replace(model, Transposed, _stock)
    return model


def fused_of(split: SplitQKV) -> Any:
    """The fused layer of the parts' own weights, adapters left out; None for parts in 4 bits."""
    layers: list[Any] = [split.get_submodule(part) for part in PARTS]
    layers = [getattr(layer, "base_layer", layer) for layer in layers]
    if any(type(layer) is not nn.Linear for layer in layers):
        return None
    weight = split.arranged(torch.cat([layer.weight for layer in layers]).T)  # (in, q + k + v)
    biased = layers[0].bias is not None
    bias = split.arranged(torch.cat([layer.bias for layer in layers])) if biased else None
    return _made(split.kind, weight, bias, layers[0])


def _fused(found: Any) -> list[tuple[int, nn.Module, str]]:
    if not found.entry.fused:
        return []
    path, _, name = found.entry.fused.rpartition(".")
    return [(i, block.get_submodule(path), name) for i, block in enumerate(found.blocks())]


def untie(model: Any) -> Any:
    """Give the head weights of its own, in place; nothing happens where it has them.

    GPT-2's head IS its embedding table, one tensor under two names: without this, a trainable
    head means trainable embeddings. It costs vocabulary x width more parameters.
    """
    found = layer_map(model)
    if found.tied:
        head: Any = found.head
        head.weight = nn.Parameter(head.weight.detach().clone(), head.weight.requires_grad)
        model.config.tie_word_embeddings = False  # else loading ties them again
    return model
