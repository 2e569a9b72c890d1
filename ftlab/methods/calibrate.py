"""What flows through a model while it reads: the texts that a pruning is calibrated on.

    input_norms(model, tokenizer, texts, layers)      ||x_j|| of every input of every layer
    influence(model, tokenizer, texts)                how far every block turns the hidden state

Texts are whole texts or (prompt, answer) pairs, as elsewhere. They are read one by one, so nothing
is padded; one that begins another is read with it.

Sources: Sun et al., A Simple and Effective Pruning Approach for LLMs (2023), section 3; Men et al.,
ShortGPT (2024), on block influence. Run the tests: pytest tests/methods/test_prune.py
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from ftlab.base.errors import InputError
from ftlab.methods.export import merge
from ftlab.models.layers import layer_map
from ftlab.text.requests import Text, text_segments
from ftlab.text.scored_batches import batches, evaluating, last_logits

See = Callable[[str, Tensor, Any], None]
"""(name, x, y): what a module is given, and what it gives."""


def input_norms(
    model: Any, tokenizer: Any, texts: Sequence[Text], layers: Mapping[str, nn.Module]
) -> dict[str, Tensor]:
    """||x_j||: the norm of each input of each layer over all tokens of the texts. (in,)"""
    squares: dict[str, Tensor] = {}

    def see(name: str, x: Tensor, _: Any) -> None:
        squares[name] = squares.get(name, 0) + x.flatten(0, -2).float().square().sum(0)

    read(model, tokenizer, texts, layers, see)
    return {name: total.sqrt() for name, total in squares.items()}


def influence(
    model: Any, tokenizer: Any, texts: Sequence[Text], *, stack: str = "decoder"
) -> list[float]:
    """1 - mean cos(state before, state after) of every block, over all tokens; 0: it does nothing.

    Raises InputError where there is nothing to read, and for a stack that the model lacks.
    """
    seen: dict[str, list[Tensor]] = {}

    def see(name: str, before: Tensor, after: Any) -> None:
        after = after if isinstance(after, Tensor) else after[0]
        seen.setdefault(name, []).append(1 - cosine_similarity(before, after, dim=-1).flatten())

    made = merge(model)
    named = {str(i): block for i, block in enumerate(layer_map(made).blocks(stack))}
    read(made, tokenizer, texts, named, see)
    return [torch.cat(seen[name]).mean().item() for name in named]


def read(
    model: Any,
    tokenizer: Any,
    texts: Sequence[Text],
    layers: Mapping[str, nn.Module],
    see: See,
) -> None:
    """Read the texts one by one; `see` is given what goes in and out of each layer.

    Raises InputError for what is no list of texts, and where there is nothing to read.
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence) or not all(map(_is_text, texts)):
        raise InputError("The texts must be a list of texts, or of (prompt, answer) pairs.")
    segments = text_segments(model, tokenizer, texts)
    if not segments:
        raise InputError("There is no text to read, so nothing can be compared; give at least one.")
    handles = [
        layer.register_forward_hook(partial(lambda name, _, x, y: see(name, x[0], y), name))
        for name, layer in layers.items()
    ]
    try:
        with evaluating(model):
            for batch in batches(segments, model, batch_tokens=1):
                last_logits(model, batch)
    finally:
        for handle in handles:
            handle.remove()


def _is_text(text: Any) -> bool:
    pair = isinstance(text, tuple) and len(text) == 2 and all(isinstance(t, str) for t in text)
    return isinstance(text, str) or pair
