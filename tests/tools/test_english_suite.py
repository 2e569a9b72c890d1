"""The English suite: counts, forms, balance, and that it can be made again byte for byte."""

import json
import re
from collections import Counter, defaultdict

import pytest
import torch

from ftlab.base.paths import data_dir
from tools.data.english import documents, suite
from tools.data.english.grammar import FRAMES, frame_pairs
from tools.data.english.tasks import EXAMPLE_SUMS
from tools.world.dice import Dice

FOLDER = data_dir() / "english"


@pytest.fixture(scope="module")
def probes() -> list[dict]:
    return suite.probes()


def by_skill(probes: list[dict]) -> dict[str, list[dict]]:
    skills: dict[str, list[dict]] = defaultdict(list)
    for probe in probes:
        skills[probe["skill"]].append(probe)
    return skills


def test_counts(probes):
    counts = {skill: len(some) for skill, some in by_skill(probes).items()}
    assert counts.keys() == {"facts", "facts_choice", "grammar", "arithmetic", "recall"}
    assert counts["facts"] == counts["facts_choice"] >= 150
    assert counts["grammar"] >= 200
    assert counts["arithmetic"] >= 100
    assert counts["recall"] >= 100


def test_the_card_tells_the_counts(probes):
    card = (FOLDER / "README.md").read_text("utf-8")
    for skill, some in by_skill(probes).items():
        assert re.search(rf"^\| {skill} \| [^|]+ \| {len(some)} \|", card, re.MULTILINE), skill
        assert re.search(rf"^    {skill} .* {len(some)} ", suite.__doc__ or "", re.MULTILINE), skill


def test_every_probe_is_well_formed(probes):
    keys = ["id", "skill", "form", "query", "choices", "label"]
    sizes = {"cloze": 1, "choice": 4, "pair": 2}
    for probe in probes:
        choices = probe["choices"]
        assert list(probe) == keys
        assert len(set(choices)) == len(choices) == sizes[probe["form"]], probe["id"]
        assert 0 <= probe["label"] < len(choices)
        if probe["form"] == "pair":
            assert probe["query"] == ""
            assert all(re.fullmatch(r"[A-Z].*[.?]", c) for c in choices), probe["id"]
        else:
            assert probe["query"] == probe["query"].strip() != ""
            assert all(re.fullmatch(r" \S(.*\S)?", c) for c in choices), probe["id"]


def test_plain_english_letters(probes):
    for probe in probes:
        text = probe["query"] + "".join(probe["choices"])
        assert text.isascii(), probe["id"]
        assert not re.search(r"  |[{}\[\]|~]|\b(\w+) \1\b", text), probe["id"]


def test_no_probe_twice(probes):
    assert len({probe["id"] for probe in probes}) == len(probes)
    asked = [(probe["form"], probe["query"], *sorted(probe["choices"])) for probe in probes]
    assert len(set(asked)) == len(asked)


def test_labels_are_even(probes):
    for skill, some in by_skill(probes).items():
        labels = Counter(probe["label"] for probe in some)
        assert max(labels.values()) - min(labels.values()) <= 1, (skill, labels)


def test_both_ways_of_asking_a_fact_agree(probes):
    skills = by_skill(probes)
    for cloze, choice in zip(skills["facts"], skills["facts_choice"], strict=True):
        assert cloze["query"].endswith(choice["query"])
        assert cloze["choices"][0] == choice["choices"][choice["label"]]
        assert cloze["id"].removeprefix("facts-") == choice["id"].removeprefix("facts_choice-")


def test_leads_do_not_give_the_answer_away(probes):
    for probe in by_skill(probes)["facts"]:
        lead, _, question = probe["query"].rpartition(". ")
        assert question and question not in lead, probe["id"]


def test_grammar_kinds(probes):
    kinds = Counter(probe["id"].split("-")[1] for probe in by_skill(probes)["grammar"])
    assert len(kinds) >= 8
    assert set(kinds.values()) == {12}


def words(sentences: list[str]) -> Counter[str]:
    return Counter(word for s in sentences for word in re.findall(r"[\w']+", s.lower()))


@pytest.mark.parametrize("kind", sorted(set(FRAMES) - {"licensing"}))
def test_no_word_marks_the_right_sentence(kind):
    pairs = frame_pairs(kind)
    assert words([right for right, _ in pairs]) == words([wrong for _, wrong in pairs])


def test_licensing_asks_only_what_is_plainly_wrong():
    for right, wrong in frame_pairs("licensing"):
        assert re.search(r"\b(ever|any)\b", wrong)
        assert not re.search(r"\b(No|Nobody|None|Neither|Few)\b", wrong), (right, wrong)


def test_sums_are_right(probes):
    for probe in by_skill(probes)["arithmetic"]:
        sum_ = probe["query"].rpartition(", ")[2]
        found = re.fullmatch(r"(\d) ([+-]) (\d) =", sum_)
        assert found, probe["id"]
        a, sign, b = int(found[1]), found[2], int(found[3])
        result = a + b if sign == "+" else a - b
        assert (a, sign, b) not in EXAMPLE_SUMS
        values = [int(choice) for choice in probe["choices"]]
        assert values[probe["label"]] == result and values.count(result) == 1
        assert len({len(choice) for choice in probe["choices"]}) == 1  # as many digits


def test_recall_asks_for_a_word_of_the_text(probes):
    for probe in by_skill(probes)["recall"]:
        text, right = probe["query"], probe["choices"][probe["label"]]
        assert text.count(right) == 1, probe["id"]  # told, and not yet said again
        kind = probe["id"].split("-")[1]
        elsewhere = [choice for choice in probe["choices"] if choice in text and choice != right]
        assert len(elsewhere) == {"winners": 3, "shopping": 3, "owners": 1}.get(kind, 0)


def test_files_are_what_is_written_now():
    assert suite.check() == []


def test_check_names_what_differs(tmp_path, monkeypatch):
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    assert suite.check() == [suite.PROBES, suite.DOCUMENTS]
    suite.write(tmp_path / suite.PROBES, suite.probes())
    suite.write(tmp_path / suite.DOCUMENTS, [{"id": "a", "text": "too short"}])
    assert suite.check() == [suite.DOCUMENTS]


def test_documents():
    rows = [json.loads(line) for line in (FOLDER / "general.jsonl").read_text("utf-8").splitlines()]
    assert (
        len(rows) == len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == 100
    )
    for row in rows:
        assert list(row) == ["id", "text", "opening"]
        assert row["text"].startswith(row["opening"])
        assert documents.fault(row["text"]) == "", row["id"]
    assert max(Counter(row["opening"] for row in rows).values()) <= documents.PER_OPENING


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("One two three.", "too short"),
        (" ".join(f"word{n}" for n in range(80)) + " a murderer", "is rude"),
        ("the cat sat on the mat and " * 20, "repeats itself"),
        (" ".join(f"word{n}" for n in range(80)) + " see www.home.", "holds an address"),
        (" ".join(f"wörd{n}éé" for n in range(80)), "is not plain"),
        (" ".join(f"word{n}" for n in range(80)), ""),
    ],
)
def test_fault(text, reason):
    assert documents.fault(text).startswith(reason)
    assert bool(documents.fault(text)) == bool(reason)


def test_whole_sentences():
    assert documents.whole_sentences('He said "No." Then he w') == 'He said "No."'
    assert documents.whole_sentences("It cost 3.50 and no more") == ""


def test_sampling_is_seeded(tiny_gpt2, tiny_tokenizer, monkeypatch):
    monkeypatch.setattr(documents, "NEW_TOKENS", 8)
    monkeypatch.setattr(documents, "fault", lambda text: "")
    monkeypatch.setattr(documents, "whole_sentences", str.strip)
    first, again, other = (
        documents.sample(tiny_gpt2, tiny_tokenizer, wanted=4, batch=2, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert [row["id"] for row in first] == [f"english-{n:03}" for n in (1, 2, 3, 4)]
    assert all(row["text"].startswith(row["opening"]) for row in first)
    assert torch.is_grad_enabled()


def test_parts_have_seeds_of_their_own():
    assert suite.grammar(Dice(2)) == [p for p in suite.probes() if p["skill"] == "grammar"]
