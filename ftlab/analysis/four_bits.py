"""LoRA on a plain base beside QLoRA on the same base in four bits: the recorded pairs.

    for pair in pairs():
        pair.where, pair.lora.told("retention"), pair.qlora.told("retention")
        left(pair.qlora, pair.plain)            what is left of the plain base, seed by seed

Both of a pair have the same adapters, plan, precision, data and seeds. Each run's retention counts
from its OWN base; `left` counts from the plain one, so it holds what quantizing took as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftlab.analysis import compare
from ftlab.analysis.compare import Setting
from ftlab.base.errors import InputError

REAL = "smollm2-135m"
SHIFTS = {"new_format": "new format", "new_words": "new words"}


@dataclass(frozen=True)
class Pair:
    """Two settings that differ in their base alone."""

    where: str
    """Model and what else tells the pair from others."""
    plain: Mapping[str, Any]
    """The plain base, measured fully."""
    lora: Setting
    """Adapters beside plain weights."""
    qlora: Setting
    """The same adapters beside codes."""

    def __post_init__(self) -> None:
        kinds = {run.precision for run in (*self.lora.runs, *self.qlora.runs)}
        seeds = [[run.seed for run in s.runs] for s in (self.lora, self.qlora)]
        if len(kinds) > 1 or seeds[0] != seeds[1]:
            raise InputError(
                f"The runs of '{self.where}' differ in precision ({', '.join(sorted(kinds))}) or "
                "in seeds, so they are no pair; record both alike."
            )


def pairs() -> list[Pair]:
    """All recorded pairs, small models first and last, the real one between."""
    four = compare.shipped("qlora")
    small = compare.settings(compare.shipped("nano"))
    found = []
    for qlora in compare.pick(_of(four, "nano-gpt2"), "qlora"):
        lora = compare.pick(small, "lora_all", qlora.lr)[0]
        found.append(_pair(f"nano-gpt2, rate {qlora.lr:g}", lora, qlora))
    real = _of(four, REAL)
    for qlora in compare.pick(real, "qlora"):
        lora = compare.pick(real, "lora_even", qlora.lr)[0]
        found.append(_pair(f"SmolLM2-135M, rate {qlora.lr:g}", lora, qlora))
    t5 = compare.shipped("nano-t5")
    for domain, words in SHIFTS.items():
        qlora = compare.pick(_of(four, "nano-t5", domain), "qlora")[0]
        lora = compare.pick(compare.settings(t5, domain=domain), "lora_kinds", qlora.lr)[0]
        found.append(_pair(f"nano-t5, {words}", lora, qlora))
    return found


def _of(runs: list[Any], model: str, domain: str = "clinic") -> list[Setting]:
    return compare.settings([run for run in runs if run.model == model], domain=domain)


def _pair(where: str, lora: Setting, qlora: Setting) -> Pair:
    return Pair(where, lora.runs[0].baseline, lora, qlora)


def left(setting: Setting, plain: Mapping[str, Any]) -> list[float]:
    """Share of the plain base's skills that is left after training, seed by seed."""
    return [compare.retained_of(run.final, plain) for run in setting.runs]
