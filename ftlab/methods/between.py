"""Between the base and what was trained from it: theta0 + a (theta1 - theta0).

    at = partway(lab.bundle.model, run.model)
    lab.evaluator(at(0.5))                       halfway back: often most is learned, little lost

At a = 0 it is the base, at a = 1 the trained model; adapters are merged into the weights first,
so that for a LoRA the way is the same as turning down its scale. One model is made and moved.

Source: Wortsman et al., Robust fine-tuning of zero-shot models (2022), section 3.
Run the tests: pytest tests/methods/test_between.py
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from ftlab.base.errors import InputError
from ftlab.methods.export import merge


def partway(base: Any, tuned: Any) -> Callable[[float], Any]:
    """A function from `a` to the model that far from `base` to `tuned`; each call moves it.

    Raises InputError for adapters that cannot be merged into weights, and for models of other
    shapes; the function for an `a` that is no number (beyond 0 and 1 the line goes on).
    """
    moved, start, end = merge(tuned), merge(base).state_dict(), {}
    for name, parameter in moved.named_parameters():
        if name not in start or start[name].shape != parameter.shape:
            raise InputError(
                f"Base and trained model differ in shape at {name}, so there is no line between "
                "them; give the base that the model was trained from."
            )
        end[name] = parameter.detach().clone()

    def at(a: float) -> Any:
        if isinstance(a, bool) or not isinstance(a, int | float) or not math.isfinite(a):
            raise InputError(f"a={a!r} is no place between base (0) and trained (1); give a share.")
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                parameter.copy_(end[name] if a == 1 else torch.lerp(start[name], end[name], a))
        return moved

    return at
