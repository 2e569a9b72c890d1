"""What was measured of one model, and the same beside its base: the dicts that records store.

    compared(now, base)      scores and losses, what was retained, learned and forgotten
    detailed(now, base)      the same with counts and 95 % intervals

Results are plain dicts for JSON: a number that is not finite is None. The keys are those of
`ftlab.evaluate.evaluator.Evaluator`.

Run the tests: pytest tests/evaluate/test_evaluator.py
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftlab.evaluate.intervals import Interval, bootstrap_mean, wilson
from ftlab.evaluate.likelihood import DocumentLoss
from ftlab.evaluate.retention import retained_by_skill, unjudged
from ftlab.evaluate.skills import SkillScore
from ftlab.evaluate.target import TargetScore
from ftlab.record import retention


@dataclass(frozen=True)
class Measures:
    """The raw measures of one model, before they are compared with the base's."""

    target: TargetScore
    """The target domain."""
    general: DocumentLoss
    """The suite's documents."""
    skills: dict[str, SkillScore]
    """The suite's probes, skill by skill."""


def compared(now: Measures, base: Measures) -> dict[str, Any]:
    """A model beside its base. Signs: `learned` + is good, `forgotten` + is bad."""
    target, general = now.target, now.general
    kept = retained_by_skill(now.skills, base.skills)
    return {
        "target_score": target.score,
        "seen_score": target.seen_score,
        "held_score": target.held_score,
        "target_chrf": target.chrf,
        "target_loss": finite(target.loss),
        "general_loss": finite(general.nats_per_token),
        "skills": {name: skill.accuracy for name, skill in now.skills.items()},
        "kept": kept,
        **retention(kept),
        "learned": finite(base.target.loss - target.loss),
        "forgotten": finite(general.nats_per_token - base.general.nats_per_token),
    }


def detailed(now: Measures, base: Measures, **kl: float) -> dict[str, Any]:
    """`compared`, and beside it counts, intervals and `kl` (nats per token, by name)."""
    return {
        **compared(now, base),
        "bits_per_byte": finite(now.general.bits_per_byte),
        **{name: finite(value) for name, value in kl.items()},
        "chance": {name: skill.chance for name, skill in now.skills.items()},
        "left_out": unjudged(base.skills),
        "n": {
            "target": len(now.target.correct),
            "held": sum(now.target.held),
            "documents": len(now.general.lengths),
            "tokens": now.general.tokens,
            "skills": {name: skill.n for name, skill in now.skills.items()},
        },
        "intervals": _intervals(now),
    }


def _intervals(now: Measures) -> dict[str, Any]:
    target, general = now.target, now.general
    known = finite(general.nats_per_token) is not None
    loss = bootstrap_mean(general.per_document, general.lengths) if known else None
    return {
        "target_score": _accuracy(target.correct),
        "seen_score": _accuracy(target.among(held=False)),
        "held_score": _accuracy(target.among(held=True)),
        "general_loss": _bounds(loss),
        "skills": {name: _accuracy(skill.correct) for name, skill in now.skills.items()},
    }


def _accuracy(correct: Sequence[bool]) -> list[float] | None:
    return _bounds(wilson(sum(correct), len(correct)) if correct else None)


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def finite(number: float) -> float | None:
    """The number, or None where a model that blew up has made it infinite or NaN."""
    return number if math.isfinite(number) else None
