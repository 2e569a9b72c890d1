"""A model's weights: told from others, saved in stock form, and an adapter on its base again.

checksum(model)                    sha256 of all of them
save(model, tokenizer, folder)     the adapter, or the model that has none
with_adapter(model, folder)        what `save`, peft or `save_adapter` wrote, to be trained on
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ftlab.base.errors import InputError, first_line
from ftlab.base.files import settled
from ftlab.base.jsonfile import read_json
from ftlab.datasets.load import is_there
from ftlab.methods.adapter import has_adapter
from ftlab.methods.bottleneck import load_bottleneck
from ftlab.methods.export import check_merge, save_adapter, save_model
from ftlab.models.split import linear_layers

SETTINGS = "adapter_config.json"


def with_adapter(model: Any, folder: Path) -> nn.Module:
    """The model with the adapter of a folder, which is trained; the model is changed in place.

    Raises InputError for a folder that holds none, or one that was made for another model.
    """
    with suppress(OSError, ValueError):  # text that can be no folder
        settled(folder)
    if not is_there(folder / SETTINGS):
        raise InputError(f"{folder} holds no adapter ({SETTINGS}); give one that --save wrote.")
    told: Any = read_json(folder / SETTINGS)
    if not isinstance(told, dict) or "peft_type" not in told:
        return load_bottleneck(model, folder).model
    from peft import PeftConfig, PeftModel, get_peft_model, load_peft_weights
    from peft import set_peft_model_state_dict as fill

    linear = str(told["peft_type"]) in ("OFT", "OSF") and not told.get("fan_in_fan_out")
    try:
        base: Any = linear_layers(model) if linear and model.config.model_type == "gpt2" else model
        config = PeftConfig.from_pretrained(str(folder))
        if not config.is_prompt_learning:
            return PeftModel.from_pretrained(base, str(folder), is_trainable=True)
        config.inference_mode = False  # peft itself loads virtual tokens frozen
        made = get_peft_model(base, config)
        fill(made, load_peft_weights(str(folder), device=str(model.device)))
        return made
    except Exception as error:  # peft raises whatever does not fit
        raise InputError(
            f"The adapter in {folder} does not go onto this {type(model).__name__} "
            f"({first_line(error):.120}); take the base it was trained on "
            f"({told.get('base_model_name_or_path') or 'it does not say which'})."
        ) from error


def check_save(run: Any, folder: Path, merged: bool) -> None:
    """Raises InputError for what of a run cannot be saved, or not alone; before its first step."""
    origin = run.lab.bundle.model.config.name_or_path
    if origin and folder.is_dir() and folder.resolve() == Path(origin).resolve():
        raise InputError(f"{folder} is the folder of the base model; name another one.")
    if merged:
        check_merge(run.model)
    elif has_adapter(run.model) and run.start and run.asked_method is not None:
        raise InputError(
            f"The run began from {run.start['name']}, merged into the base, so its own "
            "adapter fits no base that is saved; save the whole model: merged=True, --merged."
        )


def save(model: Any, tokenizer: Any, folder: Path, merged: bool = False) -> str:
    """Save it with its tokenizer, in the form of peft or transformers: "adapter" or "model".

    Raises InputError for a folder that cannot be written or holds something else.
    """
    if merged or not has_adapter(model):
        save_model(model, folder, tokenizer)
        return "model"
    save_adapter(model, folder)
    tokenizer.save_pretrained(folder)
    return "adapter"


def checksum(model: nn.Module) -> str:
    """sha256 of every weight and its name, whatever device they lie on."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
