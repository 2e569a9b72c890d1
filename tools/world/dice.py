"""Random choices that count their own surprise.

Every document of the small world is written by a chain of random choices. `Dice` makes the
choices and adds up `-log p` of each, in nats, so that a document comes with the surprisal the
generator itself would give it. Summed over documents this is the entropy of the generator: the
loss that no language model can beat on average (where two chains of choices write the same text
the true entropy is a little lower, so the figure is an upper bound of it).

Only `random.Random.random()` is used: it is the one method whose stream Python promises never to
change between versions, so the data files can be made again byte for byte.
"""

import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A seeded source of choices; `nats` is the surprisal of all choices so far."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.nats = 0.0

    def below(self, n: int) -> int:
        """A whole number 0 .. n-1, each as likely."""
        self.nats += math.log(n)
        return int(self._random.random() * n)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return options[self.below(len(options))]

    def picks(self, options: Sequence[T], k: int) -> list[T]:
        """k different options, in random order."""
        left = list(options)
        return [left.pop(self.below(len(left))) for _ in range(k)]

    def chance(self, p: float) -> bool:
        """True with probability p (0 < p < 1)."""
        hit = self._random.random() < p
        self.nats -= math.log(p if hit else 1 - p)
        return hit

    def weighted(self, options: Sequence[tuple[T, float]]) -> T:
        """One of (option, weight) pairs, as likely as its weight."""
        total = sum(weight for _, weight in options)
        mark = self._random.random() * total
        chosen, share = options[-1]  # where rounding leaves a rest, the last one takes it
        for option, weight in options:
            mark -= weight
            if mark < 0:
                chosen, share = option, weight
                break
        self.nats -= math.log(share / total)
        return chosen

    def fill(self, template: str, slots: Mapping[str, Sequence[str]]) -> str:
        """The template with each {slot} drawn from its list: one draw a slot, none for the rest."""
        for slot in dict.fromkeys(re.findall(r"{(\w+)}", template)):
            template = template.replace("{" + slot + "}", self.pick(slots[slot]))
        return template
