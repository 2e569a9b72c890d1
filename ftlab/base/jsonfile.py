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
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError


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
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(_layout(value))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
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
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not JSON, or not UTF-8
        raise InputError(f"{path} cannot be read ({error}); make it again or delete it.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; make it again or delete it.")
    return value
