"""Text to tokens to batches, for measuring and for training."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.text.loss import summed_loss
    from ftlab.text.seq2seq import decoder_start
    from ftlab.text.train_batches import batch_indices, collate, encode

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
