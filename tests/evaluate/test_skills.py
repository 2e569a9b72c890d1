"""Skills by probes whose answers are known beforehand, since the model itself chose them.

Run: pytest tests/evaluate/test_skills.py
"""

import pytest
import torch
from probes_at_hand import QUERIES, WORDS, choice_probes, cloze_probes

from ftlab.base.errors import InputError
from ftlab.datasets.load import Probe
from ftlab.evaluate.likelihood import score_texts
from ftlab.evaluate.skills import measure_skills


def test_choice_is_right_where_the_likeliest_is_labelled(tiny_gpt2, tiny_tokenizer):
    for right in (True, False):
        probes = list(choice_probes(tiny_gpt2, tiny_tokenizer, right=right))
        (score,) = measure_skills(tiny_gpt2, tiny_tokenizer, probes).values()
        assert score.accuracy == float(right)
        assert score.chance == 0.25


def test_pair_compares_two_sentences(tiny_gpt2, tiny_tokenizer):
    sentences = ("The boy near the dogs runs home.", "The boy near the dogs run home.")
    first, second = score_texts(tiny_gpt2, tiny_tokenizer, [("", s) for s in sentences])
    label = int(second.logprob > first.logprob)
    probes = [Probe("p", "grammar", "pair", "", sentences, i) for i in (label, 1 - label)]
    score = measure_skills(tiny_gpt2, tiny_tokenizer, probes)["grammar"]
    assert score.correct == (True, False)
    assert (score.accuracy, score.chance, score.n) == (0.5, 0.5, 2)


def test_cloze_asks_for_the_greedy_tokens(tiny_gpt2, tiny_tokenizer):
    for right in (True, False):
        probes = list(cloze_probes(tiny_gpt2, tiny_tokenizer, WORDS, right=right))
        score = measure_skills(tiny_gpt2, tiny_tokenizer, probes)["facts"]
        assert score.n > 3
        assert score.accuracy == float(right)
        assert score.chance == 0.0


def test_skills_keep_their_order_and_their_probes(tiny_gpt2, tiny_tokenizer):
    probes = [
        Probe("1", "recall", "cloze", "Ben has the", (" kite",), 0),
        Probe("2", "facts", "choice", "Paris is in", (" France", " Norway"), 0),
        Probe("3", "recall", "cloze", "Ann has the", (" ball",), 0),
        Probe("4", "facts", "choice", "Oslo is in", (" France", " Norway", " Spain"), 1),
    ]
    scores = measure_skills(tiny_gpt2, tiny_tokenizer, probes)
    assert [(s.skill, s.n) for s in scores.values()] == [("recall", 2), ("facts", 2)]
    assert scores["facts"].chance == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_a_model_that_blew_up_is_wrong_everywhere(tiny_gpt2, tiny_tokenizer):
    """NaN compares with nothing, so the first choice would win and often be the right one."""
    probes = list(choice_probes(tiny_gpt2, tiny_tokenizer, right=True))
    probes += [Probe("cloze", "facts", "cloze", QUERIES[0], (" Paris",), 0)]
    with torch.no_grad():
        tiny_gpt2.transformer.wte.weight.fill_(float("nan"))
    scores = measure_skills(tiny_gpt2, tiny_tokenizer, probes)
    assert {s.accuracy for s in scores.values()} == {0.0}


def test_no_probe(tiny_gpt2, tiny_tokenizer):
    with pytest.raises(InputError, match="no probe"):
        measure_skills(tiny_gpt2, tiny_tokenizer, [])
