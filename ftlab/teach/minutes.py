"""How long a notebook takes on this machine: its cost in steps, times the seconds of one step.

The step is that of a probe: a GPT-2 of 12 blocks x 128 reads 16 texts of 64 tokens and is updated
once, about what the notebooks spend their time on. Where the notebooks are built, `note` writes
each one's seconds and what they are in steps of that machine into data/minutes.json:

    {"00_start_here": {"steps": 61.3, "seconds": 14.2}}

and `predict_minutes` turns the steps into minutes of this machine. It is a forecast: what a
notebook spends on imports and plots does not scale with the step.
"""

import json
import statistics
import time
from pathlib import Path
from typing import Any

from ftlab.errors import InputError
from ftlab.paths import data_dir
from ftlab.plain import read_json, write_json

BATCH, LENGTH, VOCABULARY = 16, 64, 2048


def minutes_file() -> Path:
    """Where the costs of the notebooks are kept."""
    return data_dir() / "minutes.json"


def probe_step(seconds: float = 2.0) -> float:
    """Median seconds of one training step of the probe here, over about `seconds` of steps.

    At least 3 steps are taken, after one that does not count.
    """
    step = _make_step()
    step()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _make_step() -> Any:
    """A function that trains the probe for one step, on the device that would be used."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from ftlab.profiles import device

    on = device()
    config = GPT2Config(
        n_layer=12, n_embd=128, n_head=2, vocab_size=VOCABULARY, n_positions=LENGTH,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # the learner's seeds are none of our business
        model: Any = GPT2LMHeadModel(config).eval()  # eval: no dropout, which would draw too
        ids = torch.randint(VOCABULARY, (BATCH, LENGTH)).to(on)  # (B, T)
    model.to(on)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if on == "cuda":
            torch.cuda.synchronize()  # else only the asking is timed

    return step


def note(name: str, seconds: float, step_seconds: float, *, file: Path | None = None) -> Path:
    """Keep what the notebook `name` took on a machine whose probe step takes `step_seconds`."""
    file = file or minutes_file()
    known = read_json(file) if file.is_file() else {}
    known[name] = {"steps": round(seconds / step_seconds, 1), "seconds": round(seconds, 1)}
    return write_json(file, dict(sorted(known.items())))


def predict_minutes(step_seconds: float, *, file: Path | None = None) -> dict[str, float]:
    """Minutes per notebook on a machine whose probe step takes `step_seconds`.

    Raises InputError when the costs were never measured, or cannot be read.
    """
    file = file or minutes_file()
    if not file.is_file():
        raise InputError(
            f"{file.name} is not in the data folder, so minutes cannot be foretold; "
            "`make notebooks` measures them."
        )
    try:
        costs = {name: float(cost["steps"]) for name, cost in read_json(file).items()}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{file} has an entry without steps ({json.dumps(str(error))}); "
            "measure again with `make notebooks`."
        ) from error
    return {name: steps * step_seconds / 60 for name, steps in costs.items()}
