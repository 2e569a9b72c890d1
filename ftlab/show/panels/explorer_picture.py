"""One position of the rank explorer: the plan, the skills, two charts, and a sentence.

    explorer_picture(Settings(ranks=(0, 8, 16)), Explorer.load())
    explorer_picture(settings, explorer, live=steps)          with a run of these very settings

Four parts that stand side by side, or one below the other where the page is narrow: the twelve
blocks and what each carries; what was learned and, skill by skill, retained; the plane of all
recorded runs; and, for one slider, both measures at each of its stops. What was recorded for these
very settings is a filled mark. Where nothing was, there is a hollow mark, an ESTIMATE, with bars
as wide as such estimates are typically off; and the nearest recorded point, named as that. What was
trained here and now is a star. Boxes and bars are text of the page; only the charts are drawn
(`ftlab.show.panels.explorer_sheet`).

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from ftlab.base.shares import percent
from ftlab.explorer.explorer import Explorer, Nearest
from ftlab.explorer.settings import BANDS, TARGETS, Settings
from ftlab.memory.parts import size
from ftlab.show.canvas.data import field, last_measured
from ftlab.show.canvas.html import Drawn, img
from ftlab.show.canvas.style import INK, METHODS, PAPER, SOFT, rate_text, skill_marks
from ftlab.show.panels.explorer_sheet import LIVE, MOST, Mark, Stop, along, plane
from ftlab.show.plots.recorded import least

RECORDED, NAIVE = METHODS["lora_qv"].colour, METHODS["full"].colour
SHORT = {"qv": "q, v", "qkvo": "all attention", "ff": "feed-forward", "all": "all linear"}
NAMES = ("embeddings", *map(str, range(1, 13)), "head")
CARD = f"background-color:{PAPER};color:{INK};padding:6px;line-height:1.35;font-size:13px"
ROW = "display:flex;flex-wrap:wrap;gap:4px 10px;align-items:flex-start"


def explorer_picture(
    asked: Settings,
    explorer: Explorer,
    *,
    live: Sequence[Any] = (),
    slider: tuple[str, Mapping[str, Settings]] | None = None,
    trained: Mapping[Any, Sequence[Any]] | None = None,
    between: tuple[float, Mapping[float, Any]] | None = None,
) -> Drawn:
    """The whole picture; `live`: Steps of a run of these settings, as far as it has come.

    `slider`: a slider's name and the settings at each of its stops by their words. `trained`:
    Steps of what was trained here, by `Settings.key`. `between`: a place a from base (0) to
    trained (1), and what was measured at such places.
    """
    near, last = explorer.nearest(asked), last_measured(live)
    guess = None if near.exact else explorer.estimate(asked)
    chart = plane(explorer, _marks(asked, near, guess, live, between))
    chart.alt = "The plane of all recorded runs, learned to the right, retained upward."
    parts = [_bars(near.recorded, guess, last), img(chart)]
    if slider:
        parts.append(img(_along(*slider, asked, explorer, trained or {})))
    html = (
        f'<div style="{CARD}"><div style="color:{SOFT}">{escape(_plan(asked))}</div>'
        f'{_boxes(asked)}<div style="{ROW}">{"".join(parts)}</div></div>'
    )
    return Drawn(html, sentence(asked, near, guess, last, between))


def parameters(asked: Settings) -> int:
    """How many parameters these settings train, counted from the model's shape."""
    from ftlab.memory.shapes import shape

    found, on = shape("nano-gpt2"), TARGETS[asked.targets]
    if asked.naive and not asked.frozen:
        return found.parameters
    if asked.naive:  # the final norm too
        return sum(b.parameters for b in found.blocks[asked.frozen :]) + 2 * found.blocks[0].width
    sizes = [
        asked.ranks[_band(index)] * (matrix.reads + matrix.writes)
        for index, block in enumerate(found.blocks)
        for matrix in block.matrices
        if matrix.target in on
    ]
    return sum(sizes) + (found.vocabulary * found.blocks[0].width if asked.head else 0)


def _band(block: int) -> int:
    """0, 1 or 2: which of BANDS a block (from 0) is in."""
    ends = [int(band.rpartition("-")[2]) for band in BANDS]
    return next(i for i, end in enumerate(ends) if block < end)


def _plan(asked: Settings) -> str:
    """The settings in a line."""
    count = parameters(asked)
    full = f"blocks {asked.frozen + 1}-12 in full" if asked.frozen else "full fine-tuning"
    what = full if asked.naive else f"LoRA on {SHORT[asked.targets]}"
    how = f"rate {rate_text(asked.lr)}, {asked.schedule}, {asked.steps} steps of 16"
    return f"{what}; {how}, seed {asked.seed}; {count:,} parameters, a file of {size(4 * count)}"


# --- the blocks ---------------------------------------------------------------------------------


def _boxes(asked: Settings) -> str:
    """The embeddings, the blocks and the head: what trains in each, and alpha / r by band."""
    cells = [_box(name, *what) for name, what in zip(NAMES, _carried(asked), strict=True)]
    return f'<div style="display:flex;flex-wrap:wrap;gap:3px;margin:4px 0">{"".join(cells)}</div>'


def _carried(asked: Settings) -> list[tuple[str, float]]:
    """For each part of the model what trains in it, and how strongly to colour it."""
    if asked.naive:
        return [
            ("all", 0.5) if not asked.frozen or asked.frozen < part < 13 else ("frozen", 0.0)
            for part in range(len(NAMES))
        ]
    found = [("frozen", 0.0)]
    for block in range(12):
        rank, scale = asked.ranks[_band(block)], asked.scales[_band(block)]
        words = f"r {rank}, α/r {scale:g}" if block in (0, 6, 9) else f"r {rank}"
        found.append((words, 0.15 + 0.06 * rank.bit_length()) if rank else ("frozen", 0.0))
    return [*found, ("own copy", 0.5) if asked.head else ("frozen", 0.0)]


def _box(name: str, words: str, strength: float) -> str:
    naive = words in ("all", "own copy")
    face = mixed(NAIVE if naive else RECORDED, strength) if strength else "#F4F4F4"
    ink = INK if strength else SOFT
    look = (
        f"background-color:{face};color:{ink};border-radius:3px;padding:1px 3px;text-align:center"
    )
    return (
        f'<div style="{look};flex:1 1 {max(44, 7 * len(name))}px;font-size:11px">'
        f"<b>{name}</b><br>{words}</div>"
    )


def mixed(colour: str, strength: float) -> str:
    """A colour thinned with paper: as if translucent, and hiding what lies behind."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(colour))
    return to_hex((red, green, blue))


# --- the measures -------------------------------------------------------------------------------


def _bars(recorded: Any, guess: Any, last: Any) -> str:
    """A row for the task and each skill: recorded bar, hollow estimate, star of the run."""
    shown: Any = guess or recorded
    marks = skill_marks(shown.kept)
    rows = [("learned", shown.target_score, RECORDED, "target_score")]
    rows += [(mark.label, shown.kept[name], mark.colour, name) for name, mark in marks.items()]
    now = {**last.measured["kept"], "target_score": last.measured["target_score"]} if last else {}
    lines = [
        _bar(words, share, colour, bool(guess), now.get(key)) for words, share, colour, key in rows
    ]
    head = "<tr><td colspan=3><b>Learned, and retained by skill</b></td></tr>"
    look = f"border-spacing:0 3px;font-size:12px;color:{INK}"
    return f'<table style="{look}"><tbody>{head}{"".join(lines)}</tbody></table>'


def _bar(words: str, share: float | None, colour: str, hollow: bool, now: float | None) -> str:
    """A row of the table; `now`: what was trained here, as a star on the bar and in numbers."""
    wide, cell = 60, "padding:0 4px;text-align:left;white-space:nowrap;border:0"
    length = round(wide * min(max(share or 0.0, 0.0), MOST))
    look = f"border:1px dashed {colour}" if hollow else f"background-color:{colour}"
    star = ""
    if now is not None:
        left = round(wide * min(max(now, 0.0), MOST)) - 7
        place = f"margin:-14px 0 0 {left}px;height:14px;line-height:14px"
        star = f'<div style="{place};color:{LIVE}">★</div>'
    bar = f'<div style="{look};width:{length}px;height:12px;box-sizing:border-box"></div>'
    said = "" if share is None else percent(share)
    after = "" if now is None else f' <b style="color:{LIVE}">now {percent(now)}</b>'
    return (
        f'<tr><td style="{cell}">{escape(words)}</td>'
        f'<td style="{cell}"><div style="width:{wide}px">{bar}{star}</div></td>'
        f'<td style="{cell}">{said}{after}</td></tr>'
    )


def _marks(
    asked: Settings, near: Nearest, guess: Any, live: Sequence[Any], between: Any
) -> list[Mark]:
    """The point of these settings, and what was trained here."""
    found, colour = near.recorded, NAIVE if asked.naive else RECORDED
    if guess is None:
        marks = [Mark(_place(found), "recorded", colour)]
    else:
        off = guess.off["target_score"], guess.off["retention"]
        marks = [
            Mark(_place(guess), "estimate", colour, hollow=True, off=off),
            Mark(_place(found), "nearest recorded", SOFT, "s"),
        ]
    way = [_place(m) for step in live if (m := field(step, "measured"))]
    if way:
        marks.append(Mark(way[-1], f"step {last_measured(live).step}", LIVE, "*", way=way))
    if between and between[0] < 1:
        line = [_place(between[1][a]) for a in sorted(between[1])]
        at = _place(partway_of(*between))
        exact = between[0] in between[1]
        marks.append(Mark(at, f"a = {between[0]:g}", NAIVE, "o", not exact, way=line))
    return marks


def _place(one: Any) -> tuple[float, float]:
    return field(one, "target_score"), min(field(one, "retention"), MOST)


def partway_of(a: float, measured: Mapping[float, Any]) -> dict[str, float]:
    """Both measures at `a`: measured there, or read from the line between its neighbours."""
    low, high = max(k for k in measured if k <= a), min(k for k in measured if k >= a)
    share = (a - low) / (high - low) if high > low else 0.0
    return {
        key: (1 - share) * measured[low][key] + share * measured[high][key]
        for key in ("target_score", "retention")
    }


def _along(
    name: str, at: Mapping[str, Settings], asked: Settings, explorer: Explorer, trained: Any
) -> Any:
    """The chart of one slider."""
    stops, said = [], []
    for words, settings in at.items():
        near, last = explorer.nearest(settings), last_measured(trained.get(settings.key, ()))
        known = near.recorded if near.exact else explorer.estimate(settings)
        now = last.measured if last and last.step else None
        part = bool(now) and last.step < settings.steps
        stops.append(Stop(words, known, near.exact, settings.key == asked.key, now, part))
        how = ", trained now" if now else ""
        how += f", {last.step} of {settings.steps} steps" if part else ""
        said.append(f"{words}: {_both(now or known)}{how}")
    figure = along(name, stops)
    figure.alt = f"What {name} does, other controls as they are. {'; '.join(said)}."
    return figure


# --- the words ----------------------------------------------------------------------------------


def sentence(
    asked: Settings, near: Nearest, guess: Any, last: Any = None, between: Any = None
) -> str:
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
    if asked.naive:
        text += " There are no adapters, so none has a rank or a place."
    else:
        text += " No block of the base trains, so there is nothing to freeze."
    if last:
        text += f" Trained now, {last.step} of {asked.steps} steps: {_both(last.measured)}."
    if between and between[0] < 1:
        how = "measured" if between[0] in between[1] else "between two measured places"
        text += f" Part of the way, a = {between[0]:g}: {_both(partway_of(*between))} ({how})."
    return text


def _both(one: Any) -> str:
    learned, retained = (percent(field(one, key)) for key in ("target_score", "retention"))
    return f"learned {learned}, retained {retained}"
