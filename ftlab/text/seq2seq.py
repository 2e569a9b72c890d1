"""Encoder-decoder models: what the encoder is given, and what the decoder has to say.

    encoder   special tokens, query, special tokens       as the tokenizer puts them (T5: ... </s>)
    decoder   start | answer                              a probe with choices
    decoder   start | answer, end                         an item, or a probe that must be answered
    decoder   start | <extra_id_0> words <extra_id_1> end a document, its gaps in the encoder

A tokenizer without numbered gaps but with a mask (BART) is asked for the whole text instead, each
gap being one mask in the encoder: its own way of pre-training (text infilling).

Source: Raffel et al. (2020), section 3.1.4; Lewis et al., BART (2020), section 2.2.
Run the tests: pytest tests/text/test_seq2seq.py
"""

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.text.gaps import GAP, spans
from ftlab.text.segments import Segment, encode, eos_id, wrapped


def decoder_start(model: nn.Module) -> int | None:
    """The token that the model's decoder starts from; None for a model without an encoder.

    Raises InputError where the model's configuration does not say.
    """
    config: Any = model.config
    if not getattr(config, "is_encoder_decoder", False):
        return None
    start = getattr(config, "decoder_start_token_id", None)
    if start is None:
        raise InputError(
            "The model's configuration has no decoder_start_token_id, the token its decoder starts "
            "from; set it (T5: the pad token, BART: the end token)."
        )
    return start


def around(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that stand before and after every text of this tokenizer.

    Where it adds no end, its eos token is the end.
    """
    special = tuple(tokenizer("", verbose=False)["input_ids"])
    end = eos_id(tokenizer)
    return (special[:-1], special[-1:]) if special[-1:] == (end,) else (special, (end,))


def seq2seq_segments(
    tokenizer: Any,
    pairs: Sequence[tuple[str, str]],
    start: int,
    *,
    ended: bool | Sequence[bool] = False,
) -> list[Segment]:
    """One segment for every (given, said) pair; where `ended` says so the end is scored too.

    Raises InputError for an empty answer.
    """
    before, after = around(tokenizer)
    given, said = (encode(tokenizer, [pair[side] for pair in pairs]) for side in (0, 1))
    ends = [ended] * len(pairs) if isinstance(ended, bool) else ended
    return [
        Segment(
            wrapped(before, source, after), wrapped(before, target, after if end else ()), start
        )
        for source, target, end in zip(given, said, ends, strict=True)
    ]


def corrupted(tokenizer: Any, text: str) -> tuple[str, str]:
    """What the encoder reads of a text, and what the decoder is to say: (given, said).

    Raises InputError for a tokenizer that has neither numbered gaps nor a mask.
    """
    source, target = spans(text)
    if GAP.format(0) in tokenizer.get_vocab():
        return source, target
    if tokenizer.mask_token is None:
        raise InputError(
            f"The tokenizer has neither {GAP.format(0)} nor a mask token, so no gap can be put "
            "into a text; take one that has."
        )
    gap = re.escape(GAP).replace(r"\{\}", r"\d+")
    return re.sub(gap, tokenizer.mask_token, source), text


def gap_segments(tokenizer: Any, texts: Sequence[str], start: int) -> list[Segment]:
    """One segment for every text: the text with gaps, and what fills them."""
    pairs = [corrupted(tokenizer, text) for text in texts]
    return seq2seq_segments(tokenizer, pairs, start, ended=True)
