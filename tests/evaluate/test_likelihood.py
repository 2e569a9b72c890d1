"""Our log-likelihoods against the model's own loss, one text at a time, the plain way.

Run: pytest tests/evaluate/test_likelihood.py
"""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from probes_at_hand import sharpened
from torch.nn.functional import cross_entropy

from ftlab.base.errors import InputError
from ftlab.evaluate.likelihood import document_loss, score_segments, score_texts
from ftlab.text.requests import document_segments, pair_segments
from ftlab.text.scored_batches import batches, evaluating
from ftlab.text.segments import Segment, encode, prefix_id

TEXTS = (
    "The capital of France is Paris.",
    "Ben has the kite. Ann has the ball. What does Ben have? The kite.",
    "Nine.",
    "The keys to the cabinet are on the table.",
)
PAIRS = [
    ("The capital of France is", " Paris"),
    ("The capital of France is", " Oslo, near the table"),
    ("", "The boy near the dogs runs home."),
    ("", "The boy near the dogs run home."),
    ("Two plus two is ", "four"),
    ("What does Ben have?", " The kite."),
]
# peft 0.21 asks transformers 5.23 for `is_gradient_checkpointing`, which warns that it goes in v6.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
MODELS = ("tiny_gpt2", "tiny_llama")


@pytest.fixture(params=MODELS)
def model(request):
    return sharpened(request.getfixturevalue(request.param))


def ids_of(tokenizer, text):
    return torch.tensor([[prefix_id(tokenizer), *encode(tokenizer, [text])[0]]])


def plain(model, context, continuation):
    """The same by one full forward pass a text, with no batch, no padding and no sharing."""
    ids = torch.tensor([[*context, *continuation]])
    with torch.no_grad():
        logprobs = model(ids).logits[0, :-1].double().log_softmax(-1)
    logprobs, tail = logprobs[-len(continuation) :], ids[0, -len(continuation) :]
    return (
        logprobs.gather(1, tail[:, None]).sum().item(),
        bool((logprobs.argmax(-1) == tail).all()),
    )


def assert_close(scores, expected):
    for score, (logprob, greedy) in zip(scores, expected, strict=True):
        assert score.logprob == pytest.approx(logprob, abs=1e-4)
        assert score.greedy == greedy


def test_loss_is_the_loss_of_the_model(model, tiny_tokenizer):
    """The shift test: with one padded batch, and each text by itself."""
    own = [
        model(ids, labels=ids).loss.item()
        for ids in (ids_of(tiny_tokenizer, text) for text in TEXTS)
    ]
    batched = document_loss(model, tiny_tokenizer, TEXTS)
    assert batched.per_document == pytest.approx(own, abs=1e-5)
    for text, expected in zip(TEXTS, own, strict=True):
        assert document_loss(model, tiny_tokenizer, [text]).nats_per_token == pytest.approx(
            expected, abs=1e-5
        )


def test_the_shift_test_can_fail(model, tiny_tokenizer):
    """Compared with the logits at its own position, as PEFT's metric once did, it is far off."""
    ids = ids_of(tiny_tokenizer, TEXTS[1])
    unshifted = cross_entropy(model(ids).logits[0, 1:], ids[0, 1:]).item()
    # a thousand times the tolerance of the test above
    assert abs(unshifted - model(ids, labels=ids).loss.item()) > 1e-2


def test_loss_is_pooled_over_tokens(model, tiny_tokenizer):
    loss = document_loss(model, tiny_tokenizer, TEXTS)
    nats = sum(p * n for p, n in zip(loss.per_document, loss.lengths, strict=True))
    assert loss.tokens == sum(len(ids) for ids in encode(tiny_tokenizer, TEXTS))
    assert loss.nats_per_token == pytest.approx(nats / loss.tokens)
    assert loss.bits_per_byte == pytest.approx(nats / math.log(2) / len("".join(TEXTS).encode()))


def test_scores_are_those_of_the_plain_way(model, tiny_tokenizer):
    segments = pair_segments(tiny_tokenizer, PAIRS)
    greedy = greedy_segment(model, segments[0].context)
    expected = [plain(model, p.context, p.continuation) for p in [*segments, greedy]]
    scores = score_segments(model, [*segments, greedy])
    assert_close(scores, expected)
    assert [s.greedy for s in scores][-1] and not all(s.greedy for s in scores)
    assert [s.tokens for s in scores] == [len(p.continuation) for p in [*segments, greedy]]


def greedy_segment(model, context, new=3):
    ids = torch.tensor([context])
    for _ in range(new):
        ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], 1)
    return Segment(tuple(context), tuple(ids[0, len(context) :].tolist()))


tokens = st.lists(st.integers(1, 250), min_size=1, max_size=12)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    segments=st.lists(st.tuples(tokens, tokens), min_size=1, max_size=12),
    batch_tokens=st.sampled_from([1, 20, 60, 1000]),
    order=st.randoms(use_true_random=False),
)
def test_neither_batch_size_nor_order_changes_a_score(tiny_gpt2, segments, batch_tokens, order):
    segments = [Segment((0, *context), tuple(rest)) for context, rest in segments]
    alone = [score_segments(tiny_gpt2, [segment])[0] for segment in segments]
    places = list(range(len(segments)))
    order.shuffle(places)
    together = score_segments(tiny_gpt2, [segments[i] for i in places], batch_tokens=batch_tokens)
    for i, score in zip(places, together, strict=True):
        assert score.logprob == pytest.approx(alone[i].logprob, abs=1e-4)
        assert score.tokens == alone[i].tokens


def test_what_is_shared_is_run_once(tiny_gpt2):
    """Four one-token choices of a query are one row, and so is another text that goes on."""
    four = [Segment((0, 5, 6), (choice,)) for choice in (7, 8, 9, 10)]
    longer = Segment((0, 5), (6, 7, 8))
    (batch,) = batches([*four, longer], tiny_gpt2)
    assert batch.ids.tolist() == [[0, 5, 6, 7]]
    assert batch.logits_to_keep == 3  # the first scored position of `longer` is the second of four
    assert sorted(batch.segment.tolist()) == [0, 1, 2, 3, 4, 4, 4]


def test_a_batch_keeps_within_its_budget(tiny_gpt2):
    segments = [Segment((0,), tuple(range(1, n))) for n in range(3, 40)]
    segments = [
        Segment((n,), segment.continuation) for n, segment in enumerate(segments)
    ]  # nothing shared
    made = list(batches(segments, tiny_gpt2, batch_tokens=100))
    assert all(batch.ids.numel() <= 100 for batch in made)
    assert sum(len(batch.ids) for batch in made) == len(segments)


def test_a_fresh_lora_scores_as_the_base(model, tiny_tokenizer):
    before = score_texts(model, tiny_tokenizer, PAIRS)
    assert score_texts(lora(model).train(), tiny_tokenizer, PAIRS) == before


def test_a_moved_lora_scores_as_the_plain_way(model, tiny_tokenizer):
    tuned = lora(model)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    segments = pair_segments(tiny_tokenizer, PAIRS)
    scores = score_segments(tuned.train(), segments)
    assert_close(scores, [plain(tuned.eval(), p.context, p.continuation) for p in segments])


def lora(model):
    gpt2 = model.config.model_type == "gpt2"
    config = LoraConfig(
        r=4, target_modules=["c_attn" if gpt2 else "q_proj"], fan_in_fan_out=gpt2, lora_dropout=0.5
    )
    return get_peft_model(model, config)


def test_prompt_tuning_puts_its_tokens_before_the_text(tiny_gpt2, tiny_tokenizer):
    """Its logits are longer than its input: positions must be counted from the end."""
    tuned = get_peft_model(
        tiny_gpt2, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    )
    segments = pair_segments(tiny_tokenizer, PAIRS)
    expected = [plain(tuned, p.context, p.continuation) for p in segments]
    assert_close(score_segments(tuned, segments), expected)


def test_the_model_comes_back_in_its_mode(tiny_gpt2, tiny_tokenizer):
    tiny_gpt2.train()
    tiny_gpt2.transformer.h[0].eval()  # a part that was put into eval mode on purpose
    modes = [module.training for module in tiny_gpt2.modules()]
    first = document_loss(tiny_gpt2, tiny_tokenizer, TEXTS)
    assert document_loss(tiny_gpt2, tiny_tokenizer, TEXTS) == first  # no dropout while measuring
    assert [module.training for module in tiny_gpt2.modules()] == modes
    with pytest.raises(RuntimeError), evaluating(tiny_gpt2):
        raise RuntimeError
    assert [module.training for module in tiny_gpt2.modules()] == modes


def test_what_moves_is_measured_as_what_stands_still_and_moves_again(tiny_gpt2, tiny_tokenizer):
    """torch multiplies with weights that ask for a gradient in another way: other last bits."""
    tiny_gpt2.transformer.h[:6].requires_grad_(False)
    moves = [p.requires_grad for p in tiny_gpt2.parameters()]
    with evaluating(tiny_gpt2):
        assert not any(p.requires_grad for p in tiny_gpt2.parameters())
    with pytest.raises(RuntimeError), evaluating(tiny_gpt2):
        raise RuntimeError
    assert [p.requires_grad for p in tiny_gpt2.parameters()] == moves
    first = document_loss(tiny_gpt2, tiny_tokenizer, TEXTS)
    tiny_gpt2.requires_grad_(False)
    assert document_loss(tiny_gpt2, tiny_tokenizer, TEXTS) == first


def test_a_measured_model_can_still_be_trained(tiny_llama, tiny_tokenizer):
    document_loss(tiny_llama, tiny_tokenizer, TEXTS)
    ids = ids_of(tiny_tokenizer, TEXTS[0])
    tiny_llama.train()(ids, labels=ids).loss.backward()


def test_a_long_document_is_scored_in_windows(tiny_gpt2, tiny_tokenizer):
    text = " ".join(TEXTS * 8)
    (windows,) = document_segments(tiny_tokenizer, [text], 128)
    ids = ids_of(tiny_tokenizer, text)[0].tolist()
    assert len(windows) > 1
    assert [t for w in windows for t in w.continuation] == ids[1:]
    assert all(len(w.inputs) == 128 for w in windows)
    assert windows[0].context == (0,)
    assert windows[1].context[-1:] == windows[0].continuation[-1:]
    assert document_loss(tiny_gpt2, tiny_tokenizer, [text]).tokens == len(ids) - 1


def test_blanks_at_the_end_of_a_query_belong_to_the_choice(tiny_tokenizer):
    one, other = pair_segments(tiny_tokenizer, [("It is ", "four"), ("It is", " four")])
    assert one == other


def test_tokens_that_no_text_can_have(tiny_gpt2, tiny_tokenizer):
    with pytest.raises(InputError, match="empty"):
        document_loss(tiny_gpt2, tiny_tokenizer, ["Nine.", ""])
    with pytest.raises(InputError, match="at least one text"):
        document_loss(tiny_gpt2, tiny_tokenizer, [])
    with pytest.raises(InputError, match="empty text"):
        score_texts(tiny_gpt2, tiny_tokenizer, [("What?", "")])
    with pytest.raises(InputError, match="at most 128"):
        score_texts(tiny_gpt2, tiny_tokenizer, [(" ".join(TEXTS * 8), " Paris")])
    assert score_texts(tiny_gpt2, tiny_tokenizer, []) == []


def test_a_tokenizer_without_a_prefix_token(tiny_tokenizer):
    class Bare:
        bos_token_id = eos_token_id = None

    with pytest.raises(InputError, match="eos"):
        prefix_id(Bare())
