"""Colours one can tell apart, labels that do not touch. pytest tests/show/test_style.py"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab.base.shares import percent
from ftlab.show.canvas import style as look
from ftlab.show.canvas.labels import spread


def light(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_colours_stand_out_from_white():
    marks = [*look.METHODS.values(), *look.SKILLS.values()]
    colours = [mark.colour for mark in marks] + [colour for colour, _ in look.SPARE]
    for colour in [*colours, look.INK, look.SOFT, look.PREDICTION, look.GOOD, look.BAD]:
        assert 1.05 / (light(colour) + 0.05) >= 3, colour


@given(st.lists(st.sampled_from([*look.METHODS, "odd one", "another"]), max_size=8, unique=True))
def test_no_two_of_a_plane_share_a_marker(names):
    drawn = look.marks(names, look.METHODS)
    assert len({mark.marker for mark in drawn.values()}) == len(names)
    assert all(drawn[name] == look.METHODS[name] for name in names[:1] if name in look.METHODS)


def test_colour_never_speaks_alone():
    assert len({(mark.marker, str(mark.dash)) for mark in look.SKILLS.values()}) == len(look.SKILLS)
    assert look.method_mark("odd one") == look.method_mark("odd one")
    assert len({mark.colour for mark in look.skill_marks(["x", "y", "facts"]).values()}) == 3


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2)
)  # fmt: skip
def test_spread_keeps_gaps_order_and_range(wanted, gap):
    places = spread(wanted, gap, 0.0, 1.0)
    gap = min(gap, 1 / max(len(wanted) - 1, 1))
    pairs = sorted(zip(wanted, places, strict=True))
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    ordered = sorted(places)
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(ordered))
    assert all(a[1] < b[1] for a, b in itertools.pairwise(pairs) if a[0] < b[0])


def test_spread_moves_nothing_without_need():
    assert spread([0.9, 0.1, 0.5], 0.1, 0, 1) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], 0.1, 0, 1) == pytest.approx([0.45, 0.55])
    assert spread([], 0.1, 0, 1) == []


def test_numbers_as_text():
    assert [percent(x) for x in (0, 0.224, 1, -0.001, float("nan"))] == [
        "0 %", "22 %", "100 %", "0 %", "not measured",
    ]  # fmt: skip
    assert [look.value_text(x) for x in (0.05, 150, 12000, 0, "lower_half")] == [
        "0.05", "150", "12,000", "0", "lower half",
    ]  # fmt: skip


def test_rates_are_written_one_way():
    rates = {3e-4: "3e-4", 0.00015: "1.5e-4", 0.01: "1e-2", 0: "0", 2 / 3e3: "6.67e-4"}
    assert [look.rate_text(rate) for rate in rates] == list(rates.values())
    assert look.value_text(0.01, "lr") == "1e-2"
