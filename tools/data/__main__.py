"""Make the data sets that ship again.

python -m tools.data            generate the small world anew and compare byte for byte
python -m tools.data --write    write it into the data folder
"""

import argparse
import sys
from collections.abc import Sequence

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.cli.main import single


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tools.data`."""
    parser.add_argument("--write", action="store_true", help="write the files")


def data(asked: argparse.Namespace) -> int:
    """Compare the data folder with what the generator writes, or write it."""
    folder = data_dir()
    from tools.data import build

    if asked.write:
        try:
            written = build.write(folder)
        except OSError as error:
            raise InputError(f"{folder} cannot be written ({error.strerror}).") from error
        print(f"{len(written)} files were written into {folder}.")
        return 0
    wrong = build.check(folder)
    for name in wrong:
        print(f"differs or is missing: {name}")
    if wrong:
        print(f"{len(wrong)} files differ; `python -m tools.data --write` makes them again.")
    else:
        print("Every file is, byte for byte, what the generator writes.")
    return 1 if wrong else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Read the arguments and do it; the exit codes are those of `ftlab`."""
    return single("python -m tools.data", add_data, data, argv)


if __name__ == "__main__":
    sys.exit(main())
