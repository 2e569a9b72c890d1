"""Which optimiser takes the steps: torch's AdamW, or one of bitsandbytes that needs less memory.

    adamw              m and v in 32 bits: 8 bytes for every trainable parameter
    adamw8bit          both in 8 bits, a constant for 256 of them: about 2 bytes
    paged_adamw        m and v may be moved to the computer's memory and back, page by page
    paged_adamw8bit    both

A paged state lies in CUDA's unified memory: the driver moves pages of it off the card when
something else needs the room, and back when the optimiser asks. Nothing is lost but time.

Notable choices:
- Paging needs CUDA. On a CPU bitsandbytes warns and runs unpaged, so there the numbers are those
  of the unpaged optimiser, and the memory too.
- bitsandbytes keeps a tensor of fewer than 4,096 values in 32 bits, so the small matrices of
  LoRA gain nothing from 8 bits. States below 100,000 values are not paged either.

Source: Dettmers et al., 8-bit Optimizers (2021), section 2; QLoRA (2023), section 3.
Run the tests: pytest tests/train/test_optimizers.py
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ftlab.base.libraries import bitsandbytes
from ftlab.plan import Plan

BETAS = (0.9, 0.999)
_NAMES = {
    "adamw8bit": "AdamW8bit",
    "paged_adamw": "PagedAdamW",
    "paged_adamw8bit": "PagedAdamW8bit",
}


def make(groups: Sequence[Mapping[str, Any]], plan: Plan) -> torch.optim.Optimizer:
    """The plan's optimiser over these parameter groups.

    Raises InputError where it needs bitsandbytes and that is not installed.
    """
    own = [dict(group) for group in groups]
    decay = plan.weight_decay
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(own, lr=plan.lr, betas=BETAS, weight_decay=decay, fused=True)
    kind = getattr(bitsandbytes().optim, _NAMES[plan.optimizer])
    return kind(own, lr=plan.lr, betas=BETAS, weight_decay=decay)


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of all that the optimiser keeps for its next step, each tensor once."""
    tensors = {
        value.data_ptr(): value.nbytes
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    }
    return sum(tensors.values())


def store(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """What the optimiser keeps of one parameter, as tensors of its own; a count becomes one too.

    bitsandbytes shares its tables of levels (qmap1, qmap2) among parameters; here each has a copy.
    """
    return {
        key: value.clone() if isinstance(value, Tensor) else torch.tensor(value)
        for key, value in state.items()
    }


def restore(optimizer: Any, parameter: Tensor, key: str, value: Tensor) -> None:
    """Undo `store` for one key of one parameter, paged again where the optimiser pages."""
    inner = getattr(optimizer, "optimizer", optimizer)  # what Accelerate wrapped
    if value.ndim == 0 and not value.is_floating_point():  # bitsandbytes counts in plain numbers
        optimizer.state[parameter][key] = int(value)
        return
    # A clone, so that the memory is laid out as in a run that was never stopped.
    made = value.clone().to(parameter.device)
    if getattr(inner, "is_paged", False) and made.shape == parameter.shape and made.is_cuda:
        made = inner.get_state_buffer(parameter, dtype=value.dtype).copy_(made)
    optimizer.state[parameter][key] = made
