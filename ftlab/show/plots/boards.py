"""The scoreboard: methods over their seeds, in the plane and as a table.

Every notebook adds its runs to the same board. It is drawn from recorded runs, so it reads well
also when earlier notebooks were skipped; live runs are points beside them.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from ftlab.analysis.compare import best_at
from ftlab.base.shares import percent
from ftlab.show.canvas.sheet import Picture
from ftlab.show.canvas.style import rate_text
from ftlab.show.plots.planes import Point, plane
from ftlab.show.plots.recorded import called
from ftlab.show.plots.tables import Table


def best_of(found: Iterable[Any]) -> list[Any]:
    """Of each sweep the Setting (`analysis.compare`) with the largest learned x retained."""
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
    title: str | None = None,
    crop: bool = False,
) -> Picture:
    """Settings in the plane, each the mean of its seeds, those of a sweep joined by their rate.

    `live`: Points of this session. `crop`: the axes begin where the points do, without the base.
    """
    found = sorted(found, key=lambda setting: setting.lr)
    points = [
        Point(
            setting.method,
            setting.values("target_score"),
            setting.values("retention"),
            label=f"{called(setting.sweep)}, {rate_text(setting.lr)}",
            line=called(setting.sweep),
        )
        for setting in found
    ]
    first = found[0].runs[0] if found else None
    base = first.baseline["target_score"] if first and not crop else None
    model = first.model if first else None
    return plane([*points, *live], base=base, model=model, title=title, crop=crop)


def settings_table(found: Iterable[Any], *, model: str = "") -> Table:
    """One row per setting: what was trained, learned and retained, with its seeds' range."""
    header = (
        "method", "peak rate", "parameters trained", "learned, all new items (higher is better)",
        "learned, new cases (higher is better)", "retained (higher is better)",
        "forgotten, nats per token (+ is bad)",
    )  # fmt: skip
    found = list(found)
    rows = [
        [
            called(setting.sweep),
            rate_text(setting.lr),
            f"{100 * setting.runs[0].trainable / setting.runs[0].total:.3g} %",
            *(setting.text(key) for key in ("target_score", "held_score", "retention")),
            f"{setting.mean('forgotten'):+.2f}",
        ]
        for setting in found
    ]
    many = "-".join(map(str, sorted({len(setting.runs) for setting in found}))) or "no"
    return Table(header, rows, f"{_of(model)}means of {many} seeds (lowest to highest)")


def matched_table(
    found: Sequence[Any], sweeps: Sequence[str], levels: Sequence[float], *, model: str = ""
) -> Table:
    """What each method had forgotten and retained when the target loss fell to each of `levels`.

    Every method at its best rate for that level, means of its seeds, `forgotten` with its 95 %
    interval. Methods that do not get there (censored) show the lowest loss they reached.
    """
    best = [best_at(found, level) for level in levels]
    rows = [[called(name), *(_matched(matched.get(name)) for matched in best)] for name in sweeps]
    header = (
        "method",
        *(f"at loss {level:.3g}: forgotten (lower is better), retained" for level in levels),
    )
    return Table(
        header,
        rows,
        f"{_of(model)}measured when the loss on the new task first reached the level in the header "
        "(nats per token); each method at the recorded rate that had forgotten least by then, mean "
        "of the seeds and 95 % interval",
    )


def _matched(one: Any) -> str:
    if one is None:
        return "not run"
    if one.setting is None:
        return f"did not get there (lowest {one.lowest:.2f})"
    rose, left = fmean(one.forgotten), fmean(one.retained)
    found = one.forgotten_interval
    room = f" ({found.low:+.3f} to {found.high:+.3f})" if found else " (1 seed)"
    return f"{rose:+.3f}{room}, {percent(left)}, rate {rate_text(one.setting.lr)}"


def _of(model: str) -> str:
    return f"{model}: " if model else ""
