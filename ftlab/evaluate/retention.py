"""What a model retained of its base's skills, with guessing taken off.

    retained(skill) = max(0, (accuracy now - chance) / (accuracy of the base - chance))
    retention       = mean of min(1, retained) over the skills: 1 all there, 0 guessing
    least_retained  = the lowest of them

    in every measurement also:
    learned         = target loss before - after          nats per token, + is good
    forgotten       = general loss after - before         nats per token, + is bad

Before training, retention is 1 and the other two are 0, exactly.

Notable choices. Guessing is taken off first: a four-way choice at 25 % has retained nothing, not a
quarter. Fine-tuning may improve a skill, and a table shows that; in the mean a share counts as 1 at
most, so that no gain hides a loss. Facts that are asked in two ways count once. A skill in which
the base itself hardly beats guessing cannot be lost and would divide by almost nothing: it is left
out, and `unjudged` says why. The mean itself is `ftlab.record.retention`: old records are read
with it too. Projects differ in sign (Avalanche and PEFT's comparison: forgetting is positive;
Mammoth and PEFT's OSF example: negative), so ours stands in every table.

Source: the chance-corrected form is Cohen's kappa with the base in the place of perfection;
`forgotten` is the metric of huggingface/peft method_comparison/MetaMathQA, measured against the
base model.
"""

from collections.abc import Mapping
from typing import Protocol

from ftlab.base.errors import InputError

MARGIN = 0.1
"""By how much the base must beat guessing in a skill for its loss to be judged."""


class Skill(Protocol):
    """What is needed of a `ftlab.evaluate.skills.SkillScore`."""

    @property
    def accuracy(self) -> float: ...
    @property
    def chance(self) -> float: ...


def retained(now: float, base: float, chance: float) -> float | None:
    """Share of a skill that is left: accuracies and chance in, 0 or more out.

    None if the base beats chance by less than MARGIN: then there was nothing to lose.
    """
    if base < chance + MARGIN:
        return None
    return max(0.0, (now - chance) / (base - chance))


def retained_by_skill(
    now: Mapping[str, Skill], base: Mapping[str, Skill]
) -> dict[str, float | None]:
    """`retained` for every skill of the base. Raises InputError if the skills are not the same."""
    if set(now) != set(base):
        raise InputError(
            f"The skills measured now ({', '.join(now)}) are not those of the base "
            f"({', '.join(base)}); measure both on the same suite."
        )
    return {
        name: retained(now[name].accuracy, before.accuracy, before.chance)
        for name, before in base.items()
    }


def unjudged(base: Mapping[str, Skill]) -> dict[str, str]:
    """The skills that `retention` leaves out, each with the reason in words."""
    return {
        name: f"{name}: the base has {score.accuracy:.0%} where guessing gives {score.chance:.0%}"
        for name, score in base.items()
        if retained(0.0, score.accuracy, score.chance) is None
    }
