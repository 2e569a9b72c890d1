"""Rows as items, checked one by one, and what is worth knowing of them before any training.

A space joins prompt and answer, as the tokenizer expects: blanks at the prompt's end go, and the
answer gets one at its front (unless the prompt ends a line). Where an answer had more blanks at
its ends it is said that they go: exact match takes any blanks as one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.forms import as_pair
from ftlab.datasets.rows import Row, capital, checked, kind

FEWEST = 10  # rows that can be cut into three splits with a meaning
_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\xad\u200b\u2060-\u2064\ufeff]")
"""Control characters, soft hyphens, and blanks without a width."""

Item = dict[str, Any]  # {"id": str, "prompt": str, "answer": str, "held": bool}


def check_rows(rows: Iterable[Row], name: str) -> list[Item]:
    """Rows as items with text in place, ids filled in; InputError names the first bad row."""
    stem = Path(name).stem
    numbered = ((*row, f"{stem}-{number:05d}") for number, row in enumerate(rows, start=1))
    found = checked(numbered, lambda row: _check_row(*row))
    if not found:
        raise InputError(
            f"{name} is empty; give at least {FEWEST} examples, each with a prompt and an answer."
        )
    if blanks := sum(had_blanks for _, had_blanks in found):
        print(
            f"{name}: {blanks} of {len(found)} answers begin or end with blanks or line ends; "
            "these go, and exact match takes any blanks as one."
        )
    return [item for item, _ in found]


def _check_row(where: str, row: dict[str, Any], default_id: str) -> tuple[Item, bool]:
    """The row as an item, and whether its answer had blanks that go."""
    row = as_pair(row, where)
    missing = [column for column in ("prompt", "answer") if column not in row]
    if missing:
        there = ", ".join(f"'{key}'" for key in row) or "none"
        raise InputError(
            f"{capital(where)} has no column {' and no '.join(map(repr, missing))} "
            f"(there is: {there}); name the columns prompt and answer."
        )
    prompt, given = (_text(row[column], column, where) for column in ("prompt", "answer"))
    prompt, answer = prompt.rstrip(" "), given.strip()
    named = row.get("id") not in (None, "")
    item = {
        "id": _text(str(row["id"]), "id", where) if named else default_id,
        "prompt": prompt,
        "answer": answer if prompt.endswith("\n") else f" {answer}",
        "held": _held(row.get("held"), where),
    }
    return item, given.removeprefix(" ") != answer


def _text(value: object, column: str, where: str) -> str:
    if value is None or (isinstance(value, str) and not _UNSEEN.sub("", value).strip()):
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


def prompt_key(item: Item) -> str:
    """What makes two prompts one: their words."""
    return " ".join(item["prompt"].split())


def notices(splits: Mapping[str, Sequence[Item]]) -> list[str]:
    """What is worth knowing of a domain before it is trained on, a sentence each."""
    train, validation, test = (splits[split] for split in ("train", "validation", "test"))
    said = f"{len(train)} items to train on, {len(validation)} for validation, {len(test)} to test"
    (answer, count), *_ = Counter(item["answer"] for item in test).most_common(1)
    said += f"; the commonest answer of test, {answer.strip()[:40]!r}, is right for "
    found = [f"{said}{100 * count / len(test):.0f} %."]
    answers: dict[str, Counter[str]] = {}
    for item in (*train, *validation, *test):
        answers.setdefault(prompt_key(item), Counter())[item["answer"]] += 1
    if twice := sum(n - 1 for given in answers.values() for n in given.values()):
        found.append(f"{twice} items stand there once more, with the same prompt and answer.")
    if unsure := sum(len(given) > 1 for given in answers.values()):
        found.append(f"{unsure} prompts have different answers, of which a model gives one.")
    texts = [item["prompt"] + item["answer"] for part in splits.values() for item in part]
    if unseen := sum(bool(_UNSEEN.search(text)) for text in texts):
        found.append(f"{unseen} items hold characters that cannot be seen, such as U+200B.")
    return found
