"""The recorded grids of decoder models: every run by name, for the small model and for a real one.

    naive()        full fine-tuning with nothing to protect the base (notebook 01)
    decoder()      remedies (notebooks 02 to 04)

Seeds stand outside, so that an unfinished grid holds whole seeds. Rates were chosen after one
seed each; the rates that lie at the ends are there to show where a method stops learning, and
where it breaks.
"""

from collections.abc import Iterator
from typing import Any

from ftlab.experiments.point import SEEDS, Point
from ftlab.methods.lora import LoRA
from ftlab.methods.table import named
from ftlab.models.layers import TARGETS
from ftlab.plan import Plan
from ftlab.train.schedules import lr_factors

RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)


def naive() -> Iterator[Point]:
    """Full fine-tuning with nothing to protect the base: notebook 01's four causes."""
    for seed in SEEDS:
        for rate in RATES:
            yield Point("learning rate", "clinic", Plan(lr=rate, seed=seed, measure_every=20))
    for seed in SEEDS:
        plan = Plan(lr=3e-4, steps=400, seed=seed, measure_every=50)
        yield Point("steps", "clinic", plan)
    for seed in SEEDS:
        for items in (16, 64):  # all 400: the run above at the same rate
            yield Point("data set", "clinic", Plan(lr=3e-4, seed=seed, measure_every=0), items)
    for domain in ("helpdesk", "contracts"):
        for seed in SEEDS:
            yield Point("learning rate", domain, Plan(lr=1e-3, seed=seed, measure_every=0))


def naive_laptop() -> Iterator[Point]:
    """The same question put to a real language model, as far as a laptop's patience goes."""
    for seed in SEEDS:
        for rate in (3e-5, 1e-4, 1e-3):
            yield Point("learning rate", "clinic", laptop_plan(rate, seed))


def laptop_plan(rate: float, seed: int, **more: Any) -> Plan:
    """How every run on the real model is trained."""
    return Plan(lr=rate, steps=60, batch_size=8, measure_every=20, seed=seed, **more)


def decoder() -> Iterator[Point]:
    """Remedies for a GPT-style model (notebooks 02 to 04); the baseline is the grid naive."""
    for seed in SEEDS:
        yield from _remedies(seed)
        yield from _schedules(seed)
        yield from _placements(seed)


def _remedies(seed: int) -> Iterator[Point]:
    """Each method at a few rates."""
    for sweep, method in freezings(seed).items():
        gentle = (1e-4,) if sweep in ("freeze_low", "freeze_top") else ()
        for rate in (*gentle, 3e-4, 1e-3, 3e-3):
            yield _nano(sweep, rate, seed, method=method)
    for rate in (1e-4, 3e-4, 1e-3):
        yield _nano("replay", rate, seed, replay=0.05)
    for rate in (1e-3, 3e-3, 1e-2):
        yield _nano("lora_band", rate, seed, method=LoRA.article())
        yield _nano("lora_even", rate, seed, method=even({"1-8": 1, "9-12": 2}))
    for rate in (3e-4, 1e-3, 3e-3):
        yield _nano("lora_head", rate, seed, method=LoRA.article(head=True))


def _schedules(seed: int) -> Iterator[Point]:
    """Cosine at equal peak and at equal area; warmups of several lengths."""
    for rate in (1e-4, 3e-4, 1e-3):
        yield _nano("schedule", rate, seed, shown="schedule", schedule="cosine", warmup=10)
    for rate in (3e-4, 1e-3):  # the constant rate with the area of that cosine
        yield _nano("equal area", round(rate * cosine_area(100, 10), 9), seed, shown="full")
    for warmup in (10, 50):
        yield _nano("warmup", 1e-3, seed, shown="schedule", warmup=warmup)


def _placements(seed: int) -> Iterator[Point]:
    """LoRA here and there at equal parameters (18, 9, 7, 4: 110,592, and 107,520 for ff)."""
    for rate in (1e-3, 3e-3, 1e-2):
        for sweep, rank, targets in PLACES:
            yield _nano(sweep, rate, seed, method=LoRA({"1-12": rank}, targets=targets))
    for rank in (2, 64):  # at the same alpha / r
        yield _nano(f"rank {rank}", 3e-3, seed, method=LoRA({"1-12": rank}))


PLACES = (
    ("lora_qv", 18, ("q", "v")),
    ("lora_attention", 9, ("q", "k", "v", "o")),
    ("lora_ff", 7, ("ff",)),
    ("lora_all", 4, TARGETS),
)


def decoder_laptop() -> Iterator[Point]:
    """The remedies on a real language model; full fine-tuning is in the grid naive."""
    for seed in SEEDS:
        spread = even({"1-10": 1, "11-12": 2})
        yield Point("lora_band", "clinic", laptop_plan(1e-3, seed), method=LoRA.article())
        yield Point("lora_even", "clinic", laptop_plan(1e-3, seed), method=spread)
        for rate in (1e-4, 1e-3):
            cosine = laptop_plan(rate, seed, schedule="cosine", warmup=6)
            yield Point("schedule", "clinic", cosine, shown="schedule")
        flat = laptop_plan(round(1e-3 * cosine_area(60, 6), 9), seed)
        yield Point("equal area", "clinic", flat, shown="full")
        low = freezings(seed)["freeze_low"]
        yield Point("freeze_low", "clinic", laptop_plan(1e-4, seed), method=low)
        yield Point("replay", "clinic", laptop_plan(1e-4, seed), replay=0.05)
    for seed in SEEDS:
        top = freezings(seed)["freeze_top"]
        yield Point("freeze_top", "clinic", laptop_plan(1e-4, seed), method=top)


def _nano(
    sweep: str,
    rate: float,
    seed: int,
    *,
    method: Any = None,
    replay: float = 0.0,
    shown: str | None = None,
    **more: Any,
) -> Point:
    plan = Plan(lr=rate, seed=seed, measure_every=20, **more)
    return Point(sweep, "clinic", plan, method=method, replay=replay, shown=shown)


def freezings(seed: int) -> dict[str, Any]:
    """The article's plan and its controls; embeddings are frozen in all of them."""
    return {
        name: named(name, seed) for name in ("freeze", "freeze_low", "freeze_top", "freeze_any")
    }


def even(ranks: dict[str, int]) -> LoRA:
    """As many parameters as the article's plan without its head, over all linear layers."""
    return LoRA(ranks, targets=TARGETS, name="lora_even")


def cosine_area(steps: int, warmup: int) -> float:
    """Mean of the factors of warmup + cosine: what a constant rate is multiplied with."""
    factors = lr_factors("cosine", steps=steps, warmup=warmup)
    return sum(factors) / len(factors)
