"""One run of a lab: iterate for its Steps; then `model`, `steps`, `record` are there."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab import record as records
from ftlab.base import machine
from ftlab.base.draws import LOCK, Draws
from ftlab.base.errors import InputError
from ftlab.base.jsonfile import plain
from ftlab.datasets.replay import mix
from ftlab.evaluate.target import generate
from ftlab.lab import weights
from ftlab.lab.command import command_of
from ftlab.lab.start import prepared, start_of
from ftlab.methods.full_tuning import full
from ftlab.methods.table import named
from ftlab.models.fused_forward import fused
from ftlab.models.prefix_cache import cached_below
from ftlab.plan import Plan, Step, rate_text
from ftlab.train.checkpoint import setup_checksum
from ftlab.train.engine import default_groups
from ftlab.train.loop import START, refuse_numberless, train
from ftlab.train.store import StoredRun, runs_folder

if TYPE_CHECKING:
    from ftlab.lab.lab import Lab

ANSWER_TOKENS = 32
"""Room for a sample answer."""


class Run:
    """A method, a plan and the items, ready to be trained once."""

    def __init__(
        self,
        lab: "Lab",
        plan: Plan,
        method: Any,
        *,
        name: str = "",
        items: int | None = None,
        replay: float = 0.0,
        replay_source: str | None = None,
        start: Any = None,
        fast: bool = False,
        store: bool = True,
    ) -> None:
        """See `Lab.run`."""
        self.lab, self.plan, self.replay, self.fast, self.store = lab, plan, replay, fast, store
        self.replay_source = replay_source
        self.adapter = str(start) if isinstance(start, str | Path) else None
        self.item_count = items
        self.rows = self._mixed(lab.items(items))
        self.asked_method = named(method, plan.seed) if isinstance(method, str) else method
        with LOCK, Draws(plan.seed):  # an adapter's first weights; peft's warnings are filtered
            if self.adapter is not None:
                start = weights.with_adapter(lab.fresh(), Path(os.path.expanduser(self.adapter)))
            self.prepared = prepared(lab, self.asked_method, start)
        self.rows += [dict(row) for row in self.prepared.rows]
        self.model = self.prepared.model
        self.start = start_of(start, Path(self.adapter or "").name)
        self.method = self.prepared.method if not replay else "replay"
        after = f" after {self.start['name']}" if self.start else ""
        self.name = name or f"{self.method} lr {rate_text(plan.lr)}{after}"
        self.steps: list[Step] = []
        self.seconds = 0.0
        self.begun = False
        self.failed: InputError | None = None  # what ended it before its time: then no result
        self.stored: StoredRun | None = None  # its folder, once trained, where it is stored

    def _mixed(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The items, and what is replayed."""
        reads = self.plan.steps * self.plan.batch_size
        source: Any = self.lab.replay_source
        if self.replay_source is not None and not self.replay:
            raise InputError(
                f"replay_source={self.replay_source!r} says what is replayed, not how much; give "
                "a share as well, such as replay=0.05."
            )
        if self.replay and (self.replay_source or self.lab.earlier):
            source = self.lab.replay_rows(max(1, round(self.replay * reads)), self.replay_source)
        return mix(items, source, self.replay, reads)

    def __iter__(self) -> Iterator[Step]:
        if self.steps:
            raise InputError(
                f"The run {self.name} was trained already ({self.steps[-1].step} steps); "
                "make another with lab.run(...)."
            )
        self.stored, self.begun = self._stored(), True
        began = time.perf_counter()
        with ExitStack() as shortcuts:
            if self.fast:
                shortcuts.enter_context(cached_below(self.model, self.lab.prefix_cache))
                if self.precision == "fp32":
                    shortcuts.enter_context(fused(self.model))
            steps = train(
                self.model,
                self.lab.tokenizer,
                self.rows,
                self.plan,
                groups=self.prepared.groups(self.plan),
                measure=self._measure(),
                checkpoint=self.stored,
                penalty=self.prepared.penalty,
                weigh=self.prepared.weigh,
            )
            shortcuts.callback(steps.close)  # Stop: at rest before the shortcuts are taken off
            try:
                for step in steps:
                    self.steps.append(step)
                    self._forget()
                    spent = self.stored.seconds if self.stored else time.perf_counter() - began
                    self.seconds = spent
                    yield step
            except InputError as error:
                self.failed = error
                raise

    def _measure(self) -> Any:
        """What measures on the way; a fast run starts from what is known of the base."""
        if not self.fast:
            return self.lab.evaluator
        known = iter([] if self.start else [self.lab.teacher_forced.baseline])
        return lambda model: next(known, None) or self.lab.teacher_forced(model)

    def _stored(self) -> StoredRun | None:
        """This run's folder, found by all that decides its numbers; None where none is stored."""
        root = runs_folder() if self.store else None
        if root is None:
            return None
        groups = self.prepared.groups(self.plan) or default_groups(self.model)
        plan = asdict(self.plan) | {"checkpoint_every": 0}  # changes no number
        more = {"start": setup_checksum(self.model, groups, start=True), "fast": self.fast}
        return StoredRun(root, self._identity() | {"plan": plan} | more)

    @property
    def precision(self) -> str:
        """What its steps are computed in: "fp32", "bf16" or "fp16"."""
        return machine.precision(self.model.device.type, self.plan.precision)

    def finish(self) -> "Run":
        """Train to the end without looking; the run itself."""
        for _ in self:
            pass
        return self

    def _forget(self) -> None:
        """What was asked of the model before this step is no longer so."""
        for known in ("_measured", "final", "record"):
            vars(self).pop(known, None)

    @property
    def last(self) -> dict[str, Any]:
        """What was measured last, and after which "step"; there wherever a run was stopped."""
        step = next(step for step in reversed(self._curve()) if step.measured)
        return {"step": step.step, **(step.measured or {})}

    def _curve(self) -> list[Step]:
        """The steps so far; of a run that was stopped before step 0, that step, measured now."""
        return self.steps or [replace(START, measured=plain(self._measure()(self.model)))]

    @cached_property
    def final(self) -> dict[str, Any]:
        """The trained model measured on everything (see Evaluator.full)."""
        self._check_result()
        if self.stored and self.steps:
            return self.record.final  # stored, or measured now and stored
        return self._measured[0]

    @cached_property
    def _measured(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The trained model on everything, and what turned."""
        return self.lab.evaluator.full_with_evidence(self.model)

    @cached_property
    def record(self) -> records.Record:
        """The run's record, up to where it was stopped.

        Raises InputError before it was begun, or where the run failed.
        """
        self._check_result()
        if not self.begun:
            raise InputError(f"The run {self.name} has no step yet; iterate over it first.")
        if self.stored and (known := self.stored.record(self.steps)):
            return known
        curve = self._curve()
        final, evidence = self._measured
        refuse_numberless(final, f"at the end of {self.name}")
        made = records.Record(
            **self._identity(),
            versions=records.versions(),
            command=command_of(self),
            total=self.prepared.total,
            budget=records.budget(curve),
            curve=[step.row() for step in curve],
            baseline=self.lab.baseline,
            final=final,
            evidence=evidence,
            seconds=self.seconds,
            peak_memory=machine.peak_memory(),
        )
        if self.stored:
            self.stored.save(made)
        return made

    def _check_result(self) -> None:
        if self.failed:
            raise InputError(f"The run {self.name} has no result. {self.failed}")

    def _identity(self) -> dict[str, Any]:
        """What tells this run from others: the fields `record.IDENTITY` of its record."""
        return self.lab.identity() | {
            "name": self.name,
            "method": self.method,
            "data_checksum": records.rows_checksum(self.rows),
            "plan": asdict(self.plan),
            "precision": self.precision,
            "seed": self.plan.seed,
            "trainable": self.prepared.trainable,
            "extra": {"method": self.method_fields()}
            | ({"base": asdict(self.lab.bundle.base)} if self.lab.bundle.base else {})
            | ({"replay": self.replay} if self.replay else {})
            | ({"replay_source": self.replay_source} if self.replay_source else {})
            | ({"start": self.start} if self.start else {}),
        }

    def method_fields(self) -> dict[str, Any]:
        """All that the method was: its fields, or what can be read back from the live model."""
        if is_dataclass(self.asked_method):
            return asdict(self.asked_method)  # pyright: ignore
        if self.asked_method is full:
            return {"name": "full"}
        configs = getattr(self.model, "peft_config", {})
        return {
            "name": getattr(self.asked_method, "__name__", type(self.asked_method).__name__),
            "table": [asdict(row) for row in self.prepared.table()],
            "peft": {name: _settings(config) for name, config in configs.items()},
        }

    def save(self, folder: str | Path, *, merged: bool = False) -> str:
        """Save the adapter, or the model where there is none or with `merged`, and the tokenizer.

        In the form of peft and transformers; says which of the two it was. Raises InputError.
        """
        weights.check_save(self, Path(folder), merged)
        return weights.save(self.model, self.lab.tokenizer, Path(folder), merged)

    def samples(self, count: int = 4) -> list[dict[str, str]]:
        """Test items as {prompt, expected, before, after}: seen and held cases in turn."""
        rows = [dict(row) for row in self.lab.domain.test][:count]
        answers = self.say([row["prompt"] for row in rows], ANSWER_TOKENS)
        return [
            {"prompt": row["prompt"], "expected": row["answer"]} | said
            for row, said in zip(rows, answers, strict=True)
        ]

    def say(self, prompts: Sequence[str], words: int = 12) -> list[dict[str, str]]:
        """What base and trained model write after each prompt: {prompt, before, after}."""
        tokenizer = self.lab.tokenizer
        before = generate(self.lab.evaluator.base, tokenizer, prompts, words)
        after = generate(self.model, tokenizer, prompts, words)
        return [
            {"prompt": p, "before": b, "after": a}
            for p, b, a in zip(prompts, before, after, strict=True)
        ]


def _settings(config: Any) -> dict[str, Any]:
    """A peft config as plain data; sets in order, and nothing of where the base came from."""
    found = {k: v for k, v in config.to_dict().items() if k != "base_model_name_or_path"}
    return {k: sorted(v) if isinstance(v, set | frozenset) else v for k, v in found.items()}
