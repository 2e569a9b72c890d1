"""GPT-2 holds query, key and value in one matrix. Split it, and fuse it again.

    c_attn: x (B, T, d) -> (B, T, 3d) = [q | k | v]          one Conv1D, weight (d, 3d)
    split:  x -> cat(q(x), k(x), v(x))                       three Linears, weight (d, d) each

A LoRA on the fused matrix trains the keys as well, whatever one wished to adapt (huggingface/peft
issue 570); after the split, targets mean the same as in every other architecture. Splitting
changes no weight, and a model is fused again before it is saved, so what lies on disk is a
stock GPT-2.

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
    """Undo `split_qkv`, in place. Raises InputError while adapters sit on the parts."""
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
        weight = torch.cat([part.weight for part in parts]).T.contiguous()  # (d, 3d)
        fused = Conv1D(weight.shape[1], weight.shape[0]).to(weight.device, weight.dtype)
        fused.weight = nn.Parameter(weight.detach())
        fused.bias = nn.Parameter(torch.cat([part.bias for part in parts]).detach())
        fused.requires_grad_(parts[0].weight.requires_grad).train(split.training)
        setattr(parent, name, fused)
    return model


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
