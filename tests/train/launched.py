"""What a launch trains: `torchrun launched.py FOLDER WAY ...`; each process writes what it has."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

import ftlab
from ftlab.methods import LoRA, full
from ftlab.plan import Plan
from ftlab.text import scored_batches
from ftlab.train import engine, store
from tests.small import narrow_lab

PLAN = Plan(steps=4, batch_size=5, lr=3e-4, measure_every=2)


def pull(model: Any, batch: Any) -> Any:
    """A penalty that is not small."""
    return 0.1 * model.transformer.h[0].mlp.c_fc.weight.square().sum()


WAYS: dict[str, Any] = {
    "full": {"method": full},
    "LoRA": {"method": LoRA({"1-12": 4})},
    "replay": {"method": full, "replay": 0.5},
    "penalty": {"method": lambda model: replace(full(model), penalty=pull)},
}


def write(run: Any, folder: Path, name: str) -> None:
    """The record's steps, without how long they took; all that was trained, and nothing else."""
    assert engine._MARK not in vars(run.model)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in run.record.curve]
    (folder / f"{name}.json").write_text(json.dumps([rows, run.record.final]))
    named = run.model.named_parameters()
    trained = {name: p.detach().contiguous() for name, p in named if p.requires_grad}
    save_file(trained, folder / f"{name}.safetensors")


def main(folder: Path, ways: list[str]) -> None:
    """Train every way, and "resumed": in full, stopped and gone on with."""
    bench, rank = narrow_lab(), os.environ.get("RANK", "0")
    scored_batches.CPU_TOKENS = 128  # several batches to share
    for way in ways:
        if way in WAYS:
            write(bench.run(PLAN, store=False, **WAYS[way]).finish(), folder, f"{way}-{rank}")
    if "resumed" not in ways:
        return
    (folder / "stored").mkdir(exist_ok=True)
    ftlab.store_runs(folder / "stored")
    store.EVERY = store.SHARE = 0.0  # every step
    for step in bench.run(PLAN):
        if step.step == 2:
            break
    write(bench.run(PLAN).finish(), folder, f"resumed-{rank}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
