"""What the parts of each architecture are called: one entry for each, read by the layer map.

Another architecture is another entry here, a tiny model in `tests/families.py` and a line in
`tests/models/test_layer_map.py`. A name that a member of the family lacks (the gated feed-forward
of some T5s) may stand in its entry: the layer map leaves out what the live model does not have.
Without an entry the layer map goes by the modules alone (`ftlab.models.unnamed`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Attention:
    """One attention of a block; paths are below the block."""

    kind: str
    """self, or cross (the decoder looks at the encoder)."""
    q: str
    k: str
    v: str
    o: str


@dataclass(frozen=True)
class Stack:
    """A row of equal blocks."""

    name: str
    """decoder or encoder."""
    blocks: str
    """Path of the list of blocks."""
    attentions: tuple[Attention, ...]
    feed_forward: tuple[str, ...]
    """Its linear layers, below the block."""
    count: str
    """What the configuration calls the number of blocks."""


def _kv_heads(config: Any) -> int:
    """How many heads keys and values have."""
    return getattr(config, "num_key_value_heads", None) or config.num_attention_heads


def _falcon_kv_heads(config: Any) -> int:
    alone = config.multi_query and not config.new_decoder_architecture
    return 1 if alone else config.num_kv_heads


@dataclass(frozen=True)
class Architecture:
    """One family of models."""

    stacks: tuple[Stack, ...]
    embeddings: tuple[str, ...]
    head: str = "lm_head"
    final_norm: str = ""
    """What stands before the head; empty where nothing does, or where the stacks have their own."""
    fused: str = ""
    """Where a block's q, k and v lie in one matrix; empty where they do not."""
    by_head: bool = False
    """Lie they there head by head (q, k, v, q, k, v, ...), or all of q, then k, then v?"""
    kv_heads: Callable[[Any], int] = _kv_heads
    """How many heads keys and values have, by the configuration."""
    plain: bool = True
    """Does a block give its states alone, not in a tuple?"""


def _attention(kind: str, path: str, names: str) -> Attention:
    q, k, v, o = (f"{path}.{name}" for name in names.split())
    return Attention(kind, q, k, v, o)


def _t5(stack: str, count: str, *attentions: Attention) -> Stack:
    ff = f"layer.{len(attentions)}.DenseReluDense"
    names = tuple(f"{ff}.{name}" for name in ("wi", "wi_0", "wi_1", "wo"))
    return Stack(stack, f"{stack}.block", attentions, names, count)


def _decoder(
    blocks: str,
    attention: Attention,
    feed_forward: str,
    count: str = "num_hidden_layers",
    *,
    embeddings: tuple[str, ...],
    **more: Any,
) -> Architecture:
    """A causal model: one row of blocks."""
    stack = Stack("decoder", blocks, (attention,), tuple(feed_forward.split()), count)
    return Architecture((stack,), embeddings, **more)


def _fused(path: str, o: str) -> Attention:
    """An attention whose q, k and v lie in the matrix at `path`, until it is split."""
    return Attention("self", f"{path}.q", f"{path}.k", f"{path}.v", o)


_GPT2 = _decoder(
    "transformer.h",
    _fused("attn.c_attn", "attn.c_proj"),
    "mlp.c_fc mlp.c_proj",
    "n_layer",
    embeddings=("transformer.wte", "transformer.wpe"),
    final_norm="transformer.ln_f",
    fused="attn.c_attn",
)
_GPTJ = _decoder(
    "transformer.h",
    _attention("self", "attn", "q_proj k_proj v_proj out_proj"),
    "mlp.fc_in mlp.fc_out",
    "n_layer",
    embeddings=("transformer.wte",),
    final_norm="transformer.ln_f",
    plain=False,
)
_BLOOM = _decoder(
    "transformer.h",
    _fused("self_attention.query_key_value", "self_attention.dense"),
    "mlp.dense_h_to_4h mlp.dense_4h_to_h",
    "n_layer",
    embeddings=("transformer.word_embeddings",),
    final_norm="transformer.ln_f",
    fused="self_attention.query_key_value",
    by_head=True,
    plain=False,
)
_FALCON = replace(
    _BLOOM,
    stacks=(replace(_BLOOM.stacks[0], count="num_hidden_layers"),),
    kv_heads=_falcon_kv_heads,
)
_NEOX = _decoder(
    "gpt_neox.layers",
    _fused("attention.query_key_value", "attention.dense"),
    "mlp.dense_h_to_4h mlp.dense_4h_to_h",
    embeddings=("gpt_neox.embed_in",),
    final_norm="gpt_neox.final_layer_norm",
    fused="attention.query_key_value",
    by_head=True,
)
_LLAMA = _decoder(
    "model.layers",
    _attention("self", "self_attn", "q_proj k_proj v_proj o_proj"),
    "mlp.gate_proj mlp.up_proj mlp.down_proj",
    embeddings=("model.embed_tokens",),
    final_norm="model.norm",
)
_PHI = _decoder(
    "model.layers",
    _attention("self", "self_attn", "q_proj k_proj v_proj dense"),
    "mlp.fc1 mlp.fc2",
    embeddings=("model.embed_tokens",),
    final_norm="model.final_layernorm",
)
_PHI3 = _decoder(
    "model.layers",
    _fused("self_attn.qkv_proj", "self_attn.o_proj"),
    "mlp.gate_up_proj mlp.down_proj",
    embeddings=("model.embed_tokens",),
    final_norm="model.norm",
    fused="self_attn.qkv_proj",
)
_OUT_PROJ = "q_proj k_proj v_proj out_proj"
_OPT = _decoder(
    "model.decoder.layers",
    _attention("self", "self_attn", _OUT_PROJ),
    "fc1 fc2",
    embeddings=("model.decoder.embed_tokens", "model.decoder.embed_positions"),
    final_norm="model.decoder.final_layer_norm",
)
_T5 = Architecture(
    stacks=(
        _t5("encoder", "num_layers", _attention("self", "layer.0.SelfAttention", "q k v o")),
        _t5(
            "decoder",
            "num_decoder_layers",
            _attention("self", "layer.0.SelfAttention", "q k v o"),
            _attention("cross", "layer.1.EncDecAttention", "q k v o"),
        ),
    ),
    embeddings=("shared", "encoder.embed_tokens", "decoder.embed_tokens"),
)
_BART = Architecture(
    stacks=(
        Stack(
            "encoder",
            "model.encoder.layers",
            (_attention("self", "self_attn", _OUT_PROJ),),
            ("fc1", "fc2"),
            "encoder_layers",
        ),
        Stack(
            "decoder",
            "model.decoder.layers",
            (
                _attention("self", "self_attn", _OUT_PROJ),
                _attention("cross", "encoder_attn", _OUT_PROJ),
            ),
            ("fc1", "fc2"),
            "decoder_layers",
        ),
    ),
    embeddings=(
        "model.shared",
        "model.encoder.embed_tokens",
        "model.encoder.embed_positions",
        "model.decoder.embed_tokens",
        "model.decoder.embed_positions",
    ),
)

ARCHITECTURES = {
    "gpt2": _GPT2,
    "gptj": _GPTJ,
    "gpt_neox": _NEOX,
    "bloom": _BLOOM,
    "falcon": _FALCON,
    "opt": _OPT,
    **dict.fromkeys("llama mistral qwen2 qwen3 gemma gemma2 gemma3_text".split(), _LLAMA),
    **dict.fromkeys("olmo2 smollm3".split(), _LLAMA),
    "phi": _PHI,
    "phi3": _PHI3,
    "t5": _T5,
    "mt5": _T5,
    "bart": _BART,
    "mbart": _BART,
}
"""By `model.config.model_type`."""
