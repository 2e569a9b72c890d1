"""The recorded grid of adapters (notebook 07): seven ways to leave every weight of a model alone.

    adapters("nano-gpt2")       100 steps of 16 notes
    adapters("smollm2-135m")    60 steps of 8
    adapters("nano-t5")         a prefix, which reaches its decoder's own attention alone

Each at rates a factor of 3 apart until its best lies inside. LoRA of rank 2 on all linear layers,
bottleneck, prefix and OFT train about as many parameters (nano 47,616 to 55,296; the real model
535,680 to 610,560). IA3 has one size, a prompt as large is too long, OSF protects its default half.
"""

from collections.abc import Iterator
from typing import Any

from ftlab.experiments.decoder import Rates, laptop_plan, nano_plan
from ftlab.experiments.point import SEEDS, Point
from ftlab.experiments.seq2seq import SHIFTS
from ftlab.methods.bottleneck import Bottleneck
from ftlab.methods.lora import LoRA
from ftlab.methods.virtual_tokens import Prefix, Prompt
from ftlab.methods.weight_adapters import IA3, OFT, OSF
from ftlab.models.layers import TARGETS
from ftlab.plan import Plan

NANO: Rates = {
    "lora_small": (1e-3, 3e-3, 1e-2, 3e-2),
    "bottleneck": (1e-3, 3e-3, 1e-2, 3e-2),
    "prefix": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    "prefix_words": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    "prompt": (3e-2, 1e-1, 3e-1),
    "ia3": (3e-3, 1e-2, 3e-2, 1e-1),
    "oft": (1e-3, 3e-3, 1e-2),
    "osf": (1e-4, 3e-4, 1e-3, 3e-3),
}
REAL: Rates = {
    "lora_small": (3e-4, 1e-3, 3e-3),
    "bottleneck": (3e-4, 1e-3, 3e-3),
    "prefix": (1e-3, 3e-3, 1e-2, 3e-2),
    "prefix_words": (1e-3, 3e-3, 1e-2, 3e-2),
    "prompt": (3e-3, 1e-2, 3e-2, 1e-1),
    "ia3": (3e-3, 1e-2, 3e-2),
    "oft": (1e-4, 3e-4, 1e-3, 3e-3),
    "osf": (3e-5, 1e-4, 3e-4),
}
T5: Rates = {"prefix": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)}
"""At random: an encoder-decoder's keys cannot be had from words."""


def adapters(model: str) -> Iterator[Point]:
    """Every run for one model, seed by seed."""
    if model == "nano-t5":
        rates, plan, domains = T5, _nano_t5_plan, SHIFTS
    elif model == "nano-gpt2":
        rates, plan, domains = NANO, nano_plan, ("clinic",)
    else:
        rates, plan, domains = REAL, laptop_plan, ("clinic",)
    methods = adapters_of(model)
    for seed in SEEDS:
        for domain in domains:
            for sweep, several in rates.items():
                for rate in several:
                    yield Point(sweep, domain, plan(rate, seed), method=methods[sweep])


def adapters_of(model: str) -> dict[str, Any]:
    """The methods by sweep, of equal size where that can be."""
    tokens = 16 if "nano" in model else 48
    return {
        "lora_small": LoRA({"1-12": 2}, targets=TARGETS, name="lora_small"),
        "bottleneck": Bottleneck(8),
        "prefix": Prefix(tokens),
        "prefix_words": Prefix(tokens, start="vocabulary"),
        "prompt": Prompt(tokens),
        "ia3": IA3(),
        "oft": OFT(),
        "osf": OSF(),
    }


def _nano_t5_plan(rate: float, seed: int) -> Plan:
    return Plan(lr=rate, seed=seed, measure_every=20)
