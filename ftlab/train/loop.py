"""The loop: a generator that yields one `Step` after every optimiser step.

    for step in train(model, tokenizer, domain.train, Plan(lr=1e-4), measure=watch):
        print(step.step, step.loss, step.measured and step.measured["retention"])

A progress bar, a live plot, a Stop button, a test and the command line all read this stream.
Leaving the `for` loop is the Stop button: whether by `break`, by an error or by an interrupt, the
model stays usable, in eval mode, with the weights it had reached. An interrupt
(KeyboardInterrupt) is passed on after that, so that a script with many runs ends too.

Notable choices:
- Step 0 comes first: the model before training, measured. So every curve has its baseline.
- The same seed gives bit-equal steps on a CPU, with the same number of threads.
- With `checkpoint=folder` a killed run goes on where it was. Called again with the same plan,
  data and model, the stream begins after the last stored step (nothing is yielded twice, and
  nothing at all if the run had ended); `completed_steps(folder)` gives the steps before.
- The same script goes to several processes with `accelerate launch script.py` or torchrun: each
  takes its share of every batch, and all of them yield the same steps.

Run the tests: pytest tests/train/test_loop.py
"""

import dataclasses
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ftlab.base.errors import InputError, OutOfMemory
from ftlab.base.jsonfile import plain
from ftlab.base.machine import explain_if_full, room
from ftlab.plan import Plan, Step
from ftlab.text.seq2seq import decoder_start
from ftlab.text.train_batches import Example, checksum, encode
from ftlab.train import checkpoint as store
from ftlab.train.checkpoint import completed_steps
from ftlab.train.engine import Engine, Groups, default_groups

__all__ = ["Plan", "Step", "completed_steps", "train"]

Measure = Callable[[Any], Mapping[str, Any]]


def train(
    model: nn.Module,
    tokenizer: Any,
    data: Iterable[Mapping[str, Any]],
    plan: Plan,
    *,
    measure: Measure | None = None,
    checkpoint: str | Path | store.Place | None = None,
    groups: Groups | None = None,
) -> Generator[Step, None, None]:
    """Train `model`, in place, on items of {"prompt", "answer"}; yields Steps 0 to `plan.steps`.

    `measure(model)` gives a dict at step 0, every `plan.measure_every` steps and at the last; it
    must hold "target_score" where the plan has `stop_at`. `checkpoint` is a folder of this run
    alone, or a Place that says more. `groups` are optimiser parameter groups, as torch takes them;
    by default all parameters that require gradients.

    Raises InputError at once for data, model, groups or a checkpoint that do not fit, and during
    the run when the loss is no longer a number, or the card is full (OutOfMemory, with a table of
    what needed the room and what to change); the steps before were yielded.
    """
    if plan.stop_at is not None and measure is None:
        raise InputError(
            f"stop_at={plan.stop_at} needs to know the target score; give a measure as well."
        )
    start, limit = decoder_start(model), _limit(model, plan)
    examples = encode(data, tokenizer, loss_on=plan.loss_on, limit=limit, start=start)
    _check_model(model, examples)
    groups = _check_groups(model, groups)
    memory = _Memory(checkpoint, model, examples, plan, groups) if checkpoint else None
    return _run(model, examples, plan, groups, measure, memory)


def _run(
    model: nn.Module,
    examples: list[Example],
    plan: Plan,
    groups: Groups,
    measure: Measure | None,
    memory: "_Memory | None",
) -> Generator[Step, None, None]:
    engine = Engine(model, examples, plan, groups)
    try:
        engine.rest()
        last, done = memory.resume(engine) if memory else (None, False)
        yield from memory.replayed if memory else ()
        while not done:
            last = _START if last is None else _step(engine, last)
            last = _measured(last, plan, model, measure)
            done = last.step == plan.steps or engine.any_process(_reached(last, plan))
            if memory:
                memory.add(last, engine, done=done)
            yield last
    finally:
        if not sys.is_finalizing():  # a stream left open when Python ends: torch is half gone
            engine.rest()


def _step(engine: Engine, last: Step) -> Step:
    """The step after `last`; where the card is full, what needed the room and what would fit."""
    try:
        return engine.step(last)
    except torch.OutOfMemoryError as error:
        from ftlab.memory.advice import out_of_memory_message
        from ftlab.memory.plan import plan_of

        longest = max(engine.examples, key=lambda example: example.tokens)
        tokens = len(longest.source or longest.ids)
        learned = max(example.learned for example in engine.examples)
        plan = plan_of(engine.model, engine.plan, tokens=tokens, learned=learned)
        message = out_of_memory_message(engine.model, plan, room(engine.device))
        raise OutOfMemory(message) from error


_START = Step(step=0, loss=None, lr=0.0, tokens=0, examples=0, grad_norm=None, seconds=0.0)


def _measured(step: Step, plan: Plan, model: nn.Module, measure: Measure | None) -> Step:
    every = plan.measure_every or plan.steps
    if measure is None or (step.step % every and step.step != plan.steps):
        return step
    with explain_if_full("while the model was measured"):
        return dataclasses.replace(step, measured=plain(measure(model)))


def _reached(step: Step, plan: Plan) -> bool:
    if plan.stop_at is None or step.measured is None:
        return False
    if step.measured.get("target_score") is None:
        raise InputError(
            f"stop_at={plan.stop_at} needs a measure that gives 'target_score'; this one gives "
            f"{', '.join(step.measured) or 'nothing'}."
        )
    return step.measured["target_score"] >= plan.stop_at


class _Memory:
    """The checkpoint folder of one run: what was there, and what is added."""

    def __init__(
        self,
        place: str | Path | store.Place,
        model: nn.Module,
        examples: list[Example],
        plan: Plan,
        groups: Groups,
    ) -> None:
        self.place = place if isinstance(place, store.Place) else store.Place(Path(place))
        self.folder, self.every = self.place.folder, plan.checkpoint_every
        self.data, self.setup = checksum(examples), store.setup_checksum(model, groups)
        self.found = store.read(self.folder)
        if self.found:
            store.check(self.found, self.folder, plan=plan, data=self.data, setup=self.setup)
        self.steps: list[Step] = list(self.found.steps) if self.found else []
        self.replayed = tuple(self.steps) if self.place.replay else ()

    def resume(self, engine: Engine) -> tuple[Step | None, bool]:
        """The last step taken, its state put in place, and whether it ended the run."""
        if self.found is None:
            return None, False
        store.restore(self.found, self.folder, engine)
        return self.steps[-1], self.found.done

    def add(self, step: Step, engine: Engine, *, done: bool) -> None:
        """Remember a step, and write the state where it is time to."""
        self.steps.append(step)

        def save() -> None:
            store.save(self.folder, engine, self.steps, data=self.data, setup=self.setup, done=done)

        if self.place.write:
            self.place.write(step, done, save)
        elif self.every and (done or step.step % self.every == 0):
            save()


def _limit(model: nn.Module, plan: Plan) -> int:
    """Longest text that both the plan and the model take, in tokens."""
    reads = getattr(model.config, "max_position_embeddings", None)  # GPT-2 answers n_positions
    return min(plan.max_tokens, reads) if isinstance(reads, int) else plan.max_tokens


def _check_model(model: nn.Module, examples: list[Example]) -> None:
    config: Any = model.config
    highest = max(max(example.ids + example.source) for example in examples)
    if highest >= config.vocab_size:
        raise InputError(
            f"The tokenizer gives token {highest} and the model knows {config.vocab_size}; "
            "load both from the same place."
        )
    if any(p.dtype == torch.float16 for p in model.parameters() if p.requires_grad):
        raise InputError(
            "The weights to train are float16, in which small updates are lost; "
            "load the model with dtype='float32'."
        )


def _check_groups(model: nn.Module, groups: Groups | None) -> Groups:
    groups = default_groups(model) if groups is None else groups
    groups = [{**group, "params": list(group["params"])} for group in groups]
    if not any(group["params"] for group in groups):
        raise InputError(
            "Nothing in the model may move: no parameter requires gradients; "
            "apply a method first, such as ftlab.methods.full_tuning."
        )
    known = {id(p) for p in model.parameters() if p.requires_grad}
    given = [id(p) for group in groups for p in group["params"]]
    if len(given) > len(set(given)) or not known.issuperset(given):
        raise InputError(
            "The groups hold parameters that are given twice, frozen, or not the model's; "
            "make them from the model that is trained, after the method was applied."
        )
    return groups
