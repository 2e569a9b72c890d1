"""What a training run is asked to do (`Plan`) and what it reports of each step (`Step`).

Both are plain data without torch, so that a record, a plot or the command line can hold them.
A plan that contradicts itself cannot be made: it is refused, in one sentence, when it is written.

    Plan(steps=100, lr=3e-4, schedule="cosine", warmup=10)
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from ftlab.base.door import checked
from ftlab.base.errors import InputError

SCHEDULES = ("constant", "cosine", "linear")
LOSSES = ("answer", "text")
OPTIMIZERS = ("adamw", "adamw8bit", "paged_adamw", "paged_adamw8bit")


@checked
@dataclass(frozen=True)
class Plan:
    """How to train. What may move is not said here: that is a method's business."""

    steps: int = 100
    """Optimiser steps, at least 1."""
    batch_size: int = 16
    """Items in a step, over all processes together."""
    lr: float = 1e-3
    """Peak learning rate, above 0. A parameter group with an `lr` of its own keeps that as peak."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """What the learning rate does after the warmup."""
    warmup: int = 0
    """Steps in which the learning rate rises from 0 to the peak; at most `steps`."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices; biases and norms (one axis) never decay."""
    clip: float = 1.0
    """Largest norm of the whole gradient; 0 switches clipping off."""
    loss_on: Literal["answer", "text"] = "answer"
    """Which tokens are learned: the answer and its end, or the prompt as well."""
    seed: int = 0
    """Decides the order of the data and every dropout mask; 0 or more."""
    measure_every: int = 10
    """Steps between measurements; 0 measures before the first and after the last step only."""
    stop_at: float | None = None
    """Target score that ends the run when it is measured, in (0, 1]; None runs all steps."""
    max_tokens: int = 128
    """Longest text in tokens, prefix and end included. A longer item is refused, never cut."""
    checkpoint_every: int = 25
    """Steps between checkpoints, where train() is given a folder; 0 switches them off."""
    optimizer: Literal["adamw", "adamw8bit", "paged_adamw", "paged_adamw8bit"] = "adamw"
    """What takes the steps; all but the first are bitsandbytes' (`ftlab.train.optimizers`)."""
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    """What matrix products are computed in; None takes what suits the device."""
    gradient_checkpointing: bool = False
    """Keep only each block's input for the backward pass and compute the rest of it again."""

    def __post_init__(self) -> None:
        for name, least in _WHOLE.items():
            check_whole(name, getattr(self, name), least)
        for name, (least, open_end) in _REAL.items():
            _check_real(name, getattr(self, name), least, open_end=open_end)
        if self.warmup > self.steps:
            raise InputError(
                f"warmup={self.warmup} is longer than the run of steps={self.steps}; "
                "warm up for a part of the run, such as a tenth."
            )
        if self.stop_at is not None:
            _check_real("stop_at", self.stop_at, 0, open_end=True)
            if self.stop_at > 1:
                raise InputError(f"stop_at={self.stop_at} is a share, so at most 1; try 0.9.")


@dataclass(frozen=True)
class Step:
    """One record of a run. Two runs are bit-equal when their steps compare equal."""

    step: int
    """0 is the model before training."""
    loss: float | None
    """Nats per learned token, over the batch, before this step's update; None at step 0."""
    lr: float
    """Learning rate of this step; 0.0 at step 0."""
    tokens: int
    """Tokens read so far, padding not counted."""
    examples: int
    """Items read so far, repeats counted."""
    grad_norm: float | None
    """Norm of the whole gradient before clipping; None at step 0."""
    seconds: float = dataclasses.field(compare=False)
    """Seconds of training so far, measuring and what the caller does between steps left out."""
    measured: dict[str, Any] | None = None
    """What the measure said of the model after this step, at the steps where it was asked."""
    penalty: float | None = None
    """What a method added to the loss, over the batch, before this step's update; None without."""
    repeats: int = 0
    """How often the batch was taken again with half the scale, because fp16 overflowed."""

    def row(self) -> dict[str, Any]:
        """The step as a row of a record's curve; penalty and repeats only where there are some."""
        usual = {"penalty": None, "repeats": 0}
        row = dataclasses.asdict(self)
        return {k: v for k, v in row.items() if k not in usual or v != usual[k]}


_WHOLE = {
    "steps": 1,
    "batch_size": 1,
    "warmup": 0,
    "seed": 0,
    "measure_every": 0,
    "max_tokens": 2,
    "checkpoint_every": 0,
}
_REAL = {"lr": (0, True), "weight_decay": (0, False), "clip": (0, False)}


LARGEST = 2**63 - 1
"""A seed's, as torch takes it."""


def check_whole(name: str, value: Any, least: int) -> None:
    """Raises InputError unless `value` is a whole number from `least` up."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not least <= value <= LARGEST:
        bound = "up" if not whole or value < least else "to 2^63 - 1"
        raise InputError(
            f"{name}={value!r} is not possible; give a whole number from {least} {bound}."
        )


def _check_real(name: str, value: Any, least: float, *, open_end: bool) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < least or (open_end and value == least):
        bound = "above" if open_end else "of at least"
        raise InputError(f"{name}={value!r} is not possible; give a number {bound} {least}.")


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raises InputError unless `value` is one of the `choices`."""
    if value not in choices:
        raise InputError(
            f"{name}={value!r} is not known; choose one of {', '.join(map(str, choices))}."
        )


def rate_text(rate: float) -> str:
    """A learning rate as every plot, table and sentence writes it: 0.00015 gives "1.5e-4"."""
    if not rate:
        return "0"
    mantissa, exponent = f"{rate:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"
