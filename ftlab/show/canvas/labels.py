"""Words beside what they name, so that no plot needs a legend.

`spread` moves labels apart with the least squared movement: asking for gaps of at least g is
asking that y_i - i g rise, which is isotonic regression, solved by pooling adjacent violators
(Ayer et al. 1955).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ftlab.show.canvas.sheet import DPI, picture_of, text_size
from ftlab.show.canvas.style import INK, PAPER, SMALL


@dataclass(frozen=True)
class Label:
    """Text for the point (x, y) of the data, in a colour; bold for what matters most."""

    x: float
    y: float
    text: str
    colour: str = INK
    bold: bool = False


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places at least `gap` apart, near `wanted`, within [low, high]; in the order given.

    Where there is not room for all, the gap shrinks to what fits.
    """
    count = len(wanted)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = sorted(range(count), key=lambda i: wanted[i])
    pools: list[list[float]] = []  # [mean, size]
    for rank, i in enumerate(order):
        pools.append([wanted[i] - rank * gap, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2], pools.pop()
            pools[-1] = [(a * n + b * m) / (n + m), n + m]
    flat = [value for value, size in pools for _ in range(int(size))]
    most = high - (count - 1) * gap
    places = [0.0] * count
    for rank, i in enumerate(order):
        places[i] = min(max(flat[rank], low), most) + rank * gap
    return places


def end_labels(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label right of the panel, with a thread to the height of its line's end.

    The thread starts at the edge of the panel, so that in a run that is still short it cannot
    be taken for data.
    """
    labels = [label for label in labels if label.y == label.y]
    bottom, top = axes.get_ylim()
    frame = axes.get_window_extent()
    gap = 1.35 * SMALL / 72 * DPI / frame.height * (top - bottom)
    places = spread([label.y for label in labels], gap, bottom, top - gap / 2)
    aside = axes.get_yaxis_transform()  # x in widths of the panel, y in data
    point = DPI / 72 / frame.width
    for label, place in zip(labels, places, strict=True):
        ends = [1 + point, 1 + 12 * point], [label.y, place]
        _thread(axes, ends, label.colour, transform=aside)
        _write(axes, 1 + 15 * point, place, label, transform=aside)


def _write(axes: Axes, x: float, y: float, label: Label, **look: Any) -> None:
    weight = "bold" if label.bold else "normal"
    look = {"va": "center", "fontsize": SMALL, "color": label.colour, "fontweight": weight} | look
    axes.text(x, y, label.text, **look)


def _thread(axes: Axes, ends: tuple[list[float], list[float]], colour: str, **where) -> None:
    """A thin line between words and what they name."""
    axes.add_artist(Line2D(*ends, color=colour, linewidth=0.8, alpha=0.7, clip_on=False, **where))


Box = tuple[float, float, float, float]  # left, bottom, right, top in pixels


def boxes(axes: Axes, pairs: Iterable[Any], edge: float = 2.0) -> list[Box]:
    """What lies between two points of the data each, lower left first, as boxes for `taken`."""
    corners = [axes.transData.transform(pair).ravel() for pair in pairs]
    return [(a - edge, b - edge, c + edge, d + edge) for a, b, c, d in corners]


def point_labels(
    axes: Axes, labels: Sequence[Label], taken: Sequence[Box] = (), *, halo: bool = False
) -> None:
    """Write each label near its point, where it covers neither marks, labels nor `taken`.

    Each label tries sixteen sides at growing distances and keeps the first free place; if none
    is free, the one that covers least. A label set far off gets a thread to its point. With
    `halo` words stand on a strip of paper, for a panel full of dots.
    """
    unit = DPI / 72  # pixels in a point
    spots = axes.transData.transform([(label.x, label.y) for label in labels])
    marks = [(x - 6 * unit, y - 6 * unit, x + 6 * unit, y + 6 * unit) for x, y in spots]
    full = [*marks, *taken]
    frame = axes.get_window_extent()
    right = picture_of(axes).bbox.x1 - 4  # the margin on the right is free
    room = (frame.x0, frame.y0, right, frame.y1)
    for label, (x, y) in zip(labels, spots, strict=True):
        box, far = _place((x, y), text_size(label.text), full, room, unit)
        full.append(box)
        _put(axes, label, box, far, halo)


def _place(spot, size, full: Sequence[Box], room: Box, unit: float) -> tuple[Box, bool]:
    """The first free box round `spot`, and whether it is so far that it needs a thread."""
    best, least = None, float("inf")
    for reach in (9, 15, 22, 32, 44, 58, 74):
        for across, up in SIDES:
            x = spot[0] + across * reach * unit + (across - 1) / 2 * size[0]
            y = spot[1] + up * reach * unit + (up - 1) / 2 * size[1]
            box = (x - 2, y - 2, x + size[0] + 2, y + size[1] + 2)
            cover = sum(_overlap(box, other) for other in full)
            cover += 10 * (_area(box) - _overlap(box, room))
            if cover < least:
                best, least = (box, reach > 9), cover
            if cover <= 0:
                return box, reach > 9
    assert best is not None
    return best


SIDES = ((1, 0), (1, 0.4), (1, -0.4), (1, 0.8), (1, -0.8), (-1, 0), (0, 1), (0, -1))
SIDES += ((0.5, 1), (0.5, -1), (-0.5, 1), (-0.5, -1), (-1, 0.8), (-1, -0.8), (-1, 0.4), (-1, -0.4))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(one: Box, other: Box) -> float:
    """The area two boxes share, in square pixels."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return across * up if across > 0 and up > 0 else 0.0


def _put(axes: Axes, label: Label, box: Box, far: bool, halo: bool) -> None:
    """The words in their box; a thin thread where they stand far off."""
    strip = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1}
    back = axes.transData.inverted()
    x, y = back.transform(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    _write(axes, x, y, label, ha="center", bbox=strip if halo else None)
    if far:
        spot = axes.transData.transform((label.x, label.y))
        edge = (min(max(spot[0], box[0]), box[2]), min(max(spot[1], box[1]), box[3]))
        near = back.transform(edge)
        _thread(axes, ([label.x, near[0]], [label.y, near[1]]), label.colour, zorder=1)
