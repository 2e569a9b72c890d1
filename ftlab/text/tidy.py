"""What of a domain is put right once its tokenizer is known, and what is worth knowing of it.

ends        an answer that ends with the end token ("yes<|endoftext|>") loses it: every answer
            is ended here anyway, and with two ends none could be right, word for word
chats       prompts are written in the tokenizer's chat template (`ftlab/text/chat.py`)
lengths     items that are too long are refused, left out or cut (`ftlab/text/too_long.py`)
"""

import re
from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.datasets.forms import TOO_LONG, Chat, TooLong
from ftlab.datasets.items import UNSEEN, Item
from ftlab.datasets.load import Domain
from ftlab.datasets.splits import prompt_key
from ftlab.plan import check_choice
from ftlab.text.chat import writer
from ftlab.text.scored_batches import UNLIMITED
from ftlab.text.too_long import Limits

LABELS = 20
"""Most different answers that are labels."""
SPLITS = ("train", "validation", "test")


def tidy(
    domain: Domain,
    tokenizer: Any,
    start: int | None = None,
    longest: int | None = None,
    *,
    too_long: TooLong | None = None,
    chat: Chat = "auto",
    reads: int = UNLIMITED,
) -> Domain:
    """The domain as the model is to read it: one end, its chat template, nothing too long.

    Too long is an item of more than `longest` tokens, or of more than the model `reads`; where
    neither `longest` nor `too_long` is given, such items stay. Each change is said. Raises
    InputError for a split of which nothing is left, and for what is refused.
    """
    check_choice("too_long", too_long, (None, *TOO_LONG))
    what = too_long or ("skip" if longest else None)
    write, changed, templated = writer(tokenizer, chat), dict[str, Any](), 0
    for split in SPLITS:
        rows = list(getattr(domain, split))
        kept = [_one_end(row, tokenizer) for row in rows]
        if kept != rows:
            print(f"{domain.name}: {split} answers end with {tokenizer.eos_token}: taken off.")
        if what:
            most = min(longest or reads, reads)
            at = None if split == "train" else reads
            limits = Limits(tokenizer, start, write, most, at)
            kept = _fitting(kept, limits, what, f"{split} items of {domain.name}")
        found = [write(row) for row in kept]
        templated += sum(a["prompt"] != b["prompt"] for a, b in zip(kept, found, strict=True))
        if found != rows:
            old = getattr(domain, split)
            features = {key: kind for key, kind in old.features.items() if key != "turns"}
            changed[split] = type(old).from_list(found, type(old.features)(features))
    if templated:
        print(
            f"{domain.name}: {templated} prompts are written in the tokenizer's chat template "
            "(chat='off', --chat off: as plain text)."
        )
    return replace(domain, **changed) if changed else domain


def _one_end(row: Item, tokenizer: Any) -> Item:
    """The row without end tokens at its end and, of text alone, without a start of its own."""
    end, answer = re.escape(tokenizer.eos_token or "\0"), row["answer"]
    answer = re.sub(rf"(\s*{end})+\s*$", "", answer)
    begin = tokenizer.bos_token or tokenizer.eos_token
    return {**row, "answer": answer if row["prompt"] or not begin else answer.removeprefix(begin)}


def _fitting(rows: list[Item], limits: Limits, too_long: TooLong, what: str) -> list[Item]:
    """The rows that fit, perhaps cut; says what became of the others, or refuses them."""
    over = limits.over(rows)
    long = [row for row, more in zip(rows, over, strict=True) if more]
    if not long:
        return rows
    count, most = f"{len(long)} of {len(rows)} {what}", limits.longest
    room = f", or leave no room for the answer in the {limits.answering} that the model reads"
    near = limits.answering is not None and 2 * most > limits.answering
    told = f"{count} are longer than {most} tokens{room if near else ''}"
    if too_long == "refuse":
        first, more = next((row, more) for row, more in zip(rows, over, strict=True) if more)
        raise InputError(
            f"{told}: '{first['id']}' by {more}; shorten them, allow more, or give too_long='skip' "
            "or 'cut', --too-long."
        )
    cut = iter(limits.cut(long, rows) if too_long == "cut" else [None] * len(long))
    made = (next(cut) if more else row for row, more in zip(rows, over, strict=True))
    kept = [row for row in made if row]
    if not kept:
        raise InputError(f"{told}: none is left; shorten them, or let a model read more.")
    gone, done = len(rows) - len(kept), len(long) - (len(rows) - len(kept))
    words = ["left out"] if not done else ["cut, at the front of the prompt"]
    words += [f"{gone} of them left out, whose answers alone are too long"] if done and gone else []
    print(f"{told}: {', '.join(words)}.")
    return kept


def commonest(domain: Domain) -> dict[str, Any] | None:
    """The commonest answer of the test split, and its share; None where answers are no labels.

    Labels are at most 20 different answers, each of which stands three times or more on average.
    """
    train, test = (list(getattr(domain, split)) for split in ("train", "test"))
    said = [row["answer"].strip() for row in test]
    known = {row["answer"].strip() for row in train} | set(said)
    if len(known) > LABELS or 3 * len(known) > len(train) + len(test):
        return None
    answer, count = Counter(said).most_common(1)[0]
    return {"answer": answer, "share": count / len(said)}


def notices(domain: Domain) -> list[str]:
    """What is worth knowing of one's own items before they are trained on, a sentence each."""
    splits = {split: list(getattr(domain, split)) for split in ("train", "validation", "test")}
    items, test = list(chain(*splits.values())), splits["test"]
    said = ", ".join(f"{len(rows)} {split}" for split, rows in splits.items()) + " items"
    (answer, n), *_ = Counter(item["answer"] for item in test).most_common(1)
    share = f"'{answer.strip():.40}', is right for {percent(n / len(test))}"
    pairs = {(prompt_key(item), item["answer"]) for item in items}
    unseen = [item for item in items if UNSEEN.search(item["prompt"] + item["answer"])]
    counts = {
        "items stand there more than once": len(items) - len(pairs),
        "prompts have two answers, of which a model gives one": (
            len(pairs) - len({prompt for prompt, _ in pairs})
        ),
        "items hold characters that cannot be seen, such as U+200B": len(unseen),
    }
    more = [f"{count} {what}." for what, count in counts.items() if count]
    return [f"{said}; the commonest answer of test, {share}.", *more]
