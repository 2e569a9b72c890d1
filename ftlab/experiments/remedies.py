"""The recorded grid of remedies (notebook 09): what takes the forgetting away, and at what price.

    remedies("nano-gpt2")       100 steps of 16 notes
    remedies("smollm2-135m")    60 steps of 8

    walk 60%                    fully fine-tuned, then 0.6 of the way from the base
    walk 20% to 100%            the same by depth, first block to last (LiNeS)
    replay 5%, walk 80%         the recipe: a little general text on the way, then back
    replay own 5%, english 5%   written by the base itself; of another world
    ewc 100, kl 1, l2sp 0.1     anchors, by strength
    dft, eaft, stm              token losses; "known": of a task that is half learned before

What was trained once is measured at several places (`Walked`), and at its end only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftlab.experiments.decoder import laptop_plan, method_of, nano_plan
from ftlab.experiments.point import SEEDS, Point
from ftlab.methods.anchors import EWC, KL, L2SP
from ftlab.methods.between import partway
from ftlab.methods.token_losses import DFT, EAFT, STM
from ftlab.plan import Plan

if TYPE_CHECKING:
    from ftlab.lab.lab import Lab

HALF = 20
"""Steps of plain training at 3e-4 after which nano-gpt2 half knows its task."""


@dataclass(frozen=True)
class Walked:
    """Call it on a lab and a trained model for the model that far from the base."""

    first: float
    """The share of the way; by depth, that of the first block."""
    last: float | None = None
    """By depth, that of the last block."""

    def __call__(self, lab: "Lab", model: Any) -> Any:
        return partway(lab.bundle.model, model)(self.first, self.last)

    @property
    def name(self) -> str:
        """Begins with "walk"."""
        return f"walk {self.first:.0%}" + (f" to {self.last:.0%}" if self.last is not None else "")


@dataclass(frozen=True)
class Known:
    """What a run starts from: a base that half knows the task."""

    seed: int

    def __call__(self, lab: "Lab") -> Any:
        plan = Plan(lr=3e-4, steps=HALF, seed=self.seed + 100, measure_every=0)
        return lab.run(plan, fast=lab.bundle.name == "nano-gpt2").finish().model


WALKS = tuple(Walked(a) for a in (0.2, 0.4, 0.6, 0.8))
LINES = Walked(0.4, 1.0)
END = Walked(1.0)
"""All of the way, in the same precision: the decoder's grid ran on a card, in bf16."""
BACK = (Walked(0.8), Walked(0.9), Walked(0.7))


def remedies(model: str) -> Iterator[Point]:
    """Every run for one model, seed by seed."""
    for seed in SEEDS:
        yield from _nano(seed) if "nano" in model else _real(seed)


def _nano(seed: int) -> Iterator[Point]:
    for rate in (3e-4, 1e-3):
        plan = nano_plan(rate, seed, measure_every=0)
        yield from _walks(plan, (*WALKS, LINES))
        for method in (EWC(100.0), EWC(1000.0), L2SP(0.1), KL(1.0)):
            yield _anchored(method, plan)
        for losses in (DFT(), EAFT()):
            yield _point(losses.kind, plan, losses)
    for rate in (1e-4, 3e-4):
        yield from _walks(nano_plan(rate, seed, measure_every=0), BACK[:2], replay=0.05)
    plan = nano_plan(3e-4, seed, measure_every=0)
    for method in (KL(0.1, on="notes"), KL(1.0, on="notes")):
        yield _anchored(method, plan)
    yield _point("stm", plan, STM())
    for share in (0.01, 0.1):
        yield Point(f"replay {share:.0%}", "clinic", plan, replay=share)
    for source in ("own", "english"):
        yield _replayed(source, plan)
    adapters = method_of("lora_all", seed)
    after = nano_plan(3e-3, seed, measure_every=0)
    yield from _walks(after, WALKS[1:], method=adapters, name="lora_all, ")
    for losses in (None, DFT(), EAFT(), STM()):
        shown = losses.kind if losses else "full"
        yield Point(
            f"known, {shown}", "clinic", plan, method=losses, start=Known(seed), shown=shown
        )
    if not seed:  # which strength: looked for on one seed
        for method in (EWC(10.0), EWC(10000.0), L2SP(0.03), L2SP(0.3), KL(0.3), KL(3.0)):
            yield _anchored(method, plan)


def _real(seed: int) -> Iterator[Point]:
    plan = laptop_plan(3e-4, seed, measure_every=0)
    yield from _walks(plan, (*WALKS, LINES, END))
    yield from _walks(plan, (*BACK, END), replay=0.05)
    for method in (EWC(100.0), KL(1.0), L2SP(0.1)):
        yield _anchored(method, plan)
    yield _point("dft", plan, DFT())
    gentle = laptop_plan(1e-4, seed, measure_every=0)
    yield from _walks(gentle, (*BACK, END), replay=0.05)
    yield from _walks(gentle, (END,))
    yield _anchored(EWC(10.0), plan)
    yield _anchored(KL(1.0, on="notes"), plan)
    yield _point("eaft", plan, EAFT())


def _walks(
    plan: Plan, places: tuple[Walked, ...], *, method: Any = None, replay: float = 0.0,
    name: str = "",
) -> Iterator[Point]:  # fmt: skip
    for place in places:
        before = f"replay {replay:.0%}, " if replay else name
        yield Point(
            before + place.name, "clinic", plan, method=method, replay=replay, after=place,
            shown="recipe" if replay else "lines" if place.last is not None else "walk",
        )  # fmt: skip


def _anchored(method: Any, plan: Plan) -> Point:
    return _point(f"{method.name.replace('_', ' ')} {method.strength:g}", plan, method)


def _point(sweep: str, plan: Plan, method: Any) -> Point:
    return Point(sweep, "clinic", plan, method=method, shown=method.name)


def _replayed(source: str, plan: Plan) -> Point:
    return Point(
        f"replay {source} 5%", "clinic", plan, replay=0.05, replay_source=source,
        shown=f"replay_{source}",
    )  # fmt: skip
