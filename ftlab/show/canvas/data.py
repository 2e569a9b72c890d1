"""What the plots read: steps of a run, as `Step` objects or as the dicts of a record.

A run is a list of steps; some carry `measured`, the two numbers and what they are made of.
`curve` turns them into columns. A missing number is NaN and leaves a gap in the line.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftlab.base.errors import InputError

NAN = float("nan")


def field(thing: Any, name: str, default: Any = None) -> Any:
    """`thing[name]` or `thing.name`; `default` where it is missing or None."""
    value = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
    return default if value is None else value


def find(thing: Any, name: str) -> Any:
    """A field of a mapping or an object; of a record also from its results, plan or budget."""
    for part in (thing, *(field(thing, key) for key in ("final", "plan", "budget"))):
        if (value := field(part, name)) is not None:
            return value
    return None


def number(value: Any) -> float:
    """A float; NaN for None, infinities and whatever is no number."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return NAN
    return value if math.isfinite(value) else NAN


def numbers(values: Any) -> tuple[float, ...]:
    """One number or several (one per seed) as a tuple, the missing ones left out."""
    many = isinstance(values, Iterable) and not isinstance(values, str | Mapping)
    found = [number(value) for value in (values if many else [values])]
    return tuple(value for value in found if value == value)


def mean(values: Iterable[float]) -> float:
    """The mean of the numbers that are there; NaN if none is."""
    there = [value for value in values if value == value]
    return sum(there) / len(there) if there else NAN


def last(values: Sequence[float]) -> float:
    """The last number that is there; NaN if none is."""
    return next((value for value in reversed(values) if value == value), NAN)


def share(value: Any, what: str) -> float:
    """A learner's share between 0 and 1, refused otherwise."""
    given = number(value)
    if not 0 <= given <= 1:
        raise InputError(f"{what} is {value!r}; a share lies between 0 and 1; write 0.6 for 60 %")
    return given


def guess(prediction: Any) -> tuple[float, float]:
    """A prediction as (target score, retention); NaN for a part that was not predicted.

    Takes None, one number (the retention), a pair (target score, retention), a mapping with the
    keys "target_score" and "retention", or a `Prediction` of `ftlab.teach` (the retention, in
    its unit). Raises InputError outside 0..1.
    """
    if hasattr(prediction, "value"):
        percents = field(prediction, "unit") == "%"
        prediction = field(prediction, "value")
        prediction = number(prediction) / 100 if percents and prediction is not None else prediction
    if prediction is None:
        return NAN, NAN
    if isinstance(prediction, Mapping):
        parts = (prediction.get("target_score"), prediction.get("retention"))
    elif isinstance(prediction, Sequence) and not isinstance(prediction, str):
        if len(prediction) != 2:
            raise InputError(
                f"the prediction has {len(prediction)} numbers; it may be one (retention) or "
                "two (target score, retention); write (0.9, 0.6)"
            )
        parts = tuple(prediction)
    else:
        parts = (None, prediction)
    target, kept = (NAN if part is None else share(part, "the prediction") for part in parts)
    return target, kept


@dataclass(frozen=True)
class Curve:
    """The measured steps of one run as columns of equal length."""

    steps: tuple[float, ...]  # step numbers
    target: tuple[float, ...]  # share right on items never trained on
    held: tuple[float, ...]  # the same on cases that never occur in training
    kept: dict[str, tuple[float, ...]]  # skill -> share of the base's skill kept
    retention: tuple[float, ...]  # the mean of `kept`


def curve(steps: Iterable[Any]) -> Curve:
    """The columns of a run; steps without `measured` are passed over."""
    rows = [(field(step, "step", 0), field(step, "measured")) for step in steps]
    rows = [(number(step), measured) for step, measured in rows if measured]
    base = field(rows[0][1], "skills", {}) if rows else {}
    shares = [_kept(measured, base) for _, measured in rows]
    skills = list(dict.fromkeys(name for row in shares for name in row))
    return Curve(
        tuple(step for step, _ in rows),
        tuple(number(field(measured, "target_score")) for _, measured in rows),
        tuple(number(field(measured, "held_score")) for _, measured in rows),
        {name: tuple(row.get(name, NAN) for row in shares) for name in skills},
        tuple(
            number(field(measured, "retention", mean(row.values())))
            for (_, measured), row in zip(rows, shares, strict=True)
        ),
    )


def _kept(measured: Any, base: Mapping[str, Any]) -> dict[str, float]:
    """Share of each skill kept; where it is not given, accuracy against the first accuracy."""
    given = field(measured, "kept")
    if given:
        return {name: number(value) for name, value in given.items()}
    return {
        name: number(now) / first if (first := number(base.get(name))) > 0 else NAN
        for name, now in field(measured, "skills", {}).items()
    }
