"""One position of the rank explorer as a picture: the plan, the skills, the plane, and a sentence.

    explorer_picture(Settings(ranks=(0, 8, 16)), Explorer.load())
    explorer_picture(settings, explorer, live=steps)          with a run of these very settings

Four parts: the twelve blocks and what each carries; what was learned and, skill by skill,
retained; and the plane of all recorded runs, with the line that none of them beats. What was
recorded for these very settings is a filled mark. Where nothing was, there is a hollow mark, an
ESTIMATE, with bars as wide as such estimates are typically off; and the nearest recorded point,
named as that. What was trained here and now is a star. What no slider changes is drawn once, and
lies behind (`ftlab.show.panels.explorer_sheet`).

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from ftlab.explorer.explorer import Explorer, Nearest
from ftlab.explorer.recorded import Recorded
from ftlab.explorer.settings import BANDS, TARGETS, Settings
from ftlab.memory.parts import size
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import field, last_measured
from ftlab.show.canvas.labels import Label, point_labels
from ftlab.show.canvas.sheet import EDGE, Picture, write
from ftlab.show.canvas.style import (
    INK,
    METHODS,
    PAPER,
    SMALL,
    SOFT,
    percent,
    rate_text,
    skill_marks,
)
from ftlab.show.panels.explorer_sheet import (
    BLOCKS,
    HEIGHT,
    MOST,
    NAMES,
    TOP,
    WIDTH,
    over,
    sheet,
)
from ftlab.show.plots.blocks import WIDE, Cell, blocks
from ftlab.show.plots.recorded import least

RECORDED, NAIVE, LIVE = METHODS["lora_qv"].colour, METHODS["full"].colour, "#3B3B98"
SHORT = {"qv": "q, v", "qkvo": "all attention", "ff": "feed-forward", "all": "all linear"}


@own_settings()
def explorer_picture(asked: Settings, explorer: Explorer, *, live: Sequence[Any] = ()) -> Picture:
    """The whole picture; `live`: Steps of a run of these settings, as far as it has come."""
    near, last = explorer.nearest(asked), last_measured(live)
    guess = None if near.exact else explorer.estimate(asked)
    behind, (skills, plane) = sheet(explorer, last is not None)
    figure = Picture(WIDTH, HEIGHT, behind=behind)
    write(figure, EDGE, TOP + 10 / 72, _plan(asked), color=SOFT, va="baseline")
    blocks(figure, BLOCKS, _cells(asked), WIDE)
    _scales(figure, asked)
    _bars(over(figure, skills), near.recorded, guess, last)
    _plane(over(figure, plane), asked, near, guess, live)
    figure.alt = sentence(asked, near, guess, last)
    return figure


def parameters(asked: Settings) -> int:
    """How many parameters these settings train, counted from the model's shape."""
    blocks, head, every = _shape()
    if asked.naive:
        return every
    found, on = head if asked.head else 0, TARGETS[asked.targets]
    for index, matrices in enumerate(blocks):
        rank = asked.ranks[_band(index)]
        found += sum(rank * (reads + writes) for reads, writes, target in matrices if target in on)
    return found


@lru_cache(maxsize=1)
def _shape() -> tuple[list[list[tuple[int, int, str]]], int, int]:
    """Of nano-gpt2: the matrices of each block, the head's parameters, and all parameters."""
    from ftlab.memory.shapes import shape

    found = shape("nano-gpt2")
    blocks = [[(m.reads, m.writes, m.target) for m in block.matrices] for block in found.blocks]
    return blocks, found.vocabulary * found.width, found.parameters


def _band(block: int) -> int:
    """0, 1 or 2: which of BANDS a block (from 0) is in."""
    ends = [int(band.rpartition("-")[2]) for band in BANDS]
    return next(i for i, end in enumerate(ends) if block < end)


def _plan(asked: Settings) -> str:
    """The settings in a line."""
    count = parameters(asked)
    what = "full fine-tuning" if asked.naive else f"LoRA on {SHORT[asked.targets]}"
    how = f"rate {rate_text(asked.lr)}, {asked.schedule}, {asked.steps} steps of 16"
    return f"{what}; {how}, seed {asked.seed}; {count:,} parameters, a file of {size(4 * count)}"


# --- the blocks ---------------------------------------------------------------------------------


def _cells(asked: Settings) -> list[Cell | None]:
    """The embeddings, the blocks and the head, where something trains in them."""
    if asked.naive:
        return [_cell("all")] * len(NAMES)
    ranks = [asked.ranks[_band(block)] for block in range(12)]
    carry = [_cell(f"r {rank}", rank) if rank else None for rank in ranks]
    return [None, *carry, _cell("own copy") if asked.head else None]


def _cell(words: str, rank: int = 0) -> Cell:
    """One box, the darker the higher the rank."""
    strength = 0.25 + 0.11 * rank.bit_length() if rank else 0.9
    face = mixed(RECORDED if rank else NAIVE, strength)
    return Cell(words, face, PAPER if strength > 0.6 else INK, INK)


def mixed(colour: str, strength: float) -> tuple[float, ...]:
    """A colour thinned with paper: as if translucent, and hiding what lies behind."""
    return tuple(1 - strength * (1 - part) for part in to_rgb(colour))


def _scales(figure: Picture, asked: Settings) -> None:
    """alpha / r under the first block of each band that carries adapters."""
    for block in () if asked.naive else (0, 6, 9):
        if scale := asked.scales[_band(block)]:
            words = f"alpha / r = {scale:g}"
            write(figure, WIDE.left(block + 1), 4.3, words, fontsize=9, color=SOFT)


# --- the measures -------------------------------------------------------------------------------


def _bars(axes: Axes, recorded: Recorded, guess: Any, last: Any) -> None:
    """One row for the task and each skill: recorded bar, hollow estimate, star of the run."""
    shown: Any = guess or recorded
    colours = [RECORDED, *(mark.colour for mark in skill_marks(shown.kept).values())]
    shares = [shown.target_score, *shown.kept.values()]
    for row, (share, colour) in enumerate(zip(shares, colours, strict=True)):
        if share is not None:
            look: dict[str, Any] = {"color": colour, "alpha": 0.85}
            if guess:
                look = {"facecolor": PAPER, "edgecolor": colour, "linestyle": (0, (3, 2))}
            axes.add_patch(Rectangle((0, row - 0.29), share, 0.58, **look))
            axes.text(1.08, row, percent(share), va="center", fontsize=SMALL)
    if last:
        now = last.measured
        _stars(axes, [now["target_score"], *(now["kept"].get(name) for name in shown.kept)])


def _stars(axes: Axes, shares: Sequence[float | None]) -> None:
    """A star and its number in each row, for what was trained here."""
    for row, share in enumerate(shares):
        if share is not None:
            axes.plot([min(share, MOST)], [row], marker="*", markersize=13, color=LIVE, zorder=4)
            words = f"now {percent(share)}"
            axes.text(1.48, row, words, va="center", fontsize=SMALL, color=LIVE)


def _plane(axes: Axes, asked: Settings, near: Nearest, guess: Any, live: Sequence[Any]) -> None:
    """The point of these settings among the others, which lie on the sheet."""
    found, colour = near.recorded, NAIVE if asked.naive else RECORDED
    labels = []
    if guess is None:
        labels.append(_mark(axes, found.target_score, found.retention, colour, "recorded", "D"))
    else:
        x, y, off = guess.target_score, guess.retention, guess.off
        bars = {"xerr": off["target_score"], "yerr": off["retention"]}
        axes.errorbar(x, y, **bars, color=colour, linewidth=1.2, capsize=3, zorder=3)
        labels.append(_mark(axes, x, y, colour, "estimate", "D", hollow=True))
        there = found.target_score, found.retention
        labels.append(_mark(axes, *there, SOFT, "nearest recorded", "s"))
    way = [m for step in live if (m := field(step, "measured"))]
    if way:
        xs, ys = [m["target_score"] for m in way], [m["retention"] for m in way]
        axes.plot(xs, ys, color=LIVE, linewidth=1.4, marker=".", zorder=4)
        words = f"trained now, step {last_measured(live).step}"
        labels.append(_mark(axes, xs[-1], ys[-1], LIVE, words, "*"))
    point_labels(axes, labels, halo=True)


def _mark(
    axes: Axes, x: float, y: float, colour: str, words: str, marker: str, *, hollow: bool = False
) -> Label:
    """A large mark; returns the words for it."""
    axes.plot(
        [x], [y], marker=marker, markersize=14 if marker == "*" else 9, zorder=5, linestyle="",
        markerfacecolor=PAPER if hollow else colour, markeredgecolor=colour, markeredgewidth=1.6,
        clip_on=False,
    )  # fmt: skip
    return Label(x, y, words, colour)


# --- the words ----------------------------------------------------------------------------------


def sentence(asked: Settings, near: Nearest, guess: Any, last: Any = None) -> str:
    """What the picture says, in a sentence or two; `last`: the last measured Step of a run."""
    found = near.recorded
    if guess is None:
        text = f"Recorded: {_both(found)}{least(found.kept)}."
    else:
        off = [f"{100 * guess.off[key]:.0f}" for key in ("target_score", "retention")]
        text = (
            f"Not recorded. Estimated: {_both(guess)}; such estimates are off by "
            f"{' and '.join(off)} points, typically. The nearest recorded run "
            f"({'; '.join(near.differs)}): {_both(found)}."
        )
    text += f" {parameters(asked):,} parameters train."
    if last:
        text += f" Trained now, {last.step} of {asked.steps} steps: {_both(last.measured)}."
    return text


def _both(one: Any) -> str:
    learned, retained = (percent(field(one, key)) for key in ("target_score", "retention"))
    return f"learned {learned}, retained {retained}"
