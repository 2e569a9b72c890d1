"""Tokens a second here: full, LoRA and QLoRA, by ftlab and by transformers.Trainer + peft.

    python -m tools.bench.speed              a table; also a part of `make gpu`

SmolLM2-135M where its weights lie here, and a model of 1 billion random weights (for speed their
values do not matter). The same items, batches and precision both ways, in turn; the first steps,
in which kernels are found, are not timed.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from ftlab.base import machine
from ftlab.base.errors import OutOfMemory
from ftlab.base.quiet import quiet
from ftlab.cli.main import single
from ftlab.datasets.load import load_domain, load_suite
from ftlab.lab.lab import Lab
from ftlab.lab.run import Run
from ftlab.memory.shapes import config_of
from ftlab.models.loading import Bundle, load
from ftlab.models.smollm import find_gguf
from ftlab.plan import Plan
from ftlab.text.train_batches import batch_indices, encode
from tools.bench.ways import Losses, by_plain, by_trainer

METHODS = ("full", "lora_all", "qlora")
BILLION = "llama-1b"
Row = tuple[str, str, float | None, float | None]
"""Model, method, tokens a second by ftlab and by Trainer; None where the card is too small."""


def labs() -> Iterator[Lab]:
    """One model after the other, on this machine's device."""
    domain, suite = load_domain("clinic"), load_suite("world")
    if find_gguf():
        yield Lab(load("smollm2-135m", device=machine.device()), domain, suite)
    if machine.device() == "cuda":  # a CPU would take an hour
        yield Lab(random_bundle(BILLION), domain, suite)


def random_bundle(name: str) -> Bundle:
    """A model of this shape with random weights, which reads the small world's tokens."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    with torch.device(machine.device()):
        model = AutoModelForCausalLM.from_config(config_of(name)).eval()
    return Bundle(name, model, load().tokenizer, "")


def speeds(lab: Lab, plan: Plan) -> Iterator[Row]:
    """A row for each method."""
    for method in METHODS:
        found: list[float | None] = []
        for way in (by_plain, by_trainer):
            try:
                bench = lab.quantized() if method == "qlora" else lab
                way(bench.run(replace(plan, steps=3), method=method, store=False))
                found.append(_speed(way, bench.run(plan, method=method, store=False)))
            except (torch.OutOfMemoryError, OutOfMemory):
                found.append(None)
            gc.collect()
        yield lab.bundle.name, method, found[0], found[1]


def _speed(way: Callable[[Run], Losses], run: Run) -> float:
    plan = run.plan
    items = encode(run.rows, run.lab.tokenizer, loss_on=plan.loss_on, limit=plan.max_tokens)
    numbers = range(1, plan.steps + 1)
    read = (batch_indices(len(items), plan.batch_size, n, plan.seed) for n in numbers)
    tokens = sum(items[i].tokens for batch in read for i in batch)
    _wait()
    began = time.perf_counter()
    way(run)
    _wait()
    return tokens / (time.perf_counter() - began)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def told(row: Row) -> str:
    """A row in words."""
    model, method, ours, theirs = row
    if ours is None or theirs is None:
        return f"{model}, {method}: {'ftlab' if ours is None else 'Trainer'} does not fit the card"
    ratio = ours / theirs
    return f"{model}, {method}: {ours:,.0f} tokens/s, Trainer {theirs:,.0f} (ratio {ratio:.2f})"


def add_speed(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tools.bench.speed`."""
    parser.add_argument("--steps", type=int, default=20, help="a run (default: %(default)s)")


def speed(asked: argparse.Namespace) -> int:
    """Time everything; a line for each model and method."""
    plan = Plan(steps=asked.steps, lr=1e-4, measure_every=0)
    quiet()
    for lab in labs():
        for row in speeds(lab, plan):
            print(told(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(single("python -m tools.bench.speed", add_speed, speed))
