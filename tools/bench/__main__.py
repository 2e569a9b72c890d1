"""How fast a slider answers, a live run trains, and the same by other ways.

python -m tools.bench                    two short tables
python -m tools.bench --json             the same for a program
python -m tools.bench --browser          from a key to the picture, in a Chromium
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ftlab.base.quiet import quiet
from ftlab.cli.main import single
from ftlab.plan import Plan

if TYPE_CHECKING:  # torch comes with it
    from tools.bench.explorer import Bench
    from tools.bench.ways import Ways

WAYS = {
    "fast": "the explorer's way",
    "plain": "the plain loop",
    "trainer": "transformers.Trainer + peft",
}


def add_bench(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tools.bench`."""
    parser.add_argument("--json", action="store_true", help="for a program to read")
    parser.add_argument(
        "--browser", action="store_true", help="time from a key to the picture in a browser"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=40,
        help="of the comparison of three ways (default: %(default)s)",
    )


def bench(asked: argparse.Namespace) -> int:
    """Time everything and print it; 1 where the three ways did not do the same work."""
    if asked.browser:
        from tools.bench.browser import latency

        print(", ".join(f"{name} {value:.0f}" for name, value in latency().items()), "moves; ms")
        return 0
    plan = Plan(steps=asked.steps)  # its slip is told before anything heavy is loaded
    quiet()
    from tools.bench.explorer import bench

    if sys.stderr.isatty():
        print("Timing sliders and training; about a minute.", file=sys.stderr)
    found = bench(steps=plan.steps)
    print(json.dumps(plain(found), indent=1) if asked.json else table(found))
    return 0 if found.ways.same else 1


def plain(found: "Bench") -> dict[str, Any]:
    """The numbers and their ratios, for json."""
    ways = found.ways
    ratios = {
        "plain/fast": ways.ratio("plain", "fast"),
        "trainer/fast": ways.ratio("trainer", "fast"),
        "trainer/plain": ways.ratio("trainer", "plain"),
        "apart/sweep": found.apart / found.sweep,
    }
    return {**asdict(found), "ratios": ratios, "same_work": ways.same}


def table(found: "Bench") -> str:
    """What was timed, in words and aligned."""
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    first = f"the first, which measures the base too: {found.first_live:.2f} s"
    fitted = f"the first, which fits it: {_ms(found.first_estimate)}"
    slowest = f"slowest of {2 * found.moves}: {_ms(found.slowest_move)}"
    rows = [
        ("rank explorer", "median", ""),
        ("a slider move to a recorded run", _ms(found.move), slowest),
        ("a slider move to an estimate", _ms(found.estimated_move), fitted),
        (f"a live run, {found.live_steps} steps with points", f"{found.live:.2f} s", first),
        *((f"  {name}", f"{seconds:.2f} s", "") for name, seconds in found.presets.items()),
        (f"a sweep of {found.stops} stops", f"{found.sweep:.2f} s", _against(found)),
    ]
    return "\n".join([f"On {found.device}, {threads}.", "", *_lined(rows), "", ways(found.ways)])


def ways(found: "Ways") -> str:
    """The three ways, each against the two others, and whether their losses agree."""
    name = f"the same {found.steps} steps, nothing measured"
    rows: list[tuple[str, ...]] = [(name, "median", "times the", "times the")]
    rows.append(("", f"of {found.rounds}", "explorer's", "plain loop"))
    for name, words in WAYS.items():
        against = [f"{found.ratio(name, other):.2f}" for other in ("fast", "plain")]
        rows.append((words, f"{found.seconds[name]:.2f} s", *against))
    return "\n".join([*_lined(rows), "", _agree(found)])


def _against(found: "Bench") -> str:
    ratio = found.apart / found.sweep
    return f"{ratio:.2f} times as fast as one by one from an empty cache ({found.apart:.2f} s)"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _agree(found: "Ways") -> str:
    last = ", ".join(f"{words} {found.losses[name]:.6f}" for name, words in WAYS.items())
    verdict = "the same work" if found.same else "NOT the same work, so the ratios say nothing"
    return (
        f"Loss of the last step: {last}.\nLargest difference of any step's loss: "
        f"{found.apart:.1e} of it; {verdict}."
    )


def _lined(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of words, a number at the right of its column, and notes."""
    wide = max(len(row[0]) for row in rows)
    return [
        f"{row[0]:<{wide}}  {row[1]:>8}  {'  '.join(f'{note:>10}' for note in row[2:])}".rstrip()
        for row in rows
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Read the arguments and do it; the exit codes are those of `ftlab`."""
    return single("python -m tools.bench", add_bench, bench, argv)


if __name__ == "__main__":
    sys.exit(main())
