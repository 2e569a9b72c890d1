"""How a paged optimiser survives a peak: a drawing, not data.

Three moments of one training step, left to right. Each is a card (tall box) beside the computer's
memory (wide box below). At the peak (the loss, or the backward pass) activations need the card, and
the pages with the optimiser's states move off it; for the update they come back.

Source: Dettmers et al., QLoRA (2023), section 3, "Paged Optimizers".
"""

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from ftlab.show.canvas.agg import FRAME, own_settings
from ftlab.show.canvas.sheet import Picture, drawing
from ftlab.show.canvas.style import PAPER, SMALL, SOFT
from ftlab.show.plots.memory import COLOURS

WEIGHTS, STATES, ACTIVATIONS = (
    COLOURS[name] for name in ("weights", "optimiser states", "activations")
)
MOMENTS = (
    ("forward", 0.5, True, "there is room"),
    ("at the peak", 1.3, False, "states move out, page by page"),
    ("update", 0.0, True, "states come back"),
)
ALT = (
    "Three moments of a training step. Forward: weights, optimiser states and some activations lie "
    "on the card. At the peak, in the loss or the backward pass, the activations fill it, and the "
    "pages with the optimiser's states have moved to the computer's memory. At the update the "
    "activations are gone and the states are back on the card."
)


@own_settings()
def paging() -> Picture:
    """The drawing; heights are made up to show the idea, as its caption says."""
    figure = Picture(9.0, 3.5)
    axes = drawing(figure, (0, 9), (0, 3.4))
    for number, moment in enumerate(MOMENTS):
        _moment(axes, 0.35 + 2.95 * number, *moment)
    figure.alt = ALT
    return figure


def _moment(axes: Axes, x: float, name: str, used: float, home: bool, words: str) -> None:
    axes.text(x, 3.2, name, fontweight="bold")
    axes.text(x, 2.98, words, fontsize=SMALL, color=SOFT)
    for y, high, what in ((0.95, 1.9, "the card"), (0.2, 0.42, "the computer's memory")):
        axes.add_patch(Rectangle((x, y), 1.95, high, ec=FRAME, fc=PAPER, linewidth=1.2))
        axes.text(x, y - 0.15, what, fontsize=9, color=SOFT)
    _fill(axes, x, 0.95, 0.5, WEIGHTS, "weights")
    _fill(axes, x, 1.45 if home else 0.2, 0.42, STATES, "optimiser states")
    _fill(axes, x, 1.87 if home else 1.45, used if home else 1.35, ACTIVATIONS, "activations")
    if not home:
        ends, look = ((x + 2.15, 1.6), (x + 2.15, 0.45)), {"mutation_scale": 13, "color": STATES}
        axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", **look))


def _fill(axes: Axes, x: float, y: float, high: float, colour: str, name: str) -> None:
    if not high:
        return
    axes.add_patch(Rectangle((x + 0.03, y + 0.02), 1.89, high - 0.04, facecolor=colour, alpha=0.9))
    look = {"ha": "center", "va": "center", "fontsize": SMALL, "color": PAPER}
    axes.text(x + 0.97, y + high / 2, name, **look)
