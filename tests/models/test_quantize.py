"""A base in four bits: what is rounded, what stays, what comes back, what is refused.

pytest tests/models/test_quantize.py
"""

import copy
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from ftlab.base.errors import InputError
from ftlab.base.libraries import bitsandbytes
from ftlab.methods import nf4
from ftlab.methods.freeze import Freeze
from ftlab.methods.full_tuning import full
from ftlab.methods.prepared import size_of
from ftlab.models.bases import Quantize
from ftlab.models.loading import load
from ftlab.models.quantizing import dequantize, is_quantized, quantize, stored_bytes, weight_of
from ftlab.models.split import fuse_qkv

bnb = bitsandbytes()
IDS = torch.randint(0, 60, (2, 9), generator=torch.Generator().manual_seed(0))


def gpt2(width: int = 64) -> Any:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=64, n_positions=32, n_embd=width, n_layer=2, n_head=2)
    return GPT2LMHeadModel(config).eval()


def llama() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    return LlamaForCausalLM(config).eval()


def t5() -> Any:
    return load("nano-t5").model


def logits(model: Any) -> torch.Tensor:
    more = {"decoder_input_ids": IDS} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        return model(input_ids=IDS, **more).logits


@pytest.mark.parametrize("make", [gpt2, llama, t5])
@pytest.mark.parametrize("how", [Quantize(), Quantize(double=False), Quantize("fp4")], ids=str)
def test_back_to_the_weights_that_the_codes_stand_for(make: Any, how: Quantize) -> None:
    base = make()
    model = quantize(copy.deepcopy(base), how)
    four = logits(model)
    assert is_quantized(model) and not any(p.requires_grad for p in model.parameters())
    assert sum(map(size_of, model.parameters())) == sum(p.numel() for p in base.parameters())
    assert not torch.allclose(four, logits(base), atol=1e-3)
    plain = fuse_qkv(dequantize(model))
    assert not is_quantized(plain)
    assert {n: p.shape for n, p in plain.named_parameters()} == {
        n: p.shape for n, p in base.named_parameters()
    }
    assert torch.allclose(logits(plain), four, atol=1e-5)


def test_only_the_layers_of_the_blocks_are_rounded() -> None:
    base = gpt2()
    plain = fuse_qkv(dequantize(quantize(copy.deepcopy(base))))
    for (name, before), after in zip(base.named_parameters(), plain.parameters(), strict=True):
        rounded = name.endswith("weight") and before.ndim == 2 and ".h." in name
        assert torch.equal(before, after) != rounded, name


def test_t5_does_not_quantize_what_it_would_cast_to_bytes() -> None:
    model = quantize(t5())
    plain = {n.rpartition(".")[2] for n, m in model.named_modules() if type(m) is torch.nn.Linear}
    assert plain == {"wo", "lm_head"}


def test_splitting_a_fused_attention_changes_no_code() -> None:
    base = gpt2(128)
    model = quantize(copy.deepcopy(base), Quantize(double=False))
    for before, after in zip(base.transformer.h, model.transformer.h, strict=True):
        fused = bnb.nn.Params4bit(
            before.attn.c_attn.weight.detach().T.contiguous(),
            requires_grad=False,
            quant_type="nf4",
            compress_statistics=False,
        ).to("cpu")
        split = after.attn.c_attn
        parts = torch.cat([getattr(split, part).weight.data.flatten() for part in "qkv"])
        assert torch.equal(parts, fused.data.flatten())


def test_the_layers_hold_what_was_made_by_hand() -> None:
    base = gpt2(128)
    layer = quantize(copy.deepcopy(base), Quantize(double=False)).transformer.h[1].mlp.c_fc
    by_hand = nf4.dequantize(nf4.quantize(base.transformer.h[1].mlp.c_fc.weight.T))
    assert torch.allclose(weight_of(layer), by_hand, atol=1e-7)


@pytest.mark.parametrize(("how", "bits"), [(Quantize(double=False), 4.5), (Quantize(), 4.127)])
def test_bytes_are_those_of_the_paper(how: Quantize, bits: float) -> None:
    """0.5 bit a weight for the constants, 0.127 with double quantization; the tables besides."""
    layer = torch.nn.Module()
    layer.w = bnb.nn.Params4bit(
        torch.randn(1024, 1024), requires_grad=False, compress_statistics=how.double
    ).to("cpu")
    found = stored_bytes(layer)
    tables = 16 * 4 + (256 * 4 if how.double else 0)
    assert 8 * (found["codes"] + found["constants"] - tables) / 2**20 == pytest.approx(
        bits, abs=1e-3
    )


def test_gradients_flow_after_the_model_was_asked_in_eval_mode() -> None:
    """On CPUs with bfloat16 instructions bitsandbytes alone would have repacked its codes."""
    model = quantize(llama())
    before = logits(model)
    states = model.model.embed_tokens(IDS).detach().requires_grad_()
    model.train()
    model(inputs_embeds=states).logits.sum().backward()
    assert states.grad is not None and states.grad.abs().sum() > 0
    model.eval()
    assert torch.equal(logits(model), before)


@pytest.mark.skipif(
    not getattr(bnb.nn.Linear4bit(64, 64), "support_avx512bf16_for_cpu", False),
    reason="a CPU without bfloat16 instructions",
)
@pytest.mark.xfail(
    strict=True,
    raises=RuntimeError,
    reason="bitsandbytes 0.50.2: asked once in eval mode, a layer has no gradient afterwards",
)
def test_bitsandbytes_alone_trains_after_it_was_asked() -> None:
    layer = bnb.nn.Linear4bit(64, 64, quant_type="nf4").to("cpu").eval()
    with torch.no_grad():
        layer(torch.randn(2, 64))
    x = torch.randn(2, 64, requires_grad=True)
    layer.train()(x).sum().backward()
    assert x.grad is not None


def test_a_copy_is_a_copy() -> None:
    model = quantize(gpt2())
    other = copy.deepcopy(model)
    assert torch.equal(logits(other), logits(model))
    dequantize(other)
    assert is_quantized(model) and not is_quantized(other)


def test_loading_in_four_bits_is_loading_and_quantizing() -> None:
    bundle = load("nano-gpt2", base=Quantize())
    assert bundle.base == Quantize() and bundle.checksum == load("nano-gpt2").checksum
    assert torch.equal(logits(bundle.model), logits(quantize(load("nano-gpt2").model)))


def test_a_width_that_is_no_multiple_of_the_block_is_refused_whole() -> None:
    model = gpt2(96)
    with pytest.raises(InputError, match=r"has 96 inputs, which is no multiple of .* 64"):
        quantize(model)
    assert not is_quantized(model)


def test_twice_and_too_late_are_refused() -> None:
    from ftlab.methods.lora import LoRA

    model = quantize(gpt2())
    with pytest.raises(InputError, match="quantized already"):
        quantize(model)
    with pytest.raises(InputError, match="wrapped by peft"):
        quantize(LoRA({"1-12": 2})(gpt2()).model)


@pytest.mark.parametrize("method", [full, Freeze()])
def test_codes_cannot_be_trained(method: Any) -> None:
    with pytest.raises(InputError, match=r"codes\s+cannot be trained.*LoRA"):
        method(quantize(gpt2()))


def test_what_is_no_quantization_is_refused() -> None:
    with pytest.raises(InputError, match="kind='nf5' is not possible; give one of nf4, fp4"):
        Quantize("nf5")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="A block of 48 weights is not possible; give 64, 128"):
        Quantize(block=48)


def test_without_the_library_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(InputError, match="pip install bitsandbytes"):
        quantize(gpt2())
