"""Exact zeros, on every architecture and through training; what is cut of an update, of blocks.

Run the tests: pytest tests/methods/test_prune.py
"""

import copy
from typing import Any

import peft
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils import prune as torch_prune
from transformers import GPT2Config, GPT2LMHeadModel, Qwen2Config, Qwen2ForCausalLM

from ftlab.base.errors import InputError
from ftlab.lab.lab import Lab
from ftlab.methods import Freeze, LoRA, QLoRA, full, merge, prune, save_model
from ftlab.methods.prepared import count
from ftlab.methods.prune import Masked
from ftlab.models import untie
from ftlab.models.layers import layer_map
from ftlab.plan import Plan
from ftlab.train.loop import train

TEXTS = [
    "The capital of France is Paris. The capital of Norway is Oslo.",
    ("Note: chest pain since noon.", " Urgency: high."),
    "Ben has the kite. Ann has the ball.",
]
PAIRS = [("Note: chest pain since noon.", " Urgency: high."), ("where is it", " here")]
ROWS = [{"prompt": f"Item {n}:", "answer": f" word{n} is here."} for n in range(8)]
IDS = torch.arange(1, 25).reshape(2, 12)
ALL = ("q", "k", "v", "o", "ff")
ARCHITECTURES = ["tiny_gpt2", "tiny_llama", "tiny_t5", "tiny_bart"]


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def tiny_qwen2(tiny_tokenizer: Any) -> Any:
    """Four blocks, the upper two of which look at a window only."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tiny_tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=4,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=128,
        use_sliding_window=True, sliding_window=4, max_window_layers=2, bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).eval()


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def logits(model: Any) -> torch.Tensor:
    more = {"decoder_input_ids": IDS} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        return model(input_ids=IDS, **more).logits


def trained(model: Any, tokenizer: Any, method: Any, **fields: Any) -> Any:
    prepared = method(model)
    plan = Plan(**{"steps": 3, "batch_size": 4, "lr": 0.01, "weight_decay": 0.1} | fields)
    groups = prepared.groups(plan)
    list(train(prepared.model, tokenizer, ROWS, plan, groups=groups))
    return prepared


# --- which weights -------------------------------------------------------------------------------


@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=5, max_size=5), min_size=1, max_size=7),
    st.floats(0, 1),
)
def test_counts_are_exact_whatever_the_ties(rows: list[list[int]], share: float) -> None:
    score = torch.tensor(rows, dtype=torch.float32)
    chosen = prune.lowest(score, share)
    by_row = chosen.sum(1)
    assert int(by_row.sum()) == round(share * score.numel())
    assert by_row.max() - by_row.min() <= 1
    for values, cut in zip(score, chosen, strict=True):
        assert not cut.any() or cut.all() or values[cut].max() <= values[~cut].min()


@pytest.mark.parametrize("how", ["magnitude", "random", "wanda"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_sparsity_is_exact_in_every_matrix_and_nothing_else_moves(
    model: Any, tiny_tokenizer: Any, how: str, share: float
) -> None:
    before = weights(model)
    if how == "wanda":
        pruned = prune.wanda(model, tiny_tokenizer, PAIRS, share)
    else:
        pruned = getattr(prune, how)(model, share, *([3] if how == "random" else []))
    layers = layer_map(pruned).matrices()
    found = prune.sparsity(pruned)
    assert found.keys() - {"all"} == layers.keys()
    for name, layer in layers.items():
        size = layer.weight.numel()
        assert found[name] == round(share * size) / size, name
    for name, value in pruned.named_parameters():
        kept = value != 0 if name.removesuffix(".weight") in layers else torch.ones_like(value) > 0
        assert torch.equal(value[kept], before[name][kept]), name
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert layer_map(pruned).tied == layer_map(model).tied
    assert type(pruned) is type(model)


@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama"])
def test_magnitude_and_random_are_torchs(fixture: str, request: pytest.FixtureRequest) -> None:
    """Random: for nn.Linear the very same weights; of a Conv1D, transposed, as many."""
    model = request.getfixturevalue(fixture)
    for how in ("l1_unstructured", "random_unstructured"):
        theirs = copy.deepcopy(model)
        with torch.random.fork_rng():
            torch.manual_seed(5)
            for layer in layer_map(theirs).matrices().values():
                getattr(torch_prune, how)(layer, "weight", amount=0.3)
                torch_prune.remove(layer, "weight")
        ours = prune.random(model, 0.3, 5) if "random" in how else prune.magnitude(model, 0.3)
        if fixture == "tiny_gpt2" and "random" in how:
            assert prune.sparsity(ours) == prune.sparsity(theirs)
        else:
            torch.testing.assert_close(weights(ours), weights(theirs), atol=0, rtol=0)


def test_wanda_by_hand(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    """Of the first feed-forward layer, a Conv1D: rows are its outputs, columns of its weight."""
    layer, seen = tiny_gpt2.transformer.h[0].mlp.c_fc, []
    handle = layer.register_forward_hook(lambda _, x, y: seen.append(x[0]))
    with torch.no_grad():
        for text in (TEXTS[0], "".join(TEXTS[1]), TEXTS[2]):
            ids = tiny_tokenizer(text)["input_ids"]
            last = ids if isinstance(text, str) and text != "".join(TEXTS[1]) else [*ids, 0]
            tiny_gpt2(torch.tensor([[0, *last[:-1]]]))  # all that is read to predict the last
    handle.remove()
    norm = torch.cat([x[0] for x in seen]).norm(dim=0)  # (in,)
    score = layer.weight.abs() * norm[:, None]  # (in, out)
    wanted = layer.weight.clone()
    for column in range(wanted.shape[1]):
        wanted[score[:, column].argsort()[:32], column] = 0  # of 64
    pruned = prune.wanda(tiny_gpt2, tiny_tokenizer, TEXTS, 0.5)
    assert torch.equal(pruned.transformer.h[0].mlp.c_fc.weight, wanted)
    assert not torch.equal(
        pruned.transformer.h[0].mlp.c_fc.weight,
        prune.magnitude(tiny_gpt2, 0.5).transformer.h[0].mlp.c_fc.weight,
    )


def test_pruning_again_counts_the_zeros_that_are_there(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    once = prune.magnitude(tiny_gpt2, 0.3)
    again = [
        prune.magnitude(once, 0.5), prune.random(once, 0.5, 1),
        prune.wanda(once, tiny_tokenizer, TEXTS, 0.9),
    ]  # fmt: skip
    for model in again:
        share = 0.9 if model is again[2] else 0.5
        assert prune.sparsity(model)["all"] == pytest.approx(share, abs=1e-5)
        for name, layer in layer_map(once).matrices().items():
            assert (model.get_submodule(name).weight[layer.weight == 0] == 0).all()


def test_the_head_only_when_asked_and_never_a_tied_one(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(InputError, match="embedding table"):
        prune.magnitude(tiny_gpt2, 0.5, head=True)
    own = untie(copy.deepcopy(tiny_gpt2))
    pruned = prune.wanda(own, tiny_tokenizer, TEXTS, 0.5, head=True)
    assert prune.sparsity(pruned, head=True)["lm_head"] == 0.5
    assert prune.sparsity(prune.magnitude(own, 0.5), head=True)["lm_head"] == 0
    assert (pruned.transformer.wte.weight == 0).sum() == 0


# --- zeros that stay -----------------------------------------------------------------------------

METHODS = {
    "full": Masked(),
    "freeze": Masked(Freeze({"1-6": 0.5, "7-12": 1})),
    "lora": Masked(LoRA({"1-12": 2}, targets=ALL, dropout=0.1)),
    "lora qv": Masked(LoRA({"1-12": 2})),
}


@pytest.mark.parametrize("name", METHODS)
def test_zeros_stay_through_adamw_and_come_back_from_disk(
    model: Any, tiny_tokenizer: Any, name: str, tmp_path: Any
) -> None:
    pruned = prune.magnitude(model, 0.5)
    zeros = prune.sparsity(pruned)
    start = logits(pruned)
    plain = type(model).from_pretrained(save_model(pruned, tmp_path / "untrained")).eval()
    torch.testing.assert_close(logits(plain), start, atol=1e-6, rtol=1e-6)
    assert prune.sparsity(plain) == zeros
    made = trained(copy.deepcopy(pruned), tiny_tokenizer, METHODS[name])
    assert prune.sparsity(made.model) == zeros
    assert not torch.allclose(logits(made.model), start, atol=1e-3)  # it did learn
    merged = merge(made.model)
    torch.testing.assert_close(logits(merged), logits(made.model), atol=1e-5, rtol=1e-5)
    plain = type(model).from_pretrained(save_model(made.model, tmp_path / "trained")).eval()
    torch.testing.assert_close(logits(plain), logits(merged), atol=1e-6, rtol=1e-6)
    assert prune.sparsity(plain) == zeros


def test_without_a_mask_one_step_ends_it(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    pruned = prune.magnitude(tiny_gpt2, 0.5)
    for method in (full, LoRA({"1-12": 2}, targets=ALL)):
        made = trained(copy.deepcopy(pruned), tiny_tokenizer, method, steps=1)
        assert prune.sparsity(made.model)["all"] < 0.01
        made = trained(copy.deepcopy(pruned), tiny_tokenizer, Masked(method), steps=1)
        assert prune.sparsity(made.model)["all"] == 0.5


def test_pefts_own_safe_merge_fills_no_hole(tiny_llama: Any) -> None:
    pruned = prune.magnitude(tiny_llama, 0.5)
    adapted = Masked(LoRA({"1-12": 2}, targets=ALL))(copy.deepcopy(pruned)).model
    for name, p in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.1)
    wanted = logits(adapted)
    merged = adapted.merge_and_unload(safe_merge=True)
    for name, layer in layer_map(pruned).matrices().items():
        assert not merged.get_submodule(name).weight[layer.weight == 0].any(), name
    torch.testing.assert_close(logits(merged), wanted, atol=1e-4, rtol=1e-4)


def test_what_a_mask_says_of_itself(tiny_gpt2: Any) -> None:
    pruned = prune.magnitude(tiny_gpt2, 0.5)
    size = sum(layer.weight.numel() for layer in layer_map(pruned).matrices().values())
    made = Masked()(pruned)
    assert made.method == "masked full" and made.trainable == made.total - size // 2
    assert Masked(LoRA()).name == "masked lora_qv"
    assert Masked(Freeze(), name="mine").name == "mine"
    with pytest.raises(InputError, match="no zeros to hold"):
        Masked()(tiny_gpt2)
    with pytest.raises(InputError, match="with its brackets"):
        Masked(LoRA)  # pyright: ignore
    with pytest.raises(InputError, match="quantized"):
        Masked(QLoRA())(pruned)


@pytest.mark.parametrize("kind", ["OFTConfig", "DoRA"])
def test_adapters_that_cannot_be_masked_are_refused(tiny_llama: Any, kind: str) -> None:
    def method(model: Any) -> Any:
        where: dict[str, Any] = {"target_modules": ["down_proj"]}
        dora = kind == "DoRA"
        made = peft.LoraConfig(use_dora=True, **where) if dora else peft.OFTConfig(**where)
        return count(peft.get_peft_model(model, made), kind)

    with pytest.raises(InputError, match="plain LoRA"):
        Masked(method)(prune.magnitude(tiny_llama, 0.5))


def test_a_pruned_head_that_is_trained_keeps_its_zeros(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    pruned = prune.magnitude(untie(tiny_gpt2), 0.5, head=True)
    for method in (Masked(), Masked(LoRA({"1-12": 2}, head=True))):
        made = trained(copy.deepcopy(pruned), tiny_tokenizer, method)
        found = prune.sparsity(made.model, head=True)
        assert found["lm_head"] == found["all"] == 0.5


QUICK = Plan(steps=2, batch_size=4, measure_every=0, lr=1e-3)


def test_a_run_from_a_pruned_start(lab: Lab) -> None:
    pruned = prune.magnitude(lab.bundle.model, 0.5)
    filled = lab.run(QUICK, start=pruned, method="full").finish()
    assert prune.sparsity(filled.model)["all"] < 0.01
    for method in (None, LoRA({"10-12": 2}, targets=ALL)):
        run = lab.run(QUICK, start=pruned, method=Masked(method), fast=method is not None).finish()
        further = lab.run(QUICK, start=run).finish()  # trains on under the same mask
        for made in (run, further):
            assert prune.sparsity(made.model)["all"] == 0.5, made.name
            assert made.steps[-1].loss != made.steps[1].loss
    assert run.record.method == "masked LoRA q+k+v+o+ff 10-12 r2"
    assert run.record.extra["method"]["method"]["ranks"] == {"10-12": 2}
    short = lab.run(QUICK, start=prune.without(lab.bundle.model, [6, 7]), method="lora_qv").finish()
    assert short.prepared.total < run.prepared.total and short.steps[-1].measured


# --- the update ----------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["magnitude", "fapm", "random"])
def test_of_an_update_exactly_what_is_asked_for_stays(tiny_gpt2: Any, score: str) -> None:
    tuned = copy.deepcopy(tiny_gpt2)
    torch.manual_seed(1)
    with torch.no_grad():
        for p in tuned.parameters():
            p.add_(torch.randn_like(p) * 0.01)
    before, after = weights(tiny_gpt2), weights(tuned)
    made = weights(prune.update(tiny_gpt2, tuned, 0.2, score=score, seed=1))
    for name, value in made.items():
        moved = value != before[name]
        assert int(moved.sum()) == round(0.2 * value.numel()), name
        assert torch.equal(value[moved], after[name][moved])
    whole, none = (weights(prune.update(tiny_gpt2, tuned, k, score=score)) for k in (1, 0))
    torch.testing.assert_close(whole, after, atol=0, rtol=0)
    torch.testing.assert_close(none, before, atol=0, rtol=0)


def test_of_an_update_drawn_at_random_the_seed_decides() -> None:
    base = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=32))
    tuned = copy.deepcopy(base)
    with torch.no_grad():
        for p in tuned.parameters():
            p.add_(0.01)
    one, again, other = (
        weights(prune.update(base, tuned, 0.5, score="random", seed=seed)) for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_fapm_by_hand() -> None:
    before = torch.tensor([1.0, -0.5, 0.1, 0.0, 0.0])
    change = torch.tensor([0.2, 0.3, -0.3, 0.1, 0.0])
    mean = 1.6 / 5
    wanted = [0.2 - mean * 0.2, 0.3 - mean * 0.6, 0.3 - mean * 3, float("-inf"), 0.0]
    found = prune.SCORES["fapm"](change, before, torch.Generator())
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_an_adapter_is_an_update_too(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    tuned = trained(copy.deepcopy(tiny_gpt2), tiny_tokenizer, LoRA()).model
    made = prune.update(tiny_gpt2, tuned, 1.0)
    torch.testing.assert_close(logits(made), logits(merge(tuned)), atol=0, rtol=0)


# --- blocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixture", [*ARCHITECTURES, "tiny_qwen2"])
def test_fewer_blocks_say_the_same_from_disk_and_with_a_cache(
    fixture: str, request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    short = request.getfixturevalue(fixture)
    for stack in ("decoder", "encoder")[: len(layer_map(short).entry.stacks)]:
        before, depth = short, layer_map(short).depth(stack)
        short = prune.without(before, [1, 3], stack=stack)
        assert layer_map(short).depth(stack) == depth - 2
        torch.testing.assert_close(logits(short), skipping(before, stack, {0, 2}))
        short.save_pretrained(tmp_path / stack)
        again = type(short).from_pretrained(tmp_path / stack).eval()
        torch.testing.assert_close(logits(again), logits(short), atol=1e-6, rtol=1e-6)
        assert torch.equal(written(again, use_cache=True), written(short, use_cache=False))


def skipping(model: Any, stack: str, numbers: set[int]) -> torch.Tensor:
    """Logits with these blocks (from 0) passed over, where the model stands."""
    made = copy.deepcopy(model)
    blocks = layer_map(made).blocks(stack)
    if model.config.model_type == "t5":  # its first block works out all positions
        first, second = (block.layer[0].SelfAttention for block in blocks[:2])
        second.relative_attention_bias = first.relative_attention_bias
        second.has_relative_attention_bias = True
        del blocks[2], blocks[0]
    for number in numbers if model.config.model_type != "t5" else ():
        blocks[number].forward = lambda x, *args, **more: x
    return logits(made)


def written(model: Any, **more: Any) -> torch.Tensor:
    return model.generate(
        IDS[:1], attention_mask=torch.ones_like(IDS[:1]), max_new_tokens=8, min_new_tokens=8,
        do_sample=False, pad_token_id=0, **more,
    )  # fmt: skip


def test_a_t5_whose_cache_would_be_too_small(tiny_t5: Any) -> None:
    with pytest.raises(InputError, match="leave out as many of the decoder first"):
        prune.without(tiny_t5, [2], stack="encoder")


def test_the_block_that_does_nothing_goes_first(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    block = tiny_gpt2.transformer.h[4]
    with torch.no_grad():
        for layer in (block.attn.c_proj, block.mlp.c_proj):
            layer.weight.zero_()
            layer.bias.zero_()
    shares = prune.influence(tiny_gpt2, tiny_tokenizer, TEXTS)
    assert len(shares) == 12 and shares[4] == pytest.approx(0, abs=1e-6) and min(shares) >= -1e-6
    assert all(share > 1e-4 for number, share in enumerate(shares) if number != 4)
    short = prune.blocks(tiny_gpt2, 1, tiny_tokenizer, TEXTS)
    assert short.config.n_layer == 11
    torch.testing.assert_close(logits(short), logits(tiny_gpt2), atol=1e-5, rtol=1e-5)


def test_influence_is_the_mean_over_all_tokens_of_all_texts(
    tiny_gpt2: Any, tiny_tokenizer: Any
) -> None:
    texts, turned = [TEXTS[0], TEXTS[2]], []
    for text in texts:
        ids = torch.tensor([[0, *tiny_tokenizer(text)["input_ids"][:-1]]])  # as in Wanda's test
        with torch.no_grad():
            states = tiny_gpt2(ids, output_hidden_states=True).hidden_states
        turned.append(1 - torch.cosine_similarity(states[2][0], states[3][0], dim=-1))
    found = prune.influence(tiny_gpt2, tiny_tokenizer, texts)[2]
    assert found == pytest.approx(torch.cat(turned).mean().item(), abs=1e-5)
    assert found != pytest.approx(turned[-1][-1].item(), rel=1e-2)


def test_influence_of_both_stacks(tiny_t5: Any, tiny_tokenizer: Any) -> None:
    pairs = [("where is it", "here"), ("and who", "you")]
    assert len(prune.influence(tiny_t5, tiny_tokenizer, pairs, stack="encoder")) == 3
    assert prune.blocks(tiny_t5, 1, tiny_tokenizer, pairs).config.num_decoder_layers == 2


# --- slips ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [1.2, -0.1, float("nan"), True, "half", None, 50])
def test_a_share_that_is_none(tiny_gpt2: Any, tiny_tokenizer: Any, wrong: Any) -> None:
    for call in (
        lambda: prune.magnitude(tiny_gpt2, wrong),
        lambda: prune.random(tiny_gpt2, wrong, 0),
        lambda: prune.wanda(tiny_gpt2, tiny_tokenizer, TEXTS, wrong),
        lambda: prune.update(tiny_gpt2, tiny_gpt2, wrong),
    ):
        with pytest.raises(InputError, match="give a share from 0 to 1"):
            call()


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "no text to read"), ([""], "no text to read"), ("one text", "a list"),
        ([3], "a list"), ([("a", "b", "c")], "a list"), (None, "a list"),
        ([{"prompt": "a", "answer": "b"}], "a list"),
    ],
)  # fmt: skip
def test_texts_that_are_none(tiny_gpt2: Any, tiny_tokenizer: Any, texts: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prune.wanda(tiny_gpt2, tiny_tokenizer, texts, 0.5)
    with pytest.raises(InputError, match=words):
        prune.blocks(tiny_gpt2, 1, tiny_tokenizer, texts)


def test_other_slips(tiny_gpt2: Any, tiny_llama: Any, tiny_tokenizer: Any) -> None:
    for numbers in ([0], 13, [1.5], [True], ["1"], list(range(1, 13))):
        with pytest.raises(InputError, match=r"are 1 to 12|is not possible"):
            prune.without(tiny_gpt2, numbers)  # pyright: ignore
    for number in (0, 12, True, 1.0, "two"):
        with pytest.raises(InputError, match=r"is not possible|none would be left"):
            prune.blocks(tiny_gpt2, number, tiny_tokenizer, TEXTS)  # pyright: ignore
    with pytest.raises(InputError, match="has no encoder"):
        prune.without(tiny_gpt2, [1], stack="encoder")
    with pytest.raises(InputError, match="magnitude, fapm, random"):
        prune.update(tiny_gpt2, tiny_gpt2, 0.5, score="wanda")
    for other in (tiny_llama, prune.without(tiny_gpt2, [12]), untie(copy.deepcopy(tiny_gpt2))):
        with pytest.raises(InputError, match="so there is no update"):
            prune.update(tiny_gpt2, other, 0.5)
    with pytest.raises(InputError, match="A str is no model"):
        prune.magnitude("nano-gpt2", 0.5)


def test_torchs_own_masks_have_the_traps_that_these_have_not(tiny_gpt2: Any, tmp_path: Any) -> None:
    """What the notebook tells of torch.nn.utils.prune, and that a copy of ours is a copy."""
    pruned = prune.magnitude(tiny_gpt2, 0.5)
    Masked()(pruned)
    assert prune.sparsity(copy.deepcopy(pruned))["all"] == 0.5
    torch_prune.l1_unstructured(tiny_gpt2.transformer.h[0].mlp.c_fc, "weight", amount=0.5)
    tiny_gpt2(IDS)  # the weight is now computed, no leaf of the graph
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(tiny_gpt2)
