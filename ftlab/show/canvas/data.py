"""What the plots read: steps of a run, as `Step` objects or as the dicts of a record.

A run is a list of steps; some carry `measured`: learned, retained and what they are made of.
`curve` turns them into columns. A missing number is NaN and leaves a gap in the line.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftlab.base.errors import InputError

NAN = float("nan")
MEASURES = {"target_score": "learned", "retention": "retained"}
"""The two measures, by their key in a record."""


def field(thing: Any, name: str, default: Any = None) -> Any:
    """`thing[name]` or `thing.name`; `default` where it is missing or None."""
    value = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
    return default if value is None else value


def has_some(thing: Any, what: str, *names: str) -> Any:
    """The thing; InputError where it has none of these fields, and so is not `what`."""
    if all(find(thing, name) is None for name in names):
        raise InputError(f"Here is {thing!r:.60} in place of {what}; {what} has a {names[0]}.")
    return thing


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


def fold(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, lowest and highest of what is there; NaN where nothing is."""
    middle = mean(values)
    return middle, min(values, default=middle), max(values, default=middle)


def last(values: Sequence[float]) -> float:
    """The last number that is there; NaN if none is."""
    return next((value for value in reversed(values) if value == value), NAN)


def last_measured(steps: Sequence[Any]) -> Any:
    """The last step that carries `measured`; None if none does."""
    return next((step for step in reversed(steps) if field(step, "measured")), None)


def guess(prediction: Any) -> tuple[float, float]:
    """A prediction as (learned, retained); NaN for a part that was not predicted.

    Takes None, one number (retained), a pair (learned, retained), a mapping with the keys
    "target_score" and "retention", or a `Prediction` of `ftlab.teach` (retained, in its unit).
    Raises InputError outside 0..1.
    """
    if hasattr(prediction, "value"):
        scale = 100 if field(prediction, "unit") == "%" else 1
        given = field(prediction, "value")
        prediction = None if given is None else number(given) / scale
    if isinstance(prediction, Mapping):
        parts = (prediction.get("target_score"), prediction.get("retention"))
    elif isinstance(prediction, Sequence) and not isinstance(prediction, str):
        parts = tuple(prediction)
    else:
        parts = (None, prediction)
    if len(parts) != 2:
        raise InputError(
            f"the prediction has {len(parts)} numbers; it may be one (retained) or two (learned, "
            "retained); write (0.9, 0.6)"
        )
    learned, retained = map(_share, parts)
    return learned, retained


def _share(value: Any) -> float:
    """A learner's share; NaN for None. InputError outside 0..1."""
    given = number(value)
    if value is not None and not 0 <= given <= 1:
        raise InputError(
            f"the prediction is {value!r}; a share lies between 0 and 1; write 0.6 for 60 %"
        )
    return given


@dataclass(frozen=True)
class Curve:
    """The measured steps of one run as columns of equal length."""

    steps: tuple[float, ...]  # step numbers
    learned: tuple[float, ...]  # accuracy on items never trained on
    held: tuple[float, ...]  # the same on cases that never occur in training
    skills: dict[str, tuple[float, ...]]  # skill -> share of the base's skill retained
    retained: tuple[float, ...]  # the mean of `skills`


def curve(steps: Iterable[Any]) -> Curve:
    """The columns of a run; steps without `measured` are passed over."""
    rows = [(field(step, "step", 0), field(step, "measured")) for step in steps]
    rows = [(number(step), measured) for step, measured in rows if measured]
    base = field(rows[0][1], "skills", {}) if rows else {}
    shares = [_retained(measured, base) for _, measured in rows]
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


def _retained(measured: Any, base: Mapping[str, Any]) -> dict[str, float]:
    """Share of each skill retained; if not given, its accuracy against the first accuracy."""
    if given := field(measured, "kept"):
        return {name: number(value) for name, value in given.items()}
    return {
        name: number(now) / first if (first := number(base.get(name))) > 0 else NAN
        for name, now in field(measured, "skills", {}).items()
    }
