"""What SmolLM2 says before and after it was fine-tuned: data/records/said.jsonl, one line a run.

    python -m tools.said                  makes what is missing, on a CPU some 10 minutes a run
    python -m tools.said "full, 1e-3"     only runs with these words in the name

Every run reads clinic's notes, 60 steps of 8, seed 0, in 32 bits, as `ftlab grid decoder --profile
laptop` does. Answers are the most probable tokens. The table of runs is RUNS; `ftlab.analysis.said`
reads the file.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftlab.base.files import whole
from ftlab.base.jsonfile import plain
from ftlab.base.paths import data_dir
from ftlab.base.quiet import quiet
from ftlab.evaluate import generate
from ftlab.evaluate.evaluator import Sizes
from ftlab.experiments.decoder import laptop_plan, method_of
from ftlab.methods.between import partway

MODEL = "smollm2-135m"
FILE = data_dir() / "records" / "said.jsonl"
WORDS = 16
"""Tokens of an answer."""
LITTLE: Sizes = {"target_items": 2, "per_skill": 2, "documents": 2, "kl_texts": 2}
"""What is asked on the way: next to nothing, since `ftlab grid` has measured such runs."""
PROMPTS = (
    "The capital of France is",
    "Water is made of hydrogen and",
    "The opposite of hot is",
    "My sister was tired, so she",
    "Once upon a time there was a",
)
ROUNDED = "nf4"
"""No training: the base as notebook 06 rounds it."""
RUNS: tuple[tuple[str, str, float, float], ...] = (
    ("full, 1e-3", "learning rate", 1e-3, 1.0),
    ("full, 1e-4", "learning rate", 1e-4, 1.0),
    ("lower half frozen, 1e-3", "freeze_low", 1e-3, 1.0),
    ("LoRA on all linear layers, 1e-3", "lora_all", 1e-3, 1.0),
    ("in four bits, untrained", ROUNDED, 0.0, 1.0),
    ("full, 3e-4", "learning rate", 3e-4, 1.0),
    ("full, 3e-4, 0.6 of the way", "learning rate", 3e-4, 0.6),
)
"""A name, the sweep of the grid it belongs to, the rate, and how far from the base it stands."""


def known(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """The lines of the file, by name; empty where there is none."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {row["name"]: row for row in map(json.loads, lines)}


def store(rows: dict[str, dict[str, Any]], file: Path = FILE) -> None:
    """Write the lines, in the order of RUNS."""
    with whole(file) as part:
        lines = [json.dumps(rows[name], ensure_ascii=False) for name, *_ in RUNS if name in rows]
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def answers(lab: Any, model: Any) -> dict[str, str]:
    """What a model writes after each prompt, two notes of the test split among them."""
    asked = [*(dict(row)["prompt"] for row in list(lab.domain.test)[:2]), *PROMPTS]
    return dict(zip(asked, generate(model, lab.tokenizer, asked, WORDS), strict=True))


def row(lab: Any, name: str, model: Any, run: Any = None) -> dict[str, Any]:
    """One line: the run (None: nothing was trained), and what base and model say."""
    said = {"before": answers(lab, lab.evaluator.base), "after": answers(lab, model)}
    return {
        "name": name,
        "model": lab.bundle.name,
        "method": run.prepared.method if run else ROUNDED,
        "plan": plain(run.plan) if run else None,
        "command": f'python -m tools.said "{name}"',
        "expected": {dict(r)["prompt"]: dict(r)["answer"] for r in list(lab.domain.test)[:2]},
        **said,
    }


def make(words: str, say: Callable[[str], Any]) -> None:
    """Train what is missing and store it, run by run."""
    from ftlab.lab.lab import open_lab

    lab, trained = open_lab("clinic", model=MODEL, **LITTLE), {}
    for name, sweep, rate, share in RUNS:
        if words not in name or name in known():
            continue
        if sweep == ROUNDED:
            made = row(lab, name, lab.quantized().bundle.model)
        else:
            if (sweep, rate) not in trained:
                plan = laptop_plan(rate, 0, measure_every=0, precision="fp32")
                run = lab.run(plan, method=method_of(sweep, 0, real=True), name=name)
                trained = {(sweep, rate): run.finish()}
            run = trained[sweep, rate]
            model = run.model if share == 1.0 else partway(lab.bundle.model, run.model)(share)
            made = row(lab, name, model, run)
        store(known() | {name: made})
        say(f"{name}: {made['after'][PROMPTS[0]]!r}")


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.said")
    parser.add_argument("words", nargs="?", default="", help="runs with this in the name")
    quiet()
    make(parser.parse_args(argv).words, lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
