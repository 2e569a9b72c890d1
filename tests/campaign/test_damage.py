"""Damaged copies of every file that ships: refused in one sentence, or named by its checksum.

A file that a loader reads must not end in a traceback, and what a loader takes all the same must
be named by CHECKSUMS, which `ftlab check` reads. A model in a folder of one's own has no
checksums: there the loader must see whatever no library forgives.

pytest tests/campaign/test_damage.py
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftlab import record as records
from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.datasets.load import load_domain, load_suite
from ftlab.datasets.rows import read_jsonl
from ftlab.explorer import recorded
from ftlab.models.loading import load
from tests.campaign.verdicts import ONE, SILENT, Tally, judged, some

DATA = data_dir()
MEASURED_HERE = ("gpu.json", "minutes.json", "minutes-laptop.json")
"""What `make gpu` and `make notebooks` write on each machine: no list can have their sums."""
SHIPPED = sorted(
    [path for path in DATA.rglob("*") if path.is_file() and path.name not in MEASURED_HERE],
    key=lambda path: (path.name == "CHECKSUMS", path.as_posix()),
)


def _json(change: Callable[[Any], Any]) -> Callable[[bytes], bytes | None]:
    """Change a file's JSON, or its first line's; None for what is no JSON."""

    def damage(raw: bytes) -> bytes | None:
        try:
            return json.dumps(change(json.loads(raw))).encode()
        except ValueError:
            first, _, rest = raw.partition(b"\n")
        try:
            return json.dumps(change(json.loads(first))).encode() + b"\n" + rest
        except ValueError:
            return None

    return damage


FLIPPED = "one byte flipped"
"""The one damage of a record that its checksum alone can show: made here, a record has none."""
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "emptied": lambda raw: b"",
    "cut in half": lambda raw: raw[: len(raw) // 2],
    "last bytes gone": lambda raw: raw[:-9],
    FLIPPED: lambda raw: raw[: len(raw) // 2] + _flipped(raw) + raw[len(raw) // 2 + 1 :],
    "zeros": lambda raw: b"\0" * len(raw),
    "twice": lambda raw: raw + raw,
    "not text": lambda raw: b"\xff\xfe" + raw,
    "a list": _json(lambda value: [value]),
    "a number": _json(lambda value: 3),
    "null": _json(lambda value: None),
    "one more key": _json(lambda value: {**value, "more": 1}),
    "one key less": _json(lambda value: dict(list(value.items())[1:])),
    "texts for numbers": _json(lambda value: {k: str(v) for k, v in value.items()}),
    "nothing in it": _json(lambda value: dict.fromkeys(value)),
    "newer": _json(lambda value: {**value, "schema": 99}),
}


def _flipped(raw: bytes) -> bytes:
    return bytes([raw[len(raw) // 2] ^ 1])


def reader(path: Path) -> Callable[[Path], Any] | None:
    """What reads a file that ships, given its place; None where nothing but a person does."""
    name, folder = path.name, path.parent.name
    if path.suffix == ".json" and "records" in path.parts and folder != "t4":
        return records.load
    if name == recorded.FILE:
        return recorded.read
    if name in ("probes.jsonl", "general.jsonl"):
        return lambda place: load_suite(_beside(place, path))
    if path.suffix == ".jsonl" and name.split(".")[0] in ("train", "test", "validation"):
        return lambda place: load_domain(_beside(place, path))
    if path.suffix == ".jsonl":
        return lambda place: list(read_jsonl(place))
    return None


def _beside(place: Path, path: Path) -> Path:
    """The folder of a damaged copy, with the sound files that lie beside the file."""
    for other in path.parent.glob("*.jsonl"):
        if not (place.parent / other.name).exists():
            (place.parent / other.name).symlink_to(other)
    return place.parent


def kind(path: Path) -> str:
    return f"{path.parent.relative_to(DATA)} {path.suffix}"


def chosen() -> list[tuple[Path, str]]:
    """Every file with two damages in turn and the first of each kind with all; or a part."""
    first = {kind(path): path for path in reversed(SHIPPED)}
    names = list(DAMAGES)
    turns = [
        (path, names[(i + j * 7) % len(names)]) for i, path in enumerate(SHIPPED) for j in (0, 1)
    ]
    every = [(path, name) for path in first.values() for name in names]
    return list(dict.fromkeys([*some(every, 3), *some(turns, 29)]))


def test_a_damaged_file_of_what_ships_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally, listed = Tally("damaged files"), checksums.read(DATA)
    for number, (path, name) in enumerate(chosen()):
        raw = path.read_bytes()
        try:
            made = DAMAGES[name](raw)
        except (AttributeError, TypeError):  # its JSON is a list
            made = None
        if made is None or made == raw:
            continue
        place = tmp_path / str(number) / path.name
        place.parent.mkdir()
        place.write_bytes(made)
        read = reader(path)
        verdict = judged(lambda read=read, place=place: read(place)) if read else (SILENT, "unread")
        if verdict[0] == SILENT and (name == FLIPPED or read is not records.load):
            verdict = _by_checksum(path, place, listed)
        tally.add(f"{path.relative_to(DATA)} {name}", verdict)
        shutil.rmtree(place.parent)
    tally.close(least=100)


def _by_checksum(path: Path, place: Path, listed: dict[str, str]) -> tuple[str, str]:
    """Does a list of checksums name the file? (The lists themselves are held by how they are.)"""
    if path.name == "CHECKSUMS":
        return judged(lambda: _held(path, place))
    own, known = path.relative_to(DATA).as_posix(), listed
    if own not in known and (models := DATA / "models") in path.parents:
        own, known = path.relative_to(models).as_posix(), checksums.read(models)
    named = own in known and known[own] != checksums.sha256(place)
    return (ONE, "named by CHECKSUMS") if named else (SILENT, "nobody sees it")


def _held(path: Path, place: Path) -> None:
    """A damaged list is no list, or names files that are not as it says."""
    found = checksums.read(place.parent)
    names = checksums.read(path)
    if found != names:
        raise InputError("It names other files or other sums.")


def test_a_damaged_model_of_ones_own_is_refused(tmp_path: Path) -> None:
    tally = Tally("damaged models")
    for model in ("nano-gpt2", "nano-t5"):
        source = DATA / "models" / model
        for path, name in some(
            [(path, name) for path in sorted(source.iterdir()) for name in (*DAMAGES, "missing")], 9
        ):
            if (path.name, name) in FORGIVEN or path.name in UNREAD:
                continue
            folder = tmp_path / model
            shutil.copytree(source, folder)
            raw = path.read_bytes()
            try:
                made = b"" if name == "missing" else DAMAGES[name](raw)
            except (AttributeError, TypeError):
                made = None
            if made is not None and (made != raw or name == "missing"):
                (folder / path.name).write_bytes(made)
                if name == "missing":
                    (folder / path.name).unlink()
                tally.add(f"{model}/{path.name} {name}", judged(lambda folder=folder: load(folder)))
            shutil.rmtree(folder)
    tally.close(least=5)


UNREAD = ("README.md", "training.json", "generation_config.json")
"""Files of a model that no loader needs."""
FORGIVEN = {
    ("config.json", "one more key"): "transformers keeps what it does not know",
    ("config.json", "newer"): "the same",
    ("config.json", "one key less"): "it has a default for its first",
    ("config.json", "one byte flipped"): "a number or a name of one's own may be any",
    ("tokenizer.json", "one key less"): "its first is the version of its form",
    ("tokenizer_config.json", "one byte flipped"): "tokenizer.json says what matters",
    ("tokenizer_config.json", "nothing in it"): "the same",
    ("tokenizer_config.json", "one more key"): "the same",
    ("tokenizer_config.json", "newer"): "the same",
    ("tokenizer_config.json", "one key less"): "a model needs none of them",
    ("tokenizer_config.json", "missing"): "tokenizer.json is enough",
    ("model.safetensors", "one byte flipped"): "a weight of one's own may be any number",
}
"""What is taken on purpose, or by the library."""
