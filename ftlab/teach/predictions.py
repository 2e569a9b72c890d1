"""A prediction made before a run, compared with what was measured.

A guess that was written down is remembered; one that was only thought changes afterwards. So a
notebook asks first, draws the guess into the plot, and then says how far off it was:

    my_guess = ftlab.predict("How many of its facts will the model retain?", None, unit="%")
    ...
    print(my_guess.compare(22.0))

The learner replaces `None` by a number. Nothing waits for it: without a guess, or with one that
cannot be used, the notebook continues and the plot shows no guess. No slider: a number in the cell
works in every front end, is read out by a screen reader, and is saved.
"""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ftlab.base.errors import InputError

CLOSE = 0.05
"""A guess within this share of the range counts as close."""


@dataclass(frozen=True)
class Prediction:
    """A question and what the learner predicts."""

    question: str
    """What is asked, one sentence."""
    low: float
    """The lowest answer that makes sense."""
    high: float
    """The highest answer that makes sense."""
    unit: str
    """%, nats, steps ...; may be empty."""
    value: float | None
    """The guess, in `unit`; None: no guess yet (plots then show none)."""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(
                f"A prediction between {self.low:g} and {self.high:g} leaves nothing to guess; "
                "give a `low` below `high`."
            )

    def compare(self, measured: Any) -> str:
        """One sentence that sets the guess beside the number `measured` (the same unit).

        A run that diverged has measured nan or inf: that is said too.
        """
        try:
            measured = float(measured)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"compare({measured!r:.40}) is not possible; give a number.") from None
        found = f"Measured: {_number(measured, self.unit)}."
        if self.value is None:
            return f"{found} You made no guess."
        guess = f"You guessed {_number(self.value, self.unit)}."
        distance = measured - self.value
        if math.isnan(distance):
            return f"{found} {guess}"
        if abs(distance) <= CLOSE * (self.high - self.low):
            return f"{found} {guess} That is close."
        side = "higher" if distance > 0 else "lower"
        unit = "points" if self.unit == "%" else self.unit  # 50 % to 22 % is 28 points, not 28 %
        return f"{found} {guess} The result is {_number(abs(distance), unit)} {side}."


def predict(
    question: str,
    value: object = None,
    *,
    low: float = 0.0,
    high: float = 100.0,
    unit: str = "",
) -> Prediction:
    """Ask `question` and note the guess `value` (None: none yet), in `unit`.

    Prints two lines and returns the prediction. A guess that is not a number, or not between `low`
    and `high`, is not used, and the second line says so; it never stops the notebook.
    Raises InputError if `low` is not below `high`.
    """
    guess, complaint = _usable(value, low, high)
    prediction = Prediction(question, low, high, unit, guess)
    span = f"a number from {low:g} to {_number(high, unit)}"
    if complaint:
        answer = f"{complaint}; please write {span}. The notebook continues without a guess."
    elif guess is None:
        answer = f"No guess yet: write {span} instead of None. The notebook also runs without one."
    else:
        answer = f"Your guess: {_number(guess, unit)}."
    print(f"{question}\n{answer}")
    return prediction


def _usable(value: object, low: float, high: float) -> tuple[float | None, str]:
    """The guess as a float or None, and what is wrong with it (empty: nothing)."""
    if value is None or value is Ellipsis:
        return None, ""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None, f"{value!r} is not a number"
    if not low <= value <= high:  # type: ignore[operator]  # a Real is compared as it is
        return None, f"{value!s:.20} is outside the range"
    return float(value), ""


def _number(value: float, unit: str) -> str:
    """At most three significant digits, but all digits of a whole number."""
    rounded = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{rounded} {unit}".rstrip()
