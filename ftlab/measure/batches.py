"""Many short texts through a causal model at once, without changing a single number.

    pieces -> rows (inputs, each run once) -> batches (rows of similar length, padded right)

Notable choices:
- The last token of a piece is never read, only predicted. So four one-word choices of one query
  are ONE row: its last position holds the odds of all four. And since a position depends only on
  what stands before it, a row that is the beginning of another is not run either.
- Rows are sorted by length before they are cut into batches, so little is spent on padding.
  Padding stands at the right and is masked; no scored position can see it.
- The head is the dear part where the vocabulary is large: only the last `keep` positions of a
  batch are put through it (`logits_to_keep`). Counting from the end also leaves prompt tuning
  right, which puts tokens of its own before the text.

Run the tests: pytest tests/test_measure_scoring.py
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from ftlab.errors import InputError
from ftlab.measure.tokens import Piece

CPU_TOKENS = 1024
"""Most input tokens in a batch on a CPU; with more, nano is slower (cache)."""
GPU_TOKENS = 16384
"""The same on a GPU."""
BATCH_LOGITS = 2**24
"""Most logits in a batch (64 MiB in float32), whatever the vocabulary."""


@dataclass(frozen=True)
class Batch:
    """Rows of similar length, and where in them the scored tokens are (N of them in all)."""

    ids: Tensor
    """Input ids, padded right. (B, T)"""
    mask: Tensor
    """1 where a token is, 0 where padding is. (B, T)"""
    keep: int
    """How many positions, counted from the end, go through the head: K."""
    piece: Tensor
    """For every scored token the number of its piece. (N,)"""
    row: Tensor
    """For every scored token the row of the batch it is read from. (N,)"""
    column: Tensor
    """For every scored token its position among the K kept ones. (N,)"""
    target: Tensor
    """The scored tokens. (N,)"""


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Dropout off and no gradients; afterwards every module is in the mode it was in.

    Not `inference_mode`: it was no faster here, and what a module caches under it (bitsandbytes
    does so) can never be trained through.
    """
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        for model in models:
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:  # one by one: parts may have been frozen in eval mode
            module.training = mode


def context_limit(model: nn.Module) -> int:
    """Most input tokens the model can read at once."""
    limit = getattr(model.config, "max_position_embeddings", None)  # GPT-2 answers n_positions
    return limit if isinstance(limit, int) else 2**20


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter is."""
    return next(model.parameters()).device


def kept_logits(model: nn.Module, batch: Batch) -> Tensor:
    """Logits of the last K positions in float32, so that sums are right in half precision too.

    Position t holds the odds of the token at t + 1: this shift is made once, in `column`.
    """
    output = model(
        input_ids=batch.ids,
        attention_mask=batch.mask,
        logits_to_keep=batch.keep,
        use_cache=False,
    )
    return output.logits[:, -batch.keep :].float()  # (B, K, V)


def batches(
    pieces: Sequence[Piece], model: nn.Module, *, batch_tokens: int | None = None
) -> Iterator[Batch]:
    """Cut pieces into batches of at most `batch_tokens` tokens, on the model's device.

    A row longer than that is a batch of its own. The default depends on the device.
    Raises InputError when a piece is longer than the model can read.
    """
    _check_lengths(pieces, context_limit(model))
    rows, members = _share_rows(pieces)
    order = sorted(range(len(rows)), key=lambda r: (len(rows[r]), _first(pieces, members[r])))
    device, config = device_of(model), cast(Any, model.config)
    tokens = batch_tokens or (CPU_TOKENS if device.type == "cpu" else GPU_TOKENS)
    budget = min(tokens, BATCH_LOGITS // config.vocab_size)
    for group in _groups([len(rows[r]) for r in order], budget):
        chosen = [order[i] for i in group]
        yield _build(pieces, [rows[r] for r in chosen], [members[r] for r in chosen], device)


def _check_lengths(pieces: Sequence[Piece], limit: int) -> None:
    longest = max((len(piece.inputs) for piece in pieces), default=0)
    if longest > limit:
        raise InputError(
            f"A text has {longest} tokens and the model reads at most {limit}; "
            "shorten it, or take a model with a longer context."
        )


def _share_rows(pieces: Sequence[Piece]) -> tuple[list[tuple[int, ...]], list[list[int]]]:
    """Rows to run, and for each the pieces that are read from it."""
    inputs = [piece.inputs for piece in pieces]
    rows: list[tuple[int, ...]] = []
    members: list[list[int]] = []
    # In dictionary order a text comes right before those that begin with it; so, from the end:
    for i in sorted(range(len(pieces)), key=inputs.__getitem__, reverse=True):
        if rows and rows[-1][: len(inputs[i])] == inputs[i]:
            members[-1].append(i)
        else:
            rows.append(inputs[i])
            members.append([i])
    return rows, members


def _first(pieces: Sequence[Piece], members: Sequence[int]) -> int:
    """The first position of a row that is scored."""
    return min(len(pieces[i].context) for i in members) - 1


def _groups(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Neighbours of rising length, so that rows x longest stays within the budget."""
    group: list[int] = []
    for i, length in enumerate(lengths):
        if group and (len(group) + 1) * length > budget:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _build(
    pieces: Sequence[Piece],
    rows: Sequence[tuple[int, ...]],
    members: Sequence[Sequence[int]],
    device: torch.device,
) -> Batch:
    width = max(map(len, rows))  # T
    keep = width - min(_first(pieces, group) for group in members)  # K
    places = [
        (i, r, len(pieces[i].context) - 1 + k - (width - keep), token)
        for r, group in enumerate(members)
        for i in group
        for k, token in enumerate(pieces[i].continuation)
    ]
    piece, row, column, target = torch.tensor(places, device=device).T  # (4, N)
    ids = torch.tensor([[*row_, *[0] * (width - len(row_))] for row_ in rows], device=device)
    lengths = torch.tensor([len(row_) for row_ in rows], device=device)
    mask = (torch.arange(width, device=device) < lengths[:, None]).long()  # (B, T)
    return Batch(ids, mask, keep, piece, row, column, target)
