"""Text to token ids, so that our scores and those of lm-evaluation-harness mean the same.

    [prefix] query tokens | choice tokens          a probe     (`pair_segments`)
    [prefix] prompt tokens | answer tokens, eos    an item     (`item_segments`)
    [prefix] | document tokens                     a document  (`document_segments`)
    either of the last two, as a model reads it                (`text_segments`)

What stands before the bar is given, what stands after it is scored. An encoder-decoder model is
given `start`, the token its decoder starts from: its encoder reads the first part, its decoder
says the second (`text/seq2seq.py`). Notable choices:
- Every text is read after ONE prefix token: bos if the tokenizer has one, else eos. Without it
  the first word of a document would be scored after nothing at all, or not scored. A text that
  begins with it (a rendered chat) gets no second one.
- An answer that holds the end token is refused: what stands after it could never be said.
- A query and its choice are encoded together and then cut, for a tokenizer may join letters
  across the cut; blanks at the end of the query belong to the choice.
- A prompt and its answer are encoded separately, since generation starts from the prompt alone. For
  a byte-level tokenizer and an answer that begins with a blank both ways give the same tokens.
- A document longer than the model's context is scored in windows, no token of it twice.

Source: EleutherAI/lm-evaluation-harness 0.4.13, `TemplateLM._encode_pair` and
`get_rolling_token_windows`. Checked against it by: pytest tests/text/test_lm_eval.py
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.text.scored_batches import context_limit
from ftlab.text.segments import Segment, encode, eos_id, prefix_id, wrapped
from ftlab.text.seq2seq import decoder_start, gap_segments, seq2seq_segments

Text = str | tuple[str, str]
"""A whole text, or a (prompt, answer) pair."""


def pair_segments(
    tokenizer: Any,
    pairs: Sequence[tuple[str, str]],
    start: int | None = None,
    ended: Sequence[bool] | bool = False,
) -> list[Segment]:
    """One segment for every (context, continuation) pair; the context may be empty.

    With `start`, where `ended` says so the end is scored too.

    Raises InputError for an empty continuation.
    """
    if start is not None:
        return seq2seq_segments(tokenizer, pairs, start, ended=ended)
    moved = [_move_blanks(context, continuation) for context, continuation in pairs]
    wholes = encode(tokenizer, [context + continuation for context, continuation in moved])
    contexts = list(dict.fromkeys(context for context, _ in moved))  # choices share their query
    lengths = {c: len(ids) for c, ids in zip(contexts, encode(tokenizer, contexts), strict=True)}
    first = prefix_id(tokenizer)
    return [
        Segment(wrapped([first], whole[: lengths[context]]), tuple(whole[lengths[context] :]))
        for (context, _), whole in zip(moved, wholes, strict=True)
    ]


def _move_blanks(context: str, continuation: str) -> tuple[str, str]:
    cut = len(context.rstrip())
    return context[:cut], context[cut:] + continuation


def item_segments(
    tokenizer: Any, items: Iterable[Mapping[str, Any]], start: int | None = None
) -> list[Segment]:
    """One segment for every domain item: the prompt is given, answer and eos are scored.

    Raises InputError for an answer with the end token in it.
    """
    rows, end = list(items), eos_id(tokenizer)
    answers = encode(tokenizer, [row["answer"] for row in rows])
    ended = [row for row, answer in zip(rows, answers, strict=True) if end in answer]
    if ended:
        raise InputError(
            f"The answer {ended[0]['answer']!r:.60} holds the end token {tokenizer.eos_token}, "
            f"after which nothing is said ({len(ended)} of {len(rows)} answers do); take it out: "
            "every answer is ended with it anyway."
        )
    if start is not None:
        pairs = [(row["prompt"], row["answer"]) for row in rows]
        return seq2seq_segments(tokenizer, pairs, start, ended=True)
    prompts = encode(tokenizer, [row["prompt"] for row in rows])
    first = prefix_id(tokenizer)
    return [
        Segment(wrapped([first], prompt), (*answer, end))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


def document_segments(
    tokenizer: Any, texts: Sequence[str], limit: int, start: int | None = None
) -> list[list[Segment]]:
    """For every text its windows of at most `limit` input tokens; an empty text has none.

    Every token is scored once. A window that is not full of tokens to score (the last) is filled
    up from the left with tokens that were scored before. With `start` every text is one segment:
    the corrupted text, and what is missing in it.
    """
    if start is not None:
        whole = [text for text in texts if text.strip()]
        made = iter(gap_segments(tokenizer, whole, start))
        return [[next(made)] if text.strip() else [] for text in texts]
    first = prefix_id(tokenizer)
    return [_windows(wrapped([first], ids), limit) for ids in encode(tokenizer, texts)]


def _windows(ids: Sequence[int], limit: int) -> list[Segment]:
    cuts = [*range(0, len(ids) - 1, limit), len(ids) - 1]  # tokens cut+1 .. next cut are scored
    return [
        Segment(tuple(ids[max(0, end - limit) : start + 1]), tuple(ids[start + 1 : end + 1]))
        for start, end in pairwise(cuts)
    ]


def text_segments(model: nn.Module, tokenizer: Any, texts: Sequence[Text]) -> list[Segment]:
    """Texts in windows that the model can read, then (prompt, answer) pairs, one segment each."""
    whole = [text for text in texts if isinstance(text, str)]
    pairs = [text for text in texts if not isinstance(text, str)]
    start = decoder_start(model)
    windows = document_segments(tokenizer, whole, context_limit(model), start)
    items = [{"prompt": prompt, "answer": answer} for prompt, answer in pairs]
    return [s for group in windows for s in group] + item_segments(tokenizer, items, start)
