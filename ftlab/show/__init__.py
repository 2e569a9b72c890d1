"""Plots, tables and the live view: functions of data, and a few lines that display them."""

from ftlab.show.html import img, png, show
from ftlab.show.live import Live
from ftlab.show.plots import (
    Picture,
    Point,
    layer_updates,
    plane,
    skills_bars,
    sweep,
    two_numbers,
)
from ftlab.show.tables import Table, forgetting_matrix, records_table, samples

__all__ = [
    "Live", "Picture", "Point", "Table", "forgetting_matrix", "img", "layer_updates", "plane",
    "png", "records_table", "samples", "show", "skills_bars", "sweep", "two_numbers",
]  # fmt: skip
