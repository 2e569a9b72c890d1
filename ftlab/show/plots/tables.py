"""Tables for a notebook and for a terminal, from the same rows.

`samples`: answers before and after, side by side. `records_table`: runs with both numbers and
their signs. `forgetting_matrix`: several tasks learned in a row, with backward transfer,
BWT = mean over j < T of R[T][j] - R[j][j] (Lopez-Paz and Ranzato 2017, arXiv:1706.08840).

Notable choices: right and wrong are words as well as colours, since GitHub drops colours; a
table prints as aligned text where there is no HTML.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten as cut
from textwrap import wrap
from typing import Any

from ftlab.show.canvas.data import field, mean, number
from ftlab.show.canvas.style import BAD, GOOD, METHODS, method_mark, percent, plain

TONES = {"good": GOOD, "bad": BAD}
LEFT = "text-align:left;vertical-align:top;padding:4px 10px;white-space:pre-wrap"


@dataclass(frozen=True)
class Cell:
    """The text of a cell; `tone` is "good", "bad" or nothing."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A header, rows of cells (or plain strings) and a caption that says it in a sentence."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str = ""

    @property
    def html(self) -> str:
        """The table as HTML, everything escaped."""
        head = "".join(_head(name) for name in self.header)
        body = "".join(f"<tr>{''.join(_html(cell) for cell in row)}</tr>" for row in self.rows)
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        return (
            f'<div style="overflow-x:auto"><table>{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    @property
    def text(self) -> str:
        """The table as aligned lines for a terminal; long cells are cut, long headers wrapped."""
        rows = [[cut(_plain(cell), 36, placeholder=" …") for cell in row] for row in self.rows]
        heads = [wrap(name, 16) or [""] for name in self.header]
        deep = max(map(len, heads))
        top = [[head[i] if i < len(head) else "" for head in heads] for i in range(deep)]
        widths = [max(map(len, column)) for column in zip(*top, *rows, strict=True)]
        rule = ["-" * width for width in widths]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in (*top, rule, *rows)
        ]
        return "\n".join([*lines, self.caption] if self.caption else lines)

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


def _plain(cell: Cell | str) -> str:
    return cell.text if isinstance(cell, Cell) else str(cell)


def _head(name: str) -> str:
    """A header's cell; without words it heads nothing, and a screen reader should not say so."""
    if not name.strip():
        return "<td></td>"
    return f'<th scope="col" style="{LEFT}">{html.escape(name)}</th>'


def _html(cell: Cell | str) -> str:
    colour = TONES.get(cell.tone) if isinstance(cell, Cell) else None
    style = f"{LEFT};color:{colour}" if colour else LEFT
    return f'<td style="{style}">{html.escape(_plain(cell))}</td>'


def samples(rows: Iterable[Any], *, limit: int = 300) -> Table:
    """Prompt, expected, before and after; each answer marked right or wrong.

    `rows`: mappings with those four keys. An answer is right if it equals the expected one
    after strip, as the target score counts it. Texts are cut at `limit` letters.
    """
    body, right = [], {"before": 0, "after": 0}
    for item in rows:
        expected = str(field(item, "expected", "")).strip()
        asked = field(item, "prompt", "")
        cells: list[Cell | str] = [_short(asked, limit), _short(expected, limit)]
        for key in right:
            answer = str(field(item, key, "")).strip()
            right[key] += answer == expected
            mark, tone = ("✓ right", "good") if answer == expected else ("✗ wrong", "bad")
            cells.append(Cell(f"{mark}: {_short(answer, limit) or '(nothing)'}", tone))
        body.append(cells)
    counts = f"right before: {right['before']} of {len(body)}; after: {right['after']}"
    return Table(("prompt", "expected", "before", "after"), body, f"{counts} of {len(body)}")


def _short(text: Any, limit: int) -> str:
    text = str(text).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def records_table(records: Iterable[Any]) -> Table:
    """One row per run: what was run, what it learned, what it kept, what it cost."""
    header = (
        "run", "method", "learning rate", "new items right (higher is better)",
        "new cases right (higher is better)", "skills kept (higher is better)",
        "learned, nats per token (+ is good)", "forgotten, nats per token (+ is bad)",
        "weights trained", "examples seen", "seconds",
    )  # fmt: skip
    rows = [_record(item) for item in records]
    return Table(header, rows, f"{len(rows)} run{'' if len(rows) == 1 else 's'}")


def _record(record: Any) -> list[Cell | str]:
    """The cells of one run; "-" where a number is missing."""
    final, method = field(record, "final", {}), str(field(record, "method", ""))
    trained = number(field(record, "trainable")) / (number(field(record, "total")) or float("nan"))
    seconds = number(field(record, "seconds"))
    return [
        str(field(record, "name", "")),
        method_mark(method).label if method in METHODS else method,
        plain(field(field(record, "plan", {}), "lr", "-")),
        *(_share(field(final, key)) for key in ("target_score", "held_score", "retention")),
        *(_nats(field(final, key)) for key in ("learned", "forgotten")),
        f"{100 * trained:.3g} %" if trained == trained else "-",
        plain(field(field(record, "budget", {}), "examples", "-")),
        f"{seconds:.0f}" if seconds == seconds else "-",
    ]


def _share(value: Any) -> str:
    return percent(number(value)) if number(value) == number(value) else "-"


def _nats(value: Any) -> str:
    return f"{number(value):+.2f}" if number(value) == number(value) else "-"


def forgetting_matrix(scores: Sequence[Sequence[Any]], tasks: Sequence[str]) -> Table:
    """Row i: the scores of every task after learning task i; the diagonal is "just learned".

    `scores`: a row per task learned so far, 0..1. A cell is toned bad where a task fell by more
    than 5 points since it was learned. The caption gives backward transfer (below 0: forgotten).
    """
    rows = []
    for i, row in enumerate(scores):
        cells: list[Cell | str] = [f"after {tasks[i]}"]
        for j, value in enumerate(row):
            lost = number(scores[j][j]) - number(value) if j < i else 0.0
            text = _share(value) + (" ↓" if lost > 0.05 else "")
            cells.append(Cell(text, "bad" if lost > 0.05 else "good" if i == j else ""))
        rows.append(cells)
    last = len(scores) - 1
    moves = [number(scores[last][j]) - number(scores[j][j]) for j in range(max(last, 0))]
    transfer = mean(moves)
    caption = "one task has nothing to forget"
    if transfer == transfer:
        caption = f"backward transfer {100 * transfer:+.0f} points (below 0: forgotten)"
    return Table(("", *tasks), rows, caption)
