"""What a lab replays: general text, and training items of tasks that were learned before."""

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.datasets.load import SUITES
from ftlab.datasets.replay import documents
from ftlab.evaluate.own_texts import own_texts
from ftlab.plan import check_whole

if TYPE_CHECKING:
    from ftlab.lab.lab import Lab

Rows = list[dict[str, Any]]


def rows(lab: "Lab", count: int, source: str | None) -> Rows:
    """See `Lab.replay_rows`."""
    check_whole("count", count, 1)
    if source == "own":
        return own(lab, count)
    if source not in (None, *SUITES):
        raise InputError(
            f"replay_source={source!r} is not possible; choose from own, {', '.join(SUITES)}."
        )
    general = documents(source or lab.replay_source, count)
    pairs = zip(general, cycle(lab.earlier)) if lab.earlier else ((row,) for row in general)
    return [row for pair in pairs for row in pair][:count]


def own(lab: "Lab", count: int, model: nn.Module | None = None, seed: int = 0) -> Rows:
    """See `Lab.own_items`."""
    check_whole("count", count, 1)
    asked = [row["prompt"] for row in islice(cycle(lab.earlier), count // 2)]
    writer = lab.bundle.model if model is None else model
    return own_texts(writer, lab.tokenizer, asked, count, seed)
