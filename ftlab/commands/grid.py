"""`ftlab grid`: make the recorded runs that the notebooks show.

ftlab grid naive                           what is missing in data/records/nano
ftlab grid naive --model smollm2-135m      the same question on a real language model
"""

import argparse
from pathlib import Path

from ftlab.commands.terminal import check_folder
from ftlab.errors import InputError
from ftlab.paths import data_dir
from ftlab.quiet import quiet


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab grid`."""
    parser.add_argument("name", help="naive")
    parser.add_argument("--model", default="nano-gpt2", help="(default: %(default)s)")
    parser.add_argument("--most", type=int, default=None, help="make so many runs and stop")
    parser.add_argument("--list", action="store_true", help="name the runs and stop")
    parser.add_argument(
        "--out",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="where the records go (default: data/records)",
    )


def grid(asked: argparse.Namespace) -> int:
    """Run what is missing of a grid, one record a run."""
    from ftlab import grid as work

    if asked.most is not None and asked.most < 1:
        raise InputError(f"--most {asked.most} is not possible; give a whole number from 1 up.")
    points = work.points(asked.name, asked.model)
    if asked.list:
        print("\n".join(point.name for point in points))
        return 0
    folder = asked.out or data_dir() / "records" / work.folder_name(asked.model)
    check_folder(folder)
    quiet()
    asked.stopped = f"finished runs are in {folder}; the same command goes on"
    for news in work.run_grid(asked.name, model=asked.model, folder=folder, most=asked.most):
        print(news, flush=True)
    print(f"{len(points)} runs make the grid '{asked.name}'; they are in {folder}.")
    return 0
