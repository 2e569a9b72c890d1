"""The recorded grid of pruning (notebook 08): the same steps, pruned before, after or in between.

    prune("nano-gpt2")          100 steps of 16 notes in all, each record at one sparsity
    prune("smollm2-135m")       60 steps of 8

    tune, prune 50%             steps, then half of every matrix to 0
    prune 50%, tune             the zeros first, and held (masked.py)
    tune, prune 50%, tune       half of the steps before, half after
    update magnitude 20%        the base stays whole; of what tuning changed a fifth is kept
    drop 2, tune                two blocks left out, then all steps on what is left

By magnitude where nothing else is said. Wanda is calibrated once on notes of the task and once on
general text that no measure asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ftlab.datasets.replay import documents
from ftlab.experiments.decoder import laptop_plan, nano_plan
from ftlab.experiments.point import SEEDS, Point
from ftlab.methods import prune as cut
from ftlab.methods.full_tuning import full
from ftlab.methods.lora import LoRA
from ftlab.methods.masked import Masked
from ftlab.models.layers import TARGETS
from ftlab.plan import Plan
from ftlab.text.requests import Text

if TYPE_CHECKING:
    from ftlab.lab.lab import Lab

SPARSITIES = (0.3, 0.5, 0.7)
KEPT = (0.1, 0.2, 0.4)
DROPPED = (1, 2, 4)
CALIBRATION = 64
"""Texts that Wanda and the influence of blocks are computed on."""
NANO, REAL = {3e-4: True, 1e-3: False}, {1e-4: True, 3e-4: True}
"""Rates, the higher one forgets; and whether it is tried in every order (nano-gpt2 has little left
at 1e-3 to prune)."""


@dataclass(frozen=True)
class Pruned:
    """Call it on a lab and a model for the pruned copy."""

    how: str
    """magnitude, random, wanda on notes, wanda on general, update ..., drop."""
    amount: float
    """The sparsity; the share of the update that is kept; how many blocks."""
    seed: int = 0

    def __call__(self, lab: "Lab", model: Any) -> Any:
        if self.how.startswith("update "):
            score = self.how.removeprefix("update ")
            return cut.update(lab.bundle.model, model, self.amount, score=score, seed=self.seed)
        if self.how == "drop":
            return cut.blocks(model, int(self.amount), lab.tokenizer, _texts(lab, "general"))
        if self.how.startswith("wanda on "):
            texts = _texts(lab, self.how.removeprefix("wanda on "))
            return cut.wanda(model, lab.tokenizer, texts, self.amount)
        if self.how == "random":
            return cut.random(model, self.amount, self.seed)
        return cut.magnitude(model, self.amount)


@dataclass(frozen=True)
class Start:
    """What a run starts from: the base pruned, `after` so much training if there is some."""

    pruned: Pruned
    after: Plan | None = None

    def __call__(self, lab: "Lab") -> Any:
        model = _trained(lab, self.after) if self.after else lab.bundle.model
        return self.pruned(lab, model)


@lru_cache(maxsize=1)
def _trained(lab: "Lab", plan: Plan) -> Any:
    """Fully fine-tuned; kept, since several sparsities follow one training."""
    return lab.run(plan, fast=lab.bundle.name == "nano-gpt2").finish().model


def _texts(lab: "Lab", kind: str) -> Sequence[Text]:
    if kind == "notes":
        return [(row["prompt"], row["answer"]) for row in lab.items(CALIBRATION)]
    return [row["answer"] for row in documents(lab.replay_source, CALIBRATION)]


def prune(model: str) -> Iterator[Point]:
    """Every run for one model."""
    plan_of, rates = (nano_plan, NANO) if "nano" in model else (laptop_plan, REAL)
    for seed in SEEDS:
        for rate, orders in rates.items():
            yield from _afterwards(plan_of(rate, seed))
            if orders:
                yield from _before(plan_of(rate, seed))


def _afterwards(plan: Plan) -> Iterator[Point]:
    """What follows the same training stands together, and shares it."""
    after = [(f"tune, prune {share:.0%}", "magnitude", share) for share in SPARSITIES]
    others = ("random", "wanda on notes", "wanda on general")
    after += [(f"tune, {how} 50%", how, 0.5) for how in others]
    after += [
        (f"update {score} {share:.0%}", f"update {score}", share)
        for score in ("magnitude", "fapm")
        for share in KEPT
    ]
    after += [("update random 20%", "update random", 0.2)]
    for sweep, how, amount in after:
        shown = "update" if how.startswith("update") else "tune_prune"
        yield Point(sweep, "clinic", plan, after=Pruned(how, amount, plan.seed), shown=shown)


def _before(plan: Plan) -> Iterator[Point]:
    """Pruned first or in between."""
    half = replace(plan, steps=plan.steps // 2)
    for share in SPARSITIES:
        cut_to = Pruned("magnitude", share)
        for sweep, steps, start, shown in (
            (f"tune, prune {share:.0%}, tune", half, Start(cut_to, after=half), "tune_prune_tune"),
            (f"prune {share:.0%}, tune", plan, Start(cut_to), "prune_tune"),
        ):
            yield Point(sweep, "clinic", steps, method=Masked(), start=start, shown=shown)
    for count in DROPPED:
        fewer = Start(Pruned("drop", count))
        yield Point(
            f"drop {count}, tune", "clinic", plan, method=full, start=fewer, shown="drop_tune"
        )
    adapters = Masked(LoRA({"1-12": 4}, targets=TARGETS))
    tenfold = replace(plan, lr=10 * plan.lr)  # what LoRA wants
    start = Start(Pruned("magnitude", 0.5))
    yield Point(
        "prune 50%, LoRA", "clinic", tenfold, method=adapters, start=start, shown="prune_tune"
    )
