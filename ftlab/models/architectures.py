"""What the parts of each architecture are called: one entry for each, read by the layer map.

Another architecture is another entry here and a line in `tests/models/test_layer_map.py`. A name
that a
member of the family lacks (the gated feed-forward of some T5s) may stand in its entry: the layer
map leaves out what the live model does not have.
"""

from dataclasses import dataclass


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


def _attention(kind: str, path: str, names: str) -> Attention:
    q, k, v, o = (f"{path}.{name}" for name in names.split())
    return Attention(kind, q, k, v, o)


def _t5(stack: str, count: str, *attentions: Attention) -> Stack:
    ff = f"layer.{len(attentions)}.DenseReluDense"
    names = tuple(f"{ff}.{name}" for name in ("wi", "wi_0", "wi_1", "wo"))
    return Stack(stack, f"{stack}.block", attentions, names, count)


_GPT2 = Architecture(
    stacks=(
        Stack(
            "decoder",
            "transformer.h",
            (Attention("self", "attn.c_attn.q", "attn.c_attn.k", "attn.c_attn.v", "attn.c_proj"),),
            ("mlp.c_fc", "mlp.c_proj"),
            "n_layer",
        ),
    ),
    embeddings=("transformer.wte", "transformer.wpe"),
    final_norm="transformer.ln_f",
    fused="attn.c_attn",
)
_PROJ = "q_proj k_proj v_proj o_proj"
_LLAMA = Architecture(
    stacks=(
        Stack(
            "decoder",
            "model.layers",
            (_attention("self", "self_attn", _PROJ),),
            ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
            "num_hidden_layers",
        ),
    ),
    embeddings=("model.embed_tokens",),
    final_norm="model.norm",
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
_BART_PROJ = "q_proj k_proj v_proj out_proj"
_BART = Architecture(
    stacks=(
        Stack(
            "encoder",
            "model.encoder.layers",
            (_attention("self", "self_attn", _BART_PROJ),),
            ("fc1", "fc2"),
            "encoder_layers",
        ),
        Stack(
            "decoder",
            "model.decoder.layers",
            (
                _attention("self", "self_attn", _BART_PROJ),
                _attention("cross", "encoder_attn", _BART_PROJ),
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
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "t5": _T5,
    "bart": _BART,
}
"""By `model.config.model_type`."""
