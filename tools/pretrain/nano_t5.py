"""nano-t5: a stock T5 of 4 + 4 blocks, and the batches of text-to-text pairs that it reads.

128 wide, two heads of 64, feed-forward 512 with ReLU, relative positions, embeddings shared by
encoder, decoder and head (T5 v1.0), no dropout. Every pair is a row of its own: the source ends
with the end token, the target too; the decoder starts from the pad token. The tokenizer is
byte-level like nano-gpt2's, with T5's marks <extra_id_0> and on for the gaps of span corruption.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ftlab.text.gaps import GAP, GAPS
from tools.pretrain.recipes import Recipe
from tools.pretrain.tokenizer import VOCABULARY, byte_level
from tools.world.streams import task_stream

PAD, END = "<pad>", "</s>"
DOCUMENTS = 60_000
CHUNK = 32
"""Batches drawn at once and sorted by length, so that little is padding."""


def train_tokenizer(recipe: Recipe) -> Any:
    """A PreTrainedTokenizerFast with T5's special tokens; a text ends with the end token."""
    from tokenizers import AddedToken, processors
    from transformers import PreTrainedTokenizerFast

    marks = [GAP.format(n) for n in range(GAPS)]
    texts = (f"{s} {t}" for s, t in itertools.islice(task_stream(), DOCUMENTS))
    plain = (_without(text, marks) for text in texts)
    bpe = byte_level(plain, VOCABULARY - len(marks), special=[PAD, END])
    bpe.add_special_tokens([AddedToken(mark, lstrip=True) for mark in marks])
    end = bpe.token_to_id(END)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, end)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=marks,
        model_max_length=recipe.length,
        clean_up_tokenization_spaces=False,
    )


def _without(text: str, marks: list[str]) -> str:
    for mark in marks:
        text = text.replace(mark, "")
    return text


def new_model(recipe: Recipe, tokenizer: Any) -> nn.Module:
    """The untrained T5 of the recipe."""
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(recipe.seed)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "d_model": recipe.width,
        "d_kv": recipe.width // recipe.heads,
        "d_ff": 4 * recipe.width,
        "num_layers": recipe.blocks,
        "num_decoder_layers": recipe.blocks,
        "num_heads": recipe.heads,
        "dropout_rate": 0.0,
        "n_positions": recipe.length,
    }
    start = tokenizer.pad_token_id
    special = {"pad_token_id": start, "eos_token_id": tokenizer.eos_token_id}
    config = T5Config(**sizes, **special, decoder_start_token_id=start)  # type: ignore[call-arg]
    return T5ForConditionalGeneration(config)


def optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adafactor, T5's own: a step is a share of each weight matrix's size.

    T5's first embeddings have a standard deviation of 1, its first queries one of 0.01: at one
    rate for all, AdamW had learned nothing from the encoder after 1,000 steps (see LOG.md).
    Source: Raffel et al. (2020), section 3.1.2; Shazeer and Stern, Adafactor (2018).
    """
    return torch.optim.Adafactor(model.parameters(), lr=recipe.lr, weight_decay=recipe.decay)


def batches(tokenizer: Any, recipe: Recipe) -> Iterator[dict[str, Tensor]]:
    """What the model reads at every step: ids and mask (B, S), labels (B, T), padding -100."""
    source = task_stream()
    for _ in range(0, recipe.steps, CHUNK):
        pairs = list(itertools.islice(source, CHUNK * recipe.rows))
        ids = [tokenizer(list(side))["input_ids"] for side in zip(*pairs, strict=True)]
        order = sorted(range(len(pairs)), key=lambda i: len(ids[0][i]))
        groups = [order[k : k + recipe.rows] for k in range(0, len(order), recipe.rows)]
        turns = torch.randperm(len(groups), generator=torch.Generator().manual_seed(recipe.seed))
        for turn in turns.tolist():
            yield _batch([(ids[0][i], ids[1][i]) for i in groups[turn]], tokenizer.pad_token_id)


def _batch(pairs: list[tuple[list[int], list[int]]], pad: int) -> dict[str, Tensor]:
    sources, targets = zip(*pairs, strict=True)
    ids = _padded(sources, pad)
    return {
        "input_ids": ids,
        "attention_mask": (ids != pad).long(),
        "labels": _padded(targets, -100),
    }


def _padded(rows: tuple[list[int], ...], fill: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows])
