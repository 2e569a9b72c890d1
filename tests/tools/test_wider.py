"""The wider text: words' meanings, notes and rules beside the old streams, which keep their bytes.

Run: pytest tests/tools/test_wider.py
"""

import hashlib
import itertools
import re

import pytest

from ftlab.models import load
from tools.pretrain import nano_gpt2
from tools.pretrain.recipes import RECIPES
from tools.pretrain.wider import meanings, notes, plainly
from tools.pretrain.wider import stream as wider
from tools.world import clinic, contracts, helpdesk, ledger
from tools.world.dice import Dice
from tools.world.streams import training_stream
from tools.world.words import NUMBER_WORDS

WIDER = [d.text for d in itertools.islice(wider.wider_stream(), 10_000)]
TEXT = "\n".join(WIDER)


def drawn(one, count=300, seed=3):
    dice = Dice(seed)
    return [one(dice) for _ in range(count)]


@pytest.mark.parametrize(
    ("mixture", "checksum"),
    [
        ("general", "aeeddaf49065cefc"),
        ("looking back", "f7aa4591bbc193f6"),
        ("slow skills", "8c689d2e63d06d0a"),
    ],
)
def test_the_old_streams_keep_their_bytes(mixture, checksum):
    texts = (d.text for d in itertools.islice(training_stream(7, mixture), 2000))
    assert hashlib.sha256("\n".join(texts).encode()).hexdigest().startswith(checksum)


def test_the_wider_stream_is_its_seed():
    first = list(itertools.islice(wider.stream(7), 50))
    assert first == list(itertools.islice(wider.stream(7), 50))
    assert first != list(itertools.islice(wider.stream(8), 50))
    assert sum(share for _, share in wider.KINDS) == pytest.approx(1)


def test_no_format_of_a_domain_stands_in_the_wider_text():
    for mark in ("Triage note:", "Triage:", "Ticket:", "Reply:", "Clause:", "Plain:", "Entry:"):
        assert mark not in TEXT, mark


def test_no_case_and_no_label_of_the_older_domains_stands_in_the_wider_text():
    cases = [*clinic.COMPLAINTS, *helpdesk.DEVICES, *((t[0], t[2]) for t in contracts.TERMS)]
    labels = {*clinic.DEPARTMENTS, "routine", "urgent", *helpdesk.PROMISE.values()}
    for word in {*(case for case, _ in cases), *labels}:
        assert not re.search(rf"\b{word}\b", TEXT, re.IGNORECASE), word


def test_what_follows_from_two_grades_grows_with_both():
    for scale in meanings.SCALES:
        assert len(scale.outcomes) == len(scale.first) + len(scale.second) - 1
        every = [
            word
            for grades in (scale.first, scale.second, scale.outcomes, scale.coarse)
            for g in grades
            for word in g
        ]
        assert len(set(every)) == len(every), "a word of two grades"


def test_consequences_name_the_outcome_of_their_grades():
    dice, scale = Dice(1), meanings.STRENGTH
    for _ in range(200):
        text = meanings.consequence(dice, scale).lower()
        first, second, fine, coarse = (
            next((n for n, words in enumerate(grades) if any(_holds(text, w) for w in words)), -1)
            for grades in (scale.first, scale.second, scale.outcomes, scale.coarse)
        )
        assert (fine < 0) != (coarse < 0), text
        if coarse < 0:
            assert first + second == fine, text
        else:
            assert meanings.third(first + second, scale) == coarse, text


def _holds(text, words):
    return re.search(rf"\b{re.escape(words)}\b(?! fast)", text) is not None


def test_comparisons_put_the_higher_grade_first():
    words = [word for grade in meanings.STRENGTH.first for word in grade]  # the least first
    for text in drawn(lambda dice: meanings.comparison(dice, meanings.STRENGTH)):
        found = [re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in words]
        places = [match.start() for match in found if match]
        assert len(places) == 2 and places[0] > places[1], text


def test_notes_carry_the_labels_of_their_case_and_grades():
    for subject in notes.SUBJECTS:
        places = [
            subject.joined(i, j)
            for i in range(len(subject.first))
            for j in range(len(subject.second))
        ]
        assert set(places) == set(range(len(subject.outcomes))), subject.fields
    for text in drawn(notes.document):
        assert any(text.startswith(f"{h}: ") for s in notes.SUBJECTS for h in s.headings), text


def test_a_rule_said_simply_keeps_its_number_and_its_force():
    for text in drawn(plainly.rule):
        rule, line = text.split("\n")
        number = re.search(r"\d+", line)
        if number:
            assert NUMBER_WORDS[int(number[0])] in rule.lower().split(), text
        if "must not" in line or ("shall not" in rule and "must" in line):
            assert "shall not" in rule and "must not" in line, text


def test_the_verbs_persons_and_things_of_rules_are_not_those_of_contracts():
    own = {*(v[0] for v in plainly.VERBS), *plainly.PERSONS, *plainly.THINGS}
    assert not own & {*(t[0] for t in contracts.TERMS), *contracts.PARTIES, *contracts.OBJECTS}


def test_ledger_has_a_treatment_for_every_size_and_life_and_its_words_are_read():
    assert set(ledger.TREATMENT) == {(s, li) for s in ledger.SUMS for li in ledger.LIVES}
    assert set(ledger.TREATMENT.values()) == {"expense", "spread", "asset"}
    for thing, account in ledger.PURCHASES:
        assert thing in TEXT.lower() and account in TEXT.lower(), thing


def test_a_recipe_mixes_the_wider_text_at_its_share():
    recipe = RECIPES["nano-gpt2-wide"]
    texts = [d.text for d in itertools.islice(nano_gpt2.text(recipe, 0, "general"), 4000)]
    wide = set(WIDER)
    found = sum(text in wide for text in texts) / len(texts)
    assert found == pytest.approx(recipe.wider, abs=0.03)
    plain = nano_gpt2.text(RECIPES["nano-gpt2"], 0, "general")
    assert next(plain) == next(training_stream())


def test_every_document_fits_into_a_row():
    tokenizer = load("nano-gpt2").tokenizer  # its pieces are shorter than those of a wide one
    length = RECIPES["nano-gpt2-wide"].length
    assert max(len(ids) for ids in tokenizer(WIDER)["input_ids"]) + 2 <= 1.25 * length
