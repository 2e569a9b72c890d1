"""A process that has loaded everything and makes children of itself, each of which may be killed.

Of a line on stdin, {"what": "run", "words": [...], "folder": "..."}, it makes a child, answers with
the child's process id, and with its exit status when it has ended. Starting Python and torch anew
for each would take five seconds. Everything is small here: the model's batches, the suites, the
test split, the grid, the model, the recipe of pre-training.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ftlab.lab.defaults
import ftlab.lab.lab
from ftlab.cli import main
from ftlab.datasets.load import load_domain, load_suite
from ftlab.evaluate.target import chrf
from ftlab.experiments import make
from ftlab.experiments.point import Point
from ftlab.plan import Plan
from ftlab.train import store
from tests.small import narrow
from tools.pretrain import __main__ as pretraining
from tools.pretrain import nano_gpt2
from tools.pretrain import train as work

FEW = {"target_items": 4, "per_skill": 2, "documents": 2}
RECIPE = replace(
    work.RECIPES["nano-gpt2"],
    stages=(("general", 8), ("looking back", 8)),
    rows=2, width=64, blocks=2, heads=1, warmup=2, practice=2,
)  # fmt: skip


def small(domain: Any) -> Any:
    """The same with 16 items to train on and 4 to measure by."""
    few = {"train": 16, "validation": 4, "test": 4}
    return replace(domain, **{k: getattr(domain, k).select(range(n)) for k, n in few.items()})


def prepare() -> None:
    """Make everything small, and load what every child needs."""
    lab: Any = ftlab.lab.lab
    defaults: Any = ftlab.lab.defaults
    suite, domain = load_suite("world").sample(1, 1), small(load_domain("clinic"))
    lab.usual_suite = lambda bundle: suite
    lab.load_domain = lambda name, **_: domain
    bundle = narrow()
    chrf(["a"], ["a"])  # loads what scores it
    defaults.load = lambda *_, **__: bundle
    store.EVERY = store.SHARE = 0.0  # a checkpoint after every step
    make.SIZES["nano"] = FEW  # pyright: ignore[reportArgumentType]
    plan = Plan(steps=4, batch_size=4, measure_every=2)
    points = [Point("tiny", "clinic", replace(plan, seed=seed), items=16) for seed in range(3)]
    make.points = lambda name, model: points
    work.RECIPES["nano-gpt2"] = RECIPE
    work.CHECKPOINT_EVERY = 2
    nano_gpt2.train_tokenizer = lambda recipe: bundle.tokenizer
    pretraining._finish = lambda name, out: None  # a measurement of minutes


def child(job: dict[str, Any]) -> int:
    """The command, as a terminal runs it; what it says goes to a file."""
    signal.alarm(600)  # what hangs ends, and is a fault
    os.chdir(job["folder"])
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    Path("begun").touch()
    call = pretraining.main if job["what"] == "pretrain" else main.main
    try:
        return call(job["words"])
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def serve() -> None:
    prepare()
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(child(json.loads(line)))
        print(pid, flush=True)
        sys.stdin.readline()  # until then an ended child keeps its number
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
