"""A user's own examples: a file, a folder of splits or a set on the Hub, checked row by row.

A row needs `prompt` and `answer`, both text; `id` and `held` may be given. Notable
choices:

- A space joins prompt and answer, as the tokenizer expects: blanks at the prompt's end go, and
  the answer gets one at its front (unless the prompt ends a line).
- What is missing of validation and test is cut from the training rows, a tenth of the whole
  each, by a seeded shuffle. Rows with the same prompt stay together, so that no test item was
  trained on; `held` items never go to training.
"""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets import hub_sets
from ftlab.datasets.rows import Row, capital, kind, read_csv, read_jsonl, read_parquet
from ftlab.hub import fetch, reach

ENDINGS = (".jsonl", ".csv", ".parquet")
ENDINGS_TEXT = ".jsonl, .csv or .parquet"
SPLITS = ("train", "validation", "test")
FEWEST = 10  # rows that can be cut into three splits with a meaning

_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")

Item = dict[str, Any]  # {"id": str, "prompt": str, "answer": str, "held": bool}


def read_file(path: Path) -> list[Item]:
    """The examples of one .jsonl, .csv or .parquet file; InputError for what cannot be used."""
    readers: dict[str, Callable[[Path], Iterable[Row]]] = {
        ".jsonl": read_jsonl,
        ".csv": read_csv,
        ".parquet": read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} ends in '{path.suffix}', which is not read; give a file that "
            f"ends in {ENDINGS_TEXT}."
        )
    if not path.is_file():
        raise InputError(f"There is no file {path}; give the path of a {ENDINGS_TEXT} file.")
    return check_rows(reader(path), path.name)


def read_folder(folder: Path) -> dict[str, list[Item]]:
    """The splits of a folder: train, and validation and test where they exist."""
    found = {split: path for split in SPLITS if (path := _split_file(folder, split))}
    if "train" not in found:
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise InputError(
            f"The folder {folder} has no train.jsonl, train.csv or train.parquet "
            f"(there is: {there}); name the training file so."
        )
    return {split: read_file(path) for split, path in found.items()}


def _split_file(folder: Path, split: str) -> Path | None:
    paths = [folder / f"{split}{ending}" for ending in ENDINGS]
    return next((path for path in paths if path.is_file()), None)


def read_hub(name: str) -> dict[str, list[Item]]:
    """The splits of a data set on the Hub, or its copy in the cache when there is no Hub."""
    from datasets import load_dataset

    try:
        with fetch.asking(name):
            found = load_dataset(name)
    except reach.Offline as error:
        raise _not_to_be_had(name, error.reason) from error
    if "train" not in found:
        raise InputError(
            f"The data set '{name}' has no split 'train', only "
            f"{', '.join(map(str, found))}; choose a set that has one."
        )
    return {split: _hub_split(found[split], name, split) for split in SPLITS if split in found}


def read_known(name: str, seed: int) -> dict[str, list[Item]]:
    """The splits of a set on the Hub that has a name of its own here (`world.hub_sets`)."""
    try:
        splits = hub_sets.domain_splits(name, seed)
    except reach.Offline as error:
        raise _not_to_be_had(name, error.reason) from error
    return {split: _hub_split(splits[split], name, split) for split in SPLITS}


def _not_to_be_had(name: str, reason: str) -> reach.Offline:
    return reach.Offline(
        f"The data set '{name}' is neither a file here nor to be had from the Hub: {reason}; "
        f"check the name, or give a {ENDINGS_TEXT} file.",
        reason,
    )


def _hub_split(rows: Iterable[Any], name: str, split: str) -> list[Item]:
    numbered = ((f"row {n} of {split}", dict(row)) for n, row in enumerate(rows, start=1))
    return check_rows(numbered, f"{name}-{split}")


def check_rows(rows: Iterable[Row], name: str) -> list[Item]:
    """Rows as items with text in place, ids filled in; InputError names the first bad row."""
    stem = Path(name).stem
    items = [
        _check_row(where, row, f"{stem}-{number:05d}")
        for number, (where, row) in enumerate(rows, start=1)
    ]
    if not items:
        raise InputError(
            f"{name} is empty; give at least {FEWEST} examples, each with a prompt and an answer."
        )
    return items


def _check_row(where: str, row: dict[str, Any], default_id: str) -> Item:
    missing = [column for column in ("prompt", "answer") if column not in row]
    if missing:
        there = ", ".join(f"'{key}'" for key in row) or "none"
        raise InputError(
            f"{capital(where)} has no column {' and no '.join(map(repr, missing))} "
            f"(there is: {there}); name the columns prompt and answer."
        )
    prompt, answer = (_text(row[column], column, where) for column in ("prompt", "answer"))
    prompt = prompt.rstrip(" ")
    answer = answer.strip() if prompt.endswith("\n") else " " + answer.strip()
    name = row.get("id")
    return {
        "id": default_id if name in (None, "") else str(name),
        "prompt": prompt,
        "answer": answer,
        "held": _held(row.get("held"), where),
    }


def _text(value: object, column: str, where: str) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise InputError(f"The {column} in {where} is empty; fill it in or delete the row.")
    if not isinstance(value, str):
        raise InputError(f"The {column} in {where} is {kind(value)}, not text; put it in quotes.")
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


def complete(splits: dict[str, list[Item]], name: str, seed: int = 0) -> dict[str, list[Item]]:
    """All three splits: what is missing of validation and test is cut from train, 10 % each."""
    missing = [split for split in SPLITS if split not in splits]
    done = dict(splits)
    if missing:
        if len(splits["train"]) < FEWEST:
            raise InputError(
                f"{name} has {len(splits['train'])} examples; at least {FEWEST} are "
                "needed to cut them into train, validation and test."
            )
        done |= _cut(splits["train"], missing, seed)
    empty = [split for split in SPLITS if not done[split]]
    if empty:
        raise InputError(
            f"{name} leaves nothing for {' and '.join(empty)}; give more examples "
            "with different prompts that are not marked held."
        )
    trained = next((item for item in done["train"] if item["held"]), None)
    if trained is not None:
        raise InputError(
            f"The training split of {name} holds '{trained['id']}', which is marked "
            "held; move held items to validation and test."
        )
    return {split: done[split] for split in SPLITS}


def _cut(items: list[Item], missing: list[str], seed: int) -> dict[str, list[Item]]:
    """Cut a tenth of the prompts, and the held ones, off `items` for each missing split."""
    prompts = {item["prompt"]: False for item in items}
    for item in items:
        prompts[item["prompt"]] |= item["held"]
    order = sorted(prompts)
    random.Random(seed).shuffle(order)
    free = [prompt for prompt in order if not prompts[prompt]]
    held = [prompt for prompt in order if prompts[prompt]]
    tenth = max(1, round(len(free) / 10))
    goes = dict.fromkeys(free, "train")
    for n, split in enumerate(missing):
        goes |= dict.fromkeys(free[n * tenth : (n + 1) * tenth], split)
        goes |= dict.fromkeys(held[n :: len(missing)], split)
    return {
        split: [item for item in items if goes[item["prompt"]] == split]
        for split in ("train", *missing)
    }
