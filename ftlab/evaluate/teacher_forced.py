"""The evaluator's scores without generating text: cheap enough for live runs and large grids.

    evaluator = TeacherForced(lab.evaluator)
    evaluator(model)            the quick subset, as `Evaluator` measures it

    an answer is right when every token of it, and its end, is the likeliest one at its place

Greedy decoding gives the right answer exactly then: each token it picks is the next token of the
right answer, or the answer is wrong. So one forward pass over the right answers says as much as
generating them token by token, and gives their loss as well.

Notable choices:
- Left out is chrF, which needs generated text.
- One difference to `Evaluator`: that compares words, so it also accepts an answer that says the
  same in other tokens or with other blanks. The test looks for such cases and finds none.
- Everything goes through the model's own forward, so a prefix cache (`ftlab.models.prefix_cache`)
  makes it cheaper still.

Run the tests: pytest tests/lab/test_fast.py
"""

import math
from functools import cached_property
from typing import Any

from torch import nn

from ftlab.base.shared import shared_out
from ftlab.evaluate.evaluator import Evaluator
from ftlab.evaluate.likelihood import document_loss, mean_loss, score_segments
from ftlab.evaluate.measures import Measures, compared
from ftlab.evaluate.skills import measure_skills
from ftlab.evaluate.target import TargetScore
from ftlab.text.requests import item_segments
from ftlab.text.seq2seq import decoder_start


class TeacherForced:
    """Measures a model against the base of an evaluator, on its quick subset."""

    def __init__(self, evaluator: Evaluator) -> None:
        """Nothing is measured yet."""
        self.evaluator = evaluator

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        """Measure a model; the keys are those of a call of `Evaluator`, without target_chrf."""
        return _without_chrf(self._quick(model), self._base_quick)

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The base itself on the quick subset: retention 1, learned and forgotten 0."""
        return _without_chrf(self._base_quick, self._base_quick)

    @cached_property
    def _base_quick(self) -> Measures:
        with shared_out(False):
            return self._quick(self.evaluator.base)

    def target(self, model: nn.Module) -> TargetScore:
        """The target task alone."""
        tokenizer, items = self.evaluator.tokenizer, self.evaluator.quick_items
        scores = score_segments(model, item_segments(tokenizer, items, decoder_start(model)))
        return TargetScore(
            correct=tuple(s.greedy and math.isfinite(s.logprob) for s in scores),
            held=tuple(bool(item.get("held", False)) for item in items),
            loss=mean_loss(scores),
        )

    def _quick(self, model: nn.Module) -> Measures:
        tokenizer, suite = self.evaluator.tokenizer, self.evaluator.quick_suite
        return Measures(
            target=self.target(model),
            general=document_loss(model, tokenizer, suite.documents),
            skills=measure_skills(model, tokenizer, suite.probes),
        )


def _without_chrf(now: Measures, base: Measures) -> dict[str, Any]:
    return {name: value for name, value in compared(now, base).items() if name != "target_chrf"}
