"""The run of a position of the sliders: what *Train it for real* trains."""

from typing import TYPE_CHECKING, Any

from ftlab.base.errors import InputError
from ftlab.explorer.settings import BANDS, TARGETS, Settings

if TYPE_CHECKING:  # torch comes with it
    from ftlab.lab.lab import Lab
    from ftlab.lab.run import Run

EVERY = 20
"""Steps between the measured points of a run."""


def method_of(settings: Settings) -> Any:
    """The method that trains these settings. Raises InputError where nothing would move."""
    from ftlab.methods.freeze import Freeze
    from ftlab.methods.full_tuning import full
    from ftlab.methods.lora import LoRA

    if not settings.moves:
        raise InputError("No band has a rank and the head is still: give one of them something.")
    if settings.naive:
        still, moving = f"1-{settings.frozen}", f"{settings.frozen + 1}-12"
        return Freeze({still: 0.0, moving: 1.0}, name="explorer") if settings.frozen else full
    if not any(settings.ranks):
        return Freeze({"1-12": 0.0}, head=1.0, norm=0.0, untied=True, name="head")
    bands = [(b, r, s * r) for b, r, s in zip(BANDS, settings.ranks, settings.scales, strict=True)]
    return LoRA(
        {band: rank for band, rank, _ in bands if rank},
        alphas={band: alpha for band, rank, alpha in bands if rank},
        targets=TARGETS[settings.targets],
        head=settings.head,
        name="explorer",
    )


def run_of(lab: "Lab", settings: Settings, *, every: int = EVERY) -> "Run":
    """The run of these settings, the fast way; a point every `every` steps."""
    from ftlab.plan import Plan

    asked = Plan(
        steps=settings.steps,
        lr=settings.lr,
        schedule=settings.schedule,
        warmup=settings.steps // 10 if settings.schedule == "cosine" else 0,
        seed=settings.seed,
        measure_every=every,
    )
    return lab.run(asked, method=method_of(settings), name="explorer", fast=True, store=False)
