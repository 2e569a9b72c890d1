"""Tokens that are not there: read right, counted, and within the context.

pytest tests/methods/test_virtual_tokens.py
"""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from ftlab.evaluate.likelihood import document_loss, score_segments, score_texts
from ftlab.evaluate.probing import states
from ftlab.evaluate.target import _continue, _how, generate
from ftlab.methods import Bottleneck, Prefix, Prompt, adapter_off
from ftlab.plan import Plan
from ftlab.text.scored_batches import Rows, context_limit, last_logits, virtual_tokens
from ftlab.text.segments import Segment, encode, prefix_id
from ftlab.train.loop import train

TEXT = (5, 9, 33, 7)
IDS = torch.tensor([[40, 41, 42, 43, 44]])
ROWS = [{"prompt": f"Item {n}:", "answer": f" word{n} is here."} for n in range(8)]
BOTH = [Prompt(4), Prefix(4), Prefix(4, start="vocabulary"), Prompt(4, start="random")]
POSSIBLE = [(model, m) for model in ("tiny_gpt2", "tiny_llama") for m in BOTH] + [
    ("tiny_t5", m) for m in BOTH if m.name != "prefix_words"
]


def decisive(model: Any) -> Any:
    """The random model with larger weights, so that it does not say one token again and again."""
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim > 1:
                p.mul_(4)
    return model


def logits(model: Any, ids: torch.Tensor = IDS) -> torch.Tensor:
    """The logits after each token of the text. (1, T, V)"""
    rows = Rows(ids=ids, mask=torch.ones_like(ids), logits_to_keep=ids.shape[1])
    with torch.no_grad():
        return last_logits(model, rows)


@pytest.mark.parametrize("method", [Prefix, Prompt])
@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama"])
def test_from_a_text_it_says_what_the_base_says_after_that_text(method, fixture, request):
    model = decisive(request.getfixturevalue(fixture))
    whole = torch.cat([torch.tensor([TEXT]), IDS], dim=1)
    after = logits(model, whole)[:, len(TEXT) :]
    made = method(len(TEXT), start=list(TEXT))(model)
    torch.testing.assert_close(logits(made.model), after, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        made.model(input_ids=IDS).logits[:, -5:], after, atol=1e-4, rtol=1e-4
    )


def test_zero_keys_are_not_zero_effect(tiny_gpt2):
    before = logits(decisive(tiny_gpt2))
    assert (logits(Prefix(start="zeros")(tiny_gpt2).model) - before).abs().max() > 0.1


def test_each_start_is_what_it_is_called(tiny_gpt2):
    """Zeros are zeros, random is not, and words are drawn anew from the whole vocabulary."""

    def start(method: Any, seed: int = 0) -> torch.Tensor:
        torch.manual_seed(seed)
        made = method(copy.deepcopy(tiny_gpt2)).model
        return made.prompt_encoder["default"].embedding.weight.detach()

    assert not start(Prefix(4, start="zeros")).any()
    assert start(Prefix(4)).std() > 0.5 and start(Prompt(4, start="random")).std() > 0.5
    table = tiny_gpt2.transformer.wte.weight
    drawn = [torch.cdist(start(Prompt(8), seed), table).min(1) for seed in (0, 1)]
    assert all(row.values.max() < 1e-4 for row in drawn)
    assert not torch.equal(drawn[0].indices, drawn[1].indices)
    one, other = (start(Prefix(8, start="vocabulary"), seed) for seed in (0, 1))
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("start", ["random", "zeros"])
def test_of_a_t5_the_prefix_reaches_the_decoders_own_attention_alone(start, tiny_t5):
    """Where that attention gives nothing, the prefix changes nothing."""
    given = {"input_ids": IDS, "decoder_input_ids": IDS}
    before = tiny_t5(**given).logits
    model = Prefix(start=start)(tiny_t5).model
    assert not torch.allclose(model(**given).logits, before, atol=1e-2)
    with torch.no_grad():
        for block in tiny_t5.decoder.block:
            block.layer[0].SelfAttention.o.weight.zero_()
        with adapter_off(model):
            silent = model(**given).logits
        assert torch.equal(model(**given).logits, silent)


@pytest.mark.parametrize(("fixture", "method"), POSSIBLE, ids=str)
def test_the_table_has_a_place_for_them(method, fixture, request):
    moving = method(request.getfixturevalue(fixture))
    first, *others = moving.table()
    assert (first.part, first.what, first.lr) == ("virtual tokens", "4 tokens", 1.0)
    assert first.trainable == moving.trainable and not any(row.trainable for row in others)
    named = [n for n, p in moving.model.named_parameters() if p.requires_grad]
    assert named == ["prompt_encoder.default.embedding.weight"]


def test_every_trained_parameter_is_read(tiny_t5):
    """peft's own prompt of a T5 has a second table that has no gradient."""
    for method in (Prompt(4), Prefix(4)):
        model = method(copy.deepcopy(tiny_t5)).model
        model(input_ids=IDS, decoder_input_ids=IDS).logits.square().sum().backward()
        grad = model.prompt_encoder["default"].embedding.weight.grad
        assert (grad.abs().sum(1) > 0).all(), method.name


@pytest.mark.parametrize("method", BOTH, ids=lambda m: m.name)
@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama"])
def test_answers_do_not_depend_on_who_is_answered_beside_them(
    method, fixture, request, tiny_tokenizer
):
    """peft gives padded rows of a prompt wrong positions: its logits move by 2."""
    torch.manual_seed(0)
    model = method(decisive(request.getfixturevalue(fixture))).model
    asked = ["Note", "The capital of France is", "Ben has", "Three plus four is seven. Two"]
    together = generate(model, tiny_tokenizer, asked, 8)
    assert together == [generate(model, tiny_tokenizer, [text], 8)[0] for text in asked]
    assert len(set(together)) > 1


@pytest.mark.parametrize(("fixture", "method"), [*POSSIBLE, ("tiny_gpt2", Bottleneck())], ids=str)
def test_what_it_writes_is_what_it_scores_highest(method, fixture, request):
    """Token by token, with a cache, and all at once, teacher-forced: one model."""
    torch.manual_seed(0)
    start = 0 if fixture == "tiny_t5" else None
    model = method(decisive(request.getfixturevalue(fixture))).model
    for prompt in ((5, 9, 33), (7,)):
        said = tuple(_continue(model, [prompt], _how(6, -1, start, drawn=False))[0])
        assert len(said) == 6
        (score,) = score_segments(model, [Segment(prompt, said, start)])
        assert score.greedy and score.logprob < 0


def test_scores_do_not_depend_on_who_is_scored_beside_them(tiny_gpt2, tiny_tokenizer):
    pairs = [("The capital of", " Norway"), ("Note:", " chest pain since noon."), ("", "Ben")]
    for method in BOTH:
        model = method(copy.deepcopy(tiny_gpt2)).model
        together = [s.logprob for s in score_texts(model, tiny_tokenizer, pairs)]
        alone = [score_texts(model, tiny_tokenizer, [pair])[0].logprob for pair in pairs]
        assert together == pytest.approx(alone, abs=1e-4)


def test_they_take_up_the_context(tiny_gpt2, tiny_tokenizer):
    model = Prefix(20)(tiny_gpt2).model
    assert (virtual_tokens(model), context_limit(model)) == (20, 108)
    long = "Q" * 115  # a token each
    document_loss(model, tiny_tokenizer, [long])  # in windows that fit
    with pytest.raises(InputError, match=r"108 tokens the model reads \(beside its 20 virtual"):
        generate(model, tiny_tokenizer, [long[:98]], 12)
    with pytest.raises(InputError, match=r"at most 108 \(beside its 20 virtual tokens\)"):
        score_texts(model, tiny_tokenizer, [(long, " x")])
    with pytest.raises(InputError, match="108 are allowed"):
        rows = [{"prompt": long, "answer": " x"}]
        list(train(model, tiny_tokenizer, rows, Plan(steps=1, max_tokens=128)))
    with adapter_off(model):
        assert (virtual_tokens(model), context_limit(model)) == (0, 128)
        score_texts(model, tiny_tokenizer, [(long, " x")])
        generate(model, tiny_tokenizer, [long[:98]], 12)


def test_probes_read_the_text_and_not_the_prompt(tiny_gpt2, tiny_tokenizer):
    ids = encode(tiny_tokenizer, ["Note: chest"])[0]
    first = prefix_id(tiny_tokenizer)
    base = states(tiny_gpt2, tiny_tokenizer, ["Ben", "Note: chest"])
    embedded = tiny_gpt2.transformer.wte.weight[ids[-1]]
    model = Prompt(4, start=(first,))(tiny_gpt2).model
    found = states(model, tiny_tokenizer, ["Ben", "Note: chest"])
    assert found.shape == base.shape
    place = tiny_gpt2.transformer.wpe.weight[4 + len(ids)]
    torch.testing.assert_close(found[0, 1], (embedded + place).detach())


def test_a_prefix_refuses_what_would_drop_it(tiny_gpt2, tiny_tokenizer):
    plan = Plan(steps=1, batch_size=2, gradient_checkpointing=True)
    with pytest.raises(InputError, match="keys and values of a prefix"):
        train(Prefix()(copy.deepcopy(tiny_gpt2)).model, tiny_tokenizer, ROWS, plan)
    losses = []
    for on in (True, False):
        model = Prompt(start=TEXT)(copy.deepcopy(tiny_gpt2)).model
        plan = Plan(steps=2, batch_size=2, lr=0.1, gradient_checkpointing=on)
        losses.append([s.loss for s in train(model, tiny_tokenizer, ROWS, plan)][1:])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@given(st.sampled_from([Prefix, Prompt]), st.integers(-3, 0) | st.sampled_from([1.5, "8", True]))
def test_a_wrong_number_of_tokens_is_refused(method, tokens):
    with pytest.raises(InputError, match=r"tokens=.* give a whole number from 1 up"):
        method(tokens)


@pytest.mark.parametrize("method", [Prefix, Prompt])
@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("text", "start='text' is not known; choose one of"),
        ((), "holds no token"),
        (7, "start=7 is not possible; give a word such as .* or the token ids of a text"),
        ((5, -1), "a token of start=-1"),
        ((5, True), r"start=\(5, True\) is not possible; give .* the token ids of a text"),
        ((5, "x"), r"start=\(5, 'x'\) is not possible; give .* the token ids of a text"),
    ],
)
def test_a_wrong_start_is_refused(method, start, words):
    with pytest.raises(InputError, match=words):
        method(start=start)


def test_what_does_not_fit_the_model_is_refused(tiny_gpt2, tiny_t5):
    for method in (Prefix, Prompt):
        with pytest.raises(InputError, match="128 virtual tokens leave no room"):
            method(128)(tiny_gpt2)
        with pytest.raises(InputError, match="start holds token 9999 and the model knows"):
            method(start=(9999,))(tiny_gpt2)
    with pytest.raises(InputError, match="encoder-decoder model starts at random or zeros"):
        Prefix(start="vocabulary")(tiny_t5)


def test_names_follow_from_the_start():
    names = [Prefix().name, Prefix(9, start="vocabulary").name, Prefix(start=[1]).name]
    assert names == ["prefix", "prefix_words", "Prefix from text"]
    assert [Prompt(3).name, Prompt(start=(1,)).name] == ["prompt", "Prompt from text"]
    assert Prefix(start=[1, 2]) == Prefix(start=(1, 2)) and Prefix(name="mine").name == "mine"
