"""`ftlab report RUN`: ship or don't, in the terminal or as a page.

ftlab report runs/full-lr-1e-4-3f9a01c2.json --html report.html
ftlab report runs                                  several seeds of one plan
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import ftlab
from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.base.quiet import quiet
from ftlab.cli.terminal import check_file, place

DONT = 1
"""Exit code of a run that is not to be shipped; 0: ship, 2: a slip."""


def add_report(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab report`."""
    parser.add_argument(
        "runs", type=place, nargs="+", metavar="RUN",
        help="the record that `ftlab run` wrote, or a folder; several: other seeds of one plan",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", type=float, default=0.1, help="what a skill may lose (default: 0.1)"
    )
    parser.add_argument(
        "--tasks", default="", help="tasks of lm_eval, as arc_easy,piqa; judged like skills (none)"
    )
    parser.add_argument(
        "--tuned", type=place, metavar="FOLDER", help="what --save wrote, for --tasks (none)"
    )
    parser.add_argument("--html", type=place, metavar="FILE", help="write a page (default: none)")
    parser.epilog = f"exit code: 0 ship, {DONT} don't ship, 2 a slip in what was asked"


def report(asked: argparse.Namespace) -> int:
    """Print the report, and write it as a page; 0 to ship, 1 not to."""
    for run in asked.runs:
        if not Path(run).exists():
            raise InputError(f"There is no {run}; give the record that `ftlab run` wrote.")
    if asked.html:
        check_file(asked.html, (".html",), "the page so, as in report.html")
    if bool(asked.tasks) != bool(asked.tuned):
        raise InputError("--tasks and --tuned go together: which tasks, and what --save wrote.")
    quiet()
    made = ftlab.report(asked.runs, tolerance=asked.tolerance)
    if asked.tasks:
        made = replace(made, skills=(*made.skills, *_tasks(asked, made.first.model)))
    print(made)
    if asked.html:
        from ftlab.show import report_page

        with whole(asked.html) as part:
            part.write_text(report_page(made), encoding="utf-8")
        print(f"The page is in {asked.html}.")
    return 0 if made.ship else DONT


def _tasks(asked: argparse.Namespace, model: str) -> Any:
    """What became of the tasks, in the base and in what was saved."""
    from ftlab.base import machine
    from ftlab.datasets.load import is_there
    from ftlab.lab.harness import task_changes
    from ftlab.lab.weights import SETTINGS, with_adapter
    from ftlab.models.loading import load

    base, other = (load(name, device=machine.device()) for name in (model, model))
    if is_there(asked.tuned / SETTINGS):
        tuned = with_adapter(other.model, asked.tuned)
    else:
        tuned = load(str(asked.tuned), device=machine.device()).model
    return task_changes(base.model, tuned, base.tokenizer, asked.tasks.split(","))
