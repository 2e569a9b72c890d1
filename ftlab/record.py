"""A run's record: what was run, on what, and what came out, as one JSON file.

    path = save(record, folder)       # folder/full-lr-1e-4-3f9a01c2.json
    record == load(path)              # True, to the last bit

Plots, panels and claims read records only, so each can be drawn again without training.

Notable choices:
- A file's name ends in a hash of what was asked for (plan, seed, model, data, device, ...), not of
  what came out: the same run saved again takes its own place, another one never does.
- NaN is stored as null. Files are written whole or not at all, and checked whole when they are
  read: every field against its type here, and against what it follows from (`_contradictions`).
- `compare` stands before every comparison: unequal budgets are refused unless a reason is given.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from ftlab.base.errors import InputError
from ftlab.base.jsonfile import AGAIN, plain, read_as, write_json
from ftlab.form import Count, Evidence, Measurement, PlanFields, Row

TOKENS_APART = 0.05
"""Runs of equally many examples may differ by this share in tokens: other seeds, other texts."""

SCHEMA = 4
"""Of the records written now. 1 had no `schema` and no `suite_checksum`, and its `extra` did not
always say what the method was; up to 2 `retention` counted what was more than 1, and facts twice:
it is computed anew from `kept` when such a record is read. Up to 3 there was no `evidence`."""
SAME = {"facts_choice": "facts"}
"""What asks the same facts in another way."""
IDENTITY = (
    "name", "method", "model", "model_checksum", "domain", "data_checksum", "suite", "plan",
    "seed", "device", "precision", "trainable", "extra", "suite_checksum",
)  # fmt: skip
"""What was asked for: the fields of a record that tell runs apart."""


@dataclass(frozen=True)
class Record:
    """One run. Every field is made plain (see `ftlab.base.jsonfile`), so equality survives the
    disk; the types are those that a file is held to."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str
    """What a plot calls it; unique among the runs that are compared."""
    method: str
    """How it was trained: full, freeze, lora, ..."""
    model: str
    """The base model's name."""
    model_checksum: str
    """Of the base model's weights."""
    domain: str
    """What was learned."""
    data_checksum: str
    """Of the training items (`rows_checksum`)."""
    suite: str
    """What retention was asked of."""
    plan: PlanFields
    """The Plan, as a dict."""
    seed: int
    """As in the plan."""
    device: str
    """cpu or cuda."""
    precision: str
    """fp32, fp16 or bf16."""
    versions: dict[str, str]
    """Of what computed it (`versions`)."""
    command: str
    """What makes the run again."""
    trainable: Count
    """Weights that could move."""
    total: Count
    """All weights."""
    budget: dict[str, Count]
    """{"examples", "tokens", "steps"} seen (`budget`)."""
    curve: Annotated[list[Row], Field(min_length=1)]
    """Every Step, as a dict."""
    baseline: Measurement
    """Full measurement before."""
    final: Measurement
    """Full measurement after."""
    seconds: float | None
    """Of the run, measuring included."""
    peak_memory: int | None
    """Bytes; None where the system does not say."""
    extra: dict[str, Any] = field(default_factory=dict)
    """All that the method was (`extra["method"]`), and what else was asked for."""
    suite_checksum: str = ""
    """Of every question that was asked, on the way and at the end."""
    evidence: Evidence = field(default_factory=dict)
    """Which items turned between baseline and final, and some as text (`evaluate.evidence`)."""
    schema: Annotated[int, Field(ge=1)] = SCHEMA
    """Which fields there are (`SCHEMA`)."""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, plain(getattr(self, f.name)))

    @property
    def file_name(self) -> str:
        """<name as a slug>-<8 digits of what was asked for>.json"""
        names = IDENTITY if self.schema > 1 else IDENTITY[:-1]
        return f"{short_name(self.name, [getattr(self, name) for name in names])}.json"

    @property
    def learned(self) -> float:
        """Accuracy on the new task's test items after training, 0 to 1."""
        return self.final["target_score"]

    @property
    def retained(self) -> float:
        """The share of the base's skills that is left, on average over skills."""
        return self.final["retention"]


def retention(kept: Mapping[str, float | None]) -> dict[str, float | None]:
    """{"retention", "least_retained"} of the shares by skill; both None where there is none."""
    by_skill: dict[str, list[float]] = {}
    for name, share in kept.items():
        if share is not None:
            by_skill.setdefault(SAME.get(name, name), []).append(min(1.0, share))
    shares = [fmean(ways) for ways in by_skill.values()]
    return {
        "retention": fmean(shares) if shares else None,
        "least_retained": min(shares, default=None),
    }


def short_name(name: str, asked: Any) -> str:
    """<name as a slug>-<8 digits of what was asked for>, good for a file on any system."""
    slug = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:60] or "run"
    identity = json.dumps(asked, sort_keys=True)
    return f"{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def save(record: Record, folder: str | Path) -> Path:
    """Write the record into `folder`, made if missing, and give back the file's path."""
    return write_json(Path(folder) / record.file_name, plain(record))


def load(path: str | Path) -> Record:
    """Read a record. Raises InputError, naming the file, when it is missing, damaged or newer."""
    try:
        found: Record = read_as(_STORED, Path(path))
    except _Newer:
        newer = f"{path} was written by a newer ftlab, and this one reads up to schema {SCHEMA}"
        raise InputError(f"{newer}; update ftlab.") from None
    if fault := next(_contradictions(found), None):
        raise InputError(f"{path} is damaged ({fault}); {AGAIN}.")
    return found


class _Newer(Exception):
    pass


def _of_now(stored: Any) -> Any:
    """With the fields that the first schema did not have."""
    if not isinstance(stored, dict):
        return stored
    stored = {"schema": 1, "suite_checksum": ""} | stored
    if isinstance(stored["schema"], int) and stored["schema"] > SCHEMA:
        raise _Newer
    return stored


_STORED = Annotated[Record, BeforeValidator(_of_now)]


def _contradictions(record: Record) -> Iterator[str]:
    """Where two fields do not agree. What older records count otherwise is counted anew."""
    told = [(f"step {row['step']}", row["measured"]) for row in record.curve if row["measured"]]
    for place, measured in [("baseline", record.baseline), ("final", record.final), *told]:
        counted = retention(measured["kept"])
        if record.schema < 3:
            measured |= counted
        elif not counted.items() <= measured.items():
            yield f"{place}: retention does not follow from kept"
    if record.baseline["skills"].keys() != record.final["skills"].keys():
        yield "baseline and final name different skills"
    if record.budget != budget(record.curve):
        yield "the budget is not that of the curve"
    if record.seed != record.plan.get("seed", record.seed):
        yield "the seed is not that of the plan"
    if any(later["step"] <= step["step"] for step, later in pairwise(record.curve)):
        yield "the curve's steps are not in order"


def readable(paths: Iterable[Path], *, named: bool = False) -> tuple[list[Record], list[str]]:
    """The records that can be read, by file name, and a sentence for each other.

    `named`: each must have the name that `save` gave it, so that no run is there twice.
    """
    found, left_out = [], []
    for path in sorted(paths):
        try:
            one = load(path)
            if named and path.name != one.file_name:
                raise InputError(f"{path} should be called {one.file_name}; is it a copy?")
            found.append(one)
        except InputError as error:
            left_out.append(str(error))
    return found, left_out


def load_all(folder: str | Path) -> list[Record]:
    """Every record (*.json) in `folder`, by file name. Raises InputError as `load` does."""
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is no folder of records; check the path.")
    return [load(path) for path in sorted(Path(folder).glob("*.json"))]


def budget(curve: Sequence[Any]) -> dict[str, int]:
    """{"examples", "tokens", "steps"} of a run, from its Steps or their dicts."""
    last = plain(curve[-1])
    return {"examples": last["examples"], "tokens": last["tokens"], "steps": last["step"]}


def compare(records: Iterable[Record], *, because: str | None = None) -> list[Record]:
    """The records, if they may stand side by side.

    They may at equal budget (as many examples; tokens within 5 %), or at matched target score
    (all were stopped by the same `stop_at`). Else `because` must say why: InputError without it.
    """
    records = list(records)
    if (because and because.strip()) or _matched(records):
        return records
    for other in records[1:]:
        if not _equal_budget(records[0], other):
            raise InputError(
                f"{_told(records[0])} and {_told(other)} are unequal budgets; train both alike, "
                "stop both at the same target score, or say because=... why they compare."
            )
    return records


def _equal_budget(a: Record, b: Record) -> bool:
    tokens = sorted((a.budget["tokens"], b.budget["tokens"]))
    return (
        a.budget["examples"] == b.budget["examples"]
        and tokens[1] - tokens[0] <= TOKENS_APART * tokens[1]
    )


def _matched(records: Sequence[Record]) -> bool:
    """Did the same target score end every one of these runs?"""
    targets = {record.plan.get("stop_at") for record in records}
    return len(targets) == 1 and None not in targets and all(map(_stopped, records))


def _stopped(record: Record) -> bool:
    measured = (record.curve[-1].get("measured") if record.curve else None) or {}
    return (measured.get("target_score") or 0.0) >= record.plan["stop_at"]


def _told(record: Record) -> str:
    seen = record.budget
    return f"{record.name} ({seen['examples']:,} examples, {seen['tokens']:,} tokens)"


def versions() -> dict[str, str]:
    """Versions of what computes: Python, and those of the stack that are installed."""
    found = {"python": platform.python_version()}
    for name in ("torch", "transformers", "peft", "accelerate", "bitsandbytes"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def rows_checksum(rows: Iterable[Mapping[str, Any]]) -> str:
    """sha256 of rows in their order, whatever holds them; the order of their keys is nothing."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(plain(row), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()
