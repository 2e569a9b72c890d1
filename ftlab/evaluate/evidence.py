"""What a report needs beside the scores: which items turned, and some of them as text.

    {"target": {"lost", "won"},                      items right before and wrong now, and back
     "samples": [{"prompt", "expected", "before", "after"}, ...],
     "skills": {name: {"lost", "won", "gone": [{"asked", "was", "now"}, ...]}},
     "learned": [low, high], "forgotten": [low, high]}      95 %, over the same items and documents

Notable choices: counts of all, texts of few, so that a record stays small. Two samples of each
kind: items that were won, lost, and wrong in both. What a model says now in place of a lost fact
is asked of cloze probes alone; of the others one knows the sentence that no longer is the likelier.

Run the tests: pytest tests/evaluate/test_evidence.py
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.datasets.load import Probe
from ftlab.evaluate.intervals import bootstrap_mean
from ftlab.evaluate.measures import Measures, finite
from ftlab.evaluate.target import generate

EACH = 2
"""Samples of each kind."""
GONE = 8
"""Lost probes of a skill that are told as text, at most; spread over all that were lost."""
LETTERS = 600
"""Of a text, the last ones of a prompt and the first ones of an answer."""
TOKENS = 8
"""Of what is said in place of a lost fact."""


def evidence(
    now: Measures,
    base: Measures,
    items: Sequence[Mapping[str, Any]],
    probes: Sequence[Probe],
    model: nn.Module,
    tokenizer: Any,
) -> dict[str, Any]:
    """What turned between base and model; both were asked these items and probes."""
    skills, target = {}, (base.target.correct, now.target.correct)
    for name, skill in now.skills.items():
        asked = [probe for probe in probes if probe.skill == name]
        before = base.skills[name].correct
        lost = [p for p, b, a in zip(asked, before, skill.correct, strict=True) if b and not a]
        gone = _gone(lost[:: len(lost) // GONE + 1], model, tokenizer)
        skills[name] = _turned(before, skill.correct) | {"gone": gone}
    return {
        "target": _turned(*target),
        "samples": _samples(items, now, base),
        "skills": skills,
        "learned": _fall(base.target.per_item, now.target.per_item, now.target.lengths),
        "forgotten": _fall(
            now.general.per_document, base.general.per_document, now.general.lengths
        ),
    }


def _turned(before: Sequence[bool], after: Sequence[bool]) -> dict[str, Any]:
    pairs = list(zip(before, after, strict=True))
    return {"lost": pairs.count((True, False)), "won": pairs.count((False, True))}


def _fall(
    first: Sequence[float], second: Sequence[float], tokens: Sequence[int]
) -> list[float] | None:
    """The interval of first - second, text by text; None where one is not known."""
    fall = [a - b for a, b in zip(first, second, strict=True)]
    if not fall or any(finite(value) is None for value in fall):
        return None
    interval = bootstrap_mean(fall, tokens)
    return [interval.low, interval.high]


def _samples(
    items: Sequence[Mapping[str, Any]], now: Measures, base: Measures
) -> list[dict[str, str]]:
    """Items that were won, lost, and wrong in both."""
    turns = list(zip(base.target.correct, now.target.correct, strict=True))
    kinds = [(False, True), (True, False), (False, False)]
    chosen = [i for kind in kinds for i in _first(i for i, t in enumerate(turns) if t == kind)]
    said = [(base.target.outputs[i], now.target.outputs[i]) for i in chosen]
    return [
        {
            "prompt": items[i]["prompt"][-LETTERS:],
            "expected": items[i]["answer"][:LETTERS],
            "before": before[:LETTERS],
            "after": after[:LETTERS],
        }
        for i, (before, after) in zip(chosen, said, strict=True)
    ]


def _first(numbers: Iterable[int]) -> list[int]:
    return list(numbers)[:EACH]


def _gone(lost: Sequence[Probe], model: nn.Module, tokenizer: Any) -> list[dict[str, str]]:
    """What was asked and known, and what is said in its place."""
    rows = [{"asked": p.query[-LETTERS:], "was": p.choices[p.label][:LETTERS]} for p in lost]
    cloze = [i for i, probe in enumerate(lost) if probe.form == "cloze"]
    with suppress(InputError):  # a query that fills the context leaves no room to go on
        said = generate(model, tokenizer, [lost[i].query for i in cloze], TOKENS) if cloze else []
        for i, words in zip(cloze, said, strict=True):
            rows[i]["now"] = words[:LETTERS]
    return rows
