"""A domain before it is trained on: what the model reads, how long it is, what to look out for.

sheet = look(bundle, domain)       rows of (what, words), lengths, one item as it is read
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftlab.analysis.rates import rates_to_try
from ftlab.base.shares import percent
from ftlab.datasets.forms import Chat, TooLong
from ftlab.datasets.items import Item
from ftlab.datasets.load import Domain
from ftlab.datasets.overlap import WORDS, copied
from ftlab.evaluate.evaluator import draw_items
from ftlab.evaluate.target import measure_target
from ftlab.models.loading import Bundle
from ftlab.text.scored_batches import UNLIMITED, context_limit
from ftlab.text.segments import Segment
from ftlab.text.seq2seq import decoder_start
from ftlab.text.tidy import SPLITS, commonest, notices, tidy
from ftlab.text.too_long import Limits

ASKED = 32
"""Test items that the base is asked, at most."""
SHOWN = 5
"""Different answers that are named."""


@dataclass(frozen=True)
class Sheet:
    """What is worth knowing of a domain for one model."""

    title: str
    rows: list[tuple[str, str]]
    """What, and words about it."""
    bars: list[tuple[str, int]]
    """The lengths: from how many to how many tokens, and how many items."""
    item: list[tuple[str, bool]]
    """The first training item as it is read, part by part: the text, and is it learned?"""


def look(
    bundle: Bundle,
    domain: Domain,
    *,
    most: int,
    too_long: TooLong | None = None,
    chat: Chat = "auto",
) -> Sheet:
    """Read every item as the model would, and ask the base for a few answers.

    `most` is how many tokens an item may have. Raises InputError for what cannot be read.
    """
    model, tokenizer = bundle.model, bundle.tokenizer
    start, reads = decoder_start(model), context_limit(model)
    over, read = {}, {}
    whole = tidy(domain, tokenizer, start, chat=chat)
    for split in SPLITS:
        items, room = _rows(whole, split), reads if split != "train" else None
        limits = Limits(tokenizer, start, dict, min(most, reads), room)
        over[split], read[split] = limits.over(items), limits.segments(items)
    lengths = [segment.length for split in SPLITS for segment in read[split]]
    return Sheet(
        f"{domain.name} for {bundle.name}",
        [
            ("items", notices(whole)[0].partition("; ")[0]),
            ("tokens", _lengths(lengths, most, reads)),
            ("too long", _too_long(whole, over, too_long, max(lengths), reads)),
            ("look out", " ".join(notices(whole)[1:]) or "nothing stands there twice."),
            ("test in train", _copies(whole)),
            ("answers", _answers(whole)),
            ("the base", _base(model, tokenizer, whole, over["test"])),
            ("rates to try", rates_to_try(bundle.name)),
        ],
        _bars(lengths),
        _parts(tokenizer, read["train"][0]),
    )


def _rows(domain: Domain, split: str) -> list[Item]:
    return [dict(row) for row in getattr(domain, split)]


def _lengths(lengths: Sequence[int], most: int, reads: int) -> str:
    middle = sorted(lengths)[len(lengths) // 2]
    limit = f"; the model reads {reads:,}" if reads < UNLIMITED else ""
    return (
        f"{min(lengths):,} to {max(lengths):,} an item, start and end included, half of them up to "
        f"{middle:,}; {sum(lengths):,} in all{limit}; --max-tokens is {most:,}."
    )


def _too_long(
    domain: Domain, over: dict[str, list[int]], too_long: TooLong | None, longest: int, reads: int
) -> str:
    rows = [pair for s in SPLITS for pair in zip(_rows(domain, s), over[s], strict=True)]
    long = [row["id"] for row, more in rows if more]
    if not long:
        return "none."
    names = ", ".join(long[:3]) + (", ..." if long[3:] else "")
    raising = f"--max-tokens {longest}, " if longest <= reads else ""
    what = {
        "skip": "they are left out",
        "cut": "cut at the front of the prompt (text alone: its end), or left out where that fails",
    }.get(too_long or "", f"a run refuses them; give {raising}--too-long skip or --too-long cut")
    return f"{len(long)} of {len(rows)} items ({names}): {what}."


def _copies(domain: Domain) -> str:
    test = _rows(domain, "test")
    count = len(copied(_rows(domain, "train"), test))
    return (
        "no prompt is in both (those of test are taken out of train); "
        f"{count} of {len(test)} test items share {WORDS} words in a row with a training item."
    )


def _answers(domain: Domain) -> str:
    said = Counter(row["answer"].strip() for split in SPLITS for row in _rows(domain, split))
    always, total = commonest(domain), sum(said.values())
    if always is None:
        return f"{len(said)} different ones of {total}: no labels."
    shares = [f"{answer} {percent(n / total)}" for answer, n in said.most_common(SHOWN)]
    more = f", and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return (
        f"{', '.join(shares)}{more}. Always saying '{always['answer']}' is right for "
        f"{percent(always['share'])} of test: a model must beat that."
    )


def _base(model: Any, tokenizer: Any, domain: Domain, over: list[int]) -> str:
    fits = [row for row, more in zip(_rows(domain, "test"), over, strict=True) if not more]
    if not fits:
        return "not asked: no test item fits."
    found = measure_target(model, tokenizer, draw_items(fits, ASKED, seed=0))
    return (
        f"loss {found.loss:.2f} nats per token of the right answers, {percent(found.score)} "
        f"answered right, of {len(found.correct)} test items."
    )


def _bars(lengths: Sequence[int]) -> list[tuple[str, int]]:
    """Lengths by powers of two: (2^(k-1), 2^k]."""
    found = Counter((length - 1).bit_length() for length in lengths)
    return [(f"{2**k // 2 + 1:,}-{2**k:,}", found[k]) for k in range(min(found), max(found) + 1)]


def _parts(tokenizer: Any, segment: Segment) -> list[tuple[str, bool]]:
    """The text of an item, given and learned; of an encoder-decoder model one after the other."""
    options = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    sides = (segment.context, False), (segment.continuation, True)
    return [(tokenizer.decode(list(ids), **options), learned) for ids, learned in sides]
