"""Chance taken off, signs as stated: properties, not examples alone.

Run: pytest tests/evaluate/test_retention.py
"""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from ftlab.evaluate.retention import MARGIN, retained, retained_by_skill, unjudged
from ftlab.record import retention


@dataclass(frozen=True)
class Score:
    accuracy: float
    chance: float


share = st.floats(0, 1)
chances = st.sampled_from([0.0, 0.25, 1 / 3, 0.5])
judged = chances.flatmap(lambda c: st.tuples(st.just(c), st.floats(c + MARGIN, 1)))
"""(chance, base): a skill that the base has, so that it can be judged."""


@given(judged)
def test_all_is_retained_at_the_base_and_nothing_at_chance(skill):
    chance, base = skill
    assert retained(base, base, chance) == 1
    assert retained(chance, base, chance) == 0


@given(st.tuples(share, share).map(sorted), judged)
def test_it_rises_with_accuracy_and_is_never_negative(pair, skill):
    (worse, better), (chance, base) = pair, skill
    low, high = retained(worse, base, chance), retained(better, base, chance)
    assert low is not None and high is not None
    assert 0 <= low <= high
    assert (high > 1) == (better > base and (better - chance) / (base - chance) > 1)


@given(share_left=share, above=st.floats(0, 1), n=st.integers(2, 6))
def test_a_model_that_retains_a_share_and_guesses_the_rest(share_left, above, n):
    """The number of choices drops out: that is what the correction is for."""
    chance = 1 / n
    base = min(1.0, chance + MARGIN + above * (1 - chance - MARGIN) + 1e-12)
    now = chance + share_left * (base - chance)
    assert retained(now, base, chance) == pytest.approx(share_left, abs=1e-9)


@given(now=share, base=share, chance=chances)
def test_a_skill_the_base_never_had_is_not_judged(now, base, chance):
    assert (retained(now, base, chance) is None) == (base < chance + MARGIN)


def mean(now, base):
    return retention(retained_by_skill(now, base))["retention"]


def test_the_mean_leaves_out_what_cannot_be_judged():
    base = {"facts": Score(0.9, 0.0), "grammar": Score(1.0, 0.5), "recall": Score(0.27, 0.25)}
    now = {"facts": Score(0.45, 0.0), "grammar": Score(1.0, 0.5), "recall": Score(0.99, 0.25)}
    assert mean(now, base) == pytest.approx(0.75)
    assert unjudged(base) == {"recall": "recall: the base has 27% where guessing gives 25%"}
    assert mean(base, base) == 1


def test_no_gain_hides_a_loss_and_facts_count_once():
    kept = {"facts": 0.2, "facts_choice": 0.6, "grammar": 1.5, "recall": None}
    assert retention(kept) == {"retention": pytest.approx(0.7), "least_retained": 0.4}


def test_a_base_without_skills_has_no_retention():
    base = {"grammar": Score(0.5, 0.5)}
    assert mean(base, base) is None
    assert unjudged(base) == {"grammar": "grammar: the base has 50% where guessing gives 50%"}


def test_skills_must_be_the_same():
    with pytest.raises(InputError, match="same suite"):
        retained_by_skill({"facts": Score(1, 0)}, {"recall": Score(1, 0)})
