"""General English that the base model itself wrote: 100 documents, sampled once and stored.

Text for perplexity and drift is best drawn from the base model. With x ~ p_base at temperature 1

    E[ nats of x under the tuned model - nats of x under the base ] = KL(base || tuned)

so what the tuned model loses on these documents is an estimate of how far it has drifted, and the
base's own loss on them is its entropy: nothing is left to learn there. (Sampling a model's own
text to keep its knowledge: Sun et al. 2020, LAMOL, arXiv:1909.03329.)

Notable choices
- Every document starts with a short everyday opening written for this project: after its start
  token alone the chat model goes on with a chat role.
- A document ends with its last whole sentence, so that it reads as text; the cut costs the
  equation above a little exactness.
- Degenerate ones are thrown out by rule, not by taste: see `fault`.

    python -m ftlab.world.english --sample       about 10 minutes on one CPU core
"""

import re
from typing import Any

from ftlab.world.english_openings import OPENINGS

TEMPERATURE, TOP_P = 1.0, 1.0
NEW_TOKENS = 150
MIN_WORDS = 60
MAX_REPEATED = 0.10  # share of the 4-grams of words that have been there before
PER_OPENING = 2


def sample(model: Any, tokenizer: Any, *, wanted: int = 100, batch: int = 20, seed: int = 0):
    """`wanted` documents as rows (id, text, opening), at most PER_OPENING from one opening.

    The same seed, machine and library versions give the same text; others may not, since a
    sum of floats in another order can tip a draw. That is why the documents are stored.
    """
    import torch

    torch.manual_seed(seed)
    rows: list[dict[str, str]] = []
    todo = [opening for _ in range(PER_OPENING) for opening in OPENINGS]
    for start in range(0, len(todo), batch):
        openings = todo[start : start + batch]
        texts = [whole_sentences(text) for text in go_on(model, tokenizer, openings)]
        good = [(o, text) for o, text in zip(openings, texts, strict=True) if not fault(text)]
        rows += [{"text": text, "opening": opening} for opening, text in good]
        if len(rows) >= wanted:
            break
    return [{"id": f"english-{n:03}", **row} for n, row in enumerate(rows[:wanted], 1)]


def go_on(model: Any, tokenizer: Any, openings: list[str]) -> list[str]:
    """Each opening with NEW_TOKENS more tokens (fewer if the model ends its text)."""
    import torch

    first = tokenizer.bos_token or tokenizer.eos_token
    given = tokenizer(
        [first + opening for opening in openings],
        add_special_tokens=False,
        padding=True,
        padding_side="left",  # so that all texts go on from the last column
        return_tensors="pt",
    )
    with torch.no_grad():
        ids = model.generate(  # (batch, given + new)
            **given,
            do_sample=True,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            top_k=0,
            max_new_tokens=NEW_TOKENS,
            pad_token_id=tokenizer.pad_token_id,
        )
    return tokenizer.batch_decode(ids, skip_special_tokens=True)


def whole_sentences(text: str) -> str:
    """`text` up to the end of its last whole sentence."""
    ends = [match.end() for match in re.finditer(r"[.!?][\"')”]?(?=\s|$)", text)]
    return text[: ends[-1]].strip() if ends else ""


def fault(text: str) -> str:
    """Why a document is not kept, in a few words; empty when it is kept."""
    words = text.lower().split()
    if len(words) < MIN_WORDS:
        return "too short"
    if repeated_share(words) > MAX_REPEATED:
        return "repeats itself"
    if re.search(r"https?:|www\.|@|<\||```", text):
        return "holds an address, a chat mark or program code"
    if not text.isascii() and sum(not c.isascii() for c in text) > 0.02 * len(text):
        return "is not plain English letters"
    return ""


def repeated_share(words: list[str], n: int = 4) -> float:
    """Share of the n-grams of `words` that occurred before, 0 (none) to nearly 1."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
