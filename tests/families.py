"""A tiny random model of every family in `ftlab.models.architectures` but those of conftest.py."""

from typing import Any

import torch
import transformers

COMMON = {"vocab_size": 320, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
DECODER = COMMON | {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "max_position_embeddings": 128, "attention_dropout": 0.0,
}  # fmt: skip
GROUPED = DECODER | {"num_key_value_heads": 2, "head_dim": 8}
SMALL = {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 128, **COMMON}
NO_DROPS = {"embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
BART = COMMON | {
    "d_model": 32, "encoder_layers": 3, "decoder_layers": 3, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
    "max_position_embeddings": 128, "decoder_start_token_id": 0, "forced_eos_token_id": 0,
}  # fmt: skip
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 3, "num_heads": 4, "vocab_size": 320}
FALCON = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, **COMMON}
OPT = DECODER | {"ffn_dim": 64, "word_embed_proj_dim": 32, "dropout": 0.0}

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3": ("Qwen3", GROUPED),
    "gemma": ("Gemma", GROUPED),
    "gemma2": ("Gemma2", GROUPED),
    "gemma3_text": ("Gemma3", GROUPED),
    "olmo2": ("Olmo2", DECODER | {"num_key_value_heads": 2}),
    "smollm3": ("SmolLM3", DECODER | {"num_key_value_heads": 2}),
    "phi": ("Phi", DECODER | {"resid_pdrop": 0.0}),
    "phi3": ("Phi3", DECODER | {"num_key_value_heads": 2}),
    "opt": ("OPT", OPT),
    "gpt_neox": ("GPTNeoX", DECODER),
    "gptj": ("GPTJ", SMALL | NO_DROPS | {"rotary_dim": 8}),
    "bloom": ("Bloom", COMMON | {"hidden_size": 32, "n_layer": 4, "n_head": 4}),
    "falcon": ("Falcon", FALCON),
    "falcon new": ("Falcon", FALCON | {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon old": ("Falcon", FALCON | {"multi_query": False, "bias": True}),
    "mt5": ("MT5", T5 | {"decoder_start_token_id": 0}),
    "mbart": ("MBart", BART),
    # without an entry: read off their modules
    "gpt_neo": ("GPTNeo", {
        "hidden_size": 32, "num_layers": 4, "num_heads": 4, "max_position_embeddings": 128,
        "attention_types": [[["global", "local"], 2]], **COMMON,
    }),
    "mixtral": ("Mixtral", DECODER | {
        "num_key_value_heads": 2, "num_local_experts": 2, "num_experts_per_tok": 1,
    }),
    "mamba": ("Mamba", COMMON | {"hidden_size": 32, "num_hidden_layers": 4}),
    "pegasus": ("Pegasus", BART),
}  # fmt: skip
"""By `model_type`, and of Falcon all three kinds."""


def tiny(name: str) -> Any:
    """A random model of the family, the same in every test, in eval mode."""
    torch.manual_seed(0)
    stem, settings = FAMILIES[name]
    seq2seq = name in ("mt5", "mbart", "pegasus")
    config = getattr(transformers, f"{stem}{'Text' if stem == 'Gemma3' else ''}Config")
    kind = "ForConditionalGeneration" if seq2seq else "ForCausalLM"
    return getattr(transformers, stem + kind)(config(**settings)).eval()
