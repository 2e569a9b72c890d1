"""Hold a model near its start while it learns: four anchors, each a term of the loss.

    L2SP(0.1)             near in every weight     s / 2  sum (theta - theta0)^2
    EWC(1.0)              near where it matters    s / 2  sum F (theta - theta0)^2
    KL(1.0)               near in what it predicts on general text     s KL(base || model)
    KL(1.0, on="notes")   the same on the new answers

    lab.run(plan, method=EWC(1.0, LoRA()))       any method may be held; replay may be added

Of a LoRA, theta - theta0 is (alpha / r) B A. F, the Fisher information, says how much the model's
predictions change with a weight: the mean, over texts that the model has drawn itself, of the
squared gradient of the text's log-likelihood.

Notable choices:
- The squares are of each text's own gradient. The square of a batch's mean gradient is another
  number, smaller by about the batch's size. And the texts are the model's own: with labels of a
  task it is the "empirical" Fisher, which is none (Kunstner et al. 2019).
- L2-SP and EWC hold the model where the run starts, KL holds it to the lab's base.
- The general texts of a step follow from its batch, so that a resumed run reads the same.
- An anchor that reads text is called with the lab as well (`needs_lab`).

Sources: Li et al. 2018, Explicit inductive bias for transfer learning, eq. 2 (L2-SP); Kirkpatrick
et al. 2017, Overcoming catastrophic forgetting in neural networks, eq. 3 (EWC); Li and Hoiem 2016,
Learning without forgetting (on the new task's inputs).
Run the tests: pytest tests/methods/test_anchors.py
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.methods.full_tuning import full, refuse_codes
from ftlab.methods.prepared import NOT_WEIGHTS, Penalty, Prepared, called, named_around
from ftlab.plan import check_whole
from ftlab.text.loss import learned_logits, summed_loss
from ftlab.text.scored_batches import UNLIMITED
from ftlab.text.seq2seq import decoder_start
from ftlab.text.train_batches import Batch, Example, collate, encode

Method = Callable[..., Prepared] | None
LONGEST = 128
"""Of the general texts of KL, tokens."""
GENERAL = 256
"""How many of them there are."""
AT_ONCE = 4
"""General texts that KL reads a step."""


@dataclass(frozen=True)
class _Anchor:
    strength: float = 1.0
    """What the term is multiplied with, 0 or more."""
    method: Method = None
    """What is trained: None is `full`; Freeze(...), LoRA(...)."""
    name: str = ""
    """What records and plots call it; by default it follows from the method."""

    kind: ClassVar[str]
    needs_lab: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.strength < 0:
            raise InputError(f"strength={self.strength:g} is not possible; give 0 or more.")
        own = named_around(self.kind, self.method, reads=self.needs_lab)
        object.__setattr__(self, "name", self.name or own)

    def _made(
        self, model: nn.Module, penalty: Callable[[nn.Module], Penalty], lab: Any = None
    ) -> Prepared:
        made = called(self.method or full, model, lab)
        own, inner = penalty(made.model), made.penalty
        both = (
            own if inner is None else lambda model, batch: own(model, batch) + inner(model, batch)
        )
        return replace(made, method=self.name, penalty=both)


@checked
@dataclass(frozen=True)
class L2SP(_Anchor):
    """Near the start in every weight that is trained."""

    kind = "l2sp"

    def __call__(self, model: nn.Module) -> Prepared:
        """Apply it. Raises InputError for what trains no weights of the model (a prefix, IA3)."""
        return self._made(model, lambda made: _Spring(self.strength, _changes(made)))


@checked
@dataclass(frozen=True)
class EWC(_Anchor):
    """Near the start where the Fisher information is large (elastic weight consolidation)."""

    items: int = 128
    """Texts that the Fisher information is estimated from."""

    kind = "ewc"
    needs_lab = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("items", self.items, 1)

    def __call__(self, model: nn.Module, lab: Any) -> Prepared:
        """Apply it: the model writes the texts, the lab reads them (`Lab.own_items`).

        Raises InputError for what trains no weights of the model, and for encoder-decoder models.
        """
        rows = lab.own_items(self.items, model=model)
        texts = encode(rows, lab.tokenizer, loss_on="answer", limit=UNLIMITED)

        def penalty(made: nn.Module) -> "_Spring":
            changes = _changes(made)
            weights = {name: weight for name, (weight, _) in changes.items()}
            return _Spring(self.strength, changes, fisher(made, weights, texts))

        return self._made(model, penalty, lab)


@checked
@dataclass(frozen=True)
class KL(_Anchor):
    """Near the lab's base in what it predicts: on general text, or on the new answers."""

    on: Literal["general", "notes"] = "general"
    """Where the predictions are compared."""

    kind = "kl"
    needs_lab = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.on == "notes" and self.name == named_around(self.kind, self.method, reads=True):
            own = named_around("kl_notes", self.method, reads=True)
            object.__setattr__(self, "name", own)

    def __call__(self, model: nn.Module, lab: Any) -> Prepared:
        """Apply it; the general text is what the lab would replay (`Lab.replay_rows`)."""
        texts: list[Example] = []
        if self.on == "general":
            found = encode(
                lab.replay_rows(GENERAL), lab.tokenizer, loss_on="answer", limit=UNLIMITED,
                start=decoder_start(model),
            )  # fmt: skip
            texts = [replace(text, ids=text.ids[:LONGEST]) for text in found]
        near = _Near(self.strength, lab.evaluator.base, texts)
        return self._made(model, lambda made: near, lab)


class _Spring:
    """s / 2 sum F (theta - theta0)^2; F is 1 where none is given."""

    def __init__(
        self,
        strength: float,
        changes: Mapping[str, tuple[nn.Parameter, Callable[[], Tensor]]],
        fisher: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.strength, self.changes, self.fisher = strength, changes, fisher

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        pulls = [
            (change().square() * (self.fisher[name] if self.fisher else 1.0)).sum()
            for name, (_, change) in self.changes.items()
        ]
        return self.strength / 2 * torch.stack(pulls).sum()


class _Near:
    """s KL(base || model), nats per token: on texts, or on the batch's own answers."""

    def __init__(self, strength: float, base: nn.Module, texts: Sequence[Example]) -> None:
        self.strength, self.base, self.texts = strength, base, texts

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        read = self._some(batch) if self.texts else batch
        with torch.no_grad():
            old = log_softmax(learned_logits(self.base, read)[0], -1)  # (N, V)
        new = log_softmax(learned_logits(model, read)[0], -1)  # (N, V)
        return self.strength * kl_div(new, old, reduction="batchmean", log_target=True)

    def _some(self, batch: Batch) -> Batch:
        dice = random.Random(str(batch.ids.tolist()))
        chosen = dice.sample(self.texts, min(AT_ONCE, len(self.texts)))
        return collate(chosen).on(batch.ids.device)


def fisher(
    model: nn.Module, weights: Mapping[str, nn.Parameter], texts: Sequence[Example]
) -> dict[str, Tensor]:
    """The diagonal of the Fisher information, by name, each of its weight's shape.

    The mean over `texts` of the squared gradient of a text's log-likelihood (nats, summed over its
    learned tokens). The texts must be the model's own for it to be the Fisher information.
    """
    sums = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    device, moves = next(iter(weights.values())).device, [p.requires_grad for p in weights.values()]
    model.eval()
    try:
        for weight in weights.values():
            weight.requires_grad_(True)
        for text in texts:
            loss = summed_loss(model, collate([text]).on(device))
            gradients = torch.autograd.grad(loss, list(weights.values()))
            for total, gradient in zip(sums.values(), gradients, strict=True):
                total += gradient.square()
    finally:
        for weight, moved in zip(weights.values(), moves, strict=True):
            weight.requires_grad_(moved)
    return {name: total / len(texts) for name, total in sums.items()}


def _changes(model: nn.Module) -> dict[str, tuple[nn.Parameter, Callable[[], Tensor]]]:
    """By name: a weight that is trained, or under a LoRA, and what gives its change so far.

    Raises InputError where neither is.
    """
    refuse_codes(model)
    found: dict[str, tuple[nn.Parameter, Callable[[], Tensor]]] = {}
    for name, layer in model.named_modules():
        if hasattr(layer, "lora_A") and layer.lora_A:
            whole: Any = layer
            found[name] = (whole.base_layer.weight, partial(whole.get_delta_weight, "default"))
    for name, weight in model.named_parameters():
        if not weight.requires_grad or "lora_" in name:
            continue
        if any(mark in name for mark in NOT_WEIGHTS):
            raise InputError(_NO_WEIGHTS)
        found[name] = (weight, partial(torch.sub, weight, weight.detach().clone()))
    if not found or getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", 0):
        raise InputError(_NO_WEIGHTS)
    return found


_NO_WEIGHTS = (
    "This method trains none of the model's weights, so there is nothing to hold where it was; "
    "L2SP and EWC go with full, Freeze and LoRA, KL with any method."
)
