"""Does the model read all that it will be asked? Known before a step is taken, not after the last.

A test item is read with room for the longest answer of its split, as `generate` gives it to every
item; a probe with each of its choices; of a document an encoder-decoder model reads the whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain, Suite
from ftlab.evaluate.skills import probe_segments
from ftlab.evaluate.target import SPARE_TOKENS
from ftlab.text.requests import document_segments, item_segments
from ftlab.text.scored_batches import context_limit
from ftlab.text.segments import Segment
from ftlab.text.seq2seq import decoder_start


def check_fit(model: nn.Module, tokenizer: Any, domain: Domain, suite: Suite) -> None:
    """Raises InputError for items, probes or documents that the model cannot read: how many of
    them, the first, and the longest."""
    start, limit = decoder_start(model), context_limit(model)
    for split in ("validation", "test"):
        rows = [dict(row) for row in getattr(domain, split)]
        _check_items(rows, item_segments(tokenizer, rows, start), limit, f"{split} items")
    probes = probe_segments(tokenizer, suite.probes, start)
    asked = [(f"'{probe.id}'", _read(segment)) for probe, segment in probes]
    _check(asked, limit, f"texts of the suite {suite.name}", "shorten it, or leave it out")
    if start is not None:
        groups = document_segments(tokenizer, suite.documents, limit, start)
        whole = [
            (f"'{s!s:.40}...'", _read(g[0])) for s, g in zip(suite.documents, groups, strict=True)
        ]
        _check(whole, limit, f"documents of the suite {suite.name}", "shorten it, or leave it out")


def _check_items(
    rows: Sequence[Mapping[str, Any]], segments: Sequence[Segment], limit: int, what: str
) -> None:
    answers = [len(segment.continuation) for segment in segments]
    room = max(answers) + SPARE_TOKENS
    names = [str(row.get("id", number)) for number, row in enumerate(rows)]
    sizes = [(name, len(s.context) + room - 1) for name, s in zip(names, segments, strict=True)]
    fits = max(2, limit - room)
    longest = names[answers.index(max(answers))]
    _check(
        sizes,
        limit,
        what,
        f"the longest answer ({longest}) needs {room} of them after every prompt; shorten what "
        f"is too long, leave it out (open_lab(..., longest={fits}), --longest {fits})",
    )


def _read(segment: Segment) -> int:
    return max(len(segment.inputs), len(segment.context))


def _check(sizes: Iterable[tuple[str, int]], limit: int, what: str, cure: str) -> None:
    sizes = list(sizes)
    long = [(name, size) for name, size in sizes if size > limit]
    if not long:
        return
    (first, size), (longest, most) = long[0], max(long, key=lambda each: each[1])
    more = f", the longest is {longest} with {most}" if long[1:] else ""
    raise InputError(
        f"{len(long)} of {len(sizes)} {what} do not fit the {limit} tokens that the model reads: "
        f"the first is {first} with {size}{more}; {cure}, or take a model that reads more."
    )
