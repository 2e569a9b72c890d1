"""Between the base and what was trained from it: theta0 + a (theta1 - theta0).

    at = partway(lab.bundle.model, run.model)
    lab.evaluator(at(0.5))                       halfway back: often most is learned, little lost
    lab.evaluator(at(0.2, 0.8))                  by depth (LiNeS): the first block 0.2, the last 0.8

At a = 0 it is the base, at a = 1 the trained model; adapters are merged into the weights first,
so that for a LoRA the way is the same as turning down its scale. One model is made and moved.

Sources: Wortsman et al., Robust fine-tuning of zero-shot models (2022), section 3; Wang et al.,
LiNeS (2025), section 4.
Run the tests: pytest tests/methods/test_between.py
"""

from collections.abc import Callable
from typing import Any

import torch

from ftlab.base.errors import InputError
from ftlab.methods.export import merge
from ftlab.models.layers import layer_map


def partway(base: Any, tuned: Any) -> Callable[..., Any]:
    """A function from `a` to the model that far from `base` to `tuned`; each call moves it.

    With a second value `a` is the first block's share, and the second the last one's, in equal
    steps between; embeddings move like the first block, norm and head like the last.
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

    def at(a: float, last: float | None = None) -> Any:
        for share in (a, a if last is None else last):
            number = isinstance(share, int | float) and not isinstance(share, bool)
            if not (number and -99 < share < 99):
                raise InputError(
                    f"a={share!r} is no place between base (0) and trained (1); give a share."
                )
        shares = _by_depth(moved, a, last) if last is not None else dict.fromkeys(end, a)
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                share = shares[name]
                parameter.copy_(
                    end[name] if share == 1 else torch.lerp(start[name], end[name], share)
                )
        return moved

    return at


def _by_depth(model: Any, first: float, last: float) -> dict[str, float]:
    """Every parameter's share, in equal steps from the first block of its stack to the last."""
    found, shares = layer_map(model), {}
    for name, _ in model.named_parameters():
        place = found.place(name)
        depth = 0.0 if place.part == "embeddings" else 1.0
        if place.part == "block":
            depth = place.block / max(1, found.depth(place.stack) - 1)
        shares[name] = first + (last - first) * depth
    return shares
