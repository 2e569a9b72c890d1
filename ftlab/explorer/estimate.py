"""Between the recorded points: an estimate, with how far off such estimates are.

    y* = m + k(x*, X) (K + noise)^-1 (y - m)         a Gaussian process over the sliders

    made = Estimator(explorer.points)
    made.estimate(settings)        an Estimate, never a measured point
    made.off                       how far off it is, typically: measured by leaving out

Notable choices:
- How far off is measured, not promised: every recorded run is left out in turn, with its shorter
  runs and its other seeds, and estimated from the rest. `off` is the mean distance of that from
  what was recorded.
- Seeds are averaged first: an estimate is of what settings give, not of what a seed does to them.
- How much each slider counts is fitted to the same error, slider by slider, on a part of the runs.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapters 2 and 5.4.
Run the tests: pytest tests/explorer/test_recorded.py
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftlab.explorer.recorded import Recorded
from ftlab.explorer.settings import Settings, place

Array = NDArray[np.float64]
PART = 240
"""How many points the sliders' weights are fitted on."""
WEIGHTS = (0.15, 0.3, 0.6, 1.0)
"""What a slider's coordinate may be multiplied with."""
NOISES = (0.01, 0.03, 0.1, 0.3)
"""What the seeds may add to a point, as a share of the variance."""


@dataclass(frozen=True)
class Estimate:
    """What settings that were never trained would give, probably."""

    settings: Settings
    """What was asked."""
    target_score: float
    """0 to 1."""
    retention: float
    """0 to 1."""
    kept: dict[str, float]
    """The same skill by skill."""
    off: dict[str, float]
    """How far off such an estimate is, typically: target_score and retention."""
    recorded: bool = False
    """An estimate is never a measured point."""


class Estimator:
    """A Gaussian process over the recorded points; an estimate takes about a millisecond."""

    def __init__(self, points: Sequence[Recorded]) -> None:
        """Fit it: how much each slider counts, and what the seeds add."""
        self.skills = [name for name, share in points[0].kept.items() if share is not None]
        alike = _alike(points)
        self.x = np.array([_spot(group[0].settings) for group in alike])  # (N, F)
        self.y = np.array([self._means(group) for group in alike])  # (N, K)
        self.seeds = np.array([len(group) for group in alike])  # (N,)
        self.runs = _numbered([_run(group[0].settings) for group in alike])  # (N,)
        self.mean, spread = self.y.mean(0), self.y.std(0)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.z = (self.y - self.mean) / self.spread
        self.weights, self.noise = self._fit()
        self.inverse = np.linalg.inv(self._kernel(self.weights, self.noise))  # (N, N)
        self.solved = self.inverse @ self.z  # (N, K)

    def estimate(self, asked: Settings) -> Estimate:
        """What `asked` would give; all values from 0 to 1."""
        near = _matern(_apart(_spot(asked)[None] * self.weights, self.x * self.weights))[0]  # (N,)
        values = np.clip(self.mean + self.spread * (near @ self.solved), 0, 1)
        return Estimate(
            settings=asked,
            target_score=float(values[0]),
            retention=float(values[1]),
            kept=dict(zip(self.skills, map(float, values[2:]), strict=True)),
            off=self.off,
        )

    @cached_property
    def off(self) -> dict[str, float]:
        """Mean distance of an estimate from what was recorded, each run left out in turn."""
        made = self.mean + self.spread * left_out(self.inverse, self.z, self.runs)
        error = np.abs(np.clip(made, 0, 1) - np.clip(self.y, 0, 1)).mean(0)
        return {"target_score": float(error[0]), "retention": float(error[1])}

    def _means(self, group: Sequence[Recorded]) -> list[float]:
        rows = [
            [p.target_score, p.retention, *(p.kept[name] or 0.0 for name in self.skills)]
            for p in group
        ]
        return np.mean(rows, axis=0).tolist()

    def _kernel(self, weights: Array, noise: float, part: Any = slice(None)) -> Array:
        x = self.x[part] * weights
        return _matern(_apart(x, x)) + np.diag(noise / self.seeds[part])

    def _fit(self) -> tuple[Array, float]:
        """Slider by slider the weight under which runs left out are estimated best."""
        part = np.flatnonzero(self.runs % max(1, round(len(self.x) / PART)) == 0)

        def error(weights: Array, noise: float) -> float:
            inverse = np.linalg.inv(self._kernel(weights, noise, part))
            made = left_out(inverse, self.z[part], self.runs[part])
            return float(np.abs(made - self.z[part])[:, :2].mean())

        weights, noise = np.full(self.x.shape[1], WEIGHTS[1]), NOISES[1]
        for _ in range(2):
            noise = min(NOISES, key=lambda noise: error(weights, noise))
            for slider in range(len(weights)):
                tried = [_with(weights, slider, weight) for weight in WEIGHTS]
                weights = min(tried, key=lambda tried: error(tried, noise))
        return weights, noise


def left_out(inverse: NDArray[Any], z: Array, runs: NDArray[np.int64]) -> Array:
    """Each run's points estimated from all other runs: z - (block of K^-1)^-1 K^-1 z. (N, K)"""
    solved, made = inverse @ z, z.copy()
    for run in np.unique(runs):
        at = np.flatnonzero(runs == run)
        made[at] -= np.linalg.solve(inverse[np.ix_(at, at)], solved[at])
    return made


def _spot(settings: Settings) -> Array:
    """A point's coordinates, whatever its seed. (F,)"""
    return np.array(place(replace(settings, seed=0))[:-1])


def _run(settings: Settings) -> tuple[Any, ...]:
    """What a point shares with its shorter runs and other seeds."""
    return replace(settings, seed=0, steps=1).key


def _alike(points: Sequence[Recorded]) -> list[list[Recorded]]:
    """Points that differ in their seed alone."""
    groups: dict[Any, list[Recorded]] = {}
    for point in points:
        groups.setdefault(replace(point.settings, seed=0).key, []).append(point)
    return list(groups.values())


def _numbered(keys: Sequence[Any]) -> NDArray[np.int64]:
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys])


def _with(weights: Array, slider: int, weight: float) -> Array:
    return np.where(np.arange(len(weights)) == slider, weight, weights)


def _apart(a: Array, b: Array) -> Array:
    """Distances of all rows of `a` from all rows of `b`. (A, B)"""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def _matern(distance: Array) -> Array:
    """How much points so far apart have in common: 1 at 0, smooth once (Matern 3/2)."""
    scaled = 3**0.5 * distance
    return (1 + scaled) * np.exp(-scaled)
