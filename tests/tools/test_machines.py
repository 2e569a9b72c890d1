"""The page about many machines shows today's arithmetic. pytest tests/tools/test_machines.py"""

import pytest

from ftlab.memory import estimate, shape
from tools.pages import machines


def test_the_table_is_todays():
    text = machines.PAGE.read_text(encoding="utf-8")
    assert machines.page(text) == text, "run python -m tools.pages.machines"


def test_cards_share_what_they_share_and_nothing_else():
    plan = machines.plan_of("full", 1, 1024)
    two, four = (machines.sharded(plan, cards) for cards in (2, 4))
    parameters = shape(machines.MODEL).parameters
    assert two - four == pytest.approx(16 * parameters / 4, rel=1e-3)  # weight, gradient, m, v
    assert (
        estimate(machines.MODEL, plan).total / 2
        < two
        < 1.1 * estimate(machines.MODEL, plan).total / 2
    )
