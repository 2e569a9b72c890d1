"""What a model writes itself, unasked or asked: to replay, or to see which weights matter to it.

Source: Huang et al. 2024, Mitigating catastrophic forgetting in large language models with
self-synthesized rehearsal.
Run the tests: pytest tests/evaluate/test_own_texts.py
"""

from collections.abc import Sequence
from itertools import chain, count, zip_longest
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.evaluate.target import BATCH_ROWS, generate
from ftlab.text.seq2seq import decoder_start

TOKENS = 64
"""Longest text."""
ANSWER_TOKENS = 32
TRIES = 20
"""Batches of texts at most, and ..."""
SOON = 6
"""... in how many enough must have ended, else cut ones are taken."""


def own_texts(
    model: nn.Module, tokenizer: Any, asked: Sequence[str], number: int, seed: int
) -> list[dict[str, Any]]:
    """`number` items {id, prompt, answer} drawn from the model's own probabilities: its answers
    to the prompts `asked`, and whole texts (prompt ""), in turn.

    Texts that are empty or repeat are left out, and so are those that do not end within 64 tokens;
    of a model that hardly ever ends one, these are cut after their last sentence. Raises InputError
    for a model of whose texts too few are left, and for an encoder-decoder model.
    """
    if decoder_start(model) is not None:
        raise InputError(
            "An encoder-decoder model writes no text unasked; take a decoder model such as "
            "nano-gpt2 for EWC or for replay that the model writes itself."
        )
    said = generate(model, tokenizer, asked, ANSWER_TOKENS, seed=seed) if asked else []
    answers = [{"prompt": p, "answer": a} for p, a in zip(asked, said, strict=True) if a.strip()]
    wanted = number - len(answers)
    texts = [{"prompt": "", "answer": t} for t in _unasked(model, tokenizer, wanted, seed)]
    both = chain.from_iterable(zip_longest(texts, answers))
    return [{"id": f"own-{n:04}", **row} for n, row in zip(count(), filter(None, both))]


def _unasked(model: nn.Module, tokenizer: Any, number: int, seed: int) -> list[str]:
    ended: dict[str, None] = {}
    cut: dict[str, None] = {}
    for turn in range(TRIES):
        rare = turn > 1 and len(ended) * SOON < number * turn
        if len(ended) >= number or (rare and len(cut) >= number):
            break
        for text in generate(model, tokenizer, [""] * BATCH_ROWS, TOKENS, seed=1000 * seed + turn):
            whole = len(tokenizer(text)["input_ids"]) < TOKENS - 1
            kept = text if whole else text[: text.rfind(".") + 1]
            if kept.strip():
                (ended if whole else cut)[kept] = None
    found = [*ended, *cut] if len(ended) < number <= len(ended) + len(cut) else [*ended]
    if len(found) < number:
        raise InputError(
            f"Of {TRIES * BATCH_ROWS} texts that this model wrote unasked, {len(found)} hold a "
            f"sentence and are not alike; {number} are needed. Replay other text."
        )
    return found[:number]
