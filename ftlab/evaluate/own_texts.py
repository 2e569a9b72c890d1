"""What a model writes itself, unasked or asked: to replay, or to see which weights matter to it.

Source: Huang et al. 2024, Mitigating catastrophic forgetting in large language models with
self-synthesized rehearsal.
Run the tests: pytest tests/evaluate/test_own_texts.py
"""

from collections.abc import Sequence
from itertools import chain, count, islice, zip_longest
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.evaluate.target import BATCH_ROWS, generate

TOKENS = 64
"""Longest text; what is longer was not ended, and is left out."""
ANSWER_TOKENS = 32
TRIES = 20


def own_texts(
    model: nn.Module, tokenizer: Any, asked: Sequence[str], number: int, seed: int
) -> list[dict[str, Any]]:
    """`number` items {id, prompt, answer} drawn from the model's own probabilities: its answers
    to the prompts `asked`, and whole texts (prompt ""), in turn.

    Texts that are empty, repeat, or do not end within 64 tokens are left out. Raises InputError
    for a model of whose texts too few are left.
    """
    said = generate(model, tokenizer, asked, ANSWER_TOKENS, seed=seed) if asked else []
    answers = [{"prompt": p, "answer": a} for p, a in zip(asked, said, strict=True) if a.strip()]
    wanted = number - len(answers)
    texts = [{"prompt": "", "answer": t} for t in _unasked(model, tokenizer, wanted, seed)]
    both = chain.from_iterable(zip_longest(texts, answers))
    return [{"id": f"own-{n:04}", **row} for n, row in zip(count(), filter(None, both))]


def _unasked(model: nn.Module, tokenizer: Any, number: int, seed: int) -> list[str]:
    found: dict[str, None] = {}
    for turn in range(TRIES):
        if len(found) >= number:
            break
        drawn = generate(model, tokenizer, [""] * BATCH_ROWS, TOKENS, seed=1000 * seed + turn)
        ended = [len(tokenizer(text)["input_ids"]) < TOKENS - 1 for text in drawn]
        found |= {t: None for t, whole in zip(drawn, ended, strict=True) if whole and t.strip()}
    if len(found) < number:
        raise InputError(
            f"Of {TRIES * BATCH_ROWS} texts that this model wrote unasked, {len(found)} end within "
            f"{TOKENS} tokens and are not alike; {number} are needed. Replay other text."
        )
    return list(islice(found, number))
