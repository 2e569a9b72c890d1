"""What a forward pass saves for the backward pass, counted layer by layer.

    linear layer   y = W x            dW = dy x^T needs x, dx = W^T dy does not. So x is saved where
                                      W is trained, or where an adapter reads the same x; a frozen
                                      layer, and a 4-bit one, saves nothing
    adapter        B (A x)            saves x and A x, r values a token
    attention                         q, k, v, its output, one float32 a head, and its mask
    norm                              its input in float32; its output where its weight is trained
    activation     f(x)               x or f(x); GPT-2's GELU, written term by term, four of them
    gate           f(g) * u           both factors
    loss                              ln p of every learned token, over the vocabulary, in float32

With gradient checkpointing a block saves only its input; the rest is recomputed, block by block.

Notable choices:
- Tokens are counted with their padding, and a batch of several texts has a mask: then the library
  also repeats the keys and values of grouped heads.
- Under autocast every layer that saves its input saves a half-precision copy of its own.
- The first block of a frozen base has nothing before it that needs a gradient.
- Dropout saves one byte for each value it sees; that of adapters is taken to be 0.
- Measured: fused attention (`sdpa`), on CPU and GPU.

Source: Korthikanti et al., Reducing Activation Recomputation in Large Transformer Models (2022),
section 4. Run the tests: pytest tests/memory/test_memory.py
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ftlab.base.errors import InputError
from ftlab.memory.plan import BYTES, MemoryPlan
from ftlab.memory.shapes import Block, Matrix, Shape

ACTIVATIONS = {"NewGELUActivation": 4, "ReLU": 0}
"""How many tensors an activation saves beside its output; 1, its input, where not named."""
SAVES_ITS_OUTPUT = ("ReLU",)


@dataclass(frozen=True)
class Tokens:
    """How many positions go through each part, over the whole batch."""

    batch: int
    """Texts."""
    source: int
    """Positions of one text in the encoder; 0 where there is none."""
    text: int
    """Positions of one text in the decoder."""
    head: int
    """Positions that go through the head, over the batch."""
    learned: int
    """Positions that are learned, over the batch."""

    def of(self, stack: str) -> int:
        """Positions of one text in a stack."""
        return self.source if stack == "encoder" else self.text


def tokens(shape: Shape, plan: MemoryPlan) -> Tokens:
    """How `ftlab.train.engine` runs a batch: the head on the learned positions and one more."""
    batch = plan.batch_size
    if shape.seq2seq:  # the decoder's positions all go through the head
        learned = plan.learned or plan.tokens
        return Tokens(batch, plan.tokens, learned + 1, batch * (learned + 1), batch * learned)
    learned = plan.learned or plan.tokens - 1
    if learned >= plan.tokens:
        raise InputError(
            f"learned={learned} of tokens={plan.tokens} is not possible, since the first token of "
            f"a text is never predicted; give at most {plan.tokens - 1}."
        )
    return Tokens(batch, 0, plan.tokens, batch * (learned + 1), batch * learned)


@dataclass(frozen=True)
class Widths:
    """Bytes of one value, place by place: where autocast and the base's type meet."""

    state: int
    """The stream that the blocks add to."""
    normed: int
    """A norm's output."""
    norm: int
    """What a norm saves of its input."""
    linear: int
    """A linear layer's output."""
    attention: int
    """q, k, v and what attention makes of them."""
    product: int
    """Where matrices are multiplied."""


def widths(shape: Shape, plan: MemoryPlan) -> Widths:
    """Autocast multiplies in half precision, and adds and norms in the precision of the input."""
    state = BYTES[plan.plain]
    layer_norm = shape.norm == "LayerNorm"
    normed = 4 if layer_norm and plan.autocast else state
    product = 2 if plan.autocast else 4
    linear = normed if plan.packed else min(product, state)
    norm = state if layer_norm and not plan.autocast else 4
    if shape.norm == "T5LayerNorm" and state == 2:  # squares a copy, and scales the input itself
        norm += state
    return Widths(state, normed, norm, linear, min(product, linear), product)


def block_saved(shape: Shape, plan: MemoryPlan, block: Block, *, first: bool) -> int:
    """Bytes that one block saves. `first`: nothing before it is trained, so one norm saves none."""
    at, n = widths(shape, plan), tokens(shape, plan)
    places = n.batch * n.of(block.stack)
    norms = block.norms - (1 if first and plan.method != "full" else 0)
    saved = norms * norm_saved(shape, plan, places, block.width)
    for kind, matrices in block.attentions.items():
        saved += _attention_saved(shape, plan, block.stack, kind, matrices)
    saved += places * _feed_forward_saved(shape, plan, block, at)
    saved += places * block.dropouts * block.width
    return saved


def norm_saved(shape: Shape, plan: MemoryPlan, places: int, width: int) -> int:
    """A norm's input and its spread; where its weight is trained, also its output before it."""
    at = widths(shape, plan)
    spread = 8 if shape.norm == "LayerNorm" else 4
    scaled = plan.method == "full" and shape.norm != "LayerNorm"
    return places * (width * at.norm + spread + (width * at.state if scaled else 0))


def inputs_saved(
    plan: MemoryPlan, readers: Sequence[Matrix], has: int, product: int, *, there: bool = False
) -> int:
    """Bytes a token of what linear layers save of the one state they read, `has` bytes a value.

    One tensor for all of them where it has the type they multiply in, else a copy for each.
    `there`: something else saves that tensor anyway.
    """
    own = shared = 0
    for matrix in readers:
        if plan.method != "full" and not plan.adapts(matrix.target):
            continue
        packed = plan.packed and matrix.packable
        through_float32 = plan.autocast and plan.method != "full" and not packed  # peft casts
        if through_float32 or has != product:
            own += matrix.reads * product
        else:
            shared = matrix.reads * product
        own += plan.rank * product if plan.method != "full" else 0
    return own + (0 if there else shared)


def _attention_saved(
    shape: Shape, plan: MemoryPlan, stack: str, kind: str, matrices: Sequence[Matrix]
) -> int:
    """Bytes of one attention, over the batch."""
    q, k, v, o = matrices
    at, n = widths(shape, plan), tokens(shape, plan)
    looks, seen = n.of(stack), n.source if kind == "cross" else n.of(stack)
    masked = plan.batch_size > 1 or shape.biased
    repeat = q.writes // k.writes if masked else 1  # a mask makes the library repeat grouped heads
    saved = looks * (2 * q.writes * at.attention + 4 * shape.heads)  # q, what comes out, log-sums
    saved += seen * 2 * k.writes * repeat * at.attention
    readers = (q,) if kind == "cross" else (q,) if _one_matrix(shape, plan) else (q, k, v)
    saved += looks * inputs_saved(plan, readers, at.normed, at.product)
    saved += looks * inputs_saved(plan, (o,), at.attention, at.product, there=True)
    mask = looks * seen * at.attention if masked else 0
    if not shape.biased:
        return n.batch * (saved + mask)
    alike = stack == "decoder" and kind == "self"  # a T5's decoder gets no mask for its padding
    return n.batch * saved + mask * shape.heads * (1 if alike else n.batch)


def _one_matrix(shape: Shape, plan: MemoryPlan) -> bool:
    """Is one layer's input read for q, k and v together? LoRA splits it, full training does not."""
    return shape.fused and plan.method == "full"


def _feed_forward_saved(shape: Shape, plan: MemoryPlan, block: Block, at: Widths) -> int:
    """Bytes a token."""
    *first, last = block.ff
    output = block.activation in SAVES_ITS_OUTPUT
    gated = len(first) > 1
    inside = ACTIVATIONS.get(block.activation, 1) + (1 if output else 0)
    inside += (1 if output else 2) if gated else 0  # the factors of the product
    return (
        inside * last.reads * at.linear
        + inputs_saved(plan, first, at.normed, at.product)
        + inputs_saved(plan, (last,), at.linear, at.product, there=output and not gated)
    )


def input_saved(shape: Shape, plan: MemoryPlan, block: Block) -> int:
    """Bytes of a block's input: all that gradient checkpointing saves of it."""
    n = tokens(shape, plan)
    return n.batch * n.of(block.stack) * block.width * widths(shape, plan).state


def outside_saved(shape: Shape, plan: MemoryPlan) -> int:
    """Bytes saved around the blocks: final norms, the head's input, what cross-attention reads."""
    at, n = widths(shape, plan), tokens(shape, plan)
    saved = norm_saved(shape, plan, n.batch * n.text, shape.width)
    if plan.method == "full":
        saved += n.head * shape.width * at.product
    if not shape.seq2seq:
        return saved
    sources = n.batch * n.source
    readers = [m for b in shape.blocks for m in b.attentions.get("cross", ())[1:3]]
    saved += norm_saved(shape, plan, sources, shape.width)
    if plan.gradient_checkpointing:
        return saved + sources * shape.width * at.normed
    return saved + sources * inputs_saved(plan, readers, at.normed, at.product)


def loss_saved(shape: Shape, plan: MemoryPlan) -> int:
    """ln p of every learned token over the vocabulary, in float32."""
    return 4 * tokens(shape, plan).learned * shape.vocabulary


def saved(shape: Shape, plan: MemoryPlan) -> int:
    """Bytes of all activations that wait for the backward pass, the loss included."""
    blocks = [
        input_saved(shape, plan, block)
        if plan.gradient_checkpointing
        else block_saved(shape, plan, block, first=is_first(shape, index))
        for index, block in enumerate(shape.blocks)
    ]
    return sum(blocks) + outside_saved(shape, plan) + loss_saved(shape, plan)


def is_first(shape: Shape, index: int) -> bool:
    """Is it the first block of its stack?"""
    return index == 0 or shape.blocks[index - 1].stack != shape.blocks[index].stack


def loss_peak(shape: Shape, plan: MemoryPlan) -> int:
    """The logits, those of the learned positions, and their ln p: side by side, in float32."""
    n = tokens(shape, plan)
    return 4 * (n.head + 2 * n.learned) * shape.vocabulary


def copies_saved(shape: Shape, plan: MemoryPlan, block: Block) -> int:
    """Half-precision copies of a block's float32 weights, which autocast makes to multiply with."""
    if not plan.autocast:
        return 0
    plain = [m for m in block.matrices if not (plan.packed and m.packable)]
    copied = sum(m.parameters for m in plain) if plan.plain == "fp32" else 0
    adapted = [m for m in block.matrices if plan.adapts(m.target)]
    return 2 * (copied + sum(plan.rank * (m.reads + m.writes) for m in adapted))


def head_copy(shape: Shape, plan: MemoryPlan) -> int:
    """The same of the head."""
    return 2 * shape.vocabulary * shape.width if plan.autocast and plan.plain == "fp32" else 0


def workspace(shape: Shape, plan: MemoryPlan, block: Block) -> int:
    """What the backward pass of a block needs beside what was saved for it, at its widest place.

    That is in the feed-forward: the gradients of the product and of both its factors, less the
    product itself where it was saved; or the product, and a dequantized weight (of a trained
    weight, its gradient in half precision).
    """
    at, n = widths(shape, plan), tokens(shape, plan)
    wide, last = block.ff[-1].reads, block.ff[-1].target
    saved = plan.method == "full" or plan.adapts(last)
    flow = (2 if saved else 3) * wide * at.linear + block.width * (at.state + at.product)
    if plan.autocast and plan.method == "lora" and saved:
        flow += wide * (4 + 2)  # peft goes through float32
    beside = (wide + block.width) * at.linear
    whole = plan.packed or (plan.method == "full" and plan.autocast)
    weight = at.product * max(matrix.parameters for matrix in block.matrices) if whole else 0
    places = n.batch * n.of(block.stack)
    return max(places * flow, places * beside + weight)
