"""GPT-2 holds query, key and value in one matrix. Split it, and fuse it again.

    c_attn: x (B, T, d) -> (B, T, 3d) = [q | k | v]          one Conv1D, weight (d, 3d)
    split:  x -> cat(q(x), k(x), v(x))                       three Linears, weight (d, d) each

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
    """Three Linears in place of one fused Conv1D: (B, T, d) -> (B, T, 3d)."""

    def __init__(self, fused: Conv1D) -> None:
        super().__init__()
        weights = fused.weight.chunk(3, dim=1)  # (d, d) each
        for name, weight, bias in zip(PARTS, weights, fused.bias.chunk(3), strict=True):
            wide, out = weight.shape
            linear = nn.Linear(wide, out, device=weight.device, dtype=weight.dtype)
            linear.weight = nn.Parameter(weight.detach().T.contiguous())
            linear.bias = nn.Parameter(bias.detach().clone())
            linear.requires_grad_(fused.weight.requires_grad)
            self.add_module(name, linear)

    def forward(self, x: Tensor) -> Tensor:
        """Query, key and value side by side, as the fused layer gave them."""
        return torch.cat([self.get_submodule(part)(x) for part in PARTS], dim=-1)


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


def _stock(*layers: nn.Linear) -> Conv1D:
    """The Conv1D of layers side by side."""
    weight = torch.cat([layer.weight for layer in layers]).T.contiguous()  # (in, sum of out)
    made = Conv1D(weight.shape[1], weight.shape[0]).to(weight.device, weight.dtype)
    made.weight = nn.Parameter(weight.detach())
    made.bias = nn.Parameter(torch.cat([layer.bias for layer in layers]).detach())
    return made.requires_grad_(layers[0].weight.requires_grad).train(layers[0].training)


def split_qkv(model: Any) -> Any:
    """Split every fused attention of `model`, in place; nothing happens where none is fused."""
    found = layer_map(model)
    if not found.fused:
        return model
    for block, parent, name in _fused(found):
        fused = getattr(parent, name)
        if not isinstance(fused, Conv1D):
            raise InputError(
                f"Block {block + 1} holds q, k and v in a {type(fused).__name__}, which cannot be "
                "split (a quantized model? split it before it is quantized)."
            )
        setattr(parent, name, SplitQKV(fused))
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


def fused_of(split: SplitQKV) -> Conv1D | None:
    """The fused layer of the parts' own weights, adapters left out; None for parts in 4 bits."""
    layers: list[Any] = [split.get_submodule(part) for part in PARTS]
    layers = [getattr(layer, "base_layer", layer) for layer in layers]
    return _stock(*layers) if all(type(layer) is nn.Linear for layer in layers) else None


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
