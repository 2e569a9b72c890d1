"""What lies in a folder: a model in the Hub's form, or something else that has a cure of its own.

An adapter, a GGUF file, what a Trainer leaves, pickled weights: each is named for what it is, for
"this is no model" helps nobody who has just saved one.
"""

import json
from contextlib import suppress
from pathlib import Path

from ftlab.base.errors import InputError


def weights_of(folder: Path) -> list[Path]:
    """The weights of the model in `folder`. Raises InputError where there is no model to load."""
    if why := _something_else(folder):
        raise InputError(f"{folder} {why}.")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not (folder / "config.json").is_file():
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:6]) or "nothing"
        raise InputError(
            f"{folder} holds no model: it needs config.json and weights as *.safetensors (pickled "
            f".bin weights can run code and are not read), and there is: {there}; convert it with "
            "save_pretrained."
        )
    return weights


def _something_else(folder: Path) -> str:
    """What the folder holds in place of a model, and what to do, as the rest of a sentence."""
    if any(folder.glob("adapter_*")):
        return (
            f"holds an adapter{_base_of(folder)}, not a model; put it on its base (PeftModel), "
            "make one model of the two (merge_and_unload) and give what save_pretrained makes of it"
        )
    if gguf := next(folder.glob("*.gguf"), None):
        return (
            f"holds {gguf.name}, a GGUF file for llama.cpp, whose weights are quantized and not "
            "trained here; get the original model, in *.safetensors"
        )
    steps = [path for path in folder.glob("checkpoint-*") if (path / "config.json").is_file()]
    if steps and not (folder / "config.json").is_file():
        last = max(steps, key=lambda path: path.stat().st_mtime)
        return f"is what a Trainer leaves, with models in folders below; give one, such as {last}"
    return ""


def _base_of(folder: Path) -> str:
    with suppress(OSError, ValueError, AttributeError):
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        return f" ({settings.get('peft_type')} for {settings.get('base_model_name_or_path')})"
    return ""


def no_tokenizer(folder: Path) -> str:
    """That the folder has no tokenizer, and what to do, in a sentence; "" where it has one."""
    known = ("tokenizer.json", "vocab.*", "merges.txt", "*.model", "tekken.json")
    if any(path for name in known for path in folder.glob(name)):
        return ""
    return (
        f"{folder} has a model and no tokenizer; save the one of its base there with "
        "tokenizer.save_pretrained (a Trainer does so when it has processing_class=tokenizer)."
    )
