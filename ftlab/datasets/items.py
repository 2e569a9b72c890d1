"""A user's rows as items: text in place, every fault with its place, and what goes is said.

A row needs a prompt and an answer, both text, in one of the forms of `forms.py`; `id` and `held`
may be given. Notable choices:

- A space joins prompt and answer, as the tokenizer expects: blanks at the prompt's end go, and
  the answer gets one at its front, unless it has blanks there or the prompt ends a line.
- Blanks at an answer's front stay (code is indented); at its end they go, which is said.
- Of text alone the prompt is empty and the answer is the text.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.forms import Reading, as_pair
from ftlab.datasets.rows import Row, capital, checked, kind

_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")
UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\xad\u200b\u2060-\u2064\ufeff]")
"""Control characters, soft hyphens, and blanks without a width."""

Item = dict[str, Any]
"""{"id": str, "prompt": str, "answer": str, "held": bool}; of a chat also "turns", its messages
before the answer as JSON."""
USED = {
    "id", "held", "prompt", "answer", "completion", "instruction", "input", "output", "messages",
    "conversations", "text", "system", "turns", "after",
}  # fmt: skip
"""Columns that a form may read."""


def check_rows(rows: Iterable[Row], name: str, reading: Reading | None = None) -> list[Item]:
    """Rows as items with text in place, ids filled in; InputError names the first bad row."""
    reading, told = reading or Reading(), Counter[str]()
    stem = Path(name).stem
    numbered = ((*row, f"{stem}-{number:05d}") for number, row in enumerate(rows, start=1))
    skip = name if reading.faulty == "skip" else ""
    items = checked(numbered, lambda row: _check_row(*row, reading, told), skip)
    if not items:
        raise InputError(f"{name} is empty; give examples, each with a prompt and an answer.")
    for what, count in told.items():
        print(f"{name}: of {count} of {len(items)} rows {what}.")
    return items


def _check_row(
    where: str, row: dict[Any, Any], default_id: str, reading: Reading, told: Counter[str]
) -> Item:
    """The row as an item; `told` counts what is worth saying."""
    if None in row:
        raise InputError(
            f"{capital(where)} has more fields than the header; put text "
            "that holds the separator into double quotes."
        )
    row = as_pair(row, where, reading)
    missing = [column for column in ("prompt", "answer") if column not in row]
    if missing:
        there = ", ".join(f"'{key}'" for key in row) or "none"
        raise InputError(
            f"{capital(where)} has no column {' and no '.join(map(repr, missing))} (there is: "
            f"{there}); name the columns so, or say which they are: "
            "--columns prompt=question,answer=label."
        )
    alone = row.get("turns") == []
    prompt = "" if alone else _text(row["prompt"], "prompt", where).rstrip(" ")
    said = str(row["answer"]) if type(row["answer"]) is int else row["answer"]
    given = _text(said, "text" if alone else "answer", where)
    answer = given.rstrip()
    joined = alone or prompt.endswith("\n") or answer[:1].isspace()
    name = row.get("id")
    item = {
        "id": default_id if name in (None, "") else _text(str(name), "id", where),
        "prompt": prompt,
        "answer": answer if joined else f" {answer}",
        "held": _held(row.get("held"), where),
    }
    told.update(_told(row, given != answer, alone))
    return item | ({"turns": json.dumps(row["turns"])} if row.get("turns") else {})


def _told(row: dict[Any, Any], blanks: bool, alone: bool) -> list[str]:
    """What is worth saying of a row, each as the end of a sentence."""
    unread = ", ".join(sorted(row.keys() - USED))
    several = sum(turn["role"] == "user" for turn in row.get("turns") or ()) > 1
    found = {
        "the answer ends with blanks or line ends, which go": blanks,
        "the whole text is learned, since it is alone: its loss says more than exact match": alone,
        "the last answer is learned, and the turns before it are the prompt": several,
        "what the chat says after its last answer is left out": bool(row.get("after")),
        f"the columns {unread} are not read": bool(unread),
    }
    return [what for what, is_so in found.items() if is_so]


def _text(value: object, column: str, where: str) -> str:
    if value is None or (isinstance(value, str) and not UNSEEN.sub("", value).strip()):
        raise InputError(f"The {column} in {where} is empty; fill it in or delete the row.")
    if not isinstance(value, str):
        raise InputError(f"The {column} in {where} is {kind(value)}, not text; put it in quotes.")
    if "\0" in value:
        raise InputError(f"The {column} in {where} holds a NUL character; take it out.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"The {column} in {where} holds half a character (a lone surrogate); "
            "write the text again as UTF-8."
        ) from error
    return value


def _held(value: object, where: str) -> bool:
    word = str("" if value is None else value).strip().lower()
    if word not in (*_YES, *_NO):
        raise InputError(f"'held' in {where} is {value!r}; write true or false.")
    return word in _YES
