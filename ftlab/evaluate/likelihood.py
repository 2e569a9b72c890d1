"""How likely a model finds a text: the number under every other number here.

    log p(continuation | context) = sum over its tokens t of  log p(token t | all before t)
    loss = - that sum / tokens              nats per token
    bits per byte = - that sum / (ln 2 x bytes of the text in UTF-8)

Notable choices: sums run in float64 over log-probabilities in float32; the loss is pooled over
tokens, not averaged over documents; a token is compared with the logits one position EARLIER. That
last point is worth a test. Until July 2026 the forgetting column of PEFT's method comparison
compared every token with the logits at its own position; once this was fixed, full fine-tuning and
LoRA changed places (huggingface/peft, PR #3419).

Checks: pytest tests/evaluate/test_likelihood.py (equals `model(labels=ids).loss`) and
pytest tests/text/test_lm_eval.py (equals lm-evaluation-harness).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ftlab.base.errors import InputError
from ftlab.base.shared import gathered, mine
from ftlab.text.requests import document_segments, pair_segments
from ftlab.text.scored_batches import batches, context_limit, evaluating, last_logits
from ftlab.text.segments import Segment
from ftlab.text.seq2seq import corrupted, decoder_start


@dataclass(frozen=True)
class Scored:
    """A continuation as the model sees it after its context."""

    logprob: float
    """Sum of the log-probabilities of its tokens, in nats."""
    greedy: bool
    """True if each of its tokens is the likeliest one at its place."""
    tokens: int
    """How many tokens it has."""


@dataclass(frozen=True)
class DocumentLoss:
    """The loss of a set of texts, pooled and text by text."""

    nats_per_token: float
    """Minus the summed log-probability of all texts, over all their tokens."""
    bits_per_byte: float
    """The same in bits over UTF-8 bytes: comparable between tokenizers."""
    per_document: tuple[float, ...]
    """Nats per token of every text."""
    lengths: tuple[int, ...]
    """Tokens of every text: the weights that turn `per_document` into `nats_per_token`."""

    @property
    def tokens(self) -> int:
        """Tokens of all texts together."""
        return sum(self.lengths)


def score_segments(
    model: nn.Module, segments: Sequence[Segment], *, batch_tokens: int | None = None
) -> list[Scored]:
    """Score token ids: one Scored per segment, in the given order.

    Raises InputError when a segment is longer than the model can read.
    """
    total = torch.zeros(len(segments), dtype=torch.float64)
    misses = torch.zeros(len(segments), dtype=torch.float64)
    with evaluating(model):
        for batch in mine(batches(segments, model, batch_tokens=batch_tokens)):
            logits = last_logits(model, batch).float()  # (B, K, V)
            at = batch.row, batch.column
            logprob = logits[*at, batch.target] - logits.logsumexp(-1)[at]  # (N,)
            missed = logits.argmax(-1)[at] != batch.target  # (N,)
            total.index_add_(0, batch.segment.cpu(), logprob.double().cpu())
            misses.index_add_(0, batch.segment.cpu(), missed.double().cpu())
    total, misses = torch.stack([torch.stack(one) for one in gathered((total, misses))]).sum(0)
    return [
        Scored(logprob, missed == 0, len(segment.continuation))
        for logprob, missed, segment in zip(total.tolist(), misses.tolist(), segments, strict=True)
    ]


def score_texts(
    model: nn.Module,
    tokenizer: Any,
    pairs: Sequence[tuple[str, str]],
    *,
    ended: Sequence[bool] | bool = False,
) -> list[Scored]:
    """Score (context, continuation) pairs: log-probability, greedy or not, tokens.

    The context may be empty: then the prefix token alone is given. Of an encoder-decoder model the
    end is scored too where `ended` says so. Works for models of transformers and for a PeftModel
    around one; the model comes back in the mode it was in.
    Raises InputError for an empty continuation or a pair longer than the model can read.
    """
    segments = pair_segments(tokenizer, pairs, decoder_start(model), ended=ended)
    return score_segments(model, segments)


def mean_loss(scores: Sequence[Scored]) -> float:
    """Nats per token, pooled over the tokens of all scores. Raises InputError if there is none."""
    tokens = sum(score.tokens for score in scores)
    if not tokens:
        raise InputError("There is nothing to score: no text has a token; give at least one text.")
    return -math.fsum(score.logprob for score in scores) / tokens


def document_loss(model: nn.Module, tokenizer: Any, texts: Sequence[str]) -> DocumentLoss:
    """Loss of whole texts, each after the prefix token; long ones in windows.

    Of an encoder-decoder model: the loss of what fills the gaps of each text (span corruption).
    Raises InputError when there is no text, or one without a token.
    """
    start = decoder_start(model)
    windows = document_segments(tokenizer, texts, context_limit(model), start)
    if not windows or not all(windows):
        raise InputError(
            f"{len(texts)} texts were given, of which {sum(not w for w in windows)} are empty; "
            "the loss needs at least one text and no empty ones."
        )
    scores = score_segments(model, [segment for group in windows for segment in group])
    remaining = iter(scores)
    documents = [[next(remaining) for _ in group] for group in windows]
    nats = -math.fsum(score.logprob for score in scores)
    said = texts if start is None else [corrupted(tokenizer, text)[1] for text in texts]
    return DocumentLoss(
        nats_per_token=mean_loss(scores),
        bits_per_byte=nats / math.log(2) / sum(len(text.encode()) for text in said),
        per_document=tuple(mean_loss(group) for group in documents),
        lengths=tuple(sum(score.tokens for score in group) for group in documents),
    )
