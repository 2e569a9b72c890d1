"""A lab that asks few questions, also at the end of a run, where others ask all."""

import dataclasses
from typing import Any

import torch

from ftlab.lab.lab import Lab, open_lab
from ftlab.models.loading import Bundle, load

NARROW = {
    "nano-gpt2": {"n_embd": 64, "n_layer": 4},
    "nano-t5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2},
}


def small_lab(
    domain: Any = "clinic", *, model: Any = "nano-gpt2", asked: int = 4, **more: Any
) -> Lab:
    """Four test items, `asked` probes of a skill and documents; at most two on the way."""
    few = {"per_skill": min(asked, 2), "documents": min(asked, 2)}
    lab = open_lab(domain, model=model, target_items=4, **few, **more)
    lab.suite = lab.evaluator.suite = lab.suite.sample(asked, asked)
    lab.domain = dataclasses.replace(lab.domain, test=lab.domain.test.select(range(4)))
    lab.evaluator.domain = lab.domain
    return lab


def narrow(name: str = "nano-gpt2") -> Bundle:
    """The model of that name with random weights in few, narrow blocks."""
    bundle = load(name)
    torch.manual_seed(0)
    config = type(bundle.model.config)(**bundle.model.config.to_dict() | NARROW[name])
    return dataclasses.replace(bundle, model=type(bundle.model)(config).eval())


def narrow_lab(domain: str = "clinic", name: str = "nano-gpt2") -> Lab:
    """The same lab for such a model, with one probe of a skill and one document."""
    return small_lab(domain, model=narrow(name), asked=1)
