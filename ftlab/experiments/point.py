"""One run of a grid: what is learned, how, and by which method."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ftlab.plan import Plan

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Point:
    """One run of a grid."""

    sweep: str
    """What the run is about: the method, or the quantity that differs from its neighbours."""
    domain: str
    """What is learned."""
    plan: Plan
    """How."""
    items: int | None = None
    """How many training items (None: all)."""
    method: Callable[..., Any] | None = None
    """What may move (None: everything)."""
    replay: float = 0.0
    """Share of general text."""
    replay_source: str | None = None
    """Whose (None: the suite's)."""
    shown: str | None = None
    """The method's name in plots, where it is not what the method calls itself."""
    start: Callable[[Any], Any] | None = None
    """lab -> the model that is trained (None: the base)."""
    after: Callable[[Any, Any], Any] | None = None
    """(lab, trained model) -> the model that is measured (None: the trained one)."""
    tasks: tuple[str, ...] = ()
    """Domains that are learned one after another (none: `domain` alone)."""
    link: str = "continue"
    """How one follows another (`Lab.sequence`)."""
    walk: float = 1.0
    """How much of its way the model keeps after each."""
    base: Any = None
    """How the base is put into four bits (a Quantize), and measured so (None: it is not)."""

    stop_loss: float | None = None
    """The run ends where the target loss on the way is at most that, nats per token (None: not)."""

    @property
    def training(self) -> "Point":
        """What decides how it is trained: points that are pruned afterwards may share that."""
        return replace(self, sweep="", shown=None, after=None)

    @property
    def name(self) -> str:
        """Unique in its grid; begins the record's file name."""
        words = [self.sweep, self.domain, f"lr {self.plan.lr:g}", f"{self.plan.steps} steps"]
        words += [f"{self.items} items"] if self.items else []
        words += [f"{self.plan.schedule}"] if self.plan.schedule != "constant" else []
        words += [f"warmup {self.plan.warmup}"] if self.plan.warmup else []
        words += [f"replay {self.replay:.0%}"] if self.replay else []
        return ", ".join([*words, f"seed {self.plan.seed}"])
