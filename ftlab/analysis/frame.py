"""Recorded runs as a pandas DataFrame: one row a run, ready to filter, group and plot.

    frame = ftlab.records("nano")                                   runs that came with the workbook
    frame.groupby(["method", "lr"])[["learned", "retained"]].mean()      means over the seeds
    ftlab.records("my_runs")                                        a folder of your own runs

A folder of your own is one that `ftlab.store_runs` stored runs in, or that you saved records to.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ftlab import record
from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir

SIZES = {"nano-gpt2": "nano", "smollm2-135m": "laptop"}
"""The folder of shipped records by its model's name, where they differ."""
TYPES = dict.fromkeys(("lr", "learned", "retained", "forgotten", "held", "seconds"), "float64")
TYPES |= {"steps": "Int64", "items": "Int64"}
"""Columns in which a value may be missing, with their type."""


def records(folder_or_model: str | Path = "nano") -> pd.DataFrame:
    """Every run of a folder as a row, by file name; what a record does not say is missing (NaN).

    Give a folder of your own, or what came with the workbook: "nano", "nano-t5", "laptop" or
    "qlora", or the name of a model. The columns:

    name             what the run was called
    method           how it was trained: full, freeze, lora_qv, ...
    model, domain    the base model; what it learned
    suite            what its skills were measured by
    seed             decides the order of the items, and an adapter's start
    lr               peak learning rate
    steps            steps planned
    schedule         constant, cosine or linear
    items            different training items
    replay           share of general text among what was read, 0 to 1
    learned          accuracy on the new task, 0 to 1: higher is better
    retained         share of the base's skills, guessing taken off, 0 to about 1: higher is better
    forgotten        rise of the loss on general text, nats per token: lower is better
    held             accuracy on cases that were never trained on, 0 to 1: higher is better
    trainable, total parameters: trained, and all
    tokens           read in training, padding not counted
    seconds          of the run, measuring included
    device           cpu or cuda
    precision        fp32, fp16 or bf16
    skill_...        accuracy in each skill after training, 0 to 1, chance included

    A damaged or newer record is left out, and a line says so.
    Raises InputError for a folder that does not exist or holds no records.
    """
    folder = _folder(folder_or_model)
    if folder.parent == data_dir() / "records":
        found, left_out = read_shipped(folder.name)
    else:
        found, left_out = record.readable([*folder.glob("*.json"), *folder.glob("*/record.json")])
    say_left_out(left_out)
    if not found:
        raise InputError(f"{folder} holds no records of runs; check the path.")
    return pd.DataFrame(map(_row, found)).astype(TYPES)


def read_shipped(size: str) -> tuple[list[record.Record], list[str]]:
    """The recorded runs of a size (nano, laptop), by file name, and a sentence for each other.

    Others are damaged, missing, newer than this ftlab, or not what CHECKSUMS lists.
    """
    folder = data_dir() / "records" / size
    if not os.path.isdir(folder):
        return [], []
    harmed = [data_dir() / name for name in checksums.damaged(data_dir(), f"records/{size}/")]
    told = "is missing or not what CHECKSUMS lists; get it from the repository (git checkout)."
    found, left_out = record.readable(set(folder.glob("*.json")) - set(harmed), named=True)
    return found, [*(f"{path} {told}" for path in harmed), *left_out]


def say_left_out(left_out: Sequence[str], most: int = 3) -> None:
    """Print what was left out, and how many more there are of its kind."""
    for line in left_out[:most]:
        print(f"Left out: {line}")
    if len(left_out) > most:
        print(f"Left out: {len(left_out) - most} more.")


def _folder(given: str | Path) -> Path:
    shipped = data_dir() / "records"
    names = sorted(path.name for path in shipped.glob("*/"))
    if isinstance(given, str) and (name := SIZES.get(given, given)) in names:
        return shipped / name
    folder = Path(os.path.expanduser(given))
    if not os.path.isdir(folder):
        raise InputError(
            f"There is no folder {given}; give a folder of records, or one of {', '.join(names)}."
        )
    return folder


def _row(run: record.Record) -> dict[str, Any]:
    final, plan = run.final, run.plan
    return {
        "name": run.name,
        "method": run.method,
        "model": run.model,
        "domain": run.domain,
        "suite": run.suite,
        "seed": run.seed,
        "lr": plan.get("lr"),
        "steps": plan.get("steps"),
        "schedule": plan.get("schedule"),
        "items": run.extra.get("items"),
        "replay": run.extra.get("sequence", run.extra).get("replay", 0.0),
        "learned": final["target_score"],
        "retained": final["retention"],
        "forgotten": final["forgotten"],
        "held": final["held_score"],
        "trainable": run.trainable,
        "total": run.total,
        "tokens": run.budget["tokens"],
        "seconds": run.seconds,
        "device": run.device,
        "precision": run.precision,
        **{f"skill_{name}": accuracy for name, accuracy in final["skills"].items()},
    }
