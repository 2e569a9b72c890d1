"""The layer map: what a model's parts are called, so that nobody else has to know.

    map = layer_map(model)
    map.depth("decoder")                            12
    map.linears({"q", "v"}, blocks={6, 7})          the modules, with block, stack and kind
    map.place("transformer.h.6.mlp.c_fc.weight")    Place("block", "decoder", 6)

Methods speak in bands of blocks, in stacks and in kinds of attention; only this file and the
entries in `models/architectures.py` know an architecture.

Notable choices:
- Blocks count from 0 here, as in the code of the models; in plans and pictures from 1.
- Names are read off the live model: a name of the entry that the model lacks (the gated
  feed-forward of some T5s) is left out, and a peft wrapper is looked through.
- A fused attention (GPT-2's `c_attn`, Falcon's `query_key_value`) has no q, k and v to name until
  `models.split` has split it.

Run the tests: pytest tests/models/test_layer_map.py
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.models.architectures import ARCHITECTURES, Architecture, Stack
from ftlab.models.unnamed import read_off

TARGETS = ("q", "k", "v", "o", "ff")
"""What a plan can name: query, key, value and output projection, and the feed-forward."""


@dataclass(frozen=True)
class Linear:
    """One linear layer of the live model."""

    name: str
    """Its path in the model, without a peft wrapper's prefix."""
    stack: str
    block: int
    kind: str
    """self or cross for an attention, ff for the feed-forward."""
    target: str
    """One of TARGETS."""


@dataclass(frozen=True)
class Place:
    """Where a parameter belongs."""

    part: str
    """block, embeddings, head, virtual tokens (of a prefix or a prompt), or norm (the rest)."""
    stack: str = ""
    block: int = -1


class LayerMap:
    """The parts of one live model; made by `layer_map`."""

    def __init__(self, model: Any, entry: Architecture) -> None:
        self.model: Any = model
        self.entry = entry

    def stack(self, name: str = "decoder") -> Stack:
        """The entry of a stack. Raises InputError where the model has none of that name."""
        for stack in self.entry.stacks:
            if stack.name == name:
                return stack
        have = ", ".join(stack.name for stack in self.entry.stacks)
        raise InputError(f"{type(self.model).__name__} has no {name}; its stacks are: {have}.")

    def blocks(self, stack: str = "decoder") -> Any:
        """The list of blocks (a ModuleList)."""
        return self.model.get_submodule(self.stack(stack).blocks)

    def depth(self, stack: str = "decoder") -> int:
        """How many blocks a stack has."""
        return len(self.blocks(stack))

    @property
    def head(self) -> nn.Module:
        """What turns the last state into logits."""
        return self.model.get_submodule(self.entry.head)

    @property
    def tied(self) -> bool:
        """Are the head's weights those of the embeddings, the very same tensor?"""
        head: Any = self.head
        found: Any = self._get(self.entry.embeddings[0])
        return found is not None and head.weight is found.weight

    @property
    def fused(self) -> bool:
        """Do q, k and v still lie in one matrix?"""
        if not self.entry.fused:
            return False
        first = self.blocks()[0].get_submodule(self.entry.fused)
        return not hasattr(first, "q")

    def linears(
        self,
        targets: Collection[str],
        *,
        stack: str = "decoder",
        kind: str | None = None,
        blocks: Collection[int] | None = None,
    ) -> list[Linear]:
        """The linear layers that `targets` name, block by block; all blocks if None.

        `kind` (self or cross) selects one attention, and then no feed-forward.
        Raises InputError for an unknown target, for q, k or v of a fused attention, and for those
        of a model whose attention is not known.
        """
        check_targets(targets)
        if self.fused and {"q", "k", "v"} & set(targets):
            raise InputError(
                f"In {type(self.model).__name__} q, k and v lie in one matrix "
                f"({self.entry.fused}); split it first with ftlab.models.split.split_qkv(model)."
            )
        entry = self.stack(stack)
        if not entry.attentions and "ff" not in targets:
            raise InputError(
                f"Which layers of {type(self.model).__name__} are q, k, v and o is not known; give "
                "targets=('ff',), here every linear layer of a block, or add an entry to "
                "ftlab/models/architectures.py."
            )
        wanted = range(self.depth(stack)) if blocks is None else sorted(blocks)
        return [
            linear
            for block in wanted
            for linear in _of_block(entry, block)
            if linear.target in targets
            and kind in (None, linear.kind)
            and self._get(linear.name) is not None
        ]

    def matrices(self) -> dict[str, Any]:
        """Every linear layer of every block by its path, block by block; a fused attention is one.

        As the live model holds it: where peft put an adapter on one, its wrapper.
        """
        names: list[str] = []
        for stack in self.entry.stacks:
            for block in range(self.depth(stack.name)):
                fused = [f"{stack.blocks}.{block}.{self.entry.fused}"] if self.fused else []
                targets = ("o", "ff") if self.fused else TARGETS
                found = self.linears(targets, stack=stack.name, blocks=[block])
                names += fused + [linear.name for linear in found]
        return {name: self.model.get_submodule(name) for name in names}

    def place(self, parameter: str) -> Place:
        """Where the parameter (or module) of this name belongs."""
        name = parameter.removeprefix("base_model.")  # peft's; around adapters one "model." more
        if name.startswith("prompt_encoder."):
            return Place("virtual tokens")
        found = (self._place(name), self._place(name.removeprefix("model.")))
        return next((place for place in found if place), Place("norm"))

    def _place(self, name: str) -> Place | None:
        for stack in self.entry.stacks:
            if found := re.match(rf"{re.escape(stack.blocks)}\.(\d+)\.", name):
                return Place("block", stack.name, int(found[1]))
        if name.startswith(tuple(f"{path}." for path in self.entry.embeddings)):
            return Place("embeddings")
        return Place("head") if name.startswith(f"{self.entry.head}.") else None

    def _get(self, name: str) -> nn.Module | None:
        try:
            return self.model.get_submodule(name)
        except AttributeError:
            return None


def layer_map(model: Any) -> LayerMap:
    """The layer map of a model of transformers, or of one wrapped by peft.

    Without an entry it is made of what the modules tell (`ftlab.models.unnamed`). Raises
    InputError for what has no blocks.
    """
    if hasattr(model, "get_base_model"):
        model = model.get_base_model()
    kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
    entry = ARCHITECTURES.get(kind) or read_off(model)
    if entry is None:
        raise InputError(
            f"The layers of a '{kind}' model are not known here; known are "
            f"{', '.join(ARCHITECTURES)}: add an entry to ftlab/models/architectures.py."
        )
    return LayerMap(model, entry)


def _of_block(stack: Stack, block: int) -> Iterator[Linear]:
    below = f"{stack.blocks}.{block}"
    for attention in stack.attentions:
        for target in ("q", "k", "v", "o"):
            name = f"{below}.{getattr(attention, target)}"
            yield Linear(name, stack.name, block, attention.kind, target)
    for path in stack.feed_forward:
        yield Linear(f"{below}.{path}", stack.name, block, "ff", "ff")


def as_targets(targets: Iterable[str]) -> tuple[str, ...]:
    """The targets as a tuple; a list will do, one name alone too.

    Raises InputError unless all are of TARGETS and there is one.
    """
    made = (targets,) if isinstance(targets, str) else tuple(targets)
    check_targets(made)
    return made


def check_targets(targets: Collection[str]) -> None:
    """Raise InputError unless all are of TARGETS and there is one."""
    unknown = sorted(set(targets) - set(TARGETS))
    if unknown or not targets:
        given = f"'{unknown[0]}' is none" if unknown else "none was given"
        raise InputError(f"Targets are {', '.join(TARGETS)}; {given}.")
