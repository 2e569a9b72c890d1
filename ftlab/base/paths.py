"""Where the workbook's data lies: FTLAB_DATA, else inside the installed package, else in a clone.

A wheel carries it as ftlab/data; in a clone, and for an editable install, it is the folder data
beside the package.
"""

import os
from pathlib import Path

from ftlab.base.errors import InputError, first_line

PACKAGE = Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """The folder with the world's sets, the nano models and the recorded runs.

    Raises InputError when it cannot be found.
    """
    given, inside = os.environ.get("FTLAB_DATA"), PACKAGE / "data"
    clone = PACKAGE.parent / "data"
    path = Path(given) if given else (inside if inside.is_dir() else clone)
    if not os.path.isdir(path):
        raise InputError(
            f"The data folder {path} does not exist; clone the whole repository, "
            "or set FTLAB_DATA to its data folder."
        )
    return path


def cache_dir() -> Path:
    """Folder for what can be made again (converted weights); made if missing.

    Raises InputError when it cannot be made.
    """
    base = os.environ.get("FTLAB_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        path = Path(base).expanduser() / "ftlab"
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows where ~ is
        cure = "set FTLAB_CACHE to a folder that can be written"
        raise InputError(f"{base}/ftlab cannot be made ({first_line(error)}); {cure}.") from error
    return path
