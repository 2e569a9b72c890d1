"""What of a domain is put right once its tokenizer is known, and what is worth knowing of it.

An answer that ends with the end token ("yes<|endoftext|>") loses it: every answer is ended here
anyway, and with two ends none could be the right one, word for word.
"""

import re
from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain
from ftlab.datasets.own_files import UNSEEN, prompt_key
from ftlab.text.requests import item_segments


def tidy(
    domain: Domain, tokenizer: Any, start: int | None = None, longest: int | None = None
) -> Domain:
    """The domain without end tokens in its answers and items of more than `longest` tokens.

    Each change is said in a line. Raises InputError for a split of which nothing is left.
    """
    end, changed = re.escape(tokenizer.eos_token or "\0"), dict[str, Any]()
    for split in ("train", "validation", "test"):
        rows = list(getattr(domain, split))
        kept = [{**row, "answer": re.sub(rf"(\s*{end})+\s*$", "", row["answer"])} for row in rows]
        if kept != rows:
            print(f"{domain.name}: {split} answers end with {tokenizer.eos_token}: taken off.")
        if longest is not None:
            segments = item_segments(tokenizer, kept, start)
            kept = [row for row, s in zip(kept, segments, strict=True) if s.length <= longest]
        if gone := len(rows) - len(kept):
            what = f"{gone} of {len(rows)} {split} items of {domain.name}"
            if not kept:
                raise InputError(f"{what} are longer than longest={longest} tokens; give more.")
            print(f"{what} are longer than {longest} tokens: left out.")
        if kept != rows:
            old = getattr(domain, split)
            changed[split] = type(old).from_list(kept, old.features)
    return replace(domain, **changed) if changed else domain


def notices(domain: Domain) -> list[str]:
    """What is worth knowing of one's own items before they are trained on, a sentence each."""
    splits = {split: list(getattr(domain, split)) for split in ("train", "validation", "test")}
    items, test = list(chain(*splits.values())), splits["test"]
    said = ", ".join(f"{len(rows)} {split}" for split, rows in splits.items()) + " items"
    (answer, n), *_ = Counter(item["answer"] for item in test).most_common(1)
    share = f"'{answer.strip():.40}', is right for {100 * n / len(test):.0f} %"
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
