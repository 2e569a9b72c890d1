"""How a figure becomes pixels: matplotlib's Agg under this workbook's own settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ftlab.show.canvas.style import GRID, INK, SMALL, TEXT

FAMILIES = ("axes", "figure", "font", "grid", "hatch", "lines", "path", "patch", "savefig")
FAMILIES += ("scatter", "text", "xaxis", "xtick", "yaxis", "ytick", "errorbar", "markers")
FRAME = "#8C8C8C"
LOOK = {
    "font.size": TEXT, "font.family": ["DejaVu Sans"], "text.color": INK,
    "axes.edgecolor": FRAME, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.grid.axis": "y", "axes.axisbelow": True, "grid.color": GRID,
    "axes.labelcolor": INK, "axes.labelsize": SMALL, "axes.labelpad": 3,
}  # fmt: skip
TICKS = {"labelsize": SMALL, "color": FRAME, "labelcolor": INK, "major.size": 3}
SETTINGS: dict[Any, Any] = {
    key: value for key, value in matplotlib.rcParamsDefault.items() if key.split(".")[0] in FAMILIES
}
SETTINGS |= LOOK | {f"{axis}tick.{key}": value for axis in "xy" for key, value in TICKS.items()}

_ONE = RLock()  # a panel may draw beside a running cell


@contextmanager
def own_settings() -> Iterator[None]:
    """This module's settings, whatever the reader's rcParams are; also as a decorator."""
    with _ONE, matplotlib.rc_context(SETTINGS):  # the settings are the whole process's
        yield


def pixels(figure: Figure) -> np.ndarray:
    """The figure as it is drawn: (height, width, 4) in bytes, red, green, blue and opacity."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())
