"""What memory arithmetic is compared with: the bytes that a step really takes.

    measured_activations(model, batch)     what the forward pass saves for the backward pass
    measured_peak(step, device)            the most that is there at once while `step()` runs

Notable choices:
- Activations are counted as storages, each once, as autograd saves them: a view costs nothing,
  and weights are not counted, since they are there anyway.
- On a GPU the peak is torch's own `max_memory_allocated`; on a CPU torch's profiler reports every
  allocation, and the largest running sum is the same number.
"""

import os
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from ftlab.text.loss import summed_loss
from ftlab.text.train_batches import Batch

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler says on stderr that it starts


def measured_activations(model: nn.Module, batch: Batch) -> int:
    """Bytes saved for the backward pass of `ftlab.text.loss.summed_loss`, the loss's own included.

    The model stays in the mode it was in, and no gradient is computed.
    """
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
        return max(accumulate(_allocations(step), initial=0))
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
    events = list(profiler.kineto_results.experimental_event_tree())
    for event in events:  # grows: those inside an event come after it
        events.extend(event.children)
    found = [event for event in events if event.tag == _EventType.Allocation]
    found.sort(key=lambda event: event.start_time_ns)
    return [event.extra_fields.alloc_size for event in found]
