"""The loop: a generator that yields one `Step` after every optimiser step.

    for step in train(model, tokenizer, domain.train, Plan(lr=1e-4), measure=evaluator):
        print(step.step, step.loss, step.measured and step.measured["retention"])

A progress bar, a live plot, a Stop button, a test and the command line all read this stream.
Leaving the `for` loop is the Stop button: whether by `break`, by an error or by an interrupt, the
model stays usable, in eval mode, with the weights it had reached. An interrupt
(KeyboardInterrupt) is passed on after that, so that a script with many runs ends too.

Notable choices:
- Step 0 comes first: the model before training, measured. So every curve has its baseline.
- The same seed gives bit-equal steps on a CPU, with the same number of threads.
- With `checkpoint=folder` a killed run goes on where it was. Called again with the same plan,
  data, model and penalty, the stream begins after the last stored step (nothing is yielded twice,
  and nothing at all if the run had ended); `completed_steps(folder)` gives the steps before.
- The same script goes to several processes with `accelerate launch script.py` or torchrun: each
  takes its share of every batch, and all of them yield the same steps. `measure` is called in all
  of them, and what it asks is shared out too (`ftlab.base.shared`).

Run the tests: pytest tests/train/test_loop.py
"""

import dataclasses
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ftlab.base.errors import InputError, OutOfMemory
from ftlab.base.jsonfile import plain
from ftlab.base.machine import explain_if_full, room
from ftlab.base.shared import shared_out
from ftlab.plan import Plan, Step
from ftlab.text.loss import Weigh
from ftlab.text.scored_batches import context_limit
from ftlab.text.seq2seq import decoder_start
from ftlab.text.train_batches import Example, checksum, encode
from ftlab.train.checkpoint import room_lacking, setup_checksum
from ftlab.train.engine import Engine, Groups, Penalty, default_groups
from ftlab.train.store import RunFolder, completed_steps

__all__ = ["Plan", "Step", "completed_steps", "train"]

Measure = Callable[[Any], Mapping[str, Any]]


def train(
    model: nn.Module,
    tokenizer: Any,
    data: Iterable[Mapping[str, Any]],
    plan: Plan,
    *,
    measure: Measure | None = None,
    checkpoint: str | Path | RunFolder | None = None,
    groups: Groups | None = None,
    penalty: Penalty | None = None,
    weigh: Weigh | None = None,
) -> Generator[Step, None, None]:
    """Train `model`, in place, on items of {"prompt", "answer"}; yields Steps 0 to `plan.steps`.

    `measure(model)` gives a dict at step 0, every `plan.measure_every` steps and at the last; it
    must hold "target_score" where the plan has `stop_at`. `checkpoint` is a folder of this run
    alone. `groups` are optimiser parameter groups, as torch takes them; by default all parameters
    that require gradients. `penalty(model, batch)` is a scalar that is added to the loss of every
    step; a step's `loss` is without it, and its value is the step's `penalty`. `weigh(batch,
    logits, tokens)` is what the loss of each learned token is multiplied with; a step's `loss` is
    then the weighted one, still divided by the number of tokens.

    Raises InputError at once for data, model, groups or a checkpoint that do not fit; at the first
    step where another run is using the checkpoint's folder; and during the run when the loss is no
    longer a number, or the card is full (OutOfMemory, with a table of what needed the room and
    what to change). The steps before were yielded.
    """
    if plan.stop_at is not None and measure is None:
        raise InputError(
            f"stop_at={plan.stop_at} needs to know the target score; give a measure as well."
        )
    start, reads = decoder_start(model), context_limit(model)
    examples = encode(
        data, tokenizer, loss_on=plan.loss_on, limit=plan.max_tokens, start=start, reads=reads
    )
    _check_model(model, examples)
    _check_prefix(model, plan)
    groups = _check_groups(model, groups)
    engine = partial(Engine, model, examples, plan, groups, penalty, weigh)
    if not checkpoint:
        return _run(engine, measure, None)
    folder = checkpoint if isinstance(checkpoint, RunFolder) else RunFolder(checkpoint)
    setup = {"data": checksum(examples), "model or method": setup_checksum(model, groups)}
    setup |= {"penalty": penalty is not None} | ({"weigh": True} if weigh else {})
    folder.open(plan, setup)
    _check_room(folder, plan, groups)
    return _run(engine, measure, folder)


def _run(
    start: Callable[[], Engine], measure: Measure | None, folder: RunFolder | None
) -> Generator[Step, None, None]:
    engine = start()
    try:
        engine.rest()
        last, done = folder.resume(engine) if folder else (None, False)
        yield from folder.replayed if folder else ()
        while not done:
            last = _measured(START if last is None else _step(engine, last), engine, measure)
            done = last.step == engine.plan.steps or engine.any_process(_reached(last, engine.plan))
            if folder:
                folder.add(last, engine, done=done)
            yield last
    finally:
        if not sys.is_finalizing():  # a stream left open when Python ends: torch is half gone
            engine.rest()
            if folder:
                folder.close()


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


START = Step(step=0, loss=None, lr=0.0, tokens=0, examples=0, grad_norm=None, seconds=0.0)
"""The model before training."""


def _measured(step: Step, engine: Engine, measure: Measure | None) -> Step:
    plan = engine.plan
    every = plan.measure_every or plan.steps
    if step.step == plan.steps or (step.step and measure and not step.step % every):
        engine.refuse_diverged(step.step)
    if measure is None or (step.step % every and step.step != plan.steps):
        return step
    with explain_if_full("while the model was measured"), shared_out(engine.replicated):
        found = plain(measure(engine.model))
    refuse_numberless(found, f"at step {step.step}, learning rate {plan.lr:g}")
    return dataclasses.replace(step, measured=found)


def refuse_numberless(measured: Mapping[str, Any], where: str) -> None:
    """Raises InputError where a loss that was measured is no number (plain data: None)."""
    if bad := [name for name in ("target_loss", "general_loss") if measured.get(name, 0) is None]:
        raise InputError(
            f"The {' and the '.join(bad)} ({where}) is no number: the model's weights are damaged, "
            "or training has diverged; try a lower learning rate."
        )


def _reached(step: Step, plan: Plan) -> bool:
    if plan.stop_at is None or step.measured is None:
        return False
    if step.measured.get("target_score") is None:
        raise InputError(
            f"stop_at={plan.stop_at} needs a measure that gives 'target_score'; this one gives "
            f"{', '.join(step.measured) or 'nothing'}."
        )
    return step.measured["target_score"] >= plan.stop_at


def _check_prefix(model: nn.Module, plan: Plan) -> None:
    config = getattr(model, "active_peft_config", None)
    if plan.gradient_checkpointing and config and config.peft_type == "PREFIX_TUNING":
        raise InputError(
            "gradient_checkpointing=True recomputes blocks without the keys and values of a "
            "prefix, which would not be trained; leave it at False."
        )


def _check_room(folder: RunFolder, plan: Plan, groups: Groups) -> None:
    """Refuse too little room for checkpoints; a lab's run says it, and goes on without them."""
    own, done = type(folder) is RunFolder, folder.found is not None and folder.found.done
    if done or (own and not plan.checkpoint_every):
        return
    if lacking := room_lacking(folder.folder, groups):
        if own:
            raise InputError(lacking)
        print(lacking)


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
            "Nothing in the model is trainable: no parameter requires gradients; "
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
