"""The GPU memory benchmark: models of 3 and 7 billion parameters by QLoRA on a card of 15 GB.

    python -m tools.bench.gpu_memory         peak memory, tokens a second, predicted and measured

For memory and speed the weights' values do not matter, so they are random and no network is
needed: each layer is made on the card, packed into four bits, and forgotten, so the whole model
never lies there. A larger card stands in for a T4: torch may use 15 GB of it, in fp16.

Then the room is made tight, and both ways are tried there: midway between what torch's allocator
reserved with paging and the peak of the tensors without it (under pressure the allocator gives back
all that it reserved beyond that).

Notable choices:
- The cap holds for what the allocator reserves, gaps included, and segments that grow leave few.
  (Midway between the peaks of tensors alone, with segments of fixed sizes, a model of 3 billion
  fitted neither way: LOG.md, 2026-11-26.)
- Pages that leave torch's share lie in CUDA's unified memory, which on a large card may still be
  on the card: what is shown is that torch's share suffices, not how long a T4 takes to move them.
- Tokens a second leave out the first two steps, in which CUDA finds its kernels.
- A run that does not fit is a result: it is recorded as such.

Run the tests: pytest tests/tools/test_gpu_memory.py
"""

import argparse
import gc
import multiprocessing
import os
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.base.jsonfile import read_json, write_json
from ftlab.base.libraries import bitsandbytes
from ftlab.base.machine import precision
from ftlab.base.paths import data_dir
from ftlab.base.quiet import quiet
from ftlab.cli.main import single
from ftlab.cli.terminal import check_folder
from ftlab.memory.arithmetic import estimate
from ftlab.memory.plan import MemoryPlan
from ftlab.memory.shapes import config_of
from ftlab.methods.lora import LoRA
from ftlab.methods.qlora import QLoRA
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS, layer_map
from ftlab.models.quantizing import COMPUTE, linears_of, pack_layer
from ftlab.plan import Plan, Step
from ftlab.text.train_batches import Example
from ftlab.train.engine import Engine, default_groups
from tools.making import check_most, options

CAP = 15 * 10**9
"""Bytes of a T4 that a run may count on."""
WARM = 2
"""Steps that are not timed."""
START = Step(step=0, loss=None, lr=0.0, tokens=0, examples=0, grad_norm=None, seconds=0.0)


@dataclass(frozen=True)
class Trial:
    """One run of the benchmark."""

    model: str
    """A name of `memory_shapes.SHAPES`."""
    optimizer: str
    """Of `plan.OPTIMIZERS`."""
    cap: int = CAP
    """Bytes that torch may use."""
    tight: bool = False
    """Is the cap midway between what the run was seen to need with paging and without?"""
    rank: int = 64
    """Of the adapters, on every linear layer, as in the paper."""
    tokens: int = 512
    """Length of each text."""
    batch_size: int = 4
    """Texts in a step."""
    steps: int = 8
    """Of which WARM are not timed."""

    @property
    def name(self) -> str:
        """Unique in the benchmark."""
        room = "tight" if self.tight else f"{self.cap / 1e9:g} GB"
        return f"{self.model}, {self.optimizer}, {room}"


def trials() -> list[Trial]:
    """What is run without a tight cap; each model's tight ones follow from it."""
    return [
        Trial(model, optimizer)
        for model in ("llama-3b", "llama-7b")
        for optimizer in ("paged_adamw", "adamw", "paged_adamw8bit")
    ]


def run_benchmark(folder: Path, most: int | None = None) -> Iterator[str]:
    """Make what is missing; a line of news for each. Raises InputError without a CUDA GPU."""
    if not torch.cuda.is_available():
        raise InputError(
            "The benchmark measures a CUDA GPU and there is none here; run it on a Colab T4 or "
            "another card, or leave it out: --profile nano runs on any CPU."
        )
    made = 0
    for trial in in_order(folder):
        path = place(folder, trial)
        if path.exists():
            continue
        if most is not None and made >= most:
            return
        found = in_a_process(trial)
        write_json(path, found)
        made += 1
        yield told(found)


def in_a_process(trial: Trial) -> dict[str, Any]:
    """Measure in a process of its own: the pages of a paged optimiser are not given back."""
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):  # the second until torch 2.9
        os.environ[name] = "expandable_segments:True"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as worker:
        return worker.submit(_on_the_card, trial).result()


def _on_the_card(trial: Trial) -> dict[str, Any]:
    os.environ["FTLAB_PRECISION"] = "fp16"  # a T4 has no other half precision
    return measure(trial, torch.device("cuda"))


def in_order(folder: Path) -> Iterator[Trial]:
    """The trials, and after each model's the tight ones, whose cap its paged run has shown."""
    for trial in trials():
        yield trial
        if trial.optimizer == "paged_adamw8bit":
            both = [replace(trial, optimizer=name) for name in ("paged_adamw", "adamw")]
            paged, plain = (read_json(place(folder, one)) for one in both)
            if paged["reserved"] and paged["reserved"] < plain["peak"]:
                cap = (paged["reserved"] + plain["peak"]) // 2
                yield from (replace(one, tight=True, cap=cap) for one in both)


def place(folder: Path, trial: Trial) -> Path:
    """The file that holds a trial's result."""
    return folder / f"{trial.name.replace(', ', '-').replace(' ', '')}.json"


def told(found: dict[str, Any]) -> str:
    """One result in a line."""
    if not found["fits"]:
        return f"{found['name']}: does not fit (predicted {found['predicted'] / 1e9:.2f} GB)"
    return (
        f"{found['name']}: peak {found['peak'] / 1e9:.2f} GB, predicted "
        f"{found['predicted'] / 1e9:.2f} GB, {found['tokens_per_second']:,.0f} tokens/s"
    )


def measure(trial: Trial, device: torch.device) -> dict[str, Any]:
    """Train a few steps and tell: fits, peak and reserved bytes, predicted, tokens a second.

    On a CPU there is no cap, and peak and reserved are None.
    """
    on_gpu = device.type == "cuda"
    _room(trial.cap if on_gpu else None)
    found: dict[str, Any] = {"name": trial.name, "fits": False, "peak": None, "reserved": None}
    found |= {"predicted": predicted(trial, device), "tokens_per_second": None}
    found |= {"trial": asdict(trial)}
    found |= {"device": torch.cuda.get_device_name() if on_gpu else "cpu"}
    found |= {"precision": precision(device.type), "versions": records.versions()}
    found |= {"command": "python -m tools.bench.gpu_memory"}
    try:
        found |= _train(trial, device)
        if on_gpu:
            found["peak"] = torch.cuda.max_memory_allocated()
            found["reserved"] = torch.cuda.max_memory_reserved()
    except torch.OutOfMemoryError:
        found["fits"] = False
    finally:
        gc.collect()
        _room(None)
    return found


def _room(cap: int | None) -> None:
    """How many bytes torch may use on the card from now on (None: all)."""
    if not torch.cuda.is_available():
        return
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (cap or whole) / whole))


def _train(trial: Trial, device: torch.device) -> dict[str, Any]:
    config = config_of(trial.model)
    base = random_base(config, Quantize(), device)
    adapters = LoRA({"1-12": trial.rank}, targets=TARGETS)
    model = QLoRA(adapters)(base).model
    plan = Plan(
        steps=trial.steps,
        batch_size=trial.batch_size,
        lr=1e-4,
        max_tokens=trial.tokens,
        optimizer=trial.optimizer,  # pyright: ignore[reportArgumentType]
        gradient_checkpointing=True,
    )
    engine = Engine(model, texts(trial, config.vocab_size), plan, default_groups(model))
    last, times = START, []
    for _ in range(trial.steps):
        before, last = last, engine.step(last)
        times.append((last.tokens - before.tokens) / (last.seconds - before.seconds))
    return {"fits": True, "tokens_per_second": statistics.median(times[WARM:])}


def predicted(trial: Trial, device: torch.device) -> int:
    """The peak in bytes, from the shape alone."""
    half = precision(device.type)
    plan = MemoryPlan(
        "qlora",
        precision=half,  # pyright: ignore[reportArgumentType]
        base="nf4",
        rest=half,
        optimizer=trial.optimizer,
        gradient_checkpointing=True,
        batch_size=trial.batch_size,
        tokens=trial.tokens,
        rank=trial.rank,
        targets=TARGETS,
    )
    return estimate(trial.model, plan).total


def texts(trial: Trial, vocabulary: int) -> list[Example]:
    """Random texts of exactly `trial.tokens` tokens, all but the first learned."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (2 * trial.batch_size, trial.tokens), generator=draw)
    return [Example(tuple(row), 1) for row in ids.tolist()]


def random_base(config: Any, how: Quantize, device: torch.device) -> Any:
    """A model of this shape with random weights, its blocks in four bits, made on `device`.

    For architectures whose q, k and v are apart (Llama). The rest is in the device's precision.
    """
    from transformers import AutoModelForCausalLM

    dtype, bnb = COMPUTE[precision(device.type)], bitsandbytes()
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    for _, parent, last in list(linears_of(layer_map(model))):
        old = getattr(parent, last)
        real = nn.Linear(
            old.in_features, old.out_features, old.bias is not None, device=device, dtype=dtype
        )
        nn.init.normal_(real.weight, std=0.02)
        setattr(parent, last, pack_layer(real, how, bnb, device))
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            if p.is_meta:
                made = torch.ones(p.shape, dtype=dtype, device=device)
                setattr(module, name, nn.Parameter(made.normal_(std=0.02) if p.ndim > 1 else made))
    rotary = model.model.rotary_emb  # its table is a buffer, computed from the config
    model.model.rotary_emb = type(rotary)(config=config).to(device)
    model.tie_weights()
    model.is_loaded_in_4bit = True
    return model.requires_grad_(False).eval()


def command(asked: argparse.Namespace) -> int:
    """Measure on this machine's GPU, in the precision of a T4."""
    check_most(asked.most)
    if asked.list:
        print("\n".join(trial.name for trial in trials()))
        return 0
    folder = check_folder(asked.out or data_dir() / "records" / "t4")
    quiet()
    for news in run_benchmark(folder, asked.most):
        print(news, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(single("python -m tools.bench.gpu_memory", options("data/records/t4"), command))
