"""What a model writes itself: drawn from its own probabilities, ended, no text twice.

pytest tests/evaluate/test_own_texts.py
"""

import pytest
import torch

import ftlab
from ftlab.base.errors import InputError
from ftlab.evaluate.own_texts import TOKENS, own_texts
from ftlab.evaluate.target import generate


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen texts are written at a time, not 64: a few make more than one batch."""
    monkeypatch.setattr("ftlab.evaluate.own_texts.BATCH_ROWS", 16)


def test_drawn_tokens_have_the_models_probabilities(tiny_gpt2, tiny_tokenizer) -> None:
    """Of 4,000 first tokens each comes as often as its probability says (a chi-squared test)."""
    drawn: list[str] = []
    for seed in range(10):
        drawn += generate(tiny_gpt2, tiny_tokenizer, ["a"] * 400, 1, seed=seed, batch_rows=400)
    ids = [0, *tiny_tokenizer("a")["input_ids"]]
    with torch.no_grad():
        p = tiny_gpt2(torch.tensor([ids])).logits[0, -1].softmax(-1)
    likely = p.topk(5).indices.tolist()
    words = {i: tiny_tokenizer.decode([i], skip_special_tokens=True) for i in range(len(p))}
    for i in likely:
        expected = 4000 * float(sum(p[j] for j, word in words.items() if word == words[i]))
        assert abs(drawn.count(words[i]) - expected) < 5 * expected**0.5 + 1


def test_the_seed_decides_and_the_callers_own_does_not(lab) -> None:
    torch.manual_seed(3)
    first = lab.own_items(8)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), after)
    assert lab.own_items(8) == first != lab.own_items(8, seed=1)


def test_texts_are_whole_and_no_text_comes_twice(lab) -> None:
    rows = lab.own_items(20)  # of more than one batch
    texts = [row["answer"] for row in rows]
    assert len(set(texts)) == len(texts) == 20
    assert all(0 < len(lab.tokenizer(text)["input_ids"]) < TOKENS for text in texts)
    assert all(row["prompt"] == "" for row in rows)


def test_a_model_that_ends_nothing_is_cut_after_a_sentence(lab, monkeypatch) -> None:
    long = "One. Two is here. " + "and so on " * 60
    said = iter(range(10**6))
    monkeypatch.setattr(
        "ftlab.evaluate.own_texts.generate",
        lambda model, tokenizer, prompts, *more, **rest: [f"{next(said)}. {long}" for _ in prompts],
    )
    rows = own_texts(lab.bundle.model, lab.tokenizer, [], 70, 0)
    assert len(rows) == 70 and all(row["answer"].endswith("Two is here.") for row in rows)


def test_a_model_that_says_one_thing_is_refused(lab, monkeypatch) -> None:
    monkeypatch.setattr("ftlab.evaluate.own_texts.generate", lambda *given, **more: ["Yes."] * 64)
    with pytest.raises(InputError, match=r"1 hold a sentence .* 60 are needed"):
        own_texts(lab.bundle.model, lab.tokenizer, [], 60, 0)


def test_an_encoder_decoder_model_writes_nothing_unasked() -> None:
    lab = ftlab.open_lab("new_words", model="nano-t5", target_items=4, per_skill=2, documents=2)
    with pytest.raises(InputError, match="writes no text unasked"):
        lab.own_items(4)


def test_earlier_prompts_are_answered_and_replayed(lab) -> None:
    try:
        lab.earlier = lab.items(3)
        rows = lab.own_items(10)
        asked = [row["prompt"] for row in rows if row["prompt"]]
        assert len(rows) == 10 and len(asked) >= 3
        assert set(asked) <= {row["prompt"] for row in lab.earlier}
        replayed = lab.replay_rows(9)
        assert [row["prompt"] == "" for row in replayed] == [True, False] * 4 + [True]
    finally:
        lab.earlier = []


@pytest.mark.parametrize("source", ["own", "english"])
def test_what_is_replayed_can_be_chosen(lab, source) -> None:
    plan = ftlab.Plan(steps=2, batch_size=10, measure_every=0)
    run = lab.run(plan, replay=0.2, replay_source=source, store=False)
    replayed = [row for row in run.rows if row["id"].startswith(("replay", "own"))]
    assert len(replayed) == 4 and len(run.rows) == 20
    wanted = lab.own_items(4) if source == "own" else lab.replay_rows(4, "english")
    assert [row["answer"] for row in replayed] == [row["answer"] for row in wanted]
    assert run.finish().record.extra["replay_source"] == source
    assert "no command" in run.record.command


def test_a_source_that_is_none_is_named(lab) -> None:
    with pytest.raises(InputError, match="replay_source='latin'"):
        lab.run(ftlab.Plan(steps=1), replay=0.1, replay_source="latin")
    with pytest.raises(InputError, match="replay"):
        lab.run(ftlab.Plan(steps=1), replay_source="own")
