"""Plots, tables and the live view: functions of data, and a few lines that display them."""

from ftlab.show.html import img, png, show
from ftlab.show.live import Live
from ftlab.show.memory import memory_bars, memory_table
from ftlab.show.plots import (
    Picture,
    Point,
    best_of,
    layer_updates,
    lines,
    matched_table,
    plane,
    scoreboard,
    settings_table,
    skills_bars,
    sweep,
    three_attentions,
    two_numbers,
)
from ftlab.show.tables import Table, forgetting_matrix, records_table, samples

__all__ = [
    "Live", "Picture", "Point", "Table", "best_of", "forgetting_matrix", "img", "layer_updates",
    "lines", "matched_table", "memory_bars", "memory_table", "plane", "png", "records_table",
    "samples", "scoreboard", "settings_table", "show", "skills_bars", "sweep", "three_attentions",
    "two_numbers",
]  # fmt: skip
