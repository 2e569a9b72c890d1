"""Plots, tables, panels and the live view: functions of data, and a few lines that display them."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.base.shares import percent, skill_name
    from ftlab.show.canvas.html import img, png, show
    from ftlab.show.canvas.sheet import Picture
    from ftlab.show.canvas.style import rate_text
    from ftlab.show.panels.adapters import adapter_panel
    from ftlab.show.panels.ask import ask_panel
    from ftlab.show.panels.attention import attention_panel
    from ftlab.show.panels.compare import compare_panel
    from ftlab.show.panels.freeze import freeze_panel
    from ftlab.show.panels.live import Live
    from ftlab.show.panels.panel import block_panel
    from ftlab.show.panels.prune import prune_panel
    from ftlab.show.panels.rank_explorer import rank_explorer
    from ftlab.show.panels.rates import rate_panel
    from ftlab.show.panels.remedies import remedy_panel
    from ftlab.show.panels.schedule import schedule_panel
    from ftlab.show.panels.sequence import sequence_panel
    from ftlab.show.panels.walk import walk_panel
    from ftlab.show.plots.boards import best_of, matched_table, scoreboard, settings_table
    from ftlab.show.plots.curves import two_numbers
    from ftlab.show.plots.drawings import bands, transformer
    from ftlab.show.plots.layers import layer_updates
    from ftlab.show.plots.levels import error, usage, weight_levels
    from ftlab.show.plots.lines import lines
    from ftlab.show.plots.matrices import recorded_matrix, task_matrix
    from ftlab.show.plots.memory import memory_bars
    from ftlab.show.plots.paging import paging
    from ftlab.show.plots.planes import Point, plane
    from ftlab.show.plots.recorded import called, setting_name
    from ftlab.show.plots.report import changes_plot, report_page
    from ftlab.show.plots.said import said, said_table
    from ftlab.show.plots.scatter import scatter
    from ftlab.show.plots.skills import skills_bars
    from ftlab.show.plots.stacks import three_attentions
    from ftlab.show.plots.sweeps import sweep
    from ftlab.show.plots.tables import Table, samples
    from ftlab.show.plots.weights import four_bits, low_rank

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
