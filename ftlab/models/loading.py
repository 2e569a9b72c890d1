"""Load a model and its tokenizer: the only caller of `from_pretrained` (GGUF conversion apart).

    load()                     # nano-gpt2, shipped in data/models, its checksum checked
    load("nano-t5")            # its encoder-decoder sister
    load("smollm2-135m")       # a real LLM of 135 million weights (ftlab/models/smollm.py)
    load("my/folder")          # a folder in the Hub's form: config.json, *.safetensors, tokenizer
    load("gpt2")               # a name on the Hub; also t5-base, bart-base, owner/name

Every name becomes a folder first, and only the folder is read. Notable choices:
- Safely: safetensors only (a pickle can run code), no code of a repository's own.
- Nothing is made up and nothing left out: weights that a file lacks are refused, where the library
  would fill them with random numbers and a warning, and so are those that the model has no place
  for, and an adapter beside the model.
- Of a model that also reads pictures (Gemma 3 from 4B on) the text part alone, as a text model.
- float32 unless asked otherwise; the library would take the file's type, so that a bfloat16
  file arrives as bfloat16 on a T4, which has none.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ftlab.base import checksums
from ftlab.base.errors import InputError, first_line
from ftlab.base.paths import data_dir
from ftlab.base.quiet import quiet
from ftlab.datasets.load import is_there, nearest
from ftlab.hub import fetch, reach
from ftlab.models.bases import Quantize
from ftlab.models.quantizing import quantize
from ftlab.models.text_part import text_part

SHIPPED = ("nano-gpt2", "nano-t5")
KNOWN = (*SHIPPED, "smollm2-135m")
ON_THE_HUB = {
    "gpt2": "openai-community/gpt2",
    "t5-small": "google-t5/t5-small",
    "t5-base": "google-t5/t5-base",
    "bart-base": "facebook/bart-base",
}
"""Short names of models on the Hub, and their full ones."""
POSSIBLE = f"the models are {', '.join(KNOWN)}, or give a folder or a name on the Hub"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_MERGE = "merge it into its base{base} with peft's merge_and_unload, then save_pretrained"
OTHERS = {
    "adapter_*": f"an adapter (LoRA), no model; {_MERGE}",
    "*.gguf": "a GGUF file, quantized for llama.cpp; get the original model, in *.safetensors",
    "checkpoint-*/adapter_*": f"what a Trainer leaves of an adapter (LoRA); of {{last}}, {_MERGE}",
    "checkpoint-*/config.json": "what a Trainer leaves; give a checkpoint in it, such as {last}",
    "zero_to_fp32.py": "the shards of DeepSpeed; make them one with the zero_to_fp32.py in it",
    "**/*.distcp": "the shards of FSDP; make them one with accelerate merge-weights",
    "*": "no model: it needs config.json and weights as *.safetensors (pickled .bin weights can "
    "run code and are not read); convert it with save_pretrained",
}
"""What a folder may hold in place of a model, by its files, and the cure."""
_SMALL = ("*.json", "*.txt", "*.model", "*.jinja")  # what is fetched beside the weights


@dataclass(frozen=True)
class Bundle:
    """A model with what belongs to it."""

    name: str
    """What it was asked for by."""
    model: Any
    """A transformers language model, in eval mode."""
    tokenizer: Any
    """Its tokenizer, with a pad token."""
    checksum: str
    """A short name (12 digits of sha256) of the weights file."""
    base: Quantize | None = None
    """How its blocks were put into four bits; None where they were not."""


def load(
    name: str | Path = "nano-gpt2",
    *,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    base: Quantize | None = None,
) -> Bundle:
    """The model `name` in eval mode, as `dtype` (float32) on `device` (the CPU).

    With `base` its blocks are in four bits (`ftlab.models.quantizing`), a layer at a time while it
    goes to the device, so that the whole model need never lie there.

    Raises InputError for a name that means nothing and for files that are damaged or incomplete,
    and reach.Offline (an InputError too) for what cannot be fetched from the Hub.
    """
    quiet()
    kind = _dtype(dtype)
    folder = find_folder(str(name))
    weights = _weights(folder)
    tokenizer = tokenizer_in(folder)
    model = _model(folder, kind).eval()
    model = _placed(model, base, device, folder.name)
    return Bundle(str(name), model, tokenizer, checksums.short(weights), base)


def _weights(folder: Path) -> list[Path]:
    """The weights in a folder. Raises InputError, saying what else it is, where it is no model."""
    weights = sorted(folder.glob("*.safetensors"))
    whole = bool(weights) and (folder / "config.json").is_file()
    if not whole or any(folder.glob("adapter_*")):
        what = next(
            (what for files, what in OTHERS.items() if any(folder.glob(files))), OTHERS["*"]
        )
        left = sorted(folder.glob("checkpoint-*"), key=lambda path: (len(path.name), path.name))
        last = left[-1] if left else folder
        raise InputError(f"{folder} holds {what.format(last=last, base=_base_of(last))}.")
    return weights


def _base_of(adapter: Path) -> str:
    """ " (its name)" of an adapter's base, as the adapter has it; else nothing."""
    try:
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return f" ({config['base_model_name_or_path']:.200})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _placed(model: Any, base: Quantize | None, device: Any, name: str) -> Any:
    """The model on its device, in four bits if asked."""
    try:
        return model.to(device or "cpu") if base is None else quantize(model, base, device=device)
    except torch.OutOfMemoryError as error:
        count = sum(p.numel() for p in model.parameters())
        what = "restart the kernel, or take a smaller model"
        what = what if base else f"load it in four bits, base=Quantize(), or {what}"
        raise InputError(
            f"{name} has {count / 1e6:,.0f} million weights, which do not fit the card; {what}."
        ) from error


def _dtype(dtype: torch.dtype | str | None) -> torch.dtype:
    if dtype is None:
        return torch.float32
    found = DTYPES.get(str(dtype).removeprefix("torch."))
    if found is None:
        raise InputError(f"The dtype {dtype} is not possible here; give {', '.join(DTYPES)}.")
    return found


def find_folder(name: str) -> Path:
    """The folder that holds the model `name`, checked if it ships, fetched if need be."""
    if name in SHIPPED:
        return _shipped(name)
    if name == "smollm2-135m":
        from ftlab.models import smollm

        return smollm.local_folder()
    path = Path(os.path.expanduser(name))
    if name and is_there(path):
        if not path.is_dir():
            gguf = " (and a GGUF file is not trained here)" if path.suffix == ".gguf" else ""
            raise InputError(f"{path} is a file; give the folder it lies in{gguf}.")
        return path
    if not re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", name) or len(name) > 96:
        raise InputError(f"There is no model '{name}'{nearest(name, KNOWN)}; {POSSIBLE}.")
    return _fetch(name)


def _shipped(name: str) -> Path:
    folder = data_dir() / "models"
    if not (folder / name).is_dir():
        raise InputError(
            f"The model {name} is not in {folder}; get the whole repository, "
            "or install ftlab again."
        )
    bad = checksums.damaged(folder, under=f"{name}/")
    if bad:
        raise InputError(
            f"The model {name} is damaged: {_listing(bad)} in {folder} is not what CHECKSUMS "
            "lists; get the folder again from the repository (git checkout), without other files."
        )
    return folder / name


def _fetch(name: str) -> Path:
    """The Hub's snapshot of `name`: fetched when the Hub answers, else from the cache."""
    try:
        return fetch.fetch(
            ON_THE_HUB.get(name, name),
            wanted=[*_SMALL, "*.safetensors"],
            left_out=["*/*", "consolidated*"],
        )
    except reach.Offline as error:
        near = "" if name in ON_THE_HUB else nearest(name, KNOWN)
        raise reach.Offline(
            f"There is no model '{name}' here{near}, and none could be fetched: {error.reason}; "
            f"{POSSIBLE}.",
            error.reason,
        ) from error


def tokenizer_in(folder: Path) -> Any:
    """The tokenizer in a folder. Raises InputError where there is none that makes tokens."""
    from transformers import AutoTokenizer

    quiet()
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        if not tokenizer("a text", add_special_tokens=False)["input_ids"]:
            raise ValueError("it makes nothing of a text")  # as GPT-2's does without its files
    except Exception as error:  # a broken file raises whatever its reader raises
        raise InputError(
            f"The tokenizer in {folder} cannot be read ({first_line(error)}); save its base's "
            "there with save_pretrained (a Trainer does when given processing_class=tokenizer)."
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _model(folder: Path, dtype: torch.dtype) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    safely: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(folder, **safely)
        seq2seq = config.is_encoder_decoder
        auto: Any = AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM
        model, info = auto.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, where the library logs a table
            **safely,
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a broken file raises whatever its reader raises
        if "Unrecognized configuration class" in str(error):
            raise _not_causal(folder) from error
        cure = "get its files again, or convert them with save_pretrained"
        if "custom code" in str(error):
            cure = "code that comes with a model is not run here; take one that needs none"
        raise InputError(
            f"The model in {folder} cannot be read ({first_line(error)}); {cure}."
        ) from error
    _check_complete(folder, info)
    if not seq2seq and config.get_text_config() is not config:
        model = text_part(model)
    if not seq2seq and _sees_ahead(model.eval()):
        raise _not_causal(folder)
    for parameter in model.parameters():  # else they are a window on the file: who overwrites it
        parameter.data = parameter.data.clone()  # while the model lives ends the process
    return model


def _not_causal(folder: Path) -> InputError:
    return InputError(
        f"The model in {folder} does not write one token after another: it reads a text as a whole "
        "(as BERT does), or is for something else; take a causal or an encoder-decoder model."
    )


def _sees_ahead(model: Any) -> bool:
    """Does another last token change what is predicted before it?"""
    ids = torch.arange(16).reshape(2, 8) % model.config.vocab_size
    ids[1, :-1] = ids[0, :-1]  # (2, 8)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, :-1].float()
    return bool((logits[0] - logits[1]).abs().max() > 1e-3 * logits.std())


def _check_complete(folder: Path, info: dict[str, Any]) -> None:
    """Refuse weights that lack a tensor, or hold one of the wrong size or one too many."""
    wrong = sorted(str(key[0]) for key in info["mismatched_keys"])
    lacking, more = (sorted(map(str, info[f"{kind}_keys"])) for kind in ("missing", "unexpected"))
    if wrong or lacking:
        fault = f"do not fit config.json in {_listing(wrong)}" if wrong else ""
        fault = fault or f"lack {_listing(lacking)}"
        raise InputError(
            f"The weights in {folder} {fault}; get the files again: the library would put "
            "random numbers in their place."
        )
    if more:
        raise InputError(
            f"The weights in {folder} hold {_listing(more)}, which config.json has no place for; "
            "give the whole model: the library would leave them out."
        )


def _listing(names: Iterable[str], n: int = 3) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
