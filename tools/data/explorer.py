"""The runs behind the rank explorer's sliders, and their maker: `python -m tools.data.explorer`.

    plan()                                     the settings of every run, most useful first
    for news in make(path): print(news)        makes what is missing in the file

In this order, so that an unfinished grid is of use already:
    presets     6 presets x 5 rates x 2 seeds, seed by seed
    lines       one slider at a time through the presets, at one seed
    sample      positions drawn at random over all sliders

Notable choices:
- Trained the short way (`lab.run(fast=True)`), 80 steps with a point every 20, so that one run at a
  constant rate answers for 20, 40 and 80 steps. Half of the sample and of the cosines is shorter.
- One line a run, written whole: what has its line is not made again, and a last line that a crash
  cut off is dropped. The first line says what made the file, and a file of another base, other
  data or other sizes is not added to.
- Measured on the VALIDATION items and a fixed draw of the probes: the explorer is where one
  chooses, and what one chooses by is not what one reports.

Run the tests: pytest tests/explorer/test_recorded.py
"""

import argparse
import dataclasses
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.base.paths import data_dir
from ftlab.base.quiet import quiet
from ftlab.cli.main import single
from ftlab.cli.terminal import check_folder
from ftlab.explorer.live import run_of
from ftlab.explorer.recorded import FILE, read
from ftlab.explorer.settings import (
    ALPHAS,
    BANDS,
    FIRST,
    FROZEN,
    PRESETS,
    RANKS,
    RATES,
    SCHEDULES,
    SEEDS,
    STEPS,
    TARGETS,
    Settings,
)
from tools.making import check_most, options

if TYPE_CHECKING:  # torch comes with it
    from ftlab.lab.lab import Lab

LOT = 40
"""How many positions are drawn."""
DRAW = "explorer 1"
"""What they are drawn by."""
COMMAND = "python -m tools.data.explorer"


def plan() -> list[Settings]:
    """The settings of every run, each once, most useful first."""
    found = [*_presets(), *_lines(), *sample(LOT)]
    once: dict[Any, Settings] = {}
    for settings in found:
        once.setdefault(settings.key, settings)
    return list(once.values())


def _presets() -> Iterator[Settings]:
    for seed in SEEDS[:2]:
        for preset in PRESETS.values():
            for rate in RATES:
                yield _long(preset, lr=rate, seed=seed)


def _long(settings: Settings, **other: Any) -> Settings:
    return dataclasses.replace(settings, **{"steps": STEPS[-1], **other})


def _lines() -> Iterator[Settings]:
    """One slider at a time, then two where the second says what the first means."""
    first, article, everywhere, linear = (
        PRESETS[n] for n in (FIRST, "the article's table", "Q/V everywhere", "all-linear")
    )
    low, middle, high = first.ranks
    for rank in RANKS:
        yield _long(first, ranks=(low, middle, rank))
        yield _long(first, ranks=(low, rank, high))
        yield _long(first, ranks=(rank, middle, high))
        yield _long(first, ranks=(rank, rank, rank), head=rank == 0)
        yield _long(article, ranks=(0, 8, rank))
        yield _long(article, ranks=(0, rank, 16))
        yield _long(article, ranks=(rank, 8, 16))
        yield _long(everywhere, ranks=(rank, rank, rank), head=rank == 0)
        yield _long(linear, ranks=(rank, rank, rank), head=rank == 0)
    for targets in TARGETS:
        yield _long(article, targets=targets)
        yield _long(everywhere, targets=targets)
        yield _long(linear, targets=targets, head=True)
    for ranks in ((0, 4, 8), (0, 1, 2), (0, 32, 32), (8, 8, 8), (2, 2, 2)):
        yield _long(article, ranks=ranks, alphas="fixed")
    for alphas in list(ALPHAS)[:-1]:
        for preset in (first, article, everywhere, linear):
            yield _long(preset, alphas=alphas)
    for frozen in FROZEN:
        for rate in RATES[1:4]:
            yield _long(PRESETS["naive"], frozen=frozen, lr=rate)
    for steps in (STEPS[1], STEPS[2], STEPS[0]):
        for preset in PRESETS.values():
            for rate in RATES[2:] if steps == STEPS[1] else RATES[3:4]:
                yield _long(preset, lr=rate, steps=steps, schedule="cosine")


def sample(count: int) -> list[Settings]:
    """Random positions, the same ones always; a band has no adapter in half of them."""
    dice = random.Random(DRAW)
    return [_drawn(dice, number) for number in range(count)]


def _drawn(dice: random.Random, number: int) -> Settings:
    ranks = tuple(dice.choice([0, dice.choice(RANKS[1:])]) for _ in BANDS)
    return Settings(
        ranks=(ranks[0], ranks[1], ranks[2]),
        alphas=dice.choices(["scaled", "fixed"], weights=(3, 1))[0],  # pyright: ignore
        targets=dice.choice(list(TARGETS)),  # pyright: ignore
        head=dice.random() < 0.3 or not any(ranks),
        lr=dice.choices(RATES, weights=(1, 2, 3, 3, 2))[0],
        schedule=dice.choices(SCHEDULES, weights=(2, 1))[0],  # pyright: ignore
        steps=STEPS[1 + number % 2],
        seed=dice.choice(SEEDS),
    )


def row_of(lab: "Lab", settings: Settings) -> dict[str, Any]:
    """Train the settings and give the run's line."""
    run = run_of(lab, settings)
    points = [_point(s.step, s.loss, s.measured) for s in run if s.step and s.measured]
    return {
        "settings": dataclasses.asdict(settings),
        "trainable": run.prepared.trainable,
        "seconds": round(run.seconds, 1),
        "points": points,
    }


_KEPT = (
    "target_score", "seen_score", "held_score", "target_loss", "general_loss", "retention", "kept",
)  # fmt: skip


def _point(step: int, loss: float | None, measured: dict[str, Any]) -> dict[str, Any]:
    found = {"step": step, "loss": loss} | {name: measured[name] for name in _KEPT}
    return {name: _short(value) for name, value in found.items()}


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def header(lab: "Lab") -> dict[str, Any]:
    """What makes the file: the same for all of its runs."""
    from ftlab import record as records
    from ftlab.base import machine

    baseline = lab.teacher_forced.baseline
    return {
        "kind": "explorer",
        "command": COMMAND,
        "model": lab.bundle.name,
        "model_checksum": lab.bundle.checksum,
        "domain": lab.domain.name,
        "data_checksum": records.rows_checksum(lab.items()),
        "suite": lab.suite.name,
        "measured_on": {"split": "validation", **lab.fast_sizes},
        "draw": DRAW,
        "device": machine.device(),
        "precision": machine.precision(),
        "versions": records.versions(),
        "baseline": {name: _short(baseline[name]) for name in _KEPT},
    }


_SAME = ("model_checksum", "data_checksum", "suite", "measured_on", "baseline")


def make(path: Path, *, most: int | None = None, lab: "Lab | None" = None) -> Iterator[str]:
    """Add the runs that the file lacks, at most `most` of them; a line of news for each.

    Raises InputError for a file that was made from another base, other data or other sizes.
    """
    lab = lab or _lab()
    have = _open(path, header(lab))
    missing = [settings for settings in plan() if settings.key not in have][:most]
    for number, settings in enumerate(missing, 1):
        try:
            row = row_of(lab, settings)
        except InputError as error:  # training that diverged; the others go on
            yield f"{number} of {len(missing)}: {name_of(settings)}: left out: {error}"
            continue
        _append(path, row)
        last = row["points"][-1]
        yield (
            f"{number} of {len(missing)}: {name_of(settings)}: {last['target_score']:.0%} learned, "
            f"{last['retention']:.0%} retained, {row['seconds']:.0f} s"
        )


def _lab() -> "Lab":
    from ftlab.lab.lab import open_lab

    return open_lab("clinic", model="nano-gpt2")


def _open(path: Path, expected: dict[str, Any]) -> set[Any]:
    """Begin the file, or mend and check the one that is there: the keys of its runs."""
    if not path.is_file() or b"\n" not in path.read_bytes():
        _write(path, [expected])
        return set()
    found, runs = read(path)
    for name in _SAME:
        if found.get(name) != json.loads(json.dumps(expected[name])):
            raise InputError(
                f"{path} was made with another {name}; give another --out, or delete it to make "
                "it anew."
            )
    _write(path, [found, *runs])  # without a line that was cut off
    return {Settings(**run["settings"]).key for run in runs}


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    with whole(path) as part:
        part.write_text("".join(map(_line, lines)), encoding="utf-8", newline="\n")


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(_line(line))
        file.flush()
        os.fsync(file.fileno())


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n"


def name_of(settings: Settings) -> str:
    """A run in words, for lists and news."""
    what = [f"{settings.targets} {settings.ranks}", settings.alphas, "head" * settings.head]
    what = ["full", f"{settings.frozen} frozen"] if settings.naive else what
    words = [*what, f"lr {settings.lr:g}"]
    words += [settings.schedule, f"{settings.steps} steps", f"seed {settings.seed}"]
    return ", ".join(word for word in words if word)


def command(asked: argparse.Namespace) -> int:
    """Make what is missing of the explorer's grid, a line for each run."""
    check_most(asked.most)
    if asked.list:
        print("\n".join(map(name_of, plan())))
        return 0
    path = check_folder(asked.out or data_dir() / "records") / FILE
    quiet()
    asked.stopped = f"finished runs are in {path}; the same command goes on"
    for news in make(path, most=asked.most):
        print(news, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(single(COMMAND, options("data/records"), command))
