"""How a paged optimiser survives a peak: a drawing, not data.

Three moments of one training step, left to right. Each is a card (tall box) beside the computer's
memory (wide box below). At the peak of the backward pass activations need the room, and the pages
with the optimiser's states move off the card; for the update they come back.

Source: Dettmers et al., QLoRA (2023), section 3, "Paged Optimizers".
"""

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import LIFT, Picture, heading
from ftlab.show.canvas.style import INK, PAPER, SOFT

WEIGHTS, STATES, ACTIVATIONS = "#7A7F87", "#B84A00", "#0072B2"
MOMENTS = (
    ("forward", 0.5, True, "there is room"),
    ("backward, at its peak", 1.3, False, "states move out, page by page"),
    ("update", 0.1, True, "states come back"),
)
ALT = (
    "Three moments of a training step. Forward: weights, optimiser states and some activations lie "
    "on the card. At the peak of the backward pass the activations fill the card, and the pages "
    "with the optimiser's states have moved to the computer's memory. At the update the "
    "activations are gone and the states are back on the card."
)


@own_settings
def paging(title: str | None = None) -> Picture:
    """The drawing; heights are made up to show the idea, as its caption says."""
    lift = LIFT if title else 0.0
    figure = Picture(9.0, 3.5 + lift)
    axes = figure.add_axes((0.02, 0.02, 0.96, 3.4 / (3.5 + lift)))
    axes.set_xlim(0, 9)
    axes.set_ylim(0, 3.4)
    axes.axis("off")
    for number, (name, used, home, words) in enumerate(MOMENTS):
        _moment(axes, 0.35 + 2.95 * number, name, used, home, words)
    heading(figure, title)
    figure.alt = ALT
    return figure


def _moment(axes: Axes, x: float, name: str, used: float, home: bool, words: str) -> None:
    axes.text(x, 3.2, name, fontsize=10.5, fontweight="bold", color=INK)
    axes.text(x, 2.98, words, fontsize=9.5, color=SOFT)
    _box(axes, x, 0.95, 1.9, "#8C8C8C", PAPER, "the card")
    _box(axes, x, 0.2, 0.42, "#8C8C8C", PAPER, "the computer's memory", below=True)
    _fill(axes, x, 0.95, 0.5, WEIGHTS, "weights")
    states = 1.45 if home else 0.2
    _fill(axes, x, states, 0.42, STATES, "optimiser's states")
    _fill(axes, x, 1.87 if home else 1.45, used if home else 1.35, ACTIVATIONS, "activations")
    if not home:
        arrow = FancyArrowPatch(
            (x + 2.15, 1.6), (x + 2.15, 0.45), arrowstyle="-|>", mutation_scale=13, color=STATES
        )
        axes.add_patch(arrow)


def _box(
    axes: Axes, x: float, y: float, high: float, edge: str, face: str, name: str, *,
    below: bool = False,
) -> None:  # fmt: skip
    axes.add_patch(Rectangle((x, y), 1.95, high, edgecolor=edge, facecolor=face, linewidth=1.2))
    axes.text(x, y - 0.14 if below else y - 0.15, name, fontsize=9, color=SOFT)


def _fill(axes: Axes, x: float, y: float, high: float, colour: str, name: str) -> None:
    axes.add_patch(Rectangle((x + 0.03, y + 0.02), 1.89, high - 0.04, facecolor=colour, alpha=0.9))
    if high > 0.2:
        axes.text(x + 0.97, y + high / 2, name, ha="center", va="center", fontsize=9.5, color=PAPER)
