"""The recorded grid of QLoRA: the same adapters, plans and seeds as on a plain base.

    points("qlora", "nano-gpt2")          what `ftlab grid qlora` makes

Its counterparts with LoRA on the plain base, in the same precision, are in the grids decoder
(lora_all) and seq2seq (lora_kinds); for the real model they are made here. The baseline of a run
of QLoRA is the base in four bits, so what quantizing alone costs is not counted as forgetting; it
is the difference of the two baselines.
"""

from collections.abc import Iterator
from typing import Any

from ftlab.experiments.decoder import even, laptop_plan
from ftlab.experiments.point import SEEDS, Point
from ftlab.experiments.seq2seq import SHIFTS, attentions
from ftlab.methods.lora import LoRA
from ftlab.methods.qlora import QLoRA
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS
from ftlab.plan import Plan

RATES = (1e-3, 3e-3, 1e-2)
"""Those of lora_all in the grid decoder."""
BASE = Quantize()


def qlora(model: str) -> Iterator[Point]:
    """Every run for one model."""
    if model == "nano-t5":
        yield from _seq2seq()
    elif model == "nano-gpt2":
        yield from _nano()
    else:
        yield from _laptop()


def _nano() -> Iterator[Point]:
    adapters = LoRA({"1-12": 4}, targets=TARGETS)
    for seed in SEEDS:
        for rate in RATES:
            yield _point(Plan(lr=rate, seed=seed, measure_every=20), adapters)


def _laptop() -> Iterator[Point]:
    """With its counterpart: the runs of lora_even in the grid decoder were made in bfloat16."""
    adapters = even({"1-10": 1, "11-12": 2})
    for seed in SEEDS:
        yield _point(laptop_plan(1e-3, seed), adapters)
    for seed in SEEDS:
        yield Point("lora_even", "clinic", laptop_plan(1e-3, seed), method=adapters)


def _seq2seq() -> Iterator[Point]:
    for seed in SEEDS:
        for domain in SHIFTS:
            plan = Plan(lr=1e-3, seed=seed, measure_every=20)
            yield _point(plan, attentions()["lora_kinds"], domain)


def _point(plan: Plan, adapters: Any, domain: str = "clinic") -> Point:
    return Point("qlora", domain, plan, method=QLoRA(adapters, BASE, name="qlora"), base=BASE)
