"""Domains to fine-tune on and suites of skills to retain: ours, the Hub's, and your own."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.datasets.load import Domain, Suite, example, load_domain, load_suite
    from ftlab.datasets.replay import mix

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
