"""The same training in a fraction of the time, for panels that train while one watches.

    fast = Fast(lab)                              one for many runs: it remembers
    run = lab.run(LIVE, method=LoRA({"7-9": 8, "10-12": 16}))
    for step in fast.steps(run): ...              the plain loop's Steps; break is Stop
    race(fast, LIVE, method)                      both ways side by side, and the ratio

The loop, the model's forward and the optimiser are those of a plain run. What is left out is work
whose outcome is known: the blocks below the lowest trained one (`ftlab.models.prefix_cache`),
operations
that come to the same in one (`ftlab.models.fused_forward`), words that need not be written to be
judged
(`ftlab.evaluate.teacher_forced`), and measuring a model that has not moved yet. So every number
equals the
plain run's to float error, which the test checks for each kind of run. Where nothing can be kept
(embeddings or the first block trained, an encoder, dropout) all blocks are run, and `told` says so.

The live run's default is 40 steps of 16 items, enough to learn the format and to forget, with the
points at 20 and 40 that the explorer's grid has as well. With more points the measuring would take
as long as the training: a point costs as much as several steps.

Run the tests: pytest tests/lab/test_fast.py
"""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from ftlab.base.errors import InputError
from ftlab.evaluate.evaluator import Evaluator
from ftlab.evaluate.teacher_forced import TeacherForced
from ftlab.lab.lab import Lab, Method, Run
from ftlab.models.fused_forward import fused
from ftlab.models.layers import layer_map
from ftlab.models.prefix_cache import PrefixCache, below, cached_below, why_not
from ftlab.plan import Plan, Step
from ftlab.train.loop import train

LIVE = Plan(steps=40, lr=3e-3, measure_every=20)
"""What a panel trains when nothing else is said."""
SIZES = {"target_items": 64, "per_skill": 40, "documents": 16}
"""How much is asked at each point: all of the validation split, 40 probes a skill."""


class Fast:
    """A lab's runs, trained the short way."""

    def __init__(self, lab: Lab, **sizes: int) -> None:
        """`sizes` of what is measured (target_items, per_skill, documents), else SIZES."""
        watch = Evaluator(
            lab.tokenizer, lab.domain, lab.suite, lab.bundle.model, **{**SIZES, **sizes}
        )
        self.lab, self.glance = lab, TeacherForced(watch)
        self.shelf: PrefixCache = {}

    def steps(self, run: Run, *, measured: bool = True) -> Generator[Step, None, None]:
        """Train a run of this lab, as iterating over it does; fills `run.steps`.

        Raises InputError for a run of another lab, or one that was trained already.
        """
        self._check(run)
        began, known = time.perf_counter(), iter([self.glance.baseline] if measured else [])
        with cached_below(run.model, self.shelf), fused(run.model):
            steps = train(
                run.model,
                self.lab.tokenizer,
                run.rows,
                run.plan,
                groups=run.moving.groups(run.plan),
                measure=(lambda model: next(known, None) or self.glance(model))
                if measured
                else None,
            )
            with closing(steps):  # Stop: at rest before the shortcuts are taken off
                for step in steps:
                    run.steps.append(step)
                    run.seconds = time.perf_counter() - began
                    yield step

    def told(self, run: Run) -> str:
        """What is left out for this run, in a sentence."""
        if reason := why_not(run.model):
            return reason
        count, depth = below(run.model), layer_map(run.model).depth()
        return f"The states below block {count + 1} of {depth} are computed once and kept."

    def _check(self, run: Run) -> None:
        if run.lab is not self.lab:
            raise InputError(
                f"The run {run.name} is of another lab, whose base and items may differ; "
                "make it with the lab that Fast was given."
            )
        if run.steps:
            raise InputError(
                f"The run {run.name} was trained already ({run.steps[-1].step} steps); "
                "make another with lab.run(...)."
            )


@dataclass(frozen=True)
class Race:
    """One run trained both ways, step by step in turn, so that both had the same machine."""

    name: str
    """The run's."""
    steps: int
    """How many were taken each way."""
    plain: float
    """Seconds of training, measuring left out, by the plain loop."""
    fast: float
    """The same with the shortcuts; filling the shelf is part of it."""
    kept: int
    """How many blocks were kept."""
    apart: float
    """The largest difference of a step's loss, as a share of it."""

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.plain / self.fast


def race(fast: Fast, plan: Plan, method: Method, *, name: str = "") -> Race:
    """Train the same run both ways, in turn; nothing is measured."""
    one, two = (fast.lab.run(plan, method=method, name=name) for _ in range(2))
    groups = one.moving.groups(plan)
    plain = train(one.model, fast.lab.tokenizer, one.rows, plan, groups=groups)
    pairs = list(zip(plain, fast.steps(two, measured=False), strict=True))
    losses = [(a.loss, b.loss) for a, b in pairs if a.loss is not None and b.loss is not None]
    return Race(
        name=one.name,
        steps=plan.steps,
        plain=pairs[-1][0].seconds,
        fast=pairs[-1][1].seconds,
        kept=0 if why_not(two.model) else below(two.model),
        apart=max(abs(a - b) / abs(a) for a, b in losses),
    )
