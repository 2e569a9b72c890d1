"""Does the model read all that it will be asked? Known before a step is taken, not after the last.

A test item is read with room for the longest answer of its split, as `generate` gives it to every
item; a probe with each of its choices; of a document an encoder-decoder model reads the whole.
"""

from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain, Suite
from ftlab.evaluate.skills import probe_segments
from ftlab.text.requests import document_segments, item_segments
from ftlab.text.scored_batches import context_limit
from ftlab.text.seq2seq import decoder_start
from ftlab.text.too_long import SPARE_TOKENS


def check_fit(model: nn.Module, tokenizer: Any, domain: Domain, suite: Suite) -> None:
    """Raises InputError for what the model cannot read: how many, the first, and the longest."""
    start, limit = decoder_start(model), context_limit(model)
    for split in ("validation", "test"):
        rows = [dict(row) for row in getattr(domain, split)]
        found = item_segments(tokenizer, rows, start)
        room = max(len(segment.continuation) for segment in found) + SPARE_TOKENS - 1
        sizes = [len(segment.context) + room for segment in found]
        what = f"{split} items, with room for the longest answer ({room}),"
        cure = "leave some out (open_lab(..., too_long='skip'), --too-long skip)"
        _check([str(row.get("id")) for row in rows], sizes, limit, what, cure)
    check_suite(model, tokenizer, suite)


def check_suite(model: nn.Module, tokenizer: Any, suite: Suite) -> None:
    """Raises InputError for probes and documents that the model cannot read, as `check_fit`."""
    start, limit = decoder_start(model), context_limit(model)
    probes = probe_segments(tokenizer, suite.probes, start)
    _check([probe.id for probe, _ in probes], [s.reads for _, s in probes], limit, "probes")
    if start is not None:
        groups = document_segments(tokenizer, suite.documents, limit, start)
        names = [f"{text:.40}..." for text in suite.documents]
        _check(names, [group[0].reads for group in groups], limit, "documents")


def _check(
    names: list[str], sizes: list[int], limit: int, what: str, cure: str = "leave them out"
) -> None:
    long = [number for number, size in enumerate(sizes) if size > limit]
    if long:
        first, most = long[0], max(long, key=sizes.__getitem__)
        more = f", the longest, '{names[most]}', {sizes[most]}" if long[1:] else ""
        raise InputError(
            f"{len(long)} of {len(sizes)} {what} do not fit the {limit} tokens that the model "
            f"reads: '{names[first]}' has {sizes[first]}{more}; shorten them, {cure}, or take a "
            "model that reads more."
        )
