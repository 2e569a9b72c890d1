"""A run on disk: its tensors, checkpoint.json, and the checksums by which a run is known again.

    weight/<name>, exp_avg/<name>, ...    every trainable parameter, and the optimiser's state of it

Notable choices:
- safetensors only: nothing in it can run code.
- No random state is stored, for every step draws from its own seed.
- A file is whole or absent (`ftlab.base.files`). What is stored is used only as it was written:
  checkpoint.json carries the checksums of the tensors, of a record beside it, and of itself.

Run the tests: pytest tests/train/test_checkpoint.py
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ftlab.base.checksums import sha256
from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.base.jsonfile import plain, read_json
from ftlab.plan import Step
from ftlab.record import rows_checksum
from ftlab.train import optimizers
from ftlab.train.engine import Engine, Groups

CHECKPOINT = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """What checkpoint.json holds."""

    run: dict[str, Any]
    """All that decides the run's steps: the plan's fields, checksums, what a lab was asked for."""
    steps: list[Step]
    """The steps so far, step 0 first."""
    done: bool
    """True when the run has ended, by its last step or by its target score."""
    tensors: str
    """Name of the tensor file beside it."""
    sha256: str
    """Of the tensor file."""
    scaler: dict[str, Any]
    """State of the fp16 loss scaler; empty without one."""
    seconds: float
    """Of the run so far, measuring included."""
    record: str
    """sha256 of record.json; empty where there is none."""
    checksum: str
    """Of all this."""


def sealed(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with its own checksum."""
    rest = {name: value for name, value in plain(state).items() if name != "checksum"}
    return rest | {"checksum": rows_checksum([rest])}


def trainable(model: nn.Module, groups: Groups) -> list[tuple[str, nn.Parameter]]:
    """The parameters in these optimiser groups, by name, in the model's order."""
    wanted = {id(p) for group in groups for p in group["params"]}
    return [(name, p) for name, p in model.named_parameters() if id(p) in wanted]


def setup_checksum(model: Any, groups: Groups, *, start: bool = False) -> str:
    """sha256 of what a run cannot change: frozen weights, and what trains how.

    Trainable weights come back from the checkpoint. With `start` they count as well, as do the
    settings of adapters: that is all that a run starts from.
    """
    digest = hashlib.sha256()
    names = {id(p): name for name, p in model.named_parameters()}
    for group in groups:
        options = {key: value for key, value in group.items() if key != "params"}
        digest.update(repr(sorted(options.items())).encode())
        for p in group["params"]:
            digest.update(f"{names[id(p)]} {tuple(p.shape)}\n".encode())
    for name, p in model.named_parameters():
        if start or not p.requires_grad:
            digest.update(name.encode())
            digest.update(_bytes(p))
    for config in getattr(model, "peft_config", {}).values() if start else ():
        settings = {k: sorted(v) if isinstance(v, set) else v for k, v in config.to_dict().items()}
        digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    """A tensor as it lies in memory, whatever its type."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def save(path: Path, engine: Engine, *, weights_only: bool) -> None:
    """Write trainable weights and optimiser state to `path`: the whole file, or nothing.

    A run that has ended needs its weights only: a third of full fine-tuning's state.
    """
    tensors: dict[str, Tensor] = {}
    for name, p in trainable(engine.model, engine.optimizer.param_groups):
        state = {} if weights_only else optimizers.store(engine.optimizer.state.get(p, {}))
        tensors |= {f"weight/{name}": p} | {f"{key}/{name}": value for key, value in state.items()}
    with whole(path) as part:
        save_file({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, part)


def restore(path: Path, engine: Engine) -> None:
    """Undo `save`. Raises InputError, before anything changes, when the file is damaged."""
    parameters = dict(trainable(engine.model, engine.optimizer.param_groups))
    try:
        stored = load_file(path)
        weights = {name: stored.pop(f"weight/{name}") for name in parameters}
    except (SafetensorError, OSError, KeyError):
        raise damaged(path) from None
    known = {key.split("/", maxsplit=1)[-1] for key in stored} <= parameters.keys()
    if not known or any(_form(w) != _form(parameters[name]) for name, w in weights.items()):
        raise damaged(path)
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(weights[name])
    for key, tensor in stored.items():
        kind, name = key.split("/", maxsplit=1)
        optimizers.restore(engine.optimizer, parameters[name], kind, tensor)


def _form(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


def room_lacking(folder: Path, groups: Groups) -> str:
    """Why the checkpoints of a run do not fit the disk of `folder`, in a sentence; "" if they do.

    A weight and its two moments are 12 bytes, and while one checkpoint takes the place of the
    other both are there.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    stored = sum(path.stat().st_size for path in folder.glob("step-*.safetensors"))
    free = shutil.disk_usage(there).free + stored
    need = 2 * 12 * sum(p.numel() for group in groups for p in group["params"])
    if need <= free:
        return ""
    return (
        f"Checkpoints in {folder} need up to {need / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
        "make room, give another folder, or train fewer weights (LoRA)."
    )


def damaged(path: Path) -> InputError:
    """The error for a file of a checkpoint that cannot be used."""
    return InputError(
        f"The checkpoint {path} is damaged or incomplete; delete its folder to start the run anew."
    )


def read(folder: Path) -> Checkpoint | None:
    """The checkpoint in the folder, or None. Raises InputError when it is damaged."""
    path = folder / CHECKPOINT
    if os.path.isfile(folder):  # False too for text that can be no path
        raise InputError(f"{folder} is a file; give a folder for the checkpoints.")
    if not os.path.exists(path):
        return None
    stored = read_json(path)
    with suppress(KeyError, TypeError, OSError):
        found = Checkpoint(**{**stored, "steps": [Step(**row) for row in stored["steps"]]})
        if stored == sealed(stored) and sha256(folder / found.tensors) == found.sha256:
            return found
    if read_json(path) != stored:
        return read(folder)  # another run has just replaced it
    raise damaged(path)
