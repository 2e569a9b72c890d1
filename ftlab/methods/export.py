"""Out of the lab: merge an adapter into its base, or save it so that stock libraries load it.

    merged = merge(model)                        W + (alpha / r) B A, a stock GPT-2 again;
                                                 a 4-bit base is dequantized first
    save_model(model, "folder")                  the merged model with its tokenizer
    save_adapter(model, "folder")                the adapter alone, for peft on a stock GPT-2;
                                                 a bottleneck's for load_bottleneck

A model whose attention was split would be saved under names no stock GPT-2 has. So both fuse
first. For the adapter that means one LoRA on `c_attn` in place of those on its parts:

    A = [A_q; A_v]        (r_q + r_v, d)
    B = [[B_q, 0], [0, 0], [0, B_v]]       (3d, r_q + r_v), its parts scaled to one alpha / r

which is exact: the keys' rows of B are zero. Of IA3 the factors of q, k and v stand one below the
other, with ones where there are none. OFT and OSF go onto no Conv1D, so what is saved of them fits
`linear_layers(stock)`; a Llama, and virtual tokens on any model, need nothing.

Run the tests: pytest tests/methods/test_export.py
"""

import copy
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from ftlab.base.errors import InputError
from ftlab.base.files import HUB_FORM, whole
from ftlab.methods.adapter import Adapter
from ftlab.methods.bottleneck import save_bottleneck
from ftlab.models.layers import layer_map
from ftlab.models.loading import tokenizer_in
from ftlab.models.quantizing import dequantize, is_quantized
from ftlab.models.split import PARTS, SplitQKV, fuse_qkv, linear_layers


def merge(model: Any) -> Any:
    """A copy of the model with its adapters added into its weights, and its attention fused.

    A model without adapters is copied and fused. Raises InputError for adapters that cannot be
    added to weights (prompts, prefixes, bottlenecks), and for what is no model.
    """
    check_merge(model)
    made: Any = copy.deepcopy(model)
    if hasattr(made, "peft_config"):
        made = (_on_plain_base(made) if is_quantized(made) else made).merge_and_unload()
    return fuse_qkv(dequantize(made) if is_quantized(made) else made).eval()


def check_merge(model: Any) -> None:
    """Raises InputError for what `merge` refuses; nothing is copied."""
    if not isinstance(model, nn.Module):
        raise InputError(f"A {type(model).__name__} is no model; of a run or a bundle give .model.")
    if any(isinstance(module, Adapter) for module in model.modules()):
        raise InputError("A bottleneck adapter bends (GELU), so it cannot be merged into a weight.")
    config: Any = getattr(model, "active_peft_config", None)
    if config and (config.is_prompt_learning or not hasattr(model, "merge_and_unload")):
        raise InputError("A prompt or a prefix adds tokens, not weights: it cannot be merged.")


def _on_plain_base(model: Any) -> Any:
    """The same adapters beside the weights that the 4-bit base computed with.

    They were trained against those, so only there do they fit: merged into the codes the sum is
    rounded anew, and beside the weights from before quantizing they mend what is not broken.
    """
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    config = model.active_peft_config
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)  # see save_adapter
    model.get_base_model().is_loaded_in_4bit = False  # else peft takes off no IA3
    base = dequantize(model.unload())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        plain = get_peft_model(linear_layers(base) if config.peft_type == "OFT" else base, config)
    set_peft_model_state_dict(plain, weights)
    return plain


def save_model(model: Any, folder: str | Path, tokenizer: Any = None) -> Path:
    """Save the merged model (see `merge`) in the form of transformers, as safetensors.

    With the tokenizer of the folder that the model was loaded from, where none is given. Raises
    InputError for a folder with other files in it, or one that cannot be written.
    """
    merged = merge(model)
    origin = Path(merged.config.name_or_path)
    if tokenizer is None and merged.config.name_or_path and origin.is_dir():
        tokenizer = tokenizer_in(origin)
    with whole(Path(folder), holds=HUB_FORM) as part:
        merged.save_pretrained(part)
        if tokenizer is not None:
            tokenizer.save_pretrained(part)
    if tokenizer is None:
        print(f"No tokenizer is known for {folder}; give save_model(..., tokenizer=...).")
    return Path(folder)


def save_adapter(model: Any, folder: str | Path) -> Path:
    """Save the adapter so that peft loads it onto the stock model (see above for OFT and OSF).

    Bottlenecks are saved for `load_bottleneck`. Raises InputError for a model without an adapter,
    and as `save_model`.
    """
    if any(isinstance(module, Adapter) for module in model.modules()):
        return save_bottleneck(model, folder)
    if not hasattr(model, "peft_config"):
        raise InputError("This model carries no adapter; save the model itself with save_model.")
    fuse = {"LORA": _fused, "IA3": _fused_factors}.get(model.active_peft_config.peft_type)
    with warnings.catch_warnings(), whole(Path(folder), holds=HUB_FORM) as part:
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        stock = fuse(model) if fuse else model
        # "auto" may ask the Hub what the stock vocabulary is; ours is never resized.
        stock.save_pretrained(part, save_embedding_layers=False)
    return Path(folder)


def _fused_factors(model: Any) -> Any:
    """The same IA3 on a stock base: the factors of q, k and v in one vector of 3d."""
    found = layer_map(model)
    factors = {n: m.ia3_l["default"] for n, m in found.model.named_modules() if hasattr(m, "ia3_l")}
    split = {n: m for n, m in found.model.named_modules() if isinstance(m, SplitQKV)}
    if not split:
        return model
    from peft import get_peft_model

    config = copy.deepcopy(model.active_peft_config)
    alone = {name: p for name, p in factors.items() if name.rpartition(".")[0] not in split}
    config.target_modules, config.inference_mode = {*split, *alone}, False
    stock = get_peft_model(_base(model), config)
    for name, parts in split.items():
        ones = [torch.ones(size, 1, device=model.device) for size in parts.sizes]
        whole = [factors.get(f"{name}.{p}", one) for p, one in zip(PARTS, ones, strict=True)]
        alone[name] = parts.arranged(torch.cat(whole).T).T
    with torch.no_grad():
        for name, value in alone.items():
            layer_map(stock).model.get_submodule(name).ia3_l["default"].copy_(value)
    return stock.eval()


def _fused(model: Any) -> Any:
    """The same adapter on a stock base: one LoRA on each fused attention."""
    found = layer_map(model)
    loras = {n: m for n, m in found.model.named_modules() if hasattr(m, "lora_A")}
    groups: dict[str, dict[str, Any]] = {}
    for name, module in loras.items():
        parent, _, part = name.rpartition(".")
        inside = isinstance(found.model.get_submodule(parent), SplitQKV)
        groups.setdefault(parent if inside else name, {})[part if inside else ""] = module
    if all("" in parts for parts in groups.values()):
        return model
    from peft import LoraConfig, get_peft_model

    ranks = {n: sum(m.r["default"] for m in parts.values()) for n, parts in groups.items()}
    scales = {n: next(iter(p.values())).scaling["default"] for n, p in groups.items()}
    keys = {name: f"^{re.escape(name)}" for name in groups}
    kinds = {getattr(found.model.get_submodule(name), "kind", None) for name in groups}
    config = LoraConfig(
        r=max(ranks.values()),
        target_modules=list(groups),
        rank_pattern={keys[n]: r for n, r in ranks.items()},
        alpha_pattern={keys[n]: scales[n] * r for n, r in ranks.items()},
        modules_to_save=model.active_peft_config.modules_to_save,
        fan_in_fan_out=Conv1D in kinds,
        task_type="CAUSAL_LM",
    )
    stock = get_peft_model(_base(model), config)
    target = layer_map(stock).model
    with torch.no_grad():
        for name, parts in groups.items():
            own = found.model.get_submodule(name)
            _copy(parts, target.get_submodule(name), scales[name], own)
        if config.modules_to_save:
            _saved(target, found).load_state_dict(_saved(found.model, found).state_dict())
    return stock.eval()


def _base(model: Any) -> Any:
    """The base without any adapter, fused."""
    made = copy.deepcopy(model).unload()
    return fuse_qkv(dequantize(made) if is_quantized(made) else made)


def _saved(model: nn.Module, found: Any) -> Any:
    head: Any = model.get_submodule(found.entry.head)
    return head.modules_to_save["default"]


def _copy(parts: dict[str, Any], into: Any, scale: float, own: Any) -> None:
    """Fill one fused LoRA from those of q, k and v, or from the one it stands for."""
    a, b = into.lora_A["default"].weight, into.lora_B["default"].weight  # (R, d), (q + k + v, R)
    if "" in parts:
        a.copy_(parts[""].lora_A["default"].weight)
        b.copy_(parts[""].lora_B["default"].weight)
        return
    whole, start = torch.zeros_like(b), 0
    for part, module in parts.items():
        rank, rows = module.r["default"], whole.split(own.sizes)[PARTS.index(part)]
        a[start : start + rank] = module.lora_A["default"].weight
        factor = module.scaling["default"] / scale
        rows[:, start : start + rank] = factor * module.lora_B["default"].weight
        start += rank
    b.copy_(own.arranged(whole.T).T)
