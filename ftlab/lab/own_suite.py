"""A suite from what the base says today: these answers are what must not be lost.

    own_suite(load("smollm2-135m"), ["The capital of France is", ...], "facts", Path("mine"))

Each prompt becomes a cloze probe whose answer is the beginning of the model's own greedy answer.
The base is right on all of them, so what is retained is the share that a tuned model still says.
Whether an answer is true nobody asks: read the file before you use it. General text, for the loss,
is that of the suite which fits the model.

Run the tests: pytest tests/lab/test_own_suite.py
"""

import json
from collections.abc import Sequence
from pathlib import Path

from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.datasets.probes import Probe
from ftlab.evaluate.skills import measure_skills
from ftlab.evaluate.target import generate
from ftlab.lab.defaults import usual_suite
from ftlab.models.loading import Bundle

TOKENS = 6
"""Of an answer: a longer one is lost to any change of style."""
LEAST = 10
"""Probes: fewer show no loss below a third."""


def own_suite(bundle: Bundle, prompts: Sequence[str], skill: str, folder: Path) -> int:
    """Write probes.jsonl and general.jsonl into `folder`, both or none; how many probes there are.

    Left out are prompts given twice, and those whose answer is empty or not given again token by
    token. Raises InputError where fewer than 10 are left, and for a folder that holds anything
    else.
    """
    model, tokenizer = bundle.model, bundle.tokenizer
    asked = list(dict.fromkeys(prompt.rstrip() for prompt in prompts if prompt.strip()))
    said = [answer.split("\n")[0].rstrip() for answer in generate(model, tokenizer, asked, TOKENS)]
    probes = [
        Probe(f"{skill}-{n:04}", skill, "cloze", prompt, (answer,), 0)
        for n, (prompt, answer) in enumerate(zip(asked, said, strict=True))
        if answer.strip()
    ]
    right = measure_skills(model, tokenizer, probes)[skill].correct if probes else ()
    kept = [probe for probe, again in zip(probes, right, strict=True) if again]
    if len(kept) < LEAST:
        raise InputError(
            f"Of {len(prompts)} prompts {len(kept)} give a probe, and {LEAST} are needed; give "
            "more, as beginnings of sentences that the model goes on with."
        )
    questions = [{**vars(probe), "choices": list(probe.choices)} for probe in kept]
    texts = [{"text": text} for text in usual_suite(bundle).documents]
    files = {"probes.jsonl": questions, "general.jsonl": texts}
    with whole(folder, holds=list(files)) as part:
        for name, rows in files.items():
            lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
            (part / name).write_text(lines, encoding="utf-8", newline="\n")
    return len(kept)
