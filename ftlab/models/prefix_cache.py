"""What lies below the lowest trained block never changes: compute it once for each text.

    cache = PrefixCache()                      one for all runs from the same base
    with cached_below(model, cache):           the model's own forward, blocks below k skipped
        for step in train(model, ...): ...

    embeddings -> block 1 ... block k-1 -> [cache] -> block k ... block n -> head
                  frozen, so the same      states     trained
                  for every run            (T, d)

Frozen blocks cost a training step no backward pass; with the cache they cost no forward pass
either. That is why freezing the lower half is cheaper, and not only safer.

Notable choices:
- The model's own forward runs; the frozen blocks pass on the cached states instead of computing
  them. States are found by the token ids of the rows; new rows are computed, then cached.
- In a causal model a state depends only on the tokens before it, so padding (at the right) and
  neighbours in the batch change nothing. Generation, which has a cache of its own, and padding
  at the left go through all blocks as usual.
- Every base, depth and precision has its own states. A base is known by the sum of its squared
  weights, which splitting the attention (`models.split`) does not change and quantizing does: so a
  run never reads the states of another base.

Run the tests: pytest tests/lab/test_fast.py
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ftlab.models.layers import LayerMap, layer_map

States = dict[tuple[int, ...], Tensor]
"""States by the token ids of the row: (T, d)."""
PrefixCache = dict[tuple[str, int, str], States]
"""States by (the base, how many blocks, what they were computed in)."""


def below(model: nn.Module) -> int:
    """How many of the lowest blocks never change, and nothing before them: 0 to the depth."""
    found = layer_map(model)
    places = [found.place(name) for name, p in model.named_parameters() if p.requires_grad]
    if any(place.part in ("embeddings", "virtual tokens") for place in places):
        return 0
    trained = [place.block for place in places if place.part == "block"]
    return min(trained, default=found.depth())


def why_not(model: nn.Module) -> str:
    """Why nothing can be cached for this model, in a sentence; empty where something can."""
    found = layer_map(model)
    if not found.entry.plain:
        return "Nothing is cached: a block of this model gives more than its states."
    if len(found.entry.stacks) > 1:
        return "Nothing is cached: only the blocks of a causal model can be."
    if not (count := below(model)):
        return "Nothing is cached: virtual tokens, the embeddings or the first block are trained."
    if _drops(found, count):
        return (
            "Nothing is cached: there is dropout below the lowest trained block, so its states "
            "differ from step to step while training."
        )
    return ""


@contextmanager
def cached_below(model: nn.Module, cache: PrefixCache) -> Iterator[int]:
    """Inside, the lowest blocks answer from the cache; yields how many, 0 where `why_not`."""
    if why_not(model):
        yield 0
        return
    found = layer_map(model)
    count = below(model)
    blocks = list(found.blocks())[:count]
    reader = _Reader(cache, _fingerprint(found, blocks), count)
    body = found.model.get_submodule(found.entry.stacks[0].blocks.rpartition(".")[0])
    handle = body.register_forward_pre_hook(reader.look, with_kwargs=True)
    try:
        for index, block in enumerate(blocks):
            block.forward = partial(reader.block, index, block.forward)
        yield count
    finally:
        handle.remove()
        for block in blocks:
            vars(block).pop("forward", None)


def _drops(found: LayerMap, count: int) -> bool:
    """Is there dropout in the lowest `count` blocks, or before them?"""
    config = found.model.config
    names = ("embd_pdrop", "attention_dropout", "dropout", "hidden_dropout")  # not all are modules
    if any(getattr(config, name, 0) for name in names):
        return True
    lower = list(found.blocks())[:count]
    return any(isinstance(m, nn.Dropout) and m.p > 0 for block in lower for m in block.modules())


def _fingerprint(found: LayerMap, blocks: list[nn.Module]) -> str:
    """A short name for the weights of these blocks and the embeddings."""
    parts = [*blocks, *(found.model.get_submodule(path) for path in found.entry.embeddings)]
    tensors = [t for part in parts for t in (*part.parameters(), *part.buffers())]
    return f"{sum(t.detach().double().square().sum().item() for t in tensors):.9g}"


class _Reader:
    """What the frozen blocks do in place of their own forward, batch by batch."""

    def __init__(self, caches: PrefixCache, base: str, count: int) -> None:
        self.caches, self.base, self.count = caches, base, count
        self.cache = caches.setdefault((base, count, "own"), {})
        self.keys: list[tuple[int, ...]] = []  # of this batch; none: compute, do not cache
        self.states: Tensor | None = None  # of this batch, if all rows are cached

    def look(self, body: nn.Module, args: Any, given: dict[str, Any]) -> None:
        """Before the body's forward: which rows are these, and are they there?"""
        ids, mask = given.get("input_ids", args[0] if args else None), given.get("attention_mask")
        self.keys, self.states = [], None
        if ids is None or mask is None or given.get("use_cache") is not False:
            return
        lengths = mask.sum(1)
        if (mask.cumsum(1)[:, -1] != mask.cumprod(1).sum(1)).any():  # padding not at the right
            return
        self.cache = self.caches.setdefault((self.base, self.count, _computed_in(ids)), {})
        rows = zip(ids.tolist(), lengths.tolist(), strict=True)
        self.keys = [tuple(row[:length]) for row, length in rows]
        found = [self.cache.get(key) for key in self.keys]
        if all(state is not None for state in found):
            self.states = _side_by_side([s for s in found if s is not None], ids.shape[1])

    def block(self, index: int, own: Any, states: Tensor, *args: Any, **given: Any) -> Any:
        """A frozen block: the stored states, or its own forward, the last of which is cached."""
        if self.states is not None:
            return self.states
        made = own(states, *args, **given)
        if index == self.count - 1:
            for key, row in zip(self.keys, made.detach(), strict=False):
                self.cache.setdefault(key, row[: len(key)].clone())
        return made


def _computed_in(ids: Tensor) -> str:
    """The type that autocast computes in here, or "own"."""
    kind = ids.device.type
    return str(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else "own"


def _side_by_side(states: list[Tensor], width: int) -> Tensor:
    """Rows of (T, d), padded right with zeros: (B, width, d)."""
    batch = states[0].new_zeros(len(states), width, states[0].shape[-1])
    for row, state in zip(batch, states, strict=True):
        row[: len(state)] = state
    return batch
