"""One optimiser step: what the loop in `loop.py` takes again and again.

    loss = sum over learned tokens of -ln p(token | text before it)  /  number of those tokens
    minimised: loss + penalty, where a method brings one (L2-SP, EWC); or each token's loss times a
    weight, where it brings those (DFT)

Notable choices:
- The mean is over the tokens of the whole batch, however many processes share it: each adds its
  part of the sum, divided by the batch's count, which all of them know from the order.
- A penalty is computed in every process, and the mean over processes is what counts.
- The model trains where it lies, in the plan's precision, or in the one that suits the device
  (`ftlab.base.machine`, `mixed.py`). Only under a launcher (`accelerate launch`, torchrun) does
  Accelerate choose the device and share the work, and `accelerate launch` the precision.
- Dropout is drawn from (seed, step, process), by generators of the run's own (`ftlab.base.draws`):
  neither what the caller does, nor measuring, nor another run at the same time changes a run, and
  training leaves the caller's own random state alone.
- Between steps the model is in eval mode and holds no gradients, so it can be used at any time.
  Above all it is measured in the precision in which the base was measured: under bfloat16 autocast
  a model that has not moved seems to have forgotten.
- AdamW is torch's fused one, and the head is run on the learned tokens and what follows them only:
  both save time (`ftlab.train.optimizers` has others, which save memory).

Source of the optimiser: Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019).
"""

import hashlib
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ftlab.base.draws import LOCK, Draws, forked
from ftlab.base.errors import InputError
from ftlab.base.machine import precision
from ftlab.plan import Plan, Step
from ftlab.text.loss import Weigh, summed_loss
from ftlab.text.train_batches import Batch, Example, batch_indices, collate
from ftlab.train import optimizers
from ftlab.train.mixed import MixedPrecision
from ftlab.train.schedules import lr_factor

Groups = Sequence[Mapping[str, Any]]
Penalty = Callable[[nn.Module, Batch], Tensor]
"""A method's own term of the loss: of the model, and of the process's share of the batch. ()

It is computed in the run's precision, as the loss is (torch.autocast).
"""

# What prepare() may set on a model, and is taken off. Left in place, it would make the next
# prepare() skip the model, even under a fresh peft wrapper, which passes it through.
_MARK = "_is_accelerate_prepared"


def default_groups(model: nn.Module) -> Groups:
    """All trainable parameters in two groups: matrices, and biases and norms, without decay."""
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in trainable if p.ndim > 1 and "ia3_l" not in name]  # factors: (n, 1)
    others = [p for name, p in trainable if p.ndim <= 1 or "ia3_l" in name]
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
        weigh: Weigh | None = None,
    ) -> None:
        self.model, self.examples, self.plan, self.penalty = model, examples, plan, penalty
        self.weigh = weigh
        self.launcher = _launcher()
        self.processes = self.launcher.num_processes if self.launcher else 1
        self.rank = self.launcher.process_index if self.launcher else 0
        if plan.batch_size < self.processes:
            raise InputError(
                f"batch_size={plan.batch_size} cannot be shared among {self.processes} processes; "
                "give at least one item to each."
            )
        self.optimizer, self.wrapped = optimizers.make(groups, plan), model
        if self.launcher:
            marked = _MARK in vars(model)
            self.wrapped, self.optimizer = self.launcher.prepare(model, self.optimizer)
            if not marked:
                vars(model).pop(_MARK, None)
        self.replicated = isinstance(self.wrapped, nn.parallel.DistributedDataParallel)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.device = next(model.parameters()).device
        self.mixed = MixedPrecision(self.device, precision(self.device.type, plan.precision))
        self.draws = True  # until a step has shown that nothing is drawn
        self.shared = self.device.type != "cpu" or plan.gradient_checkpointing  # torch's own state

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
        loss, norm, penalty, repeats = self._update(number, chosen)
        return Step(
            step=number,
            loss=loss,
            lr=plan.lr * factor,
            tokens=last.tokens + sum(example.tokens for example in chosen),
            examples=last.examples + len(chosen),
            grad_norm=norm,
            seconds=last.seconds + time.perf_counter() - begin,
            penalty=penalty,
            repeats=repeats,
        )

    def _update(
        self, number: int, chosen: Sequence[Example]
    ) -> tuple[float, float, float | None, int]:
        """Loss, gradient norm, penalty and repeats of the batch, and the optimiser's step."""
        batch = collate(chosen[self.rank :: self.processes]).on(self.device)
        learned = sum(example.learned for example in chosen)
        loss = share = torch.zeros(())
        self.model.train()
        if self.plan.gradient_checkpointing:
            _recompute(self.model, True)

        def both() -> Tensor:
            nonlocal loss, share
            with self._randomness(number), self.mixed.autocast():
                loss = summed_loss(self.wrapped, batch, self.weigh) / learned
                share = self._penalty(batch) / self.processes
            # Gradients are averaged over processes; their losses are parts of one sum.
            return (loss + share) * self.processes

        def clipped() -> Tensor:
            clip = self.launcher.clip_grad_norm_ if self.launcher else nn.utils.clip_grad_norm_
            return clip(self.trainable, self.plan.clip or math.inf)  # type: ignore[return-value]

        # accumulate() undoes what a Trainer before may have left in Accelerate's shared state
        whole = self.launcher.accumulate(self.wrapped) if self.launcher else nullcontext()
        with whole, LOCK if self.shared else nullcontext():
            norm, repeats = self.mixed.gradients(self.optimizer, both, clipped)
            total = self._sum(loss)
            penalty = self._sum(share) if self.penalty else None
            self._refuse_nonsense(number, "loss", total + (penalty or 0.0))
            self._refuse_nonsense(number, "gradient", norm)
            self.mixed.step(self.optimizer)
        self.rest()
        return total, norm, penalty, repeats

    def _penalty(self, batch: Batch) -> Tensor:
        if self.penalty is None:
            return torch.zeros((), device=self.device)
        value = self.penalty(self.model, batch)
        if not isinstance(value, Tensor) or value.ndim:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"The penalty gives {shape}; it must give a tensor of shape ().")
        return value.float()

    def _sum(self, part: Tensor) -> float:
        """The sum of what every process has a part of."""
        total: Any = part.detach()
        return (self.launcher.reduce(total, "sum") if self.launcher else total).item()

    def _refuse_nonsense(self, number: int, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise InputError(
                f"The {what} is no longer a number at step {number} (learning rate "
                f"{self.plan.lr:g}): training has diverged; try a lower learning rate, such as "
                f"{min(self.plan.lr / 10, 1e-3):g}."
            )

    def refuse_diverged(self, number: int) -> None:
        """Raises InputError where the update of step `number`, which no later step may look at,
        left weights, or a loss of its own batch, that are no numbers."""
        n, plan = len(self.examples), self.plan
        chosen = [self.examples[i] for i in batch_indices(n, plan.batch_size, number, plan.seed)]
        with torch.no_grad():
            batch = collate(chosen[self.rank :: self.processes]).on(self.device)
            loss = self._sum(summed_loss(self.model, batch))
            whole = all(bool(p.isfinite().all()) for p in self.trainable)
        self._refuse_nonsense(number, "loss", loss if whole else math.nan)

    @contextmanager
    def _randomness(self, number: int) -> Iterator[None]:
        key = f"step {self.plan.seed} {number} {self.rank}"
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
        if self.shared:
            with forked(seed, [self.device] if self.device.type == "cuda" else []):
                yield
        elif self.draws:
            with Draws(seed) as own:
                yield
            self.draws = own.drew
        else:
            yield

    def any_process(self, flag: bool) -> bool:
        """True everywhere when it is True in one process, so that all of them stop together."""
        return self._sum(torch.tensor(float(flag), device=self.device)) > 0

    def of_first(self, found: Any) -> Any:
        """What the first process has found, everywhere."""
        if not self.launcher:
            return found
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([found])[0]

    def rest(self) -> None:
        """Eval mode, no gradients, its own precision: a model that can be used, and measured."""
        self.model.eval()
        self.model.zero_grad(set_to_none=True)
        if self.plan.gradient_checkpointing:
            _recompute(self.model, False)


def _recompute(model: Any, on: bool) -> None:
    """Switch gradient checkpointing; transformers 5.2x renames it to activation checkpointing."""
    kind = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    if on:
        getattr(model, f"{kind}_checkpointing_enable")({"use_reentrant": False})
    else:
        getattr(model, f"{kind}_checkpointing_disable")()


def _launcher() -> Any:
    """Accelerate, where a launcher started this process: it shares the work, and nothing else."""
    if not {"ACCELERATE_MIXED_PRECISION", "LOCAL_RANK"} & os.environ.keys():
        return None
    from accelerate import Accelerator

    try:
        found = Accelerator(mixed_precision="no")
    except ValueError as error:  # Accelerate fixes its precision for the life of the process
        raise InputError(
            "A Trainer has fixed Accelerate's precision in this process; train in one of its own."
        ) from error
    if (kind := str(found.distributed_type.value)) in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        raise InputError(
            f"This launch shares out the model among its processes ({kind}), and here each holds "
            "all of it; launch with torchrun, or train with a Trainer and ftlab.RetentionCallback "
            "(docs/many-machines.md)."
        )
    if found.num_processes == 1:
        _say_if_alone()
    return found


@cache
def _say_if_alone() -> None:
    """`accelerate launch` counts cards: on CPUs it starts one process, whatever was asked."""
    import psutil  # accelerate brings it

    words = ""
    with suppress(psutil.Error):
        parent = psutil.Process().parent()
        words = " ".join(parent.cmdline()) if parent else ""
    if (asked := re.search(r"--num[_-]processes[ =](\d+)", words)) and int(asked[1]) > 1:
        print(
            f"accelerate launch was asked for {asked[1]} processes and has started one, since it "
            "starts one a card; this run trains in that one. For several without cards: "
            f"torchrun --nproc-per-node {asked[1]} {Path(sys.argv[0]).name}"
        )
