"""Recorded runs: the same experiment at several settings and seeds, written one file a run.

    ftlab grid naive                 makes what is missing in data/records/nano
    ftlab grid naive --model smollm2-135m

A run that has its record is not made again, so a grid that was interrupted goes on. Every record
carries the command that makes that one run.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftlab import records
from ftlab.errors import InputError
from ftlab.plan import Plan

SEEDS = (0, 1, 2)
RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)


@dataclass(frozen=True)
class Point:
    """One run of a grid."""

    sweep: str
    """What the run is about: the quantity that differs from its neighbours."""
    domain: str
    """What is learned."""
    plan: Plan
    """How."""
    items: int | None = None
    """How many training items (None: all)."""

    @property
    def name(self) -> str:
        """Unique in its grid; begins the record's file name."""
        words = [self.sweep, self.domain, f"lr {self.plan.lr:g}", f"{self.plan.steps} steps"]
        words += [f"{self.items} items"] if self.items else []
        return ", ".join([*words, f"seed {self.plan.seed}"])


def naive() -> Iterator[Point]:
    """Full fine-tuning with nothing to protect the base: notebook 01's four causes."""
    for seed in SEEDS:
        for rate in RATES:
            yield Point("learning rate", "clinic", Plan(lr=rate, seed=seed, measure_every=20))
    for seed in SEEDS:
        plan = Plan(lr=3e-4, steps=400, seed=seed, measure_every=50)
        yield Point("steps", "clinic", plan)
    for seed in SEEDS:
        for items in (16, 64):  # all 400: the run above at the same rate
            yield Point("data set", "clinic", Plan(lr=3e-4, seed=seed, measure_every=0), items)
    for domain in ("helpdesk", "contracts"):
        for seed in SEEDS:
            yield Point("learning rate", domain, Plan(lr=1e-3, seed=seed, measure_every=0))


def naive_laptop() -> Iterator[Point]:
    """The same question put to a real language model, as far as a laptop's patience goes."""
    for seed in SEEDS:
        for rate in (3e-5, 1e-4, 1e-3):
            plan = Plan(lr=rate, steps=60, batch_size=8, measure_every=20, seed=seed)
            yield Point("learning rate", "clinic", plan)


def points(name: str, model: str) -> list[Point]:
    """The runs of a grid. Raises InputError for a grid that does not exist."""
    if name != "naive":
        raise InputError(f"There is no grid '{name}'; the grids are: naive.")
    return list(naive() if "nano" in model else naive_laptop())


def folder_name(model: str) -> str:
    """Under data/records: one folder a model size."""
    return "nano" if "nano" in model else "laptop"


def run_grid(name: str, *, model: str, folder: Path, most: int | None = None) -> Iterator[str]:
    """Make the missing runs of a grid, at most `most` of them; a line of news for each."""
    from ftlab.lab import Lab, open_lab

    have = {record.name for record in records.load_all(folder)} if folder.is_dir() else set()
    missing = [point for point in points(name, model) if point.name not in have][:most]
    labs: dict[str, Lab] = {}
    for number, point in enumerate(missing, 1):
        if point.domain not in labs:
            labs[point.domain] = open_lab(point.domain, model=model)
        run = labs[point.domain].run(point.plan, name=point.name, items=point.items).finish()
        items = len(run.rows)
        record = dataclasses.replace(run.record, extra={"sweep": point.sweep, "items": items})
        records.save(record, folder)
        final = record.final
        yield (
            f"{number} of {len(missing)}: {point.name}: {final['target_score']:.0%} right, "
            f"{final['retention']:.0%} kept, {record.seconds:.0f} s"
        )
