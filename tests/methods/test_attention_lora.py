"""Plans by attention for T5 and BART, tied and not. pytest tests/methods/test_attention_lora.py"""

import copy
import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import T5Config, T5ForConditionalGeneration

from ftlab.base.errors import InputError
from ftlab.methods.attention_lora import KINDS, AttentionLoRA, FreezeStack, pattern
from ftlab.methods.export import merge, save_adapter, save_model
from ftlab.methods.freeze import Freeze
from ftlab.methods.lora import LoRA
from ftlab.models.layers import layer_map
from ftlab.models.loading import load
from ftlab.models.split import untie
from ftlab.plan import Plan
from ftlab.train.loop import train

NAMES = {
    "tiny_t5": {
        "encoder": r"encoder\.block\.\d\.layer\.0\.SelfAttention\.[qv]",
        "decoder": r"decoder\.block\.\d\.layer\.0\.SelfAttention\.[qv]",
        "cross": r"decoder\.block\.\d\.layer\.1\.EncDecAttention\.[qv]",
    },
    "tiny_bart": {
        "encoder": r"model\.encoder\.layers\.\d\.self_attn\.[qv]_proj",
        "decoder": r"model\.decoder\.layers\.\d\.self_attn\.[qv]_proj",
        "cross": r"model\.decoder\.layers\.\d\.encoder_attn\.[qv]_proj",
    },
}
NAMES["untied_t5"] = NAMES["tiny_t5"]
MODELS = list(NAMES)
ROWS = [{"prompt": f"Item {n}:", "answer": f" word{n} is here."} for n in range(8)]
PLAN = Plan(steps=3, batch_size=4, lr=0.05, weight_decay=0.1)
IDS = torch.arange(1, 25).reshape(2, 12)


@pytest.fixture
def untied_t5(tiny_tokenizer):
    """As T5 v1.1 and FLAN-T5 are: a head of its own, no scaling before it, a gated feed-forward.

    transformers 5 ties every T5 it makes; only a file with two tables gives one that is not.
    """
    torch.manual_seed(0)
    sizes = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 3, "num_heads": 4}
    kind = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    config = T5Config(vocab_size=len(tiny_tokenizer), **sizes, **kind)
    config.decoder_start_token_id = 0
    model = untie(T5ForConditionalGeneration(config).eval())
    torch.nn.init.normal_(model.lm_head.weight, std=0.05)
    return model


def adapters(model):
    """{module: (r, alpha / r)} of every LoRA in the live model."""
    return {
        name.removeprefix("base_model.model."): (module.r["default"], module.scaling["default"])
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS, decoder_input_ids=IDS.flip(1)).logits


@pytest.mark.parametrize("fixture", MODELS)
@pytest.mark.parametrize(
    "kinds", [k for n in (1, 2, 3) for k in itertools.combinations(KINDS, n)], ids=" ".join
)
def test_exactly_the_named_attentions_get_their_ranks(fixture, kinds, request):
    ranks = {kind: 2 + 2 * n for n, kind in enumerate(kinds)}
    moving = AttentionLoRA(ranks)(request.getfixturevalue(fixture))
    found = adapters(moving.model)
    for kind, shape in NAMES[fixture].items():
        here = {name: size for name, size in found.items() if re.fullmatch(shape, name)}
        assert len(here) == (6 if kind in ranks else 0)
        assert set(here.values()) <= {(ranks.get(kind, 0), 2.0)}
    assert len(found) == 6 * len(kinds)
    assert moving.trainable == sum(6 * 2 * 64 * rank for rank in ranks.values())


@given(
    ranks=st.dictionaries(st.sampled_from(list(KINDS)), st.integers(1, 9), min_size=1),
    scale=st.sampled_from([0.5, 1.0, 4.0]),
)
def test_the_live_model_holds_what_the_plan_says(ranks, scale):
    config = T5Config(vocab_size=64, d_model=64, d_kv=16, d_ff=64, num_layers=2, num_heads=4)
    model = AttentionLoRA(ranks, scale=scale)(T5ForConditionalGeneration(config)).model
    for name, size in adapters(model).items():
        kind = "cross" if "EncDec" in name else name.split(".")[0]
        assert size == (ranks[kind], scale)


def test_the_plain_snippet_adapts_all_three(tiny_t5):
    """The trap of notebook 05: q and v are in the encoder and in the cross-attention as well."""
    naive = get_peft_model(tiny_t5, LoraConfig(r=16, target_modules=["q", "v"]))
    found = adapters(naive)
    for shape in NAMES["tiny_t5"].values():
        assert sum(bool(re.fullmatch(shape, name)) for name in found) == 6
    assert set(found.values()) == {(16, 0.5)}


@pytest.mark.parametrize("fixture", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_pattern_does_not_leak(fixture, kind, request):
    model = request.getfixturevalue(fixture)
    written = pattern(model, kind)
    found = adapters(get_peft_model(model, LoraConfig(r=2, target_modules=written)))
    assert len(found) == 6
    assert all(re.fullmatch(NAMES[fixture][kind], name) for name in found), found


def test_the_table_names_stack_and_kind(tiny_t5):
    rows = AttentionLoRA({"decoder": 16, "cross": 12, "encoder": 8})(tiny_t5).table()
    told = {(row.part, row.what): (row.r, row.scale) for row in rows if row.r}
    assert told == {
        ("blocks 1-3", "q"): (16, 2.0),
        ("blocks 1-3", "v"): (16, 2.0),
        ("blocks 1-3", "cross q"): (12, 2.0),
        ("blocks 1-3", "cross v"): (12, 2.0),
        ("encoder blocks 1-3", "q"): (8, 2.0),
        ("encoder blocks 1-3", "v"): (8, 2.0),
    }


@pytest.mark.parametrize("fixture", MODELS)
def test_what_is_not_named_does_not_move(fixture, request, tiny_tokenizer):
    model = request.getfixturevalue(fixture)
    before = copy.deepcopy(model)
    moving = AttentionLoRA({"cross": 4})(model)
    list(train(moving.model, tiny_tokenizer, ROWS, PLAN, groups=moving.groups(PLAN)))
    merged = merge(moving.model)
    for name, weights in before.named_parameters():
        same = torch.equal(weights, merged.get_parameter(name))
        adapted = re.fullmatch(NAMES[fixture]["cross"] + r"\.weight", name)
        assert same != bool(adapted), name
    torch.testing.assert_close(logits(merged), logits(moving.model), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("fixture", MODELS)
def test_an_adapter_loads_in_stock_peft(fixture, request, tiny_tokenizer, tmp_path):
    from peft import PeftModel

    model = request.getfixturevalue(fixture)
    stock = copy.deepcopy(model)
    moving = AttentionLoRA()(model)
    list(train(moving.model, tiny_tokenizer, ROWS, PLAN, groups=moving.groups(PLAN)))
    save_adapter(moving.model, tmp_path / "adapter")
    again = PeftModel.from_pretrained(stock, tmp_path / "adapter").eval()
    assert torch.equal(logits(again), logits(moving.model))


@pytest.mark.parametrize("fixture", MODELS)
@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_a_frozen_stack_does_not_move_at_all(fixture, stack, request, tiny_tokenizer):
    model = request.getfixturevalue(fixture)
    before = copy.deepcopy(model)
    moving = FreezeStack(stack)(model)
    list(train(model, tiny_tokenizer, ROWS, PLAN, groups=moving.groups(PLAN)))
    found, moved = layer_map(model), set()
    for name, weights in before.named_parameters():
        place = found.place(name)
        if not torch.equal(weights, model.get_parameter(name)):
            moved.add(place.stack or place.part)
            assert place.part != "embeddings"
            assert place.stack != stack and f"{stack}." not in name
    assert ({"encoder", "decoder"} - {stack}) <= moved
    head_moves = "head" in moved
    assert head_moves == (fixture == "untied_t5" and stack == "encoder")


@pytest.mark.parametrize("fixture", MODELS)
def test_tied_or_not_is_seen_and_untying_changes_no_number(fixture, request):
    model = request.getfixturevalue(fixture)
    found = layer_map(model)
    assert found.tied == (fixture != "untied_t5")
    before = logits(model)
    untie(model)
    assert not layer_map(model).tied
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("fixture", ["tiny_t5", "untied_t5"])
def test_a_head_of_its_own_comes_back_from_disk(fixture, request, tiny_tokenizer, tmp_path):
    """T5 v1.0 scales what its head reads and v1.1 does not: untied, each must stay what it was."""
    model = untie(request.getfixturevalue(fixture))
    torch.nn.init.normal_(model.lm_head.weight, std=0.05)
    save_model(model, tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    again = load(tmp_path / "model").model
    assert not layer_map(again).tied
    assert torch.equal(logits(again), logits(model))


def test_bands_reach_both_stacks(tiny_t5):
    moving = LoRA({"1-4": 2, "9-12": 4})(tiny_t5)
    found = adapters(moving.model)
    assert {name.split(".")[0] for name in found} == {"encoder", "decoder"}
    assert {name.split(".")[2]: size[0] for name, size in found.items()} == {"0": 2, "2": 4}
    assert Freeze({"1-6": 0.0, "7-12": 1.0})(copy.deepcopy(tiny_t5)).trainable


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ranks": {}}, "No attention has a rank"),
        ({"ranks": {"cross": 0}}, "The rank of attention 'cross' is 0"),
        ({"ranks": {"self": 4}}, "'self' is no attention; they are encoder, decoder, cross"),
        ({"targets": ("q", "ff")}, "belongs to no attention"),
        ({"targets": ("query",)}, "'query' is none"),
        ({"scale": 0}, "must be above 0"),
    ],
)
def test_contradictions_are_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        AttentionLoRA(**wrong)


def test_a_model_without_an_encoder_is_refused(tiny_gpt2):
    for method in (AttentionLoRA(), FreezeStack("encoder")):
        with pytest.raises(InputError, match="has no encoder"):
            method(tiny_gpt2)
    with pytest.raises(InputError, match="'middle' is no stack"):
        FreezeStack("middle")
