"""The slider over learning rates: every stop, the guess, and what is refused.

pytest tests/show/test_rate_panel.py
"""

from types import SimpleNamespace
from typing import Any

import pytest

from ftlab import analysis
from ftlab.base.errors import InputError
from ftlab.show import rate_panel
from ftlab.show.panels.rates import rate_outcome


@pytest.fixture(scope="module")
def found() -> list[Any]:
    return analysis.pick(analysis.settings(analysis.shipped("nano")), "learning rate")


def test_every_stop_is_drawn(found: list[Any]) -> None:
    panel = rate_panel(found, guess=None, at=1e-3)
    stops = [value for _, value in panel.controls["rate"].options]
    assert stops == sorted(setting.lr for setting in found) and panel.values == {"rate": stops[0]}
    for stop, setting in zip(stops, sorted(found, key=lambda one: one.lr), strict=True):
        panel.set(rate=stop)
        assert f"retained {100 * setting.mean('retention'):.0f} %" in panel.figure.alt
        assert panel.figure.alt.endswith("No guess is drawn.")


def test_only_what_is_uncovered_is_drawn(found: list[Any]) -> None:
    first = min(setting.lr for setting in found)
    left = rate_outcome(first, found=found).axes[0]
    assert all(len(line.get_xdata()) <= 2 for line in left.lines)  # pyright: ignore


def test_the_guess_is_told(found: list[Any]) -> None:
    guess = SimpleNamespace(value=40, unit="%")
    told = rate_outcome(found[0].lr, found=found, prediction=guess, at=1e-3).alt
    assert told.endswith("The guess for 1e-3 was 40 % retained.")


def test_a_rate_that_was_not_recorded_is_refused(found: list[Any]) -> None:
    with pytest.raises(InputError, match=r"Nothing was recorded at 0\.5; choose from 3e-5"):
        rate_outcome(0.5, found=found)
    with pytest.raises(InputError, match="no recorded runs"):
        rate_panel([])
