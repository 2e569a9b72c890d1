"""Text to token ids, so that our numbers and those of lm-evaluation-harness mean the same.

    [prefix] query tokens | choice tokens          a probe     (`pair_pieces`)
    [prefix] prompt tokens | answer tokens, eos    an item     (`item_pieces`)
    [prefix] | document tokens                     a document  (`document_pieces`)

What stands before the bar is given, what stands after it is scored. Notable choices:
- Every text is read after ONE prefix token: bos if the tokenizer has one, else eos. Without it
  the first word of a document would be scored after nothing at all, or not scored.
- A query and its choice are encoded together and then cut, for a tokenizer may join letters
  across the cut; blanks at the end of the query belong to the choice.
- A prompt and its answer are encoded apart, since generation starts from the prompt alone. For
  a byte-level tokenizer and an answer that begins with a blank both ways give the same tokens.
- A document longer than the model's context is scored in windows, no token of it twice.

Source: EleutherAI/lm-evaluation-harness 0.4.13, `TemplateLM._encode_pair` and
`get_rolling_token_windows`. Checked against it by: pytest tests/test_lm_eval.py
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ftlab.errors import InputError


@dataclass(frozen=True)
class Piece:
    """Token ids in two parts: what the model is given, and what it is scored on."""

    context: tuple[int, ...]
    """Given; at least one token (the prefix)."""
    continuation: tuple[int, ...]
    """Scored; at least one token."""

    def __post_init__(self) -> None:
        if not self.context or not self.continuation:
            raise InputError(
                f"A text with {len(self.context)} given and {len(self.continuation)} scored tokens "
                "cannot be scored; each part needs at least one, so look for an empty text."
            )

    @property
    def inputs(self) -> tuple[int, ...]:
        """What the model reads: everything but the last token, which is only predicted."""
        return (self.context + self.continuation)[:-1]


def prefix_id(tokenizer: Any) -> int:
    """The token that every text is read after: bos, else eos.

    Raises InputError when the tokenizer has neither.
    """
    for name in ("bos_token_id", "eos_token_id"):
        if getattr(tokenizer, name, None) is not None:
            return getattr(tokenizer, name)
    raise InputError(
        "The tokenizer has neither a bos nor an eos token, and one of them must stand before "
        "every text; set tokenizer.eos_token."
    )


def eos_id(tokenizer: Any) -> int:
    """The token that ends an answer. Raises InputError when the tokenizer has none."""
    if tokenizer.eos_token_id is None:
        raise InputError(
            "The tokenizer has no eos token, and an answer must end with one; "
            "set tokenizer.eos_token."
        )
    return tokenizer.eos_token_id


def encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of every text, with no special token added."""
    if not texts:
        return []
    return tokenizer(
        list(texts),
        add_special_tokens=False,
        return_attention_mask=False,
        verbose=False,  # a long document is cut into windows, so no warning about its length
    )["input_ids"]


def pair_pieces(tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> list[Piece]:
    """One piece for every (context, continuation) pair; the context may be empty.

    Raises InputError for an empty continuation.
    """
    moved = [_move_blanks(context, continuation) for context, continuation in pairs]
    wholes = encode(tokenizer, [context + continuation for context, continuation in moved])
    contexts = list(dict.fromkeys(context for context, _ in moved))  # choices share their query
    lengths = {c: len(ids) for c, ids in zip(contexts, encode(tokenizer, contexts), strict=True)}
    start = prefix_id(tokenizer)
    return [
        Piece((start, *whole[: lengths[context]]), tuple(whole[lengths[context] :]))
        for (context, _), whole in zip(moved, wholes, strict=True)
    ]


def _move_blanks(context: str, continuation: str) -> tuple[str, str]:
    cut = len(context.rstrip())
    return context[:cut], context[cut:] + continuation


def item_pieces(tokenizer: Any, items: Iterable[Mapping[str, Any]]) -> list[Piece]:
    """One piece for every domain item: the prompt is given, answer and eos are scored."""
    rows = list(items)
    prompts = encode(tokenizer, [row["prompt"] for row in rows])
    answers = encode(tokenizer, [row["answer"] for row in rows])
    start, end = prefix_id(tokenizer), eos_id(tokenizer)
    return [
        Piece((start, *prompt), (*answer, end))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


def document_pieces(tokenizer: Any, texts: Sequence[str], limit: int) -> list[list[Piece]]:
    """For every text its windows of at most `limit` input tokens; an empty text has none.

    Every token is scored once. A window that is not full of tokens to score (the last) is filled
    up from the left with tokens that were scored before.
    """
    start = prefix_id(tokenizer)
    return [_windows([start, *ids], limit) for ids in encode(tokenizer, texts)]


def _windows(ids: list[int], limit: int) -> list[Piece]:
    cuts = [*range(0, len(ids) - 1, limit), len(ids) - 1]  # tokens cut+1 .. next cut are scored
    return [
        Piece(tuple(ids[max(0, end - limit) : start + 1]), tuple(ids[start + 1 : end + 1]))
        for start, end in pairwise(cuts)
    ]
