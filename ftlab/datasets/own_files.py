"""A user's own examples: a file, a folder of splits or a set on the Hub, checked row by row.

A row needs a prompt and an answer, both text, in one of the forms of `forms.py`; `id` and `held`
may be given. Notable choices:

- A space joins prompt and answer, as the tokenizer expects: blanks at the prompt's end go, and
  the answer gets one at its front (unless the prompt ends a line). Other blanks at an answer's
  ends go too, which is said.
- What is missing of validation and test is cut from the training rows, a tenth of the whole
  each, by a seeded shuffle. Rows with the same prompt stay together, so that no test item was
  trained on; of splits that were given, train loses the prompts of the others, which is said.
  `held` items never go to training.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError, first_line
from ftlab.datasets import hub_sets
from ftlab.datasets.forms import as_pair
from ftlab.datasets.rows import Row, capital, checked, kind, read_csv, read_jsonl, read_parquet
from ftlab.hub import fetch, reach

READERS: dict[str, Callable[[Path], Iterable[Row]]] = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), read_jsonl),
    **dict.fromkeys((".csv", ".tsv"), read_csv),
    ".parquet": read_parquet,
}
ENDINGS = tuple(READERS)
ENDINGS_TEXT = ".jsonl, .csv or .parquet"
SPLITS = {"train": "train", "validation": "validation|valid|val|dev", "test": "test"}
"""The splits, and what people call them."""
FEWEST = 10  # rows that can be cut into three splits with a meaning

_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")
UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\xad\u200b\u2060-\u2064\ufeff]")
"""Control characters, soft hyphens, and blanks without a width."""

Item = dict[str, Any]  # {"id": str, "prompt": str, "answer": str, "held": bool}


def read_file(path: Path) -> list[Item]:
    """The examples of one file; InputError for what cannot be used."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} ends in '{path.suffix}', which is not read; give a file that "
            f"ends in {ENDINGS_TEXT} (.json, .ndjson and .tsv are read as well)."
        )
    if not path.is_file():
        raise InputError(f"There is no file {path}; give the path of a {ENDINGS_TEXT} file.")
    return check_rows(reader(path), path.name)


def read_folder(folder: Path) -> dict[str, list[Item]]:
    """The splits of a folder: train, and validation and test where they exist.

    They are files called so, here or in its folder data (as in a clone from the Hub), or what the
    library datasets wrote with save_to_disk.
    """
    if (folder / "dataset_dict.json").is_file() or any(folder.glob("*.arrow")):
        return _saved(folder)
    try:
        there = sorted([*folder.iterdir(), *folder.glob("data/*")])
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); give another.") from error
    found = {split: paths for split in SPLITS if (paths := _split_files(there, split))}
    if "train" not in found:
        names = ", ".join(path.name for path in there[:8]) or "nothing"
        raise InputError(
            f"The folder {folder} has no train.jsonl, train.csv or train.parquet "
            f"(there is: {names}); name the training file so."
        )
    return {split: [item for p in ps for item in read_file(p)] for split, ps in found.items()}


def _split_files(there: list[Path], split: str) -> list[Path]:
    """The file of a split, or the parts of it (train-00000-of-00002.parquet)."""
    form = rf"({SPLITS[split]})(-\d+-of-\d+)?({'|'.join(map(re.escape, ENDINGS))})"
    found = [path for path in there if re.fullmatch(form, path.name.lower())]
    if found[1:] and not all("-of-" in path.name for path in found):
        names = " and ".join(path.name for path in found)
        raise InputError(f"There are {names} for the {split} split; keep one.")
    return found


def _saved(folder: Path) -> dict[str, list[Item]]:
    """The splits of what save_to_disk wrote: of a DatasetDict, or the one of a Dataset."""
    from datasets import Dataset, load_from_disk

    try:
        found = load_from_disk(str(folder))
    except Exception as error:  # a broken file raises whatever its reader raises
        raise InputError(
            f"The data set in {folder} cannot be read ({first_line(error)}); save it again."
        ) from error
    return _known_splits({"train": found} if isinstance(found, Dataset) else found, folder.name)


def _known_splits(found: Mapping[Any, Iterable[Any]], name: str) -> dict[str, list[Item]]:
    """The three splits among those of a data set, whatever they are called there."""
    known = {s: next((n for n in SPLITS[s].split("|") if n in found), "") for s in SPLITS}
    if not known["train"]:
        raise InputError(
            f"The data set '{name}' has no split 'train', only "
            f"{', '.join(map(str, found))}; choose a set that has one."
        )
    return {split: _hub_split(found[n], name, split) for split, n in known.items() if n}


def read_hub(name: str) -> dict[str, list[Item]]:
    """The splits of a data set on the Hub, or its copy in the cache when there is no Hub."""
    from datasets import load_dataset

    try:
        with fetch.asking(name):
            found = load_dataset(name)
    except reach.Offline as error:
        raise _not_fetched(name, error.reason) from error
    return _known_splits(found, name)


def read_known(name: str, seed: int) -> dict[str, list[Item]]:
    """The splits of a set on the Hub that has a name of its own here (`world.hub_sets`)."""
    try:
        splits = hub_sets.domain_splits(name, seed)
    except reach.Offline as error:
        raise _not_fetched(name, error.reason) from error
    return {split: _hub_split(splits[split], name, split) for split in SPLITS}


def _not_fetched(name: str, reason: str) -> reach.Offline:
    return reach.Offline(
        f"The data set '{name}' is not a file here and could not be fetched from the Hub: "
        f"{reason}; check the name, or give a {ENDINGS_TEXT} file.",
        reason,
    )


def _hub_split(rows: Iterable[Any], name: str, split: str) -> list[Item]:
    numbered = ((f"row {n} of {split}", dict(row)) for n, row in enumerate(rows, start=1))
    return check_rows(numbered, f"{name}-{split}")


def check_rows(rows: Iterable[Row], name: str) -> list[Item]:
    """Rows as items with text in place, ids filled in; InputError names the first bad row."""
    stem, blanks = Path(name).stem, list[str]()
    numbered = ((*row, f"{stem}-{number:05d}") for number, row in enumerate(rows, start=1))
    items = checked(numbered, lambda row: _check_row(*row, blanks))
    if not items:
        raise InputError(
            f"{name} is empty; give at least {FEWEST} examples, each with a prompt and an answer."
        )
    if blanks:
        print(
            f"{name}: {len(blanks)} of {len(items)} answers begin or end with blanks or line ends; "
            "these go, and exact match takes any blanks as one."
        )
    return items


def _check_row(where: str, row: dict[Any, Any], default_id: str, blanks: list[str]) -> Item:
    """The row as an item; `blanks` gets an answer with more of them than the one in front."""
    if None in row:
        raise InputError(
            f"{capital(where)} has more fields than the header; put text "
            "that holds the separator into double quotes."
        )
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
    if given.removeprefix(" ") != answer:
        blanks.append(given)
    name = row.get("id")
    return {
        "id": default_id if name in (None, "") else _text(str(name), "id", where),
        "prompt": prompt,
        "answer": answer if prompt.endswith("\n") else f" {answer}",
        "held": _held(row.get("held"), where),
    }


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


def complete(splits: dict[str, list[Item]], name: str, seed: int = 0) -> dict[str, list[Item]]:
    """All three splits: what is missing of validation and test is cut from train, 10 % each."""
    missing = [split for split in SPLITS if split not in splits]
    done = _apart(splits, name)
    if missing:
        if len(done["train"]) < FEWEST:
            raise InputError(
                f"{name} has {len(done['train'])} examples to train on; at least {FEWEST} are "
                "needed to cut them into train, validation and test."
            )
        done |= _cut(done["train"], missing, seed)
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


def prompt_key(item: Mapping[str, Any]) -> str:
    """What makes two prompts one."""
    return " ".join(item["prompt"].split())


def _apart(splits: dict[str, list[Item]], name: str) -> dict[str, list[Item]]:
    """No prompt in two splits: test keeps it, then validation; a line says what goes."""
    done, taken = dict[str, list[Item]](), set[str]()
    for split in ("test", "validation", "train"):
        if split in splits:
            others = " or ".join(done)
            items = done[split] = [item for item in splits[split] if prompt_key(item) not in taken]
            if gone := len(splits[split]) - len(items):
                print(f"{name}: {gone} items of {split} go, whose prompts {others} has.")
            taken |= set(map(prompt_key, items))
    return done


def _cut(items: list[Item], missing: list[str], seed: int) -> dict[str, list[Item]]:
    """Cut a tenth of the prompts, and the held ones, off `items` for each missing split."""
    prompts = {prompt_key(item): False for item in items}
    for item in items:
        prompts[prompt_key(item)] |= item["held"]
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
        split: [item for item in items if goes[prompt_key(item)] == split]
        for split in ("train", *missing)
    }
