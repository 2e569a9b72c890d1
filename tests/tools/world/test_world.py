"""The small world: what it promises of its data. Run: pytest tests/tools/world/test_world.py"""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab.base.paths import data_dir
from tools.data import build
from tools.world import (
    arithmetic,
    clinic,
    contracts,
    grammar,
    helpdesk,
    probes,
    recall,
    streams,
)
from tools.world.dice import Dice
from tools.world.facts import GENERAL
from tools.world.general import DOMAIN_RELATIONS, GENERAL_FACTS, stream

TRAINING = [d.text for d in itertools.islice(streams.training_stream(), 20_000)]
PROBES = probes.all_probes(streams.PROBE_SEED)
DOMAINS = {name: build.domain_rows(name) for name in build.DOMAINS}


def of_skill(skill):
    return [row for row in PROBES if row["skill"] == skill]


def test_the_shipped_files_are_what_the_generator_writes():
    assert build.check(data_dir()) == []


def test_a_changed_byte_is_found(tmp_path):
    build.write(tmp_path)
    (tmp_path / "world/clinic/test.jsonl").write_text("{}\n")
    assert "world/clinic/test.jsonl" in build.check(tmp_path)


@given(st.integers(0, 10_000), st.integers(1, 50), st.integers(1, 5))
def test_dice_count_their_surprise(seed, n, k):
    dice = Dice(seed)
    assert 0 <= dice.below(n) < n
    assert dice.nats == pytest.approx(math.log(n))
    drawn = dice.picks(range(10), k)
    assert len(set(drawn)) == k
    assert dice.nats == pytest.approx(math.log(n) + sum(math.log(10 - i) for i in range(k)))


def test_weighted_choices_come_as_often_as_their_weight():
    dice = Dice(1)
    hits = sum(dice.weighted([("a", 0.2), ("b", 0.8)]) == "a" for _ in range(20_000))
    assert hits / 20_000 == pytest.approx(0.2, abs=0.01)
    expected = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert dice.nats / 20_000 == pytest.approx(expected, rel=0.02)


def test_fill_draws_only_what_the_template_shows():
    dice = Dice(1)
    assert dice.fill("no slot", {"a": ["x", "y"]}) == "no slot"
    assert dice.nats == 0
    assert dice.fill("{a} and {a}", {"a": ["x", "y"]}) in ("x and x", "y and y")
    assert dice.nats == pytest.approx(math.log(2))


def test_three_hundred_facts_in_at_least_five_phrasings():
    assert len(GENERAL_FACTS) >= 300
    for relation in (*GENERAL, *DOMAIN_RELATIONS):
        assert len(relation.forward) >= 6, relation.name  # one of them is held out
        assert all(phrase.endswith(" {o}.") for phrase in relation.forward), relation.name
        assert len({s for s, _ in relation.pairs}) == len(relation.pairs), relation.name


@pytest.mark.parametrize("skill", ["facts", "facts_choice", "grammar", "arithmetic", "recall"])
def test_at_least_a_hundred_probes_a_skill_none_twice(skill):
    rows = of_skill(skill)
    assert len(rows) >= 100
    texts = {(row["query"], tuple(row["choices"])) for row in rows}
    # recall draws from few enough settings that a question may come up again, rarely
    assert len(texts) >= len(rows) - (3 if skill == "recall" else 0)


def test_no_probed_wording_stands_in_the_training_text():
    text = "\n".join(TRAINING)
    for row in of_skill("facts"):
        assert f"{row['query']}{row['choices'][0]}." not in text, row
    for row in of_skill("arithmetic"):
        assert f"{row['query']}{row['choices'][0]}." not in text, row
    right = {row["choices"][0] for row in of_skill("grammar")}
    assert not right & {part for t in TRAINING for part in t.replace(". ", ".|").split("|")}


def test_held_out_operands_never_stand_in_this_order():
    for a, b, _ in arithmetic.SEEN_SUMS:
        assert (a, b) not in arithmetic.HELD_SUMS
    for a, b in arithmetic.HELD_SUMS:
        assert (b, a) not in arithmetic.HELD_SUMS  # the other order is in the text
        assert not any(f"{a} + {b}" in text for text in TRAINING)


def test_recall_probes_rest_on_combinations_never_met():
    owners = [row for row in of_skill("recall") if " has the " in str(row["query"])]
    assert owners
    for row in owners:
        for statement in str(row["query"]).split(". ")[:-1]:
            owner, thing = statement.split(" has the ")
            assert recall.held(owner, thing), row
    assert not any("Ann has the kite." in t for t in TRAINING if recall.held("Ann", "kite"))


def test_grammar_pairs_differ_in_one_word_and_both_words_are_right_as_often():
    for kind in grammar.KINDS:
        dice, right_words = Dice(5), []
        for _ in range(2000):
            right, wrong = kind(dice)
            differing = [
                (a.strip(".?"), b.strip(".?"))
                for a, b in zip(right.split(), wrong.split(), strict=True)
                if a != b
            ]
            assert len(differing) == 1, (kind.__name__, right, wrong)
            right_words.append(differing[0])
        swaps = {frozenset(pair) for pair in right_words}
        if kind is grammar.tense:  # one pair a verb
            assert abs(sum(a.endswith("ed") for a, _ in right_words) - 1000) < 100
            continue
        for pair in swaps:
            first = sorted(pair)[0]
            uses = [a == first for a, b in right_words if {a, b} == set(pair)]
            assert 0.4 < sum(uses) / len(uses) < 0.6, (kind.__name__, pair)


@pytest.mark.parametrize("name", build.DOMAINS)
def test_domains_keep_their_splits_apart(name):
    splits = DOMAINS[name]
    prompts = [row["prompt"] for rows in splits.values() for row in rows]
    assert len(set(prompts)) == len(prompts)
    assert not any(row["held"] for row in splits["train"])
    for split in ("validation", "test"):
        assert sum(bool(row["held"]) for row in splits[split]) == len(splits[split]) / 2


def test_held_cases_never_occur_in_training_items():
    cases = {"clinic": clinic.HELD, "helpdesk": helpdesk.HELD, "contracts": contracts.HELD}
    for name, held in cases.items():
        text = " ".join(str(row["prompt"]).lower() for row in DOMAINS[name]["train"])
        for case in held:
            assert f" {case[0]} " not in text and f" {case[0]}," not in text, case


def test_the_base_reads_every_word_of_the_domains():
    known = set(" ".join(TRAINING).replace("\n", " ").lower().split())
    stripped = {word.strip(".,:;?\"'") for word in known}
    for name in sorted(DOMAINS.keys() - {"new_words"}):
        for row in DOMAINS[name]["train"]:
            words = f"{row['prompt']}{row['answer']}".lower().split()
            missing = {w.strip(".,:;?\"'") for w in words if w[0].isalpha()} - stripped
            assert not missing, (name, missing)


def test_a_rule_decides_every_answer():
    seen = {clinic.URGENCY[level, trend] for level in clinic.STRENGTHS for trend in clinic.TRENDS}
    assert seen == {"routine", "soon", "urgent"}
    assert set(helpdesk.PRIORITY.values()) == set(helpdesk.PROMISE)


def test_the_stream_is_its_seed():
    first = list(itertools.islice(stream(7), 50))
    assert first == list(itertools.islice(stream(7), 50))
    assert first != list(itertools.islice(stream(8), 50))
    assert all(document.nats > 0 for document in first)
