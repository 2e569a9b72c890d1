"""Where Houlsby's figure has it, the base at first, and the same again from disk.

pytest tests/methods/test_bottleneck.py
"""

import copy
import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from ftlab.base.errors import InputError
from ftlab.methods import Bottleneck, LoRA, load_bottleneck, merge, save_adapter
from ftlab.methods.adapter import Adapter
from ftlab.models.layers import layer_map

IDS = torch.arange(24).reshape(2, 12)
PARTS = {  # of a block: attention, feed-forward, and the norm between them
    "tiny_gpt2": ("attn", "mlp", "ln_2"),
    "tiny_llama": ("self_attn", "mlp", "post_attention_layernorm"),
}


def logits(model: Any, **more: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, **more).logits


def shaken(model: Any) -> Any:
    """The model with adapters that do something."""
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.normal_(std=0.2)
    return model


def test_the_twelve_lines_are_the_formula():
    adapter = shaken(Adapter(6, 2))
    s = torch.randn(3, 5, 6)
    down, up = adapter.down, adapter.up
    by_hand = s + F.gelu(s @ down.weight.T + down.bias) @ up.weight.T + up.bias
    torch.testing.assert_close(adapter(s), by_hand)
    adapter.on = False
    assert adapter(s) is s


@pytest.mark.parametrize("fixture", PARTS)
def test_it_stands_where_houlsbys_figure_has_it(fixture, request):
    """Behind each sub-layer, before the residual is added; the next norm reads the sum."""
    model = request.getfixturevalue(fixture)
    attention, feed_forward, norm = PARTS[fixture]
    block = layer_map(model).blocks()[0]
    raw: dict[str, torch.Tensor] = {}
    handle = block.get_submodule(attention).register_forward_hook(
        lambda m, given, out: raw.update(attention=out[0])
    )
    logits(model)
    handle.remove()
    shaken(Bottleneck(4)(model).model)
    seen: dict[str, Any] = {}

    def see(name: str) -> Any:
        return lambda m, given, out: seen.update(
            {name: (given[0], out[0] if isinstance(out, tuple) else out)}
        )

    for path in (f"{attention}.adapter", f"{feed_forward}.adapter", norm):
        block.get_submodule(path).register_forward_hook(see(path))
    block.register_forward_hook(see("block"))
    logits(model)
    x, out = seen["block"]
    read, first = seen[f"{attention}.adapter"]
    _, second = seen[f"{feed_forward}.adapter"]
    assert torch.equal(read, raw["attention"]) and not torch.equal(first, read)
    torch.testing.assert_close(seen[norm][0], x + first)
    torch.testing.assert_close(out, x + first + second)


def test_dropout_comes_before_it_as_in_the_papers_code(tiny_gpt2):
    model = Bottleneck(4)(tiny_gpt2).model
    read: list[torch.Tensor] = []
    model.transformer.h[0].attn.adapter.register_forward_hook(lambda m, g, out: read.append(g[0]))
    model.train()
    model.transformer.h[0].attn.resid_dropout.p = 0.5
    model(IDS)
    assert 0.4 < (read[0] == 0).float().mean() < 0.6


@given(st.integers(1, 16), st.integers(1, 4))
def test_only_the_adapters_are_trained_and_counted(size, depth):
    model = GPT2LMHeadModel(GPT2Config(n_layer=depth, n_embd=16, n_head=2, vocab_size=32)).eval()
    before = logits(model)
    moving = Bottleneck(size)(model)
    assert torch.equal(logits(model), before)
    assert moving.trainable == depth * 2 * (2 * 16 * size + 16 + size)
    rows = [(row.what, row.r, row.trainable) for row in moving.table() if row.trainable]
    half = moving.trainable // 2
    assert rows == [("behind attention", size, half), ("behind feed-forward", size, half)]


def test_encoder_and_cross_attention_have_theirs(tiny_t5):
    before = logits(tiny_t5, decoder_input_ids=IDS)
    moving = Bottleneck(4)(tiny_t5)
    assert torch.equal(logits(tiny_t5, decoder_input_ids=IDS), before)
    table = {(row.part, row.what) for row in moving.table() if row.r}
    assert table == {
        ("blocks 1-3", "behind attention"),
        ("blocks 1-3", "behind cross attention"),
        ("blocks 1-3", "behind feed-forward"),
        ("encoder blocks 1-3", "behind attention"),
        ("encoder blocks 1-3", "behind feed-forward"),
    }


def test_a_copy_has_adapters_of_its_own(tiny_llama):
    model = shaken(Bottleneck()(tiny_llama).model)
    other, before = copy.deepcopy(model), logits(model)
    assert torch.equal(logits(other), before)
    shaken(other.model.layers[0].mlp.adapter.up)
    assert not torch.equal(logits(other), before) and torch.equal(logits(model), before)


@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_from_disk_it_says_the_same(fixture, request, tmp_path):
    stock = request.getfixturevalue(fixture)
    more = {"decoder_input_ids": IDS} if fixture == "tiny_t5" else {}
    model = shaken(Bottleneck(5)(copy.deepcopy(stock)).model)
    save_adapter(model, tmp_path)
    again = load_bottleneck(stock, tmp_path)
    assert torch.equal(logits(again.model, **more), logits(model, **more))
    assert again.method == "bottleneck" and again.trainable == sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )


def test_a_folder_that_does_not_fit_changes_nothing(tiny_gpt2, tiny_llama, tmp_path):
    save_adapter(Bottleneck(5)(tiny_gpt2).model, tmp_path)
    before = logits(tiny_llama)
    with pytest.raises(InputError, match="made for another model"):
        load_bottleneck(tiny_llama, tmp_path)
    for text in ("no json", "[]", json.dumps({"size": "8"}), json.dumps({})):
        (tmp_path / "adapter_config.json").write_text(text)
        with pytest.raises(InputError):
            load_bottleneck(tiny_llama, tmp_path)
    with pytest.raises(InputError, match="holds no bottleneck"):
        load_bottleneck(tiny_llama, tmp_path / "nowhere")
    assert torch.equal(logits(tiny_llama), before)
    assert all(p.requires_grad for p in tiny_llama.parameters())


@pytest.mark.parametrize("size", [0, -4, 2.5, "8", True, None])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(InputError, match=r"size=.* give a whole number from 1 up"):
        Bottleneck(size)


def test_what_it_cannot_do_is_said(tiny_gpt2, tiny_bart):
    with pytest.raises(InputError, match="65 is wider than the 64 of this model"):
        Bottleneck(65)(tiny_gpt2)
    with pytest.raises(InputError, match="no module of its own"):
        Bottleneck()(tiny_bart)
    model = Bottleneck(64)(tiny_gpt2).model
    with pytest.raises(InputError, match="cannot be merged"):
        merge(model)
    with pytest.raises(InputError, match="carries adapters already"):
        Bottleneck()(model)


def test_beside_another_adapter_it_is_refused(tiny_gpt2):
    with pytest.raises(InputError, match="carries adapters already"):
        Bottleneck()(LoRA()(tiny_gpt2).model)


def test_a_base_in_half_precision_has_adapters_in_float32(tiny_llama):
    model = tiny_llama.to(torch.bfloat16)
    before = logits(model)
    made = Bottleneck()(model).model
    assert torch.equal(logits(made), before) and before.dtype == torch.bfloat16
    assert {p.dtype for p in made.parameters() if p.requires_grad} == {torch.float32}
