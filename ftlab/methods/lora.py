"""LoRA by layer bands: small matrices beside the frozen ones, of a rank that the band decides.

    y = W x + (alpha / r) B A x           W (out, in) frozen, A (r, in), B (out, r), B = 0 at first

    LoRA()                                          r 8 on q and v of every block
    LoRA.article(head=True)                         the article's plan: 7-9 and 10-12
    LoRA({"1-12": 4}, targets=("q", "k", "v", "o", "ff"))                       all linear layers

The layers are peft's. What this file adds is saying WHERE in bands and targets that mean the
same in every architecture, and refusing what would be silently ignored: peft only warns about a
rank pattern that matches nothing.

Notable choices:
- A fused attention is split first (`models.split`), so "q and v" leaves the keys alone.
- Without `alphas` every band has alpha = `scale` x r: ranks are compared at the same alpha / r.
  Fixed alphas make a lower rank a larger step.
- A trainable head of a tied model gets weights of its own; the embeddings stay where they are.

Source: Hu et al., LoRA (2021), section 4.1. Run the tests: pytest tests/methods/test_lora.py
"""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.methods.bands import Ranks, Targets, parts_of, read_bands
from ftlab.methods.prepared import Prepared, count
from ftlab.models.layers import Linear, as_targets, layer_map
from ftlab.models.split import split_qkv, untie

KINDS = {
    ("q", "v"): "lora_qv",
    ("k", "o", "q", "v"): "lora_attention",
    ("ff",): "lora_ff",
    ("ff", "k", "o", "q", "v"): "lora_all",
}
"""Rows of the table of methods, by targets."""


@checked
@dataclass(frozen=True)
class LoRA:
    """Where adapters stand and how large they are. Call it on a model to wrap it."""

    ranks: Ranks = field(default_factory=lambda: {"1-12": 8})
    """By band of blocks, in twelfths of the depth; a band that is not named gets none."""
    alphas: Mapping[str, float] | None = None
    """By the same bands; None: `scale` times the rank."""
    scale: float = 2.0
    """alpha / r, where no alphas are given."""
    targets: Targets = ("q", "v")
    """Of q, k, v, o and ff."""
    head: bool = False
    """Train the head too, fully, on weights of its own."""
    dropout: float = 0.0
    """Share of the adapter's input that is dropped while training, from 0 to below 1."""
    name: str = ""
    """What records and plots call it; by default it follows from the fields."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", as_targets(self.targets))
        if self.alphas is not None and self.alphas.keys() != self.ranks.keys():
            odd = sorted(self.alphas.keys() ^ self.ranks.keys())[0]
            raise InputError(f"Band '{odd}' has a rank or an alpha but not both; give both.")
        sizes = [self.scale, *(self.alphas or {}).values()]
        check_sizes(self.ranks, "band", sizes, self.dropout)
        object.__setattr__(self, "name", self.name or self._described())

    @classmethod
    def article(cls, *, head: bool = False) -> "LoRA":
        """The article's plan: q and v, 7-9 with rank 8 and alpha 16, 10-12 with 16 and 32."""
        return cls({"7-9": 8, "10-12": 16}, alphas={"7-9": 16.0, "10-12": 32.0}, head=head)

    def _described(self) -> str:
        """A row of the table of methods where the plan is of its kind, else the plan in words."""
        kind = KINDS.get(tuple(sorted(self.targets)))
        if kind == "lora_qv" and list(self.ranks) == ["7-9", "10-12"]:
            return "lora_head" if self.head else "lora_band"
        if kind and not self.head and self._even():
            return kind
        where = ", ".join(f"{band} r{rank}" for band, rank in self.ranks.items())
        return f"LoRA {'+'.join(self.targets)} {where}{', head' if self.head else ''}"

    def _even(self) -> bool:
        """One rank for every block?"""
        named = set().union(*map(parts_of, self.ranks))
        return len(named) == 12 and len(set(self.ranks.values())) == 1

    def alpha(self, band: str) -> float:
        """The alpha of a band."""
        return self.alphas[band] if self.alphas else self.scale * self.ranks[band]

    def __call__(self, model: nn.Module) -> Prepared:
        """Wrap the model with peft; the wrapper is `.model` of what comes back."""
        found = layer_map(model)
        if {"q", "k", "v"} & set(self.targets):
            split_qkv(model)
        if self.head:
            untie(model)
        sizes: dict[Linear, tuple[int, float]] = {}
        for stack in found.entry.stacks:
            bands = read_bands({band: band for band in self.ranks}, found.depth(stack.name))
            for linear in found.linears(self.targets, stack=stack.name, blocks=bands):
                band = bands[linear.block]
                sizes[linear] = self.ranks[band], self.alpha(band)
        trained = found.entry.head if self.head else None
        return count(wrap(model, sizes, dropout=self.dropout, head=trained), self.name)


def check_sizes(
    ranks: Mapping[str, int], what: str, scales: Sequence[float], dropout: float
) -> None:
    """Raise InputError for no rank, a rank below 1, a scale or alpha of 0, or a wrong dropout."""
    if not ranks:
        raise InputError(f"No {what} has a rank, so there is no adapter; try 8.")
    for name, rank in ranks.items():
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise InputError(
                f"The rank of {what} '{name}' is {rank!r}; give a whole number from 1 up, and "
                "leave one out that should have no adapter."
            )
    if any(not size > 0 for size in scales):
        raise InputError(f"alpha and scale must be above 0; got {min(scales):g}.")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout={dropout:g} is not possible; give 0 to below 1.")


def wrap(
    model: nn.Module,
    sizes: Mapping[Linear, tuple[int, float]],
    *,
    dropout: float = 0.0,
    head: str | None = None,
) -> nn.Module:
    """Put peft's LoRA on each layer, with its (rank, alpha); `head` is trained fully."""
    from peft import LoraConfig  # slow to import

    patterns = {f"^{re.escape(linear.name)}": size for linear, size in sizes.items()}
    ranks = {key: rank for key, (rank, _) in patterns.items()}
    config = LoraConfig(
        r=Counter(ranks.values()).most_common(1)[0][0],
        lora_alpha=1,
        target_modules=[linear.name for linear in sizes],
        rank_pattern=ranks,
        alpha_pattern={key: alpha for key, (_, alpha) in patterns.items()},
        lora_dropout=dropout,
        modules_to_save=[head] if head else None,
        task_type=task_of(model),
    )
    return with_peft(model, config)


def task_of(model: nn.Module) -> str:
    """What peft calls what the model does."""
    seq2seq = getattr(model.config, "is_encoder_decoder", False)
    return "SEQ_2_SEQ_LM" if seq2seq else "CAUSAL_LM"


def with_peft(model: nn.Module, config: Any) -> nn.Module:
    """The model wrapped by peft, without its chatter; a pattern that matches nothing raises."""
    from peft import get_peft_model

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The following (rank|alpha)_pattern")
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        return get_peft_model(model, config)
