"""The small world: the text that nano reads, the domains it is taught, what it is asked."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.world.general import GENERAL_FACTS
    from ftlab.world.words import HUMAN_NOUNS, OBJECT_NOUNS

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
