"""The shape of a model, as memory sees it: how many parameters are where, nothing allocated.

    shape("nano-gpt2")       from data/models/nano-gpt2/config.json
    shape("llama-7b")        a published shape, known by name
    shape(config)            any config of transformers whose architecture the layer map knows

The model is built from its config on torch's `meta` device, where a tensor has a size and no
bytes, and then read with the layer map; so nothing here knows an architecture.

Run the tests: pytest tests/memory/test_memory.py
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.models.layers import TARGETS, LayerMap, layer_map
from ftlab.models.split import split_qkv

_LLAMA2 = {"vocab_size": 32_000, "tie_word_embeddings": False}
_LLAMA3 = {"vocab_size": 128_256, "tie_word_embeddings": True, "num_key_value_heads": 8}


def _llama(blocks: int, width: int, ff: int, heads: int, **more: Any) -> dict[str, Any]:
    sizes = {"num_hidden_layers": blocks, "hidden_size": width, "intermediate_size": ff}
    return {"model_type": "llama", **sizes, "num_attention_heads": heads, **more}


SHAPES: dict[str, dict[str, Any]] = {
    "smollm2-135m": _llama(
        30, 576, 1536, 9, num_key_value_heads=3, vocab_size=49_152, tie_word_embeddings=True
    ),
    "gpt2": {"model_type": "gpt2"},
    "llama-1b": _llama(16, 2048, 8192, 32, **_LLAMA3),  # as Llama-3.2-1B
    "llama-3b": _llama(28, 3072, 8192, 24, **_LLAMA3),  # as Llama-3.2-3B
    "llama-7b": _llama(32, 4096, 11_008, 32, **_LLAMA2),  # as Llama-2-7B
    "llama-13b": _llama(40, 5120, 13_824, 40, **_LLAMA2),  # as Llama-2-13B
}
"""Published shapes by name, as keywords of transformers' config classes."""
SHIPPED = ("nano-gpt2", "nano-t5")


@dataclass(frozen=True)
class Matrix:
    """One linear layer."""

    reads: int
    """Width of its input."""
    writes: int
    """Width of its output."""
    target: str
    """q, k, v, o or ff."""
    packable: bool = True
    """Does quantizing put it into four bits? (Not the second layer of T5's feed-forward.)"""

    @property
    def parameters(self) -> int:
        """How many weights it has, bias not counted."""
        return self.reads * self.writes


@dataclass(frozen=True)
class Block:
    """One block of a stack."""

    stack: str
    """encoder or decoder."""
    attentions: Mapping[str, tuple[Matrix, ...]]
    """q, k, v and o by kind: self, and cross where there is one."""
    ff: tuple[Matrix, ...]
    """The linear layers of the feed-forward; the last writes what the first reads."""
    norms: int
    """How many norms it has."""
    activation: str
    """Class of the activation function."""
    dropouts: int
    """How many dropouts of more than 0 act on its states."""
    parameters: int
    """All its weights."""

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """Every linear layer."""
        return (*(m for four in self.attentions.values() for m in four), *self.ff)

    @property
    def width(self) -> int:
        """Values in the state of one token."""
        return self.ff[0].reads


@dataclass(frozen=True)
class Shape:
    """A model without its weights."""

    name: str
    """What it is called."""
    blocks: tuple[Block, ...]
    """In the order of the forward pass: the encoder's first."""
    tensors: tuple[int, ...]
    """Parameters in every tensor, tied ones once."""
    vocabulary: int
    """Tokens it knows."""
    heads: int
    """Query heads of an attention."""
    norm: str
    """Class of its norms."""
    tied: bool
    """Are the head's weights the embeddings?"""
    fused: bool
    """Are q, k and v one matrix, until LoRA splits it?"""
    biased: bool
    """Does each layer have a position bias of its own in the mask (T5)?"""

    @property
    def parameters(self) -> int:
        """All weights, tied ones once."""
        return sum(self.tensors)

    @property
    def width(self) -> int:
        """Values in the state of one token."""
        return self.blocks[0].width

    @property
    def seq2seq(self) -> bool:
        """Has it an encoder?"""
        return any(block.stack == "encoder" for block in self.blocks)

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """Every linear layer of the blocks: what LoRA may adapt and NF4 packs."""
        return tuple(matrix for block in self.blocks for matrix in block.matrices)


def shape(model: Any) -> Shape:
    """The shape of a model given by name, config, or as the model itself.

    Raises InputError for an unknown name and an architecture the layer map does not know.
    """
    if isinstance(model, Shape):
        return model
    name, config = _config(model)
    return _shape(name, json.dumps(config.to_dict(), sort_keys=True, default=str))


def config_of(model: Any) -> Any:
    """The config of a model given by name, config, or as the model. Raises InputError as above."""
    return _config(model)[1]


def _config(model: Any) -> tuple[str, Any]:
    if isinstance(model, str) and model in SHIPPED:
        path = data_dir() / "models" / model / "config.json"
        return model, _made(json.loads(path.read_text(encoding="utf-8")))
    if isinstance(model, str) and model in SHAPES:
        return model, _made(SHAPES[model])
    config: Any = getattr(model, "config", model)
    if not hasattr(config, "model_type"):
        known = ", ".join((*SHIPPED, *SHAPES))
        raise InputError(
            f"ftlab knows no shape of {model!r}; give one of {known}, or a config of transformers."
        )
    return getattr(config, "name_or_path", "") or config.model_type, config


def _made(settings: Mapping[str, Any]) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(**settings)


@lru_cache(maxsize=32)
def _shape(name: str, settings: str) -> Shape:
    """The shape of the model that these settings (JSON) describe."""
    model = _on_meta(_made(json.loads(settings)))
    found, config = layer_map(model), model.config
    fused = found.fused
    tensors = tuple(p.numel() for p in model.parameters())
    split_qkv(model)
    blocks = [
        _block(found, stack.name, index)
        for stack in reversed(found.entry.stacks)
        if stack.name == "decoder" or config.is_encoder_decoder
        for index in range(found.depth(stack.name))
    ]
    blocks.sort(key=lambda block: block.stack != "encoder")  # the encoder runs first
    return Shape(
        name=name,
        blocks=tuple(blocks),
        tensors=tensors,
        vocabulary=config.vocab_size,
        heads=config.num_attention_heads,
        norm=type(_norms(model)[0]).__name__,
        tied=found.tied,
        fused=fused,
        biased=any("relative_attention_bias" in key for key, _ in model.named_parameters()),
    )


def _on_meta(config: Any) -> Any:
    """The model of a config, with sizes and without bytes."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    auto: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    with torch.device("meta"):
        return auto.from_config(config)


def _block(found: LayerMap, stack: str, index: int) -> Block:
    block = found.blocks(stack)[index]
    keep = getattr(found.model, "_keep_in_fp32_modules", None) or ()
    attentions: dict[str, tuple[Matrix, ...]] = {}
    for linear in found.linears(TARGETS, stack=stack, blocks=[index]):
        module: Any = found.model.get_submodule(linear.name)
        wide, out = module.weight.shape if hasattr(module, "nf") else module.weight.shape[::-1]
        packable = linear.name.rpartition(".")[2] not in keep
        matrix = Matrix(wide, out, linear.target, packable)
        attentions[linear.kind] = (*attentions.get(linear.kind, ()), matrix)
    if not attentions.keys() > {"ff"}:
        raise InputError(
            f"The memory of a '{found.model.config.model_type}' model is not known: its blocks are "
            "not an attention and a feed-forward of linear layers."
        )
    return Block(
        stack=stack,
        ff=attentions.pop("ff"),
        attentions=attentions,
        norms=len(_norms(block)),
        activation=_activation(block),
        dropouts=len(_dropouts(block)),
        parameters=sum(p.numel() for p in block.parameters()),
    )


def _norms(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if "Norm" in type(m).__name__]


def _dropouts(block: nn.Module) -> list[str]:
    """Those that save a mask; the one inside fused attention does not."""
    named = block.named_modules()
    return [n for n, m in named if type(m) is nn.Dropout and m.p > 0 and "attn_dropout" not in n]


def _activation(block: nn.Module) -> str:
    """Class of the module without weights that is not a dropout: a block has one kind."""
    plain = [m for m in block.modules() if not [*m.children(), *m.parameters()]]
    return next((type(m).__name__ for m in plain if not isinstance(m, nn.Dropout)), "")
