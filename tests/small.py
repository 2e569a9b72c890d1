"""A lab that asks few questions, also at the end of a run, where others ask all."""

import dataclasses
from typing import Any

from ftlab.lab.lab import Lab, open_lab


def small_lab(domain: Any = "clinic", *, model: Any = "nano-gpt2", **more: Any) -> Lab:
    """Four test items, four probes of a skill and four documents; two of each on the way."""
    lab = open_lab(domain, model=model, target_items=4, per_skill=2, documents=2, **more)
    lab.suite = lab.evaluator.suite = lab.suite.sample(4, 4)
    lab.domain = dataclasses.replace(lab.domain, test=lab.domain.test.select(range(4)))
    lab.evaluator.domain = lab.domain
    return lab
