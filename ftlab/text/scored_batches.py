"""Many short texts through a model at once, without changing a single score.

    segments -> rows (inputs, each run once) -> batches (rows of similar length, padded right)

Notable choices:
- The last token of a segment is never read, only predicted. So four one-word choices of one query
  are ONE row: its last position holds the logits of all four. And since a position depends only on
  what stands before it, a row that is the beginning of another is not run either.
- Rows are sorted by length before they are cut into batches, so little is spent on padding.
  Padding stands at the right and is masked; no scored position can see it.
- The head is expensive where the vocabulary is large: only the last K positions of a batch go
  through it (`logits_to_keep`). Counting from the end also leaves prompt tuning right, which puts
  tokens of its own before the text.

Run the tests: pytest tests/evaluate/test_likelihood.py
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.base.progress import counted
from ftlab.text.segments import Segment

CPU_TOKENS = 1024
"""Most input tokens in a batch on a CPU; with more, nano is slower (cache)."""
GPU_TOKENS = 16384
"""The same on a GPU."""
BATCH_LOGITS = 2**24
"""Most logits in a batch (64 MiB in float32), whatever the vocabulary."""


UNLIMITED = 2**20
"""Tokens that a model without a limit of its own is said to read."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Texts side by side, padded right: what a forward pass reads, in measuring and training."""

    ids: Tensor
    """Input ids; padding is 0. (B, T)"""
    mask: Tensor
    """1 where a token is, 0 where padding is. (B, T)"""
    logits_to_keep: int
    """How many positions, counted from the end, go through the head: K."""
    source: Tensor | None = None
    """What an encoder reads, padded right; None for a causal model. (B, S)"""
    source_mask: Tensor | None = None
    """1 where a token of it is. (B, S)"""


@dataclass(frozen=True, kw_only=True)
class ScoredBatch(Rows):
    """Rows of similar length, and where in them the scored tokens are (N of them in all)."""

    segment: Tensor
    """For every scored token the number of its segment. (N,)"""
    row: Tensor
    """For every scored token the row of the batch it is read from. (N,)"""
    column: Tensor
    """For every scored token its position among the last K, one before its own. (N,)"""
    target: Tensor
    """The scored tokens. (N,)"""


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Dropout off and no gradients; afterwards everything is as it was.

    Weights ask for no gradient either, for of those that do torch takes other products, whose last
    bits differ: a model that has not moved would no longer have learned exactly 0.
    Not `inference_mode`: it was no faster here, and what a module caches under it (bitsandbytes
    does so) can never be trained through.
    """
    modes = [(module, module.training) for model in models for module in model.modules()]
    moving = [p for model in models for p in model.parameters() if p.requires_grad]
    try:
        for model in models:
            model.eval()
        for p in moving:
            p.requires_grad_(False)
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:  # one by one: some may have been frozen in eval mode
            module.training = mode
        for p in moving:
            p.requires_grad_(True)


def context_limit(model: nn.Module) -> int:
    """Most input tokens the model can read at once, beside its virtual tokens."""
    limit = getattr(model.config, "max_position_embeddings", None)  # GPT-2 answers n_positions
    return (limit if isinstance(limit, int) else UNLIMITED) - virtual_tokens(model)


def virtual_tokens(model: Any) -> int:
    """How many virtual tokens (of a prompt or a prefix) the model reads before every text."""
    config: Any = getattr(model, "active_peft_config", None)
    if config is None or not config.is_prompt_learning or model._adapters_disabled:
        return 0
    return config.num_virtual_tokens


def beside_virtual(model: nn.Module) -> str:
    """For a message about the context: " (beside its 16 virtual tokens)", or nothing."""
    count = virtual_tokens(model)
    return f" (beside its {count} virtual tokens)" if count else ""


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter is."""
    return next(model.parameters()).device


def last_logits(model: nn.Module, rows: Rows) -> Tensor:
    """Logits of the last K positions, of a causal or an encoder-decoder model. (B, K, V)

    In the model's own precision: take `.float()` of them before anything is summed.
    """
    if rows.source is None:
        reads: dict[str, Any] = {
            "input_ids": rows.ids,
            "attention_mask": rows.mask,
            "logits_to_keep": rows.logits_to_keep,
        }
    else:  # padding stands at the right of the decoder's row, where no scored position sees it
        reads = {
            "input_ids": rows.source,
            "attention_mask": rows.source_mask,
            "decoder_input_ids": rows.ids,
        }
    return model(**reads, use_cache=False).logits[:, -rows.logits_to_keep :]


def batches(
    segments: Sequence[Segment], model: nn.Module, *, batch_tokens: int | None = None
) -> Iterator[ScoredBatch]:
    """Cut segments into batches of at most `batch_tokens` tokens, on the model's device.

    A row longer than that is a batch of its own. The default depends on the device.
    Raises InputError when a segment is longer than the model can read.
    """
    _check_lengths(segments, model)
    rows = _share_rows(segments)
    lengths = [len(segments[row[0]].key) for row in rows]
    order = sorted(range(len(rows)), key=lambda r: (lengths[r], _first(segments, rows[r])))
    device, config = device_of(model), cast(Any, model.config)
    tokens = batch_tokens or (CPU_TOKENS if device.type == "cpu" else GPU_TOKENS)
    budget = min(tokens, BATCH_LOGITS // config.vocab_size)
    for group in counted("scoring", list(_groups([lengths[r] for r in order], budget))):
        yield _build(segments, [rows[order[i]] for i in group], device)


def _check_lengths(segments: Sequence[Segment], model: nn.Module) -> None:
    longest = max((max(len(s.inputs), len(s.context)) for s in segments), default=0)
    limit = context_limit(model)
    if longest > limit:
        raise InputError(
            f"A text has {longest} tokens and the model reads at most {limit}"
            f"{beside_virtual(model)}; shorten it, or take a model with a longer context."
        )


def _share_rows(segments: Sequence[Segment]) -> list[list[int]]:
    """Rows to run: the segments that are read from each, the longest of them first."""
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
) -> ScoredBatch:
    longest = [segments[row[0]] for row in rows]
    width = max(len(segment.inputs) for segment in longest)  # T
    cut = min(_first(segments, row) for row in rows)  # T - K
    places = [
        (i, r, segments[i].first + k - cut, token)
        for r, row in enumerate(rows)
        for i in row
        for k, token in enumerate(segments[i].continuation)
    ]
    segment, row, column, target = torch.tensor(places, device=device).T  # (4, N)
    where = {"segment": segment, "row": row, "column": column, "target": target}
    sources = [s.context for s in longest if s.start is not None]
    reads = what_is_read([s.inputs for s in longest], sources, device)
    return ScoredBatch(logits_to_keep=width - cut, **where, **reads)


def what_is_read(
    ids: Sequence[Sequence[int]],
    sources: Sequence[Sequence[int]],
    device: torch.device | None = None,
) -> dict[str, Tensor]:
    """`ids` and `mask` of Rows; with an encoder's `sources` also `source` and `source_mask`."""
    tensors = [*padded(ids, device), *(padded(sources, device) if sources else ())]
    return dict(zip(("ids", "mask", "source", "source_mask"), tensors, strict=False))


def padded(
    rows: Sequence[Sequence[int]], device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Rows side by side, padded right with 0, and 1 where they are no padding; both (B, T)."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return ids, (torch.arange(width, device=device) < lengths[:, None]).long()
