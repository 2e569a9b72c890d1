"""One change to try after a run, computed from its record.

In this order, the first that applies: a task that is not learned wants more steps, other words or
another rate; what was lost late can be saved by stopping earlier; a rate above that of the recorded
runs comes down; then a little replay; then part of the way back. What is only not decided wants
more questions.
"""

import math
import shlex
from typing import TYPE_CHECKING, Any

from ftlab import record as records
from ftlab.base.shares import percent
from ftlab.lab.changes import Change
from ftlab.plan import rate_text

if TYPE_CHECKING:
    from ftlab.lab.report import Report

CLOSE = 0.05
"""Scores within this are taken as equal on the way, where fewer items are asked."""
FALLING = 0.9
"""A loss below this share of what it was a quarter earlier still falls."""


def advise(report: "Report") -> str:
    """One sentence or two: what to change, and why."""
    run = report.first
    if report.ship:
        if len(report.runs) > 1:
            return "none is needed."
        return (
            "none is needed. To know the recipe and not this one run, report on two more seeds "
            f"({_again(run, seed=run.seed + 1)})."
        )
    if not report.learned:
        return _learn(report)
    if report.lost or any(skill.interval.estimate < -report.tolerance for skill in report.open):
        return _forget_less(run)
    return _ask_more(report.open)


def _learn(report: "Report") -> str:
    run = report.first
    told = [m for step in run.curve if (m := step["measured"])]
    late = told[-max(2, len(told) // 4) :]
    losses = [m["target_loss"] for m in late]
    rate, steps = run.plan.get("lr", 0.0), run.plan.get("steps", 0)
    lower, higher = (_rounded(rate * by) for by in (1 / 3, 3))
    if report.lost:
        return (
            f"a lower rate, {lower}: at {rate_text(rate)} it lost skills and learned too little "
            f"({_again(run, lr=lower)})."
        )
    if None not in losses and losses[-1] < FALLING * losses[0]:
        return (
            f"more steps, {2 * steps}: the loss on the task still fell at the end, from "
            f"{losses[0]:.2f} to {losses[-1]:.2f} ({_again(run, steps=2 * steps)})."
        )
    if None not in losses and len(told) > 2 and run.trainable < run.total:
        return (
            "answers in words that the base uses, or full fine-tuning at a tenth of the rate: the "
            f"loss on the task stays at {losses[-1]:.2f}, and what is frozen can hold a word back "
            "(notebook 11)."
        )
    return (
        f"a higher rate, {higher}: the task was not learned, and no skill is shown to be lost "
        f"({_again(run, lr=higher)})."
    )


def _rounded(rate: float) -> str:
    return rate_text(float(f"{rate:.0e}"))


def _forget_less(run: records.Record) -> str:
    if earlier := _earlier(run):
        return earlier
    rate = run.plan.get("lr", 0.0)
    best = _recorded_rate(run)
    if best and rate > 1.5 * best:
        return (
            f"a lower rate, {rate_text(best)}: in the recorded runs it learned most with 90 % "
            f"retained ({_again(run, lr=rate_text(best))})."
        )
    if run.plan and not run.extra.get("replay"):
        return (
            "replay: let one item in twenty be general text "
            f"({_again(run, replay='0.05')}); notebook 09 says how much that saves."
        )
    return (
        "walk part of the way back to the base: ftlab.methods.partway(base, tuned), beginning at "
        "0.8 of the way, chosen on validation items (notebook 09)."
    )


def _earlier(run: records.Record) -> str:
    """Stop earlier: a measurement on the way that had learned as much and retained more."""
    there = [
        (step["step"], m)
        for step in run.curve
        if (m := step["measured"]) and m["retention"] is not None
    ]
    if not there:
        return ""
    end = there[-1][1]
    for step, m in there[:-1]:
        as_much = m["target_score"] >= end["target_score"] - CLOSE and m["target_score"] > 0
        if as_much and m["retention"] >= end["retention"] + 2 * CLOSE:
            return (
                f"stop earlier: after {step} of {there[-1][0]} steps it had learned "
                f"{percent(m['target_score'])} and retained {percent(m['retention'])}; at the end "
                f"{percent(end['target_score'])} and {percent(end['retention'])} "
                f"({_again(run, steps=step)})."
            )
    return ""


def _recorded_rate(run: records.Record) -> float | None:
    """The rate of the recorded runs of this method; None where there are none."""
    from ftlab.analysis.frame import SIZES
    from ftlab.analysis.frame import records as frame_of
    from ftlab.analysis.rates import best_rate

    method = "lora_all" if run.method.startswith("lora") else run.method
    if method not in ("full", "lora_all"):
        return None
    rate = best_rate(frame_of(run.model if run.model in SIZES else "smollm2-135m"), method)
    return None if math.isnan(rate) else rate


def _ask_more(skills: "list[Change]") -> str:
    """How many questions would decide, at the same share of turned ones."""
    worst = max(skills, key=lambda skill: -skill.interval.low)
    return (
        f"more questions about {worst.name}: {worst.n} leave its loss between "
        f"{-100 * worst.interval.high:.0f} and {-100 * worst.interval.low:.0f} points; four times "
        "as many halve that. Or a gentler run: a third of the rate."
    )


def _again(run: records.Record, **changed: Any) -> str:
    """The run's command with options changed, or the options alone where no command makes it."""
    if changed.get("steps", math.inf) < run.plan.get("warmup", 0):
        changed["warmup"] = 0
    options = {f"--{name}": str(value) for name, value in changed.items()}
    if not run.command.startswith("ftlab run"):
        return " ".join(f"{name} {value}" for name, value in options.items())
    words = shlex.split(run.command)
    for name, value in options.items():
        if name in words:
            words[words.index(name) + 1] = value
        else:
            words += [name, value]
    return shlex.join(words)
