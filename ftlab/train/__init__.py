"""The training loop: one Step after another, checkpoints, and runs that are stored."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.train import optimizers
    from ftlab.train.loop import train
    from ftlab.train.mixed import autocast
    from ftlab.train.schedules import lr_factor, lr_factors
    from ftlab.train.store import store_runs

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
