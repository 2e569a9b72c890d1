"""How a figure becomes pixels: matplotlib's Agg under this workbook's own settings."""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ftlab.show.canvas.style import INK

TEXT = 10.5
"""Points."""
FAMILIES = ("axes", "figure", "font", "grid", "hatch", "lines", "path", "patch", "savefig")
FAMILIES += ("scatter", "text", "xaxis", "xtick", "yaxis", "ytick", "errorbar", "markers")
SETTINGS: dict[Any, Any] = {
    key: value for key, value in matplotlib.rcParamsDefault.items() if key.split(".")[0] in FAMILIES
} | {"font.size": TEXT, "font.family": ["DejaVu Sans"], "text.color": INK}

_ONE = RLock()  # a panel may draw beside a running cell
P = ParamSpec("P")
R = TypeVar("R")


def own_settings(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` under this module's settings, whatever the reader's rcParams are."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with _ONE, matplotlib.rc_context(SETTINGS):  # the settings are the whole process's
            return function(*args, **kwargs)

    return inner


def pixels(figure: Figure) -> np.ndarray:
    """The figure as it is drawn: (height, width, 4) in bytes, red, green, blue and opacity."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())
