"""Pre-train nano-gpt2 from nothing on the small world's text.

    ftlab pretrain nano-gpt2 --out FOLDER

A stock GPT-2 of 12 blocks, 128 wide, two heads of 64, no dropout. Rows of 128 tokens begin at
the start of a document and hold whole documents, each after the end-of-text token; the rest of a
row is padding and is not learned. AdamW (betas .9, .95, decay .1 on matrices), warmup then
cosine to a tenth, gradients clipped at 1, bfloat16 autocast where the CPU multiplies it fast.

The run writes a checkpoint (safetensors and JSON) every few hundred steps and goes on from it
when started again; the text stream is made again from its seed and wound forward.
"""

import itertools
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ftlab.errors import InputError
from ftlab.models.tokenizer import train_tokenizer
from ftlab.world.build import PRETRAIN_SEED, training_stream
from ftlab.world.general import Document


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights."""

    stages: tuple[tuple[str, int], ...] = (
        ("general", 2750),
        ("looking back", 350),
        ("slow skills", 1400),
    )  # mixtures of the text (world/general.py) and the steps on each
    rows: int = 16  # sequences a step
    length: int = 128  # tokens a sequence
    width: int = 128
    blocks: int = 12
    heads: int = 2
    lr: float = 2e-3  # peak
    warmup: int = 200  # steps
    floor: float = 0.1  # last LR as a share of the peak
    decay: float = 0.1  # weight decay, matrices only
    clip: float = 1.0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(steps for _, steps in self.stages)

    def scaled(self, steps: int) -> "Recipe":
        """A rehearsal: about `steps` steps in all, every stage and the warmup in proportion."""
        share = steps / self.steps
        stages = tuple((name, max(1, round(n * share))) for name, n in self.stages)
        return replace(self, stages=stages, warmup=max(1, round(self.warmup * share)))


RECIPES = {"nano-gpt2": Recipe()}
CHECKPOINT_EVERY = 250


def learning_rate(recipe: Recipe, step: int) -> float:
    """Warmup to the peak, then cosine to `floor` of it; step counts from 0."""
    if step < recipe.warmup:
        return recipe.lr * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * done))
    return recipe.lr * (recipe.floor + (1 - recipe.floor) * cosine)


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


def batches(tokenizer: Any, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """(ids, labels) of every step, both (rows, length); padding has label -100."""
    shape, end = (recipe.rows, recipe.length), tokenizer.eos_token_id
    for stage, (mixture, steps) in enumerate(recipe.stages):
        text = training_stream(PRETRAIN_SEED + 100 * stage, mixture)
        source = rows(tokenizer, recipe.length, text)
        for _ in range(steps):
            ids, labels = torch.full(shape, end), torch.full(shape, -100)
            for i, row in enumerate(itertools.islice(source, recipe.rows)):
                ids[i, : len(row)] = labels[i, : len(row)] = torch.tensor(row)
            yield ids, labels


def new_model(recipe: Recipe, tokenizer: Any) -> nn.Module:
    """The untrained GPT-2 of the recipe."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(recipe.seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=recipe.length,
            n_embd=recipe.width,
            n_layer=recipe.blocks,
            n_head=recipe.heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.95), fused=True)


def _fast_bfloat16() -> bool:
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()


def _save(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW, curve: list) -> None:
    """Write the checkpoint beside the old one, then swap."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    state = optimizer.state_dict()["state"]
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters()}
    tensors |= {f"adam.{i}.{key}": value for i, s in state.items() for key, value in s.items()}
    save_file({name: t.contiguous() for name, t in tensors.items()}, fresh / "state.safetensors")
    (fresh / "curve.json").write_text(json.dumps(curve))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(fresh, folder)


def _restore(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> list:
    """Fill model and optimiser from the checkpoint; the curve so far ([] if there is none)."""
    if not (folder / "curve.json").exists():
        return []
    tensors = load_file(folder / "state.safetensors")
    state = optimizer.state_dict()
    for name, tensor in tensors.items():
        kind, rest = name.split(".", 1)
        if kind == "adam":
            index, key = rest.split(".")
            state["state"].setdefault(int(index), {})[key] = tensor
        else:
            model.get_parameter(rest).data.copy_(tensor)
    optimizer.load_state_dict(state)
    return json.loads((folder / "curve.json").read_text())


def pretrain(
    name: str,
    *,
    out: Path,
    recipe: Recipe | None = None,
    checkpoint: Path | None = None,
    report: Callable[[int, float, float], None] = lambda step, loss, rate: None,
) -> list[list[float]]:
    """Train the model `name` and write it to `out` as fp16 safetensors with its tokenizer.

    `report(step, loss, tokens per second)` is called every step. Returns the loss curve as
    [step, mean loss of the steps since the last entry] rows.
    Raises InputError for a name without a recipe.
    """
    if name not in RECIPES:
        raise InputError(f"There is no recipe for '{name}'; the recipes are {', '.join(RECIPES)}.")
    recipe = recipe or RECIPES[name]
    tokenizer = train_tokenizer(recipe.length)
    model = new_model(recipe, tokenizer).train()
    optimizer = _optimizer(model, recipe)
    folder = checkpoint or out.with_name(out.name + ".checkpoint")
    curve = _restore(folder, model, optimizer)
    start = int(curve[-1][0]) if curve else 0
    source = itertools.islice(batches(tokenizer, recipe), start, None)
    losses: list[float] = []
    for step, (ids, labels) in enumerate(source, start):
        began = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_fast_bfloat16()):
            loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        report(step + 1, losses[-1], ids.numel() / (time.perf_counter() - began))
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == recipe.steps:
            curve.append([step + 1, sum(losses) / len(losses)])
            losses = []
            _save(folder, model, optimizer, curve)
    export(model, tokenizer, out)
    (out / "training.json").write_text(
        json.dumps({"recipe": asdict(recipe), "curve": curve}, indent=1) + "\n"
    )
    return curve


def export(model: nn.Module, tokenizer: Any, out: Path) -> None:
    """Write a folder in the Hub's form, weights in fp16."""
    half = {name: value.half() for name, value in model.state_dict().items()}
    del half["lm_head.weight"]  # tied to the embeddings: stored once
    model.save_pretrained(out, state_dict=half)  # type: ignore[operator]
    tokenizer.save_pretrained(out)
