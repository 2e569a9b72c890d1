"""Probes read what is there, and nothing that is not. pytest tests/evaluate/test_probing.py"""

import pytest
import torch

from ftlab.base.errors import InputError
from ftlab.datasets.load import load_suite
from ftlab.evaluate.likelihood import score_texts
from ftlab.evaluate.probing import logit_lens, probe, states
from ftlab.models.loading import load

TEXTS = ["The capital of France is", "Ben has the kite.", "Three plus four"]


@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama"])
def test_states_are_those_of_the_library(fixture, request, tiny_tokenizer):
    model = request.getfixturevalue(fixture)
    ours = states(model, tiny_tokenizer, TEXTS)
    for n, text in enumerate(TEXTS):
        ids = torch.tensor([[0, *tiny_tokenizer(text).input_ids]])
        theirs = model(ids, output_hidden_states=True).hidden_states
        assert len(ours) == len(theirs)
        for layer in range(len(theirs) - 1):  # the library's last one is normed
            torch.testing.assert_close(ours[layer, n], theirs[layer][0, -1], atol=1e-5, rtol=1e-5)


def test_a_probe_reads_a_direction_and_not_noise():
    torch.manual_seed(0)
    x = torch.randn(300, 16)
    labels = (x[:, 3] > 0).long().tolist()
    noise = torch.randint(0, 2, (300,)).tolist()
    assert probe(x[:200], labels[:200], x[200:], labels[200:]) > 0.9
    assert 0.3 < probe(x[:200], noise[:200], x[200:], noise[200:]) < 0.7


def test_the_last_layer_of_the_lens_is_the_model():
    bundle, facts = load("nano-gpt2"), [p for p in load_suite("world").probes if p.skill == "facts"]
    chosen = facts[:40]
    shares = logit_lens(
        bundle.model, bundle.tokenizer, [p.query for p in chosen], [p.choices[0] for p in chosen]
    )
    said = score_texts(
        bundle.model,
        bundle.tokenizer,
        [(p.query, bundle.tokenizer.decode(_first(bundle.tokenizer, p))) for p in chosen],
    )
    right = sum(one.greedy for one in said) / len(chosen)
    assert (
        len(shares) == 13 and shares[-1] == pytest.approx(right) and shares[0] < 0.1 < 0.8 < right
    )


def _first(tokenizer, probe_):
    return tokenizer(probe_.choices[0], add_special_tokens=False)["input_ids"][:1]


def test_bad_input(tiny_gpt2, tiny_t5, tiny_tokenizer):
    with pytest.raises(InputError, match="texts is empty"):
        states(tiny_gpt2, tiny_tokenizer, ["a", ""])
    with pytest.raises(InputError, match="every state needs one label"):
        probe(torch.zeros(3, 2), [0, 1], torch.zeros(1, 2), [0])
    with pytest.raises(InputError, match="final norm"):
        logit_lens(tiny_t5, tiny_tokenizer, ["a"], ["b"])
