"""The rank explorer's sliders: their stops, a position of all of them, and where to begin.

    Settings(ranks=(0, 8, 16), lr=3e-3)        one position
    PRESETS["all-linear"]                      a known one

Notable choices:
- Bands are 1-6, 7-9 and 10-12 of 12 blocks, those of the article, whose table is then one position
  of the sliders.
- Settings that train the same are the same: the alphas of a band without rank, the targets of a
  model without adapters, and of full fine-tuning everything but the frozen blocks, rate, schedule,
  steps and seed are not looked at.

Run the tests: pytest tests/explorer/test_settings.py
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from ftlab.base.door import checked
from ftlab.base.errors import InputError

BANDS = ("1-6", "7-9", "10-12")
"""Lower, middle and upper band of blocks."""
RANKS = (0, 1, 2, 4, 8, 16, 32)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
STEPS = (20, 40, 80)
SEEDS = (0, 1, 2)
TARGETS = {
    "qv": ("q", "v"),
    "qkvo": ("q", "k", "v", "o"),
    "ff": ("ff",),
    "all": ("q", "k", "v", "o", "ff"),
}
"""What adapters stand on, by the name of the choice."""
ALPHAS = {"r/2": 0.5, "r": 1.0, "scaled": 2.0, "4r": 4.0, "8r": 8.0, "fixed": (16.0, 16.0, 32.0)}
"""alpha / r of every band, by default 2; or the article's alphas whatever the rank (lower: 16)."""
FROZEN = (0, 3, 6, 9, 11)
"""Lowest blocks that stand still in full fine-tuning."""
SCHEDULES = ("constant", "cosine")
"""cosine warms up for a tenth of the steps."""


@checked
@dataclass(frozen=True)
class Settings:
    """One position of all sliders."""

    ranks: tuple[int, int, int] = (0, 8, 16)
    """Of the lower, middle and upper band; 0 is no adapter."""
    alphas: Literal["r/2", "r", "scaled", "4r", "8r", "fixed"] = "scaled"
    """One of ALPHAS."""
    targets: Literal["qv", "qkvo", "ff", "all"] = "qv"
    """One of TARGETS."""
    head: bool = False
    """Train the head too, on weights of its own."""
    lr: float = 3e-3
    """Peak learning rate."""
    schedule: Literal["constant", "cosine"] = "constant"
    """One of SCHEDULES."""
    steps: int = 40
    """Of 16 items."""
    seed: int = 0
    """Of the data's order and the adapters' first weights."""
    naive: bool = False
    """Full fine-tuning: everything moves, and there are no adapters."""
    frozen: int = 0
    """Of full fine-tuning: so many lowest blocks stand still, and with them embeddings and head."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranks", tuple(self.ranks))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{name}={getattr(self, name)!r} is not known; "
                    f"choose one of {', '.join(choices)}."
                )
        if len(self.ranks) != 3 or not all(isinstance(r, int) and r >= 0 for r in self.ranks):
            bands = ", ".join(BANDS)
            raise InputError(
                f"ranks={self.ranks!r} is not possible; give whole numbers from 0 for {bands}."
            )
        if not 0 <= self.frozen <= 11:
            raise InputError(
                f"frozen={self.frozen!r} is not possible; of 12 blocks freeze 0 to 11."
            )
        if not (math.isfinite(self.lr) and self.lr > 0 and self.steps > 0):
            raise InputError(
                f"lr={self.lr!r} with steps={self.steps!r} is not possible; both are above 0."
            )

    @property
    def moves(self) -> bool:
        """Is anything trained at all?"""
        return self.naive or self.head or any(self.ranks)

    @property
    def scales(self) -> tuple[float, float, float]:
        """alpha / r of each band; 0 where there is no adapter."""
        given = ALPHAS[self.alphas]
        alphas = given if isinstance(given, tuple) else [given * rank for rank in self.ranks]
        pairs = zip(alphas, self.ranks, strict=True)
        low, middle, high = (alpha / rank if rank else 0.0 for alpha, rank in pairs)
        return low, middle, high

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for settings that train the same; seed and steps stand last."""
        tail = float(f"{self.lr:.4g}"), self.schedule, self.seed, self.steps
        if self.naive or not any(self.ranks):
            return self.naive, self.frozen if self.naive else self.head, *tail
        return self.naive, self.head, self.ranks, self.scales, self.targets, *tail

    def differs(self, other: "Settings") -> tuple[str, ...]:
        """What `other` has in place of what these settings have, in words."""
        if self.key == other.key:
            return ()
        apart = [f.name for f in dataclasses.fields(self) if _apart(f.name, self, other)]
        ours, theirs = _told(self), _told(other)
        return tuple(f"{name} {theirs[name]} in place of {ours[name]}" for name in apart)


_CHOICES = {"alphas": tuple(ALPHAS), "targets": tuple(TARGETS), "schedule": SCHEDULES}


def _apart(name: str, a: Settings, b: Settings) -> bool:
    """Do they differ in this field, where it matters?"""
    if name in ("ranks", "alphas", "targets", "head") and (a.naive or b.naive):
        return False
    if name == "frozen" and not (a.naive and b.naive):
        return False
    if name == "alphas":
        return a.alphas != b.alphas and a.scales != b.scales
    if name == "targets" and not (any(a.ranks) and any(b.ranks)):
        return False
    return getattr(a, name) != getattr(b, name)


def _told(settings: Settings) -> dict[str, str]:
    said = {f.name: str(getattr(settings, f.name)) for f in dataclasses.fields(settings)}
    said |= {"ranks": " / ".join(map(str, settings.ranks)), "lr": f"{settings.lr:g}"}
    return said | {name: "yes" if getattr(settings, name) else "no" for name in ("head", "naive")}


FIRST = "feed-forward"
PRESETS = {
    FIRST: Settings(ranks=(16, 16, 16), targets="ff", steps=80),
    "naive": Settings(naive=True),
    "the article's table": Settings(),
    "the article's table and head": Settings(head=True),
    "Q/V everywhere": Settings(ranks=(8, 8, 8)),
    "all-linear": Settings(ranks=(4, 4, 4), targets="all"),
}
"""Positions to begin at; `FIRST` is where the explorer opens."""


def place(settings: Settings) -> list[float]:
    """Where settings lie: coordinates in which one stop of a slider is about 1. (F,)"""
    none = settings.naive or not any(settings.ranks)
    ranks = [0 if settings.naive else math.log2(1 + rank) for rank in settings.ranks]
    scales = [0.0 if none or not s else 0.7 * math.log2(s / 2) for s in settings.scales]
    on = [] if none else TARGETS[settings.targets]
    return [
        *ranks,
        *scales,
        *(1.2 * (target in on) for target in ("q", "k", "ff")),
        1.5 * (settings.head and not settings.naive),
        2.0 * math.log10(settings.lr / 1e-3),
        1.0 * (settings.schedule == "cosine"),
        1.0 * math.log2(settings.steps / 40),
        10.0 * settings.naive,
        0.3 * settings.frozen * settings.naive,
        0.1 * (settings.seed % 10),
    ]
