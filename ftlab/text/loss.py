"""The loss of a batch: nats summed over the tokens that are learned."""

from torch import Tensor, nn
from torch.nn import functional as F

from ftlab.text.scored_batches import last_logits
from ftlab.text.train_batches import IGNORE, Batch


def summed_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Nats summed over the batch's learned tokens, each predicted from the one before it. ()"""
    logits = last_logits(model, batch)[:, :-1].float()  # (B, K-1, V)
    labels = batch.labels[:, 1 - batch.logits_to_keep :]  # (B, K-1)
    learned = labels != IGNORE
    return F.cross_entropy(logits[learned], labels[learned], reduction="sum")
