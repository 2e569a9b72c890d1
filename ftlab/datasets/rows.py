"""Read the rows of a .jsonl, .json, .csv, .tsv or .parquet file, each with where it stands.

A reader gives `(where, row)` pairs such as `("line 3 of mine.jsonl", {"prompt": ...})`, so that
whoever finds a fault in a row can name its place; of several faults the first is told, and how
many there are. Text is UTF-8, with or without a byte mark; a CSV may be Windows text (cp1252),
which is said. JSON stands one object a line, or all in one list. A CSV may be separated by commas,
semicolons or tabs: whichever its header has most of, or what Excel's first line "sep=;" says.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ftlab.base.errors import InputError, first_line

Row = tuple[str, dict[str, Any]]  # where it stands, what it says
Given = TypeVar("Given")
Found = TypeVar("Found")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x81\x8d\x8f\x90\x9d]")  # not in Windows text


def checked(things: Iterable[Given], check: Callable[[Given], Found]) -> list[Found]:
    """What `check` makes of each; InputError with the first fault, and how many there are."""
    found: list[Found] = []
    faults: list[InputError] = []
    for thing in things:
        try:
            found.append(check(thing))
        except InputError as fault:
            faults.append(fault)
    if faults[1:]:
        told = f" (the first of {len(faults)} faulty rows among {len(found) + len(faults)})."
        raise InputError(f"{faults[0]}".rstrip(".") + told) from faults[0]
    if faults:
        raise faults[0]
    return found


def once(names: Iterable[str], where: str = "") -> None:
    """Raises InputError for a column that stands twice, since one of the two would be lost."""
    names = [name for name in names if name]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"The column '{twice}' stands twice{where}; keep one of the two.")


def read_jsonl(path: Path) -> Iterator[Row]:
    """Each non-empty line of a file as a JSON object, or each object of one JSON list."""
    text, name = read_text(path), path.name
    if text.lstrip().startswith("["):
        listed = enumerate(_loads(1, text, name), start=1)
        rows = [(f"item {number} of {name}", row) for number, row in listed]
    else:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = checked(lines, lambda at: (f"line {at[0]} of {name}", _loads(*at, name)))
    yield from checked(rows, _object)


def _loads(line: int, text: str, name: str) -> Any:
    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        once(key for key, _ in pairs)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=object_of)
    except (ValueError, RecursionError) as error:
        line += getattr(error, "lineno", 1) - 1
        raise InputError(
            f"Line {line} of {name} is not JSON ({first_line(error)}); write one JSON object "
            "a line, or one list of objects."
        ) from error


def _object(row: tuple[str, Any]) -> Row:
    where, value = row
    if not isinstance(value, dict):
        raise InputError(
            f"{capital(where)} is {kind(value)}, not a JSON object; "
            'write {"prompt": ..., "answer": ...} for each example.'
        )
    return where, value


def read_text(path: Path, *, windows: bool = False) -> str:
    """A file's text, its lines ending in a line feed; with `windows` it may be cp1252.

    Raises InputError when it cannot be read.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not windows or _NO_TEXT.search(error.object):
            raise InputError(
                f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8."
            ) from error
        print(f"{path.name} is not UTF-8, so it was read as Windows text (cp1252).")
        text = error.object.decode("cp1252")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_csv(path: Path) -> Iterator[Row]:
    """Each row of a CSV file whose first line names the columns; under None what is too much."""
    text = read_text(path, windows=True)
    first, _, rest = text.partition("\n")
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    skipped = first.startswith("sep=") and len(first) == 5
    if skipped:
        text, separator = rest, first[-1]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        reader.fieldnames = [str(name).strip() for name in reader.fieldnames or ()]
        once(reader.fieldnames, f" in {path.name}")
        for row in reader:
            yield f"line {reader.line_num + skipped} of {path.name}", dict(row)
    except csv.Error as error:
        raise InputError(
            f"The row on line {reader.line_num + 1 + skipped} of {path.name} is not CSV "
            f'({first_line(error)}); check its quotes: inside quotes one is written twice, "".'
        ) from error


def read_parquet(path: Path) -> Iterator[Row]:
    """Each row of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({first_line(error)}); "
            "write it again, or give .jsonl."
        ) from error
    for number, row in enumerate(rows, start=1):
        yield f"row {number} of {path.name}", row


def kind(value: object) -> str:
    """What a value is, in plain words: "a number", "a list"."""
    kinds = {bool: "true or false", list: "a list", dict: "an object", str: "text"}
    kinds |= {int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]
