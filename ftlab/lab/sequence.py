"""Several tasks in a row on one base: iterate for Steps; `matrix` fills while it trains.

    row = lab.sequence(["clinic", "helpdesk", "ledger"], plan, method="lora_all", link="merge")
    for step in row: ...
    row.matrix            a[i][j]: accuracy on task j after task i (validation, without writing)
    row.retained          share of the base's skills after each task
    row.record            the same on every question and the test split, in `extra["sequence"]`

    continue    one adapter, or all weights: the same parameters are trained on
    merge       each adapter is added into the weights, and a new one starts
    switch      one adapter per task, each on the base; a task is answered with its own

Notable choices:
- Every task begins with a fresh optimiser and, where it starts an adapter, other random numbers:
  its seed is the plan's plus `SEED_STEP` for each task before it.
- With `link="switch"` the right adapter is chosen for every item, by hand or by a router that makes
  no mistake; tasks that have none yet are answered by the base. What a wrong choice costs is in
  `cross`: a[i][j], adapter i on task j.
- All of it is checked before the first step: what the last task lacks is said now.
- A sequence that was stopped has the tasks that it ended, and no record.

Run the tests: pytest tests/lab/test_sequence.py
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any

from torch import nn

from ftlab import record as records
from ftlab.analysis.sequences import average_accuracy, backward_transfer, forgetting, just_learned
from ftlab.base.errors import InputError
from ftlab.evaluate.target import measure_target
from ftlab.lab.run import Run
from ftlab.lab.stages import labs_of
from ftlab.methods.adapter import has_adapter
from ftlab.methods.between import partway
from ftlab.methods.export import check_merge
from ftlab.plan import Plan, Step, check_choice, rate_text

if TYPE_CHECKING:
    from ftlab.lab.lab import Lab

LINKS = ("continue", "merge", "switch")
SEED_STEP = 1000


class TaskSequence:
    """Tasks, a method and a link between them, ready to be trained once."""

    def __init__(
        self,
        lab: "Lab",
        tasks: Sequence[Any],
        plan: Plan,
        method: Any,
        *,
        link: str,
        replay: float,
        walk: float,
        name: str = "",
    ) -> None:
        """See `Lab.sequence`."""
        self.lab, self.plan, self.asked_method = lab, plan, method
        self.link, self.replay, self.walk = link, replay, walk
        check_choice("link", link, LINKS)
        if not 0 < walk <= 1:
            raise InputError(f"walk={walk:g} is not possible; give a share above 0, at most 1.")
        self.labs = labs_of(lab, tasks, plan)
        self.tasks = list(self.labs)
        self.plans = [replace(plan, seed=plan.seed + SEED_STEP * i) for i in range(len(self.tasks))]
        self.runs = [self._run(0)]
        self.method = self.runs[0].prepared.method
        self._check_link(self.runs[0].model)
        told = f"{self.method}, {link}, lr {rate_text(plan.lr)}"
        self.name = name or f"{', '.join(self.tasks)}: {told}"
        self.steps: list[Step] = []
        self.models: list[Any] = []  # after each task that was ended
        self.scores: list[list[float]] = []  # of the model at task i on task j, as far as it is
        self.retained: list[float] = []
        self.base: list[float] = []  # of the base on each task
        self.seconds = 0.0

    @property
    def total(self) -> int:
        """Steps in all, for a progress bar."""
        return self.plan.steps * len(self.tasks)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The training items of all tasks so far, with what is replayed."""
        return [row for run in self.runs for row in run.rows]

    @property
    def matrix(self) -> list[list[float]]:
        """a[i][j], accuracy on task j after task i; the last row as it is now."""
        return self._answered(self.scores, self.base)

    @property
    def cross(self) -> list[list[float]] | None:
        """a[i][j], adapter i on task j, where each task has its own; else None."""
        return self.scores if self.link == "switch" else None

    def _answered(self, scores: list[list[float]], base: list[float]) -> list[list[float]]:
        if self.link != "switch":
            return [list(row) for row in scores]
        ended = range(len(scores))
        return [[scores[j][j] if j <= i else b for j, b in enumerate(base)] for i in ended]

    def __iter__(self) -> Iterator[Step]:
        if self.steps:
            raise InputError(
                f"The sequence {self.name} was trained already; make another with lab.sequence()."
            )
        began = time.perf_counter()
        for i in range(len(self.tasks)):
            if i:
                self.runs.append(self._run(i))
            before = self.steps[-1] if i else None
            for step in self.runs[i]:
                self.seconds = time.perf_counter() - began
                if step.measured:
                    self._note(i, step.measured)
                if step.step or before is None:  # else: what the step before has said
                    self.steps.append(_after(before, step))
                    yield self.steps[-1]
            self.models.append(self._walked(i))
            self.seconds = time.perf_counter() - began

    def finish(self) -> "TaskSequence":
        """Train to the end without looking; the sequence itself."""
        for _ in self:
            pass
        return self

    def _note(self, i: int, measured: Mapping[str, Any]) -> None:
        """Row `i` of the matrix, as it is now."""
        row = [measured["tasks"][name] for name in self.tasks]
        self.base = self.base or row
        self.scores[i:], self.retained[i:] = [row], [measured["retention"]]

    def _run(self, i: int) -> Run:
        """The run of task `i`; those before it were ended."""
        lab, plan = list(self.labs.values())[i], self.plans[i]
        before = [other.items() for other in list(self.labs.values())[:i]]
        lab.earlier = [row for rows in zip(*before, strict=False) for row in rows]  # tasks in turn
        start: Any = None
        method: Any = self.asked_method
        if i and self.link == "merge":
            start = self.models[-1]
        elif i and self.link == "continue":  # a penalty holds to where its task starts
            start = self.runs[-1]
            whole = self.runs[0].prepared.penalty and not has_adapter(start.model)
            method = method if whole else None
        return lab.run(plan, method=method, start=start, replay=self.replay, fast=True)

    def _walked(self, i: int) -> Any:
        """The model after task `i`; with `walk`, on its way back to where the task started."""
        run = self.runs[i]
        if self.walk == 1:
            return run.model
        start = self.models[-1] if i and self.link != "switch" else self.lab.bundle.model
        model = partway(start, run.model)(self.walk)
        self._note(i, run.lab.teacher_forced(model))
        if self.link == "continue":  # the next task trains these very parameters
            run.model.load_state_dict(model.state_dict())
            return run.model
        return model

    def _check_link(self, model: nn.Module) -> None:
        """Can tasks follow one another so?"""
        adapters = has_adapter(model)
        if self.link == "switch" and not adapters:
            raise InputError(
                f"{self.method} trains the base's own weights, so there is nothing to switch; take "
                "adapters such as LoRA(), or link='continue'."
            )
        if self.link == "continue" and self.walk < 1 and adapters:
            raise InputError(
                f"walk={self.walk:g} adds adapters into the weights, and then there is none to "
                "continue; take link='merge'."
            )
        if self.link == "merge" or self.walk < 1:
            check_merge(model)

    def check_ended(self) -> None:
        """Raises InputError where it was stopped before its last task was ended."""
        if len(self.models) < len(self.tasks):
            raise InputError(
                f"The sequence {self.name} ended {len(self.models)} of {len(self.tasks)} tasks; "
                "make it anew, and iterate over it to the end."
            )

    @cached_property
    def record(self) -> records.Record:
        """The record: `final` of the model at the end, `extra["sequence"]` of every task's.

        With link="switch" the final model is that of the lab's own domain, if it is among the
        tasks. Raises InputError before the end.
        """
        self.check_ended()
        own, measured = self.lab.domain.name, [step for step in self.steps if step.measured]
        last = self.tasks.index(own) if self.link == "switch" and own in self.tasks else -1
        made = self.lab.measure(self.models[last], name=self.name, method=self.method)
        found = self._exact(self.models[last], made.final)
        return replace(
            made,
            plan=asdict(self.plan),
            seed=self.plan.seed,
            trainable=self.runs[0].prepared.trainable,
            data_checksum=records.rows_checksum(self.rows),
            extra=made.extra | {"method": self.runs[0].method_fields(), "sequence": found},
            command="no command makes this run; lab.sequence(...) does, with what is in extra",
            budget=records.budget([self.steps[-1]]),
            curve=[step.row() for step in measured],
            final=made.final | _in_numbers(found),
            seconds=self.seconds,
        )

    def _exact(self, known: nn.Module, final: dict[str, Any]) -> dict[str, Any]:
        """Every task on its test split, and every skill, after each task; `final`: of `known`."""
        measure = self.lab.evaluator.everything
        after = [final if model is known else measure(model) for model in self.models]
        models = [self.lab.bundle.model, *self.models]
        base, *scores = [
            [self._score(lab, model, found) for lab in self.labs.values()]
            for model, found in zip(models, [self.lab.baseline, *after], strict=True)
        ]
        return {
            "tasks": self.tasks,
            "link": self.link,
            "replay": self.replay,
            "walk": self.walk,
            "base": base,
            "matrix": self._answered(scores, base),
            "retained": [found["retention"] for found in after],
            "kept": [found["kept"] for found in after],
            "forgotten": [found["forgotten"] for found in after],
        } | ({"cross": scores} if self.link == "switch" else {})

    def _score(self, lab: "Lab", model: nn.Module, found: dict[str, Any]) -> float:
        """The test split of a task; of the sequence's own it is `found` already."""
        if lab.domain.name == self.lab.domain.name:
            return found["target_score"]
        return measure_target(model, lab.tokenizer, lab.evaluator.test_items).score


def _after(before: Step | None, step: Step) -> Step:
    """A task's step, counted on from the last of the task before."""
    return step if before is None else replace(
        step, step=before.step + step.step, tokens=before.tokens + step.tokens,
        examples=before.examples + step.examples, seconds=before.seconds + step.seconds,
    )  # fmt: skip


def _in_numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """What was found in numbers, beside the measures of the final model.

    `retained` is what is left at the end; with one adapter per task the mean over the adapters.
    """
    matrix, retained = found["matrix"], found["retained"]
    return {
        "retained": fmean(retained) if found["link"] == "switch" else retained[-1],
        "average_accuracy": average_accuracy(matrix),
        "just_learned": just_learned(matrix),
        "forgetting": forgetting(matrix),
        "bwt": backward_transfer(matrix),
    }
