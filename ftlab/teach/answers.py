"""Reference answers of the exercises whose solution is no part of the package otherwise.

The learner's notebooks compare with these; each solved notebook shows its own lines.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ftlab.measure.retention import kept


def most_lost(chances: Mapping[str, float]) -> Callable[[Mapping, Mapping], str]:
    """Notebook 00: a function (before, after) -> the skill of which the least was kept."""

    def answer(before: Mapping[str, float], after: Mapping[str, float]) -> str:
        shares = {name: kept(after[name], before[name], chances[name]) for name in before}
        judged = {name: share for name, share in shares.items() if share is not None}
        return min(judged, key=lambda name: judged[name])

    return answer


def relative_change(before: Any, after: Any) -> float:
    """Notebook 01: Frobenius norm of the change of a tensor, over that of the tensor before."""
    return float((after - before).norm() / before.norm())
