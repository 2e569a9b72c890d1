"""The sheet a plot is drawn on: a matplotlib Figure made without pyplot.

pyplot keeps every figure in a global list and flushes it at the end of a cell, which shows
pictures twice beside widgets. `Picture` is a plain Figure that carries its alt text and draws
itself in a notebook when it is the last value of a cell.

Notable choices: places are given in inches, so nothing depends on a layout solver (which costs
as much time as the drawing); text stands above a panel, not turned along its side; the reader's
own rcParams are set aside, so a picture is the same picture everywhere (`canvas.agg`). What stays
the same from one picture of a panel to the next can be drawn once (`pixels`) and lies behind the
others.
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

from ftlab.base.door import checked
from ftlab.show.canvas.html import bundle
from ftlab.show.canvas.style import INK, PAPER, SMALL, SOFT, TEXT

DPI = 110
EDGE = 0.14  # inches from the left border to the headings
LIFT = 0.34  # inches a title over the whole picture takes
HIGHER = "(higher is better)"
LEARNED = "learned: accuracy on the new task"
RETAINED = "retained, the share of the base's skills"


@checked
class Picture(Figure):
    """A figure with its alt text, in inches; a title stands above `height` and adds LIFT to it.

    `behind`: what lies behind all that is drawn, as `pixels` gives it.
    """

    def __init__(
        self,
        width: float = 9.0,
        height: float = 4.0,
        *,
        title: str | None = None,
        behind: np.ndarray | None = None,
    ) -> None:
        self.lift = LIFT if title else 0.0
        super().__init__(figsize=(width, height + self.lift), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)
        self.alt, self.behind = "", behind
        self.patch.set_visible(behind is None)  # else the paper would cover what lies behind
        if title:
            high, look = height + LIFT - 0.1, {"fontsize": TEXT + 2.5, "fontweight": "bold"}
            write(self, EDGE, high, title, va="top", **look)

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


_RULER = FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()


def text_size(text: str, size: float = SMALL) -> tuple[float, float]:
    """The width and height of a text, in pixels."""
    font = FontProperties(family="DejaVu Sans", size=size)
    return _RULER.get_text_width_height_descent(text, font, False)[:2]


def text_width(texts: Sequence[str], size: float = SMALL) -> float:
    """The width of the widest text, in inches; 0 for none."""
    return max((text_size(text, size)[0] for text in texts), default=0.0) / DPI


def panel(figure: Picture, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the lower left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, bottom / high, width / wide, height / high))


def row(
    figure: Picture,
    rooms: Sequence[float],
    *,
    left: float = 0.66,
    bottom: float = 0.55,
    top: float = 0.64,
) -> list[Axes]:
    """Panels of equal width side by side; `rooms` are the inches left free right of each."""
    wide, high = figure.get_size_inches()
    width = (wide - len(rooms) * left - sum(rooms)) / len(rooms)
    axes, at = [], left
    for room in rooms:
        axes.append(panel(figure, at, bottom, width, high - figure.lift - bottom - top))
        at += width + room + left
    return axes


def drawing(figure: Picture, xs: tuple[float, float], ys: tuple[float, float]) -> Axes:
    """The whole sheet as axes without a frame, for what is drawn and not plotted."""
    wide, high = figure.get_size_inches()
    axes = panel(figure, 0.02 * wide, 0.05, 0.96 * wide, high - figure.lift - 0.1)
    axes.set(xlim=xs, ylim=ys)
    axes.axis("off")
    return axes


def write(figure: Figure, x: float, y: float, text: str, **look: Any) -> None:
    """Words at a place in inches from the lower left corner: far quicker than in axes."""
    look = {"fontsize": SMALL, "color": INK, "va": "center"} | look
    figure.text(x, y, text, transform=figure.dpi_scale_trans, **look)


def write_head(figure: Figure, x: float, y: float, title: str, reading: str) -> None:
    """A bold line and, under it, how to read what stands below `y`, in inches."""
    write(figure, x, y + 24 / 72, title, fontsize=TEXT + 1, fontweight="bold", va="baseline")
    write(figure, x, y + 10 / 72, reading, color=SOFT, va="baseline")


def head(axes: Axes, title: str, reading: str, *, left: float = 0.66) -> None:
    """The same over a panel; `left`: inches between what is left of the panel and the panel."""
    figure = picture_of(axes)
    wide, high = figure.get_size_inches()
    box = axes.get_position()
    write_head(figure, box.x0 * wide - left + EDGE, box.y1 * high, title, reading)


def picture_of(axes: Axes) -> Figure:
    """The figure that a panel is on."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def percent_axis(axes: Axes, which: str = "y", top: float = 1.0) -> None:
    """An axis of shares from 0 to `top`, ticks in percent every 20."""
    ticks = [k / 5 for k in range(int(top * 5 + 1e-6) + 1)]
    axis = axes.yaxis if which == "y" else axes.xaxis
    limits = (-0.03 * top, top + 0.04)
    (axes.set_ylim if which == "y" else axes.set_xlim)(*limits)
    axis.set_ticks(ticks)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def plane_axes(axes: Axes, title: str, reading: str, top: float = 1.0) -> None:
    """A plane of the two measures: learned to the right, retained upward to `top`."""
    percent_axis(axes, "x")
    percent_axis(axes, "y", top)
    axes.set_ylim(-0.03, top + 0.11)
    axes.grid(True, axis="x")
    axes.set_xlabel(LEARNED)
    head(axes, title, reading)


def bar_axes(axes: Axes, names: Sequence[str], size: float = TEXT) -> None:
    """A row for each name, from the top down, for bars that begin at the left."""
    count = max(len(names), 1)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.grid(True, axis="x")


def note(axes: Axes, text: str) -> None:
    """A quiet line in the middle of an empty panel."""
    middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, text, color=SOFT, fontsize=TEXT, **middle)
