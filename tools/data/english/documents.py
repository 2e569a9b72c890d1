"""General English that the base model itself wrote: 100 documents, sampled once and stored.

What a tuned model loses on text that the base finds likely is a measure of how far it has moved,
and text that the base wrote needs no foreign data set. (A model's own text as a memory of what it
knew: Sun et al. 2020, LAMOL, arXiv:1909.03329.)

Notable choices
- Temperature 0.8. At 1.0 the base's loss on its own text is its entropy, and what a tuned model
  loses there is KL(base || tuned) exactly in expectation; but this small model, quantized to four
  bits, then wrote word salad with invented names and rude words, which nobody would call general
  English. At 0.8 it reads. The price: a model that grows sharper all round may gain a little
  here, so drift is measured on whole distributions (`kl_to_base`), which no temperature bends.
- Every document starts with a short everyday opening written for this project: after its start
  token alone the chat model goes on with a chat role.
- A document ends with its last whole sentence, so that it reads as text.
- Degenerate ones, and what a classroom need not read, are thrown out by rule: see `fault`.

    python -m tools.data.english.suite --sample       about 10 minutes on one CPU core
"""

import re
from typing import Any

from tools.data.english.openings import OPENINGS

TEMPERATURE, TOP_P = 0.8, 1.0
NEW_TOKENS = 150
MIN_WORDS = 60
MAX_REPEATED = 0.10  # share of the 4-grams of words that have been there before
PER_OPENING = 3
REPLAY_WORDS = 50
RUDE = re.compile(  # beginnings of words
    r"\b(abus|assault|bitch|bomb|corpse|crap|damn|dick\b|drug|drunk|fuck|gun\b|guns|hell\b|kill"
    r"|lust\b|murder|naked|nude|penis|porn|racis|rape|sex|shit|slave|slut|stupid|suicid|terroris"
    r"|tortur|vagina|weapon|whore)",
    re.IGNORECASE,
)
FAITHS = re.compile(  # what a small model makes up about real ones is not ours to spread
    r"\b(allah|buddh|christian|hindu|holocaust|islam|jew|muslim|nazi|quran)", re.IGNORECASE
)


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


def sample_replay(model: Any, tokenizer: Any, *, wanted: int = 60, seed: int = 1):
    """Short texts to practise old skills on (`world.replay`): the first sentences of documents.

    They come from another seed than the documents that drift is measured on, and are about as
    long as a target item, so that replay costs as many tokens as what it replaces.
    """
    rows = sample(model, tokenizer, wanted=wanted, seed=seed)
    texts = [whole_sentences(" ".join(row["text"].split()[:REPLAY_WORDS])) for row in rows]
    return [
        {**row, "id": f"replay-{n:03}", "text": text}
        for n, (row, text) in enumerate(zip(rows, texts, strict=True), 1)
        if len(text.split()) > 5
    ]


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
    if RUDE.search(text):
        return "is rude or violent"
    if FAITHS.search(text):
        return "makes claims about a people or a faith"
    if not text.isascii() and sum(not c.isascii() for c in text) > 0.02 * len(text):
        return "is not plain English letters"
    return ""


def repeated_share(words: list[str], n: int = 4) -> float:
    """Share of the n-grams of `words` that occurred before, 0 (none) to nearly 1."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
