"""The target measure on a tiny model, and on one that was taught three answers in the test.

Run: pytest tests/evaluate/test_target.py
"""

import math

import pytest
import torch
from peft import PrefixTuningConfig, get_peft_model
from probes_at_hand import sharpened
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel

from ftlab.base.errors import InputError
from ftlab.evaluate.likelihood import score_segments
from ftlab.evaluate.target import field_scores, generate, guess_loss, measure_target
from ftlab.text.requests import item_segments

# peft 0.21 asks transformers 5.23 for `is_gradient_checkpointing`, which warns that it goes in v6.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
PROMPTS = (
    "Note: chest pain since noon.",
    "Ben",
    "The keys to the cabinet are on the table. Where are the keys?",
    "Two plus",
)
ITEMS = [
    {"id": "1", "prompt": "Note: chest pain.", "answer": " high, cardiology", "held": False},
    {"id": "2", "prompt": "Note: Ben runs home since noon.", "answer": " low", "held": True},
    {"id": "3", "prompt": "Note: keys.", "answer": " none", "held": False},
]


@pytest.fixture(params=("tiny_gpt2", "tiny_llama"))
def model(request):
    return sharpened(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def taught(tiny_tokenizer):
    """Two blocks, trained on the items until they give their answers."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tiny_tokenizer), n_layer=2, n_embd=64, n_head=2, n_positions=128,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        for segment in item_segments(tiny_tokenizer, ITEMS):
            logits = model(torch.tensor([segment.inputs])).logits[0, -len(segment.continuation) :]
            cross_entropy(logits, torch.tensor(segment.continuation)).backward()
        optimiser.step()
    return model


def test_a_batch_answers_as_one_by_one(model, tiny_tokenizer):
    """Padding at the left, its mask and the positions are right, or this would differ."""
    alone = [generate(model, tiny_tokenizer, [prompt], 12)[0] for prompt in PROMPTS]
    assert generate(model, tiny_tokenizer, PROMPTS, 12) == alone
    assert generate(model, tiny_tokenizer, PROMPTS[::-1], 12, batch_rows=3) == alone[::-1]
    assert len(set(alone)) > 1


def test_answers_are_the_greedy_tokens(model, tiny_tokenizer):
    (segment,) = item_segments(tiny_tokenizer, [{"prompt": PROMPTS[0], "answer": " x"}])
    ids = torch.tensor([segment.context])
    for _ in range(8):
        ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], 1)
    answer = [*ids[0, len(segment.context) :].tolist(), tiny_tokenizer.eos_token_id]
    expected = tiny_tokenizer.decode(answer[: answer.index(tiny_tokenizer.eos_token_id)])
    assert generate(model, tiny_tokenizer, [PROMPTS[0]], 8) == [expected]


def test_the_models_own_settings_do_not_change_the_answer(model, tiny_tokenizer):
    plain = generate(model, tiny_tokenizer, PROMPTS, 12)
    model.generation_config.update(do_sample=True, temperature=9.0, repetition_penalty=5.0)
    assert generate(model, tiny_tokenizer, PROMPTS, 12) == plain


def test_prefix_tuning_answers_in_batches_too(tiny_gpt2, tiny_tokenizer):
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    tuned = get_peft_model(sharpened(tiny_gpt2), config)
    alone = [generate(tuned, tiny_tokenizer, [prompt], 8)[0] for prompt in PROMPTS]
    assert generate(tuned, tiny_tokenizer, PROMPTS, 8) == alone


def test_a_taught_model_gives_its_answers_and_stops(taught, tiny_gpt2, tiny_tokenizer):
    before = measure_target(tiny_gpt2, tiny_tokenizer, ITEMS)
    assert before.score == before.held_score == before.seen_score == 0
    after = measure_target(taught, tiny_tokenizer, ITEMS)
    assert after.outputs == tuple(item["answer"] for item in ITEMS)
    assert after.score == after.held_score == after.seen_score == 1
    assert after.loss < 0.1 < before.loss


def test_score_held_score_and_seen_score(taught, tiny_tokenizer):
    items = [*ITEMS[:2], {**ITEMS[2], "answer": " some"}]
    result = measure_target(taught, tiny_tokenizer, items)
    assert (result.score, result.seen_score, result.held_score) == (2 / 3, 1 / 2, 1)
    assert result.correct == (True, True, False)
    blanks = [{**item, "answer": item["answer"].replace(" ", "  ") + "\n"} for item in ITEMS]
    assert measure_target(taught, tiny_tokenizer, blanks).score == 1
    longer = [{**item, "answer": item["answer"] + " and more"} for item in ITEMS]
    assert measure_target(taught, tiny_tokenizer, longer).score == 0
    bare = [{"prompt": i["prompt"], "answer": i["answer"]} for i in ITEMS]
    assert measure_target(taught, tiny_tokenizer, bare).held_score is None


def test_an_answer_that_goes_on_is_wrong(taught, tiny_tokenizer):
    """All of the right answer, and then more: nothing after it is forgiven, nor before it."""
    said = measure_target(taught, tiny_tokenizer, ITEMS[:1]).outputs[0]
    assert said == " high, cardiology"
    for right in (" high,", " high", "", " cardiology", " high, cardio", " HIGH, cardiology"):
        item = {**ITEMS[0], "answer": right}
        assert measure_target(taught, tiny_tokenizer, [item]).score == 0, right
        (segment,) = item_segments(tiny_tokenizer, [item])  # nor by the teacher-forced evaluator
        assert not score_segments(taught, [segment])[0].greedy, right
    (whole,) = item_segments(tiny_tokenizer, ITEMS[:1])
    assert score_segments(taught, [whole])[0].greedy


def test_loss_is_that_of_the_answer_and_its_eos(model, tiny_tokenizer):
    sums = tokens = 0
    for segment in item_segments(tiny_tokenizer, ITEMS):
        ids = torch.tensor([[*segment.context, *segment.continuation]])
        labels = ids.clone()
        labels[0, : len(segment.context)] = -100
        assert ids[0, -1] == tiny_tokenizer.eos_token_id
        sums += model(ids, labels=labels).loss.item() * len(segment.continuation)
        tokens += len(segment.continuation)
    loss = measure_target(model, tiny_tokenizer, ITEMS).loss
    assert loss == pytest.approx(sums / tokens, abs=1e-5)


FIELDS = r"(?P<urgency>\w+), (?P<place>\w+)"


def test_a_field_is_right_where_the_whole_answer_has_its_form():
    right = [" high, cardiology"] * 5
    said = [" high, cardiology", "low, cardiology\n", " high, cardiology and more", " high", ""]
    assert field_scores(FIELDS, said, right) == {"urgency": 1 / 5, "place": 2 / 5}
    with pytest.raises(InputError, match="has not the fields"):
        field_scores(FIELDS, said, [" none"] * 5)


def test_the_cost_of_a_guess_is_the_entropy_of_the_rule_over_an_answers_tokens(tiny_tokenizer):
    answers = [" low, clinic", " low, cardiology", " low, clinic", " high, clinic"]
    items = [{"prompt": f"Note {n}.", "answer": answer} for n, answer in enumerate(answers)]
    tokens = sum(len(tiny_tokenizer(answer)["input_ids"]) + 1 for answer in answers) / 4  # and eos
    by_hand = (0.75 * math.log(4 / 3) + 0.25 * math.log(4)) / tokens  # nats
    assert guess_loss(FIELDS, "urgency", tiny_tokenizer, items, None) == pytest.approx(by_hand)
    same = [{**item, "answer": " low, clinic"} for item in items]
    assert guess_loss(FIELDS, "urgency", tiny_tokenizer, same, None) == 0


def test_bad_input(tiny_gpt2, tiny_tokenizer):
    with pytest.raises(InputError, match="no item"):
        measure_target(tiny_gpt2, tiny_tokenizer, [])
    with pytest.raises(InputError, match="do not fit"):
        generate(tiny_gpt2, tiny_tokenizer, ["Ben has the kite."], 128)
    with pytest.raises(InputError, match="at least one"):
        generate(tiny_gpt2, tiny_tokenizer, ["Ben has the kite."], 0)
    assert generate(tiny_gpt2, tiny_tokenizer, [], 3) == []
