"""Tables for a notebook and for a terminal, from the same rows.

`samples`: answers before and after, side by side. Methods as rows: `plots.boards`.

Notable choices: right and wrong are words as well as colours, since GitHub drops colours; a
table prints as aligned text where there is no HTML.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten as cut
from textwrap import wrap
from typing import Any

from ftlab.show.canvas.data import field, has_some
from ftlab.show.canvas.style import BAD, GOOD

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
    with blanks folded, as the target score counts it. Texts are cut at `limit` letters.
    """
    body, right = [], {"before": 0, "after": 0}
    for item in rows:
        has_some(item, "a sample", "prompt", "expected", "before", "after")
        expected = str(field(item, "expected", "")).strip()
        asked = field(item, "prompt", "")
        cells: list[Cell | str] = [_short(asked, limit), _short(expected, limit)]
        for key in right:
            answer = str(field(item, key, "")).strip()
            same = answer.split() == expected.split()
            right[key] += same
            mark, tone = ("✓ right", "good") if same else ("✗ wrong", "bad")
            cells.append(Cell(f"{mark}: {_short(answer, limit) or '(nothing)'}", tone))
        body.append(cells)
    counts = f"right before: {right['before']} of {len(body)}; after: {right['after']}"
    return Table(("prompt", "expected", "before", "after"), body, f"{counts} of {len(body)}")


def _short(text: Any, limit: int) -> str:
    text = str(text).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
