"""`ftlab grid`: make the recorded runs that the notebooks show.

ftlab grid naive                           what is missing in data/records/nano
ftlab grid decoder --profile laptop        the remedies on a real language model
"""

import argparse
from pathlib import Path

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.base.quiet import quiet
from ftlab.cli.terminal import check_folder


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab grid`."""
    parser.add_argument(
        "name", help="naive (01), decoder (02-04), seq2seq (05), qlora (06), explorer"
    )
    parser.add_argument("--model", default=None, help="(default: by the profile)")
    parser.add_argument(
        "--profile", choices=("nano", "laptop"), default="nano", help="(default: %(default)s)"
    )
    parser.add_argument("--only", default=None, metavar="WORDS", help="runs with this in the name")
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
    from ftlab.experiments import make as work

    if asked.most is not None and asked.most < 1:
        raise InputError(f"--most {asked.most} is not possible; give a whole number from 1 up.")
    if asked.name == "explorer":
        return _explorer(asked)
    model = asked.model or work.model_of(asked.name, asked.profile)
    points = work.choose(asked.name, model, asked.only)
    if asked.list:
        print("\n".join(point.name for point in points))
        return 0
    folder = asked.out or data_dir() / "records" / work.folder_of(asked.name, model)
    check_folder(folder)
    quiet()
    asked.stopped = f"finished runs are in {folder}; the same command goes on"
    made = work.run_grid(asked.name, model=model, folder=folder, most=asked.most, only=asked.only)
    for news in made:
        print(news, flush=True)
    print(f"{len(points)} runs make the grid '{asked.name}'; they are in {folder}.")
    return 0


def _explorer(asked: argparse.Namespace) -> int:
    """Make what is missing of the rank explorer's grid, a line for each run."""
    from ftlab.explorer.make import make, name_of, plan
    from ftlab.explorer.recorded import FILE

    if asked.only or asked.model or asked.profile != "nano":
        raise InputError(
            "The grid explorer is made as a whole on nano-gpt2: leave out --only, --model and "
            "--profile; --most 10 makes ten runs and stops."
        )
    if asked.list:
        print("\n".join(name_of(settings) for settings in plan()))
        return 0
    path = check_folder(asked.out or data_dir() / "records") / FILE
    quiet()
    asked.stopped = f"finished runs are in {path}; the same command goes on"
    for news in make(path, most=asked.most):
        print(news, flush=True)
    return 0
