"""Memory arithmetic: what a training run needs of a card, and what to change."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.memory.activations import saved
    from ftlab.memory.advice import out_of_memory_message, what_fits
    from ftlab.memory.arithmetic import estimate
    from ftlab.memory.measured import measured_on_a_card
    from ftlab.memory.parts import CARDS, Memory, size
    from ftlab.memory.plan import MemoryPlan, plan_of
    from ftlab.memory.shapes import shape

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
