"""Read the rows of a .jsonl, .json, .csv or .parquet file, each with where it stands.

A reader gives `(where, row)` pairs such as `("line 3 of mine.jsonl", {"prompt": ...})`, so that
whoever finds a fault in a row can name its place. Notable choices:

- Text is UTF-8, with or without a byte mark; a CSV that is not may be Windows text (cp1252), which
  is said.
- JSON stands one object a line, or all of them in one list.
- A CSV may be separated by commas, semicolons or tabs: whichever its header has most of, or what
  Excel's line "sep=;" says.
- Of several faults the first is told, and how many there are. A column that stands twice is a
  fault, since one of the two would be lost.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from ftlab.base.errors import InputError, first_line

Row = tuple[str, dict[str, Any]]  # where it stands, what it says
Given = TypeVar("Given")
Found = TypeVar("Found")


def checked(things: Iterable[Given], check: Callable[[Given], Found]) -> list[Found]:
    """What `check` makes of each; InputError with the first fault, and how many there are."""
    found: list[Found] = []
    faults: list[InputError] = []
    for thing in things:
        try:
            found.append(check(thing))
        except InputError as fault:
            faults.append(fault)
    if faults:
        rows = len(found) + len(faults)
        more = f" (the first of {len(faults)} faulty rows among {rows})" if faults[1:] else ""
        raise InputError(f"{str(faults[0]).rstrip('.')}{more}.") from faults[0]
    return found


def once(names: Iterable[str]) -> list[str]:
    """The names. Raises InputError where one stands twice."""
    names = list(names)
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise InputError(f"The column '{twice}' stands twice; keep one of the two.")
    return names


def read_jsonl(path: Path) -> Iterator[Row]:
    """Each non-empty line of a file as a JSON object, or each object of one JSON list."""
    text, name = read_text(path), path.name
    if text.lstrip().startswith("["):
        listed = enumerate(_loads(text, path, 1), start=1)
        rows = [(f"item {number} of {name}", row) for number, row in listed]
    else:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = checked(lines, lambda at: (f"line {at[0]} of {name}", _loads(at[1], path, at[0])))
    yield from checked(rows, _is_object)


def _loads(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        line += getattr(error, "lineno", 1) - 1
        raise InputError(
            f"Line {line} of {path.name} is not JSON ({first_line(error)}); write one JSON object "
            "a line, or one list of objects."
        ) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    once(key for key, _ in pairs)
    return dict(pairs)


def _is_object(row: tuple[str, Any]) -> Row:
    where, value = row
    if not isinstance(value, dict):
        raise InputError(
            f"{capital(where)} is {kind(value)}, not a JSON object; "
            'write {"prompt": ..., "answer": ...} for each example.'
        )
    return where, value


def read_text(path: Path, *, windows: bool = False) -> str:
    """A file's text (UTF-8, with or without a mark), its lines ending in "\\n".

    With `windows` it may be cp1252, which is said. Raises InputError when it cannot be read.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raw = error.object
        text = _cp1252(raw) if windows else ""
        if not text:
            raise InputError(
                f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8."
            ) from error
        print(f"{path.name} is not UTF-8, so it was read as Windows text (cp1252).")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cp1252(raw: bytes) -> str:
    """The bytes as Windows text; "" where they are no text at all."""
    if any(byte < 9 or 13 < byte < 32 for byte in raw):
        return ""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return ""


def read_csv(path: Path) -> Iterator[Row]:
    """Each row of a CSV or TSV file whose first line names the columns."""
    text = read_text(path, windows=True)
    first, _, rest = text.partition("\n")
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    if first.startswith("sep=") and len(first) == 5:
        text, separator = f"\n{rest}", first[-1]
    lines = _fields(text, separator, path.name)
    where, names = next(lines, ("", []))
    header = _columns(names, where)

    def row(line: tuple[str, list[str]]) -> Row:
        where, fields = line
        if len(fields) > len(header):
            raise InputError(
                f"{capital(where)} has more fields than the header; put text "
                "that holds the separator into double quotes."
            )
        return where, dict(zip_longest(header, fields))

    yield from checked(lines, row)


def _fields(text: str, separator: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """The fields of each row that is not blank, and the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        where = f"line {reader.line_num + 1} of {name}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{capital(where)} is not CSV ({first_line(error)}); put text with quotes into "
                'quotes, and write a quote inside it twice: "".'
            ) from error
        if fields:
            yield where, fields


def _columns(names: Iterable[str], where: str) -> list[str]:
    try:
        return once(name.strip() for name in names)
    except InputError as fault:
        raise InputError(f"{str(fault).rstrip('.')} ({where}).") from fault


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
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
        str: "text",
        type(None): "null",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]
