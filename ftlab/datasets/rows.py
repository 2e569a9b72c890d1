"""Read the rows of a .jsonl, .csv or .parquet file, each with the words that say where it stands.

A reader yields `(where, row)` pairs such as `("line 3 of mine.jsonl", {"prompt": ...})`, so that
whoever finds a fault in a row can name its place. Text is UTF-8, with or without a byte mark. A
CSV may be separated by commas, semicolons or tabs: whichever its header has most of.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError, first_line

Row = tuple[str, dict[str, Any]]  # where it stands, what it says


def read_jsonl(path: Path) -> Iterator[Row]:
    """Each non-empty line of a file as a JSON object, with where it stands."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"line {number} of {path.name}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{capital(where)} is not JSON ({first_line(error)}); write one JSON object a line."
            ) from error
        if not isinstance(row, dict):
            raise InputError(
                f"{capital(where)} is {kind(row)}, not a JSON object; "
                'write {"prompt": ..., "answer": ...} on each line.'
            )
        yield where, row


def read_text(path: Path) -> str:
    """A file's text (UTF-8, with or without a mark); InputError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8."
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions."
        ) from error


def read_csv(path: Path) -> Iterator[Row]:
    """Each row of a CSV file whose first line names the columns."""
    text = read_text(path)
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            where = f"line {reader.line_num} of {path.name}"
            if None in row:
                raise InputError(
                    f"{capital(where)} has more fields than the header; put text "
                    "that holds the separator into double quotes."
                )
            yield where, {str(key).strip(): value for key, value in row.items()}
    except csv.Error as error:
        raise InputError(
            f"Line {reader.line_num} of {path.name} is not CSV "
            f"({first_line(error)}); check its quotes."
        ) from error


def read_parquet(path: Path) -> Iterator[Row]:
    """Each row of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
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
