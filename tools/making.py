"""The options of a command that makes many runs: list them, make a few, say where they go."""

import argparse
from collections.abc import Callable

from ftlab.base.errors import InputError
from ftlab.cli.terminal import place


def options(home: str) -> Callable[[argparse.ArgumentParser], None]:
    """Adds --list, --most and --out, whose default is the folder `home`."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--list", action="store_true", help="name the runs and stop")
        parser.add_argument("--most", type=int, default=None, help="make so many runs and stop")
        parser.add_argument(
            "--out",
            type=place,
            default=None,
            metavar="FOLDER",
            help=f"where the results go (default: {home})",
        )

    return add


def check_most(most: int | None) -> None:
    """Raise InputError for a number of runs that is none."""
    if most is not None and most < 1:
        raise InputError(f"--most {most} is not possible; give a whole number from 1 up.")
