"""The recorded runs that came with the workbook: what can be read, and what had to be left out."""

from collections.abc import Sequence

from ftlab import record as records
from ftlab.base import checksums
from ftlab.base.paths import data_dir


def read_shipped(size: str) -> tuple[list[records.Record], list[str]]:
    """The recorded runs of a size (nano, laptop), by file name, and a sentence for each other.

    Others are damaged, missing, newer than this ftlab, or not what CHECKSUMS lists.
    """
    folder = data_dir() / "records" / size
    if not folder.is_dir():
        return [], []
    harmed = [data_dir() / name for name in checksums.damaged(data_dir(), f"records/{size}/")]
    told = "is missing or not what CHECKSUMS lists; get it from the repository (git checkout)."
    found, left_out = records.readable(set(folder.glob("*.json")) - set(harmed), named=True)
    return found, [*(f"{path} {told}" for path in harmed), *left_out]


def say_left_out(left_out: Sequence[str], most: int = 3) -> None:
    """Print what was left out, and how many more there are of its kind."""
    for line in left_out[:most]:
        print(f"Left out: {line}")
    if len(left_out) > most:
        print(f"Left out: {len(left_out) - most} more.")
