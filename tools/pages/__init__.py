"""The pages that are written from what was measured."""

from functools import cache
from pathlib import Path

from ftlab.analysis import compare
from ftlab.base.paths import data_dir
from ftlab.record import Record


def shipped(size: str) -> list[Record]:
    """The recorded runs of a size, as `ftlab.analysis.shipped` gives them, read once."""
    return _read(data_dir(), size)


@cache
def _read(_folder: Path, size: str) -> list[Record]:
    return compare.shipped(size)
