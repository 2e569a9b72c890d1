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
        "Retained when the loss on the new task first fell to "
        f"{both.levels[0]:.2f} (nano-gpt2) and {both.levels[1]:.2f} (SmolLM2-135M) nats per token;",
        "each method at its best recorded rate, mean of the seeds and 95 % interval:",
        "",
        f"  {'method':<14} {'nano-gpt2':<34} {'SmolLM2-135M':<34}",
    ]
    for name, nano, real in both.rows:
        lines.append(f"  {_shown(name):<14} {_matched(nano):<34} {_matched(real)}")
    lines += ["", f"{_rank(both.interval)} over {len(both.rows)} methods"]
    return "\n".join(lines)


def _shown(name: str) -> str:
    return name.replace("learning rate", "full").replace("_", " ")


def _rank(found: "Interval") -> str:
    return (
        f"Rank correlation (Spearman) {found.estimate:.2f} ({found.low:.2f} to {found.high:.2f}, "
        "95 % over seeds)"
    )


def levels_both(found: "dict[str, list[Setting]]") -> str:
    """The rank correlation at matched learning, from easy to hard."""
    from ftlab.analysis.orderings import by_level

    levels = by_level(found["nano"], found["laptop"])
    ranks = [f"{rank.estimate:+.2f} at {level:g}" for level, rank, _ in levels]
    if not ranks:
        return "No target loss is reached by three methods on both models."
    return f"The same rank correlation at other target losses: {', '.join(ranks)}."


def settings_both(found: "dict[str, list[Setting]]") -> str:
    """What equal settings retained at the end on both models, and the rank correlation."""
    from ftlab.analysis.orderings import same_settings, spearman_interval

    rows = same_settings(found["nano"], found["laptop"])
    if len(rows) < 3:
        return "Fewer than three settings were run on both models."
    lines = ["The same settings on both models, retained at the end (lowest to highest seed):", ""]
    lines += [
        f"  {_shown(name):<18} {a.text('retention'):<24} {b.text('retention')}"
        for name, a, b in rows
    ]
    pairs = [(a.values("retention"), b.values("retention")) for _, a, b in rows]
    lines += ["", f"{_rank(spearman_interval(pairs))} over {len(rows)} settings"]
    return "\n".join(lines)


def _matched(found: Any) -> str:
    from ftlab.analysis.compare import rate_text

    interval = found.interval
    if interval is None or found.setting is None:
        return "not reached"
    low, high = max(0.0, interval.low), interval.high
    rate = rate_text(found.setting.lr)
    return f"{interval.estimate:.1%} ({low:.0%} to {high:.0%}) at {rate}"


def attentions() -> str:
    """The order of attentions on each shift (notebook 05), with gaps and verdicts."""
    from ftlab.analysis import compare
    from ftlab.analysis.attention_order import priorities
    from ftlab.experiments.seq2seq import SHIFTS

    runs = compare.shipped("nano-t5")
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


def _plain(both: "Faithful | str", judged: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"missing": both}
    if not isinstance(both, str):
        methods = {name: {"nano": a.retained, "laptop": b.retained} for name, a, b in both.rows}
        found = {"levels": both.levels, "spearman": both.interval.estimate, "methods": methods}
    return found | {"orders": {size: [vars(row) for row in rows] for size, rows in judged.items()}}
