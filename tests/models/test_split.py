"""Split and fuse are exact, and undo each other. pytest tests/models/test_split.py"""

import pytest
import torch
from torch import nn
from transformers import GPT2LMHeadModel

from ftlab.base.errors import InputError
from ftlab.models.layers import layer_map
from ftlab.models.split import SplitQKV, fuse_qkv, split_qkv, untie

IDS = torch.arange(24).reshape(2, 12)  # (B, T)


def test_split_changes_no_logit_and_fuse_undoes_it(tiny_gpt2):
    before = {name: value.clone() for name, value in tiny_gpt2.state_dict().items()}
    logits = tiny_gpt2(IDS).logits
    split_qkv(tiny_gpt2)
    assert isinstance(tiny_gpt2.transformer.h[0].attn.c_attn, SplitQKV)
    torch.testing.assert_close(tiny_gpt2(IDS).logits, logits, atol=1e-6, rtol=0)
    fuse_qkv(tiny_gpt2)
    after = tiny_gpt2.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(tiny_gpt2(IDS).logits, logits)


def test_nothing_happens_twice_or_to_others(tiny_gpt2, tiny_llama):
    once = split_qkv(tiny_gpt2).transformer.h[0].attn.c_attn
    assert split_qkv(tiny_gpt2).transformer.h[0].attn.c_attn is once
    assert fuse_qkv(split_qkv(tiny_llama)) is tiny_llama


def test_frozen_stays_frozen(tiny_gpt2):
    tiny_gpt2.requires_grad_(False)
    split_qkv(tiny_gpt2)
    assert not any(p.requires_grad for p in tiny_gpt2.parameters())
    fuse_qkv(tiny_gpt2)
    assert not any(p.requires_grad for p in tiny_gpt2.parameters())


def test_a_split_model_is_saved_as_a_stock_one(tiny_gpt2, tmp_path):
    logits = tiny_gpt2(IDS).logits
    fuse_qkv(split_qkv(tiny_gpt2)).save_pretrained(tmp_path)
    torch.testing.assert_close(GPT2LMHeadModel.from_pretrained(tmp_path)(IDS).logits, logits)


def test_what_cannot_be_split(tiny_gpt2):
    tiny_gpt2.transformer.h[3].attn.c_attn = nn.Bilinear(64, 64, 192)
    with pytest.raises(InputError, match="Block 4 holds q, k and v in a Bilinear"):
        split_qkv(tiny_gpt2)


def test_untie_gives_the_head_weights_of_its_own(tiny_gpt2, tmp_path):
    logits = tiny_gpt2(IDS).logits
    untie(tiny_gpt2)
    assert not layer_map(tiny_gpt2).tied
    with torch.no_grad():
        tiny_gpt2.lm_head.weight.add_(0.1)
    changed = tiny_gpt2(IDS).logits
    assert not torch.equal(changed, logits)
    tiny_gpt2.save_pretrained(tmp_path)
    again = GPT2LMHeadModel.from_pretrained(tmp_path)
    torch.testing.assert_close(again(IDS).logits, changed)
    assert not layer_map(again).tied
