"""`ftlab data` and `ftlab pretrain`: make what ships again.

ftlab data --check            generate the small world anew and compare byte for byte
ftlab data --write            write it into the data folder
ftlab pretrain nano-gpt2      pre-train a model that ships, from nothing (or nano-t5)
"""

import argparse
import time
from pathlib import Path

from ftlab.commands.terminal import Progress, check_folder
from ftlab.errors import InputError
from ftlab.paths import data_dir
from ftlab.quiet import quiet


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab data`."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare only (the default)")
    choice.add_argument("--write", action="store_true", help="write the files")


def data(asked: argparse.Namespace) -> int:
    """Compare the data folder with what the generator writes, or write it."""
    folder = data_dir()
    from ftlab.world import build

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
        print(f"{len(wrong)} files differ; `ftlab data --write` makes them again.")
    else:
        print("Every file is, byte for byte, what the generator writes.")
    return 1 if wrong else 0


def add_pretrain(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab pretrain`."""
    parser.add_argument("name", help="nano-gpt2 or nano-t5")
    parser.add_argument(
        "--out",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="where the model goes (default: a folder of its name here)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=None,
        help="a rehearsal of so many (default: the recipe's)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")


def pretrain(asked: argparse.Namespace) -> int:
    """Pre-train a model, measure it and write its card."""
    out: Path = asked.out or Path(asked.name)
    checkpoint = out.with_name(out.name + ".checkpoint")
    if asked.steps is not None and asked.steps < 1:
        raise InputError(f"--steps {asked.steps} is not possible; give a whole number from 1 up.")
    check_folder(out)
    quiet()
    from ftlab.models import pretrain as work

    if asked.name not in work.RECIPES:
        raise InputError(
            f"There is no recipe for '{asked.name}'; the recipes are {', '.join(work.RECIPES)}."
        )
    if checkpoint.exists() and not asked.resume:
        raise InputError(
            f"A checkpoint lies in {checkpoint}; add --resume to go on from it, or delete it."
        )
    asked.stopped = f"the last checkpoint is in {checkpoint}: go on from it with --resume"
    _train(asked, out, checkpoint)
    _finish(asked.name, out)
    print(f"The model is in {out}; its scores are in {out / 'README.md'}.")
    return 0


def _train(asked: argparse.Namespace, out: Path, checkpoint: Path) -> None:
    from ftlab.models import pretrain as work

    recipe = work.RECIPES[asked.name]
    if asked.steps is not None:
        recipe = recipe.scaled(asked.steps)
    began: list[tuple[int, float]] = []  # the first step of this run, and when it was done
    with Progress(recipe.steps, every=60) as bar:

        def report(step: int, loss: float, rate: float) -> None:
            began[:] = began or [(step, time.perf_counter())]
            first, at = began[0]
            a_step = (time.perf_counter() - at) / max(1, step - first)
            left = (recipe.steps - step) * a_step / 60
            bar.to(step, f"loss {loss:.3f}, {rate:,.0f} tokens/s, {left:.0f} min left")

        work.pretrain(asked.name, out=out, recipe=recipe, checkpoint=checkpoint, report=report)


def _finish(name: str, out: Path) -> None:
    """The model's card; in the data folder also the checksums of what ships."""
    from ftlab import checksums
    from ftlab.models.card import write_card
    from ftlab.models.load import load
    from ftlab.world.load import load_suite, suite_for
    from ftlab.world.rows import read_jsonl

    bundle = load(out)
    suite = load_suite(suite_for(bundle.model, name))
    general = read_jsonl(data_dir() / "world" / "general.jsonl")
    nats = [float(row["nats"]) for _, row in general]
    write_card(name, out, bundle.model, bundle.tokenizer, suite, nats)
    if out.resolve().parent == (data_dir() / "models").resolve():
        checksums.write(out.parent)
