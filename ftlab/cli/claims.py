"""`ftlab claims`: what the recorded runs say, on both models, with intervals and verdicts."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from ftlab.base.errors import InputError

if TYPE_CHECKING:  # numpy comes with them, and `ftlab --help` needs none
    from ftlab.analysis.compare import Setting
    from ftlab.analysis.orderings import Faithful
    from ftlab.evaluate.intervals import Interval

NAMES = {"nano": "nano-gpt2", "laptop": "SmolLM2-135M"}


def add_claims(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab claims`."""
    parser.add_argument("--json", action="store_true", help="for a program to read")


def claims(asked: argparse.Namespace) -> int:
    """Print the matched table, the rank correlation and the eight orders."""
    from ftlab.analysis import compare
    from ftlab.analysis.orderings import orderings

    found = {size: compare.settings(compare.shipped(size)) for size in NAMES}
    if not found["nano"]:
        raise InputError("There are no recorded runs; get the whole repository.")
    both = _both(found)
    judged = {size: orderings(found[size]) for size in NAMES if found[size]}
    if asked.json:
        print(json.dumps(_plain(both, judged), indent=1))
        return 0
    print(both if isinstance(both, str) else table(both), end="\n\n")
    print(levels_both(found), end="\n\n")
    print(settings_both(found), end="\n\n")
    for size, rows in judged.items():
        print(f"Expected orders on {NAMES[size]}:")
        for number, row in enumerate(rows, 1):
            print(f"  {number} {row.verdict:14} {row.says}: {row.evidence}")
        print()
    print(attentions(), end="\n\n")
    print(four_bits())
    return 0


def four_bits() -> str:
    """QLoRA minus LoRA, pair by pair."""
    from ftlab.analysis.compare import difference
    from ftlab.analysis.four_bits import pairs

    lines = ["QLoRA minus LoRA, same adapters and seeds (kept: each of its own base):"]
    try:
        found = pairs()
    except InputError as slip:
        return f"QLoRA beside LoRA: {slip}"
    for pair in found:
        right = difference(pair.qlora, pair.lora, "target_score")
        lines.append(f"  {pair.where}: right {right}, kept {difference(pair.qlora, pair.lora)}")
    return "\n".join(lines)


def _both(found: "dict[str, list[Setting]]") -> "Faithful | str":
    """The comparison, or the sentence that says what is missing for it."""
    from ftlab.analysis.orderings import faithful

    try:
        return faithful(found["nano"], found["laptop"])
    except InputError as error:
        return str(error)


def table(both: "Faithful") -> str:
    """Retention at matched learning, method by method, and the rank correlation."""
    lines = [
        "Skills kept when the loss on the new task first fell to "
        f"{both.levels[0]:.2f} (nano-gpt2) and {both.levels[1]:.2f} (SmolLM2-135M) nats per token;",
        "each method at its best recorded rate, mean of the seeds and 95 % interval:",
        "",
        f"  {'method':<14} {'nano-gpt2':<34} {'SmolLM2-135M':<34}",
    ]
    for name, nano, real in both.rows:
        shown = name.replace("learning rate", "full").replace("_", " ")
        lines.append(f"  {shown:<14} {_told(nano):<34} {_told(real):<34}".rstrip())
    lines += ["", f"{_rank(both.interval)} over {len(both.rows)} methods"]
    return "\n".join(lines)


def _rank(found: "Interval") -> str:
    return (
        f"Rank correlation (Spearman) {found.estimate:.2f} ({found.low:.2f} to {found.high:.2f}, "
        "95 % over seeds)"
    )


def levels_both(found: "dict[str, list[Setting]]") -> str:
    """The rank correlation at matched learning, from easy to hard."""
    from ftlab.analysis.orderings import by_level

    levels = by_level(found["nano"], found["laptop"])
    told = [f"{rank.estimate:+.2f} at {level:g}" for level, rank, _ in levels]
    if not told:
        return "No target loss is reached by three methods on both models."
    return "The same rank correlation at other target losses: " + ", ".join(told) + "."


def settings_both(found: "dict[str, list[Setting]]") -> str:
    """What is kept at the end of equal settings on both models, and the rank correlation."""
    from ftlab.analysis.orderings import same_settings, spearman_interval

    rows = same_settings(found["nano"], found["laptop"])
    if len(rows) < 3:
        return "Fewer than three settings were run on both models."
    lines = ["The same settings on both models, kept at the end (lowest to highest seed):", ""]
    for name, a, b in rows:
        shown = name.replace("learning rate", "full").replace("_", " ")
        lines.append(f"  {shown:<18} {a.told('retention'):<24} {b.told('retention')}")
    pairs = [(a.values("retention"), b.values("retention")) for _, a, b in rows]
    lines += ["", f"{_rank(spearman_interval(pairs))} over {len(rows)} settings"]
    return "\n".join(lines)


def _told(found: Any) -> str:
    interval = found.interval
    if interval is None or found.setting is None:
        return "not reached"
    low, high = max(0.0, interval.low), interval.high
    return f"{interval.estimate:.1%} ({low:.0%} to {high:.0%}) at {found.setting.lr:g}"


def attentions() -> str:
    """The order of attentions on each shift (notebook 05), with gaps and verdicts."""
    from ftlab.analysis import compare
    from ftlab.analysis.attention_order import priorities
    from ftlab.experiments.seq2seq import SHIFTS

    runs = compare.shipped("nano-t5")
    lines = ["Which attention first (nano-t5, equal numbers of weights, each at its best rate):"]
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
                f"    {name:<13} right {best.told('target_score'):<20} "
                f"kept {best.told('retention'):<20} at {best.lr:g}"
            )
        for step in found.steps:
            gap = step.gap
            lines.append(
                f"    {step.first} over {step.second}: {step.verdict}, {100 * gap.estimate:+.0f} "
                f"points ({100 * gap.low:+.0f} to {100 * gap.high:+.0f})"
            )
    return "\n".join(lines)


def _plain(both: "Faithful | str", judged: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"missing": both}
    if not isinstance(both, str):
        methods = {name: {"nano": a.kept, "laptop": b.kept} for name, a, b in both.rows}
        told = {"levels": both.levels, "spearman": both.spearman, "methods": methods}
    return told | {
        "orders": {
            size: [{"says": r.says, "verdict": r.verdict, "evidence": r.evidence} for r in rows]
            for size, rows in judged.items()
        },
    }
