"""Plain data: what JSON can hold, written whole or not at all.

`plain` turns arrays and scalars of any library, tuples and dataclasses into the forms that come
back from a file unchanged, so plain(x) == read_json(write_json(path, x)). NaN and infinities
become None, since JSON has no word for them and `null` is honest: nothing was measured.
"""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.files import whole

AGAIN = "make it again or delete it"


def plain(value: Any) -> Any:
    """`value` as dicts with text keys, lists, text, numbers, bools and None.

    Raises TypeError for what has no such form (a model, say).
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)  # IntEnum and the like
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if (to_list := getattr(value, "tolist", None)) is not None:  # arrays of numpy and torch
        return plain(to_list())
    raise TypeError(f"{type(value).__name__} has no plain form")


def write_json(path: Path, value: Mapping[str, Any]) -> Path:
    """Write plain data; a crash on the way leaves the old file, or none, never half of one."""
    with whole(path) as part:
        part.write_text(_layout(value), encoding="utf-8", newline="\n")
    return path


def _layout(value: Mapping[str, Any]) -> str:
    """JSON with one line for every field, and one for every row of a table."""
    fields = [f" {_dumps(key)}: {_table(item)}" for key, item in value.items()]
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _table(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return "[\n  " + ",\n  ".join(_dumps(row) for row in value) + "\n ]"
    return _dumps(value)


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def read_json(path: Path) -> dict[str, Any]:
    """A file with one JSON object. Raises InputError, naming the file, when it is not that."""
    return read_as(dict[str, Any], path)


def read_as(kind: Any, path: Path) -> Any:
    """A JSON file as `kind`, checked whole; InputError names the file when it is not that."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: text that can be no path
        raise InputError(f"{path} cannot be read ({error}); {AGAIN}.") from None
    return checked(kind, text, path)


def checked(kind: Any, text: bytes, where: object, cure: str = AGAIN) -> Any:
    """JSON text as `kind`: a dataclass, a TypedDict, dict[str, int] ... No type is converted.

    Raises Damaged, which names `where`, the first field that is wrong, and the cure.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise Damaged(where, faults, cure) from None


class Damaged(InputError):
    """Stored data that is not what it should be; `wrong` maps places in it to pydantic's words."""

    def __init__(self, where: object, faults: Any, cure: str) -> None:
        """`faults`: pydantic's list of errors."""
        self.wrong = {fault["loc"]: fault["type"] for fault in faults}
        first = faults[0]
        place, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        why = f"{place}: {what}" if place else what
        text = first["type"] == "json_invalid"
        said = "cannot be read" if text else "is damaged or something else"
        super().__init__(f"{where} {said} ({why}); {cure}.")


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
