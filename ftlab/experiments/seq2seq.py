"""The recorded grid of encoder-decoder models: which attention learns what, on two shifts.

    points("seq2seq", "nano-t5")          what `ftlab grid seq2seq` makes

Two domains that shift one side each (world/shifts.py). LoRA on each attention alone, on each pair
and on all three, always with equally many trained parameters; the article's plan; full fine-tuning;
either stack frozen. Every method at several rates, three seeds. And full fine-tuning on the three
domains of the workbook, as text to text.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from ftlab.experiments.point import SEEDS, Point
from ftlab.methods.attention_lora import AttentionLoRA, FreezeStack
from ftlab.plan import Plan

SHIFTS = ("new_format", "new_words")
DOMAINS = ("clinic", "helpdesk", "contracts")
ATTENTIONS = ("decoder", "cross", "encoder")
RANK = 24
"""Of an attention alone; two share it (12 each), and three (8 each)."""
LORA_RATES = (3e-4, 1e-3, 3e-3)
FULL_RATES = (1e-4, 3e-4, 1e-3)
FROZEN_RATES = (1e-4, 3e-4)


def seq2seq() -> Iterator[Point]:
    """Every run; seeds stand outside, so that an unfinished grid holds whole seeds."""
    for seed in SEEDS:
        for domain in SHIFTS:
            for rate in FULL_RATES:
                yield _point("learning rate", domain, rate, seed)
            for rate in LORA_RATES:
                for sweep, method in attentions().items():
                    yield _point(sweep, domain, rate, seed, method)
            for rate in FROZEN_RATES:
                for stack in ("encoder", "decoder"):
                    yield _point(f"freeze_{stack}", domain, rate, seed, FreezeStack(stack))

    for seed in SEEDS:
        for domain in DOMAINS:
            for rate in FULL_RATES[:2]:
                yield _point("learning rate", domain, rate, seed)


def _point(sweep: str, domain: str, rate: float, seed: int, method: Any = None) -> Point:
    return Point(sweep, domain, Plan(lr=rate, seed=seed, measure_every=20), method=method)


def attentions() -> dict[str, Any]:
    """The LoRA plans by name: each attention, each pair, all three; equally many parameters."""
    plans: dict[str, Any] = {}
    for count in (1, 2, 3):
        for kinds in combinations(ATTENTIONS, count):
            name = sweep_name(kinds)
            plans[name] = AttentionLoRA(dict.fromkeys(kinds, RANK // count))
    return plans | {"lora_article": AttentionLoRA()}


def sweep_name(kinds: tuple[str, ...]) -> str:
    """What the records call a set of attentions."""
    return "lora_kinds" if len(kinds) == len(ATTENTIONS) else "lora_" + "_".join(kinds)
