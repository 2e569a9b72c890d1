"""A card that is not there: torch computes on the CPU, and this knows where each tensor would lie.

    with FakeCard():
        model.to("cuda")               marks its tensors, and what is computed from them
        model(torch.tensor([[1]]))     WrongDevice: the ids lie on the CPU

It sees what passes through torch's Python functions (not what autograd does inside), and holds the
rule of a real card: all tensors of an operation lie in one place, but for those without an axis,
for copies, and for indices on the CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ftlab.base import machine

CARD = torch.device("cuda", 0)
MOVES = {"to", "cuda", "cpu"}
FREE = {
    "copy_", "__set__", "__setitem__", "set_", "__delete__", "swap_tensors", "requires_grad_",
    "_has_compatible_shallow_copy_type", "data_ptr", "untyped_storage",
}  # fmt: skip
"""What may mix places on a real card as well, or moves nothing."""
TO_NUMPY = {"numpy", "__array__"}
PLAIN = (int, float, bool, str, type(None))
MARK = "_on_the_fake_card"
"""An attribute of the tensors that lie there: a look at it is all that most operations cost."""


class WrongDevice(RuntimeError):
    """What a real card would not have done."""


class FakeCard(TorchFunctionMode):
    """While it is on, "cuda" is a place."""

    def __enter__(self) -> Any:
        """Parameters are made without a torch function: what they are made of tells their place."""
        make = self.make = Tensor._make_subclass

        def made(kind: Any, data: Tensor, *more: Any) -> Tensor:
            return self.put(make(kind, data, *more), self.place(data))

        Tensor._make_subclass = staticmethod(made)  # type: ignore[method-assign]
        return super().__enter__()

    def __exit__(self, *why: Any) -> None:
        """Undo `__enter__`."""
        super().__exit__(*why)
        Tensor._make_subclass = self.make  # type: ignore[method-assign]

    def place(self, tensor: Tensor) -> str:
        """ "cuda" or "cpu"."""
        return "cuda" if MARK in vars(tensor) else "cpu"

    def put(self, found: Any, place: str) -> Any:
        """Note where the tensors of a result lie."""
        for tensor in _tensors(found):
            if place == "cuda":
                vars(tensor)[MARK] = True
            else:
                vars(tensor).pop(MARK, None)
        return found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", str(func))
        owner = getattr(func, "__self__", None)
        if name == "__get__":
            return self._read(func, owner, args)
        if name in MOVES and args and isinstance(args[0], Tensor):
            return self._moved(func, name, args, kwargs)
        # what a copy has met so far (`memo`) is no part of the operation
        tensors = list(_tensors(args[:1] if name == "__deepcopy__" else (args, kwargs)))
        if name == "__reduce_ex__":  # a file knows nothing of the mark
            place = self.place(tensors[0])
            found = func(self.put(tensors[0], "cpu"), *args[1:], **kwargs)
            self.put(tensors[0], place)
            return found
        self._check(name, tensors)
        wanted = kwargs.get("device")
        place = "cuda" if any(MARK in vars(t) for t in tensors) else "cpu"
        if wanted is not None:
            place = torch.device(wanted).type
            if place == "cuda":
                kwargs["device"] = "cpu"
                if kwargs.get("generator") is not None:
                    raise WrongDevice(f"{name}: a generator of the CPU for a tensor on cuda")
        if name == "__set__":  # tensor.data = other, tensor.grad = other
            self.put(args[0], self.place(args[1]) if isinstance(args[1], Tensor) else place)
        found = func(*args, **kwargs)
        return found if name in FREE else self.put(found, place)

    def _read(self, func: Any, owner: Any, args: Any) -> Any:
        """An attribute: device and is_cuda are ours, tensors lie where theirs does."""
        found, what = func(*args), getattr(owner, "__name__", "")
        if what == "device":
            return CARD if self.place(args[0]) == "cuda" else found
        if what == "is_cuda":
            return self.place(args[0]) == "cuda"
        return self.put(found, self.place(args[0])) if isinstance(found, Tensor) else found

    def _moved(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        tensor, rest = args[0], list(args[1:])
        target = {"cuda": "cuda", "cpu": "cpu"}.get(name)
        for i, value in enumerate(rest):
            if isinstance(value, torch.device) or (isinstance(value, str) and name == "to"):
                target = torch.device(value).type
                rest[i] = "cpu" if target == "cuda" else value
            elif isinstance(value, Tensor):
                target = self.place(value)
        if kwargs.get("device") is not None:
            target = torch.device(kwargs["device"]).type
            kwargs["device"] = "cpu" if target == "cuda" else kwargs["device"]
        target = target or self.place(tensor)
        found = func(tensor, *rest, **kwargs) if name == "to" else tensor
        if found is tensor and target != self.place(tensor):
            found = tensor.clone() if tensor.requires_grad else tensor.detach().clone()
        return found if found is tensor else self.put(found, target)

    def _check(self, name: str, tensors: list[Tensor]) -> None:
        if name in TO_NUMPY and tensors and self.place(tensors[0]) == "cuda":
            raise WrongDevice(f"{name} of a tensor on cuda; copy it to the CPU first")
        if name in FREE:
            return
        if name == "__getitem__":
            first, *others = tensors
            mixed = self.place(first) == "cpu" and any(self.place(t) == "cuda" for t in others)
        else:
            mixed = len({self.place(t) for t in tensors if t.ndim}) > 1
        if mixed:
            lie = ", ".join(f"{tuple(t.shape)} on {self.place(t)}" for t in tensors[:6])
            raise WrongDevice(f"{name}: all tensors must lie in one place, and here are {lie}")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            if type(part) in PLAIN:
                continue
            yield from _tensors(part)


@contextmanager
def a_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCard]:
    """Inside, ftlab takes this machine for one with a card."""
    monkeypatch.setattr(machine, "device", lambda: "cuda")
    monkeypatch.setenv("FTLAB_PROFILE", "nano")
    monkeypatch.setenv("FTLAB_PRECISION", "fp32")
    fork = torch.random.fork_rng
    monkeypatch.setattr(
        torch.random, "fork_rng", lambda devices=(), **more: fork(devices=[], **more)
    )
    for name, value in {
        "get_device_name": "a card that is not there",
        "memory_allocated": 0,
        "max_memory_allocated": 1,
        "synchronize": None,
        "reset_peak_memory_stats": None,
        "mem_get_info": (15 * 10**9, 16 * 10**9),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    if find_spec("bitsandbytes"):
        monkeypatch.setattr(
            "bitsandbytes.functional.get_paged",
            lambda *shape, dtype, device: torch.zeros(*shape, dtype=dtype, device=device),
        )
        monkeypatch.setattr(
            "bitsandbytes.functional.fill", lambda held, value, **_: held.fill_(value)
        )
    with FakeCard() as fake:
        yield fake
