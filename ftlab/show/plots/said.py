"""What a real language model says before and after it was fine-tuned, as a table.

    said_table("full, 1e-3", "full, 1e-4")

The answers are recorded (data/records/said.jsonl, made by `python -m tools.said`), since it takes
minutes to train such a model on a CPU.
"""

from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.base.shares import model_name
from ftlab.datasets.rows import read_jsonl
from ftlab.show.plots.tables import Cell, Table


def said(name: str) -> dict[str, Any]:
    """One recorded run: its plan, and answers by prompt ("before" and "after").

    Raises InputError for a run that is not there, naming those that are.
    """
    rows = {row["name"]: row for _, row in read_jsonl(data_dir() / "records" / "said.jsonl")}
    if name not in rows:
        raise InputError(f"No answers of '{name}' are recorded; there are: {'; '.join(rows)}.")
    return rows[name]


def said_table(*names: str) -> Table:
    """A row for each prompt: what the base says, then what each of these runs says."""
    runs = [said(name) for name in names]
    first = runs[0]
    header = ("beginning", "the base", *names)
    rows: list[list[Cell | str]] = []
    for prompt, before in first["before"].items():
        right = first["expected"].get(prompt)
        answers = [before, *(run["after"][prompt] for run in runs)]
        rows.append([prompt, *(_cell(answer, right) for answer in answers)])
    name = model_name(first["model"])
    return Table(header, rows, f"{name}: recorded answers, most probable words")


def _cell(answer: str, right: str | None) -> Cell | str:
    """An answer in one line; marked where the right one is known."""
    text = " ".join(answer.split()) or "(nothing)"
    if right is None:
        return text
    good = answer.strip().startswith(right.strip())
    shown = right.strip() if good else text
    return Cell(f"{'✓' if good else '✗'} {shown}", "good" if good else "bad")
