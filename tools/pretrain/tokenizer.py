"""The small world's tokenizer: byte-level BPE, trained on its own pre-training text.

Byte-level, so every text of a user can be read; 3,072 pieces, so that nearly every word of the
world is one piece and a fact's answer is one prediction.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from tools.world.general import Document

VOCABULARY = 3072  # a multiple of 64
DOCUMENTS = 60_000
END = "<|endoftext|>"


def byte_level(texts: Iterable[str], size: int, special: list[str]) -> Any:
    """A byte-level BPE tokenizer of `size` pieces, trained on `texts`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return bpe


def train_tokenizer(max_length: int, source: Iterator[Document]) -> Any:
    """A PreTrainedTokenizerFast whose one special token begins, ends and pads."""
    from transformers import PreTrainedTokenizerFast

    texts = (document.text for document in itertools.islice(source, DOCUMENTS))
    return PreTrainedTokenizerFast(
        tokenizer_object=byte_level(texts, VOCABULARY, [END]),
        bos_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )
