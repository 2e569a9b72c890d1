"""Which items are too long, and cutting them until they fit.

An item may have so many tokens; where the model must answer it, it is read with room for the
longest answer of its split, as `generate` gives it to every item. That longest answer is chosen so
that the fewest items go: one answer of a page does not drop all others.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ftlab.datasets.items import Item
from ftlab.text.requests import item_segments
from ftlab.text.segments import Segment, encode

SPARE_TOKENS = 4
"""How many tokens beyond the longest right answer a model may spend."""
TRIES = 12
"""How often a prompt may be cut until it fits."""


@dataclass(frozen=True)
class Limits:
    """What items of a split are held to, and how they are written and read."""

    tokenizer: Any
    start: int | None
    write: Callable[[Item], Item]
    longest: int
    """Tokens of an item, start and end included."""
    answering: int | None
    """Tokens of prompt and answer that the model reads; None where it need not answer."""

    def segments(self, items: Sequence[Item]) -> list[Segment]:
        """The items as the model reads them."""
        return item_segments(self.tokenizer, [self.write(item) for item in items], self.start)

    def over(self, items: Sequence[Item]) -> list[int]:
        """By how many tokens each item is too long; 0 where it fits."""
        found = self.segments(items)
        room = self._room(found)
        return [self._over(segment, room) for segment in found]

    def _over(self, segment: Segment, room: int) -> int:
        more = [0, segment.length - self.longest, len(segment.continuation) - room]
        if self.answering is not None:
            more.append(len(segment.context) + room + SPARE_TOKENS - 1 - self.answering)
        return max(more)

    def _room(self, segments: Sequence[Segment]) -> int:
        """The longest answer that is allowed for, so that the fewest items are too long."""
        sizes = sorted({len(segment.continuation) for segment in segments}, reverse=True)
        if self.answering is None:
            return sizes[0]
        return min(sizes, key=lambda room: sum(self._over(s, room) > 0 for s in segments))

    def cut(self, items: Sequence[Item], among: Sequence[Item]) -> list[Item | None]:
        """Items of a split without the front of their prompt; None where that is not enough.

        Of a chat the last message loses it, text alone its end.
        """
        room = self._room(self.segments(among))
        return [self._fitted(item, room) for item in items]

    def _fitted(self, item: Item, room: int) -> Item | None:
        for _ in range(TRIES):
            if not (over := self._over(self.segments([item])[0], room)):
                return item
            if (shorter := self._shorter(item, over)) is None:
                return None
            item = shorter
        return None

    def _shorter(self, item: Item, over: int) -> Item | None:
        turns = json.loads(item.get("turns") or "[]")
        part = "prompt" if item["prompt"] else "answer"
        text = turns[-1]["content"] if turns else item[part]
        tokens = len(encode(self.tokenizer, [text])[0])
        cut = math.ceil(len(text) * over / max(tokens, 1))
        if cut >= len(text.strip()):
            return None
        if part == "answer":
            return item | {"answer": text[:-cut].rstrip()}
        left = text[cut:]
        left = left.split(maxsplit=1)[-1] if " " in left.strip() else left  # not half a word
        if turns:
            turns[-1]["content"] = left
            plain = item["prompt"].replace(text, left)
            return item | {"turns": json.dumps(turns), "prompt": plain}
        return item | {"prompt": left}
