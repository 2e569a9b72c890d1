"""A text in two parts, as token ids: what a model is given, and what it is scored on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftlab.base.errors import InputError


@dataclass(frozen=True)
class Segment:
    """Token ids in two parts: what the model is given, and what it is scored on."""

    context: tuple[int, ...]
    """Given; at least one token (the prefix)."""
    continuation: tuple[int, ...]
    """Scored; at least one token."""
    start: int | None = None
    """What a decoder of its own starts from; None for a causal model, which reads on."""

    def __post_init__(self) -> None:
        if not self.context or not self.continuation:
            raise InputError(
                f"A text with {len(self.context)} given and {len(self.continuation)} scored tokens "
                "cannot be scored; each part needs at least one, so look for an empty text."
            )

    @property
    def inputs(self) -> tuple[int, ...]:
        """What is read while predicting: all but the last token, which is only predicted."""
        if self.start is not None:
            return (self.start, *self.continuation[:-1])
        return (self.context + self.continuation)[:-1]

    @property
    def reads(self) -> int:
        """Tokens that a model reads of it, in the longer of encoder and decoder."""
        return max(len(self.inputs), len(self.context))

    @property
    def length(self) -> int:
        """The same with the last one, which is only learned: what `max_tokens` counts."""
        return max(len(self.inputs) + 1, len(self.context))

    @property
    def first(self) -> int:
        """The position in `inputs` that predicts the first scored token."""
        return len(self.context) - 1 if self.start is None else 0

    @property
    def key(self) -> tuple[int, ...]:
        """Segments of which one key begins with the other's can be read in one row."""
        return self.inputs if self.start is None else (*self.context, -1, *self.inputs)


def prefix_id(tokenizer: Any) -> int:
    """The token that every text is read after: bos, else eos.

    Raises InputError when the tokenizer has neither.
    """
    for name in ("bos_token_id", "eos_token_id"):
        if getattr(tokenizer, name, None) is not None:
            return getattr(tokenizer, name)
    raise InputError(
        "The tokenizer has neither a bos nor an eos token, and every text needs one in front; "
        "set tokenizer.eos_token."
    )


def eos_id(tokenizer: Any) -> int:
    """The token that ends an answer. Raises InputError when the tokenizer has none."""
    if tokenizer.eos_token_id is None:
        raise InputError(
            "The tokenizer has no eos token, and an answer must end with one; "
            "set tokenizer.eos_token."
        )
    return tokenizer.eos_token_id


def wrapped(
    before: Sequence[int], ids: Sequence[int], after: Sequence[int] = ()
) -> tuple[int, ...]:
    """The ids between special tokens; those that a text (a rendered chat) has itself stay one."""
    first = len(before) if before and tuple(ids[: len(before)]) == tuple(before) else 0
    last = len(after) if after and tuple(ids[-len(after) :]) == tuple(after) else 0
    return (*before, *ids[first : len(ids) - last], *after)


def encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of every text, with no special token added."""
    # verbose: a long document is cut into windows, so no warning about its length
    how = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
    return tokenizer(list(texts), **how)["input_ids"] if texts else []
