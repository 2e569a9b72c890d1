"""Not every token is learned alike: three recipes that weigh the loss of each token.

    DFT()      times the probability that the model gives it: what it finds unlikely counts less
    EAFT()     times the entropy of its prediction: what it is sure of, right or wrong, counts less
    STM()      0 for a token that the base finds hard, 1 for the others

    lab.run(plan, method=DFT(LoRA()))          any method may be trained so

Each pushes the model less where it would have to change most. On a task whose answers are new to
the base that is the task itself (notebook 09).

Sources: Wu et al. 2025, On the generalization of SFT (DFT, eq. 9); EAFT: Diao et al. 2026,
Entropy-adaptive fine-tuning, eq. 4 (entropy over the 20 likeliest tokens, divided by ln 20); Wu et
al. 2025, Selective token masking, section 4 (perplexity of at most 2.5).
Run the tests: pytest tests/methods/test_token_losses.py
"""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.methods.anchors import Method
from ftlab.methods.full_tuning import full
from ftlab.methods.prepared import Prepared, called, named_around
from ftlab.text.loss import Weigh, learned_logits
from ftlab.text.train_batches import Batch

LIKELIEST = 20


@dataclass(frozen=True)
class _Weighed:
    method: Method = None
    """What is trained: None is `full`; Freeze(...), LoRA(...)."""
    name: str = ""
    """What records and plots call it; by default it follows from the method."""

    kind: ClassVar[str]
    weigh: ClassVar[Weigh]
    needs_lab: ClassVar[bool] = False

    def __post_init__(self) -> None:
        own = named_around(self.kind, self.method, reads=self.needs_lab)
        object.__setattr__(self, "name", self.name or own)

    def __call__(self, model: nn.Module) -> Prepared:
        """Apply it."""
        return replace(called(self.method or full, model), method=self.name, weigh=self.weigh)


def probability(batch: Batch, logits: Tensor, tokens: Tensor) -> Tensor:
    """Of each learned token. (N)"""
    return logits.softmax(-1).gather(-1, tokens[:, None])[:, 0]


def entropy(batch: Batch, logits: Tensor, tokens: Tensor) -> Tensor:
    """Of the 20 likeliest tokens among themselves, divided by the most it can be: 0 to 1. (N)"""
    top = logits.topk(min(LIKELIEST, logits.shape[-1]), -1).values.log_softmax(-1)  # (N, 20)
    return -(top.exp() * top).sum(-1) / math.log(top.shape[-1])


@checked
@dataclass(frozen=True)
class DFT(_Weighed):
    """Dynamic fine-tuning: each token's loss times the probability that the model gives it."""

    kind = "dft"
    weigh = staticmethod(probability)


@checked
@dataclass(frozen=True)
class EAFT(_Weighed):
    """Entropy-adaptive fine-tuning: each token's loss times the entropy of its prediction."""

    kind = "eaft"
    weigh = staticmethod(entropy)


@checked
@dataclass(frozen=True)
class STM(_Weighed):
    """Selective token masking: only tokens that the lab's base does not find hard are learned."""

    perplexity: float = 2.5
    """The hardest token that is learned, for the base: 1 / its probability, above 1."""

    kind = "stm"
    needs_lab = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.perplexity <= 1:
            raise InputError(
                f"perplexity={self.perplexity:g} would leave no token to learn; give more than 1."
            )

    def __call__(self, model: nn.Module, lab: Any) -> Prepared:
        """Apply it."""
        base, most = lab.evaluator.base, math.log(self.perplexity)

        def easy(batch: Batch, logits: Tensor, tokens: Tensor) -> Tensor:
            with torch.no_grad():
                hard = cross_entropy(*learned_logits(base, batch), reduction="none")  # (N)
            return (hard <= most).float()

        made = called(self.method or full, model, lab)
        return replace(made, method=self.name, weigh=easy)
