"""One optimiser step, under Accelerate: what the loop in `loop.py` takes again and again.

    loss = sum over learned tokens of -ln p(token | text before it)  /  number of those tokens
    minimised: loss + penalty, where a method brings one (L2-SP, EWC)

Notable choices:
- The mean is over the tokens of the whole batch, however many processes share it: each adds its
  part of the sum, divided by the batch's count, which all of them know from the order.
- A penalty is computed in every process, and the mean over processes is what counts.
- The model trains where it lies. Only under a launcher (`accelerate launch`, torchrun) does
  Accelerate choose the device, and then its precision too. Otherwise precision follows the
  device's capability (`ftlab.base.machine`).
- Dropout is drawn from (seed, step, process) inside a fork of torch's random state: neither what
  the caller does between two steps nor measuring changes a run, and training leaves the
  caller's own random state alone.
- Between steps the model is in eval mode, holds no gradients, and all that Accelerate put on it is
  taken off, so it can be used at any time. Above all it is measured in the precision in which the
  base was measured: under bfloat16 autocast a model that has not moved seems to have forgotten.
- AdamW is torch's fused one: on a CPU that saves about a tenth of a small model's step
  (`ftlab.train.optimizers` has others, which save memory). The head is run on the learned tokens
  and what follows them only, which saves more, the larger the vocabulary.

Source of the optimiser: Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019).
"""

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.base.machine import MIXED_PRECISION, precision
from ftlab.plan import Plan, Step
from ftlab.text.loss import summed_loss
from ftlab.text.train_batches import Batch, Example, batch_indices, collate
from ftlab.train import optimizers
from ftlab.train.schedules import lr_factor

Groups = Sequence[Mapping[str, Any]]
Penalty = Callable[[nn.Module, Batch], Tensor]
"""A method's own term of the loss: of the model, and of the process's share of the batch. ()"""

# What prepare() may set on a model; taken off by rest(). Left in place, the mark would make
# the next prepare() skip the model, even under a fresh peft wrapper, which passes it through.
_MARKS = ("forward", "_original_forward", "_is_accelerate_prepared")


def default_groups(model: nn.Module) -> Groups:
    """All trainable parameters in two groups: matrices, and biases and norms, without decay."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trainable if p.ndim > 1]
    others = [p for p in trainable if p.ndim <= 1]
    groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


class Engine:
    """A model, its optimiser and the data, ready to take step after step."""

    def __init__(
        self,
        model: nn.Module,
        examples: Sequence[Example],
        plan: Plan,
        groups: Groups,
        penalty: Penalty | None = None,
    ) -> None:
        self.model, self.examples, self.plan, self.penalty = model, examples, plan, penalty
        self.accelerator = _accelerator(model)
        if plan.batch_size < self.accelerator.num_processes:
            raise InputError(
                f"batch_size={plan.batch_size} cannot be shared among "
                f"{self.accelerator.num_processes} processes; give at least one item to each."
            )
        self.before = {mark: vars(model)[mark] for mark in _MARKS if mark in vars(model)}
        optimizer = optimizers.make(groups, plan)
        self.wrapped, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.prepared = {mark: vars(model)[mark] for mark in _MARKS if mark in vars(model)}
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.device = next(model.parameters()).device

    @property
    def trainable(self) -> list[nn.Parameter]:
        """The parameters that the optimiser updates."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def step(self, last: Step) -> Step:
        """Take the step after `last`.

        Raises InputError, before any weight changes, when loss or gradient is not a number.
        """
        begin, number = time.perf_counter(), last.step + 1
        n, plan = len(self.examples), self.plan
        chosen = [self.examples[i] for i in batch_indices(n, plan.batch_size, number, plan.seed)]
        factor = lr_factor(plan.schedule, number, steps=plan.steps, warmup=plan.warmup)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        loss, norm, penalty = self._update(number, chosen)
        return Step(
            step=number,
            loss=loss,
            lr=plan.lr * factor,
            tokens=last.tokens + sum(example.tokens for example in chosen),
            examples=last.examples + len(chosen),
            grad_norm=norm if math.isfinite(norm) else None,
            seconds=last.seconds + time.perf_counter() - begin,
            penalty=penalty,
        )

    def _update(self, number: int, chosen: Sequence[Example]) -> tuple[float, float, float | None]:
        """Loss, gradient norm and penalty of the batch, and the optimiser's step."""
        accelerator, processes = self.accelerator, self.accelerator.num_processes
        batch = collate(chosen[accelerator.process_index :: processes]).on(self.device)
        learned = sum(example.learned for example in chosen)
        self._mark(self.prepared)
        self.model.train()
        if self.plan.gradient_checkpointing:
            _recompute(self.model, True)
        # accumulate() also undoes what a Trainer before may have left in Accelerate's shared state
        with accelerator.accumulate(self.wrapped):
            with self._randomness(number):
                loss = summed_loss(self.wrapped, batch) / learned
                share = self._penalty(batch) / processes if self.penalty else None
                # Gradients are averaged over processes; their losses are parts of one sum.
                accelerator.backward((loss if share is None else loss + share) * processes)
            norm: Any = accelerator.clip_grad_norm_(self.trainable, self.plan.clip or math.inf)
            total, penalty = self._sum(loss), None if share is None else self._sum(share)
            self._refuse_nonsense(number, total + (penalty or 0.0), norm.item())
            self.optimizer.step()
        self.rest()
        return total, norm.item(), penalty

    def _penalty(self, batch: Batch) -> Tensor:
        assert self.penalty is not None
        value = self.penalty(self.model, batch)
        if not isinstance(value, Tensor) or value.ndim:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"The penalty gives {shape}; it must give a tensor of shape ().")
        return value.float()

    def _sum(self, part: Tensor) -> float:
        """The sum of what every process has a part of."""
        total: Any = self.accelerator.reduce(part.detach(), "sum")
        return total.item()

    def _refuse_nonsense(self, number: int, loss: float, norm: float) -> None:
        overflow = self.accelerator.scaler is not None  # in fp16 an overflow only skips the step
        if math.isfinite(loss) and (math.isfinite(norm) or overflow):
            return
        what = "loss" if not math.isfinite(loss) else "gradient"
        raise InputError(
            f"The {what} is no longer a number at step {number} (learning rate {self.plan.lr:g}): "
            f"training has diverged; try a lower learning rate, such as {self.plan.lr / 10:g}."
        )

    @contextmanager
    def _randomness(self, number: int) -> Iterator[None]:
        key = f"step {self.plan.seed} {number} {self.accelerator.process_index}"
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big"))
            yield

    def any_process(self, flag: bool) -> bool:
        """True everywhere when it is True in one process, so that all of them stop together."""
        if self.accelerator.num_processes == 1:
            return flag
        votes: Any = self.accelerator.reduce(torch.tensor(float(flag), device=self.device))
        return votes.item() > 0

    def rest(self) -> None:
        """Eval mode, no gradients, its own precision: a model that can be used, and measured."""
        self.model.eval()
        self.model.zero_grad(set_to_none=True)
        if self.plan.gradient_checkpointing:
            _recompute(self.model, False)
        self._mark(self.before)

    def _mark(self, marks: dict[str, Any]) -> None:
        """Put on the model what Accelerate set (autocast around forward), or take it off."""
        for mark in _MARKS:
            vars(self.model).pop(mark, None)
        vars(self.model).update(marks)


def _recompute(model: Any, on: bool) -> None:
    """Switch gradient checkpointing; transformers 5.2x renames it to activation checkpointing."""
    kind = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    if on:
        getattr(model, f"{kind}_checkpointing_enable")({"use_reentrant": False})
    else:
        getattr(model, f"{kind}_checkpointing_disable")()


def _accelerator(model: nn.Module) -> Accelerator:
    launched = bool({"ACCELERATE_MIXED_PRECISION", "LOCAL_RANK"} & os.environ.keys())
    device = next(model.parameters()).device.type
    wanted = None if launched else MIXED_PRECISION[precision(device)]
    try:
        return Accelerator(mixed_precision=wanted, device_placement=launched)
    except ValueError as error:  # Accelerate fixes its precision for the life of the process
        raise InputError(
            f"This process has trained in another precision than {wanted} before, and Accelerate "
            "keeps the first; restart it (the kernel, in a notebook)."
        ) from error
