"""Recorded runs: the same experiment at several settings and seeds, written one file a run.

    ftlab grid decoder               makes what is missing in data/records/nano
    ftlab grid decoder --model smollm2-135m --jobs 2

A run that has its record is not made again, so a grid that was interrupted goes on. Every record
carries the command that makes that one run. What is in the grids: `ftlab/experiments/`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.base.jsonfile import plain
from ftlab.experiments.point import Point

if TYPE_CHECKING:  # torch comes with it, and `ftlab grid --list` needs none
    from ftlab.evaluate.evaluator import Sizes
    from ftlab.lab.lab import Lab
    from ftlab.lab.run import Run
    from ftlab.lab.sequence import TaskSequence

# How much a lab asks on the way: of nano-gpt2 all documents and all validation items (the test
# split is for the end); a real model on a CPU answers slowly.
SIZES: "dict[str, Sizes]" = {
    "nano": {"target_items": 64, "per_skill": 100, "documents": 1000},
    "nano-t5": {},
    "laptop": {"documents": 8, "kl_texts": 8},
}


def points(name: str, model: str) -> list[Point]:
    """The runs of a grid, `name`, for a model. Raises InputError for a grid that is none."""
    from ftlab.experiments import adapters, decoder, prune, qlora, remedies, seq2seq, sequence

    grids: Mapping[str, Callable[[], Iterator[Point]]] = {
        "decoder": lambda: decoder.decoder(model),
        "seq2seq": seq2seq.seq2seq,
        "qlora": lambda: qlora.qlora(model),
        "adapters": lambda: adapters.adapters(model),
        "prune": lambda: prune.prune(model),
        "remedies": lambda: remedies.remedies(model),
        "sequence": lambda: sequence.sequence(model),
    }
    if name not in grids:
        raise InputError(f"There is no grid '{name}'; the grids are: {', '.join(grids)}.")
    return list(grids[name]())


def model_of(name: str, profile: str) -> str:
    """The model whose runs a grid holds. Raises InputError where the profile has none for it."""
    if name != "seq2seq":
        return {"nano": "nano-gpt2", "laptop": "smollm2-135m"}[profile]
    if profile != "nano":
        raise InputError(
            "The grid seq2seq is made on nano-t5 (--profile nano); for another model name it "
            "with --model, such as --model t5-small."
        )
    return "nano-t5"


def folder_name(model: str) -> str:
    """Under data/records: one folder a model (the other grids have their own)."""
    if model == "nano-t5":
        return "nano-t5"
    return "nano" if model == "nano-gpt2" else "laptop"


def folder_of(grid: str, model: str) -> str:
    """Under data/records: where the runs of a grid lie."""
    return folder_name(model) if grid in ("decoder", "seq2seq") else grid


def choose(name: str, model: str, only: str | None) -> list[Point]:
    """The grid's points, or those whose name holds `only`. Raises InputError if none does."""
    chosen = [point for point in points(name, model) if only is None or only in point.name]
    if not chosen:
        raise InputError(
            f"No run of the grid '{name}' has '{only}' in its name; --list shows the names."
        )
    return chosen


def recorded(folder: Path, model: str) -> tuple[set[str], list[str]]:
    """The names of a model's runs in a folder, and the files that are damaged."""
    found, damaged = records.readable(folder.glob("*.json"))
    return {run.name for run in found if run.model == model}, damaged


def run_grid(
    name: str,
    *,
    model: str,
    folder: Path,
    most: int | None = None,
    only: str | None = None,
    part: tuple[int, int] = (0, 1),
) -> Iterator[str]:
    """Make the missing runs of a grid, at most `most` of them; a line of news for each.

    `part` (k, n): every n-th run of the grid from the k-th on, so that n of them make it all.
    """
    from ftlab.lab.lab import open_lab

    have, damaged = recorded(folder, model)
    yield from (f"Left out: {line}" for line in damaged)
    mine = choose(name, model, only)[part[0] :: part[1]]
    missing = [point for point in mine if point.name not in have][:most]
    labs: dict[tuple[str, object], Lab] = {}
    run: Run | TaskSequence | None = None
    for number, point in enumerate(missing, 1):
        bench = point.domain, point.base
        if bench not in labs:
            sizes = SIZES[folder_name(model)]
            lab = open_lab(point.domain, model=model, base=point.base, **sizes)
            labs[bench] = lab
            if name != "sequence" or "nano" not in model:
                lab.fast_sizes = sizes
        if run is None or point.training != missing[number - 2].training:
            run = _trained(labs[bench], point)
        record = run_point(labs[bench], point, grid=name, run=run)
        records.save(record, folder)
        final = record.final
        yield (
            f"{number} of {len(missing)}: {point.name}: {final['target_score']:.0%} learned, "
            f"{final['retention']:.0%} retained, {record.seconds:.0f} s"
        )


def run_point(lab: "Lab", point: Point, *, grid: str, run: Any = None) -> records.Record:
    """Make one run of a grid and give its record; `run`: what trained it, if something has."""
    run = run or _trained(lab, point)
    record, extra = run.record, {"sweep": point.sweep, "items": len(run.rows)}
    if point.after:
        extra["after"] = plain(point.after)
        final, evidence = lab.evaluator.full_with_evidence(point.after(lab, run.model))
        record = replace(record, final=final, evidence=evidence)
    return replace(
        record,
        name=point.name,
        method=point.shown or record.method,
        command=f'ftlab grid {grid} --model {lab.bundle.name} --only "{point.name}"',
        extra=record.extra | extra,
    )


def _trained(lab: "Lab", point: Point) -> "Run | TaskSequence":
    """The run of a point, as far as it goes; the whole sequence of one with several tasks."""
    if point.tasks:
        link: Any = point.link
        return lab.sequence(
            point.tasks, point.plan, method=point.method, link=link, replay=point.replay,
            walk=point.walk, name=point.name,
        ).finish()  # fmt: skip
    run = lab.run(
        point.plan,
        method=point.method,
        name=point.name,
        items=point.items,
        replay=point.replay,
        replay_source=point.replay_source,
        start=point.start(lab) if point.start else None,
        fast=folder_name(lab.bundle.name) == "nano",
    )
    for step in run:
        if step.measured and step.measured["target_loss"] <= (point.stop_loss or -1):
            break
    return run
