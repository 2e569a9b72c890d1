"""One training step, moment by moment: what comes and goes beside what stays.

    the forward pass     activations rise block by block
    the loss             all of them are there, and the logits
    the backward pass    from the last block to the first: what a block saved goes, the gradients
                         of its weights come; with checkpointing the block is recomputed first
    the embeddings       their gradient, beside the one that the head left in tied weights
    the optimiser's step all gradients, and no activations

Run the tests: pytest tests/memory/test_memory.py
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ftlab.memory import activations as acts
from ftlab.memory.plan import BYTES, MemoryPlan
from ftlab.memory.shapes import Block, Shape


@dataclass(frozen=True)
class Moment:
    """What is there at one moment of a step, in bytes."""

    name: str
    """When it is."""
    activations: int = 0
    """What waits for the backward pass."""
    copies: int = 0
    """Half-precision copies of float32 weights."""
    logits: int = 0
    """Logits and what the loss makes of them."""
    gradients: int = 0
    """Of what is trained, so far."""
    workspace: int = 0
    """What lives for a single layer."""

    @property
    def parts(self) -> dict[str, int]:
        """Bytes by the part's name."""
        return {
            "gradients": self.gradients,
            "half-precision copies": self.copies,
            "activations": self.activations,
            "logits and loss": self.logits,
            "workspace": self.workspace,
        }

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.parts.values())


def moments(shape: Shape, plan: MemoryPlan) -> Iterator[Moment]:
    """The moments of a step at which memory may be fullest, in their order."""
    again = plan.gradient_checkpointing
    whole = _whole(shape, plan)
    waits = [acts.input_saved(shape, plan, b) for b in shape.blocks] if again else whole
    around, head = acts.outside_saved(shape, plan), acts.head_copy(shape, plan)
    copies = sum(acts.copies_saved(shape, plan, block) for block in shape.blocks)
    cached = copies if not again or plan.method == "full" else 0  # autocast caches trained ones
    if again:
        yield Moment("in the forward pass", sum(waits) + around, cached + head)
    yield Moment(
        "at the loss",
        activations=sum(waits) + around,
        copies=head + (0 if again else copies),
        logits=acts.loss_peak(shape, plan),
    )
    yield from _backward(shape, plan, waits, whole)
    yield Moment("at the optimiser's step", gradients=gradient_bytes(shape, plan))


def _whole(shape: Shape, plan: MemoryPlan) -> list[int]:
    """What each block saves when it is not checkpointed."""
    return [
        acts.block_saved(shape, plan, block, first=acts.is_first(shape, i))
        for i, block in enumerate(shape.blocks)
    ]


def _backward(
    shape: Shape, plan: MemoryPlan, waits: list[int], whole: list[int]
) -> Iterator[Moment]:
    again, width = plan.gradient_checkpointing, parameter_bytes(plan)
    table = width * shape.vocabulary * shape.width if plan.method == "full" else 0
    twice = shape.tied and not plan.autocast  # the sum of both gradients is a third tensor
    copies = [acts.copies_saved(shape, plan, block) for block in shape.blocks]
    done = table
    for i, block in reversed(list(enumerate(shape.blocks))):
        yield Moment(
            "in the backward pass",
            activations=sum(waits[:i]) + whole[i] + (_input(shape, plan, block) if again else 0),
            copies=copies[i] if again else sum(copies[: i + 1]),
            gradients=done,
            workspace=acts.workspace(shape, plan, block),
        )
        done += width * trainable_parameters(plan, block)
        if acts.is_first(shape, i):
            space = table * (2 if twice else 1)
            yield Moment("at the embeddings' gradient", sum(waits[:i]), 0, 0, done, space)
            twice = False


def _input(shape: Shape, plan: MemoryPlan, block: Block) -> int:
    """A block's input, where its first norm saves a copy in another type instead."""
    return acts.input_saved(shape, plan, block) if BYTES[plan.plain] == 2 else 0


# --- what is trained ----------------------------------------------------------------------------


def parameter_bytes(plan: MemoryPlan) -> int:
    """Bytes of a trained parameter, and of its gradient: adapters are float32 (peft's way)."""
    return BYTES[plan.plain] if plan.method == "full" else 4


def adapter_sizes(plan: MemoryPlan, block: Block) -> list[int]:
    """Parameters in each adapter matrix of a block: A (r, in) and B (out, r)."""
    adapted = [matrix for matrix in block.matrices if plan.adapts(matrix.target)]
    return [plan.rank * side for matrix in adapted for side in (matrix.reads, matrix.writes)]


def trainable_parameters(plan: MemoryPlan, block: Block) -> int:
    """Parameters of a block that are trained."""
    return block.parameters if plan.method == "full" else sum(adapter_sizes(plan, block))


def trainable_tensors(shape: Shape, plan: MemoryPlan) -> list[int]:
    """Parameters in every tensor that is trained."""
    if plan.method == "full":
        return list(shape.tensors)
    return [size for block in shape.blocks for size in adapter_sizes(plan, block)]


def gradient_bytes(shape: Shape, plan: MemoryPlan) -> int:
    """Bytes of all gradients."""
    return parameter_bytes(plan) * sum(trainable_tensors(shape, plan))
