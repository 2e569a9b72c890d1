"""LoRA on a plain base beside QLoRA on the same base in four bits: the recorded pairs.

    for pair in pairs():
        pair.where, pair.lora.text("retention"), pair.qlora.text("retention")
        left(pair.qlora, pair.plain)            what is left of the plain base, seed by seed

Both of a pair have the same adapters, plan, precision, data and seeds. Each run's retention counts
from its OWN base; `left` counts from the plain one, so it includes what quantizing cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftlab.analysis import compare
from ftlab.analysis.compare import Setting, rate_text
from ftlab.base.errors import InputError

SOURCES = (
    (("nano", "qlora"), "nano-gpt2", "clinic", "lora_all", "nano-gpt2, rate {}"),
    (("qlora",), "smollm2-135m", "clinic", "lora_even", "SmolLM2-135M, rate {}"),
    (("nano-t5", "qlora"), "nano-t5", "new_format", "lora_kinds", "nano-t5, new format"),
    (("nano-t5", "qlora"), "nano-t5", "new_words", "lora_kinds", "nano-t5, new words"),
)
"""Folders of records, model, domain, LoRA's sweep, and what the pair is called at its rate."""


@dataclass(frozen=True)
class Pair:
    """Two settings that differ only in their base."""

    where: str
    """Model and rate, or domain."""
    plain: Mapping[str, Any]
    """The plain base, measured fully."""
    lora: Setting
    """Adapters beside plain weights."""
    qlora: Setting
    """The same adapters beside 4-bit codes."""

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
    runs = {folder: compare.shipped(folder) for folder in ("nano", "nano-t5", "qlora")}
    found = []
    for folders, model, domain, sweep, where in SOURCES:
        mine = (run for folder in folders for run in runs[folder] if run.model == model)
        here = compare.settings(mine, domain=domain)
        for qlora in compare.pick(here, "qlora"):
            lora, seeds = compare.pick(here, sweep, qlora.lr)[0], {run.seed for run in qlora.runs}
            lora = Setting(lora.name, tuple(run for run in lora.runs if run.seed in seeds))
            name = where.format(rate_text(qlora.lr))
            found.append(Pair(name, lora.runs[0].baseline, lora, qlora))
    return found


def left(setting: Setting, plain: Mapping[str, Any]) -> list[float]:
    """Share of the plain base's skills that is left after training, seed by seed."""
    return [compare.retained_of(run.final, plain) for run in setting.runs]
