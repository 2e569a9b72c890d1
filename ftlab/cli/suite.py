"""`ftlab suite FILE --out FOLDER`: a suite of the base's own answers, for `ftlab run --suite`.

ftlab suite prompts.txt --model smollm2-135m --out my_skills
"""

import argparse
from pathlib import Path

from ftlab.base.errors import InputError
from ftlab.base.quiet import quiet
from ftlab.cli.run import add_model
from ftlab.cli.terminal import check_folder, place
from ftlab.datasets.rows import read_text


def add_suite(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab suite`."""
    parser.add_argument("file", type=place, metavar="FILE", help="text, one prompt a line")
    add_model(parser)
    parser.add_argument("--out", type=place, metavar="FOLDER", required=True, help="where it goes")


def suite(asked: argparse.Namespace) -> int:
    """Ask the base every prompt, and write its answers as probes."""
    if not Path(asked.file).is_file():
        raise InputError(f"There is no file {asked.file}; give a text file, one prompt a line.")
    prompts = [line for line in read_text(asked.file).splitlines() if line.strip()]
    check_folder(asked.out)
    quiet()
    from ftlab.base import machine
    from ftlab.lab.defaults import usual_model
    from ftlab.lab.own_suite import own_suite
    from ftlab.models.loading import load

    bundle = load(asked.model, device=machine.device()) if asked.model else usual_model()
    count = own_suite(bundle, prompts, asked.file.stem, asked.out)
    print(f"{count} of {len(prompts)} prompts became probes of '{asked.file.stem}'.")
    print(f"Read them, then: ftlab run --suite {asked.out} ...")
    return 0
