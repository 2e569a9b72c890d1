"""What holds for GPT-2 and Llama holds for every family.

pytest tests/models/test_families.py
"""

import copy
from typing import Any

import pytest
import torch
from families import FAMILIES, tiny
from peft import PeftModel

from ftlab.base.errors import InputError
from ftlab.memory.arithmetic import estimate
from ftlab.memory.plan import MemoryPlan
from ftlab.methods import prune
from ftlab.methods.bottleneck import Bottleneck
from ftlab.methods.export import merge, save_adapter
from ftlab.methods.freeze import Freeze
from ftlab.methods.lora import LoRA
from ftlab.methods.off import adapter_off
from ftlab.models.fused_forward import fused
from ftlab.models.layers import TARGETS, layer_map
from ftlab.models.prefix_cache import cached_below, why_not
from ftlab.models.split import fuse_qkv, split_qkv
from ftlab.text.train_batches import collate, encode
from ftlab.train.loop import Plan, train

IDS = torch.arange(24).reshape(2, 12)  # (B, T)
FUSED = ["phi3", "gpt_neox", "bloom", "falcon", "falcon new", "falcon old"]
ITEMS = [{"prompt": f"Note {n}: {'pain ' * (n % 3)}", "answer": f" Code {n}."} for n in range(9)]


def shaken(model: Any, by: float = 0.05) -> Any:
    """Away from zero, biases and adapters too."""
    torch.manual_seed(2)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(by * torch.randn_like(p))
    return model


def said(model: Any) -> torch.Tensor:
    more = {"labels": IDS} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        return model(input_ids=IDS, attention_mask=torch.ones_like(IDS), **more).logits


@pytest.mark.parametrize("name", FUSED)
def test_split_changes_no_logit_and_fuse_undoes_it(name: str) -> None:
    model = shaken(tiny(name))
    before, logits = copy.deepcopy(model.state_dict()), said(model)
    split_qkv(model)
    assert not layer_map(model).fused
    torch.testing.assert_close(said(model), logits, atol=1e-5, rtol=1e-5)
    fuse_qkv(model)
    after = model.state_dict()
    assert before.keys() == after.keys() and layer_map(model).fused
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(said(model), logits)


@pytest.mark.parametrize("name", FUSED)
def test_what_is_called_k_is_the_keys(name: str) -> None:
    """With queries at 0 every place counts alike, whatever the keys are; not so the values."""
    model = split_qkv(shaken(tiny(name)))
    found = layer_map(model)

    def zero(target: str) -> None:
        with torch.no_grad():
            for linear in found.linears({target}):
                for p in model.get_submodule(linear.name).parameters():
                    p.zero_()

    zero("q")
    logits = said(model)
    zero("k")
    torch.testing.assert_close(said(model), logits, atol=1e-5, rtol=1e-5)
    zero("v")
    assert (said(model) - logits).abs().max() > 1e-3


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "mamba"])
@pytest.mark.parametrize("targets", [("q", "v"), TARGETS])
def test_lora_goes_where_it_is_told_and_comes_out_whole(name, targets, tmp_path) -> None:
    base = shaken(tiny(name))
    made = LoRA({"1-12": 2}, targets=targets)(copy.deepcopy(base))
    model = made.model.eval()
    adapted = [
        n for n, module in layer_map(model).model.named_modules() if hasattr(module, "lora_A")
    ]
    stacks = [stack.name for stack in layer_map(model).entry.stacks]
    assert len(adapted) == sum(len(layer_map(model).linears(targets, stack=s)) for s in stacks)
    assert made.table()
    with torch.no_grad():
        for n, p in model.named_parameters():
            if "lora_" in n:
                p.add_(0.05 * torch.randn_like(p))
    logits = said(model)
    assert (logits - said(base)).abs().max() > 1e-3
    torch.testing.assert_close(said(merge(model)), logits, atol=1e-4, rtol=1e-4)
    with adapter_off(model) as off:
        torch.testing.assert_close(said(off), said(base), atol=1e-5, rtol=1e-5)
    with fused(model):
        torch.testing.assert_close(said(model), logits, atol=1e-4, rtol=1e-4)
    save_adapter(model, tmp_path / "adapter")
    stock = PeftModel.from_pretrained(copy.deepcopy(base), tmp_path / "adapter").eval()
    torch.testing.assert_close(said(stock), logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_upper_half_is_trained_and_the_lower_is_cached(name, tiny_tokenizer) -> None:
    model = Freeze({"1-6": 0.0, "7-12": 1.0})(tiny(name)).model
    still = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    steps = list(train(model, tiny_tokenizer, ITEMS, Plan(steps=6, batch_size=4, lr=1e-2)))
    assert (steps[-1].loss or 9) < (steps[1].loss or 0) and still
    assert all(torch.equal(p, still[n]) for n, p in model.named_parameters() if n in still)
    if model.config.is_encoder_decoder:
        return
    texts = collate(encode(ITEMS, tiny_tokenizer, loss_on="answer", limit=64))
    given = {"input_ids": texts.ids, "attention_mask": texts.mask, "use_cache": False}
    with torch.no_grad():
        logits, cache = model(**given).logits, {}
        with cached_below(model, cache) as count:
            for _ in range(2):
                kept = torch.where(texts.mask[..., None] == 1, model(**given).logits - logits, 0)
                assert kept.abs().max() < 1e-5
    assert count == (0 if why_not(model) else 2) and bool(cache) == bool(count)
    assert layer_map(model).entry.plain == bool(count)


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_pruned_and_bottlenecked_and_estimated(name, tiny_tokenizer) -> None:
    model = shaken(tiny(name))
    half = prune.magnitude(model, 0.5)
    layers = layer_map(half).matrices().values()
    zeros = sum(int((m.weight == 0).sum()) for m in layers)
    share = zeros / sum(m.weight.numel() for m in layers)
    assert share == pytest.approx(0.5, abs=0.01)
    if not model.config.is_encoder_decoder:
        fewer = prune.without(model, 2)
        assert layer_map(fewer).depth() == layer_map(model).depth() - 1
        assert said(fewer).isfinite().all()
    logits = said(model)
    try:
        torch.testing.assert_close(said(Bottleneck(4)(model).model), logits, atol=1e-5, rtol=1e-5)
    except InputError as error:
        assert "is no module of its own" in str(error)
    if name in ("mixtral", "mamba"):
        with pytest.raises(InputError, match=f"memory of a '{name}' model is not known"):
            estimate(tiny(name), MemoryPlan("full", tokens=16))
        return
    counted = estimate(tiny(name), MemoryPlan("full", tokens=16)).parts[0].bytes
    assert counted == 4 * sum(p.numel() for p in tiny(name).parameters())
