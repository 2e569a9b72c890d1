"""From items to batches: encode once, shuffle by the seed alone, pad, shift.

    [prefix] prompt tokens | answer tokens, eos          an item, as the measures read it
                             ^ learned (loss_on="answer"), or everything after the prefix ("text")

    prompt tokens, eos  |  [start] answer tokens, eos    of an encoder-decoder model: what its
                                   ^ learned             encoder reads, and what its decoder does

Notable choices:
- The order is an endless row of shuffled epochs, cut into batches. A batch may cross the border
  of two epochs, so every batch is full and every method sees the same items at a seed. Any step's
  batch can be found without those before it: a resumed run simply goes on.
- Batches are as wide as their longest text. Padding stands at the right, is masked, and is
  never learned.
- Nothing is ever cut off: a text that is too long is refused by name.

Run the tests: pytest tests/text/test_train_batches.py
"""

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ftlab.base.errors import InputError
from ftlab.plan import LOSSES, check_choice, check_whole
from ftlab.text.requests import item_segments
from ftlab.text.scored_batches import UNLIMITED, Rows, what_is_read
from ftlab.text.segments import Segment

IGNORE = -100
"""Label of a token that is not learned (torch's cross_entropy leaves it out)."""


@dataclass(frozen=True)
class Example:
    """One text as token ids."""

    ids: tuple[int, ...]
    """Prefix, prompt, answer, end."""
    learn_from: int
    """Position of the first learned token; from there to the end all are learned."""
    source: tuple[int, ...] = ()
    """What an encoder reads, where there is one; then `ids` are the decoder's."""

    @property
    def learned(self) -> int:
        """How many tokens the loss counts."""
        return len(self.ids) - self.learn_from

    @property
    def tokens(self) -> int:
        """How many tokens are read."""
        return len(self.ids) + len(self.source)


@dataclass(frozen=True, kw_only=True)
class Batch(Rows):
    """Texts to learn: B of them, T tokens wide; the last K positions predict all that is learned,
    or are the last of all."""

    labels: Tensor
    """The token itself where it is learned, else IGNORE. (B, T)"""

    def on(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        tensors = {name: t.to(device) for name, t in vars(self).items() if isinstance(t, Tensor)}
        return replace(self, **tensors)


def encode(
    data: Iterable[Any],
    tokenizer: Any,
    *,
    loss_on: str,
    limit: int,
    start: int | None = None,
    reads: int = UNLIMITED,
) -> list[Example]:
    """Every item as an Example of at most `limit` tokens (encoder and decoder each).

    `start` is what the decoder of an encoder-decoder model starts from, `reads` the most tokens
    that the model itself can read.
    Raises InputError, naming the item, for a row that has no prompt and answer in text, and for
    a text longer than `limit`; also for no items at all.
    """
    check_choice("loss_on", loss_on, LOSSES)
    rows = list(data)
    if not rows:
        raise InputError("There are no items to train on; give at least one prompt and answer.")
    for number, row in enumerate(rows):
        _check_row(row, number)
    if start is not None and loss_on != "answer":
        raise InputError(
            f"loss_on='{loss_on}' is not possible with an encoder-decoder model, whose decoder "
            "writes only the answer; leave it at 'answer'."
        )
    segments = item_segments(tokenizer, rows, start)
    _check_lengths(rows, [segment.length for segment in segments], limit, reads)
    return [_example(segment, loss_on) for segment in segments]


def _check_lengths(rows: Sequence[Any], lengths: Sequence[int], limit: int, reads: int) -> None:
    """Refuse items that are too long: how many, the first, the longest, and what is possible."""
    allowed = min(limit, reads)
    long = [number for number, length in enumerate(lengths) if length > allowed]
    if not long:
        return
    first, most = long[0], max(long, key=lengths.__getitem__)
    longest = f"the longest, {_name(rows[most], most)}, has {lengths[most]}"
    told = f" ({len(long)} of {len(rows)} are too long; {longest})" if long[1:] else ""
    reading = f" (the model reads {reads})" if reads < UNLIMITED else ""
    raising = f"raise max_tokens{reading}, " if limit < reads else ""
    raise InputError(
        f"{_name(rows[first], first)} is {lengths[first]} tokens long and {allowed} are "
        f"allowed{told}; {raising}shorten such items, or leave them out: open_lab(..., "
        f"longest={allowed}), --longest {allowed}."
    )


def _example(segment: Segment, loss_on: str) -> Example:
    if segment.start is not None:
        return Example((segment.start, *segment.continuation), 1, segment.context)
    whole = segment.context + segment.continuation
    return Example(whole, len(segment.context) if loss_on == "answer" else 1)


def _check_row(row: Any, number: int) -> None:
    if not isinstance(row, Mapping):
        raise InputError(
            f"Item {number} is a {type(row).__name__}; every item must be a row with "
            "a 'prompt' and an 'answer'."
        )
    for key in ("prompt", "answer"):
        if not isinstance(row.get(key), str):
            raise InputError(
                f"{_name(row, number)} has no {key} in text; "
                "every item needs a 'prompt' and an 'answer'."
            )
    if not row["answer"].strip():
        raise InputError(
            f"{_name(row, number)} has an empty answer, so nothing can be learned from it; "
            "fill it in or leave the item out."
        )


def _name(row: Mapping[str, Any], number: int) -> str:
    return f"Item {number} ({row['id']})" if row.get("id") is not None else f"Item {number}"


def batch_indices(n: int, batch_size: int, step: int, seed: int) -> list[int]:
    """Which of `n` items step `step` (from 1) learns from: the same for everyone at a seed."""
    for name, value in (("n", n), ("batch_size", batch_size), ("step", step)):
        check_whole(name, value, 1)
    first = (step - 1) * batch_size
    places = range(first, first + batch_size)
    return [_epoch_order(n, seed, place // n)[place % n] for place in places]


@lru_cache(maxsize=8)
def _epoch_order(n: int, seed: int, epoch: int) -> tuple[int, ...]:
    return tuple(random.Random(f"order {seed} {epoch}").sample(range(n), n))


def collate(examples: Sequence[Example]) -> Batch:
    """B examples as one batch, T being the longest of them."""
    reads = what_is_read([e.ids for e in examples], [e.source for e in examples if e.source])
    ids = reads["ids"]  # (B, T)
    labels = torch.full_like(ids, IGNORE)
    for row, example in enumerate(examples):
        learned = slice(example.learn_from, len(example.ids))
        labels[row, learned] = ids[row, learned]
    last = ids.shape[1] + 1 - min(example.learn_from for example in examples)
    return Batch(labels=labels, logits_to_keep=last, **reads)


def checksum(examples: Sequence[Example]) -> str:
    """sha256 of what will be learned, in order: changes with data, tokenizer and `loss_on`."""
    digest = hashlib.sha256()
    for example in examples:
        source = f" {example.source}" if example.source else ""
        digest.update(f"{example.learn_from} {example.ids}{source}\n".encode())
    return digest.hexdigest()
