"""What of a domain is put right once its tokenizer is known; each change is said in a line.

"yes<|endoftext|>"  ->  "yes"         every answer is ended here anyway, and with two ends
                                      no answer could be the right one, word for word
"""

import re
from dataclasses import replace
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain
from ftlab.text.requests import item_segments

SPLITS = ("train", "validation", "test")


def without_ends(domain: Domain, tokenizer: Any) -> Domain:
    """The domain without end tokens at the ends of its answers; itself where there is none.

    Raises InputError for an answer that is nothing else.
    """
    end = tokenizer.eos_token
    own = re.compile(rf"(\s*{re.escape(end or chr(0))})+\s*$")
    changed: dict[str, Any] = {}
    count = 0
    for split in SPLITS:
        rows = getattr(domain, split)
        items = [{**row, "answer": own.sub("", row["answer"])} for row in rows]
        fewer = [new for old, new in zip(rows, items, strict=True) if old != new]
        if empty := next((item for item in fewer if not item["answer"].strip()), None):
            raise InputError(f"The answer of {empty['id']} is only {end}; fill it in or delete it.")
        if fewer:
            changed[split], count = type(rows).from_list(items, rows.features), count + len(fewer)
    if changed:
        print(
            f"{domain.name}: {count} answers end with {end}, which is put there anyway: taken off."
        )
    return replace(domain, **changed) if changed else domain


def up_to(domain: Domain, tokenizer: Any, longest: int, start: int | None) -> Domain:
    """The domain without items of more than `longest` tokens, in any split.

    Raises InputError where a split would be empty.
    """
    changed: dict[str, Any] = {}
    for split in SPLITS:
        rows = getattr(domain, split)
        segments = item_segments(tokenizer, rows, start)
        fits = [number for number, segment in enumerate(segments) if segment.length <= longest]
        gone = f"{len(rows) - len(fits)} of {len(rows)} {split} items of {domain.name}"
        if not fits:
            raise InputError(f"{gone} are longer than {longest} tokens; give a larger longest.")
        if len(fits) < len(rows):
            print(f"{gone} are longer than {longest} tokens: left out.")
            changed[split] = rows.select(fits)
    return replace(domain, **changed)
