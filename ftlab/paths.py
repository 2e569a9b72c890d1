"""Where the workbook's data lies: beside the package in a clone, or where FTLAB_DATA points."""

import os
from pathlib import Path

from ftlab.errors import InputError


def data_dir() -> Path:
    """The folder with the world's sets, the nano models and the recorded runs.

    Raises InputError when it cannot be found.
    """
    given = os.environ.get("FTLAB_DATA")
    path = Path(given) if given else Path(__file__).resolve().parent.parent / "data"
    if not path.is_dir():
        raise InputError(
            f"The data folder {path} does not exist; clone the whole repository, "
            "or set FTLAB_DATA to its data folder."
        )
    return path


def cache_dir() -> Path:
    """Folder for what can be made again (converted weights, checkpoints); created if missing."""
    base = os.environ.get("FTLAB_CACHE") or os.environ.get("XDG_CACHE_HOME")
    path = (Path(base) if base else Path.home() / ".cache") / "ftlab"
    path.mkdir(parents=True, exist_ok=True)
    return path
