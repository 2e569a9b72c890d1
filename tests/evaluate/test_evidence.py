"""What turned between base and model is counted, and told as text.

Run: pytest tests/evaluate/test_evidence.py
"""

from typing import Any

from ftlab.datasets.load import Probe
from ftlab.evaluate.evidence import EACH, GONE, evidence
from ftlab.evaluate.likelihood import DocumentLoss
from ftlab.evaluate.measures import Measures
from ftlab.evaluate.skills import SkillScore
from ftlab.evaluate.target import TargetScore

ITEMS = [{"prompt": f"item {i}:", "answer": f" {i}"} for i in range(6)]
PROBES = [Probe(f"p{i}", "facts", "cloze", f"Fact {i} is", (" so",), 0) for i in range(40)]
PROBES += [Probe(f"g{i}", "grammar", "pair", "", ("right", "wrong"), 0) for i in range(4)]


def measures(right: list[bool], facts: list[bool], losses: tuple[float, ...]) -> Measures:
    skill = SkillScore("facts", sum(facts) / 40, 0.0, 40, tuple(facts))
    grammar = SkillScore("grammar", 1.0, 0.5, 4, (True,) * 4)
    said = tuple(f" {i}" if ok else " x" for i, ok in enumerate(right))
    target = TargetScore(tuple(right), (False,) * 6, 1.0, said, per_item=losses, lengths=(1,) * 6)
    return Measures(
        target, DocumentLoss(1.0, 1.0, losses, (1,) * 6), {"facts": skill, "grammar": grammar}
    )


def test_what_turned_is_counted_and_told(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    base = measures([False] * 5 + [True], [True] * 30 + [False] * 10, (2.0,) * 6)
    now = measures([True] * 4 + [False] * 2, [False] * 25 + [True] * 15, (1.5,) * 6)
    found = evidence(now, base, ITEMS, PROBES, tiny_gpt2, tiny_tokenizer)
    assert found["target"] == {"lost": 1, "won": 4}
    facts = found["skills"]["facts"]
    assert (facts["lost"], facts["won"]) == (25, 10)
    assert len(facts["gone"]) <= GONE and facts["gone"][0]["asked"] == "Fact 0 is"
    assert int(facts["gone"][-1]["asked"].split()[1]) > 15, "spread over all that were lost"
    assert all(row["was"] == " so" and "now" in row for row in facts["gone"])
    assert found["skills"]["grammar"] == {"lost": 0, "won": 0, "gone": []}
    kinds = [(row["before"] == row["expected"], row["after"] == row["expected"])
             for row in found["samples"]]  # fmt: skip
    assert kinds == [(False, True)] * EACH + [(True, False), (False, False)]
    assert found["learned"] == [0.5, 0.5] and found["forgotten"] == [-0.5, -0.5]


def test_a_model_that_blew_up_has_no_interval(tiny_gpt2: Any, tiny_tokenizer: Any) -> None:
    base = measures([False] * 6, [True] * 40, (2.0,) * 6)
    now = measures([False] * 6, [True] * 40, (float("nan"),) * 6)
    found = evidence(now, base, ITEMS, PROBES, tiny_gpt2, tiny_tokenizer)
    assert found["learned"] is None and found["forgotten"] is None
