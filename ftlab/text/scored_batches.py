"""Many short texts through a model at once, without changing a single number.

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

Run the tests: pytest tests/evaluate/test_likelihood.py
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.text.segments import Segment

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
    segment: Tensor
    """For every scored token the number of its piece. (N,)"""
    row: Tensor
    """For every scored token the row of the batch it is read from. (N,)"""
    column: Tensor
    """For every scored token its position among the K kept ones. (N,)"""
    target: Tensor
    """The scored tokens. (N,)"""
    source: Tensor | None = None
    """What an encoder reads, padded right; None for a causal model. (B, S)"""
    source_mask: Tensor | None = None
    """1 where a token of it is. (B, S)"""


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


class Reads(Protocol):
    """What a forward pass needs of a batch, here and in training
    (`ftlab.text.train_batches.Batch`)."""

    @property
    def ids(self) -> Tensor: ...
    @property
    def mask(self) -> Tensor: ...
    @property
    def keep(self) -> int: ...
    @property
    def source(self) -> Tensor | None: ...
    @property
    def source_mask(self) -> Tensor | None: ...


def last_logits(model: nn.Module, batch: Reads) -> Tensor:
    """Logits of the last K positions, of a causal or an encoder-decoder model. (B, K, V)"""
    if batch.source is None:
        reads: dict[str, Any] = {
            "input_ids": batch.ids,
            "attention_mask": batch.mask,
            "logits_to_keep": batch.keep,  # the head is dear where the vocabulary is large
        }
    else:  # padding stands at the right of the decoder's row, where no scored position sees it
        reads = {
            "input_ids": batch.source,
            "attention_mask": batch.source_mask,
            "decoder_input_ids": batch.ids,
        }
    return model(**reads, use_cache=False).logits[:, -batch.keep :]


def kept_logits(model: nn.Module, batch: Batch) -> Tensor:
    """Logits of the last K positions in float32, so that sums are right in half precision too.

    Position t holds the odds of the token at t + 1: this shift is made once, in `column`.
    """
    return last_logits(model, batch).float()  # (B, K, V)


def batches(
    segments: Sequence[Segment], model: nn.Module, *, batch_tokens: int | None = None
) -> Iterator[Batch]:
    """Cut pieces into batches of at most `batch_tokens` tokens, on the model's device.

    A row longer than that is a batch of its own. The default depends on the device.
    Raises InputError when a piece is longer than the model can read.
    """
    _check_lengths(segments, context_limit(model))
    rows = _share_rows(segments)
    lengths = [len(segments[row[0]].key) for row in rows]
    order = sorted(range(len(rows)), key=lambda r: (lengths[r], _first(segments, rows[r])))
    device, config = device_of(model), cast(Any, model.config)
    tokens = batch_tokens or (CPU_TOKENS if device.type == "cpu" else GPU_TOKENS)
    budget = min(tokens, BATCH_LOGITS // config.vocab_size)
    for group in _groups([lengths[r] for r in order], budget):
        yield _build(segments, [rows[order[i]] for i in group], device)


def _check_lengths(segments: Sequence[Segment], limit: int) -> None:
    longest = max(
        (max(len(segment.inputs), len(segment.context)) for segment in segments), default=0
    )
    if longest > limit:
        raise InputError(
            f"A text has {longest} tokens and the model reads at most {limit}; "
            "shorten it, or take a model with a longer context."
        )


def _share_rows(segments: Sequence[Segment]) -> list[list[int]]:
    """Rows to run: the pieces that are read from each, the longest of them first."""
    keys = [segment.key for segment in segments]
    rows: list[list[int]] = []
    # In dictionary order a text comes right before those that begin with it; so, from the end:
    for i in sorted(range(len(segments)), key=keys.__getitem__, reverse=True):
        if rows and keys[rows[-1][0]][: len(keys[i])] == keys[i]:
            rows[-1].append(i)
        else:
            rows.append([i])
    return rows


def _first(segments: Sequence[Segment], members: Sequence[int]) -> int:
    """The first position of a row that is scored."""
    return min(segments[i].first for i in members)


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
    segments: Sequence[Segment], rows: Sequence[Sequence[int]], device: torch.device
) -> Batch:
    inputs = [segments[row[0]].inputs for row in rows]
    width = max(map(len, inputs))  # T
    keep = width - min(_first(segments, row) for row in rows)  # K
    places = [
        (i, r, segments[i].first + k - (width - keep), token)
        for r, row in enumerate(rows)
        for i in row
        for k, token in enumerate(segments[i].continuation)
    ]
    segment, row, column, target = torch.tensor(places, device=device).T  # (4, N)
    ids, mask = padded(inputs, device)  # (B, T)
    batch = Batch(ids, mask, keep, segment, row, column, target)
    if segments[rows[0][0]].start is None:
        return batch
    source, source_mask = padded([segments[row[0]].context for row in rows], device)  # (B, S)
    return replace(batch, source=source, source_mask=source_mask)


def padded(
    rows: Sequence[tuple[int, ...]], device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Rows side by side, padded right with 0, and 1 where they are no padding; both (B, T)."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return ids, (torch.arange(width, device=device) < lengths[:, None]).long()
