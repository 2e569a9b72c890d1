"""What a sequence of tasks trains and measures with: a lab for each task, that asks all of them."""

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain, load_domain
from ftlab.evaluate.teacher_forced import TeacherForced
from ftlab.plan import Plan
from ftlab.text.scored_batches import context_limit
from ftlab.text.seq2seq import decoder_start
from ftlab.text.train_batches import encode

if TYPE_CHECKING:
    from ftlab.lab.lab import Lab


class _OnAll:
    """A task's teacher-forced evaluator that asks every task, under "tasks"."""

    def __init__(self, own: TeacherForced, all_of: Mapping[str, TeacherForced]) -> None:
        self.own, self.all_of = own, all_of

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        return self._with(self.own(model), model)

    @cached_property
    def baseline(self) -> dict[str, Any]:
        return self._with(self.own.baseline, self.own.evaluator.base)

    def _with(self, found: dict[str, Any], model: nn.Module) -> dict[str, Any]:
        scores = {
            name: found["target_score"] if one is self.own else one.target(model).score
            for name, one in self.all_of.items()
        }
        return found | {"tasks": scores}


def labs_of(lab: "Lab", tasks: Sequence[Any], plan: Plan) -> dict[str, "Lab"]:
    """A lab for each task, by its domain's name, that measures all tasks on the way.

    Raises InputError for tasks that are no sequence, and for items that the plan cannot train.
    """
    if len(tasks) < 2:
        raise InputError(
            f"{len(tasks)} task is no sequence; give at least two domains, or take lab.run(...)."
        )
    made = [on(lab, lab.domain if task == lab.domain.name else task) for task in tasks]
    names = [one.domain.name for one in made]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"{twice} stands in the sequence twice; name each domain once.")
    quick = lab.teacher_forced.evaluator
    all_of = {one.domain.name: TeacherForced(quick.on(one.domain)) for one in made}
    for one in made:
        _check_items(one, plan)
        vars(one)["teacher_forced"] = _OnAll(all_of[one.domain.name], all_of)
    return dict(zip(names, made, strict=True))


def on(lab: "Lab", domain: str | Path | Domain) -> "Lab":
    """The same bench for another domain: same base, same suite."""
    loaded = domain if isinstance(domain, Domain) else load_domain(str(domain))
    made = copy.copy(lab)
    vars(made).pop("teacher_forced", None)
    made.domain = lab.tidy(loaded)
    made.evaluator, made.earlier = lab.evaluator.on(made.domain), []
    named = lab.opened and not isinstance(domain, Domain)
    made.opened = lab.opened | {"domain": str(domain)} if named else {}
    return made


def _check_items(lab: "Lab", plan: Plan) -> None:
    model = lab.bundle.model
    start, reads = decoder_start(model), context_limit(model)
    encode(
        lab.items(), lab.tokenizer, loss_on=plan.loss_on, limit=plan.max_tokens, start=start,
        reads=reads,
    )  # fmt: skip
