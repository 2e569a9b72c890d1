"""KL and update norms: nothing at the start, something after a change, and how much by hand.

Run: pytest tests/evaluate/test_drift.py
"""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from probes_at_hand import moved

from ftlab.base.errors import InputError
from ftlab.evaluate.drift import kl_to_base, layer_of, update_norms
from ftlab.text.requests import document_segments, item_segments

# peft 0.21 asks transformers 5.23 for `is_gradient_checkpointing`, which warns that it goes in v6.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
TEXTS = ("The capital of France is Paris.", "Nine.", "Ben has the kite. Ann has the ball.")
PAIRS = [("Note: chest pain.", " high, cardiology"), ("Note: keys.", " none")]


def snapshot(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def plain_kl(base, tuned, segments):
    total = tokens = 0
    for segment in segments:
        ids, n = torch.tensor([segment.inputs]), len(segment.continuation)
        p = base(ids).logits[0, -n:].double().softmax(-1)
        q = tuned(ids).logits[0, -n:].double().softmax(-1)
        total += (p * (p / q).log()).sum().item()
        tokens += n
    return total / tokens


@pytest.mark.parametrize("texts", [TEXTS, PAIRS, (*TEXTS, *PAIRS)])
def test_kl_by_hand(tiny_gpt2, tiny_tokenizer, texts):
    tuned = moved(tiny_gpt2)
    segments = [
        p
        for t in texts
        if isinstance(t, str)
        for p in document_segments(tiny_tokenizer, [t], 128)[0]
    ]
    segments += item_segments(
        tiny_tokenizer, [{"prompt": t[0], "answer": t[1]} for t in texts if not isinstance(t, str)]
    )
    kl = kl_to_base(tiny_gpt2, tuned, tiny_tokenizer, texts)
    assert kl == pytest.approx(plain_kl(tiny_gpt2, tuned, segments), rel=1e-4)
    assert kl > 0.01


def test_kl_has_a_direction(tiny_gpt2, tiny_tokenizer):
    tuned = moved(tiny_gpt2, 0.3)
    there = kl_to_base(tiny_gpt2, tuned, tiny_tokenizer, TEXTS)
    back = kl_to_base(tuned, tiny_gpt2, tiny_tokenizer, TEXTS)
    assert there != pytest.approx(back, rel=0.01)


def test_kl_of_the_base_and_itself_is_nothing(tiny_gpt2, tiny_tokenizer):
    assert kl_to_base(tiny_gpt2, tiny_gpt2, tiny_tokenizer, TEXTS) == 0
    config = LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True)
    fresh = get_peft_model(copy.deepcopy(tiny_gpt2), config)
    assert kl_to_base(tiny_gpt2, fresh, tiny_tokenizer, PAIRS) == 0


def test_kl_without_a_text(tiny_gpt2, tiny_tokenizer):
    with pytest.raises(InputError, match="no text"):
        kl_to_base(tiny_gpt2, tiny_gpt2, tiny_tokenizer, [])


def test_norms_name_every_layer_once(tiny_gpt2):
    norms = update_norms(snapshot(tiny_gpt2), tiny_gpt2)
    blocks = [f"block {i}" for i in range(1, 13)]
    assert list(norms) == ["embeddings", *blocks, "final norm"]
    assert all(norm == {"update": 0, "relative": 0} for norm in norms.values())


def test_norms_of_a_known_change(tiny_gpt2):
    before = snapshot(tiny_gpt2)
    weight = tiny_gpt2.transformer.h[2].mlp.c_fc.weight
    with torch.no_grad():
        weight[0, 0] += 3
        weight[1, 1] += 4
        tiny_gpt2.lm_head.weight[0, 0] += 2  # tied: this IS the embedding, and counts once
    norms = update_norms(before, tiny_gpt2)
    size = sum(p.detach().double().square().sum() for n, p in before.items() if ".h.2." in n) ** 0.5
    assert norms["block 3"]["update"] == pytest.approx(5, rel=1e-5)
    assert norms["block 3"]["relative"] == pytest.approx(5 / float(size), rel=1e-5)
    assert norms["embeddings"]["update"] == pytest.approx(2, rel=1e-5)
    assert {layer for layer, n in norms.items() if n["update"]} == {"block 3", "embeddings"}


def test_a_snapshot_does_not_move_with_the_model(tiny_gpt2):
    before = snapshot(tiny_gpt2)
    with torch.no_grad():
        tiny_gpt2.transformer.ln_f.weight.zero_()
    assert update_norms(before, tiny_gpt2)["final norm"] == {"update": 8, "relative": 1}


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("model.embed_tokens.weight", "embeddings"),
        ("model.layers.0.self_attn.q_proj.weight", "block 1"),
        ("model.layers.11.input_layernorm.weight", "block 12"),
        ("model.norm.weight", "final norm"),
        ("lm_head.weight", "head"),
        ("h.3.ln_1.bias", "block 4"),
        ("something.weight", "other"),
    ],
)
def test_layers_by_name(name, layer):
    assert layer_of(name) == layer


def test_an_adapter_must_be_merged_first(tiny_gpt2):
    before = snapshot(tiny_gpt2)
    config = LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True)
    with pytest.raises(InputError, match="merge the adapter"):
        update_norms(before, get_peft_model(tiny_gpt2, config))
