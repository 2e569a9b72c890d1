"""Every plot of the workbook: data in, `Picture` (a Figure with alt text) out.

- `two_numbers(steps)`: what a run learns and keeps, step by step
- `plane(points)`: learned against kept, one point per run
- `sweep(rows, x)`: both numbers against one quantity
- `layer_updates(norms)`: how far each layer moved
- `skills_bars(base, after)`: skill by skill, before and after
- `lines(series)`: any quantity against another
- `scoreboard(settings)`: methods over their seeds, in the plane
- `three_attentions(ranks)`: a drawing of an encoder-decoder model and a plan on it
"""

from ftlab.show.boards import best_of, matched_table, scoreboard, settings_table
from ftlab.show.canvas import Picture
from ftlab.show.curves import two_numbers
from ftlab.show.layers import layer_updates
from ftlab.show.lines import lines
from ftlab.show.planes import Point, plane
from ftlab.show.skills import skills_bars
from ftlab.show.stacks import three_attentions
from ftlab.show.sweeps import sweep

__all__ = [
    "Picture", "Point", "best_of", "layer_updates", "lines", "matched_table", "plane", "scoreboard",
    "settings_table", "skills_bars", "sweep", "three_attentions", "two_numbers",
]  # fmt: skip
