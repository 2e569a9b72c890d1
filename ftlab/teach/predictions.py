"""A prediction asked before a run and held against what was measured.

A guess that was written down is remembered; a guess that was only thought changes after the
fact. So a notebook asks first, draws the guess into the plot, and then says how far off it was:

    my_guess = ftlab.predict("How much of its facts will the model keep?", None, unit="%")
    ...
    print(my_guess.compare(22.0))

The learner puts a number in place of `None`. Nothing waits for it: without a guess, or with one
that cannot be used, the notebook runs on and the plot simply has no guess in it. No slider: a
number in the cell works in every front end, is read out by a screen reader, and is saved.
"""

import math
from dataclasses import dataclass
from numbers import Real

from ftlab.base.errors import InputError

CLOSE = 0.05  # a guess within this share of the range counts as close


@dataclass(frozen=True)
class Prediction:
    """A question and what the learner expects."""

    question: str
    # what is asked, one sentence
    low: float
    # the lowest answer that makes sense
    high: float
    # the highest answer that makes sense
    unit: str
    # "%", "nats", "steps" ...; may be empty
    value: float | None
    # the guess, in `unit`; None: no guess yet (plots then draw none)

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(
                f"A prediction between {self.low:g} and {self.high:g} leaves nothing to guess; "
                "give a `low` below `high`."
            )

    def compare(self, measured: float) -> str:
        """One sentence that sets the guess beside `measured` (the same unit)."""
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
        return f"{found} {guess} It came out {_number(abs(distance), unit)} {side}."


def predict(
    question: str,
    value: float | None = None,
    *,
    low: float = 0.0,
    high: float = 100.0,
    unit: str = "",
) -> Prediction:
    """Ask `question` and take down the guess `value` (None: none yet), in `unit`.

    Prints one line and returns the prediction. A guess that is no number, or lies outside
    `low` to `high`, is told in that line and not taken; it never stops the notebook.
    Raises InputError if `low` is not below `high`.
    """
    guess, complaint = _usable(value, low, high)
    prediction = Prediction(question, low, high, unit, guess)
    span = f"a number from {low:g} to {_number(high, unit)}"
    if complaint:
        answer = f"{complaint}; please give {span}. The notebook goes on without a guess."
    elif guess is None:
        answer = f"No guess yet: put {span} in place of None. The notebook goes on either way."
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
    if not low <= float(value) <= high:
        return None, f"{float(value):g} lies outside the range"
    return float(value), ""


def _number(value: float, unit: str) -> str:
    """At most three significant digits, but never fewer than the whole number has."""
    rounded = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{rounded} {unit}".rstrip()
