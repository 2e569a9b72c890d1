"""The loss of a batch: nats summed over the tokens that are learned."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from ftlab.text.scored_batches import last_logits
from ftlab.text.train_batches import IGNORE, Batch

Weigh = Callable[[Batch, Tensor, Tensor], Tensor]
"""(batch, logits (N, V), learned tokens (N)) -> what each token's loss is multiplied with. (N)"""


def summed_loss(model: nn.Module, batch: Batch, weigh: Weigh | None = None) -> Tensor:
    """Nats summed over the batch's learned tokens, each predicted from the one before it. ()"""
    logits, labels = learned_logits(model, batch)
    if weigh is None:
        return F.cross_entropy(logits, labels, reduction="sum")
    losses = F.cross_entropy(logits, labels, reduction="none")
    return (losses * weigh(batch, logits.detach(), labels)).sum()


def learned_logits(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """What predicts each learned token, and the token: (N, V) and (N), rows one after another."""
    logits = last_logits(model, batch)[:, :-1].float()  # (B, K-1, V)
    labels = batch.labels[:, 1 - batch.logits_to_keep :]  # (B, K-1)
    learned = labels != IGNORE
    return logits[learned], labels[learned]
