"""What plans need of a card, as stacked bars and as a table.

    memory_bars([estimate("llama-7b", plan) for plan in plans])
    memory_bars({"8 texts": one, "1 text": another}, title="llama-7b")

A bar is a plan at its fullest moment, its parts side by side in one order, against the room on
the cards (upright lines); its sum stands at the right. What may be paged off the card stands
after the bar, hatched.

Notable choices: parts too thin to see are left to the table; a card is drawn where it helps to
compare, so a model of megabytes is not squeezed into nothing by a card of 80 GB, and the sentence
that is the picture's alt text says which card each plan fits.
"""

from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ftlab.memory.parts import CARDS, PARTS, Memory, size
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.labels import spread
from ftlab.show.canvas.sheet import Picture, bar_axes, note, panel, text_width, write
from ftlab.show.canvas.style import INK, PAPER, SMALL, SOFT, TEXT, TINY
from ftlab.show.plots.tables import Cell

COLOURS = {
    "weights": "#2E6F9E",
    "quantization constants": "#1B3A57",
    "adapters": "#B0407F",
    "optimiser states": "#C25500",
    "gradients": "#8A6D00",
    "half-precision copies": "#6F5BB5",
    "activations": "#00795C",
    "logits and loss": "#5E7D1E",
    "workspace": "#6E6E6E",
}
STATES, PAGED = "optimiser states", "optimiser states, paged"
HATCHED = {"facecolor": PAPER, "edgecolor": COLOURS[STATES], "hatch": "////", "linewidth": 0.8}
THIN = 0.005  # of the panel's width: a part below it is not seen
ROW = 0.46  # inches a bar takes

Memories = Mapping[str, Memory] | Iterable[Memory]


@own_settings()
def memory_bars(
    memories: Memories, *, cards: Mapping[str, int] = CARDS, title: str | None = None
) -> Picture:
    """One bar for each plan; by the label where a mapping is given, else by the plan's words."""
    plans = _named(memories)
    drawn, limit = _cards(plans, cards)
    left = max(0.66, text_width(list(plans), TEXT) + 0.3)
    wide = 9.0 - left - text_width([_end(memory) for memory in plans.values()]) - 0.24
    keys = _lines(_seen(plans, limit), 8.7)
    above = 0.1 + 0.24 * len(keys) + (0.26 if drawn else 0.06)
    high = max(len(plans), 1) * ROW
    figure = Picture(9.0, above + high + 0.6, title=title)
    axes = panel(figure, left, 0.6, wide, high)
    bar_axes(axes, list(plans))
    _bytes_axis(axes, limit)
    for row, memory in enumerate(plans.values()):
        _bar(axes, row, memory, limit / wide)
    _card_lines(axes, drawn, limit, wide)
    if not plans:
        note(axes, "no plan to show yet")
    _key(figure, keys, above + high + 0.3)
    figure.alt = alt_memory(plans, cards)
    return figure


def alt_memory(plans: Mapping[str, Memory], cards: Mapping[str, int]) -> str:
    """The bars in words: each plan's sum, its largest parts, and the smallest card it fits."""
    if not plans:
        return "An empty chart: no plan has been counted yet."
    parts = []
    for name, memory in plans.items():
        largest = sorted(memory.parts, key=lambda part: -part.at_peak)[:2]
        of = ", ".join(f"{part.name} {size(part.at_peak)}" for part in largest)
        paged = f", and {size(memory.paged)} paged" if memory.paged else ""
        parts.append(f"{name}: {size(memory.total)}{paged} ({of}), {_fits(memory, cards).text}")
    return f"Stacked bars of memory at the fullest moment: {'; '.join(parts)}."


def _named(memories: Memories) -> dict[str, Memory]:
    """Memories by label; the model's name comes before where there are several."""
    if isinstance(memories, Mapping):
        return {str(label): memory for label, memory in memories.items()}
    listed = list(memories)
    several = len({memory.name for memory in listed}) > 1
    return {f"{m.name}, {m.plan}" if several else str(m.plan): m for m in listed}


def _at(memory: Memory, name: str) -> int:
    return next(part.at_peak for part in memory.parts if part.name == name)


def _fits(memory: Memory, cards: Mapping[str, int]) -> Cell:
    for name, capacity in sorted(cards.items(), key=lambda card: card[1]):
        if memory.total <= capacity:
            return Cell(f"fits {name}", "good")
    return Cell("fits none of the cards", "bad")


def _end(memory: Memory) -> str:
    paged = f" + {size(memory.paged)} paged" if memory.paged else ""
    return f"{size(memory.total)}{paged}"


def _cards(plans: Mapping[str, Memory], cards: Mapping[str, int]) -> tuple[dict[str, int], float]:
    """The cards to draw, and how far the axis goes: to the next larger card if it is near."""
    most = max((m.total + m.paged for m in plans.values()), default=1)
    drawn = {name: room for name, room in cards.items() if room <= most}
    nearest = min((room for room in cards.values() if room > most), default=0)
    if nearest and nearest <= 2.5 * most:
        drawn |= {name: room for name, room in cards.items() if room == nearest}
    return drawn, 1.04 * max([most, *drawn.values()])


def _seen(plans: Mapping[str, Memory], limit: float) -> list[str]:
    """The parts that are wide enough to be seen in some bar."""
    names = [p for p in PARTS if any(_at(m, p) > THIN * limit for m in plans.values())]
    return names + ([PAGED] if any(m.paged > THIN * limit for m in plans.values()) else [])


def _bytes_axis(axes: Axes, limit: float) -> None:
    """From 0 to `limit` bytes, in GB or MB."""
    unit, name = (1e9, "GB") if limit >= 1e9 else (1e6, "MB")
    axes.set_xlim(0, limit)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / unit:g}")
    axes.set_xlabel(f"{name} at the fullest moment of a step")


def _bar(axes: Axes, row: int, memory: Memory, inch: float) -> None:
    """The parts side by side, their sizes where there is room, and the sum after them.

    `inch`: how many bytes take an inch.
    """
    at, colour = 0.0, PAPER  # what is too thin to see takes the colour of the part before it
    for part in memory.parts:
        wide, text = part.at_peak / inch, size(part.at_peak)
        edge = 0.6 if wide > 0.06 else 0.0  # else it would cover the part
        colour = COLOURS[part.name] if part.at_peak > THIN * axes.get_xlim()[1] else colour
        look = {"color": colour, "edgecolor": PAPER, "linewidth": edge}
        axes.barh(row, part.at_peak, 0.62, at, **look)
        if text_width([text], TINY) + 0.08 < wide:
            middle = at + part.at_peak / 2
            axes.text(middle, row, text, ha="center", va="center", fontsize=TINY, color=PAPER)
        at += part.at_peak
    if memory.paged:
        axes.barh(row, memory.paged, 0.62, at, **HATCHED)
    axes.annotate(
        _end(memory), (1, row), (8, 0), xycoords=axes.get_yaxis_transform(),
        textcoords="offset points", va="center", fontsize=SMALL, annotation_clip=False,
    )  # fmt: skip


def _card_lines(axes: Axes, cards: Mapping[str, int], limit: float, wide: float) -> None:
    """Upright lines at the room on each card, behind the bars, their names above."""
    gap = (text_width(list(cards)) + 0.06) / wide * limit
    places = spread(list(cards.values()), gap, 0, limit + gap / 2)
    for (name, room), place in zip(cards.items(), places, strict=True):
        axes.axvline(room, color=INK, linewidth=1.4, linestyle=(0, (4, 2)), zorder=0.8)
        axes.annotate(
            name, (place / limit, 1), (0, 3), xycoords="axes fraction", textcoords="offset points",
            ha="center", fontsize=SMALL, annotation_clip=False,
        )  # fmt: skip


Line = list[tuple[float, str]]


def _lines(names: list[str], wide: float) -> list[Line]:
    """The key: names with their places in inches, in as many lines as they need."""
    lines: list[Line] = []
    at = wide
    for name in names:
        width = text_width([name]) + 0.42
        if at + width > wide:
            lines.append([])
            at = 0.0
        lines[-1].append((at, name))
        at += width
    return lines


def _key(figure: Picture, lines: list[Line], top: float) -> None:
    """A coloured square and a name for each part, above the panel; `top` in inches."""
    for number, line in enumerate(lines):
        y = top - 0.24 * number
        for at, name in line:
            look = HATCHED if name == PAGED else {"facecolor": COLOURS[name]}
            box = Rectangle((0.14 + at, y), 0.14, 0.14, transform=figure.dpi_scale_trans)
            box.set(**look)
            figure.add_artist(box)
            write(figure, 0.34 + at, y, name, color=SOFT, va="bottom")
