"""Which attention first? The article's order, tested at equal size on each shift.

    found = priorities(compare.shipped("nano-t5"), "new_words")
    found.best["lora_cross"]          the setting at its best rate
    found.steps                       decoder over cross, cross over encoder: gap and verdict
    found.verdict                     of the whole order

Each attention has as many trained parameters as the others and may choose its rate: the one at
which it learned most, over the seeds. What it then retained is shown beside it. A step of the
order holds when the 95 % interval of the paired difference over seeds is above zero, and does not
when it is below; the order holds when both steps do.

Run the tests: pytest tests/analysis/test_priorities.py
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ftlab.analysis import compare
from ftlab.analysis.compare import Setting, verdict, whole
from ftlab.base.errors import InputError
from ftlab.evaluate.intervals import Interval, paired_difference

ORDER = ("lora_decoder", "lora_cross", "lora_encoder")
"""The article's: the decoder's own attention, then cross-attention, then the encoder's."""


@dataclass(frozen=True)
class Comparison:
    """One step of the order: is the first better than the second?"""

    first: str
    second: str
    gap: Interval
    """Share right of the first less that of the second, paired by seed."""
    verdict: str
    """holds, does not hold, not decided."""


@dataclass(frozen=True)
class Priorities:
    """The order on one shift."""

    best: Mapping[str, Setting]
    """Each method at its best rate."""
    steps: tuple[Comparison, ...]
    """Neighbours of the order."""

    @property
    def verdict(self) -> str:
        """Of the whole order."""
        found = {step.verdict for step in self.steps}
        if "does not hold" in found:
            return "does not hold"
        return "holds" if found == {"holds"} else "not decided"

    @property
    def measured(self) -> list[str]:
        """The order's members as they came out, best first."""
        names = [self.steps[0].first, *(step.second for step in self.steps)]
        return sorted(names, key=lambda name: -self.best[name].mean("target_score"))


def priorities(
    runs: Sequence[Any], domain: str, order: Sequence[str] = ORDER, key: str = "target_score"
) -> Priorities:
    """The order on a domain. Raises InputError where one of its methods has no three seeds."""
    found = whole(compare.settings(runs, domain=domain))
    best = best_rates(found, key)
    if lacking := [name for name in order if name not in best]:
        raise InputError(
            f"There are no three recorded seeds of {', '.join(lacking)} on {domain}; "
            "record them with `ftlab grid seq2seq`."
        )
    steps = []
    for first, second in pairwise(order):
        one, other = best[first].values(key), best[second].values(key)
        gap = paired_difference(one, other)
        steps.append(Comparison(first, second, gap, verdict(one, other)))
    return Priorities(best, tuple(steps))


def best_rates(found: Sequence[Setting], key: str = "target_score") -> dict[str, Setting]:
    """Of each sweep the setting with most of `key`, a value of the final measurement."""
    best: dict[str, Setting] = {}
    for setting in found:
        if setting.sweep not in best or setting.mean(key) > best[setting.sweep].mean(key):
            best[setting.sweep] = setting
    return best
