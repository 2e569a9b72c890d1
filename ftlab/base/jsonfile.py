"""Plain data: what JSON can hold, written whole or not at all.

`plain` turns arrays and scalars of any library, tuples and dataclasses into the forms that come
back from a file unchanged, so plain(x) == read_json(write_json(path, x)). NaN and infinities
become None, since JSON has no word for them and `null` is honest: nothing was measured.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from ftlab.base.errors import InputError, first_line
from ftlab.base.files import whole

AGAIN = "make it again or delete it"


def plain(value: Any) -> Any:
    """`value` as dicts with text keys, lists, text, numbers, bools and None.

    Raises TypeError for what has no such form (a model, say).
    """
    return to_jsonable_python(value, inf_nan_mode="null", fallback=_of_a_library)


def _of_a_library(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if (to_list := getattr(value, "tolist", None)) is None:  # arrays of numpy and torch have it
        raise TypeError(f"{type(value).__name__} has no plain form")
    return to_list()


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
        raise InputError(f"{path} cannot be read ({first_line(error)}); {AGAIN}.") from None
    return checked(kind, text, path)


def checked(kind: Any, text: bytes, where: object, cure: str = AGAIN) -> Any:
    """JSON text as `kind`: a dataclass, a TypedDict, dict[str, int] ... No type is converted.

    Raises InputError, which names `where`, the first place in it that is wrong, and the cure.
    """
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = "cannot be read" if first["type"] == "json_invalid" else "is damaged or another kind"
        why = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
        why = why.replace("Value error, ", "")
        raise InputError(f"{where} {said} ({why}); {cure}.") from None


_adapter = cache(TypeAdapter)
