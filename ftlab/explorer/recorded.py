"""The recorded runs behind the rank explorer: data/records/explorer.jsonl.

A run at a constant rate passes through its shorter runs: each point on its way is a recorded result
for so many steps. Under a cosine only its end is.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ftlab.base.errors import InputError
from ftlab.base.jsonfile import checked
from ftlab.explorer.settings import Settings
from ftlab.form import Count, Kept, MaybeShare, Real, Share, table
from ftlab.record import retention


@dataclass(frozen=True)
class Recorded:
    """A point that was trained and measured exactly as it stands."""

    settings: Settings
    """What was trained."""
    target_score: float
    """Right answers on the validation items, 0 to 1."""
    retention: float
    """Share of the base's skills kept, guessing taken off."""
    kept: dict[str, float | None]
    """The same skill by skill; None where the base had nothing to keep."""
    more: dict[str, float | None]
    """seen_score, held_score, target_loss, general_loss, and loss, of the training step."""
    trainable: int
    """Numbers that could move."""
    curve: tuple[tuple[int, float, float], ...] = field(repr=False)
    """(step, target score, retention) on the way here."""

    @property
    def size(self) -> int:
        """Bytes of what was trained, in float32."""
        return 4 * self.trainable


_MEASURED: Any = {
    "target_score": Share, "seen_score": MaybeShare, "held_score": MaybeShare,
    "target_loss": Real, "general_loss": Real, "kept": dict[str, Kept],
}  # fmt: skip
_BASE = Annotated[dict, table(**_MEASURED)]
_HEADER = Annotated[dict, table(kind=Literal["explorer"], baseline=_BASE)]
_POINT = Annotated[dict, table(**_MEASURED, step=Annotated[int, Field(ge=1)], loss=Real)]
_POINTS = Annotated[list[_POINT], Field(min_length=1)]
_RUN = Annotated[dict, table(settings=Settings, trainable=Count, points=_POINTS)]
FILE = "explorer.jsonl"
MAKE_IT = "make it again: python -m tools.data.explorer"
_MORE = ("seen_score", "held_score", "target_loss", "general_loss", "loss")


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the runs of a file; a last line that was cut off is left out.

    Raises InputError where there is no file, or none of this kind, or a line is damaged.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; {MAKE_IT}.")
    lines = path.read_bytes().split(b"\n")[:-1] or [b""]
    for number, line in enumerate(lines, 1):
        checked(_HEADER if number == 1 else _RUN, line, f"Line {number} of {path}", MAKE_IT)
    header, *runs = map(json.loads, lines)
    return header, runs


def points_of(run: Mapping[str, Any]) -> list[Recorded]:
    """The recorded points of one run: all measured steps at a constant rate, else its end."""
    whole, found = Settings(**run["settings"]), run["points"]
    ends = range(len(found)) if whole.schedule == "constant" else [len(found) - 1]
    ways = [found[: end + 1] for end in ends]
    steps = [dataclasses.replace(whole, steps=way[-1]["step"]) for way in ways]
    return [point_at(s, run["trainable"], way) for s, way in zip(steps, ways, strict=True)]


def _left(point: Mapping[str, Any]) -> float:
    return retention(point["kept"])["retention"] or 0.0


def point_at(settings: Settings, trainable: int, way: Sequence[Mapping[str, Any]]) -> Recorded:
    last = way[-1]
    return Recorded(
        settings=settings,
        target_score=last["target_score"],
        retention=_left(last),
        kept=dict(last["kept"]),
        more={name: last[name] for name in _MORE},
        trainable=trainable,
        curve=tuple((p["step"], p["target_score"], _left(p)) for p in way),
    )
