"""One position of the rank explorer as a picture: the plan, the skills, the plane, and a sentence.

    explorer_picture(Settings(ranks=(0, 8, 16)), Explorer.load())
    explorer_picture(settings, explorer, live=steps)          with a run of these very settings

Four parts: the twelve blocks and what each carries; what was learned and, skill by skill, kept;
and the plane of all recorded runs, with the line that none of them beats. What was recorded for
these very settings is a filled mark. Where nothing was, there is a hollow mark, an ESTIMATE, with
bars as wide as such estimates are typically off; and the nearest recorded point, named as that.
What was trained here and now is a star.

Run the tests: pytest tests/test_rank_explorer.py
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from ftlab.explorer import Explorer, Nearest, Recorded
from ftlab.measure.memory_parts import size
from ftlab.show.canvas import LIFT, Picture, head, heading, own_settings, panel, percent_axis
from ftlab.show.data import field
from ftlab.show.labels import Label, point_labels
from ftlab.show.style import INK, METHODS, PAPER, SKILLS, SOFT, percent
from ftlab.sliders import BANDS, TARGETS, Settings

RECORDED, NAIVE, LIVE = METHODS["lora_qv"].colour, METHODS["full"].colour, "#3B3B98"
FROZEN = "#F4F4F4"
SHORT = {"qv": "q, v", "qkvo": "all attention", "ff": "feed-forward", "all": "all linear"}


@own_settings
def explorer_picture(
    asked: Settings,
    explorer: Explorer,
    *,
    live: Sequence[Any] = (),
    title: str | None = None,
) -> Picture:
    """The whole picture; `live`: Steps of a run of these settings, as far as it has come."""
    near = explorer.nearest(asked)
    guess = None if near.exact else explorer.estimate(asked)
    lift = LIFT if title else 0.0
    figure = Picture(9.8, 6.0 + lift)
    drawing = panel(figure, 0.14, 4.15, 9.5, 1.3)
    head(drawing, "The plan", _plan(asked), left=0.14)
    _blocks(drawing, asked)
    skills = panel(figure, 1.5, 0.55, 2.75, 3.0)
    head(skills, "Learned, and kept by skill", "further right is better", left=1.5)
    _bars(skills, near.recorded, guess, live)
    place = panel(figure, 5.25, 0.55, 4.3, 3.0)
    head(place, "Among all recorded runs", "upward: skills kept; line: none is better in both")
    _plane(place, explorer, asked, near, guess, live)
    heading(figure, title)
    figure.alt = sentence(asked, near, guess, live)
    return figure


def numbers(asked: Settings) -> int:
    """How many numbers these settings train, counted from the model's shape."""
    blocks, head_numbers, every = _shape()
    if asked.naive:
        return every
    found = head_numbers if asked.head else 0
    for index, matrices in enumerate(blocks):
        rank = asked.ranks[_band(index)]
        on = TARGETS[asked.targets]
        found += sum(rank * (reads + writes) for reads, writes, target in matrices if target in on)
    return found


@lru_cache(maxsize=1)
def _shape() -> tuple[list[list[tuple[int, int, str]]], int, int]:
    """Of nano-gpt2: the matrices of each block, the head's numbers, and all numbers."""
    from ftlab.measure.memory_shapes import shape

    found = shape("nano-gpt2")
    blocks = [[(m.reads, m.writes, m.target) for m in block.matrices] for block in found.blocks]
    return blocks, found.vocabulary * found.width, found.numbers


def _band(block: int) -> int:
    """0, 1 or 2: which of BANDS a block (from 0) is in."""
    ends = [int(band.rpartition("-")[2]) for band in BANDS]
    return next(i for i, end in enumerate(ends) if block < end)


def _plan(asked: Settings) -> str:
    """The settings in a line."""
    how = f"rate {asked.lr:g}, {asked.schedule}, {asked.steps} steps of 16, seed {asked.seed}"
    count = numbers(asked)
    cost = f"{count:,} numbers move, a file of {size(4 * count)}"
    if asked.naive:
        return f"full fine-tuning; {how}; {cost}"
    return f"LoRA on {SHORT[asked.targets]}; {how}; {cost}"


# --- the blocks ---------------------------------------------------------------------------------


def _blocks(axes: Axes, asked: Settings) -> None:
    axes.set_xlim(0, 9.5)
    axes.set_ylim(0, 1.3)
    axes.axis("off")
    everything = asked.naive
    _box(axes, 0.05, 1.0, "embeddings", "all" if everything else "", everything)
    scales = asked.scales
    for block in range(12):
        band = _band(block)
        rank = asked.ranks[band]
        words = "all" if everything else f"r {rank}" if rank else ""
        x = 1.15 + 0.585 * block
        level = 0 if everything else rank
        _box(axes, x, 0.52, str(block + 1), words, everything or rank > 0, level)
        if not everything and rank and block in (0, 6, 9):
            axes.text(x, 0.06, f"alpha / r = {scales[band]:g}", fontsize=9, color=SOFT)
    moves = everything or asked.head
    _box(axes, 8.25, 1.0, "head", "all" if everything else "own copy" if asked.head else "", moves)


def _box(
    axes: Axes, x: float, wide: float, name: str, words: str, moves: bool, rank: int = 0
) -> None:
    colour = NAIVE if words in ("all", "own copy") else RECORDED
    alpha = 0.25 + 0.11 * rank.bit_length() if moves and rank else 0.9
    axes.add_patch(
        FancyBboxPatch(
            (x, 0.38), wide, 0.62, boxstyle="round,pad=0.01",
            facecolor=colour if moves else FROZEN, alpha=alpha if moves else 1.0,
            edgecolor=INK if moves else "#9A9A9A", linestyle="-" if moves else (0, (3, 2)),
        )
    )  # fmt: skip
    dark = moves and (alpha > 0.6)
    axes.text(
        x + wide / 2, 0.69, words or "still", ha="center", va="center",
        fontsize=9.5, color=PAPER if dark else INK if words else SOFT,
    )  # fmt: skip
    axes.text(x + wide / 2, 1.1, name, ha="center", fontsize=9, color=SOFT)


# --- the numbers --------------------------------------------------------------------------------


def _bars(axes: Axes, recorded: Recorded, guess: Any, live: Sequence[Any]) -> None:
    """One row for the target and each skill: recorded bar, hollow estimate, star of the run."""
    shown: Any = guess or recorded
    rows = [("right answers", shown.target_score, RECORDED)]
    for name, share in shown.kept.items():
        mark = SKILLS.get(name)
        rows.append((mark.label if mark else name, share, mark.colour if mark else INK))
    last = _last(live)
    now = [last["target_score"], *(last["kept"].get(n) for n in shown.kept)] if last else []
    for row, (_, share, colour) in enumerate(rows):
        if share is not None:
            look: dict[str, Any] = {"color": colour, "alpha": 0.85}
            if guess:
                look = {"facecolor": PAPER, "edgecolor": colour, "linestyle": (0, (3, 2))}
            axes.barh(row, share, height=0.58, **look)
            axes.text(1.08, row, percent(share), va="center", fontsize=9.5)
        if now and now[row] is not None:
            axes.plot([min(now[row], 1.05)], [row], marker="*", markersize=13, color=LIVE, zorder=4)
            words = f"now {percent(now[row])}"
            axes.text(1.37, row, words, va="center", fontsize=9.5, color=LIVE)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.grid(False)
    percent_axis(axes, "x")
    axes.set_xlim(0, 1.3 if not now else 1.75)
    axes.axhline(0.5, color="#C8C8C8", linewidth=0.8)


def _plane(
    axes: Axes, explorer: Explorer, asked: Settings, near: Nearest, guess: Any, live: Sequence[Any]
) -> None:
    percent_axis(axes, "x")
    percent_axis(axes, "y", 1.0)
    axes.set_ylim(-0.03, 1.13)
    axes.set_xlabel("right answers to new questions", fontsize=9.5, labelpad=2)
    xs = [point.target_score for point in explorer.points]
    ys = [min(point.retention, 1.05) for point in explorer.points]
    axes.plot(xs, ys, linestyle="", marker="o", markersize=3, color="#C2C2C2", zorder=1)
    best = frontier(explorer.points)
    axes.plot([p[0] for p in best], [p[1] for p in best], color="#00795C", linewidth=1.3, zorder=2)
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
        labels.append(_mark(axes, xs[-1], ys[-1], LIVE, "trained now", "*"))
    point_labels(axes, labels, [])


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


def frontier(points: Sequence[Recorded]) -> list[tuple[float, float]]:
    """The recorded points that no other beats in both numbers, from left to right."""
    best: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: (-p.target_score, -p.retention)):
        if not best or point.retention > best[-1][1]:
            best.append((point.target_score, min(point.retention, 1.05)))
    return best[::-1]


# --- the words ----------------------------------------------------------------------------------


def sentence(asked: Settings, near: Nearest, guess: Any, live: Sequence[Any] = ()) -> str:
    """What the picture says, in a sentence or two."""
    if guess is None:
        found = near.recorded
        text = (
            f"Recorded: {percent(found.target_score)} right, {percent(found.retention)} of the "
            f"skills kept{_weakest(found.kept)}."
        )
    else:
        off = guess.off
        text = (
            f"Not recorded. Estimated: {percent(guess.target_score)} right, "
            f"{percent(guess.retention)} kept; such estimates are off by "
            f"{100 * off['target_score']:.0f} and {100 * off['retention']:.0f} points, typically. "
            f"The nearest recorded run ({'; '.join(near.differs)}) has "
            f"{percent(near.recorded.target_score)} right and {percent(near.recorded.retention)} "
            "kept."
        )
    text += f" {numbers(asked):,} numbers move."
    if last := _last(live):
        text += (
            f" Trained now, {field(live[-1], 'step')} of {asked.steps} steps: "
            f"{percent(last['target_score'])} right, {percent(last['retention'])} kept."
        )
    return text


def _weakest(kept: dict[str, float | None]) -> str:
    there = {name: share for name, share in kept.items() if share is not None}
    if not there or min(there.values()) >= 0.95:
        return ""
    name = min(there, key=lambda n: there[n])
    label = SKILLS[name].label if name in SKILLS else name
    return f", least of {label} ({percent(there[name])})"


def _last(live: Sequence[Any]) -> Any:
    return next((m for step in reversed(live) if (m := field(step, "measured"))), None)
