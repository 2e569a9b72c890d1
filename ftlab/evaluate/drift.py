"""How far a model has moved: in what it predicts (KL), and in its weights (update norms).

    KL(base || tuned) = mean over tokens of  sum_v p_base(v) (log p_base(v) - log p_tuned(v))
    update(layer)     = || W_tuned - W_base ||_F         relative = update / || W_base ||_F

KL is in nats per token, 0 for equal models and never below. It needs no labels: measured on
inputs of the NEW task it needs no old data at all, and was reported to predict forgetting
better than the size of the weight change does (Shenfeld et al. 2025, "RL's Razor",
arXiv 2509.04259, where the KL runs in this same direction).

Notable choices: a whole text counts at every token; of a (prompt, answer) pair only the answer
and its eos count. Both models see the same batches, so KL(base || base) is exactly 0. A head that
shares its weights with the embeddings is counted once, with the embeddings. Blocks are numbered
from 1.

Run the tests: pytest tests/evaluate/test_drift.py
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from ftlab.base.errors import InputError
from ftlab.text.requests import Text, text_segments
from ftlab.text.scored_batches import batches, evaluating, last_logits

_BLOCK = re.compile(r"\.(?:h|layers?|blocks?)\.(\d+)\.")
_NAMED = (
    ("embeddings", r"wte|wpe|embed|shared"),
    ("head", r"lm_head"),
    ("final norm", r"ln_f|norm"),
)


def kl_to_base(base: nn.Module, model: nn.Module, tokenizer: Any, texts: Sequence[Text]) -> float:
    """KL(base || model) in nats per token over texts or (prompt, answer) pairs.

    `base` must be a model of its own: one that was trained in place no longer is the base.
    Raises InputError when nothing can be scored, or a pair is longer than the model can read.
    """
    segments = text_segments(model, tokenizer, texts)
    tokens = sum(len(segment.continuation) for segment in segments)
    if not tokens:
        raise InputError("There is no text to compare the models on; give at least one.")
    total = 0.0
    with evaluating(base, model):
        for batch in batches(segments, model):
            old = log_softmax(last_logits(base, batch).float(), -1)  # (B, K, V)
            new = log_softmax(last_logits(model, batch).float(), -1)  # (B, K, V)
            gap = kl_div(new, old, reduction="none", log_target=True).sum(-1)  # (B, K)
            total += gap[batch.row, batch.column].double().sum().item()
    return total / tokens


def update_norms(base_state: Mapping[str, Tensor], model: nn.Module) -> dict[str, dict[str, float]]:
    """Frobenius norm of the change, per block, embeddings, norm and head.

    `base_state`: the parameters before, by name (the base's `named_parameters()`).
    Returns {"embeddings": {"update": ..., "relative": ...}, "block 1": ..., ...}.
    Raises InputError when names or shapes differ: an adapter must be merged before.
    """
    now = dict(model.named_parameters())
    _check_same(base_state, now)
    changed: dict[str, float] = {}
    before: dict[str, float] = {}
    with torch.no_grad():
        for name, parameter in now.items():
            layer = layer_of(name)
            old = base_state[name].to(parameter.device, torch.float64)
            changed[layer] = changed.get(layer, 0.0) + _squared(parameter.double() - old)
            before[layer] = before.get(layer, 0.0) + _squared(old)
    return {
        layer: {
            "update": math.sqrt(changed[layer]),
            "relative": math.sqrt(changed[layer] / before[layer]) if before[layer] else 0.0,
        }
        for layer in changed
    }


def layer_of(name: str) -> str:
    """The layer a parameter counts to: "block 1" and on, "embeddings", "final norm", "head".

    Blocks of an encoder are "encoder block 1" and on.
    """
    block = _BLOCK.search(f".{name}")
    if block:
        stack = "encoder " if re.match(r"(model\.)?encoder\.", name) else ""
        return f"{stack}block {int(block[1]) + 1}"
    return next((layer for layer, part in _NAMED if re.search(part, name)), "other")


def _squared(tensor: Tensor) -> float:
    return tensor.square().sum().item()


def _check_same(base_state: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> None:
    odd = set(base_state) ^ set(now) | {
        name for name in set(base_state) & set(now) if base_state[name].shape != now[name].shape
    }
    if odd:
        raise InputError(
            f"{len(odd)} parameters differ in name or shape from the base's (for example "
            f"{min(odd)}); merge the adapter first, or take this model's own base."
        )
