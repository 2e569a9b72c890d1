"""Drawings and recorded sentences: what they say of themselves.

pytest tests/show/test_drawings.py
"""

import pytest

from ftlab.base.errors import InputError
from ftlab.show import bands, said, said_table, transformer


def test_a_drawing_tells_what_it_shows() -> None:
    assert "pass 12 blocks" in transformer(12).alt
    plan = {"1-6": 0.0, "7-9": 0.1, "10-12": 1.0}
    told = bands({"the plan": plan}).alt
    assert "the plan: 1-6 frozen, 7-9 lightly, 10-12 trained; embeddings frozen" in told


def test_recorded_sentences_stand_beside_the_bases() -> None:
    one = said("full, 1e-3")
    assert one["plan"]["lr"] == 1e-3 and one["before"].keys() == one["after"].keys()
    table = said_table("full, 1e-3", "full, 1e-4")
    assert list(table.header) == ["beginning", "the base", "full, 1e-3", "full, 1e-4"]
    assert len(table.rows) == len(one["before"])


def test_a_run_without_sentences_is_refused() -> None:
    with pytest.raises(InputError, match="No answers of 'nothing' are recorded; there are: full"):
        said("nothing")
