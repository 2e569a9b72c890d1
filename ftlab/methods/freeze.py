"""Freezing: say for each part of the model how fast it may move, from not at all to fully.

    Freeze()                                        the article's plan for a GPT-style model:
                                                    embeddings and 1-6 still, 7-9 lightly, 10-12
    Freeze({"1-6": 1, "7-12": 0})                   a control: the upper half frozen
    Freeze.random_half(seed=0)                      a control: six random twelfths

Frozen means `requires_grad=False`: no gradient, no optimiser state, not one bit moves. Setting
gradients to zero is not enough, for AdamW's weight decay shrinks what has no gradient (from 1.0
to 0.99 in one step at rate 0.1 and decay 0.1). Lightly trained means a learning rate of its own,
a share of the plan's.

Run the tests: pytest tests/methods/test_freeze.py
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.methods.bands import Shares, parts_of, read_bands
from ftlab.methods.full_tuning import refuse_codes
from ftlab.methods.prepared import Prepared, count
from ftlab.models.layers import layer_map
from ftlab.models.split import untie

ARTICLE = {"1-6": 0.0, "7-9": 0.1, "10-12": 1.0}
SHAPES = {
    (0.0,) * 6 + (0.1,) * 3 + (1.0,) * 3: "freeze",
    (0.0,) * 6 + (1.0,) * 6: "freeze_low",
    (1.0,) * 6 + (0.0,) * 6: "freeze_top",
}
"""Rows of the table of methods, by the share of each twelfth."""


@checked
@dataclass(frozen=True)
class Freeze:
    """Shares of the learning rate: 0 is frozen, 1 is fully trained, between is lightly trained.

    Call it on a model to apply it, in place, to every stack the model has.
    """

    bands: Shares = field(default_factory=lambda: dict(ARTICLE))
    """By band of blocks, in twelfths of the depth; together all of them."""
    embeddings: float = 0.0
    """Of tokens and positions."""
    head: float | None = None
    """None: with the embeddings where they are tied, else 1."""
    norm: float = 1.0
    """Of the final norm."""
    untied: bool = False
    """Give a tied head weights of its own, so that it may differ from the embeddings."""
    name: str = ""
    """What records and plots call it; by default it follows from the fields."""

    def __post_init__(self) -> None:
        shares = {f"band '{band}'": share for band, share in self.bands.items()}
        shares |= {"embeddings": self.embeddings, "norm": self.norm}
        shares |= {"head": self.head} if self.head is not None else {}
        for what, share in shares.items():
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise InputError(
                    f"The share of the learning rate for {what} is {share!r}; "
                    "give a number from 0 (frozen) to 1 (fully trained)."
                )
        named = sorted(part for band in self.bands for part in parts_of(band))
        if lacking := sorted(set(range(1, 13)) - set(named)):
            raise InputError(
                f"No band says what happens to {', '.join(map(str, lacking))} of 12; "
                "name every block once, with 0 for the frozen ones."
            )
        if not any(shares.values()):
            raise InputError("Everything is frozen, so nothing can be learned; let a band move.")
        object.__setattr__(self, "name", self.name or self._described())

    def _described(self) -> str:
        """A row of the table of methods where the plan is that, else what is frozen, in words."""
        shares = {part: share for band, share in self.bands.items() for part in parts_of(band)}
        by_part = tuple(shares[part] for part in range(1, 13))
        plain = (self.embeddings, self.head, self.norm) == (0.0, None, 1.0)
        if plain and by_part in SHAPES:
            return SHAPES[by_part]
        words = [f"{band}: {share:g}" for band, share in self.bands.items()]
        words += [f"embeddings: {self.embeddings:g}"] if self.embeddings else []
        words += [f"head: {self.head:g}"] if self.head is not None else []
        return f"Freeze {', '.join(words)}"

    @classmethod
    def random_half(cls, seed: int) -> "Freeze":
        """A control: six of the twelve parts frozen, drawn by `seed`, the others fully trained."""
        still = sorted(random.Random(f"frozen {seed}").sample(range(1, 13), 6))
        moving = [part for part in range(1, 13) if part not in still]
        bands = {",".join(map(str, still)): 0.0, ",".join(map(str, moving)): 1.0}
        return cls(bands, name="freeze_any")

    def __call__(self, model: nn.Module) -> Prepared:
        """Apply it. Raises InputError for a tied head that should differ from its embeddings."""
        refuse_codes(model)
        found = layer_map(model)
        if found.tied and self.head not in (None, self.embeddings):
            if not self.untied:
                raise InputError(
                    f"The head of this model is its embedding table, so head={self.head:g} with "
                    f"embeddings={self.embeddings:g} is not possible; give both the same share, "
                    "or set untied=True, which makes a copy."
                )
            untie(model)
        depths = {stack.name: found.depth(stack.name) for stack in found.entry.stacks}
        blocks = {stack: read_bands(self.bands, depth) for stack, depth in depths.items()}
        factors: dict[str, float] = {}
        for name, parameter in model.named_parameters():
            share = self._share(found.place(name), blocks)
            parameter.requires_grad_(share > 0)
            if 0 < share < 1:
                factors[name] = share
        return count(model, self.name, factors)

    def _share(self, place: Any, blocks: Mapping[str, Mapping[int, float]]) -> float:
        match place.part:
            case "block":
                return blocks[place.stack][place.block]
            case "embeddings":
                return self.embeddings
            case "head":
                return 1.0 if self.head is None else self.head
        return self.norm
