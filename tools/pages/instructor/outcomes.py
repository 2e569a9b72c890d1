"""What came out over the recorded runs, for a question that a notebook asks."""

from collections.abc import Mapping
from typing import Any

from ftlab.analysis import compare
from ftlab.analysis.four_bits import pairs
from ftlab.base.errors import InputError
from tools.pages import shipped


def recorded(asked: Mapping[str, Any]) -> str:
    """The recorded answer to an entry [[prediction]] of instructor.toml, in words.

    It names either `measured` (facts, ...: no training, so no seeds) or a `sweep` and a
    `lr` of the records (`records`: nano, `domain`: clinic, unless given); `at` says where that lies
    if it is not quite what was asked.
    Raises InputError for anything else, and where nothing was recorded.
    """
    special = {"facts": _facts, "rounding": _rounding, "halved": _halved, "prompted": _prompted}
    if "measured" in asked:
        if asked["measured"] not in special:
            names = ", ".join(special)
            raise InputError(f"Nothing is known of {asked['measured']!r}; there are: {names}.")
        return special[asked["measured"]]()
    runs = shipped(asked.get("records", "nano"))
    if len({run.model for run in runs}) > 1:
        runs = [run for run in runs if run.model == "nano-gpt2"]
    found = compare.settings(runs, domain=asked.get("domain", "clinic"))
    setting = compare.pick(found, asked["sweep"], asked["lr"])[0]
    several = "average_accuracy" in setting.runs[0].final  # of tasks in a row
    average = f"on average {setting.text('average_accuracy')} at the end, " if several else ""
    first = f"{'the first task' if several else 'learned'} {setting.mean('target_score'):.0%}"
    near = f"at {asked['at']}: " if "at" in asked else ""
    return (
        f"{near}{average}retained {setting.text('retention')}, {first}; {len(setting.runs)} seeds"
    )


def _facts() -> str:
    base = shipped("nano")[0].baseline
    low, high = base["intervals"]["skills"]["facts"]
    return (
        f"{base['skills']['facts']:.0%} of {base['n']['skills']['facts']} "
        f"(95 % interval {low:.0%} to {high:.0%})"
    )


def _rounding() -> str:
    """What is left of each model after rounding alone, a number per model."""
    left = {
        pair.where.split(",")[0]: compare.retained_of(pair.qlora.runs[0].baseline, pair.plain)
        for pair in pairs()
    }
    return ", ".join(f"{name} retains {share:.1%}" for name, share in left.items())


def _halved() -> str:
    """What is left of each model with half of its matrices at zero: where recorded runs began."""
    found = (run for run in shipped("prune") if run.extra["sweep"] == "prune 50%, tune")
    left = {run.model: run.curve[0]["measured"]["retention"] for run in found}
    return ", ".join(f"{name} retains {share:.0%}" for name, share in left.items())


def _prompted() -> str:
    return "the base alone, so there are no seeds; on a file of one's own it is another number"
