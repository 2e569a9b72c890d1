"""The layer map names what is there, in every architecture.

Run the tests: pytest tests/models/test_layer_map.py
"""

import pytest
import torch
from families import FAMILIES, tiny
from hypothesis import given
from hypothesis import strategies as st
from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from ftlab.base.errors import InputError
from ftlab.methods.bands import parts_of, read_bands
from ftlab.methods.prepared import count
from ftlab.models.architectures import ARCHITECTURES
from ftlab.models.layers import TARGETS, layer_map
from ftlab.models.prefix_cache import below
from ftlab.models.split import split_qkv

# model, blocks of each stack, linear layers of one block of each stack
KNOWN = [
    ("tiny_gpt2", {"decoder": 12}, {"decoder": 6}),
    ("tiny_llama", {"decoder": 4}, {"decoder": 7}),
    ("tiny_t5", {"encoder": 3, "decoder": 3}, {"encoder": 6, "decoder": 10}),
    ("tiny_bart", {"encoder": 3, "decoder": 3}, {"encoder": 6, "decoder": 10}),
    ("qwen3", {"decoder": 4}, {"decoder": 7}),
    ("gemma", {"decoder": 4}, {"decoder": 7}),
    ("gemma2", {"decoder": 4}, {"decoder": 7}),
    ("gemma3_text", {"decoder": 4}, {"decoder": 7}),
    ("olmo2", {"decoder": 4}, {"decoder": 7}),
    ("smollm3", {"decoder": 4}, {"decoder": 7}),
    ("phi", {"decoder": 4}, {"decoder": 6}),
    ("phi3", {"decoder": 4}, {"decoder": 6}),
    ("opt", {"decoder": 4}, {"decoder": 6}),
    ("gpt_neox", {"decoder": 4}, {"decoder": 6}),
    ("gptj", {"decoder": 4}, {"decoder": 6}),
    ("bloom", {"decoder": 4}, {"decoder": 6}),
    ("falcon", {"decoder": 4}, {"decoder": 6}),
    ("falcon new", {"decoder": 4}, {"decoder": 6}),
    ("falcon old", {"decoder": 4}, {"decoder": 6}),
    ("mt5", {"encoder": 3, "decoder": 3}, {"encoder": 7, "decoder": 11}),
    ("mbart", {"encoder": 3, "decoder": 3}, {"encoder": 6, "decoder": 10}),
    ("gpt_neo", {"decoder": 4}, {"decoder": 6}),
    ("mixtral", {"decoder": 4}, {"decoder": 4}),
    ("mamba", {"decoder": 4}, {"decoder": 4}),
    ("pegasus", {"encoder": 3, "decoder": 3}, {"encoder": 6, "decoder": 10}),
]


def made(name, request):
    return tiny(name) if name in FAMILIES else request.getfixturevalue(name)


def test_every_architecture_has_a_row():
    seen = {made_of[0] for made_of in KNOWN} | {"tiny_gpt2", "tiny_llama", "tiny_t5", "tiny_bart"}
    fixtures = {"gpt2", "llama", "t5", "bart", "mistral", "qwen2"}  # the last two are Llamas
    assert set(ARCHITECTURES) - fixtures <= seen and set(FAMILIES) <= seen


@pytest.mark.parametrize(("fixture", "depths", "linears"), KNOWN)
def test_every_linear_layer_of_a_block_is_named_once(fixture, depths, linears, request):
    model = split_qkv(made(fixture, request))
    found = layer_map(model)
    named = []
    for stack, depth in depths.items():
        assert found.depth(stack) == depth
        here = found.linears(TARGETS, stack=stack)
        assert len(here) == depth * linears[stack]
        named += [linear.name for linear in here]
    matrices = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and found.place(name).part == "block"
    }
    assert len(named) == len(set(named)) and set(named) == matrices


@pytest.mark.parametrize(("fixture", "depths", "linears"), KNOWN)
def test_every_parameter_has_its_place(fixture, depths, linears, request):
    model = made(fixture, request)
    found = layer_map(model)
    places = {name: found.place(name) for name, _ in model.named_parameters()}
    assert {place.part for place in places.values()} <= {"block", "embeddings", "head", "norm"}
    for stack, depth in depths.items():
        blocks = {place.block for place in places.values() if place.stack == stack}
        assert blocks == set(range(depth))
    outside = [name for name, place in places.items() if place.part == "norm"]
    assert all("norm" in name or "ln_f" in name for name in outside), outside


@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
@pytest.mark.parametrize("config", [PrefixTuningConfig, PromptTuningConfig])
def test_virtual_tokens_have_a_place_of_their_own(config, fixture, request):
    base = request.getfixturevalue(fixture)
    names = {name: layer_map(base).place(name) for name, _ in base.named_parameters()}
    task = "SEQ_2_SEQ_LM" if base.config.is_encoder_decoder else "CAUSAL_LM"
    model = get_peft_model(base, config(task_type=task, num_virtual_tokens=3))
    found = layer_map(model)
    virtual = {n: p.numel() for n, p in model.named_parameters() if "prompt_encoder" in n}
    assert {found.place(name).part for name in virtual} == {"virtual tokens"}
    for prefix in ("base_model.", "base_model.model."):  # around adapters it is the second
        assert {name: found.place(prefix + name) for name in names} == names
    first, *others = count(model, "virtual").table()
    assert (first.part, first.lr, first.trainable) == ("virtual tokens", 1.0, sum(virtual.values()))
    assert others[0].part == "embeddings" and not any(row.trainable for row in others)
    assert below(model) == 0  # every block reads them


def test_tied_is_read_off_the_tensors(tiny_gpt2, tiny_llama, tiny_t5):
    assert layer_map(tiny_gpt2).tied and layer_map(tiny_t5).tied
    assert not layer_map(tiny_llama).tied
    tiny_gpt2.lm_head.weight = torch.nn.Parameter(tiny_gpt2.lm_head.weight.detach().clone())
    assert not layer_map(tiny_gpt2).tied


def test_kinds_of_attention_are_distinct(tiny_t5):
    found = layer_map(tiny_t5)
    cross = found.linears({"q", "v"}, kind="cross")
    assert len(cross) == 6 and all("EncDecAttention" in linear.name for linear in cross)
    own = found.linears({"q", "v"}, kind="self")
    assert len(own) == 6 and all("decoder" in x.name and "SelfAtt" in x.name for x in own)
    with pytest.raises(InputError, match="its stacks are: encoder, decoder"):
        found.linears({"q"}, stack="middle")


def test_what_has_no_name_is_refused(tiny_gpt2):
    with pytest.raises(InputError, match="q, k and v lie in one matrix"):
        layer_map(tiny_gpt2).linears({"q"})
    with pytest.raises(InputError, match="'queries' is none"):
        layer_map(tiny_gpt2).linears({"queries"})
    with pytest.raises(InputError, match="none was given"):
        layer_map(tiny_gpt2).linears(set())
    with pytest.raises(InputError, match="'Linear' model are not known"):
        layer_map(torch.nn.Linear(2, 2))
    with pytest.raises(InputError, match=r"MambaForCausalLM are q, k, v and o is not known; give"):
        layer_map(tiny("mamba")).linears({"q", "v"})


def test_bands_are_fractions_of_depth():
    bands = {"1-6": "low", "7-9": "middle", "10-12": "high"}
    assert list(read_bands(bands, 12).values()) == ["low"] * 6 + ["middle"] * 3 + ["high"] * 3
    assert list(read_bands(bands, 30).values()) == ["low"] * 15 + ["middle"] * 7 + ["high"] * 8
    assert read_bands({"2,5": 1}, 12) == {1: 1, 4: 1}


@given(st.integers(1, 40), st.integers(1, 11))
def test_two_bands_share_out_all_blocks(depth, cut):
    bands = {f"1-{cut}": 0, f"{cut + 1}-12": 1}
    try:
        given_ = read_bands(bands, depth)
    except InputError as error:
        assert "holds none" in str(error) and depth < 12
        return
    assert sorted(given_) == list(range(depth))
    assert list(given_.values()) == sorted(given_.values())


@pytest.mark.parametrize("band", ["", "0-3", "9-7", "7-13", "a", "1-2-3", "-1"])
def test_a_band_that_is_none(band):
    with pytest.raises(InputError, match="is not possible"):
        parts_of(band)


def test_bands_that_overlap():
    with pytest.raises(InputError, match="both name 6"):
        read_bands({"1-6": 0, "6-12": 1}, 12)
