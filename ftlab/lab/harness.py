"""Tasks of lm-evaluation-harness as more skills of a report, compared document by document.

    more = task_changes(base, tuned, tokenizer, ["arc_easy"])       a Change for each task
    ftlab.report(run, more=more)

The harness reads a query after nothing; ours is read after the prefix token, so it is given that as
its system instruction. Chance is not taken off, and every task is judged.

Run the tests: pytest tests/text/test_lm_eval.py
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ftlab.base.errors import InputError, first_line
from ftlab.evaluate.intervals import paired_shares
from ftlab.lab.changes import Change
from ftlab.text.segments import prefix_id

METRICS = ("acc", "exact_match")
"""What is right or wrong of a document; the first that a task has."""


def task_changes(
    base: Any, tuned: Any, tokenizer: Any, names: Sequence[str], include: Path | None = None
) -> list[Change]:
    """What became of each task; `include`: a folder with tasks of your own.

    Raises InputError where lm_eval is not installed, and for tasks that cannot be had or counted.
    """
    before, after = _right((base, tuned), tokenizer, names, include)
    found = []
    for name, was in before.items():
        now = after[name]
        lost = sum(a > b for a, b in zip(was, now, strict=True))
        won = sum(a < b for a, b in zip(was, now, strict=True))
        interval = paired_shares(lost, won, len(was))
        found.append(Change(name, fmean(was), fmean(now), interval, len(was)))
    return found


def _right(
    models: Sequence[Any], tokenizer: Any, names: Sequence[str], include: Path | None
) -> list[dict[str, list[bool]]]:
    """Of each model, right or wrong, task by task and document by document."""
    try:
        import lm_eval
        from lm_eval.models import huggingface
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise InputError("lm_eval is not installed; pip install lm_eval brings it.") from error
    # Decorators hide their signatures from the type checker.
    wrapped: Any = huggingface.HFLM
    ask: Any = lm_eval.simple_evaluate
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    try:
        asked = {
            "tasks": list(names),
            "task_manager": TaskManager(include_path=str(include) if include else None),  # 15 s
            "system_instruction": tokenizer.decode([prefix_id(tokenizer)]),
            "bootstrap_iters": 0,
            "log_samples": True,
        }
        read = [wrapped(pretrained=m, tokenizer=tokenizer, batch_size=16) for m in models]
        told = [ask(model=model, **asked) for model in read]
    except Exception as error:  # the harness raises whatever a task's data or the network gives
        raise InputError(
            f"The tasks {', '.join(names)} cannot be asked ({first_line(error):.120}); "
            "`lm_eval ls tasks` lists what there is, and their data comes from the Hub."
        ) from error
    return [{name: _counted(name, rows) for name, rows in t["samples"].items()} for t in told]


def _counted(name: str, rows: Sequence[dict[str, Any]]) -> list[bool]:
    metric = next((m for m in METRICS if all(row.get(m) in (0, 1) for row in rows)), None)
    if metric is None:
        raise InputError(f"{name} counts nothing as right or wrong; choose a task with accuracy.")
    return [bool(row[metric]) for row in sorted(rows, key=lambda row: row["doc_id"])]
