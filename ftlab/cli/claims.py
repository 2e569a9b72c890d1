"""`ftlab claims`: what the recorded runs say, on both models, with intervals and verdicts."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftlab.base.errors import InputError

if TYPE_CHECKING:  # numpy comes with them, and `ftlab --help` needs none
    from ftlab.analysis.compare import Matched, Setting
    from ftlab.analysis.orderings import Ordering

NAMES = {"nano": "nano-gpt2", "laptop": "SmolLM2-135M"}
GRIDS = ("adapters", "remedies")
"""What holds runs of both models."""
MARKS = {"holds": "+", "does not hold": "-", "not decided": "?", "not run": " "}


def add_claims(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab claims`."""
    parser.add_argument("--all", action="store_true", help="with the evidence, and equal learning")
    parser.add_argument("--json", action="store_true", help="for a program to read")


def claims(asked: argparse.Namespace) -> int:
    """Print what was measured, whether nano is a scale model, and the expected orders."""
    from ftlab.analysis import compare
    from ftlab.analysis.frame import read_shipped, say_left_out
    from ftlab.analysis.orderings import orderings

    read = {size: read_shipped(size) for size in NAMES}
    found = {size: compare.settings(runs) for size, (runs, _) in read.items()}
    left_out = [line for _, lines in read.values() for line in lines]
    if not found["nano"]:
        raise InputError(
            f"There are no recorded runs ({len(left_out)} left out); get the whole repository."
        )
    more = compare.settings(run for grid in GRIDS for run in read_shipped(grid)[0])
    judged = {size: orderings([*found[size], *_of(more, size)]) for size in NAMES}
    if asked.json:
        rows = {size: [vars(row) for row in rows] for size, rows in judged.items()}
        made = {"levels": _levels(found), "orders": rows, "left_out": left_out}
        print(json.dumps(made, indent=1))
        return 0
    print("\n".join(measured(found)))
    say_left_out(left_out)
    print("\n".join([*scale_table(found), *orders(judged)]))
    if asked.all:
        print("\n".join(["", *matched_table(found), "", *evidence(judged)]))
        print(f"\n{attentions()}\n\n{four_bits()}")
    else:
        print("One interval in 20 misses. Evidence, equal learning, four bits: ftlab claims --all")
    return 0


def _of(settings: "list[Setting]", size: str) -> "list[Setting]":
    """Those of the model; in another grid one setting may hold runs of both, by equal names."""
    from dataclasses import replace

    runs = [(s, [run for run in s.runs if run.model == NAMES[size].lower()]) for s in settings]
    return [replace(setting, runs=tuple(mine)) for setting, mine in runs if mine]


def measured(found: "dict[str, list[Setting]]") -> list[str]:
    """How many runs there are, of what, on what."""
    lines = []
    for size, settings in found.items():
        runs = [run for setting in settings for run in setting.runs]
        on = " and ".join(sorted({f"{run.device} in {run.precision}" for run in runs}))
        told = f"{len(runs)} runs of {len(settings)} settings on clinic, {on}"
        lines.append(f"{NAMES[size]}: {told if runs else 'no recorded runs'}")
    return lines


def _levels(found: "dict[str, list[Setting]]") -> dict[str, Any]:
    from ftlab.analysis import scale

    nano, real = found["nano"], found["laptop"]
    return {f"{share:.0%}": scale.levels(nano, real, share) for share in (0.9, 0.8)}


def scale_table(found: "dict[str, list[Setting]]") -> list[str]:
    """Most learned by each method on both models, and whether nano is a scale model."""
    from ftlab.analysis import scale

    nano, real = found["nano"], found["laptop"]
    if not real:
        return ["There are no runs of the real model to compare with."]
    tables = _levels(found)
    lines = ["Most learned with 90 % (80 %) of the skills retained, each at its best rate:"]
    for method, (a, b) in tables["90%"].items():
        c, d = tables["80%"][method]
        row = f"{100 * a:3.0f} ({100 * c:3.0f})      {100 * b:3.0f} ({100 * d:3.0f})"
        lines.append(f"  {_shown(method):<16} nano {row} SmolLM2")
    gaps = " and ".join(f"{100 * scale.apart(table):.0f}" for table in tables.values())
    same = [a == b for a, b in scale.sides(nano, real).values()]
    lines.append(
        f"Apart by {gaps} points on average (aim 15); same side of 70 % learned at 90 % "
        f"retained: {sum(same)} of {len(same)}"
    )
    order = scale.order(nano, real)
    lines.append(
        f"Rank correlation over {len(order.pairs)} settings, nano's rates x{order.factor:.1f}: "
        f"learned {order.learned:.2f} (aim 0.75), retained {order.retained:.2f} (0.85)"
    )
    return lines


def orders(judged: "dict[str, list[Ordering]]") -> list[str]:
    """The expected orders, a line each, with the tally and what it is worth."""
    tally = Counter(row.verdict for rows in judged.values() for row in rows)
    words = ", ".join(f"{tally[verdict]} {verdict}" for verdict in MARKS if tally[verdict])
    lines = [f"Expected orders on nano | SmolLM2 ({words}):"]
    for number, pair in enumerate(zip(*judged.values(), strict=True), 1):
        marks = " | ".join(MARKS[row.verdict] for row in pair)
        lines.append(f"  {number} {marks}  {pair[0].says}")
    return lines


def evidence(judged: "dict[str, list[Ordering]]") -> list[str]:
    """The same with what was measured."""
    return [
        f"{NAMES[size]} {number}: {row.verdict}: {row.evidence}"
        for size, rows in judged.items()
        for number, row in enumerate(rows, 1)
    ]


def matched_table(found: "dict[str, list[Setting]]") -> list[str]:
    """What each method had forgotten at half of the guessing loss, on both models."""
    from ftlab.analysis import scale

    try:
        both = scale.matched(found["nano"], found["laptop"])
    except InputError as slip:
        return [str(slip)]
    a, b = both.levels
    lines = [f"Forgotten (nats per token) when the target loss fell to {a:.3f} | {b:.3f}:"]
    for method, sides in both.rows.items():
        lines.append(f"  {_shown(method):<16} {' | '.join(f'{_forgot(m):<38}' for m in sides)}")
    rank = both.rank
    lines.append(
        f"Rank correlation {rank.estimate:.2f} ({rank.low:.2f} to {rank.high:.2f}); with its own "
        f"seeds drawn anew nano has {both.ceiling:.2f} with itself"
    )
    return lines


def _forgot(one: "Matched") -> str:
    from ftlab.analysis.compare import rate_text

    if one.setting is None:
        return f"never got there (lowest {one.lowest:.3f})"
    interval = one.forgotten_interval
    room = f" ({interval.low:+.3f} to {interval.high:+.3f})" if interval else ", one seed"
    return f"{sum(one.forgotten) / len(one.forgotten):+.3f}{room} at {rate_text(one.setting.lr)}"


def _shown(name: str) -> str:
    return name.replace("learning rate", "full").replace("_", " ")


def four_bits() -> str:
    """QLoRA minus LoRA, pair by pair."""
    from ftlab.analysis.compare import difference
    from ftlab.analysis.four_bits import pairs

    lines = ["QLoRA minus LoRA, same adapters and seeds (retained: each of its own base):"]
    try:
        found = pairs()
    except InputError as slip:
        return f"QLoRA beside LoRA: {slip}"
    for pair in found:
        learned = difference(pair.qlora, pair.lora, "target_score")
        retained = difference(pair.qlora, pair.lora)
        lines.append(f"  {pair.where}: learned {learned}, retained {retained}")
    return "\n".join(lines)


def attentions() -> str:
    """The order of attentions on each shift (notebook 05), with gaps and verdicts."""
    from ftlab.analysis import compare
    from ftlab.analysis.attention_order import priorities
    from ftlab.experiments.seq2seq import SHIFTS

    runs: Sequence[Any] = compare.shipped("nano-t5")
    lines = ["Which attention first (nano-t5, equally many parameters, each at its best rate):"]
    for domain in SHIFTS:
        try:
            found = priorities(runs, domain)
        except InputError as error:
            lines.append(f"  {domain}: {error}")
            continue
        lines.append(f"  {domain}: decoder, cross, encoder {found.verdict}")
        for name in found.measured:
            best = found.best[name]
            lines.append(
                f"    {name:<13} learned {best.text('target_score'):<18} "
                f"retained {best.text('retention'):<18} at {compare.rate_text(best.lr)}"
            )
        for step in found.steps:
            gap = compare.points_text(step.gap)
            lines.append(f"    {step.first} over {step.second}: {step.verdict}, {gap}")
    return "\n".join(lines)
