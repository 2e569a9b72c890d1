"""Plans for encoder-decoder models (T5, BART), by kind of attention in place of depth.

    encoder    every token of the input looks at the input
    decoder    every word of the answer looks at the words before it
    cross      every word of the answer looks at the input

    AttentionLoRA({"decoder": 16, "cross": 16, "encoder": 8})   the article's plan, on q and v
    AttentionLoRA({"cross": 24})                                one attention alone
    FreezeStack("encoder")                                      the rest trains fully

The usual `target_modules=["q", "v"]` says none of this: in T5 and BART it hits all three
attentions, with one rank. And patterns leak: `SelfAttention.q` is in the encoder too, and
`layers_to_transform` counts in both stacks. Here every module is named in full, from the layer
map; `pattern` writes the same as one regular expression, for peft without ftlab.

Run the tests: pytest tests/methods/test_attention_lora.py
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.methods.bands import Targets
from ftlab.methods.full_tuning import refuse_codes
from ftlab.methods.lora import check_sizes, wrap
from ftlab.methods.prepared import Prepared, count
from ftlab.models.layers import LayerMap, Linear, as_targets, layer_map

KINDS = {
    "encoder": ("encoder", "self"),
    "decoder": ("decoder", "self"),
    "cross": ("decoder", "cross"),
}
"""Each attention: the stack it lies in, and its kind there."""
ARTICLE = {"decoder": 16, "cross": 16, "encoder": 8}


@checked
@dataclass(frozen=True)
class AttentionLoRA:
    """Which attentions carry adapters, and how large. Call it on a model to wrap it."""

    ranks: Mapping[str, int] = field(default_factory=lambda: dict(ARTICLE))
    """By encoder, decoder and cross; an attention that is not named gets none."""
    scale: float = 2.0
    """alpha / r, the same for all, so that ranks alone differ."""
    targets: Targets = ("q", "v")
    """Of q, k, v and o."""
    dropout: float = 0.0
    """Share of the adapter's input that is dropped while training, from 0 to below 1."""
    name: str = ""
    """What records and plots call it; by default it follows from the fields."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", as_targets(self.targets))
        if "ff" in self.targets:
            raise InputError("The feed-forward belongs to no attention; targets are q, k, v, o.")
        for kind in self.ranks:
            if kind not in KINDS:
                raise InputError(f"'{kind}' is no attention; they are {', '.join(KINDS)}.")
        check_sizes(self.ranks, "attention", [self.scale], self.dropout)
        object.__setattr__(self, "name", self.name or self._described())

    def _described(self) -> str:
        """A row of the table of methods where the plan is of its kind, else the plan in words."""
        if self.targets == ("q", "v") and dict(self.ranks) == ARTICLE:
            return "lora_article"
        if self.targets == ("q", "v") and len(set(self.ranks.values())) == 1:
            kinds = [kind for kind in ("decoder", "cross", "encoder") if kind in self.ranks]
            return "lora_kinds" if len(kinds) == 3 else f"lora_{'_'.join(kinds)}"
        where = ", ".join(f"{kind} r{rank}" for kind, rank in self.ranks.items())
        return f"LoRA {'+'.join(self.targets)} {where}"

    def __call__(self, model: nn.Module) -> Prepared:
        """Wrap the model with peft. Raises InputError for a model without an encoder."""
        found = _both_stacks(model)
        sizes = {
            linear: (rank, self.scale * rank)
            for kind, rank in self.ranks.items()
            for linear in of_kind(found, kind, as_targets(self.targets))
        }
        return count(wrap(model, sizes, dropout=self.dropout), self.name)


def of_kind(found: LayerMap, kind: str, targets: tuple[str, ...]) -> list[Linear]:
    """The linear layers of one attention (encoder, decoder or cross), in every block."""
    stack, own = KINDS[kind]
    return found.linears(targets, stack=stack, kind=own)


def pattern(model: Any, kind: str, targets: tuple[str, ...] = ("q", "v")) -> str:
    """A regular expression for peft's `target_modules` that matches one attention alone.

    Read off the live model. Raises InputError for an unknown attention or a model without one.
    """
    if kind not in KINDS:
        raise InputError(f"'{kind}' is no attention; they are {', '.join(KINDS)}.")
    ends: dict[str, list[str]] = {}
    for linear in of_kind(_both_stacks(model), kind, targets):
        shape = re.sub(r"\\\.\d+\\\.", r"\\.\\d+\\.", re.escape(linear.name), count=1)
        place, _, end = shape.rpartition(r"\.")
        if end not in ends.setdefault(place, []):
            ends[place].append(end)
    return "|".join(rf"{place}\.({'|'.join(found)})" for place, found in ends.items())


@checked
@dataclass(frozen=True)
class FreezeStack:
    """One stack frozen, the other fully trained; shared embeddings and a tied head stay still.

    The head alone, where it has weights of its own, trains with the decoder.
    """

    stack: str
    """encoder or decoder: the one that stays as it is."""

    def __post_init__(self) -> None:
        if self.stack not in ("encoder", "decoder"):
            raise InputError(f"'{self.stack}' is no stack; give encoder or decoder.")

    @property
    def name(self) -> str:
        """What records and plots call it."""
        return f"freeze_{self.stack}"

    def __call__(self, model: nn.Module) -> Prepared:
        """Apply it, in place. Raises InputError for a model without an encoder."""
        refuse_codes(model)
        found = _both_stacks(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(self._moves(found, name))
        return count(model, self.name)

    def _moves(self, found: LayerMap, name: str) -> bool:
        place = found.place(name)
        if place.part == "embeddings":
            return False
        if place.part == "head":
            return not found.tied and self.stack == "encoder"
        stack = place.stack or ("encoder" if "encoder." in name else "decoder")  # final norms
        return stack != self.stack


def _both_stacks(model: Any) -> LayerMap:
    found = layer_map(model)
    if {stack.name for stack in found.entry.stacks} != {"encoder", "decoder"}:
        raise InputError(
            f"{type(model).__name__} has no encoder, so attentions cannot be told apart by "
            "stack; use LoRA or Freeze, or a model such as nano-t5."
        )
    return found
