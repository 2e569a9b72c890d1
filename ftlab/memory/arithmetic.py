"""Memory arithmetic: from a model's config and a plan to bytes, before a byte is used.

    print(estimate("llama-7b", MemoryPlan("qlora", precision="fp16", gradient_checkpointing=True)))

    weights        4 bytes each in fp32, 2 in half precision; in four bits half a byte
    constants      a float32 for 64 weights = 0.5 bit a weight; quantized themselves, 0.127 bit
    adapters       4 r (in + out) bytes for each adapted layer
    gradients      as large as what is trained
    optimiser      AdamW: two float32 a parameter; in 8 bits two bytes, and a float32 for each 256
    activations    what the backward pass waits for (`ftlab.memory.activations`)
    logits         learned positions x vocabulary x 4 bytes, three times while the loss is computed
    workspace      what is needed for one layer: a dequantized weight, a gradient on its way

They are not all there at once. Activations are full when the backward pass begins, and gone when
the last gradient is there. So the step is followed moment by moment, and the largest sum is the
peak. Each part has two sizes: how large it gets, and how much of it is there at the peak.

Notable choices:
- It is the peak of a second or later step: the optimiser's states are there from the first on.
- Only bytes of tensors, as `torch.cuda.max_memory_allocated` counts them; CARDS leave room for the
  rest.
- Paged states are in memory that the card shares with the computer: all of them can leave the card,
  so they are counted separately, off the card.

Sources: Dettmers et al., 8-bit Optimizers (2021), section 2, and QLoRA (2023), section 3;
Korthikanti et al. (2022), section 4; Micikevicius et al., Mixed Precision Training (2017).
Run the tests: pytest tests/memory/test_memory.py
"""

from math import ceil
from typing import Any

from ftlab.memory.moments import moments, parameter_bytes, trainable_tensors
from ftlab.memory.parts import PARTS, Memory, Part
from ftlab.memory.plan import BYTES, MemoryPlan
from ftlab.memory.shapes import Shape, shape

SMALL_STATE = 4096
"""bitsandbytes stores the states of a tensor with fewer parameters in 32 bits."""
SMALL_PAGE = 100_000
"""And does not page those of one with fewer than this."""


def estimate(model: Any, plan: MemoryPlan) -> Memory:
    """The memory of training `model` (a name of SHAPES, a config, a model) under `plan`.

    Raises InputError for a model whose shape is not known.
    """
    form = shape(model)
    saved, constants = weight_bytes(form, plan)
    states, paged = state_bytes(trainable_tensors(form, plan), plan)
    steady = {
        "weights": saved,
        "quantization constants": constants,
        "adapters": adapter_bytes(form, plan),
        "optimiser states": states,
    }
    found = list(moments(form, plan))
    peak = max(found, key=lambda moment: moment.total)
    largest = {n: max(m.parts.get(n, 0) for m in found) for n in PARTS}
    parts = tuple(
        Part(n, steady.get(n, largest[n]), steady.get(n, peak.parts.get(n, 0))) for n in PARTS
    )
    return Memory(form.name, plan, parts, peak.name, paged)


# --- what stays from step to step ---------------------------------------------------------------


def weight_bytes(form: Shape, plan: MemoryPlan) -> tuple[int, int]:
    """Bytes of the base's weights, and of the constants of those in four bits."""
    if not plan.packed:
        return form.parameters * BYTES[plan.plain], 0
    packed = [matrix.parameters for matrix in form.matrices if matrix.packable]
    codes = sum(ceil(n / 2) for n in packed)
    constants = sum(constant_bytes(n, plan) for n in packed)
    return codes + (form.parameters - sum(packed)) * BYTES[plan.plain], constants


def constant_bytes(weights: int, plan: MemoryPlan) -> int:
    """Of one 4-bit matrix: a float32 for every block, or a byte, and a float32 for 256 of those.

    And its tables: the 16 levels of four bits and, for the constants, the 256 of eight, with the
    mean that was subtracted first.
    """
    blocks, levels = ceil(weights / plan.block), 4 * 16
    if not plan.double:
        return levels + 4 * blocks
    return levels + blocks + 4 * ceil(blocks / 256) + 4 * 256 + 4


def adapter_bytes(form: Shape, plan: MemoryPlan) -> int:
    """A (r, in) and B (out, r) beside every adapted layer, in float32 whatever the base is."""
    return 0 if plan.method == "full" else 4 * sum(trainable_tensors(form, plan))


def state_bytes(sizes: list[int], plan: MemoryPlan) -> tuple[int, int]:
    """Bytes of the optimiser's states on the card, and paged: (m and v of every tensor)."""
    card = paged = 0
    for size in sizes:
        if plan.eight_bit and size >= SMALL_STATE:
            state = 2 * size
            card += 2 * 4 * ceil(size / 256)  # the constants are never paged
        else:
            state = 2 * _state_width(plan) * size
        if plan.paged and size >= SMALL_PAGE:
            paged += state
        else:
            card += state
        card += 4 if plan.optimizer == "adamw" else 0  # torch counts the steps of each tensor
    eight = plan.eight_bit and any(size >= SMALL_STATE for size in sizes)
    return card + (2 * 4 * 256 if eight else 0), paged  # the levels of m and of v


def _state_width(plan: MemoryPlan) -> int:
    """torch stores states in the weights' precision, bitsandbytes in float32."""
    return parameter_bytes(plan) if plan.optimizer == "adamw" else 4
