"""Pre-train a model that ships, from nothing.

python -m tools.pretrain nano-gpt2              as the recipe says (or nano-t5)
python -m tools.pretrain nano-gpt2 --steps 900  a rehearsal
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftlab.base.errors import InputError
from ftlab.base.files import check_own, settled
from ftlab.base.paths import data_dir
from ftlab.base.quiet import quiet
from ftlab.cli.main import single
from ftlab.cli.terminal import Progress, check_folder, place
from ftlab.plan import check_whole

if TYPE_CHECKING:  # torch comes with the rest
    from tools.pretrain.recipes import Recipe


def add_pretrain(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tools.pretrain`."""
    parser.add_argument("name", help="nano-gpt2 or nano-t5")
    parser.add_argument(
        "--out",
        type=place,
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
    out = Path(os.path.abspath(asked.out or asked.name))
    checkpoint = out.with_name(out.name + ".checkpoint")
    if asked.steps is not None:
        check_whole("--steps", asked.steps, 1)
    check_folder(out)
    quiet()
    from tools.pretrain import train as work

    check_own(out, work.HUB_FORM)

    if asked.name not in work.RECIPES:
        raise InputError(
            f"There is no recipe for '{asked.name}'; the recipes are {', '.join(work.RECIPES)}."
        )
    recipe = work.RECIPES[asked.name]
    if asked.steps is not None:
        recipe = recipe.scaled(asked.steps)
    if asked.resume and not work.stored(checkpoint, recipe):
        raise InputError(
            f"There is nothing to resume: no checkpoint lies in {checkpoint}; "
            "leave out --resume to begin."
        )
    if checkpoint.exists() and not asked.resume:
        raise InputError(
            f"A checkpoint lies in {checkpoint}; add --resume to go on from it, or delete it."
        )
    asked.stopped = lambda: _stored_words(checkpoint)
    _train(asked.name, recipe, out, checkpoint)
    _finish(asked.name, out)
    print(f"The model is in {out}; its scores are in {out / 'README.md'}.")
    return 0


def _stored_words(checkpoint: Path) -> str:
    """What an interrupt leaves."""
    if not settled(checkpoint).exists():
        return "no checkpoint was written yet"
    return f"the last checkpoint is in {checkpoint}: go on from it with --resume"


def _train(name: str, recipe: "Recipe", out: Path, checkpoint: Path) -> None:
    from tools.pretrain import train as work

    began: list[tuple[int, float]] = []  # the first step of this run, and when it was done
    with Progress(recipe.steps, every=60) as bar:

        def report(step: int, loss: float, rate: float) -> None:
            began[:] = began or [(step, time.perf_counter())]
            first, at = began[0]
            a_step = (time.perf_counter() - at) / max(1, step - first)
            left = (recipe.steps - step) * a_step / 60
            bar.to(step, f"loss {loss:.3f}, {rate:,.0f} tokens/s, {left:.0f} min left")

        work.pretrain(name, out=out, recipe=recipe, checkpoint=checkpoint, report=report)


def _finish(name: str, out: Path) -> None:
    """The model's card; in the data folder also the checksums of what ships."""
    from ftlab.base import checksums
    from ftlab.datasets.load import load_suite
    from ftlab.datasets.rows import read_jsonl
    from ftlab.models.loading import load
    from tools.data.build import MODELS
    from tools.pretrain.card import write_card

    bundle = load(out)
    suite = load_suite("tasks" if bundle.model.config.is_encoder_decoder else "world")
    general = read_jsonl(data_dir() / "world" / "general.jsonl")
    nats = [float(row["nats"]) for _, row in general]
    write_card(name, out, bundle.model, bundle.tokenizer, suite, nats)
    if out.resolve().parent == (data_dir() / "models").resolve():
        checksums.write(out.parent, MODELS)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the arguments and do it; the exit codes are those of `ftlab`."""
    return single("python -m tools.pretrain", add_pretrain, pretrain, argv)


if __name__ == "__main__":
    sys.exit(main())
