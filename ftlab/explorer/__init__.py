"""The rank explorer's runs: what its sliders mean, what was recorded, what is estimated between."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.explorer.explorer import Explorer
    from ftlab.explorer.settings import Settings

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
