"""Random numbers of a run's own: what it draws, nobody else draws.

    with Draws(seed):              adapters' first weights, dropout: from generators of its own
    with forked(seed, devices):    from torch's own state, put back afterwards; one run at a time

Two runs in two threads, or step by step in turn, so draw what each draws alone; and the caller's
`torch.manual_seed` is left alone. Both give the numbers that `torch.manual_seed(seed)` would give.

Notable choices:
- `Draws` stands below autograd, where every operation that draws passes: peft's first weights and
  a dropout inside of attention as well. It is on in its own thread alone, and costs a tenth of a
  small model's step, so an engine leaves it out where the first step drew nothing (`drew`).
- On a card fused operations take no generator, and gradient checkpointing winds torch's own state
  back. `forked` is for those.

Run the tests: pytest tests/base/test_draws.py
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

LOCK = threading.RLock()
"""Of what belongs to the whole process: torch's own random state, Python's filters of warnings."""


class Draws(TorchDispatchMode):
    """Inside, this thread draws from generators of its own, one for each kind of device."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed, self.generators = seed, dict[str, torch.Generator]()

    @property
    def drew(self) -> bool:
        """Was anything drawn?"""
        return bool(self.generators)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if given.get("generator") is None and (seeded := _seeded(func)):
            place = next((x.device for x in args if isinstance(x, Tensor)), given.get("device"))
            func, given = seeded, {**given, "generator": self._generator(place)}
        return func(*args, **given)

    def _generator(self, place: Any) -> torch.Generator | None:
        kind = torch.device(place or "cpu").type
        if kind == "meta":  # without values, so nothing is drawn
            return None
        if kind not in self.generators:
            self.generators[kind] = torch.Generator(kind).manual_seed(self.seed)
        return self.generators[kind]


@cache
def _seeded(func: Any) -> Any:
    """The form of an operation that takes a generator; None where it draws nothing."""
    if torch.Tag.nondeterministic_seeded not in getattr(func, "tags", ()):
        return None
    forms = [
        func,
        *(getattr(func.overloadpacket, name) for name in func.overloadpacket.overloads()),
    ]
    wanted = _arguments(func) | {"generator Optional[Generator]"}
    return next((form for form in forms if _arguments(form) == wanted), None)


def _arguments(func: Any) -> set[str]:
    return {f"{argument.name} {argument.type}" for argument in func._schema.arguments}


@contextmanager
def forked(seed: int, devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Inside, torch's own random state begins at `seed`; afterwards it is as it was."""
    with LOCK, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
