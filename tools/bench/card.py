"""One command for a machine with a card: what is there, every test, every notebook, memory, speed.

    make gpu                                   in the project's own environment
    python -m tools.bench.card                 in this one, such as Colab's
    python -m tools.bench.card --only facts    a part: facts, tests, notebooks, memory, speed

It writes one report, a line a check: name, passed, seconds, and the last words that were printed.
The README's table of minutes reads the notebooks' seconds from it. Nothing needs the network.

Notable choices:
- Every check is a process of its own, so one that dies costs itself alone, and the report is
  written again after each.
- The notebooks run side by side, first in fp16 with 15 GB of the card each, as on a T4, then in
  the card's own precision. The cap is set as a kernel starts, so no notebook knows of it.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ftlab import record as records
from ftlab.base import machine
from ftlab.base.errors import InputError
from ftlab.base.files import check_writable
from ftlab.base.jsonfile import write_json
from ftlab.cli.main import single
from ftlab.cli.terminal import place
from ftlab.teach.timings import AS_T4, report_file
from tools.bench.gpu_memory import CAP

ROOT = Path(__file__).resolve().parents[2]
SIDE_BY_SIDE = 4
"""Notebooks at a time."""
LIMIT = 420
"""Seconds a check may take."""
CAPPED = """\
import torch
torch.cuda.set_per_process_memory_fraction(
    min(1.0, {cap} / torch.cuda.get_device_properties(0).total_memory)
)
"""
"""What IPython runs as a kernel starts."""


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    passed: bool
    seconds: float
    said: list[str]
    """The last lines that it printed."""

    def __str__(self) -> str:
        state = "passed" if self.passed else "FAILED"
        return f"{self.name}: {state}, {self.seconds:.0f} s; {self.said[-1] if self.said else ''}"


@dataclass
class Report:
    """What was found on one machine."""

    device: str
    precision: str
    cores: int
    versions: dict[str, str]
    checks: list[Check] = field(default_factory=list)


def pytest_words(*more: str) -> list[str]:
    """The tests in a process of their own."""
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", *more]


def check(
    name: str, command: list[str], settings: dict[str, str] | None = None, lines: int = 3
) -> Check:
    """Run a command and see how it ends."""
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | (settings or {})
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, text=True, timeout=LIMIT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        passed, text = done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired as late:
        passed, text = False, f"{late.stdout or ''}\nnot done after {LIMIT} s"
    said = [line for line in str(text).splitlines() if line.strip()][-lines if passed else -30 :]
    return Check(name, passed, round(time.perf_counter() - began, 1), said)


def facts() -> Iterator[Check]:
    """What `ftlab check` says of this machine."""
    command = [sys.executable, "-m", "ftlab.cli.main", "check"]
    yield check("facts", command, lines=40)


def tests() -> Iterator[Check]:
    """Those that need a card, alone on it; then the others, as `make test` runs them."""
    yield check("tests that need a card", pytest_words("-m", "gpu", "--durations=5"))
    side = str(min(8, os.cpu_count() or 1))
    words = ("-m", "not gpu", "-n", side, "--dist=loadfile", "--durations=5")
    yield check("other tests", pytest_words(*words))


def notebooks() -> Iterator[Check]:
    """Every notebook as a learner runs it: as on a T4, then as this card would."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    with TemporaryDirectory() as folder, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        startup = Path(folder, "profile_default", "startup")
        startup.mkdir(parents=True)
        (startup / "cap.py").write_text(CAPPED.format(cap=CAP))
        as_t4 = {"FTLAB_PRECISION": "fp16", "IPYTHONDIR": folder}
        for title, settings in ((AS_T4, as_t4), (f", {machine.precision()}", {})):
            words = pytest_words("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300")
            started = [
                pool.submit(check, path.stem + title, [*words, str(path)], settings)
                for path in paths
            ]
            yield from (one.result() for one in started)


def memory() -> Iterator[Check]:
    """Models of 3 and 7 billion parameters, measured anew (what is recorded is not made again)."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tools.bench.gpu_memory", "--out", folder]
        yield check("memory", command, lines=12)


def speed() -> Iterator[Check]:
    """Tokens a second, against transformers.Trainer + peft."""
    yield check("speed", [sys.executable, "-m", "tools.bench.speed"], lines=12)


PARTS = {
    "facts": facts,
    "tests": tests,
    "notebooks": notebooks,
    "memory": memory,
    "speed": speed,
}


def add_card(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tools.bench.card`."""
    parser.add_argument("--only", choices=PARTS, action="append", help="a part (default: all)")
    parser.add_argument(
        "--out", type=place, default=None, help="the report (default: data/gpu.json)"
    )


def card(asked: argparse.Namespace) -> int:
    """Check everything; 1 where something failed. Raises InputError where there is no card."""
    if machine.device() != "cuda":
        raise InputError(
            "This checks a machine with a CUDA GPU and there is none here; run it on a card or in "
            "Colab, or `make test`, which needs none."
        )
    out = asked.out or report_file()
    check_writable(out.parent)
    report = Report(
        torch.cuda.get_device_name(), machine.precision(), os.cpu_count() or 1, records.versions()
    )
    for name in asked.only or PARTS:
        for found in PARTS[name]():
            report.checks.append(found)
            write_json(out, asdict(report))
            print(found, flush=True)
    return 0 if all(found.passed for found in report.checks) else 1


if __name__ == "__main__":
    sys.exit(single("python -m tools.bench.card", add_card, card))
