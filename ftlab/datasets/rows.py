"""Read the rows of a .jsonl, .json, .csv, .tsv or .parquet file, each with where it stands.

A reader gives `(where, row)` pairs such as `("line 3 of mine.jsonl", {"prompt": ...})`, so that
whoever finds a fault in a row can name its place; of several faults the first is told, and how
many there are. Text may be packed (.gz). It is UTF-8 or what its byte mark says; of any other the
encoding is guessed, which is said. JSON stands one object a line, or all in one list. A CSV may be
separated by commas, semicolons, tabs or bars: whichever its header has most of, or what Excel's
first line "sep=;" says. Of a class label (ClassLabel) the name is read, not the number.
"""

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ftlab.base.errors import InputError, first_line

Row = tuple[str, dict[str, Any]]  # where it stands, what it says
Given = TypeVar("Given")
Found = TypeVar("Found")
ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r", "shift_jis", "gb18030", "big5",
    "euc_kr",
)  # fmt: skip
"""What text that is not UTF-8 may be; of two that read it alike the first is named."""
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1f]")
CHATS = ("messages", "conversations", "prompt", "completion")
"""Names of a list that is a chat, and not the rows."""
MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}
MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def ending(path: Path) -> str:
    """How a file's name ends, without the .gz of a packed one: ".jsonl"."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def checked(
    things: Iterable[Given], check: Callable[[Given], Found], skip: str | None = None
) -> list[Found]:
    """What `check` makes of each; InputError with the first fault, and how many there are.

    With `skip`, the name of what is read, faults are left out, which is said; with "" they could
    be, which the error says.
    """
    found: list[Found] = []
    faults: list[InputError] = []
    for thing in things:
        try:
            found.append(check(thing))
        except InputError as fault:
            faults.append(fault)
    hint = "; --faulty skip leaves such rows out." if skip == "" and found else "."
    if faults and skip and found:
        print(f"{skip}: {len(faults)} faulty rows are left out, the first of them: {faults[0]}")
    elif faults[1:]:
        told = f" (the first of {len(faults)} faulty rows among {len(found) + len(faults)})"
        raise InputError(f"{faults[0]}".rstrip(".") + told + hint) from faults[0]
    elif faults:
        raise InputError(f"{faults[0]}".rstrip(".") + hint) from faults[0]
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
    whole = _whole(path, text)
    if whole is not None:
        listed = enumerate(whole, start=1)
        rows = [(f"item {number} of {name}", row) for number, row in listed]
    else:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = checked(lines, lambda at: (f"line {at[0]} of {name}", _loads(*at, name)))
    yield from checked(rows, _object)


def _whole(path: Path, text: str) -> list[Any] | None:
    """The rows of a file that is one piece of JSON: a list, {"data": a list} or pandas' columns;
    None where each line is an object of its own."""
    if text.lstrip().startswith("["):
        return _loads(1, text, path.name)
    try:
        told: Any = json.loads(text) if ending(path) == ".json" else None
    except (ValueError, RecursionError):
        return None
    parts = list(told.values()) if isinstance(told, dict) else []
    if parts and all(isinstance(part, dict) and part.keys() == parts[0].keys() for part in parts):
        return [{name: told[name][key] for name in told} for key in parts[0]]
    if not isinstance(told, dict):
        return None
    lists = [told[k] for k in told if isinstance(told[k], list) and k not in CHATS]
    return lists[0] if len(lists) == 1 and all(isinstance(x, dict) for x in lists[0]) else None


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


def read_text(path: Path) -> str:
    """A file's text, its lines ending in a line feed. Raises InputError when it cannot be read."""
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix.lower() == ".gz" else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is no whole .gz file ({first_line(error)}); get it again.") from (
            error
        )
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    return _decoded(raw, path).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(raw: bytes, path: Path) -> str:
    marked = next((name for mark, name in MARKS.items() if raw.startswith(mark)), "utf-8-sig")
    try:
        return raw.decode(marked)
    except UnicodeDecodeError as error:
        text = _guessed(raw, path.name) if marked == "utf-8-sig" else ""
        if not text:
            raise InputError(
                f"{path} is not UTF-8 text (byte {error.start}), and what else it is cannot be "
                "told; save it as UTF-8."
            ) from error
        return text


def _guessed(raw: bytes, name: str) -> str:
    """Text in the likeliest of ENCODINGS, which is said with a word to judge it by; "" for none."""
    from charset_normalizer import from_bytes

    best = from_bytes(raw, cp_isolation=list(ENCODINGS), threshold=0.3).best()
    if best is None or _NO_TEXT.search(str(best)):
        return ""
    alike = [one for one in ENCODINGS if one in best.could_be_from_charset]
    text = raw.decode(alike[0])
    word = next((word for word in re.findall(r"\w+", text) if not word.isascii()), "")
    print(
        f"{name} is not UTF-8; it was read as {alike[0]}, a guess: '{word:.30}' stands in it. "
        "Is that wrong, save it as UTF-8."
    )
    return text


def read_csv(path: Path) -> Iterator[Row]:
    """Each row of a CSV file whose first line names the columns; under None what is too much."""
    text = read_text(path)
    first, _, rest = text.partition("\n")
    separator = "\t" if ending(path) == ".tsv" else max(",;\t|", key=first.count)
    mark = first.strip('"')
    skipped = mark.startswith("sep=") and len(mark) == 5
    if skipped:
        text, separator = rest, mark[-1]
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # for everybody: never lower
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
        table = pyarrow.parquet.read_table(path)
        rows = table.to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({first_line(error)}); "
            "write it again, or give .jsonl."
        ) from error
    features: Any = {}
    with suppress(ValueError, AttributeError, TypeError):  # what else may stand under that name
        told = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        features = dict(told["info"]["features"]) if "info" in told else {}
    kinds = {key: kind for key, kind in features.items() if isinstance(kind, dict)}
    names = {key: kind["names"] for key, kind in kinds.items() if "names" in kind}
    for number, row in enumerate(rows, start=1):
        yield f"row {number} of {path.name}", labelled(row, names)


def labelled(row: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The row with the names of its class labels (datasets' ClassLabel) in place of the numbers."""
    found = {key: row[key] for key in names if isinstance(row.get(key), int)}
    return {**row, **{k: names[k][n] for k, n in found.items() if 0 <= n < len(names[k])}}


def kind(value: object) -> str:
    """What a value is, in plain words: "a number", "a list"."""
    kinds = {bool: "true or false", list: "a list", dict: "an object", str: "text"}
    kinds |= {int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]
