"""The learning rate over a run: warm up in a straight line, then hold, or fall to almost nothing.

For step t = 1 ... T with a warmup of W steps, s = t - 1 and p = (s - W) / (T - W):

    s < W       factor = s / W                      the first step of a warmup changes nothing
    constant    factor = 1
    linear      factor = 1 - p
    cosine      factor = (1 + cos(pi p)) / 2        flat, steep, flat

The learning rate is the peak times this factor. p is counted as transformers'
`get_cosine_schedule_with_warmup` counts it, so that the two can be compared number by number.

Source of the cosine: Loshchilov and Hutter, SGDR (2017), equation 5 with one cycle.
Run the tests: pytest tests/train/test_schedules.py
"""

import math

from ftlab.base.errors import InputError
from ftlab.plan import SCHEDULES, check_whole


def lr_factor(schedule: str, step: int, *, steps: int, warmup: int = 0) -> float:
    """Share of the peak learning rate, in [0, 1], at `step`, which counts from 1 to `steps`.

    Raises InputError for a schedule that is not constant, cosine or linear.
    """
    check_whole("steps", steps, 1)
    done = step - 1
    if done < warmup:
        return done / warmup
    progress = (done - warmup) / max(1, steps - warmup)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - progress
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * progress))
    raise InputError(f"schedule={schedule!r} is not known; choose one of {', '.join(SCHEDULES)}.")


def lr_factors(schedule: str, *, steps: int, warmup: int = 0) -> list[float]:
    """The factor of every step; its mean is the area under the curve at a peak of 1."""
    return [lr_factor(schedule, t, steps=steps, warmup=warmup) for t in range(1, steps + 1)]
