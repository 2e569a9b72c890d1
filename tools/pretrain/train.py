"""Pre-train the models that ship, from nothing, on the small world's text.

    python -m tools.pretrain nano-gpt2 --out FOLDER
    python -m tools.pretrain nano-t5 --out FOLDER

What is read and by what model stands in `nano_gpt2.py` and `nano_t5.py`, how long and how fast in
`recipes.py`. Warmup, then cosine to a tenth, gradients clipped at 1, bfloat16 autocast where the
CPU multiplies it fast.

The run writes a checkpoint (safetensors and JSON) every few hundred steps and goes on from it
when started again; the text stream is made again from its seed and wound forward.
"""

import itertools
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import nn

from ftlab.base.checksums import sha256
from ftlab.base.errors import InputError
from ftlab.base.files import HUB_FORM, settled, whole
from ftlab.base.jsonfile import plain, read_as
from ftlab.form import table
from tools.pretrain import nano_gpt2, nano_t5
from tools.pretrain.recipes import RECIPES, Recipe, learning_rate

PARTS: dict[str, Any] = {"gpt2": nano_gpt2, "t5": nano_t5}
CHECKPOINT_EVERY = 250
STATE, CURVE = "state.safetensors", "curve.json"
_CURVE = Annotated[list[tuple[int, float]], Field(min_length=1)]
_STORED = Annotated[dict, table(recipe=dict[str, Any], curve=_CURVE, sha256=str)]
"""What curve.json holds; the checksum is that of the state."""


def _fast_bfloat16() -> bool:
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()


def _save(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, curve: list
) -> None:
    state = optimizer.state_dict()["state"]
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters()}
    tensors |= {f"optimizer.{i}.{key}": value for i, s in state.items() for key, value in s.items()}
    with whole(folder, holds=(STATE, CURVE)) as part:
        save_file({name: t.contiguous() for name, t in tensors.items()}, part / STATE)
        told = {"recipe": asdict(recipe), "curve": curve, "sha256": sha256(part / STATE)}
        (part / CURVE).write_text(json.dumps(told))


def stored(folder: Path, recipe: Recipe) -> list[list[float]]:
    """The checkpoint's curve; [] if there is none, InputError for a damaged or another recipe's."""
    path = settled(folder) / CURVE
    if not path.exists():
        return []
    found = read_as(_STORED, path)
    if found["recipe"] != plain(asdict(recipe)):
        raise InputError(
            f"The checkpoint in {folder} is of another recipe, such as other --steps; give those, "
            "or another --out, or delete it."
        )
    state = folder / STATE
    if not state.is_file() or sha256(state) != found["sha256"]:
        raise InputError(f"{state} is missing or damaged; delete {folder} to begin anew.")
    return [list(row) for row in found["curve"]]


def _restore(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe
) -> list[list[float]]:
    """Fill model and optimiser from the checkpoint; the curve so far ([] if there is none)."""
    curve = stored(folder, recipe)
    if not curve:
        return []
    tensors = load_file(folder / STATE)
    state = optimizer.state_dict()
    for name, tensor in tensors.items():
        kind, rest = name.split(".", 1)
        if kind == "optimizer":
            index, key = rest.split(".")
            state["state"].setdefault(int(index), {})[key] = tensor
        else:
            model.get_parameter(rest).data.copy_(tensor)
    optimizer.load_state_dict(state)
    return curve


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
    Raises InputError for a name without a recipe, and for a checkpoint of another recipe.
    """
    if name not in RECIPES:
        raise InputError(f"There is no recipe for '{name}'; the recipes are {', '.join(RECIPES)}.")
    recipe = recipe or RECIPES[name]
    parts = PARTS[recipe.architecture]
    tokenizer = parts.train_tokenizer(recipe)
    model = parts.new_model(recipe, tokenizer).train()
    optimizer = parts.optimizer(model, recipe)
    folder = checkpoint or out.with_name(out.name + ".checkpoint")
    curve = _restore(folder, model, optimizer, recipe)
    start = int(curve[-1][0]) if curve else 0
    source = itertools.islice(parts.batches(tokenizer, recipe), start, recipe.steps)
    losses: list[float] = []
    for step, batch in enumerate(source, start):
        began = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_fast_bfloat16()):
            loss = model(**batch).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise InputError(
                f"The loss is no longer a number at step {step + 1}: training has diverged; lower "
                "the learning rate in tools/pretrain/recipes.py, and begin anew."
            )
        report(step + 1, losses[-1], batch["input_ids"].numel() / (time.perf_counter() - began))
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == recipe.steps:
            curve.append([step + 1, sum(losses) / len(losses)])
            losses = []
            _save(folder, model, optimizer, recipe, curve)
    with whole(out, holds=HUB_FORM) as part:
        export(model, tokenizer, part)
        told = {"recipe": asdict(recipe), "curve": curve}
        (part / "training.json").write_text(json.dumps(told, indent=1) + "\n")
    return curve


def export(model: nn.Module, tokenizer: Any, out: Path) -> None:
    """Write into a folder in the Hub's form, weights in fp16."""
    own = {name for name, _ in model.named_parameters()}  # what is tied occurs once
    half = {name: value.half() for name, value in model.state_dict().items() if name in own}
    model.save_pretrained(out, state_dict=half)  # type: ignore[operator]
    tokenizer.save_pretrained(out)
