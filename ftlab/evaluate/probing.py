"""What can be read from each layer: linear probes and the logit lens.

    states(model, tokenizer, texts)          (L + 1, N, d): the last token's state after each block
    probe(train, labels, test, labels)       can a linear map read a property from these states?
    logit_lens(model, tokenizer, facts)      would the head give the answer, if it read this layer?

Layer 0 is the embedding, before any block. A probe shows that something CAN be read from a layer,
not that the model uses it; compare it with a random guess.

Notable choices: the probe is ridge regression onto one column a class, solved exactly (no
training to tune), on standardised states; the logit lens sends every state through the final
norm and the head, as the model does with the last one. Positions before the last are never used,
so texts are padded on the right.

Sources: Alain and Bengio, Understanding intermediate layers using linear classifier probes
(2016); nostalgebraist, interpreting GPT: the logit lens (2020).
Run the tests: pytest tests/evaluate/test_probing.py
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.models.layers import layer_map
from ftlab.text.scored_batches import device_of, evaluating, padded
from ftlab.text.segments import encode, prefix_id, wrapped


def states(model: nn.Module, tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """The state at the last token of every text, after the embeddings and after every block.

    Returns (L + 1, N, d) on the CPU in float32. Raises InputError for no text or an empty one.
    """
    ids = [wrapped([prefix_id(tokenizer)], found) for found in encode(tokenizer, texts)]
    if not ids or min(map(len, ids)) < 2:
        raise InputError("One of the texts is empty; give each at least one word.")
    batch, mask = padded(ids, device_of(model))  # (N, T)
    last = torch.arange(len(ids)), mask.sum(1) - 1 - mask.shape[1]  # a prompt stands before it
    found: list[Tensor] = []

    def remember(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        # (N, T, d); transformers gives the last of its hidden states normed, so we take them here
        state = output[0] if isinstance(output, tuple) else output
        for tensor in (state,) if found else (inputs[0], state):
            found.append(tensor[last].float().cpu())

    hooks = [block.register_forward_hook(remember) for block in layer_map(model).blocks()]
    try:
        with evaluating(model):
            model(input_ids=batch, attention_mask=mask, use_cache=False, logits_to_keep=1)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found)  # (L + 1, N, d)


def probe(
    train: Tensor,
    train_labels: Sequence[int],
    test: Tensor,
    test_labels: Sequence[int],
    *,
    ridge: float = 1.0,
) -> float:
    """Accuracy of a linear classifier on `test` (M, d), fitted to `train` (N, d).

    Labels are whole numbers from 0. Raises InputError where counts do not fit.
    """
    if len(train) != len(train_labels) or len(test) != len(test_labels) or not len(test):
        raise InputError(
            f"{len(train)} and {len(test)} states, {len(train_labels)} and {len(test_labels)} "
            "labels; every state needs one label."
        )
    middle, spread = train.mean(0), train.std(0).clamp_min(1e-6)
    one = torch.ones(len(train), 1, dtype=torch.float64)
    x = torch.cat([((train - middle) / spread).double(), one], 1)  # (N, d + 1)
    y = nn.functional.one_hot(torch.tensor(train_labels)).double()  # (N, classes)
    penalty = ridge * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(x.T @ x + penalty, x.T @ y)  # (d + 1, classes)
    z = torch.cat([((test - middle) / spread).double(), one[:1].expand(len(test), 1)], 1)
    right = (z @ weights).argmax(1) == torch.tensor(test_labels)
    return right.double().mean().item()


def logit_lens(
    model: nn.Module, tokenizer: Any, queries: Sequence[str], answers: Sequence[str]
) -> list[float]:
    """For every layer, the share of queries whose likeliest next token begins the right answer.

    `answers` begin with their blank (" Paris"). The last entry is the model's own accuracy on
    first tokens. Raises InputError for an architecture whose final norm is not known.
    """
    found = layer_map(model)
    if not found.entry.final_norm:
        raise InputError(f"ftlab does not know where the final norm of {type(model).__name__} is.")
    norm = found.model.get_submodule(found.entry.final_norm)
    first = torch.tensor([ids[0] for ids in encode(tokenizer, answers)])  # (N,)
    device = device_of(model)
    with evaluating(model):
        layers = states(model, tokenizer, queries).to(device)
        return [
            (found.head(norm(layer)).argmax(-1).cpu() == first).double().mean().item()
            for layer in layers
        ]
