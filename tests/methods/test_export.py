"""What leaves the lab loads in stock libraries and says the same.

Run the tests: pytest tests/methods/test_export.py
"""

import copy

import pytest
import torch
from peft import PeftModel
from transformers import GPT2LMHeadModel

from ftlab.base.errors import InputError
from ftlab.methods.export import merge, save_adapter, save_model
from ftlab.methods.freeze import Freeze
from ftlab.methods.lora import LoRA, wrap
from ftlab.methods.prepared import count
from ftlab.models.layers import layer_map
from ftlab.models.split import split_qkv

IDS = torch.arange(24).reshape(2, 12)


def unequal(model):
    """Queries at alpha / r = 2, values at 4: in one fused adapter both need one scale."""
    linears = layer_map(split_qkv(model)).linears(("q", "v"), stack="decoder")
    sizes = {x: (2, 4.0) if x.target == "q" else (4, 16.0) for x in linears}
    return count(wrap(model, sizes), "unequal")


PLANS = {
    "unequal scales": unequal,
    "q and v": LoRA(),
    "the article's": LoRA(
        {"7-9": 4, "10-12": 8}, alphas={"7-9": 16, "10-12": 8}, targets=("q", "v"), head=True
    ),
    "all linear": LoRA({"1-6": 2, "7-12": 3}, targets=("q", "k", "v", "o", "ff")),
    "keys alone": LoRA({"4": 2}, targets=("k",)),
    "feed-forward": LoRA({"1-12": 2}, targets=("ff",)),
}


@pytest.fixture(params=PLANS)
def adapted(request, tiny_gpt2):
    """A base, and a model adapted by one of the plans, its B and head away from zero."""
    base = copy.deepcopy(tiny_gpt2)
    model = PLANS[request.param](tiny_gpt2).model.eval()
    torch.manual_seed(2)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.05 * torch.randn_like(p))
    return base, model


def test_merged_it_says_the_same_and_is_a_stock_gpt2(adapted, tmp_path):
    _, model = adapted
    logits = model(IDS).logits
    torch.testing.assert_close(merge(model)(IDS).logits, logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model(IDS).logits, logits)  # merging works on a copy
    stock = GPT2LMHeadModel.from_pretrained(save_model(model, tmp_path)).eval()
    torch.testing.assert_close(stock(IDS).logits, logits, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to")
@pytest.mark.filterwarnings("ignore:.*tie_word_embeddings.*")
@pytest.mark.filterwarnings("ignore:.*tied modules.*")
def test_the_adapter_alone_fits_a_stock_gpt2(adapted, tmp_path):
    base, model = adapted
    logits, untouched = model(IDS).logits, base(IDS).logits
    save_adapter(model, tmp_path)
    again = PeftModel.from_pretrained(base, tmp_path).eval()
    torch.testing.assert_close(again(IDS).logits, logits, atol=1e-5, rtol=1e-5)
    with again.disable_adapter():
        torch.testing.assert_close(again(IDS).logits, untouched)


def test_saving_asks_the_hub_nothing(adapted, tmp_path, monkeypatch):
    from peft.utils import save_and_load

    asked = "check_file_exists_on_hf_hub"
    monkeypatch.setattr(save_and_load, asked, lambda *a, **k: pytest.fail("asked"))
    _, model = adapted
    model.get_base_model().__dict__["name_or_path"] = "gpt2"
    model.active_peft_config.base_model_name_or_path = "gpt2"
    save_adapter(model, tmp_path)
    assert (tmp_path / "adapter_model.safetensors").exists()


def test_the_keys_rows_are_zero(tiny_gpt2, tmp_path):
    from safetensors.torch import load_file

    model = LoRA({"1-12": 4})(tiny_gpt2).model
    for name, p in model.named_parameters():
        if "lora_B" in name:
            p.data.normal_()
    save_adapter(model, tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    b = [value for name, value in saved.items() if "lora_B" in name]
    assert len(b) == 12 and all(value.shape == (192, 8) for value in b)
    assert all(value[64:128].abs().max() == 0 and value[:64].abs().max() > 0 for value in b)


def test_a_frozen_model_is_saved_whole(tiny_gpt2, tmp_path):
    Freeze(head=1.0, untied=True)(tiny_gpt2)
    with torch.no_grad():
        tiny_gpt2.lm_head.weight.mul_(1.5)
    again = GPT2LMHeadModel.from_pretrained(save_model(tiny_gpt2, tmp_path))
    torch.testing.assert_close(again(IDS).logits, tiny_gpt2(IDS).logits)
    assert not layer_map(again).tied


def test_what_has_no_adapter_is_refused(tiny_gpt2, tmp_path):
    with pytest.raises(InputError, match="carries no adapter"):
        save_adapter(tiny_gpt2, tmp_path / "x")
    assert not (tmp_path / "x").exists()
