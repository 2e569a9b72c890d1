"""Two numbers, always: what was learned and what was forgotten, in one call on a model.

    watch = Watch(tokenizer, domain, suite, base_model)
    watch.baseline                      what the base can do, measured once
    for step in train(..., measure=watch): ...
    watch.full(model)                   everything, with intervals, for the record

A call is quick: a seeded subset, even over the skills of the suite and true to the share of held
items in the validation split. `full` takes every probe, every document and the test split, which
no run looks at while it trains.

Notable choices. The base model is COPIED, for a model trained in place, or wrapped by peft, is no
longer the base. Results are plain dicts for JSON: a number that is not finite is None.
Signs: learned + is good, forgotten + is bad (see `retention`).

Run the tests: pytest tests/evaluate/test_evaluator.py
"""

import copy
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

from torch import nn

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain, Suite
from ftlab.evaluate.drift import kl_to_base
from ftlab.evaluate.intervals import Interval, bootstrap_mean, wilson
from ftlab.evaluate.likelihood import DocumentLoss, document_loss
from ftlab.evaluate.retention import forgotten, learned, retained_by_skill, retention, unjudged
from ftlab.evaluate.skills import SkillScore, measure_skills
from ftlab.evaluate.target import TargetScore, measure_target
from ftlab.record import rows_checksum


@dataclass(frozen=True)
class Measures:
    """The raw measures of one model, before they are compared with the base's."""

    target: TargetScore
    """The target domain."""
    general: DocumentLoss
    """The suite's documents."""
    skills: dict[str, SkillScore]
    """The suite's probes, skill by skill."""


class Sizes(TypedDict, total=False):
    """How much a call asks, and the seed of its draw: what `Watch` and `open_lab` take by name."""

    target_items: int
    per_skill: int
    documents: int
    kl_texts: int
    seed: int


class Evaluator:
    """Measures a model against the base it came from: `watch(model)` quick, `watch.full(model)`.

    The dict of a call, losses in nats per token and all scores from 0 to 1:
      target_score, seen_score, held_score   exact match: all items, seen cases, held cases
      target_chrf                            letters of the right answers that are there
      target_loss, general_loss              of the right answers; of general documents
      skills                                 {name: accuracy}
      kept                                   {name: share kept, guessing taken off, or None}
      retention                              share of the base's skills kept, guessing taken off;
                                             None where the base has no skill to keep
      learned                                fall of target_loss: + is good
      forgotten                              rise of general_loss: + is bad
    """

    def __init__(
        self,
        tokenizer: Any,
        domain: Domain,
        suite: Suite,
        base_model: nn.Module,
        *,
        target_items: int = 32,
        per_skill: int = 25,
        documents: int = 16,
        kl_texts: int = 1000,
        seed: int = 0,
    ) -> None:
        """Copy the base and draw the subset; nothing is measured yet.

        KL, which runs both models, is taken over the first `kl_texts` documents and test items.
        Raises InputError for a number below 1 or an empty split.
        """
        sizes = {"target_items": target_items, "per_skill": per_skill, "documents": documents}
        _check(domain, **sizes, kl_texts=kl_texts)
        self.tokenizer = tokenizer
        self.domain = domain
        self.suite = suite
        self.kl_texts = kl_texts
        self.base = copy.deepcopy(base_model).eval().requires_grad_(False)
        self.quick_items = draw_items(domain.validation, target_items, seed)
        self.quick_suite = suite.sample(per_skill, documents, seed=seed)

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """Measure a model on the quick subset."""
        return _compared(self._measure_quick(model), self._base_quick)

    def checksum(self) -> str:
        """sha256 of all that is asked, on the way and at the end: it decides the numbers."""
        suites = [self.quick_suite, self.suite]
        asked = [
            *({"id": f"quick {row['id']}"} for row in self.quick_items),
            *_rows(self.domain.test),
            *(vars(probe) for suite in suites for probe in suite.probes),
            *({"text": text} for suite in suites for text in suite.documents),
            {"kl_texts": self.kl_texts},
        ]
        return rows_checksum(asked)

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The base itself on the quick subset: retention 1, learned and forgotten 0."""
        return _compared(self._base_quick, self._base_quick)

    @cached_property
    def baseline_full(self) -> dict[str, Any]:
        """The base itself on everything, in the form of `full`."""
        base = self._base_full
        rows, documents = self._kl_texts()
        counts = len(rows), len(documents)
        return _detailed(base, base, kl_target=0.0, kl_general=0.0, kl_texts=counts)

    def full(self, model: nn.Module) -> dict[str, Any]:
        """Measure a model on the whole suite and the test split.

        To the keys of a call it adds: bits_per_byte, kl_target, kl_general (nats per token),
        chance {skill: what guessing gives}, left_out {skill: reason},
        n {"target", "held", "documents", "tokens", "skills", "kl_target", "kl_general"} and
        intervals of 95 %, each [low, high]: Wilson for scores, a
        bootstrap over documents for the general loss.
        """
        rows, documents = self._kl_texts()
        pairs = [(row["prompt"], row["answer"]) for row in rows]
        return _detailed(
            self._measure_full(model),
            self._base_full,
            kl_target=kl_to_base(self.base, model, self.tokenizer, pairs),
            kl_general=kl_to_base(self.base, model, self.tokenizer, documents),
            kl_texts=(len(pairs), len(documents)),
        )

    def _kl_texts(self) -> tuple[list[dict[str, Any]], list[str]]:
        """What KL is taken over: test items and documents."""
        rows = _rows(self.domain.test)[: self.kl_texts]
        return rows, list(self.suite.documents[: self.kl_texts])

    def _measure_quick(self, model: nn.Module) -> Measures:
        return _measure(model, self.tokenizer, self.quick_items, self.quick_suite)

    def _measure_full(self, model: nn.Module) -> Measures:
        return _measure(model, self.tokenizer, _rows(self.domain.test), self.suite)

    @cached_property
    def _base_quick(self) -> Measures:
        return self._measure_quick(self.base)

    @cached_property
    def _base_full(self) -> Measures:
        return self._measure_full(self.base)


def draw_items(items: Iterable[Any], n: int, seed: int) -> list[dict[str, Any]]:
    """`n` items in their order, drawn so that the share of held ones stays what it is."""
    rows = _rows(items)
    if n >= len(rows):
        return rows
    held = [i for i, row in enumerate(rows) if row.get("held", False)]
    seen = [i for i, row in enumerate(rows) if not row.get("held", False)]
    n_held = round(n * len(held) / len(rows))
    dice = random.Random(seed)
    chosen = dice.sample(held, n_held) + dice.sample(seen, n - n_held)
    return [rows[i] for i in sorted(chosen)]


def _rows(items: Iterable[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in items]


def _check(domain: Domain, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name} is {number}; it must be at least 1.")
    for split in ("validation", "test"):
        if not len(getattr(domain, split)):
            raise InputError(
                f"The {split} split of {domain.name} is empty, so learning cannot be measured; "
                "put some items into it."
            )


def _measure(
    model: nn.Module, tokenizer: Any, items: list[dict[str, Any]], suite: Suite
) -> Measures:
    return Measures(
        target=measure_target(model, tokenizer, items),
        general=document_loss(model, tokenizer, suite.documents),
        skills=measure_skills(model, tokenizer, suite.probes),
    )


def _compared(now: Measures, base: Measures) -> dict[str, Any]:
    target, general = now.target, now.general
    return {
        "target_score": target.score,
        "seen_score": target.seen_score,
        "held_score": target.held_score,
        "target_chrf": target.chrf,
        "target_loss": _finite(target.loss),
        "general_loss": _finite(general.nats_per_token),
        "skills": {name: skill.accuracy for name, skill in now.skills.items()},
        "kept": retained_by_skill(now.skills, base.skills),
        "retention": _retention(now, base),
        "learned": _finite(learned(base.target.loss, target.loss)),
        "forgotten": _finite(forgotten(base.general.nats_per_token, general.nats_per_token)),
    }


def _detailed(
    now: Measures,
    base: Measures,
    *,
    kl_target: float,
    kl_general: float,
    kl_texts: tuple[int, int],
) -> dict[str, Any]:
    return {
        **_compared(now, base),
        "bits_per_byte": _finite(now.general.bits_per_byte),
        "kl_target": _finite(kl_target),
        "kl_general": _finite(kl_general),
        "chance": {name: skill.chance for name, skill in now.skills.items()},
        "left_out": unjudged(base.skills),
        "n": _counts(now) | {"kl_target": kl_texts[0], "kl_general": kl_texts[1]},
        "intervals": _intervals(now),
    }


def _retention(now: Measures, base: Measures) -> float | None:
    """None where the base knows nothing: a run on an untrained model must not stop for that."""
    if len(unjudged(base.skills)) == len(base.skills):
        return None
    return retention(now.skills, base.skills)


def _counts(now: Measures) -> dict[str, Any]:
    return {
        "target": now.target.n,
        "held": sum(now.target.held),
        "documents": len(now.general.lengths),
        "tokens": now.general.tokens,
        "skills": {name: skill.n for name, skill in now.skills.items()},
    }


def _intervals(now: Measures) -> dict[str, Any]:
    target, general = now.target, now.general
    held = [right for right, h in zip(target.correct, target.held, strict=True) if h]
    seen = [right for right, h in zip(target.correct, target.held, strict=True) if not h]
    finite = _finite(general.nats_per_token) is not None
    return {
        "target_score": _share(target.correct),
        "seen_score": _share(seen),
        "held_score": _share(held),
        "general_loss": _bounds(bootstrap_mean(general.per_document, general.lengths))
        if finite
        else None,
        "skills": {name: _share(skill.correct) for name, skill in now.skills.items()},
    }


def _share(correct: Iterable[bool]) -> list[float] | None:
    answers = list(correct)
    return _bounds(wilson(sum(answers), len(answers))) if answers else None


def _bounds(interval: Interval) -> list[float]:
    return [interval.low, interval.high]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
