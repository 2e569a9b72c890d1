"""What a position of the rank explorer's sliders gives, without training.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ftlab.base.checksums import shipped
from ftlab.base.errors import InputError
from ftlab.explorer.estimate import Estimate, Estimator
from ftlab.explorer.recorded import FILE, Recorded, point_at, points_of, read
from ftlab.explorer.settings import Settings, place


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
            raise InputError(
                "The explorer's grid holds no run yet; make it: python -m tools.data.explorer."
            )
        self.header = dict(header)
        # the first, where a long run passes through what a shorter one ended with
        self._by_key = {point.settings.key: point for point in reversed(points)}
        self.points = tuple(p for p in points if self._by_key[p.settings.key] is p)
        self._places = np.array([place(point.settings) for point in self.points])  # (N, F)

    @classmethod
    def load(cls, path: Path | None = None) -> "Explorer":
        """Read a file that `python -m tools.data.explorer` made; by default the one that ships."""
        header, runs = read(path or shipped(f"records/{FILE}"))
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

    def estimate(self, asked: Settings) -> Estimate:
        """An `Estimate` (ftlab.explorer.estimate) from all points around."""
        return self.estimator.estimate(asked)

    @cached_property
    def estimator(self) -> Estimator:
        """What estimates; fitted on first use (a second or so)."""
        return Estimator(self.points)

    def _base(self, asked: Settings) -> Recorded:
        """Where nothing moves, the base is the answer, as it was measured before training."""
        return point_at(asked, 0, [{**self.header["baseline"], "step": 0, "loss": None}])
