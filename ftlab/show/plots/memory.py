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

from ftlab.memory.parts import CARDS, PARTS, Memory, size
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.labels import spread
from ftlab.show.canvas.sheet import LIFT, SMALL, Picture, heading, note, panel, text_width
from ftlab.show.canvas.style import GRID, INK, SOFT
from ftlab.show.plots.tables import Cell, Table

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
PAGED = "optimiser states, paged"
THIN = 0.005  # of the panel's width: a part below it is not seen
ROW = 0.46  # inches a bar takes

Memories = Mapping[str, Memory] | Iterable[Memory]


@own_settings
def memory_bars(
    memories: Memories, *, cards: Mapping[str, int] = CARDS, title: str | None = None
) -> Picture:
    """One bar for each plan; by the label where a mapping is given, else by the plan's words."""
    plans = _named(memories)
    drawn, limit = _cards(plans, cards)
    figure = Picture(9.0, 2.0)
    left = max(0.66, text_width(figure, list(plans), 10.5) + 0.3)
    room = text_width(figure, [_end(memory) for memory in plans.values()]) + 0.24
    wide = 9.0 - left - room
    keys = _lines(figure, _seen(plans, limit), 8.7)
    above = 0.1 + 0.24 * len(keys) + (0.26 if drawn else 0.06) + (LIFT if title else 0)
    high = max(len(plans), 1) * ROW
    figure.set_size_inches(9.0, above + high + 0.6)
    axes = panel(figure, left, 0.6, wide, high)
    _frame(axes, limit, max(len(plans), 1))
    for row, memory in enumerate(plans.values()):
        _bar(axes, row, memory, limit, wide)
    _card_lines(axes, drawn, limit, wide)
    axes.set_yticks(range(len(plans)), list(plans), fontsize=10.5)
    if not plans:
        note(axes, "no plan to show yet")
    _key(figure, keys, above - (0.1 + (LIFT if title else 0)), high + 0.6)
    heading(figure, title)
    figure.alt = alt_memory(plans, cards)
    return figure


def memory_table(memories: Memories, *, cards: Mapping[str, int] = CARDS) -> Table:
    """One row for each plan: its parts at the fullest moment, their sum, and the card it fits."""
    plans = _named(memories)
    used = [part for part in PARTS if any(_at(memory, part) for memory in plans.values())]
    paged = any(memory.paged for memory in plans.values())
    header = ("plan", *used, "together", *(("paged, off the card",) if paged else ()), "fits")
    rows = [
        [
            name,
            *(size(_at(memory, part)) if _at(memory, part) else "-" for part in used),
            size(memory.total),
            *((size(memory.paged) if memory.paged else "-",) if paged else ()),
            _fits(memory, cards),
        ]
        for name, memory in plans.items()
    ]
    room = ", ".join(f"{name}: {size(capacity)}" for name, capacity in cards.items())
    return Table(header, rows, f"at the fullest moment of a step; room on the cards: {room}")


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


def _frame(axes: Axes, limit: float, rows: int) -> None:
    axes.set_xlim(0, limit)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.grid(False, axis="y")
    axes.grid(True, axis="x", color=GRID, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    unit, name = (1e9, "GB") if limit >= 1e9 else (1e6, "MB")
    step = _step(limit / unit) if limit > unit / 1000 else 1
    ticks = [k * step for k in range(int(limit / unit / step) + 1)]
    axes.set_xticks([tick * unit for tick in ticks], [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"{name} at the fullest moment of a step", fontsize=SMALL, labelpad=3)


def _step(span: float) -> float:
    """A round distance of ticks: about eight of them."""
    for step in (k * 10.0**e for e in range(-3, 6) for k in (1, 2, 5)):
        if span / step <= 8:
            return step
    return span


def _bar(axes: Axes, row: int, memory: Memory, limit: float, wide: float) -> None:
    """The parts side by side, their numbers where there is room, and the sum after them."""
    at = 0.0
    figure = axes.get_figure()
    assert isinstance(figure, Picture)
    for part in memory.parts:
        if not part.at_peak:
            continue
        edge = 0.6 if part.at_peak > 2 * THIN * limit else 0.0  # else it would cover the part
        axes.barh(
            row, part.at_peak, 0.62, at, color=COLOURS[part.name], edgecolor="white", linewidth=edge
        )
        text = size(part.at_peak)
        if text_width(figure, [text], 8.5) + 0.08 < part.at_peak / limit * wide:
            middle = at + part.at_peak / 2
            axes.text(middle, row, text, ha="center", va="center", fontsize=8.5, color="white")
        at += part.at_peak
    if memory.paged:
        axes.barh(
            row, memory.paged, 0.62, at, facecolor="white", hatch="////", linewidth=0.8,
            edgecolor=COLOURS["optimiser states"],
        )  # fmt: skip
    axes.annotate(
        _end(memory), (1, row), (8, 0), xycoords=axes.get_yaxis_transform(),
        textcoords="offset points", va="center", fontsize=SMALL, color=INK, annotation_clip=False,
    )  # fmt: skip


def _card_lines(axes: Axes, cards: Mapping[str, int], limit: float, wide: float) -> None:
    """Upright lines at the room on each card, behind the bars, their names above."""
    figure = axes.get_figure()
    assert isinstance(figure, Picture)
    gap = (text_width(figure, list(cards)) + 0.06) / wide * limit
    places = spread(list(cards.values()), gap, 0, limit + gap / 2)
    for (name, room), place in zip(cards.items(), places, strict=True):
        axes.axvline(room, color=INK, linewidth=1.4, linestyle=(0, (4, 2)), zorder=0.8)
        axes.annotate(
            name, (place / limit, 1), (0, 3), xycoords="axes fraction", textcoords="offset points",
            ha="center", fontsize=SMALL, color=INK, annotation_clip=False,
        )  # fmt: skip


Line = list[tuple[float, str]]


def _lines(figure: Picture, names: list[str], wide: float) -> list[Line]:
    """The key: names with their places in inches, in as many lines as they need."""
    lines: list[Line] = [[]]
    at = 0.0
    for name in names:
        width = text_width(figure, [name]) + 0.42
        if at + width > wide and lines[-1]:
            lines.append([])
            at = 0.0
        lines[-1].append((at, name))
        at += width
    return lines if names else []


def _key(figure: Picture, lines: list[Line], up: float, floor: float) -> None:
    """A coloured square and a name for each part, above the panel."""
    wide, high = figure.get_size_inches()
    for number, line in enumerate(lines):
        y = floor + up - 0.2 - 0.24 * number
        for at, name in line:
            x, paged = 0.14 + at, name == PAGED
            figure.add_artist(
                Rectangle(
                    (x / wide, y / high), 0.14 / wide, 0.14 / high, transform=figure.transFigure,
                    facecolor="white" if paged else COLOURS[name],
                    edgecolor=COLOURS["optimiser states"] if paged else "none",
                    hatch="////" if paged else None, linewidth=0.8,
                )
            )  # fmt: skip
            figure.text((x + 0.2) / wide, y / high, name, fontsize=SMALL, color=SOFT, va="bottom")
