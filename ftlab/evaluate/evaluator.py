"""Two measures, always: what was learned and what was retained, in one call on a model.

    evaluator = Evaluator(tokenizer, domain, suite, base_model)
    evaluator.baseline                      what the base can do, measured once
    for step in train(..., measure=evaluator): ...
    evaluator.full(model)                   everything, with intervals, for the record

A call is quick: a seeded subset with equally many probes of each skill, and with the validation
split's share of held items. `full` takes every probe, every document and the test split, which no
run sees while it trains.

Notable choice: the base model is COPIED, since a model that is trained in place, or wrapped by
peft, is no longer the base.

Run the tests: pytest tests/evaluate/test_evaluator.py
"""

import copy
import random
from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypedDict

from torch import nn

from ftlab.base.errors import InputError
from ftlab.base.shared import shared_out
from ftlab.datasets.load import Domain, Suite
from ftlab.evaluate.drift import kl_to_base
from ftlab.evaluate.evidence import evidence
from ftlab.evaluate.fit import check_fit
from ftlab.evaluate.likelihood import document_loss
from ftlab.evaluate.measures import Measures, compared, detailed
from ftlab.evaluate.skills import measure_skills
from ftlab.evaluate.target import field_scores, guess_loss, measure_target
from ftlab.record import rows_checksum
from ftlab.text.seq2seq import decoder_start
from ftlab.text.tidy import commonest


class Sizes(TypedDict, total=False):
    """How much a call asks, and the seed of its subset: what `Evaluator` and `open_lab` take."""

    target_items: int
    per_skill: int
    documents: int
    kl_texts: int
    seed: int


class Evaluator:
    """Measures a model against its base: `evaluator(model)` quickly, `evaluator.full(model)` fully.

    The dict of a call, losses in nats per token and all scores from 0 to 1:
      target_score, seen_score, held_score   exact match: all items, seen cases, held cases
      target_chrf                            share of the right answers' letters that are there
      target_loss, general_loss              of the right answers; of general documents
      skills                                 {name: accuracy}
      kept                                   {name: share retained above chance, or None}
      retention, least_retained              share of the base's skills retained above chance, on
                                             average and of the worst; None where it has no skill
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
        Raises InputError for a size below 1, an empty split, and for what the model cannot read.
        """
        sizes = {"target_items": target_items, "per_skill": per_skill, "documents": documents}
        _check(domain, **sizes, kl_texts=kl_texts)
        check_fit(base_model, tokenizer, domain, suite)
        self.tokenizer = tokenizer
        self.domain = domain
        self.suite = suite
        self.kl_texts = kl_texts
        self.base = copy.deepcopy(base_model).eval().requires_grad_(False)
        self.draw = {"n": target_items, "seed": seed}
        self.quick_items = draw_items(domain.validation, **self.draw)
        self.quick_suite = suite.sample(per_skill, documents, seed=seed)

    def on(self, domain: Domain) -> "Evaluator":
        """The same suite and base for another domain, in the same form; nothing is copied."""
        _check(domain)
        check_fit(self.base, self.tokenizer, domain, self.suite)
        made = copy.copy(self)
        for known in ("baseline", "baseline_full", "guess_loss", "_base_quick", "_base_full"):
            vars(made).pop(known, None)
        made.domain, made.quick_items = domain, draw_items(domain.validation, **self.draw)
        return made

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """Measure a model on the quick subset."""
        return compared(self._quick(model), self._base_quick)

    def checksum(self) -> str:
        """sha256 of all that is asked, quickly and fully: it decides the scores."""
        suites = [self.quick_suite, self.suite]
        asked = [
            *({"id": f"quick {row['id']}"} for row in self.quick_items),
            *self.test_items,
            *(vars(probe) for suite in suites for probe in suite.probes),
            *({"text": text} for suite in suites for text in suite.documents),
            {"kl_texts": self.kl_texts},
        ]
        return rows_checksum(asked)

    @property
    def test_items(self) -> list[dict[str, Any]]:
        """The rows of the test split."""
        return _rows(self.domain.test)

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The base itself on the quick subset: retention 1, learned and forgotten 0."""
        return compared(self._base_quick, self._base_quick)

    @cached_property
    def baseline_full(self) -> dict[str, Any]:
        """The base itself on everything, in the form of `full`."""
        return self._detailed(self._base_full, kl_target=0.0, kl_general=0.0)

    def everything(self, model: nn.Module) -> dict[str, Any]:
        """A call's measures on the whole suite and the test split: `full` without what it adds."""
        return compared(self._full(model), self._base_full)

    def full(self, model: nn.Module) -> dict[str, Any]:
        """Measure a model on the whole suite and the test split.

        To the keys of a call it adds: bits_per_byte, kl_target, kl_general (nats per token),
        chance {skill: what guessing gives}, left_out {skill: reason}, fields {field: score} and
        guess_loss (where the domain has fields),
        commonest {"answer", "share"} (where answers are labels: what always saying it gives),
        n {"target", "held", "documents", "tokens", "skills", "kl_target", "kl_general"} and
        intervals of 95 %, each [low, high]: Wilson for scores, a
        bootstrap over documents for the general loss.
        """
        return self.full_with_evidence(model)[0]

    def full_with_evidence(self, model: nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
        """What `full` gives, and what of it turned against the base (`evaluate.evidence`)."""
        now, items, probes = self._full(model), self.test_items, self.suite.probes
        turned = evidence(now, self._base_full, items, probes, model, self.tokenizer)
        return self._with_drift(now, model), turned

    def _with_drift(self, now: Measures, model: nn.Module) -> dict[str, Any]:
        pairs = [(row["prompt"], row["answer"]) for row in self.test_items[: self.kl_texts]]
        documents = self.suite.documents[: self.kl_texts]
        return self._detailed(
            now,
            kl_target=kl_to_base(self.base, model, self.tokenizer, pairs),
            kl_general=kl_to_base(self.base, model, self.tokenizer, documents),
        )

    def _detailed(self, now: Measures, **kl: float) -> dict[str, Any]:
        found = detailed(now, self._base_full, **kl)
        if self.domain.fields:
            answers = [row["answer"] for row in self.test_items]
            found["fields"] = field_scores(self.domain.fields, now.target.outputs, answers)
            found["guess_loss"] = self.guess_loss
        if always := commonest(self.domain):
            found["commonest"] = always
        found["n"] |= {
            "kl_target": min(self.kl_texts, len(self.domain.test)),
            "kl_general": min(self.kl_texts, len(self.suite.documents)),
        }
        return found

    @cached_property
    def guess_loss(self) -> float | None:
        """The target loss where all is known but the domain's rule; None where it names none."""
        fields, rule = self.domain.fields, self.domain.rule
        start = decoder_start(self.base)
        return guess_loss(fields, rule, self.tokenizer, self.test_items, start) if rule else None

    def _quick(self, model: nn.Module) -> Measures:
        return _measure(model, self.tokenizer, self.quick_items, self.quick_suite)

    def _full(self, model: nn.Module) -> Measures:
        return _measure(model, self.tokenizer, self.test_items, self.suite)

    @cached_property
    def _base_quick(self) -> Measures:
        with shared_out(False):
            return self._quick(self.base)

    @cached_property
    def _base_full(self) -> Measures:
        return self._full(self.base)


def draw_items(items: Iterable[Any], n: int, seed: int) -> list[dict[str, Any]]:
    """`n` random items in their order, with the same share of held ones as all items have."""
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


def _check(domain: Domain, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{name} is {size}; it must be at least 1.")
    for split in ("validation", "test"):
        if not len(getattr(domain, split)):
            raise InputError(
                f"The {split} split of {domain.name} is empty, so learning cannot be measured; "
                "add some items to it."
            )


def _measure(
    model: nn.Module, tokenizer: Any, items: list[dict[str, Any]], suite: Suite
) -> Measures:
    return Measures(
        target=measure_target(model, tokenizer, items),
        general=document_loss(model, tokenizer, suite.documents),
        skills=measure_skills(model, tokenizer, suite.probes),
    )
