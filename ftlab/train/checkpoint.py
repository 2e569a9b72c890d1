"""A run's state on disk, so that a killed run goes on and ends with the very same numbers.

    folder/step-000050.safetensors   the weights that move, and the optimiser's state of each
    folder/checkpoint.json           which step, plan, data and model these belong to; the steps

Notable choices:
- safetensors and JSON only: nothing in them can run code. Random states need not be kept, for
  every step draws from its own seed.
- The tensors are written under a new name first and the JSON is put in place last, in one move.
  A kill at any moment leaves a checkpoint that is whole: the new one or the one before it.
- Only the last is kept.
- A checkpoint of another plan, other data or another model is refused, never half used.

Run the tests: pytest tests/train/test_checkpoint.py
"""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.base.jsonfile import plain, read_json, write_json
from ftlab.plan import Plan, Step
from ftlab.train import optimizers
from ftlab.train.engine import Engine, Groups

NAME = "checkpoint.json"


@dataclass(frozen=True)
class Place:
    """Where a run's state goes, and when, where a folder alone does not say it."""

    folder: Path
    """Of this run alone."""
    replay: bool = False
    """Yield the stored steps as well, after the weights are in place."""
    write: Callable[[Step, bool, Callable[[], None]], None] | None = None
    """Called after every step with (step, whether the run has ended, what stores it); None: every
    `checkpoint_every` steps and at the end."""


@dataclass(frozen=True)
class Checkpoint:
    """What checkpoint.json says."""

    plan: dict[str, Any]
    """The plan, as a dict."""
    data: str
    """Checksum of the encoded items."""
    setup: str
    """Checksum of the frozen weights and of what moves how (`setup_checksum`)."""
    steps: list[Step]
    """All steps taken so far, step 0 first."""
    done: bool
    """True when the run has ended, by its last step or by its target score."""
    tensors: str
    """Name of the tensor file beside it."""
    scaler: dict[str, Any]
    """State of the fp16 loss scaler; empty without one."""


def completed_steps(folder: str | Path) -> list[Step]:
    """The steps stored in a checkpoint folder, step 0 first; none where there is no checkpoint.

    Raises InputError, naming the file, when it is damaged.
    """
    found = read(Path(folder))
    return found.steps if found else []


def read(folder: Path) -> Checkpoint | None:
    """The checkpoint in `folder`, or None. Raises InputError when it is damaged."""
    path = folder / NAME
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the checkpoints.")
    if not path.exists():
        return None
    stored = read_json(path)
    try:
        found = Checkpoint(**{**stored, "steps": [Step(**step) for step in stored["steps"]]})
    except (KeyError, TypeError):
        raise _damaged(path) from None
    whole = found.steps and isinstance(found.plan, dict) and isinstance(found.tensors, str)
    if not whole or not (folder / found.tensors).is_file():
        raise _damaged(path)
    return found


def _damaged(path: Path) -> InputError:
    return InputError(
        f"The checkpoint {path} is damaged or incomplete; delete its folder to start the run anew."
    )


def check(found: Checkpoint, folder: Path, *, plan: Plan, data: str, setup: str) -> None:
    """Raise InputError, saying what differs, unless the checkpoint belongs to this very run."""
    other = None
    if not plan.same_run(found.plan):
        other = f"another plan ({_difference(found.plan, dataclasses.asdict(plan))})"
    elif found.data != data:
        other = "other data"
    elif found.setup != setup:
        other = "another model or method"
    if other:
        raise InputError(
            f"The checkpoint in {folder} belongs to {other}; "
            "give another folder, or delete that one to start anew."
        )


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    names = sorted(before.keys() | now.keys())
    first = next(n for n in names if n != "checkpoint_every" and before.get(n) != now.get(n))
    return f"{first} was {before.get(first)}, now {now.get(first)}"


def setup_checksum(model: nn.Module, groups: Groups) -> str:
    """sha256 of what a run starts from and cannot change: frozen weights, and what moves how.

    The weights that move are put back from the checkpoint, so their values are not asked.
    """
    digest = hashlib.sha256()
    names = {id(p): name for name, p in model.named_parameters()}
    for group in groups:
        options = {key: value for key, value in group.items() if key != "params"}
        digest.update(repr(sorted(options.items())).encode())
        for p in group["params"]:
            digest.update(f"{names[id(p)]} {tuple(p.shape)}\n".encode())
    for name, p in model.named_parameters():
        if not p.requires_grad:
            digest.update(name.encode())
            digest.update(bytes_of(p))
    return digest.hexdigest()


def moving(model: nn.Module, groups: Groups) -> list[tuple[str, nn.Parameter]]:
    """The parameters that an optimiser over these groups moves, by name, in the model's order."""
    wanted = {id(p) for group in groups for p in group["params"]}
    return [(name, p) for name, p in model.named_parameters() if id(p) in wanted]


def bytes_of(tensor: Tensor) -> memoryview:
    """A tensor's numbers as they lie in memory, whatever their type."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def save(
    folder: Path, engine: Engine, steps: Sequence[Step], *, data: str, setup: str, done: bool
) -> None:
    """Write the state after steps[-1] and remove the one before it; one process writes.

    A run that has ended needs its optimiser no more, which is two thirds of full fine-tuning.
    """
    if not engine.accelerator.is_main_process:
        return
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{steps[-1].step:06d}.safetensors"
    _write_tensors(folder / name, _tensors(engine, weights_only=done))
    scaler = engine.accelerator.scaler
    state = Checkpoint(
        plan=dataclasses.asdict(engine.plan),
        data=data,
        setup=setup,
        steps=list(steps),
        done=done,
        tensors=name,
        scaler=dict(scaler.state_dict()) if scaler is not None else {},
    )
    write_json(folder / NAME, plain(state))
    for old in folder.glob("step-*.safetensors*"):
        if old.name != name:
            old.unlink()


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        save_file(dict(tensors), part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _tensors(engine: Engine, *, weights_only: bool) -> dict[str, Tensor]:
    """{"weight/<name>": ..., "<key of the optimiser>/<name>": ...} of every moving parameter."""
    state, found = engine.optimizer.state, {}
    for name, p in _moving(engine):
        found[f"weight/{name}"] = p
        kept = {} if weights_only else optimizers.store(state.get(p, {}))
        found |= {f"{key}/{name}": value for key, value in kept.items()}
    return {key: tensor.detach().cpu().contiguous() for key, tensor in found.items()}


def _moving(engine: Engine) -> list[tuple[str, nn.Parameter]]:
    return moving(engine.model, engine.optimizer.param_groups)


def restore(found: Checkpoint, folder: Path, engine: Engine) -> None:
    """Put the stored weights and optimiser state in place.

    Raises InputError, before anything moves, when the tensor file is damaged.
    """
    path = folder / found.tensors
    try:
        stored = load_file(path)
    except (SafetensorError, OSError):
        raise _damaged(path) from None
    if any(f"weight/{name}" not in stored for name, _ in _moving(engine)):
        raise _damaged(path)
    for name, p in _moving(engine):
        with torch.no_grad():
            p.copy_(stored.pop(f"weight/{name}"))
    places = dict(_moving(engine))
    for key, tensor in stored.items():
        kind, name = key.split("/", maxsplit=1)
        optimizers.restore(engine.optimizer, places[name], kind, tensor)
    if found.scaler and engine.accelerator.scaler is not None:
        engine.accelerator.scaler.load_state_dict(found.scaler)
