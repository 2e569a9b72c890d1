"""A user's own examples: a file, a folder of splits or a set on the Hub, checked row by row.

A row needs a prompt and an answer, both text, in one of the forms of `forms.py`; `id` and `held`
may be given. Notable choices:

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
from ftlab.datasets.items import FEWEST, Item, check_rows, prompt_key
from ftlab.datasets.rows import Row, read_csv, read_jsonl, read_parquet
from ftlab.hub import fetch, reach

READERS: dict[str, Callable[[Path], Iterable[Row]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
ENDINGS = tuple(READERS)
ENDINGS_TEXT = ".jsonl, .csv or .parquet"
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
"""The splits, and what people call them."""


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
    found = {split: paths for split in SPLITS if (paths := _split_files(folder, split))}
    if "train" not in found:
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise InputError(
            f"The folder {folder} has no train.jsonl, train.csv or train.parquet "
            f"(there is: {there}); name the training file so."
        )
    return {split: [item for p in ps for item in read_file(p)] for split, ps in found.items()}


def _split_files(folder: Path, split: str) -> list[Path]:
    """The file of a split, or the parts of it (train-00000-of-00002.parquet)."""
    called = "|".join(SPLITS[split])
    whole = re.compile(rf"({called})(-\d+-of-\d+)?({'|'.join(map(re.escape, ENDINGS))})")
    there = [*folder.iterdir(), *(folder / "data").glob("*")]
    found = sorted(path for path in there if whole.fullmatch(path.name.lower()))
    if len(found) > 1 and not all("-of-" in path.name for path in found):
        names = " and ".join(path.name for path in found)
        raise InputError(f"The folder {folder} has {names}, two {split} splits; keep one.")
    return found


def _saved(folder: Path) -> dict[str, list[Item]]:
    """The splits of what save_to_disk wrote: of a DatasetDict, or the one of a Dataset."""
    from datasets import Dataset, load_from_disk

    try:
        found: Any = load_from_disk(str(folder))
    except Exception as error:  # a broken file raises whatever its reader raises
        raise InputError(
            f"The data set in {folder} cannot be read ({first_line(error)}); save it again."
        ) from error
    return _known_splits({"train": found} if isinstance(found, Dataset) else found, folder.name)


def _known_splits(found: Mapping[Any, Iterable[Any]], name: str) -> dict[str, list[Item]]:
    """The three splits among those of a data set, whatever they are called there."""
    known = {s: next((n for n in called if n in found), "") for s, called in SPLITS.items()}
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


def _apart(splits: dict[str, list[Item]], name: str) -> dict[str, list[Item]]:
    """No prompt in two splits: test keeps it, then validation; a line says what goes."""
    done, taken = dict(splits), set[str]()
    for split in reversed(SPLITS):
        items = splits.get(split, [])
        done |= {split: [item for item in items if prompt_key(item) not in taken]} if items else {}
        if gone := len(items) - len(done.get(split, [])):
            where = "test" if split == "validation" else "validation or test"
            print(f"{name}: {gone} of {len(items)} {split} items, whose prompt {where} has, go.")
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
