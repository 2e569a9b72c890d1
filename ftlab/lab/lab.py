"""A lab bench: one base model, one target domain, one suite of skills to retain.

    lab = ftlab.open_lab("clinic")
    run = lab.run(Plan(lr=1e-3))
    for step in run: ...          # trains a fresh copy of the base, both measures as it goes
    run.record                    # what was run, on what, and what came out
    lab.measure(model)            # the same record for a model that something else has made

With `ftlab.store_runs(folder)` a run that was trained before is not trained again.

Every run starts from the same weights, reads the same data in the same order for a seed, and is
measured by the same evaluator, so that runs differ in their plan and method alone.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

from torch import nn

from ftlab import record as records
from ftlab.base import machine
from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.datasets.forms import Chat, Faulty, TooLong
from ftlab.datasets.load import DOMAINS, SUITES, Domain, Suite, load_domain, load_suite, suite_for
from ftlab.evaluate.evaluator import Evaluator, Sizes
from ftlab.evaluate.teacher_forced import TeacherForced
from ftlab.lab import replays, weights
from ftlab.lab.defaults import bundle_of, usual_suite
from ftlab.lab.run import Run
from ftlab.lab.sequence import TaskSequence
from ftlab.methods.full_tuning import full
from ftlab.methods.prepared import Prepared, count
from ftlab.models.bases import Quantize, quantize_named
from ftlab.models.loading import Bundle
from ftlab.models.prefix_cache import PrefixCache
from ftlab.models.quantizing import quantize
from ftlab.plan import Plan, Step, check_whole
from ftlab.text.scored_batches import context_limit
from ftlab.text.seq2seq import decoder_start
from ftlab.text.tidy import notices, tidy
from ftlab.train.loop import refuse_numberless

Method = Annotated[Callable[..., Prepared], "a method such as LoRA()"]
"""What says which parameters are trained: `full`, a Freeze, a LoRA."""
FAST_SIZES: Sizes = {"target_items": 64, "per_skill": 40, "documents": 16}
"""How much a fast run asks at each point: all of the validation split, 40 probes a skill."""


@checked
class Lab:
    """A base model, a domain and a suite, with the measures that go between them."""

    def __init__(
        self,
        bundle: Bundle,
        domain: Domain,
        suite: Suite,
        *,
        opened: dict[str, str] | None = None,
        longest: int | None = None,
        too_long: TooLong | None = None,
        chat: Chat = "auto",
        **sizes: Unpack[Sizes],
    ) -> None:
        """`sizes` of what is asked on the way; `opened`: by what names `open_lab` was called; the
        others as for `open_lab`."""
        if longest is not None:
            check_whole("longest", longest, 2)
        self.tidy = partial(
            tidy, tokenizer=bundle.tokenizer, start=decoder_start(bundle.model), longest=longest,
            too_long=too_long, chat=chat, reads=context_limit(bundle.model),
        )  # fmt: skip
        domain = self.tidy(domain)
        self.bundle, self.domain, self.suite, self.sizes = bundle, domain, suite, sizes
        self.opened = opened or {}
        self.fast_sizes = FAST_SIZES
        self.prefix_cache: PrefixCache = {}
        self.earlier: list[dict[str, Any]] = []  # training items of tasks that were learned before
        with machine.explain_if_full("while the base was copied"):
            self.evaluator = Evaluator(bundle.tokenizer, domain, suite, bundle.model, **sizes)

    @property
    def tokenizer(self) -> Any:
        """The base model's tokenizer."""
        return self.bundle.tokenizer

    @property
    def baseline(self) -> dict[str, Any]:
        """What the base can do, on everything (see Evaluator.full)."""
        return self.evaluator.baseline_full

    @property
    def replay_source(self) -> str:
        """Whose general text is replayed: that of the suite, or what fits the model."""
        own = self.suite.name in SUITES
        return self.suite.name if own else suite_for(self.bundle.model, self.tokenizer)

    def replay_rows(self, count: int, source: str | None = None) -> list[dict[str, Any]]:
        """`count` items to replay: general text and, where there are any, `earlier` ones in turn;
        of a suite, "own" (`own_items`), or None: what fits."""
        return replays.rows(self, count, source)

    def own_items(
        self, count: int, model: nn.Module | None = None, seed: int = 0
    ) -> list[dict[str, Any]]:
        """`count` items that the model (None: the base) writes itself, drawn from its own
        probabilities: whole texts and, where there are any, answers to `earlier` prompts in turn.

        Raises InputError for an encoder-decoder model, which writes nothing unasked.
        """
        return replays.own(self, count, model, seed)

    @cached_property
    def teacher_forced(self) -> TeacherForced:
        """What measures a fast run: the same scores, without writing a word."""
        base = self.bundle.model
        return TeacherForced(
            Evaluator(self.tokenizer, self.domain, self.suite, base, **self.fast_sizes)
        )

    def quantized(self, how: Quantize | None = None) -> "Lab":
        """The same bench for the same base in four bits: retention counts from that base."""
        bundle = replace(self.bundle, model=quantize(self.fresh(), how), base=how or Quantize())
        return Lab(bundle, self.domain, self.suite, opened=self.opened, **self.sizes)

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
        method: Method | str | None = None,
        name: str = "",
        items: int | None = None,
        replay: float = 0.0,
        replay_source: str | None = None,
        start: "Run | nn.Module | str | Path | None" = None,
        fast: bool = False,
        store: bool = True,
    ) -> Run:
        """Prepare a run: `method` says what is trained, `plan` how; iterate over it to train.

        `method` is a method or its name (`ftlab.methods.table`), by default `full`. `items` limits
        the training items; `replay` is the share of what is read that is general text in place of
        them: the suite's, another's (`replay_source="english"`), or what the base writes itself
        ("own"). `start`, a run, a model or the folder of a saved adapter, is where the weights come
        from in place of the base: without a method what was trained there is trained on; with one,
        adapters of the start are merged first. fast=True leaves out work whose outcome is known,
        where it can: cached states of the frozen lower blocks, fewer operations, scores without
        writing (all equal to float error, so not the last bit). store=False trains in any case,
        whatever was stored.

        Raises InputError for what does not fit model or data.
        """
        if method is None and start is None:
            method = full
        return Run(
            self, plan or Plan(), method, name=name, items=items, replay=replay,
            replay_source=replay_source, start=start, fast=fast, store=store,
        )  # fmt: skip

    def sequence(
        self,
        tasks: Sequence[str | Path | Domain],
        plan: Plan | None = None,
        *,
        method: Method | str | None = None,
        link: Literal["continue", "merge", "switch"] = "continue",
        replay: float = 0.0,
        walk: float = 1.0,
        name: str = "",
    ) -> TaskSequence:
        """Prepare tasks (domains) that are trained one after another, each by `plan`; iterate.

        `link`: "continue" trains the same parameters on, "merge" adds adapters into the weights
        and starts new ones, "switch" gives each task its own adapter on the base. `replay`: as in
        `run`, and of earlier tasks' items. `walk` below 1: after each task the model goes back, to
        start + walk (end - start). Raises InputError for what cannot be, before a step is taken.
        """
        more: Any = {"link": link, "replay": replay, "walk": walk, "name": name}
        return TaskSequence(self, tasks, plan or Plan(), method or full, **more)

    def measure(self, model: nn.Module, *, name: str, method: str = "") -> records.Record:
        """The record of a model that nothing was trained for here: pruned, merged, averaged.

        `name` tells it from other records; `method` is how it is drawn (by default the name).
        """
        found = count(model, method or name)
        final, evidence = self.evaluator.full_with_evidence(model)
        refuse_numberless(final, name)
        step = Step(0, None, 0.0, 0, 0, None, 0.0, measured=final)
        return records.Record(
            **self.identity(), name=name, method=found.method, data_checksum="", plan={}, seed=0,
            trainable=0, total=found.total, extra={"checksum": weights.checksum(model)},
            versions=records.versions(), budget=records.budget([step]), curve=[step.row()],
            command="no command makes this record: it is of a model in memory",
            baseline=self.baseline, final=final, evidence=evidence, seconds=None, peak_memory=None,
        )  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What tells this lab's records from another's."""
        return {
            "model": self.bundle.name,
            "model_checksum": self.bundle.checksum,
            "domain": self.domain.name,
            "suite": self.suite.name,
            "suite_checksum": self.evaluator.checksum(),
            "device": self.bundle.model.device.type,
            "precision": machine.precision(self.bundle.model.device.type),
        }


def open_lab(
    domain: str | Path | Domain = "clinic",
    *,
    model: str | Path | Bundle | None = None,
    suite: str | Path | Suite | None = None,
    base: str | Quantize | None = None,
    seq2seq: bool = False,
    longest: int | None = None,
    too_long: TooLong | None = None,
    chat: Chat = "auto",
    columns: str = "",
    faulty: Faulty = "refuse",
    **sizes: Unpack[Sizes],
) -> Lab:
    """Set up a lab: the profile's model (or `model`), the domain, and the suite that fits it.

    Each may be a name, a path of one's own, or what was loaded from it. `domain`: clinic, ..., a
    file or folder of items. `suite`: world, english, ..., a folder with probes.jsonl and
    general.jsonl; by default what fits the model: nano models, fine-tuned or not, are asked about
    their own small world, all others about plain English (under the profile t4 with general text
    from Wikipedia). `base` puts the model into four bits first ("nf4-double", or a Quantize), and
    every run starts from that. `seq2seq` asks for the profile's encoder-decoder model.

    Of one's own items: `columns` says what columns of other names are ("prompt=question,
    answer=label"), and `faulty` whether rows with a fault are refused or skipped. With `chat`
    "auto", what comes as a chat or an instruction is written in the tokenizer's chat template where
    it has one; "on": all prompts, "off": none. Items of more than `longest` tokens (by default what
    the model reads) are too long, in every split: `too_long` says whether to "skip" them, to "cut"
    the front off their prompts or to "refuse" them; skip where only `longest` is given, else
    refuse. What was changed is said, and what is worth knowing is printed.

    Where the Hub does not give what the profile wants, what ships is taken, and a line says so.
    Raises InputError for what cannot be had, naming what can.
    """
    how = quantize_named(base) if isinstance(base, str) else base
    if isinstance(domain, Domain):
        if columns or faulty != "refuse":
            raise InputError(
                "columns= and faulty= say how a file is read, and this domain is read already; "
                "give them to load_domain."
            )
        loaded = domain
    else:
        loaded = load_domain(str(domain), columns=columns, faulty=faulty)
    bundle = bundle_of(model, how, seq2seq)
    asked = usual_suite(bundle) if suite is None else suite
    questions = asked if isinstance(asked, Suite) else load_suite(asked)
    given = (domain, suite, model)
    named = not any(isinstance(value, Domain | Suite | Bundle) for value in given)
    opened = {"domain": str(domain), "suite": str(suite or ""), "longest": str(longest or "")}
    opened |= {"too_long": too_long or "", "columns": columns}
    opened |= {"chat": "" if chat == "auto" else chat, "faulty": faulty.replace("refuse", "")}
    how_read: dict[str, Any] = {"longest": longest, "too_long": too_long, "chat": chat}
    lab = Lab(bundle, loaded, questions, opened=opened if named else None, **how_read, **sizes)
    for notice in () if loaded.name in DOMAINS else notices(lab.domain):
        print(f"{loaded.name}: {notice}")
    return lab
