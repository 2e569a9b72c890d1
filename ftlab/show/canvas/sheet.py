"""The sheet a plot is drawn on: a matplotlib Figure made without pyplot.

pyplot keeps every figure in a global list and flushes it at the end of a cell, which shows
pictures twice beside widgets. `Picture` is a plain Figure that carries its alt text and draws
itself in a notebook when it is the last value of a cell.

Notable choices: places are given in inches, so nothing depends on a layout solver (which costs
as much time as the drawing); text stands above a panel, not turned along its side; the reader's
own rcParams are set aside, so a picture is the same picture everywhere. What stays the same from
one picture of a panel to the next can be drawn once (`pixels`) and lies behind the others.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter
from PIL import Image

from ftlab.show.canvas.html import bundle
from ftlab.show.canvas.style import GRID, INK, PAPER, SOFT

DPI = 110
TEXT = 10.5  # points
SMALL = 9.5
EDGE = 0.14  # inches from the left border to the headings
LIFT = 0.34  # inches a title over the whole picture takes


class Picture(Figure):
    """A figure with its alt text; `width` and `height` in inches, `behind` as `pixels` gives it."""

    def __init__(
        self, width: float = 9.0, height: float = 4.0, *, behind: np.ndarray | None = None
    ) -> None:
        super().__init__(figsize=(width, height), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)
        self.alt, self.behind = "", behind
        self.patch.set_visible(behind is None)  # else the paper would cover what lies behind

    def draw(self, renderer: Any) -> None:
        """Draw what lies behind, then all that is in the figure."""
        if self.behind is not None:
            size = round(self.bbox.width), round(self.bbox.height)
            sheet = Image.fromarray(self.behind)
            sheet = sheet if sheet.size == size else sheet.resize(size)
            renderer.draw_image(renderer.new_gc(), 0, 0, np.asarray(sheet)[::-1])
        super().draw(renderer)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return bundle(self)


def text_width(figure: Picture, texts: Sequence[str], size: float = SMALL) -> float:
    """The width of the widest text, in inches; 0 for none."""
    font = FontProperties(family="DejaVu Sans", size=size)
    renderer = FigureCanvasAgg(figure).get_renderer()
    widths = [renderer.get_text_width_height_descent(t, font, False)[0] for t in texts]
    return max(widths, default=0.0) / figure.dpi


def panel(
    figure: Picture, left: float, bottom: float, width: float, height: float, **share
) -> Axes:
    """Axes at a place given in inches from the lower left corner."""
    wide, high = figure.get_size_inches()
    axes = figure.add_axes((left / wide, bottom / high, width / wide, height / high), **share)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#8C8C8C")
    axes.tick_params(labelsize=SMALL, color="#8C8C8C", labelcolor=INK, length=3)
    axes.grid(True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def row(
    figure: Picture,
    rooms: Sequence[float],
    *,
    left: float = 0.66,
    bottom: float = 0.55,
    top: float = 0.64,
) -> list[Axes]:
    """Panels of equal width side by side; `rooms` are the inches kept free right of each."""
    wide, high = figure.get_size_inches()
    width = (wide - len(rooms) * left - sum(rooms)) / len(rooms)
    axes, at = [], left
    for room in rooms:
        axes.append(panel(figure, at, bottom, width, high - bottom - top))
        at += width + room + left
    return axes


def head(axes: Axes, title: str, reading: str, *, left: float = 0.66) -> None:
    """A bold line and, under it, how to read the panel, which begins `left` inches in."""
    figure = axes.get_figure()
    assert figure is not None
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    offset = (EDGE - left) * 72
    axes.annotate(
        title, (0, 1), (offset, 24), fontsize=TEXT + 1, fontweight="bold", color=INK, **place
    )
    axes.annotate(reading, (0, 1), (offset, 10), fontsize=SMALL, color=SOFT, **place)


def heading(figure: Picture, title: str | None) -> None:
    """The title of the whole picture, top left; none if there is no title."""
    if title:
        wide, high = figure.get_size_inches()
        figure.text(
            EDGE / wide, 1 - 0.1 / high, title, va="top", fontsize=TEXT + 2.5, fontweight="bold"
        )


def percent_axis(axes: Axes, which: str = "y", top: float = 1.0) -> None:
    """An axis of shares from 0 to `top`, ticks in percent every 20."""
    ticks = [k / 5 for k in range(int(top * 5 + 1e-6) + 1)]
    axis = axes.yaxis if which == "y" else axes.xaxis
    limits = (-0.03 * top, top + 0.04)
    (axes.set_ylim if which == "y" else axes.set_xlim)(*limits)
    axis.set_ticks(ticks)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def note(axes: Axes, text: str) -> None:
    """A quiet line in the middle of an empty panel."""
    axes.text(
        0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=SOFT,
        fontsize=TEXT,
    )  # fmt: skip
