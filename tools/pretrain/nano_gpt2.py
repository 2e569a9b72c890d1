"""nano-gpt2: a stock GPT-2 of 12 blocks, and the rows of text that it reads.

128 wide, two heads of 64, no dropout, embeddings and head tied. Rows of 128 tokens begin at the
start of a document and hold whole documents, each after the end-of-text token; the rest of a row
is padding and is not learned.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tools.pretrain.recipes import Recipe
from tools.pretrain.tokenizer import train_tokenizer as _train_tokenizer
from tools.pretrain.wider.stream import SEED, mixed, wider_stream
from tools.world.general import Document
from tools.world.streams import PRETRAIN_SEED, training_stream


def train_tokenizer(recipe: Recipe) -> Any:
    """See tokenizer.py."""
    return _train_tokenizer(recipe.context or recipe.length, text(recipe, 0, "general"))


def text(recipe: Recipe, stage: int, mixture: str) -> Iterator[Document]:
    """What is read in a stage: its mixture and, where the recipe asks for it, the wider text."""
    general = training_stream(PRETRAIN_SEED + 100 * stage, mixture)
    if not recipe.wider:
        return general
    wider = wider_stream(SEED + 100 * stage, practice=stage == len(recipe.stages))
    return mixed(general, wider, recipe.wider, recipe.seed + stage)


def rows(tokenizer: Any, length: int, source: Iterator[Document]) -> Iterator[list[int]]:
    """Token rows of at most `length`, each of whole documents, each document after an end token."""
    end = tokenizer.eos_token_id
    row: list[int] = []
    while chunk := list(itertools.islice(source, 512)):
        for ids in tokenizer([document.text for document in chunk])["input_ids"]:
            if len(row) + len(ids) + 2 > length:
                yield [*row, end]
                row = []
            row += [end, *ids]


def batches(tokenizer: Any, recipe: Recipe) -> Iterator[dict[str, Tensor]]:
    """What the model reads at every step: ids and labels, both (B, T); padding has label -100."""
    end = tokenizer.eos_token_id
    practice = [(recipe.stages[-1][0], recipe.practice)] if recipe.practice else []
    for stage, (mixture, steps) in enumerate([*recipe.stages, *practice]):
        read = text(recipe, stage, mixture)
        sources = {times: rows(tokenizer, times * recipe.length, read) for times in (1, 2)}
        for step in range(steps):
            times = 2 if recipe.context > recipe.length and step % 4 == 3 else 1
            shape = recipe.rows // times, times * recipe.length
            ids, labels = torch.full(shape, end), torch.full(shape, -100)
            for i, row in enumerate(itertools.islice(sources[times], shape[0])):
                ids[i, : len(row)] = labels[i, : len(row)] = torch.tensor(row)
            yield {"input_ids": ids, "labels": labels}


def new_model(recipe: Recipe, tokenizer: Any) -> nn.Module:
    """The untrained GPT-2 of the recipe.

    Attention term by term and GELU in one pass: the same, in two thirds of the time on a CPU.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(recipe.seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=recipe.context or recipe.length,
            n_embd=recipe.width,
            n_layer=recipe.blocks,
            n_head=recipe.heads,
            activation_function="gelu_pytorch_tanh",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",  # pyright: ignore[reportCallIssue]
        )
    )


def optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW (betas .9, .95) with weight decay on matrices alone."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.95), fused=True)
