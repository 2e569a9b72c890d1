"""A lab bench: one base model, one target domain, one suite of skills to keep.

    lab = ftlab.open_lab("clinic")
    run = lab.run(Plan(lr=1e-3))
    for step in run: ...          # trains a fresh copy of the base, both numbers as it goes
    run.record                    # what was run, on what, and what came out

With `ftlab.store_runs(folder)` a run that was trained before is not trained again
(`ftlab/train/store.py`).

Every run starts from the same weights, reads the same data in the same order for a seed, and is
measured by the same watch, so that runs differ in their plan and method alone.
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, is_dataclass, replace
from functools import cached_property
from typing import Any, Unpack

import torch
from torch import nn

from ftlab import record as records
from ftlab.base import machine
from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain, Suite, load_domain
from ftlab.datasets.replay import mix
from ftlab.evaluate.evaluator import Evaluator, Sizes
from ftlab.evaluate.target import generate
from ftlab.lab.defaults import usual_model, usual_suite
from ftlab.methods.full_tuning import full
from ftlab.methods.prepared import Prepared
from ftlab.models.loading import Bundle, load
from ftlab.models.quantizing import Quantize, quantize
from ftlab.plan import Plan, Step
from ftlab.train.checkpoint import setup_checksum
from ftlab.train.engine import default_groups
from ftlab.train.loop import train
from ftlab.train.store import StoredRun, runs_folder

Method = Callable[[nn.Module], Prepared]
"""What says which weights may move: `full`, a Freeze, a LoRA."""
ANSWER_TOKENS = 32  # room for a sample answer


class Lab:
    """A base model, a domain and a suite, with the measures that go between them."""

    def __init__(
        self, bundle: Bundle, domain: Domain, suite: Suite, **watch: Unpack[Sizes]
    ) -> None:
        """`watch`: sizes of the quick subset."""
        self.bundle, self.domain, self.suite, self.sizes = bundle, domain, suite, watch
        with machine.explain_if_full("while the base was copied"):
            self.watch = Evaluator(bundle.tokenizer, domain, suite, bundle.model, **watch)

    @property
    def tokenizer(self) -> Any:
        """The base model's tokenizer."""
        return self.bundle.tokenizer

    @property
    def baseline(self) -> dict[str, Any]:
        """What the base can do, on everything (see Watch.full)."""
        return self.watch.baseline_full

    def quantized(self, how: Quantize | None = None) -> "Lab":
        """The same bench for the same base in four bits: what is kept counts from that base."""
        bundle = replace(self.bundle, model=quantize(self.fresh(), how), base=how or Quantize())
        return Lab(bundle, self.domain, self.suite, **self.sizes)

    def fresh(self) -> nn.Module:
        """A copy of the base model, to be trained."""
        with machine.explain_if_full("while the base was copied"):
            return copy.deepcopy(self.bundle.model)

    def items(self, count: int | None = None) -> list[dict[str, Any]]:
        """The first `count` training items, or all. Raises InputError if there are fewer."""
        rows = [dict(row) for row in self.domain.train]
        if count is not None and not 1 <= count <= len(rows):
            raise InputError(
                f"{count} training items were asked for; {self.domain.name} has {len(rows)}: "
                f"give a number from 1 to {len(rows)}."
            )
        return rows[:count]

    def run(
        self,
        plan: Plan | None = None,
        *,
        method: Method = full,
        name: str = "",
        items: int | None = None,
        replay: float = 0.0,
        store: bool = True,
    ) -> "Run":
        """Prepare a run: `method` says what may move, `plan` how; iterate over it to train.

        `items` limits the training items; `replay` is the share of what is read that is general
        text in place of them. store=False trains in any case and stores nothing.
        Raises InputError for what does not fit model or data.
        """
        return Run(self, plan or Plan(), method, name, items, replay, store)


class Run:
    """One run of a lab: iterate for its Steps; then `model`, `steps`, `record` are there."""

    def __init__(
        self,
        lab: Lab,
        plan: Plan,
        method: Method,
        name: str,
        items: int | None,
        replay: float,
        store: bool,
    ) -> None:
        self.lab, self.plan, self.replay, self.store = lab, plan, replay, store
        self.rows = mix(lab.items(items), lab.suite.name, replay, plan.steps * plan.batch_size)
        with torch.random.fork_rng(devices=[]):  # an adapter's first weights are drawn by the seed
            torch.manual_seed(plan.seed)
            self.moving = method(lab.fresh())
        self.model = self.moving.model
        self.method = self.moving.method if not replay else "replay"
        self.asked = asdict(method) if is_dataclass(method) else {}
        self.name = name or f"{self.method} lr {plan.lr:g}"
        self.steps: list[Step] = []
        self.seconds = 0.0
        self.stored: StoredRun | None = (
            None  # its folder, once it is trained and where it is stored
        )

    def __iter__(self) -> Iterator[Step]:
        if self.steps:
            raise InputError(
                f"The run {self.name} was trained already ({self.steps[-1].step} steps); "
                "make another with lab.run(...)."
            )
        watch, tokenizer = self.lab.watch, self.lab.tokenizer
        groups = self.moving.groups(self.plan)
        self.stored = self._stored()
        began = time.perf_counter()
        for step in train(
            self.model,
            tokenizer,
            self.rows,
            self.plan,
            groups=groups,
            measure=watch,
            checkpoint=self.stored,
        ):
            self.steps.append(step)
            self.seconds = self.stored.seconds if self.stored else time.perf_counter() - began
            yield step

    def _stored(self) -> StoredRun | None:
        """This run's folder, found by all that decides its numbers; None where none is stored."""
        root = runs_folder() if self.store else None
        if root is None:
            return None
        groups = self.moving.groups(self.plan) or default_groups(self.model)
        plan = asdict(self.plan) | {"checkpoint_every": 0}  # changes no number
        more = {
            "start": setup_checksum(self.model, groups, start=True),
            "questions": self.lab.watch.checksum(),
        }
        return StoredRun(root, self._asked() | {"plan": plan} | more)

    def finish(self) -> "Run":
        """Train to the end without looking; the run itself."""
        for _ in self:
            pass
        return self

    @cached_property
    def final(self) -> dict[str, Any]:
        """The trained model measured on everything (see Watch.full)."""
        if self.stored and self.steps:
            return self.record.final  # stored, or measured now and stored
        return self.lab.watch.full(self.model)

    @cached_property
    def record(self) -> records.Record:
        """The run's record. Raises InputError when nothing was trained yet."""
        if not self.steps:
            raise InputError(f"The run {self.name} has no step yet; iterate over it first.")
        if self.stored and (known := self.stored.record(self.steps)):
            return known
        made = records.Record(
            **self._asked(),
            versions=records.versions(),
            command=self._command(),
            total=self.moving.total,
            budget=records.budget(self.steps),
            curve=[step.row() for step in self.steps],
            baseline=self.lab.baseline,
            final=self.lab.watch.full(self.model) if self.stored else self.final,
            seconds=self.seconds,
            peak_memory=machine.peak_memory(),
        )
        if self.stored:
            self.stored.save(made)
        return made

    def _asked(self) -> dict[str, Any]:
        """What tells this run from others: the fields `records.IDENTITY` of its record."""
        lab = self.lab
        return {
            "name": self.name,
            "method": self.method,
            "model": lab.bundle.name,
            "model_checksum": lab.bundle.checksum,
            "domain": lab.domain.name,
            "data_checksum": records.rows_checksum(self.rows),
            "suite": lab.suite.name,
            "plan": asdict(self.plan),
            "seed": self.plan.seed,
            "device": machine.device(),
            "precision": machine.precision(),
            "trainable": self.moving.trainable,
            "extra": ({"method": self.asked} if self.asked else {})
            | ({"base": asdict(lab.bundle.base)} if lab.bundle.base else {})
            | ({"replay": self.replay} if self.replay else {}),
        }

    def _command(self) -> str:
        """The command that makes this run again; a plan of one's own is told in `extra`."""
        plan, lab = self.plan, self.lab
        words = [
            f"ftlab run --domain {lab.domain.name} --model {lab.bundle.name}",
            f"--method {self.moving.method} --lr {plan.lr:g} --steps {plan.steps}",
            f"--seed {plan.seed}",
        ]
        words += [f"--schedule {plan.schedule}"] if plan.schedule != "constant" else []
        words += [f"--warmup {plan.warmup}"] if plan.warmup else []
        words += [f"--replay {self.replay:g}"] if self.replay else []
        words += [f"--base {lab.bundle.base}"] if lab.bundle.base else []
        return " ".join(words)

    def samples(self, count: int = 4) -> list[dict[str, str]]:
        """Test items as {prompt, expected, before, after}: seen and held cases in turn."""
        rows = [dict(row) for row in self.lab.domain.test][:count]
        before = _answers(self.lab.watch.base, self.lab.tokenizer, rows)
        after = _answers(self.model, self.lab.tokenizer, rows)
        return [
            {"prompt": row["prompt"], "expected": row["answer"], "before": b, "after": a}
            for row, b, a in zip(rows, before, after, strict=True)
        ]

    def say(self, prompts: Sequence[str], words: int = 12) -> list[dict[str, str]]:
        """What base and trained model write after each prompt: {prompt, before, after}."""
        tokenizer = self.lab.tokenizer
        before = generate(self.lab.watch.base, tokenizer, prompts, words)
        after = generate(self.model, tokenizer, prompts, words)
        return [
            {"prompt": p, "before": b, "after": a}
            for p, b, a in zip(prompts, before, after, strict=True)
        ]


def _answers(model: nn.Module, tokenizer: Any, rows: list[dict[str, Any]]) -> list[str]:
    return generate(model, tokenizer, [row["prompt"] for row in rows], ANSWER_TOKENS)


def open_lab(
    domain: str = "clinic",
    *,
    model: str | None = None,
    seq2seq: bool = False,
    base: Quantize | None = None,
    **watch: Unpack[Sizes],
) -> Lab:
    """Set up a lab: the profile's model (or `model`), the domain, and the suite that fits it.

    `seq2seq` asks for the profile's encoder-decoder model. With `base` the model is put into four
    bits first, and every run starts from that. nano models are asked about their own small world,
    all others about plain English; under the profile t4 with general text from Wikipedia.
    Where the Hub does not give what the profile wants, what ships is taken, and a line says so.
    Raises InputError for a domain or a named model that cannot be had.
    """
    loaded = load_domain(domain)
    bundle = (
        load(model, device=machine.device(), base=base) if model else usual_model(seq2seq, base)
    )
    return Lab(bundle, loaded, usual_suite(bundle), **watch)
