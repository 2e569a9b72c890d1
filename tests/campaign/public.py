"""Every public function, class and method of ftlab, found by walking `__all__`."""

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import ftlab


def surface() -> dict[str, Any]:
    """{"methods.LoRA": class, "methods.merge": function, "Lab.run": method, ...}"""
    return dict(_walk(ftlab, ""))


def _walk(room: ModuleType, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in getattr(room, "__all__", None) or _own(room):
        thing = getattr(room, name)
        if inspect.ismodule(thing):
            yield from _walk(thing, f"{prefix}{name}.")
        elif inspect.isclass(thing):
            yield f"{prefix}{name}", thing
            for part, method in vars(thing).items():
                if inspect.isfunction(method) and not part.startswith("_"):
                    yield f"{prefix}{name}.{part}", method
        elif callable(thing):
            yield f"{prefix}{name}", thing


def _own(room: ModuleType) -> list[str]:
    found = vars(room).items()
    kinds = (inspect.isfunction, inspect.isclass)
    return [
        name
        for name, thing in found
        if not name.startswith("_")
        and any(kind(thing) for kind in kinds)
        and thing.__module__ == room.__name__
    ]
