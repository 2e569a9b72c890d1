"""What of a domain is put right once its tokenizer is known; each change is said in a line.

An answer that ends with the end token ("yes<|endoftext|>") loses it: every answer is ended here
anyway, and with two ends none could be the right one, word for word.
"""

import re
from dataclasses import replace
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain
from ftlab.text.requests import item_segments


def tidy(
    domain: Domain, tokenizer: Any, start: int | None = None, longest: int | None = None
) -> Domain:
    """The domain without end tokens in its answers, and without items of more than `longest`
    tokens; itself where nothing changes. Raises InputError for a split of which nothing is left."""
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
