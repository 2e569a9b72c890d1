"""Work that every process of a launch has to do alike, shared out among them.

    with shared_out(True):                    every process comes here, with the same work
        for batch in mine(batches): ...       each takes every n-th batch ...
        parts = gathered(found)               ... and has what all of them found

Elsewhere everything is one's own, as inside `shared_out(False)`: for what one process may have done
before and another not.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
_SHARED: ContextVar[bool] = ContextVar("shared", default=False)


@contextmanager
def shared_out(on: bool) -> Iterator[None]:
    """Inside, work is shared out, where `on`. All processes must do the same calls in order."""
    token = _SHARED.set(on)
    try:
        yield
    finally:
        _SHARED.reset(token)


def mine(parts: Iterable[T]) -> Iterable[T]:
    """This process's share of the parts: every n-th."""
    if not _SHARED.get():
        return parts
    from torch import distributed

    return islice(parts, distributed.get_rank(), None, distributed.get_world_size())


def gathered(found: T) -> list[T]:
    """What every process found."""
    if not _SHARED.get():
        return [found]
    from torch import distributed

    each: list[T] = [found] * distributed.get_world_size()
    distributed.all_gather_object(each, found)
    return each
