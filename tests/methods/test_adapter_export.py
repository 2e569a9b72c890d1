"""What is saved of each adapter, stock peft loads onto the stock model, and it says the same.

pytest tests/methods/test_adapter_export.py
"""

import copy
from typing import Any

import peft
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from ftlab.base.errors import InputError
from ftlab.methods import IA3, OFT, OSF, Prefix, Prompt, merge, save_adapter, save_model
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS
from ftlab.models.loading import load
from ftlab.models.quantizing import quantize
from ftlab.models.split import linear_layers

METHODS = {
    "prefix": Prefix(),
    "prompt": Prompt(),
    "ia3": IA3(),
    "oft": OFT(16, targets=TARGETS),
    "osf": OSF(),
}
MODELS = ["tiny_gpt2", "tiny_llama", "tiny_t5"]
IDS = torch.arange(24).reshape(2, 12)

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to")


def logits(model: Any) -> torch.Tensor:
    more = {"decoder_input_ids": IDS} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        return model(input_ids=IDS, **more).logits


def shaken(model: Any) -> Any:
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.2 * torch.randn_like(p))
    return model.eval()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("fixture", MODELS)
def test_stock_peft_loads_it_onto_the_stock_model(fixture, name, request, tmp_path):
    stock = request.getfixturevalue(fixture)
    moving = METHODS[name](copy.deepcopy(stock))
    model = shaken(moving.model)
    before = logits(model)
    save_adapter(model, tmp_path)
    if fixture == "tiny_gpt2" and name in ("oft", "osf"):
        linear_layers(stock)
    again = PeftModel.from_pretrained(stock, tmp_path).eval()
    torch.testing.assert_close(logits(again), before, atol=1e-5, rtol=1e-5)
    assert torch.equal(logits(model), before)  # saving changes nothing
    stored = load_file(tmp_path / "adapter_model.safetensors")
    trained = sum(tensor.numel() for tensor in stored.values())
    ones = 64 * 12 if (fixture, name) == ("tiny_gpt2", "ia3") else 0  # in the place of q
    assert trained == moving.trainable + ones


def test_the_queries_factors_are_ones(tiny_gpt2, tmp_path):
    save_adapter(shaken(IA3()(tiny_gpt2).model), tmp_path)
    stored = load_file(tmp_path / "adapter_model.safetensors")
    fused = [tensor for name, tensor in stored.items() if "c_attn" in name]
    assert len(fused) == 12 and all(t.shape == (192, 1) for t in fused)
    assert all((t[:64] == 1).all() and (t[64:] != 1).all() for t in fused)


@pytest.mark.parametrize("name", ["ia3", "oft", "osf"])
@pytest.mark.parametrize("fixture", MODELS)
def test_merged_it_is_a_stock_model(fixture, name, request, tiny_tokenizer, tmp_path):
    model = request.getfixturevalue(fixture)
    names = [parameter for parameter, _ in model.named_parameters()]
    model = shaken(METHODS[name](model).model)
    merged = merge(model)
    torch.testing.assert_close(logits(merged), logits(model), atol=1e-4, rtol=1e-4)
    assert [parameter for parameter, _ in merged.named_parameters()] == names
    save_model(model, tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    torch.testing.assert_close(logits(load(tmp_path).model), logits(merged))


@pytest.mark.skipif(peft.__version__ < "0.21", reason="peft 0.20 has no OFT on codes")
@pytest.mark.parametrize("name", ["ia3", "oft"])
def test_over_four_bits_it_merges_into_what_it_was_trained_beside(name, tiny_gpt2):
    model = shaken(METHODS[name](quantize(tiny_gpt2, Quantize())).model)
    torch.testing.assert_close(logits(merge(model)), logits(model), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_tokens_are_not_merged(name, tiny_llama):
    with pytest.raises(InputError, match="adds tokens, not weights"):
        merge(METHODS[name](tiny_llama).model)
