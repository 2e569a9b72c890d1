"""Notebook 03's freeze designer: blocks on and off, and what was recorded for such a freezing.

    freeze_panel(nano, lab.bundle.model).show()                      with controls
    freeze_outcome(trained, False, 1e-3, found=nano, sizes=sizes)    one picture of it

Left what trains, block by block, how many parameters that is, and how far down gradients are
needed; right what was learned and retained with that freezing. Most of the 8,192 ways to freeze
were never run: then the two nearest that were at the same rate stand in, and are called so. Near
means that few parts (12 blocks, and the embeddings) train at another share of the rate.

Run the tests: pytest tests/show/test_designers.py
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftlab.analysis.compare import LONGER
from ftlab.base.errors import InputError
from ftlab.methods.bands import parts_of, read_bands
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import EDGE, Picture, write, write_head
from ftlab.show.canvas.style import INK, METHODS, SOFT, TEXT, rate_text
from ftlab.show.panels.panel import Panel, rate_slider, toggle
from ftlab.show.plots import recorded
from ftlab.show.plots.blocks import Cell, blocks, gradients
from ftlab.show.plots.recorded import Found

BLOCKS = tuple(range(1, 13))
PRESETS = {
    "everything trains": (BLOCKS, True),
    "lower half frozen": (range(7, 13), False),
    "upper half frozen": (range(1, 7), False),
    "only the last block": ((12,), False),
    "every other block": (range(2, 13, 2), False),
}
"""Words on a button: the blocks that train, and whether the embeddings do."""
COLOUR = METHODS["freeze"].colour
PAINT = (("white", SOFT), ("#A9CDE6", INK), (COLOUR, "white"))  # frozen, lightly, fully: box, text
Shares = tuple[float, ...]  # of the learning rate: 12 blocks, then the embeddings


@own_settings()
def freeze_outcome(
    trained: Sequence[bool] = (False,) * 6 + (True,) * 6,
    embeddings: bool = False,
    rate: float = 1e-3,
    *,
    found: Iterable[Any],
    sizes: Mapping[str, int],
) -> Picture:
    """What trains where `trained` (12 blocks, from the input up) is True, and what was recorded.

    `found`: recorded settings (`analysis.compare.settings`); `sizes`: see `part_sizes`.
    Raises InputError for a rate at which no freezing was recorded.
    """
    if len(trained) != len(BLOCKS):
        raise InputError(f"{len(trained)} blocks were given; say of each of 12 whether it trains.")
    asked = (*map(float, trained), float(embeddings))
    all_found = freezings(found, asked)
    at_rate = [one for one in all_found if one.runs[0].plan["lr"] == rate]
    if rate not in (have := _rates(all_found)):
        text = ", ".join(map(rate_text, have))
        raise InputError(
            f"No freezing was recorded at the rate {rate_text(rate)}; choose from {text}."
        )
    chosen = recorded.nearest(at_rate)
    figure = Picture(9.6, 3.8)
    reading = "filled: trains; pale: lightly; dashed: frozen; underlined: differs"
    write_head(figure, EDGE, 3.16, "What trains", reading)
    _drawing(figure, asked, chosen, sizes)
    others = [one.runs for one in at_rate]
    recorded.outcomes(figure, chosen, others, COLOUR, f"the others at {rate_text(rate)}")
    also = "the embeddings and " if asked[-1] else ""
    figure.alt = (
        f"With {also}{_listed(asked)} trained at a rate of {rate_text(rate)}, "
        f"{_counted(asked, sizes)}: {recorded.outcome(chosen, chosen[0].name)}."
    )
    return figure


def part_sizes(model: Any) -> dict[str, int]:
    """Parameters of a decoder model by part: "1" to "12" (twelfths), embeddings, and the rest."""
    from ftlab.methods.prepared import size_of
    from ftlab.models.layers import layer_map

    found = layer_map(model)
    twelfth = read_bands({str(part): str(part) for part in BLOCKS}, found.depth())
    sizes = dict.fromkeys([*map(str, BLOCKS), "embeddings", "rest"], 0)
    for name, parameter in model.named_parameters():
        place = found.place(name)
        part = twelfth[place.block] if place.part == "block" else place.part
        sizes[part if part in sizes else "rest"] += size_of(parameter)
    return sizes


def freezings(found: Iterable[Any], asked: Shares) -> list[Found]:
    """Every recorded freezing, and how many parts' shares of the rate lie between it and `asked`.

    Runs of a control that froze other blocks with every seed are one freezing each.
    """
    groups: dict[tuple[str, Shares, float], list[Any]] = {}
    for setting in found:
        for run in setting.runs:
            if (shares := _shares(setting.sweep, run)) is not None:
                groups.setdefault((setting.sweep, shares, setting.lr), []).append(run)
    if not groups:
        raise recorded.missing("freezes blocks", "nano")
    return [
        Found(_name(sweep, shares), tuple(runs), _apart(asked, shares), _how(asked, shares), shares)
        for (sweep, shares, _), runs in groups.items()
    ]


def _shares(sweep: str, run: Any) -> Shares | None:
    """Share of the rate by part; None for a run that is no freezing of the usual steps."""
    if sweep == recorded.FULL[0]:
        return (1.0,) * 13
    if not sweep.startswith("freeze") or sweep.endswith(LONGER):  # of other steps
        return None
    method = run.extra["method"]
    of = {part: share for band, share in method["bands"].items() for part in parts_of(band)}
    return (*(float(of[block]) for block in BLOCKS), float(method["embeddings"]))


def _apart(one: Shares, other: Shares) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def _how(one: Shares, other: Shares) -> str:
    """How many blocks of two freezings differ, in words."""
    places = differing(one, other)
    blocks = len([place for place in places if place < 12])
    lightly = len([place for place in places if 0 < other[place] < 1])
    text = f"{blocks} block{'' if blocks == 1 else 's'} of 12 differ{'s' if blocks == 1 else ''}"
    text += f", {lightly} of them lightly" if lightly else ""
    return text + (", and the embeddings" if 12 in places else "")


def _name(sweep: str, shares: Shares) -> str:
    """A recorded freezing in words."""
    if sweep == "freeze_any":
        return f"at random, {_listed(shares)} trained"
    return "the article's plan" if sweep == "freeze" else recorded.called(sweep)


def _rates(found: Sequence[Found]) -> list[float]:
    """The rates at which something was frozen."""
    return sorted({one.runs[0].plan["lr"] for one in found if not all(one.detail)})


def differing(one: Shares, other: Shares) -> list[int]:
    """The places (blocks from 0; 12 is the embeddings) where two freezings differ."""
    return [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]


def _listed(shares: Shares) -> str:
    """The blocks that train, as ranges: "blocks 1-6 and 9"."""
    on = [block for block in BLOCKS if shares[block - 1]]
    starts = [block for block in on if block - 1 not in on]
    ends = [block for block in on if block + 1 not in on]
    parts = [f"{a}-{b}" if b > a else f"{a}" for a, b in zip(starts, ends, strict=True)]
    if not parts:
        return "no block"
    text = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]
    return f"block{'s' if len(on) > 1 else ''} {text}"


def parameters(shares: Shares, sizes: Mapping[str, int]) -> int:
    """How many parameters train: those of the parts that do, and the final norm."""
    on = dict(zip([*map(str, BLOCKS), "embeddings"], shares, strict=True))
    return sum(size for part, size in sizes.items() if on.get(part, 1.0))


def _counted(shares: Shares, sizes: Mapping[str, int]) -> str:
    return recorded.counted(parameters(shares, sizes), sum(sizes.values()))


def _drawing(
    figure: Picture, asked: Shares, chosen: Sequence[Found], sizes: Mapping[str, int]
) -> None:
    """Your freezing, how far down gradients are needed, and the recorded ones it is near to."""
    write(figure, EDGE, 2.98, "yours", fontweight="bold")
    blocks(figure, 2.54, _cells(asked, ()))
    lowest = next((block for block in BLOCKS if asked[block - 1]), None)
    gradients(figure, 2.42, 0 if asked[-1] else lowest)
    write(figure, EDGE, 1.85, _counted(asked, sizes), fontsize=TEXT, fontweight="bold")
    held = f"gradients and AdamW hold {3 * parameters(asked, sizes):,} values"
    write(figure, EDGE, 1.64, held, color=SOFT)
    for one, near, y in zip(chosen, recorded.how_near(chosen), (0.87, 0.16), strict=False):
        weight = "bold" if one is chosen[0] else "normal"
        write(figure, EDGE, y + 0.44, f"{near}: {one.name}", fontweight=weight)
        blocks(figure, y, _cells(one.detail, differing(asked, one.detail)))


def _cells(shares: Shares, marked: Sequence[int]) -> list[Cell]:
    """The embeddings and 12 blocks, as they train; those that differ are underlined."""
    cells = []
    for part, share in enumerate((shares[-1], *shares[:-1])):
        face, ink = PAINT[(share > 0) + (share == 1)]
        edge, differs = COLOUR if share else SOFT, (part - 1) % 13 in marked
        cells.append(Cell(str(part or "emb."), face, ink, edge, not share, differs))
    return cells


def freeze_panel(found: Iterable[Any], model: Any) -> Panel:
    """Switch the blocks of `model` on and off; see what trains, and what was recorded (`found`)."""
    found, sizes = list(found), part_sizes(model)
    rates = _rates(freezings(found, (1.0,) * 13))
    names = {f"block_{block}": toggle(str(block), 52, block > 6, up="lock") for block in BLOCKS}
    controls = names | {
        "embeddings": toggle("embeddings", 120, False, up="lock"),
        "rate": rate_slider("learning rate", rates),
    }
    presets = {words: _values(*plan) for words, plan in PRESETS.items()}
    rows = {"Trained blocks": list(names), "": ["embeddings", "rate"]}

    def draw(embeddings: bool, rate: float, **toggles: bool) -> Picture:
        on = [toggles[name] for name in names]
        return freeze_outcome(on, embeddings, rate, found=found, sizes=sizes)

    return Panel(controls, draw, rows=rows, presets=presets)


def _values(trained: Iterable[int], embeddings: bool) -> dict[str, bool]:
    """What a preset sets."""
    on = set(trained)
    return {f"block_{block}": block in on for block in BLOCKS} | {"embeddings": embeddings}
