"""Claims: what a notebook says about its own run, checked, and shown with the evidence.

    ftlab.claim("A low learning rate retains most skills", share > 0.9, f"retained {share:.0%}")

prints a check mark or a cross, the sentence and the evidence. A learner who changed something sees
a cross and reads on; under FTLAB_STRICT=1, which CI sets, a claim that fails raises.

A notebook ends with what is said (by the article, or often) beside what was measured:

    ftlab.verdict_table(
        ftlab.says("A learning rate that is too high causes forgetting", supported_by=[high, low]),
        ftlab.says("Small data sets forget more", contradicted_by=[small]),
        ftlab.says("A warmup protects", decided={"nano-gpt2 +3 points (-2 to +8)": "not decided"}),
    )

The verdict is computed: only support gives "holds", only contradiction "does not hold", both "holds
in part". Where the seeds leave a part open, it is "holds in part" or "fails in part", where
they leave all of it open "not decided". A claim that failed in this run counts for the other side.
Nothing is typed in.
"""

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftlab.base.errors import InputError
from ftlab.plan import check_choice

HEAD = ("What is said", "We measured", "Verdict")


@dataclass(frozen=True)
class Claim:
    """A sentence, whether it holds in this run, and the evidence."""

    sentence: str
    """What is claimed."""
    holds: bool
    """Computed, never typed in."""
    evidence: str
    """The measured values, with units."""

    def __post_init__(self) -> None:
        if not self.evidence.strip():
            raise InputError(
                f"The claim {self.sentence!r} has no evidence; give the measured value."
            )

    def __str__(self) -> str:
        return f"{'✓' if self.holds else '✗'} {self.sentence} ({self.evidence})"


def strict() -> bool:
    """Whether a failing claim or exercise raises: FTLAB_STRICT=1, as in CI."""
    return os.environ.get("FTLAB_STRICT") == "1"


def claim(sentence: str, holds: object, evidence: str) -> Claim:
    """Print the claim with its mark and evidence, and return it for the verdict table.

    `holds` may be anything that is true or false (a NumPy bool, a tensor of one element).
    Raises AssertionError if it fails under FTLAB_STRICT=1, InputError without evidence.
    """
    made = Claim(sentence, bool(holds), evidence)
    print(made)
    if strict() and not made.holds:
        raise AssertionError(f"This claim does not hold: {sentence} ({evidence})")
    return made


@dataclass(frozen=True)
class Verdict:
    """One row of the last table: a statement of the article and what was measured."""

    article: str
    """The statement, in our words."""
    measured: str
    """The evidence of the claims behind the verdict."""
    verdict: str
    """holds, does not hold, either of them in part, or not decided."""


def says(
    article: str,
    *,
    supported_by: Sequence[Claim] = (),
    contradicted_by: Sequence[Claim] = (),
    decided: Mapping[str, str] | None = None,
) -> Verdict:
    """A row of the verdict table: `article` judged by claims of this notebook.

    `decided`: evidence -> what records say of the statement in the words of `analysis.verdict`.
    Raises InputError if no claim is given: a verdict without a measurement is an opinion.
    """
    claims = [*supported_by, *contradicted_by]
    records = dict(decided or {})
    if not (claims or records):
        raise InputError(
            f"The statement {article!r} has no claim to judge it by; "
            "give at least one in supported_by or contradicted_by, or decided."
        )
    for word in records.values():
        check_choice("decided", word, ("holds", "does not hold", "not decided"))
    votes = [made.holds for made in supported_by] + [not made.holds for made in contradicted_by]
    votes += [word == "holds" for word in records.values() if word != "not decided"]
    verdict = "holds" if any(votes) else "does not hold"
    if len({*votes}) == 2 or "not decided" in records.values():
        verdict = f"{'holds' if any(votes) else 'fails'} in part" if votes else "not decided"
    return Verdict(article, "; ".join([*(made.evidence for made in claims), *records]), verdict)


@dataclass(frozen=True)
class VerdictTable:
    """The verdicts as a table: HTML in a notebook, Markdown in a terminal."""

    rows: tuple[Verdict, ...]
    """In the order in which they are shown."""

    def __repr__(self) -> str:
        lines = [_line(HEAD), _line(["---"] * len(HEAD))]
        return "\n".join([*lines, *(_line(_cells(row)) for row in self.rows)])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in HEAD)
        body = "".join(f"<tr>{_data(_cells(row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def verdict_table(*rows: Verdict) -> VerdictTable:
    """The table "what is said, we measured, verdict"; make it the last line of a cell."""
    if not rows:
        raise InputError("The verdict table has no rows; give at least one ftlab.says(...).")
    return VerdictTable(tuple(rows))


def _cells(row: Verdict) -> tuple[str, str, str]:
    mark = {"holds": "✓", "does not hold": "✗"}.get(row.verdict, "~")
    return row.article, row.measured, f"{mark} {row.verdict}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def _data(cells: Sequence[str]) -> str:
    style = ' style="text-align: left"'  # Jupyter sets table cells to the right
    return "".join(f"<td{style}>{html.escape(text)}</td>" for text in cells)
