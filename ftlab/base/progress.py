"""How far a long measurement is, for who wants to know: a bar in a terminal.

    with watched(bar.says): evaluator.full(model)       says("answering 3 of 17")

Threads of their own have a watcher of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
_WATCHER: ContextVar[Callable[[str], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(says: Callable[[str], None]) -> Iterator[None]:
    """Tell `says` how far `counted` work in this block is."""
    token = _WATCHER.set(says)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def counted(what: str, things: Sequence[T]) -> Iterator[T]:
    """The things, each told of before it is handed out."""
    for number, thing in enumerate(things, start=1):
        if says := _WATCHER.get():
            says(f"{what} {number} of {len(things)}")
        yield thing
