"""The scoreboard: methods over their seeds, in the plane and as a table.

Every notebook adds its runs to the same board. It is drawn from recorded runs, so it reads well
also when earlier notebooks were skipped; live runs are points beside them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ftlab.analysis.compare import best_at
from ftlab.show.canvas.sheet import Picture
from ftlab.show.canvas.style import method_mark, percent, plain
from ftlab.show.plots.planes import Point, plane
from ftlab.show.plots.tables import Cell, Table

SWEEPS = {
    "learning rate": method_mark("full").label,
    "equal area": "half the rate, constant",
    "warmup": "warmup, then constant",
}
"""What a sweep is called where its name is not that of a method."""


def best_of(found: Iterable[Any]) -> list[Any]:
    """Of each sweep the setting (`measure.compare.Setting`) with the largest learned x kept."""
    best: dict[str, Any] = {}
    for setting in found:
        if setting.sweep not in best or _area(setting) > _area(best[setting.sweep]):
            best[setting.sweep] = setting
    return list(best.values())


def _area(setting: Any) -> float:
    return setting.mean("target_score") * setting.mean("retention")


def scoreboard(
    found: Iterable[Any],
    *,
    live: Sequence[Any] = (),
    rates: bool = True,
    title: str | None = None,
) -> Picture:
    """Settings in the plane, each the mean of its seeds; `live` are Points of this session.

    `rates` writes the learning rate beside the method's name.
    """
    found = list(found)
    points = [
        Point(
            setting.method,
            setting.values("target_score"),
            setting.values("retention"),
            label=_name(setting) + (f", {plain(setting.lr)}" if rates else ""),
        )
        for setting in found
    ]
    base = found[0].runs[0].baseline["target_score"] if found else None
    return plane([*points, *live], base=base, title=title)


def _name(setting: Any) -> str:
    """The method's name; that of the sweep where it says more."""
    return SWEEPS.get(setting.sweep) or method_mark(setting.method).label


def settings_table(found: Iterable[Any], *, model: str = "") -> Table:
    """One row per setting: what may move, what it learned, what it kept, with its seeds' range."""
    header = (
        "method", "peak rate", "weights trained", "new items right (higher is better)",
        "new cases right (higher is better)", "skills kept (higher is better)",
        "forgotten, nats per token (+ is bad)",
    )  # fmt: skip
    rows, seeds = [], set()
    for setting in found:
        first = setting.runs[0]
        seeds.add(len(setting.runs))
        rows.append(
            [
                called(setting.sweep),
                plain(setting.lr),
                f"{100 * first.trainable / first.total:.3g} %",
                *(setting.text(key) for key in ("target_score", "held_score", "retention")),
                f"{setting.mean('forgotten'):+.2f}",
            ]
        )
    many = "-".join(map(str, sorted(seeds))) or "no"
    where = f"{model}: " if model else ""
    return Table(header, rows, f"{where}means of {many} seeds (lowest to highest)")


def matched_table(
    found: Sequence[Any], sweeps: Sequence[str], levels: Sequence[float], *, model: str = ""
) -> Table:
    """What each method had kept when the target loss first fell to each of `levels`.

    Every method at its best rate for that level, the mean of its seeds with its 95 % interval.
    Methods that never get there have a dash.
    """
    best = [best_at([s for s in found if s.sweep in sweeps], level) for level in levels]
    rows = []
    for sweep in sweeps:
        row: list[Cell | str] = [called(sweep)]
        for matched in best:
            one = matched.get(sweep)
            interval = one.interval if one else None
            if one is None or one.setting is None or interval is None:
                row.append("- (never got there)")
                continue
            low, high = max(0.0, interval.low), min(1.0, interval.high)
            row.append(
                f"{percent(interval.estimate)} ({100 * low:.0f} to {100 * high:.0f}), "
                f"rate {plain(one.setting.lr)}"
            )
        rows.append(row)
    header = ("method", *(f"kept at loss {level:.2f} (higher is better)" for level in levels))
    where = f"{model}: " if model else ""
    return Table(
        header,
        rows,
        f"{where}skills kept when the loss on the new task had first fallen so far (nats per "
        "token); each method at its best recorded rate, mean of 3 seeds and 95 % interval",
    )


def called(sweep: str) -> str:
    """A sweep's name as in the figures."""
    return SWEEPS.get(sweep) or method_mark(sweep).label
