"""The recorded grid of sequences (notebook 10): four tasks, one after another, linked in many ways.

    sequence("nano-gpt2")       100 steps of 16 notes a task
    sequence("smollm2-135m")    60 steps of 8

    LoRA continued              one adapter trained on
    LoRA merged                 added into the weights, and a new one
    LoRA switched               one adapter per task, on the base
    full                        all weights, trained on
    ... + replay                5 % of what is read: general text and earlier tasks' items in turn
    ... (reversed)              the tasks from the last to the first
    full + EWC 100, + walk      held by EWC, also with replay; after each task back to 0.7

All are runs of the lab of `clinic`, so `final` counts what is left of that.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ftlab.experiments.decoder import laptop_plan, method_of, nano_plan
from ftlab.experiments.point import SEEDS, Point
from ftlab.methods.anchors import EWC
from ftlab.plan import Plan

ORDERS = {
    "": ("clinic", "helpdesk", "contracts", "ledger"),
    " (reversed)": ("ledger", "contracts", "helpdesk", "clinic"),
    " (mixed)": ("contracts", "clinic", "ledger", "helpdesk"),
}
"""By the ending of a sweep's name."""
SHARE = 0.05
WALK = 0.7
LINKS = {"continued": "continue", "merged": "merge", "switched": "switch"}


def sequence(model: str) -> Iterator[Point]:
    """Every sequence for one model, seed by seed."""
    for seed in SEEDS:
        yield from _nano(seed) if "nano" in model else _real(seed)


def _nano(seed: int) -> Iterator[Point]:
    plan, adapters = (replace(nano_plan(rate, seed), measure_every=25) for rate in (3e-4, 3e-3))
    yield from _adapters(adapters)
    yield _point("full", plan)
    yield _point("full + replay", plan, replay=SHARE)
    yield _point("full + EWC 100", plan, method=EWC(100.0), shown="ewc")
    yield _point("full + walk", plan, walk=WALK, shown="walk")
    gentle = replace(plan, lr=1e-4)
    yield _point("full", gentle)
    yield _point("full + replay", gentle, replay=SHARE)
    yield _point("full + EWC 100 + replay", plan, method=EWC(100.0), shown="ewc", replay=SHARE)
    yield _point("full + EWC 1000", plan, method=EWC(1000.0), shown="ewc")
    for order in list(ORDERS)[1:]:
        for link in ("continued", "merged"):
            yield _lora(link, adapters, order)
            yield _lora(link, adapters, order, replay=SHARE)


def _real(seed: int) -> Iterator[Point]:
    for rate in (1e-3, 3e-3):
        yield from _adapters(replace(laptop_plan(rate, seed), measure_every=30), real=True)


def _adapters(plan: Plan, *, real: bool = False) -> Iterator[Point]:
    """The main lines: how adapters are linked, without and with replay."""
    for replay in (0.0, SHARE):
        for link in ("continued", "merged"):
            yield _lora(link, plan, replay=replay, real=real)
    yield _lora("switched", plan, real=real)


def _lora(
    link: str, plan: Plan, order: str = "", *, replay: float = 0.0, real: bool = False
) -> Point:
    name = f"LoRA {link}" + (" + replay" if replay else "")
    method = method_of("lora_all", plan.seed, real=real)
    return _point(name, plan, order, method=method, link=LINKS[link], replay=replay)


def _point(sweep: str, plan: Plan, order: str = "", **more: Any) -> Point:
    return Point(sweep + order, "clinic", plan, tasks=ORDERS[order], **more)
