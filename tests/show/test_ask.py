"""Ask: what base and trained model write, questions that are ready, slips in a sentence.

pytest tests/show/test_ask.py
"""

from html import unescape
from typing import Any

import pytest

import ftlab
from ftlab.base.errors import InputError
from ftlab.evaluate.target import generate
from ftlab.lab.lab import Lab
from ftlab.show.panels.ask import Ask, ask_panel


@pytest.fixture(scope="module")
def lab() -> Lab:
    return ftlab.open_lab("clinic", model="nano-gpt2", target_items=4, per_skill=2, documents=2)


@pytest.fixture(scope="module")
def run(lab: Lab) -> Any:
    """Twenty steps at a rate so high that facts are lost."""
    return lab.run(ftlab.Plan(steps=20, lr=5e-4, measure_every=0)).finish()


def test_base_and_trained_model_answer_side_by_side(lab: Lab, run: Any) -> None:
    ask = ask_panel(run)
    ask.text.value = "The capital of Norway is"
    ask.button.click()
    for who, model in (("base", lab.bundle.model), ("trained", run.model)):
        said = generate(model, lab.tokenizer, ["The capital of Norway is"], 32)[0].strip()
        assert ask.answers[who] == said and said in unescape(ask.view.value)
    assert run.name in unescape(ask.view.value)


def test_the_ready_questions_are_what_they_say(lab: Lab, run: Any) -> None:
    ask = ask_panel(run)
    answers = {p.query: p.choices[0].strip() for p in lab.suite.probes if p.skill == "facts"}
    ask.ready["lost"].click()
    right = answers[ask.text.value]
    assert ask.answers["base"].startswith(right) and not ask.answers["trained"].startswith(right)
    ask.ready["kept"].click()
    right = answers[ask.text.value]
    assert ask.answers["base"].startswith(right) and ask.answers["trained"].startswith(right)


def test_slips_are_sentences(lab: Lab, run: Any) -> None:
    ask = ask_panel(run)
    ask.ask("  ")
    assert "There is nothing to ask" in ask.view.value
    same = Ask(lab, lambda: ("the base itself", lab.bundle.model))
    same.ready["lost"].click()
    assert "There is no such question (a fact that was lost)" in same.view.value and not same.busy
    with pytest.raises(InputError, match="has no step yet"):
        ask_panel(lab.run(ftlab.Plan(steps=1)))
