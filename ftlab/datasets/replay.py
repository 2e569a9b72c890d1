"""Replay: general text between the new task's items, so that old skills are practised on the way.

    mix(rows, "world", 0.05, reads=1600)      1,520 notes and 80 general documents

For nano-gpt2 the general text is the small world's own, documents that neither the pre-training nor
the probes nor the held-out set took (`data/world/replay.jsonl`); for nano-t5 text-to-text pairs of
the same kind. For a real model, whose training text nobody has, it is text that the model wrote
itself (`data/english/replay.jsonl`), or Wikipedia's where the suite is "wiki".

Notable choices:
- Items are REPLACED: a run with replay reads as many texts as one without, so the new task is
  seen a little less often. That is the price, and it is in the comparison.
- Every document is read once, as long as there are some; the notes repeat as they would without.
- Of a document the whole text is learned, of a note the answer.

Source: Robins, Catastrophic forgetting, rehearsal and pseudorehearsal (1995).
"""

import itertools
from collections.abc import Sequence
from typing import Any

from ftlab.base.checksums import shipped
from ftlab.base.errors import InputError
from ftlab.datasets.hub_sets import replay_texts
from ftlab.datasets.rows import read_jsonl

Row = dict[str, Any]


def mix(rows: Sequence[Row], source: str | Sequence[Row], share: float, reads: int) -> list[Row]:
    """What a run of `reads` items learns from: `share` of it is replayed, the rest is `rows`.

    `source`: the suite whose general text it is (world, tasks, english, wiki), or items. With a
    share of 0 the rows come back as they are. Raises InputError for a share below 0 or not below 1.
    """
    if not 0 <= share < 1:
        raise InputError(f"replay={share:g} is not possible; give a share from 0 to below 1.")
    if not share:
        return list(rows)
    count = max(1, round(share * reads))
    notes = itertools.islice(itertools.cycle(rows), reads - count)
    replayed = documents(source, count) if isinstance(source, str) else _again(source, count)
    return [*notes, *replayed]


def documents(suite: str, count: int) -> list[Row]:
    """`count` general documents in the form of training items, the prompt being empty."""
    if suite == "wiki":
        texts = itertools.islice(itertools.cycle(replay_texts()), count)
        return [_row(n, "", text) for n, text in enumerate(texts)]
    known = suite if suite in ("world", "tasks") else "english"
    stored = [row for _, row in read_jsonl(shipped(f"{known}/replay.jsonl"))]
    rows = itertools.islice(itertools.cycle(stored), count)
    return [_row(n, row.get("source", ""), row["text"]) for n, row in enumerate(rows)]


def _again(rows: Sequence[Row], count: int) -> list[Row]:
    """`count` of the items, from the first again where there are fewer."""
    return [row | {"id": f"replay-{n:04}"} for n, row in zip(range(count), itertools.cycle(rows))]


def _row(number: int, prompt: str, answer: str) -> Row:
    return {"id": f"replay-{number:04}", "prompt": prompt, "answer": answer, "held": False}
