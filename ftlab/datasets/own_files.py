"""A user's own examples: a file, a folder of splits or a set on the Hub.

What a row may look like stands in `forms.py`, what becomes of it in `items.py`, and how splits are
cut in `splits.py`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError, first_line
from ftlab.datasets import hub_sets
from ftlab.datasets.forms import Reading
from ftlab.datasets.items import Item, check_rows
from ftlab.datasets.rows import Row, ending, labelled, read_csv, read_jsonl, read_parquet
from ftlab.datasets.splits import SPLITS
from ftlab.hub import fetch, reach

READERS: dict[str, Callable[[Path], Iterable[Row]]] = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), read_jsonl),
    **dict.fromkeys((".csv", ".tsv"), read_csv),
    ".parquet": read_parquet,
}
ENDINGS = tuple(READERS)
ENDINGS_TEXT = ".jsonl, .csv or .parquet"


def read_file(path: Path, reading: Reading) -> list[Item]:
    """The examples of one file; InputError for what cannot be used."""
    reader = READERS.get(ending(path))
    if reader is None or (reader is read_parquet and path.suffix.lower() == ".gz"):
        raise InputError(
            f"{path} ends in '{path.suffix}', which is not read; give a file that "
            f"ends in {ENDINGS_TEXT} (.json, .ndjson, .tsv and packed .gz are read as well)."
        )
    if not path.is_file():
        raise InputError(f"There is no file {path}; give the path of a {ENDINGS_TEXT} file.")
    return check_rows(reader(path), path.name, reading)


def read_folder(folder: Path, reading: Reading) -> dict[str, list[Item]]:
    """The splits of a folder: train, and validation and test where they exist.

    They are files called so, here or in its folder data (as in a clone from the Hub), or what the
    library datasets wrote with save_to_disk.
    """
    if (folder / "dataset_dict.json").is_file() or any(folder.glob("*.arrow")):
        return _saved(folder, reading)
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
    return {
        split: [item for p in ps for item in read_file(p, reading)] for split, ps in found.items()
    }


def _split_files(there: list[Path], split: str) -> list[Path]:
    """The file of a split, or the parts of it (train-00000-of-00002.parquet)."""
    form = rf"({SPLITS[split]})(-\d+-of-\d+)?({'|'.join(map(re.escape, ENDINGS))})(\.gz)?"
    found = [path for path in there if re.fullmatch(form, path.name.lower())]
    if found[1:] and not all("-of-" in path.name for path in found):
        names = " and ".join(path.name for path in found)
        raise InputError(f"There are {names} for the {split} split; keep one.")
    return found


def _saved(folder: Path, reading: Reading) -> dict[str, list[Item]]:
    """The splits of what save_to_disk wrote: of a DatasetDict, or the one of a Dataset."""
    from datasets import Dataset, load_from_disk

    try:
        found = load_from_disk(str(folder))
    except Exception as error:  # a broken file raises whatever its reader raises
        raise InputError(
            f"The data set in {folder} cannot be read ({first_line(error)}); save it again."
        ) from error
    splits = {"train": found} if isinstance(found, Dataset) else found
    return _known_splits(splits, folder.name, reading)


def _known_splits(
    found: Mapping[Any, Iterable[Any]], name: str, reading: Reading
) -> dict[str, list[Item]]:
    """The three splits among those of a data set, whatever they are called there."""
    known = {s: next((n for n in SPLITS[s].split("|") if n in found), "") for s in SPLITS}
    if not known["train"]:
        raise InputError(
            f"The data set '{name}' has no split 'train', only "
            f"{', '.join(map(str, found))}; choose a set that has one."
        )
    return {split: _hub_split(found[n], name, split, reading) for split, n in known.items() if n}


def read_hub(name: str, reading: Reading) -> dict[str, list[Item]]:
    """The splits of a data set on the Hub, or its copy in the cache when there is no Hub."""
    from datasets import load_dataset

    try:
        with fetch.asking(name):
            found = load_dataset(name)
    except reach.Offline as error:
        raise _not_fetched(name, error.reason) from error
    return _known_splits(found, name, reading)


def read_known(name: str, seed: int) -> dict[str, list[Item]]:
    """The splits of a set on the Hub that has a name of its own here (`world.hub_sets`)."""
    try:
        splits = hub_sets.domain_splits(name, seed)
    except reach.Offline as error:
        raise _not_fetched(name, error.reason) from error
    return {split: _hub_split(splits[split], name, split, Reading()) for split in SPLITS}


def _not_fetched(name: str, reason: str) -> reach.Offline:
    return reach.Offline(
        f"The data set '{name}' is not a file here and could not be fetched from the Hub: "
        f"{reason}; check the name, or give a {ENDINGS_TEXT} file.",
        reason,
    )


def _hub_split(rows: Iterable[Any], name: str, split: str, reading: Reading) -> list[Item]:
    features = getattr(rows, "features", None) or {}
    names = {key: kind.names for key, kind in features.items() if hasattr(kind, "names")}
    numbered = (
        (f"row {n} of {split}", labelled(row, names)) for n, row in enumerate(rows, start=1)
    )
    return check_rows(numbered, f"{name}-{split}", reading)
