"""The target task: does the model give the answer, and how surprised is it by the right one?

    score   share of items whose greedy answer is the right one, word for word
    chrf    how much of the right answers' letters is there (0 to 1), for answers that are sentences
    loss    nats per token of the right answer and its eos, given the prompt

Notable choices:
- Scores come from greedy decoding: no sampling, no penalties, whatever the model's own settings
  say. The same model gives the same answers.
- An answer ends where the model says eos; what follows is cut off. A model that does not stop has
  not learned the format, and is wrong. A line break does not end an answer.
- Blanks are folded before the comparison; nothing else is forgiven.
- Items that rest on a case which never occurs in the training split (`held`) have a score of their
  own. Only they tell a rule that was learned from a table that was copied.

Run the tests: pytest tests/evaluate/test_target.py
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig

from ftlab.base.draws import Draws
from ftlab.base.errors import InputError
from ftlab.base.progress import counted
from ftlab.base.shared import gathered, mine
from ftlab.evaluate.likelihood import mean_loss, score_segments
from ftlab.text.requests import item_segments
from ftlab.text.scored_batches import (
    beside_virtual,
    context_limit,
    device_of,
    evaluating,
    virtual_tokens,
)
from ftlab.text.segments import encode, eos_id, prefix_id, wrapped
from ftlab.text.seq2seq import around, decoder_start
from ftlab.text.too_long import SPARE_TOKENS

BATCH_ROWS = 64
"""Most prompts answered at once."""


@dataclass(frozen=True)
class TargetScore:
    """How a model did on items of the target domain."""

    correct: tuple[bool, ...]
    """Right or wrong, item by item."""
    held: tuple[bool, ...]
    """Held out or not, item by item."""
    loss: float
    """Nats per token of the right answers and their eos, given the prompts."""
    outputs: tuple[str, ...] = ()
    """What the model answered, item by item; empty where no text was generated."""
    chrf: float | None = None
    """chrF of all answers against the right ones, 0 to 1 (Popovic 2015, computed by sacrebleu)."""
    per_item: tuple[float, ...] = ()
    """Nats per token of every right answer; empty where only their mean is known."""
    lengths: tuple[int, ...] = ()
    """Tokens of every right answer: the weights that turn `per_item` into `loss`."""

    @property
    def score(self) -> float:
        """Exact match over all items, 0 to 1."""
        return fmean(self.correct)

    @property
    def seen_score(self) -> float | None:
        """Exact match over items whose case occurs in the training split; None without any."""
        seen = self.among(held=False)
        return fmean(seen) if seen else None

    @property
    def held_score(self) -> float | None:
        """Exact match over items whose case never occurs in the training split; None without."""
        held = self.among(held=True)
        return fmean(held) if held else None

    def among(self, *, held: bool) -> list[bool]:
        """Right or wrong, for the held items or for the others."""
        return [right for right, h in zip(self.correct, self.held, strict=True) if h == held]


def measure_target(
    model: nn.Module, tokenizer: Any, items: Iterable[Mapping[str, Any]]
) -> TargetScore:
    """Answer every item greedily, compare, and take the loss of the right answers.

    Items are mappings with "prompt", "answer" and perhaps "held" (False if missing).
    Raises InputError when there is no item, or one longer than the model can read.
    """
    rows = list(items)
    if not rows:
        raise InputError("There is no item to answer; give at least one prompt with its answer.")
    segments = item_segments(tokenizer, rows, decoder_start(model))
    longest = max(len(segment.continuation) for segment in segments)
    outputs = generate(model, tokenizer, [row["prompt"] for row in rows], longest + SPARE_TOKENS)
    answers = [row["answer"] for row in rows]
    scores = score_segments(model, segments)
    return TargetScore(
        correct=tuple(o.split() == a.split() for o, a in zip(outputs, answers, strict=True)),
        held=tuple(bool(row.get("held", False)) for row in rows),
        loss=mean_loss(scores),
        outputs=tuple(outputs),
        chrf=chrf(outputs, answers),
        per_item=tuple(mean_loss([score]) for score in scores),
        lengths=tuple(score.tokens for score in scores),
    )


def chrf(outputs: Sequence[str], answers: Sequence[str]) -> float:
    """chrF: F-score (beta 2) of character n-grams up to 6, pooled over all answers; 0 to 1."""
    from sacrebleu.metrics.chrf import CHRF

    right = [[answer.strip() for answer in answers]]
    return CHRF().corpus_score([output.strip() for output in outputs], right).score / 100


def field_scores(pattern: str, outputs: Sequence[str], answers: Sequence[str]) -> dict[str, float]:
    """Share right of each field: a named group of `pattern`, which must match a whole answer.

    An output that the pattern does not match has no field right.
    """
    asked = re.compile(pattern)
    said = [asked.fullmatch(output.strip()) for output in outputs]
    right = [_parsed(asked, answer) for answer in answers]
    return {
        name: fmean(bool(s and s[name] == r[name]) for s, r in zip(said, right, strict=True))
        for name in asked.groupindex
    }


def guess_loss(
    pattern: str, rule: str, tokenizer: Any, items: Iterable[Mapping[str, Any]], start: int | None
) -> float:
    """What a guess at the field `rule` costs, nats per token: all else of the answer is known.

    The entropy of the field over the items' answers, over the tokens of an answer with its eos.
    """
    rows = list(items)
    found = Counter(_parsed(re.compile(pattern), row["answer"])[rule] for row in rows)
    tokens = fmean(len(s.continuation) for s in item_segments(tokenizer, rows, start))
    shares = [count / len(rows) for count in found.values()]
    return -sum(share * math.log(share) for share in shares) / tokens


def _parsed(asked: re.Pattern[str], answer: str) -> re.Match[str]:
    found = asked.fullmatch(answer.strip())
    if found is None:
        raise InputError(f"The answer {answer.strip()!r} has not the fields {asked.pattern}.")
    return found


def generate(
    model: nn.Module,
    tokenizer: Any,
    prompts: Sequence[str],
    max_new_tokens: int,
    *,
    batch_rows: int = BATCH_ROWS,
    seed: int | None = None,
) -> list[str]:
    """Continuations of prompts, each up to its eos or `max_new_tokens` tokens.

    They are greedy, or with a `seed` drawn from the model's own probabilities, as they are. Each
    prompt is read after the prefix token; blanks at the ends of an answer stay.
    Raises InputError when a prompt and its answer do not fit into the model's context.
    """
    start = decoder_start(model)
    rows = _given(tokenizer, prompts, start)
    _check_room(rows, max_new_tokens, model)
    outputs: dict[int, str] = {}
    how = _how(max_new_tokens, eos_id(tokenizer), start, drawn=seed is not None)
    every = _batches([len(row) for row in rows], batch_rows, alike=_pads_wrongly(model))
    with nullcontext() if seed is None else Draws(seed):
        # what is drawn follows from what was drawn before: each process draws it all
        shares = mine(every) if seed is None else every
        for chosen in counted("answering", list(shares)):
            answers = _continue(model, [rows[i] for i in chosen], how)
            for i, ids in zip(chosen, answers, strict=True):
                outputs[i] = tokenizer.decode(ids, skip_special_tokens=True)
    for found in gathered(outputs):
        outputs |= found
    return [outputs[i] for i in range(len(rows))]


def _given(tokenizer: Any, prompts: Sequence[str], start: int | None) -> list[tuple[int, ...]]:
    """What is read before the answer, by a decoder or by an encoder."""
    before, after = ((prefix_id(tokenizer),), ()) if start is None else around(tokenizer)
    return [wrapped(before, ids, after) for ids in encode(tokenizer, prompts)]


def _batches(lengths: Sequence[int], most: int, *, alike: bool) -> Iterator[list[int]]:
    """At most so many rows at once, of similar length, or of the same where `alike`."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for _, group in groupby(order, key=lambda i: lengths[i] if alike else 0):
        rows = list(group)
        yield from (rows[k : k + most] for k in range(0, len(rows), most))


def _pads_wrongly(model: Any) -> bool:
    """Does padding stand between a prompt's virtual tokens and the text, as text would?

    peft drops the positions that transformers counts from the mask. With a prefix it does not.
    """
    config: Any = getattr(model, "active_peft_config", None)
    seq2seq = getattr(model.config, "is_encoder_decoder", False)
    return bool(virtual_tokens(model)) and not seq2seq and config.peft_type != "PREFIX_TUNING"


def _check_room(rows: Sequence[Sequence[int]], new: int, model: nn.Module) -> None:
    limit = context_limit(model)
    if new < 1:
        raise InputError(f"max_new_tokens is {new}; it must be at least one.")
    longest = max(map(len, rows), default=0)
    if longest + new - 1 > limit:  # the last new token is never read
        raise InputError(
            f"A prompt of {longest} tokens and an answer of up to {new} do not fit into the "
            f"{limit} tokens the model reads{beside_virtual(model)}; shorten the prompt."
        )


def _continue(model: Any, rows: Sequence[Sequence[int]], how: GenerationConfig) -> list[list[int]]:
    width, device, eos = max(map(len, rows)), device_of(model), how.pad_token_id
    # Padding stands at the left here, so that all rows go on at the same column; from the mask
    # transformers finds positions that count from each row's first real token. An encoder has
    # no column to go on at, and with padding at the right its positions are the plain ones.
    left = how.decoder_start_token_id is None
    ids = torch.tensor([_pad(row, width, eos, left=left) for row in rows], device=device)
    mask = torch.tensor([_pad([1] * len(row), width, 0, left=left) for row in rows], device=device)
    with evaluating(model), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Position ids are not supported")  # peft, prompts
        output = model.generate(input_ids=ids, attention_mask=mask, generation_config=how)
    said = output[:, width:] if left else output[:, 1:]  # (B, new); there the start token is first
    return [_until(row, eos) for row in said.tolist()]


def _pad(row: Sequence[int], width: int, fill: int, *, left: bool) -> list[int]:
    gap = [fill] * (width - len(row))
    return [*gap, *row] if left else [*row, *gap]


def _how(new: int, eos: int, start: int | None, *, drawn: bool) -> GenerationConfig:
    """Greedy, or drawn. What is left unset here, the model's own file would fill in."""
    return GenerationConfig(
        max_new_tokens=new,
        do_sample=drawn,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        temperature=1.0,
        top_k=0 if drawn else 50,
        top_p=1.0,
        eos_token_id=eos,
        pad_token_id=eos,
        decoder_start_token_id=start,
    )


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids
