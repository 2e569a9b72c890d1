"""The watch's numbers without writing a word: what a live run and a grid of many runs can afford.

    glance = TeacherForced(lab.evaluator)
    glance(model)            the quick subset, as watch(model) has it
    glance.full(model)       the whole suite and the test split, as watch.full(model) has them

    an answer is right when every token of it, and its end, is the likeliest one at its place

Greedy decoding would give the right answer then, and only then: each token it picks is the next
token of the right answer, or the answer is wrong. So one pass over the right answers says as much
as writing them token by token, and gives their loss as well.

Notable choices:
- Left out are chrF, which needs the words, KL to the base, which runs two models, and intervals.
- The one difference to the watch: it compares words, so it also takes an answer that says the
  same in other tokens or with other blanks. The test looks for such cases and finds none.
- Everything goes through the model's own forward, so that a shelf of stored states
  (`ftlab.models.prefix_cache`) makes it cheaper still.

Run the tests: pytest tests/lab/test_fast.py
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from statistics import fmean
from typing import Any

from torch import nn

from ftlab.datasets.load import Suite
from ftlab.evaluate.evaluator import Evaluator
from ftlab.evaluate.likelihood import Scored, document_loss, mean_loss, score_segments
from ftlab.evaluate.retention import forgotten, learned, retained_by_skill
from ftlab.evaluate.skills import measure_skills
from ftlab.text.requests import item_segments
from ftlab.text.seq2seq import decoder_start


class TeacherForced:
    """Measures a model against the base of a watch, on the same items, probes and documents."""

    def __init__(self, watch: Evaluator) -> None:
        """Nothing is measured yet."""
        self.watch = watch

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """Measure a model on the quick subset."""
        return _compared(self._quick(model), self.baseline)

    def full(self, model: nn.Module) -> dict[str, Any]:
        """Measure a model on the whole suite and the test split."""
        return _compared(self._full(model), self.baseline_full)

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The base itself on the quick subset: retention 1, learned and forgotten 0."""
        raw = self._quick(self.watch.base)
        return _compared(raw, raw)

    @cached_property
    def baseline_full(self) -> dict[str, Any]:
        """The base itself on everything."""
        raw = self._full(self.watch.base)
        return _compared(raw, raw)

    def _quick(self, model: nn.Module) -> dict[str, Any]:
        return _measure(model, self.watch, self.watch.quick_items, self.watch.quick_suite)

    def _full(self, model: nn.Module) -> dict[str, Any]:
        rows = [dict(row) for row in self.watch.domain.test]
        return _measure(model, self.watch, rows, self.watch.suite)


def _measure(
    model: nn.Module, watch: Evaluator, items: Sequence[Mapping[str, Any]], suite: Suite
) -> dict[str, Any]:
    """The numbers of one model, before they are compared with the base's."""
    scores = score_segments(model, item_segments(watch.tokenizer, items, decoder_start(model)))
    held = [bool(item.get("held", False)) for item in items]
    found = measure_skills(model, watch.tokenizer, suite.probes)
    general = document_loss(model, watch.tokenizer, suite.documents).nats_per_token
    return {
        "target_score": _share(scores, [True] * len(held)),
        "seen_score": _share(scores, [not h for h in held]),
        "held_score": _share(scores, held),
        "target_loss": _finite(mean_loss(scores)),
        "general_loss": _finite(general),
        "skills": found,
    }


def _share(scores: Sequence[Scored], chosen: Sequence[bool]) -> float | None:
    picked = [_right(score) for score, pick in zip(scores, chosen, strict=True) if pick]
    return fmean(picked) if picked else None


def _right(score: Scored) -> bool:
    return score.greedy and math.isfinite(score.logprob)


def _compared(now: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Beside the raw numbers: kept, retention, learned and forgotten, against the base's."""
    skills = now["skills"]
    before = {name: replace(s, accuracy=_accuracy(base, name)) for name, s in skills.items()}
    retained = retained_by_skill(skills, before)
    judged = [share for share in retained.values() if share is not None]
    return {
        **now,
        "skills": {name: skill.accuracy for name, skill in skills.items()},
        "kept": retained,
        "retention": fmean(judged) if judged else None,
        "learned": _less(base, now, "target_loss", learned),
        "forgotten": _less(base, now, "general_loss", forgotten),
    }


def _accuracy(base: Mapping[str, Any], skill: str) -> float:
    found = base["skills"][skill]
    return found if isinstance(found, float) else found.accuracy


def _less(base: Mapping[str, Any], now: Mapping[str, Any], name: str, sign: Any) -> float | None:
    both = base[name], now[name]
    return None if None in both else sign(*both)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
