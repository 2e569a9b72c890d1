"""What memory arithmetic is held against: bytes that a step really takes.

    measured_activations(model, batch)     what the forward pass keeps for the backward pass
    measured_peak(step, device)            the most that is there at once while `step()` runs

Notable choices:
- Activations are counted as storages, each once, as autograd stores them: a view costs nothing,
  and weights are not counted, for they are there anyhow.
- On a GPU the peak is torch's own `max_memory_allocated`; on a CPU torch's profiler tells of
  every allocation, and their running sum is the same number.

Run the tests: pytest tests/memory/test_memory.py
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ftlab.text.train_batches import Batch

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler says on stderr that it starts


def measured_activations(model: nn.Module, batch: Batch) -> int:
    """Bytes kept for the backward pass of `ftlab.text.loss.summed_loss`, the loss's own included.

    The model is left in training mode as it was found, and no gradient is made.
    """
    from ftlab.text.loss import summed_loss

    weights = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    saved: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage  # held, so that no other takes its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = summed_loss(model, batch)
    total = sum(storage.nbytes() for storage in saved.values())
    del loss
    return total


def measured_peak(step: Callable[[], Any], device: torch.device | str = "cpu") -> int:
    """The most bytes that are there at once while `step()` runs, beyond those before it."""
    if torch.device(device).type != "cuda":
        return _highest(_allocations(step))
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _allocations(step: Callable[[], Any]) -> list[int]:
    """Bytes taken (and, below 0, given back) by torch on the CPU, in their order."""
    from torch._C._profiler import _EventType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    profiler: Any = seen.profiler
    events = _all(profiler.kineto_results.experimental_event_tree())
    found = [event for event in events if event.tag == _EventType.Allocation]
    found.sort(key=lambda event: event.start_time_ns)
    return [event.extra_fields.alloc_size for event in found]


def _all(events: Any) -> Iterator[Any]:
    """Events and those inside of them."""
    waiting = list(events)
    while waiting:
        event = waiting.pop()
        waiting.extend(event.children)
        yield event


def _highest(changes: list[int]) -> int:
    total = most = 0
    for change in changes:
        total += change
        most = max(most, total)
    return most
