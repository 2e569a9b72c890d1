"""Bottleneck adapters in every block: behind the attention and behind the feed-forward.

    Bottleneck(size=8)(model)               2 (2 d m + d + m) parameters a block, m = size
    save_bottleneck(model, "folder")        the adapters alone
    load_bottleneck(stock, "folder")        on a model of the same shape

Notable choices:
- The norms stay as they are, unlike in the paper, so that switching the adapters off gives the
  base. `down` starts as torch starts a linear layer, `up` at zero.
- An adapter bends, so it cannot be merged into a weight: it costs time in every use.
- A decoder with cross-attention has three in a block, one behind each sub-layer.

Source: Houlsby et al. (2019), section 2.1. Run the tests: pytest tests/methods/test_bottleneck.py
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ftlab.base.errors import InputError
from ftlab.base.files import HUB_FORM, whole
from ftlab.methods.adapter import Adapter, has_adapter, put_behind
from ftlab.methods.prepared import Prepared, count
from ftlab.models.layers import layer_map
from ftlab.plan import check_whole

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class Bottleneck:
    """Two adapters in every block. Call it on a model to put them in and freeze the rest."""

    size: Annotated[int, "a whole number from 1 up"] = 8
    """Width of the bottleneck: m."""
    name: str = "bottleneck"
    """What records and plots call it."""

    def __post_init__(self) -> None:
        check_whole("size", self.size, 1)

    def __call__(self, model: Any) -> Prepared:
        """Put them in, in place. Raises InputError for a size above the model's width."""
        width = model.config.hidden_size
        if self.size > width:
            raise InputError(
                f"A bottleneck of {self.size} is wider than the {width} of this model; "
                f"give a size from 1 to {width}."
            )
        places = _sublayers(model)
        model.requires_grad_(False)
        for sublayer in places.values():
            put_behind(sublayer, Adapter(width, self.size).to(model.device))
        return count(model, self.name)


def _sublayers(model: Any) -> dict[str, nn.Module]:
    """The attentions and feed-forwards of every block, by path; InputError where one has none."""
    if has_adapter(model):
        raise InputError("This model carries adapters already; take a fresh one, or merge them.")
    found = layer_map(model)
    paths = {
        linear.name.rpartition(".")[0]: f"{stack.blocks}.{linear.block}"
        for stack in found.entry.stacks
        for linear in found.linears(("o", "ff"), stack=stack.name)
    }
    if any(path == block for path, block in paths.items()):
        raise InputError(
            f"The feed-forward of {type(model).__name__} is no module of its own, so nothing can "
            "be put behind it; use LoRA, or a model such as GPT-2, Llama or T5."
        )
    return {path: found.model.get_submodule(path) for path in paths}


def save_bottleneck(model: Any, folder: str | Path) -> Path:
    """Save the adapters, and what they fit. Raises InputError for a model that has none."""
    folder, found = Path(folder), [m for m in model.modules() if isinstance(m, Adapter)]
    if not found:
        raise InputError("This model carries no bottleneck adapters; there is nothing to save.")
    settings = {"size": found[0].down.out_features}
    with whole(folder, holds=HUB_FORM) as part:
        save_file({n: p.detach() for n, p in _weights(model).items()}, part / WEIGHTS)
        (part / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return folder


def load_bottleneck(model: Any, folder: str | Path) -> Prepared:
    """Undo `save_bottleneck` on a model of the same shape, in place.

    Raises InputError for a folder that holds none, or adapters of another shape; then the model
    is as it was.
    """
    folder = Path(folder)
    try:
        method = Bottleneck(json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["size"])
        stored = load_file(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        raise InputError(f"{folder} holds no bottleneck adapters; give a saved folder.") from None
    one = Adapter(model.config.hidden_size, method.size).named_parameters()
    shapes = {name: p.shape for name, p in one}
    wanted = {f"{at}.adapter.{n}": size for at in _sublayers(model) for n, size in shapes.items()}
    if wanted != {name: tensor.shape for name, tensor in stored.items()}:
        raise InputError(
            f"The adapters in {folder} were made for another model than this "
            f"{type(model).__name__} of width {model.config.hidden_size}; take the one they fit."
        )
    made = method(model)
    with torch.no_grad():
        for name, p in _weights(model).items():
            p.copy_(stored[name])
    return made


def _weights(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if ".adapter." in name}
