"""Panels: every stop of every control, on the controls themselves.

pytest tests/show/test_panels.py
"""

from itertools import product
from typing import Any

import pytest
import torch
from yardstick import in_pictures, moves

from ftlab.base.errors import InputError
from ftlab.show.canvas.sheet import Picture
from ftlab.show.panels.panel import AGAIN, Panel, block_panel
from ftlab.show.plots.levels import (
    BLOCKS,
    NAMES,
    bits,
    block_sizes,
    error,
    errors_of,
    usage,
    weight_levels,
)
from ftlab.show.plots.paging import paging

WEIGHT = 0.02 * torch.randn(64, 128, generator=torch.Generator().manual_seed(0))


def test_every_stop_of_the_block_panel_answers() -> None:
    made = block_panel(WEIGHT)
    seen = set()
    for kind, block in product(NAMES, BLOCKS):
        made.controls["kind"].value, made.controls["block"].value = kind, block
        assert made.figure.alt.startswith(f"{NAMES[kind]} with blocks of {block} weights")
        assert made.figure.alt in made.view.value and '<img alt="' in made.view.value
        seen.add(made.view.value)
    assert len(seen) == len(NAMES) * len(BLOCKS) and made.words.value == ""


def test_a_slider_answers_at_once() -> None:
    block = block_panel(WEIGHT).controls["block"]
    assert in_pictures(*moves(block, BLOCKS)) < 4  # 1.5; the aim is 0.1 s on a quiet machine


def test_the_stored_output_has_a_picture_and_its_words() -> None:
    made = block_panel(WEIGHT)
    assert made.view.value in made.stored and f"<p>{AGAIN}</p>" in made.stored


def test_a_slip_is_a_sentence_in_the_panel() -> None:
    from ipywidgets import IntSlider

    def draw(n: int) -> Picture:
        if n > 1:
            raise InputError("Two <b> is too many; take one.")
        figure = Picture()
        figure.alt = f"n = {n}"
        return figure

    made = Panel({"n": IntSlider(value=0)}, draw)
    made.controls["n"].value = 2
    assert "Two &lt;b&gt; is too many" in made.words.value and made.figure.alt == "n = 0"
    assert "opacity" in made.view.value  # the picture is of another value
    made.controls["n"].value = 1
    assert made.words.value == "" and made.figure.alt == "n = 1"


def test_a_fault_of_ours_is_a_sentence_too() -> None:
    from ipywidgets import IntSlider

    def draw(n: int) -> Picture:
        figure = Picture()
        figure.alt = f"{1 / (1 - n):g}"
        return figure

    made = Panel({"n": IntSlider(value=0)}, draw)
    with pytest.raises(ZeroDivisionError):
        made.controls["n"].value = 1
    assert "cannot be drawn: ZeroDivisionError" in made.words.value


def test_several_controls_are_set_with_one_picture() -> None:
    from ipywidgets import IntSlider

    drawn = []

    def draw(**values: int) -> Picture:
        drawn.append(values)
        return Picture()

    controls = {name: IntSlider(value=0, description=name) for name in "abc"}
    presets = {"all 3": dict.fromkeys("abc", 3)}
    made = Panel(controls, draw, rows={"x": "ab", "y": "c"}, presets=presets)
    made.buttons["all 3"].click()
    assert drawn == [dict.fromkeys("abc", 0), dict.fromkeys("abc", 3)]
    assert [len(row.children) for row in made.box.children[1:4]] == [2, 3, 2]


def test_what_is_drawn_is_what_was_measured() -> None:
    figure: Any = block_sizes(errors_of(WEIGHT), "fp4", 256)
    left = figure.axes[0]
    drawn = {line.get_color(): list(line.get_ydata()) for line in left.lines[:3]}
    measured = [error(WEIGHT, kind, 64) for kind in NAMES]
    at_64 = [values[BLOCKS.index(64)] for values in drawn.values()]
    assert at_64 == pytest.approx(measured)
    assert f"{error(WEIGHT, 'fp4', 256):.1%}" in figure.alt


def test_every_level_has_a_line_and_every_weight_a_level() -> None:
    figure: Any = weight_levels(WEIGHT)
    assert [len(axes.lines) for axes in figure.axes] == [16, 16, 15]
    for kind in NAMES:
        assert sum(usage(WEIGHT, kind)) == pytest.approx(1)
    assert (bits(64), round(bits(64, double=True), 3)) == (4.5, 4.127)


def test_the_drawing_of_paging_says_what_it_shows() -> None:
    assert "moved to the computer's memory" in paging().alt
