"""`ftlab grid`: make the recorded runs that the notebooks show.

ftlab grid decoder                            what is missing in data/records/nano
ftlab grid decoder --profile laptop --jobs 2  the same on a real language model
"""

import argparse
import os
import subprocess
import sys

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.base.quiet import quiet
from ftlab.cli.terminal import check_folder, place
from ftlab.plan import check_whole


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab grid`."""
    parser.add_argument(
        "name",
        help="decoder (01-04), seq2seq (05), qlora (06), adapters (07), prune (08), remedies (09), "
        "sequence (10)",
    )
    parser.add_argument("--model", default=None, help="(default: by the profile)")
    parser.add_argument(
        "--profile", choices=("nano", "laptop"), default="nano", help="(default: %(default)s)"
    )
    parser.add_argument("--only", default=None, metavar="WORDS", help="runs with this in the name")
    parser.add_argument("--most", type=int, default=None, help="make so many runs and stop")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side (default: 1)")
    parser.add_argument("--part", default="0/1", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="name the runs and stop")
    parser.add_argument(
        "--out",
        type=place,
        default=None,
        metavar="FOLDER",
        help="where the records go (default: data/records)",
    )


def grid(asked: argparse.Namespace) -> int:
    """Run what is missing of a grid, one record a run."""
    from ftlab.experiments import make as work

    check_whole("--jobs", asked.jobs, 1)
    if asked.most is not None:
        check_whole("--most", asked.most, 1)
    k, _, n = asked.part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and int(k) < int(n)):
        raise InputError(f"--part {asked.part} is not possible; give such as 0/2 or 1/2.")
    model = asked.model or work.model_of(asked.name, asked.profile)
    points = work.choose(asked.name, model, asked.only)
    if asked.list:
        print("\n".join(point.name for point in points))
        return 0
    folder = asked.out or data_dir() / "records" / work.folder_of(asked.name, model)
    check_folder(folder)
    quiet()
    asked.stopped = f"finished runs are in {folder}; the same command goes on"
    if asked.jobs > 1:
        _side_by_side(asked.jobs)
    else:
        for news in work.run_grid(
            asked.name, model=model, folder=folder, most=asked.most, only=asked.only,
            part=(int(k), int(n)),
        ):  # fmt: skip
            print(news, flush=True)
    have = work.recorded(folder, model)[0]
    there = sum(point.name in have for point in points)
    print(f"{there} of the {len(points)} runs of '{asked.name}' are in {folder}.")
    return 0


def _side_by_side(jobs: int) -> None:
    """This command again in so many processes, each with its part of the runs and one thread."""
    words, one = (
        [sys.executable, "-m", "ftlab.cli.main", *sys.argv[1:], "--jobs", "1"],
        {"OMP_NUM_THREADS": "1"},
    )
    parts = [
        subprocess.Popen([*words, "--part", f"{k}/{jobs}"], env=os.environ | one)
        for k in range(jobs)
    ]
    if sum(part.wait() for part in parts):
        raise InputError("A part of the grid stopped early; the same command goes on from there.")
