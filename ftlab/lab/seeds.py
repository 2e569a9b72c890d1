"""Runs of one plan: read from what was given, and held to differ in nothing but the seed."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from ftlab import record as records
from ftlab.base.errors import InputError

SAME = "model model_checksum domain data_checksum suite suite_checksum trainable".split()
"""What runs of one plan have in common, beside the plan and what the method was."""


def seeds_of(given: Any) -> tuple[records.Record, ...]:
    """The records of a run, a record, a file, a folder, or a list of these, by seed.

    Raises InputError for what is none of these, and for runs that differ in more than the seed.
    """
    one = isinstance(given, str | Path | records.Record) or hasattr(given, "record")
    each = [given] if one or not isinstance(given, Iterable) else given
    runs = sorted((run for part in each for run in _records(part)), key=lambda run: run.seed)
    if not runs:
        raise InputError("There is no run to report on; give at least one.")
    for other in runs[1:]:
        _check_alike(runs[0], other)
    for run, other in pairwise(runs):
        if run.seed == other.seed:
            raise InputError(f"Seed {run.seed} is there twice; give each seed once.")
    return tuple(runs)


def _records(given: Any) -> list[records.Record]:
    if isinstance(given, records.Record):
        return [given]
    if hasattr(given, "record"):
        return [given.record]
    if not isinstance(given, str | Path):
        raise InputError(
            f"{given!r:.60} is no run; give a run that was trained, its record, or the file of one."
        )
    try:
        found = records.load_all(given) if Path(given).is_dir() else [records.load(given)]
    except InputError:
        raise
    except (OSError, ValueError) as error:  # text that can be no path
        raise InputError(f"{given!s:.60} cannot be read; give the file of a record.") from error
    if not found:
        raise InputError(f"There is no record in {given}; give the file that `ftlab run` named.")
    return found


def _check_alike(first: records.Record, other: records.Record) -> None:
    a, b = _asked(first), _asked(other)
    for name in sorted(a.keys() | b.keys()):
        if a.get(name) != b.get(name):
            raise InputError(
                f"{first.name} and {other.name} differ in {name.replace('_', ' ')} "
                f"({a.get(name)!s:.40} and {b.get(name)!s:.40}); a report is of one plan and its "
                "seeds: name the files one by one."
            )


def _asked(run: records.Record) -> dict[str, Any]:
    """What was asked for, without the seed."""
    method = run.extra.get("method")
    method = method | {"seed": 0} if isinstance(method, dict) else method
    same = {name: getattr(run, name) for name in SAME}
    taken = None if run.plan.get("stop_at") else run.budget["steps"]
    same |= {"method": method, "seed": 0, "kind": run.method, "steps taken": taken}
    return run.plan | run.extra | same
