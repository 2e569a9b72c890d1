"""The scoreboard: methods over their seeds, in the plane and as a table.

Every notebook adds its runs to the same board. It is drawn from recorded runs, so it reads well
also when earlier notebooks were skipped; live runs are points beside them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ftlab.show.canvas import Picture
from ftlab.show.planes import Point, plane
from ftlab.show.style import method_mark, plain
from ftlab.show.tables import Table


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
    more = {"equal area": "half the rate, constant", "warmup": "warmup, then constant"}
    return more.get(setting.sweep) or method_mark(setting.method).label


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
                setting.name.split(", ")[0].replace("learning rate", "full").replace("_", " "),
                plain(setting.lr),
                f"{100 * first.trainable / first.total:.3g} %",
                *(setting.told(key) for key in ("target_score", "held_score", "retention")),
                f"{setting.mean('forgotten'):+.2f}",
            ]
        )
    many = "-".join(map(str, sorted(seeds))) or "no"
    where = f"{model}: " if model else ""
    return Table(header, rows, f"{where}means of {many} seeds (lowest to highest)")
