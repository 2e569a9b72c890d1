"""The recorded grid behind the rank explorer: what a slider's position gives, without training.

    found = Explorer.load()                        data/records/explorer.jsonl
    asked = Settings(ranks=(0, 8, 16), lr=3e-3)
    found.nearest(asked)                           a recorded point, and how it differs, if it does
    found.estimate(asked)                          an estimate, and how far off such are

A recorded point was trained and measured as it stands. An estimate never was, and is of another
type, so that no picture can show the one as the other.

Notable choices:
- A run at a constant rate passes through its shorter runs: each point on its way is a recorded
  result for so many steps. Under a cosine only its end is.
- Settings that train the same are the same (`ftlab.explorer.settings`).

Run the tests: pytest tests/explorer/test_recorded.py
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.explorer.settings import Settings, place


@dataclass(frozen=True)
class Recorded:
    """A point that was trained and measured exactly as it stands."""

    settings: Settings
    """What was trained."""
    target_score: float
    """Right answers on the validation items, 0 to 1."""
    retention: float
    """Share of the base's skills kept, guessing taken off."""
    kept: dict[str, float | None]
    """The same skill by skill; None where the base had nothing to keep."""
    more: dict[str, float | None]
    """seen_score, held_score, target_loss, general_loss, and loss, of the training step."""
    trainable: int
    """Numbers that could move."""
    curve: tuple[tuple[int, float, float], ...] = field(repr=False)
    """(step, target score, retention) on the way here."""

    @property
    def size(self) -> int:
        """Bytes of what was trained, in float32."""
        return 4 * self.trainable


@dataclass(frozen=True)
class Nearest:
    """The recorded point that is closest to what was asked."""

    recorded: Recorded
    """As it was measured."""
    distance: float
    """0 for the very same; 1 is about one stop of one slider, 0.1 another seed."""
    differs: tuple[str, ...]
    """What it has in place of what was asked; empty for the very same."""

    @property
    def exact(self) -> bool:
        """Is it exactly what was asked?"""
        return not self.differs


class Explorer:
    """All recorded points of a file; lookups take a few milliseconds."""

    def __init__(self, header: Mapping[str, Any], points: Sequence[Recorded]) -> None:
        """`header` says what made them. Raises InputError where there is no point."""
        if not points:
            raise InputError("The explorer's grid holds no run yet; make it: ftlab grid explorer.")
        self.header = dict(header)
        # the first, where a long run passes through what a shorter one ended with
        self._by_key = {point.settings.key: point for point in reversed(points)}
        self.points = tuple(p for p in points if self._by_key[p.settings.key] is p)
        self._places = np.array([place(point.settings) for point in self.points])  # (N, F)

    @classmethod
    def load(cls, path: Path | None = None) -> "Explorer":
        """Read a file that `ftlab grid explorer` made; by default the one that ships."""
        path = path or data_dir() / "records" / FILE
        header, runs = read(path)
        return cls(header, [point for run in runs for point in points_of(run)])

    def nearest(self, asked: Settings) -> Nearest:
        """The recorded point closest to `asked`; exact where it was recorded itself."""
        if not asked.moves:
            return Nearest(self._base(asked), 0.0, ())
        if asked.key in self._by_key:
            return Nearest(self._by_key[asked.key], 0.0, ())
        apart = np.sqrt(((self._places - place(asked)) ** 2).sum(1))  # (N,)
        best = int(apart.argmin())
        found = self.points[best]
        return Nearest(found, float(apart[best]), asked.differs(found.settings))

    def estimate(self, asked: Settings) -> Any:
        """An `Estimate` (ftlab.explorer.estimate) from all points around."""
        return self.estimator.estimate(asked)

    @cached_property
    def estimator(self) -> Any:
        """What estimates; fitted on first use (a second or so)."""
        from ftlab.explorer.estimate import Estimator

        return Estimator(self.points)

    def _base(self, asked: Settings) -> Recorded:
        """Where nothing moves, the base is the answer, as it was measured before training."""
        return _recorded(asked, 0, [{**self.header["baseline"], "step": 0, "loss": None}])


FILE = "explorer.jsonl"
_MORE = ("seen_score", "held_score", "target_loss", "general_loss", "loss")


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the runs of a file; a last line that was cut off is left out.

    Raises InputError where there is no file, or none of this kind.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; make it with: ftlab grid explorer.")
    try:
        header, *runs = map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); delete it and make it again.") from error
    if header.get("kind") != "explorer":
        raise InputError(f"{path} is no explorer's grid; make one with: ftlab grid explorer.")
    return header, runs


def points_of(run: Mapping[str, Any]) -> list[Recorded]:
    """The recorded points of one run: all measured steps at a constant rate, else its end."""
    whole, found = Settings(**run["settings"]), run["points"]
    ends = range(len(found)) if whole.schedule == "constant" else [len(found) - 1]
    ways = [found[: end + 1] for end in ends]
    steps = [dataclasses.replace(whole, steps=way[-1]["step"]) for way in ways]
    return [_recorded(s, run["trainable"], way) for s, way in zip(steps, ways, strict=True)]


def _recorded(settings: Settings, trainable: int, way: Sequence[Mapping[str, Any]]) -> Recorded:
    last = way[-1]
    return Recorded(
        settings=settings,
        target_score=last["target_score"],
        retention=last["retention"],
        kept=dict(last["kept"]),
        more={name: last[name] for name in _MORE},
        trainable=trainable,
        curve=tuple((p["step"], p["target_score"], p["retention"]) for p in way),
    )
