"""LoRA where the plan says, as large as it says, and nowhere else.

Run the tests: pytest tests/methods/test_lora.py
"""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model

from ftlab.base.errors import InputError
from ftlab.methods.attention_lora import AttentionLoRA
from ftlab.methods.export import merge
from ftlab.methods.lora import LoRA
from ftlab.models.layers import layer_map
from ftlab.plan import Plan
from ftlab.train.loop import train

ROWS = [{"prompt": f"Item {n}:", "answer": f" word{n} is here."} for n in range(8)]
PLAN = Plan(steps=3, batch_size=4, lr=0.05, weight_decay=0.1)
IDS = torch.arange(24).reshape(2, 12)


def train_it(moving, tokenizer):
    list(train(moving.model, tokenizer, ROWS, PLAN, groups=moving.groups(PLAN)))
    return moving.model


def fused_changes(before, after):
    """|dQ|, |dK|, |dV| of every block of two stock GPT-2s."""
    for old, new in zip(before.transformer.h, after.transformer.h, strict=True):
        change = (new.attn.c_attn.weight - old.attn.c_attn.weight).detach()
        yield [part.norm().item() for part in change.chunk(3, dim=1)]


def test_only_queries_and_values_move(tiny_gpt2, tiny_tokenizer):
    import copy

    base = copy.deepcopy(tiny_gpt2)
    merged = merge(train_it(LoRA()(tiny_gpt2), tiny_tokenizer))
    for q, k, v in fused_changes(base, merged):
        assert q > 1e-3 and v > 1e-3 and k == 0
    same = {n for n, p in base.named_parameters() if "c_attn.weight" not in n}
    assert all(torch.equal(base.get_parameter(n), merged.get_parameter(n)) for n in same)


def test_the_fused_snippet_moves_the_keys_and_counts_the_same(tiny_gpt2, tiny_tokenizer):
    """The trap of notebook 04: equal numbers of weights, and K moves all the same."""
    import copy

    base = copy.deepcopy(tiny_gpt2)
    config = LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True)
    naive = get_peft_model(copy.deepcopy(tiny_gpt2), config)
    ours = LoRA({"1-12": 4})(tiny_gpt2)
    assert naive.get_nb_trainable_parameters()[0] == ours.trainable
    list(train(naive, tiny_tokenizer, ROWS, PLAN))
    assert all(k > 1e-3 for _, k, _ in fused_changes(base, naive.merge_and_unload()))


@pytest.mark.parametrize("method", [LoRA, AttentionLoRA])
def test_the_plans_dropout_stands_before_every_adapter(method, tiny_t5):
    made = method(dropout=0.25)(tiny_t5).model
    found = [m.lora_dropout["default"].p for m in made.modules() if hasattr(m, "lora_dropout")]
    assert found and set(found) == {0.25}


def test_ranks_and_scales_are_those_of_the_plan(tiny_gpt2):
    plan = LoRA({"7-9": 4, "10-12": 8}, alphas={"7-9": 16, "10-12": 32})
    moving = plan(tiny_gpt2)
    found = {}
    for name, module in layer_map(moving.model).model.named_modules():
        if hasattr(module, "lora_A"):
            rows = module.lora_A["default"].weight.shape[0]
            found[name] = (module.r["default"], rows, module.scaling["default"])
    assert len(found) == 12
    for name, (r, rows, scale) in found.items():
        block = int(name.split(".")[2]) + 1
        assert (r, rows, scale) == ((4, 4, 4.0) if block <= 9 else (8, 8, 4.0)) and block >= 7
    table = [(row.part, row.what, row.r, row.scale) for row in moving.table() if row.r]
    assert table == [
        ("blocks 7-9", "q", 4, 4.0), ("blocks 7-9", "v", 4, 4.0),
        ("blocks 10-12", "q", 8, 4.0), ("blocks 10-12", "v", 8, 4.0),
    ]  # fmt: skip
    assert sum(row.trainable for row in moving.table()) == moving.trainable == 3 * 2 * 128 * 12


@given(
    st.dictionaries(st.sampled_from(["1-3", "4-6", "7-9", "10-12"]), st.integers(1, 9), min_size=1),
    st.sets(st.sampled_from(["q", "k", "v", "o", "ff"]), min_size=1),
    st.floats(0.5, 8),
)
def test_any_plan_is_found_again_in_the_live_model(ranks, targets, scale):
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=12, n_embd=16, n_head=2, vocab_size=32))
    moving = LoRA(ranks, targets=tuple(targets), scale=scale)(model)
    width = {"q": 32, "k": 32, "v": 32, "o": 32, "ff": 160}  # in + out, all layers of the target
    expected = sum(3 * rank * width[t] for rank in ranks.values() for t in targets)
    assert moving.trainable == expected
    rows = [row for row in moving.table() if row.r]
    assert {row.what for row in rows} == targets
    assert {row.r for row in rows} == set(ranks.values())
    assert all(row.scale == pytest.approx(scale) for row in rows)


@pytest.mark.parametrize("r", [1, 4, 8, 16])
@pytest.mark.parametrize("alpha", [1, 8, 32])
def test_by_hand_equals_peft(r, alpha, tiny_llama):
    """W x + alpha / r B A x, with a B that is not zero: there a missing alpha / r would show."""
    moving = LoRA({"1-12": r}, alphas={"1-12": alpha})(tiny_llama)
    torch.manual_seed(1)
    for name, p in moving.model.named_parameters():
        if "lora_B" in name:
            p.data.normal_(std=0.1)
    layer = layer_map(moving.model).model.model.layers[2].self_attn.q_proj
    x = torch.randn(2, 5, 64)  # (B, T, d)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight  # (r, d), (d, r)
    by_hand = x @ layer.base_layer.weight.T + alpha / r * (x @ a.T @ b.T)
    torch.testing.assert_close(layer(x), by_hand, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(layer(x), layer.base_layer(x))


def test_before_training_it_is_the_base(tiny_gpt2):
    before = tiny_gpt2(IDS).logits
    model = LoRA({"1-12": 4}, targets=("q", "k", "v", "o", "ff"))(tiny_gpt2).model.eval()
    torch.testing.assert_close(model(IDS).logits, before, atol=1e-6, rtol=0)


def test_a_trainable_head_leaves_the_embeddings(tiny_gpt2, tiny_tokenizer):
    table = tiny_gpt2.transformer.wte.weight.detach().clone()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        moving = LoRA({"10-12": 4}, head=True)(tiny_gpt2)
    assert not [str(warning.message) for warning in said]
    model = train_it(moving, tiny_tokenizer)
    assert torch.equal(layer_map(model).model.transformer.wte.weight, table)
    trained = model.base_model.model.lm_head.modules_to_save["default"].weight
    assert not torch.equal(trained, table)
    head = [row for row in moving.table() if row.part == "head"]
    assert [row.trainable for row in head] == [table.numel()]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ranks": {}}, "No band has a rank"),
        ({"ranks": {"1-12": 0}}, "The rank of band '1-12' is 0"),
        ({"ranks": {"1-12": 2.5}}, "ranks by band, such as"),
        ({"alphas": {"7-9": 16}}, "a rank or an alpha but not both"),
        ({"targets": ("query",)}, "'query' is none"),
        ({"targets": ()}, "none was given"),
        ({"scale": 0}, "must be above 0"),
        ({"dropout": 1}, "dropout=1"),
    ],
)
def test_contradictions_are_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        LoRA(**wrong)


def test_a_band_that_does_not_exist_is_refused(tiny_gpt2):
    with pytest.raises(InputError, match="'7-13' is not possible"):
        LoRA({"7-13": 4})(tiny_gpt2)
