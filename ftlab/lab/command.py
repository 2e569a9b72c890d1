"""The command line that makes a run again, and what such a command line asks for.

    ftlab run --domain clinic --model nano-gpt2 --method lora_all --lr 3e-3 --schedule cosine

Every field of a Plan is an option, so a plan can always be said. What cannot be said is a method
that no row of the table of methods makes, a model in memory, or sizes of one's own: then
`command_of` says so in place of a command.
"""

import argparse
import ast
import dataclasses
import inspect
import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ftlab.plan import Plan, rate_text

if TYPE_CHECKING:
    from ftlab.lab.run import Run

LEFT_OUT = ("checkpoint_every",)
"""Fields of a Plan that change no number."""


def option(field: str) -> str:
    """The option of a Plan's field: batch_size -> --batch-size."""
    return f"--{field.replace('_', '-')}"


def add_plan(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    """An option for every field of a Plan, with the sentence that stands below the field."""
    plan: Any = ast.parse(inspect.getsource(Plan)).body[0]
    below = {a.target.id: b.value.value for a, b in pairwise(plan.body) if hasattr(a, "target")}
    for field in dataclasses.fields(Plan):
        if field.name in LEFT_OUT:
            continue
        default = defaults.get(field.name, field.default)
        told = below[field.name].split(". ")[0].rstrip(".")
        if isinstance(default, bool):
            told += " (default: off)"
            parser.add_argument(option(field.name), action="store_true", help=told)
            continue
        choices = ",".join(re.findall(r"(?<!class )'(\w+)'", str(field.type)))
        may_be_number = default is None and "float" in str(field.type)
        kind = float if may_be_number else str if default is None else type(default)
        note = "none" if default is None else f"{default:g}" if kind is float else default
        note = rate_text(float(note)) if field.name == "lr" else note
        told += f" (default: {note})"
        shown = f"{{{choices}}}" if choices else None
        parser.add_argument(
            option(field.name), type=kind, default=default, metavar=shown, help=told
        )


def plan_of(asked: argparse.Namespace) -> Plan:
    """The plan that was asked for. Raises InputError for one that is not possible."""
    names = [field.name for field in dataclasses.fields(Plan) if field.name not in LEFT_OUT]
    return Plan(**{name: getattr(asked, name) for name in names if hasattr(asked, name)})


def command_of(run: "Run") -> str:
    """The command that makes this very run, or a sentence that says why none can."""
    if reason := why_none(run):
        return f"no command makes this run: {reason}"
    from ftlab.methods.table import name_of

    lab, plan = run.lab, run.plan
    words = ["ftlab", "run", "--domain", lab.opened["domain"], "--model", lab.bundle.name]
    words += ["--suite", lab.opened["suite"]] if lab.opened["suite"] else []
    method = name_of(run.asked_method, plan.seed)
    words += ["--method", method] if method else []
    words += ["--adapter", run.adapter] if run.adapter else []
    for field in dataclasses.fields(Plan):
        value = getattr(plan, field.name)
        if field.name not in LEFT_OUT and (value != field.default or field.name == "lr"):
            words += [option(field.name)] + ([] if value is True else [_text(value)])
    words += ["--items", str(run.item_count)] if run.item_count is not None else []
    for name in ("longest", "too_long", "columns", "chat", "faulty"):
        words += [option(name), lab.opened[name]] if lab.opened.get(name) else []
    words += ["--replay", _text(run.replay)] if run.replay else []
    words += ["--base", str(lab.bundle.base)] if lab.bundle.base else []
    return shlex.join(words)


def why_none(run: "Run") -> str:
    """Why no command can make this run; "" where one can."""
    from ftlab.methods.table import name_of

    if not run.lab.opened:
        return "its lab was made by hand, not by open_lab(...)"
    if run.start and not run.adapter:
        return "it goes on from another run"
    on = run.adapter and run.asked_method is None
    if not on and name_of(run.asked_method, run.plan.seed) is None:
        return "its method is not one that --method can name (see extra)"
    if run.replay_source or (run.replay and run.lab.earlier):
        return "what it replays is not the suite's own text"
    if run.lab.sizes:
        return "its lab asks other numbers of questions than a command does"
    return ""


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
