"""The recorded grid of decoder models (notebooks 01 to 04): every run by name.

    decoder("nano-gpt2")        the small model, 100 steps of 16 notes
    decoder("smollm2-135m")     a real one, 60 steps of 8

Every method has rates a factor of 3 apart, extended until its best lies inside: the same right to
choose for each. Seeds stand outside, so that an unfinished grid holds whole seeds. Two more seeds
are run at the rate that the first three chose (`CHOSEN`).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ftlab.experiments.point import SEEDS, Point
from ftlab.methods.lora import LoRA
from ftlab.methods.table import named
from ftlab.models.layers import TARGETS
from ftlab.plan import Plan
from ftlab.train.schedules import lr_factors

Rates = dict[str, tuple[float, ...]]

NANO: Rates = {
    "learning rate": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3),
    "schedule": (1e-4, 3e-4, 1e-3),
    "replay": (3e-5, 1e-4, 3e-4, 1e-3),
    "replay 25": (1e-4, 3e-4, 1e-3),
    "freeze": (3e-4, 1e-3, 3e-3),
    "freeze_low": (1e-4, 3e-4, 1e-3, 3e-3),
    "freeze_top": (1e-4, 3e-4, 1e-3),
    "freeze_any": (1e-4, 3e-4, 1e-3, 3e-3),
    "lora_all": (1e-3, 3e-3, 1e-2),
    "lora_ff": (1e-3, 3e-3, 1e-2),
    "lora_attention": (3e-4, 1e-3, 3e-3, 1e-2),
    "lora_qv": (3e-4, 1e-3, 3e-3, 1e-2),
    "lora_even": (1e-3, 3e-3, 1e-2),
    "lora_band": (1e-3, 3e-3, 1e-2),
    "lora_head": (3e-4, 1e-3, 3e-3, 1e-2),
}
REAL: Rates = {
    "learning rate": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
    "schedule": (3e-5, 1e-4, 3e-4, 1e-3),
    "replay": (3e-5, 1e-4, 3e-4, 1e-3),
    "replay 25": (1e-4, 3e-4, 1e-3),
    "freeze": (3e-5, 1e-4, 3e-4, 1e-3),
    "freeze_low": (3e-5, 1e-4, 3e-4, 1e-3),
    "freeze_top": (3e-5, 1e-4, 3e-4, 1e-3),
    "lora_all": (3e-4, 1e-3, 3e-3),
    "lora_ff": (3e-4, 1e-3, 3e-3),
    "lora_attention": (1e-4, 3e-4, 1e-3, 3e-3),
    "lora_qv": (1e-4, 3e-4, 1e-3, 3e-3),
    "lora_even": (3e-4, 1e-3, 3e-3),
    "lora_band": (3e-4, 1e-3, 3e-3, 1e-2),
    "lora_head": (1e-4, 3e-4, 1e-3),
}
CHOSEN: dict[str, float] = {
    "learning rate": 1e-4,
    "schedule": 3e-4,
    "replay": 3e-4,
    "replay 25": 3e-4,
    "freeze": 1e-3,
    "freeze_low": 1e-3,
    "freeze_top": 3e-4,
    "freeze_any": 3e-4,
    "lora_all": 1e-3,
    "lora_ff": 1e-3,
    "lora_attention": 1e-3,
    "lora_qv": 3e-4,
    "lora_even": 3e-3,
    "lora_band": 1e-3,
    "lora_head": 3e-3,
}
"""Where nano-gpt2 learned most with 90 % retained, over the first three seeds (a test looks)."""
REPLAY = {"replay": 0.05, "replay 25": 0.25}
DOMAINS: Rates = {
    "learning rate": (1e-4, 3e-4, 1e-3),
    "freeze_low": (3e-4, 1e-3),
    "lora_all": (1e-3, 3e-3),
}
"""On nano, for each of the other domains."""
REAL_DOMAINS: Rates = {"learning rate": (3e-5, 1e-4, 3e-4), "lora_all": (3e-4, 1e-3, 3e-3)}
OTHERS = ("helpdesk", "contracts", "ledger")
LONGER: Rates = {
    "learning rate": (1e-5, 3e-5, 1e-4),
    "replay": (3e-5, 1e-4),
    "replay 25": (1e-4, 3e-4),
    "freeze": (1e-4, 3e-4, 1e-3),
    "freeze_low": (3e-5, 1e-4, 3e-4),
    "freeze_top": (3e-5, 1e-4, 3e-4),
    **dict.fromkeys(("lora_all", "lora_ff"), (3e-4, 1e-3, 3e-3)),
    **dict.fromkeys("lora_attention lora_qv lora_even lora_band".split(), (1e-3, 3e-3)),
    "lora_head": (3e-4, 1e-3),
}
"""On nano up to 400 steps, until the target loss is at `LEVEL`: who has learned equally much?"""
LEVEL = 0.137
"""Half of what guessing the urgency costs nano-gpt2 on clinic, nats per token (a test looks)."""
REAL_LONGER: Rates = {
    "learning rate": (3e-5,),
    "freeze_low": (1e-4,),
    "replay": (1e-4,),
    "lora_all": (1e-3,),
    "lora_qv": (1e-3,),
}
"""On the real model 300 steps: does LoRA only need longer?"""


def decoder(model: str) -> Iterator[Point]:
    """Every run for one model."""
    yield from _nano() if "nano" in model else _real()


def _nano() -> Iterator[Point]:
    for seed in SEEDS:
        yield from _sweeps(NANO, nano_plan, seed)
        yield Point("steps", "clinic", Plan(lr=3e-4, steps=400, seed=seed, measure_every=50))
        for items in (16, 64):  # all 400: the run above at the same rate
            yield Point("data set", "clinic", nano_plan(3e-4, seed), items)
        yield from _schedules(seed)
        for rank in (2, 64):  # at the same alpha / r
            adapters = LoRA({"1-12": rank})
            yield Point(f"rank {rank}", "clinic", nano_plan(3e-3, seed), method=adapters)
        for sweep, rate in _each(LONGER):
            plan = Plan(lr=rate, steps=400, seed=seed, measure_every=20)
            point = _point(sweep, plan, name=f"{sweep} longer")
            yield replace(point, stop_loss=LEVEL)
    for seed in SEEDS:
        for domain in OTHERS:
            yield from _sweeps(DOMAINS, _at_the_end, seed, domain)
    for seed in (3, 4):
        for sweep, rate in CHOSEN.items():
            yield from _sweeps({sweep: (rate,)}, nano_plan, seed)


def _real() -> Iterator[Point]:
    for seed in SEEDS:
        yield from _sweeps(REAL, laptop_plan, seed, real=True)
        flat = laptop_plan(round(1e-3 * cosine_area(60, 6), 9), seed)
        yield Point("equal area", "clinic", flat, shown="full")
        if not seed:
            for domain in OTHERS:
                yield from _sweeps(REAL_DOMAINS, laptop_plan, seed, domain, real=True)
        for sweep, rate in _each(REAL_LONGER):
            plan = Plan(lr=rate, steps=300, batch_size=8, measure_every=20, seed=seed)
            yield _point(sweep, plan, real=True, name=f"{sweep} longer")


def _schedules(seed: int) -> Iterator[Point]:
    """The constant rate with the area of a cosine; warmups of several lengths."""
    for rate in (3e-4, 1e-3):
        flat = nano_plan(round(rate * cosine_area(100, 10), 9), seed)
        yield Point("equal area", "clinic", flat, shown="full")
    for warmup in (10, 50):
        warmed = nano_plan(1e-3, seed, warmup=warmup)
        yield Point("warmup", "clinic", warmed, shown="schedule")


def _sweeps(
    rates: Rates, plan: Any, seed: int, domain: str = "clinic", *, real: bool = False
) -> Iterator[Point]:
    """Each sweep at its rates."""
    for sweep, rate in _each(rates):
        cosine = sweep == "schedule"
        more = {"schedule": "cosine", "warmup": plan(rate, seed).steps // 10} if cosine else {}
        yield _point(sweep, plan(rate, seed, **more), domain, real=real)


def _each(rates: Rates) -> Iterator[tuple[str, float]]:
    return ((sweep, rate) for sweep, several in rates.items() for rate in several)


def _point(
    sweep: str, plan: Plan, domain: str = "clinic", *, real: bool = False, name: str = ""
) -> Point:
    shown = "schedule" if sweep == "schedule" else None
    method = method_of(sweep, plan.seed, real=real)
    replay = REPLAY.get(sweep, 0.0)
    return Point(name or sweep, domain, plan, method=method, replay=replay, shown=shown)


def method_of(sweep: str, seed: int, *, real: bool = False) -> Any:
    """What a sweep trains: LoRA here and there with equally many parameters (nano 110,592, feed-
    forward 107,520); None for full fine-tuning."""
    qv, attention, ff = (21, 11, 6) if real else (18, 9, 7)
    thin = {"1-10": 1, "11-12": 2} if real else {"1-8": 1, "9-12": 2}
    adapters = {
        "lora_qv": LoRA({"1-12": qv}),
        "lora_attention": LoRA({"1-12": attention}, targets=("q", "k", "v", "o")),
        "lora_ff": LoRA({"1-12": ff}, targets=("ff",)),
        "lora_all": LoRA({"1-12": 4}, targets=TARGETS),
        "lora_band": LoRA.article(),
        "lora_head": LoRA.article(head=True),
        "lora_even": even(thin),
    }
    if sweep in adapters:
        return adapters[sweep]
    return named(sweep, seed) if sweep.startswith("freeze") else None


def nano_plan(rate: float, seed: int, measure_every: int = 20, **more: Any) -> Plan:
    """How runs on nano-gpt2 are trained."""
    return Plan(lr=rate, seed=seed, measure_every=measure_every, **more)


def _at_the_end(rate: float, seed: int) -> Plan:
    """The same, measured once."""
    return Plan(lr=rate, seed=seed, measure_every=0)


def laptop_plan(rate: float, seed: int, measure_every: int = 10, **more: Any) -> Plan:
    """How runs on the real model are trained."""
    return Plan(lr=rate, steps=60, batch_size=8, measure_every=measure_every, seed=seed, **more)


def even(ranks: dict[str, int]) -> LoRA:
    """As many parameters as the article's plan without its head, over all linear layers."""
    return LoRA(ranks, targets=TARGETS, name="lora_even")


def cosine_area(steps: int, warmup: int) -> float:
    """Mean of the factors of warmup + cosine: what a constant rate is multiplied with."""
    factors = lr_factors("cosine", steps=steps, warmup=warmup)
    return sum(factors) / len(factors)
