"""An IPython kernel that knows what its time went to: for `ftlab.teach.minutes`.

    FTLAB_SHARES=file python -m ftlab.teach.kernel -f connection_file

    with watched() as watch:                    what runs a notebook, and gets its cost
        ...                                     (in a kernel with watch.environment,
                                                watch.pause() between the cells)
    watch.cost

Without FTLAB_SHARES it is the plain kernel. With it, a timer rings 50 times a second and notes what
the main thread is doing; every second the parts of its time so far are written to that file:

    {"fixed": 0.02, "figures": 0.31, "steps": 0.67}

`steps`: inside torch, importing apart; `fixed`: inside the probes of `ftlab check`; `figures`: all
the rest but waiting, that is imports, plots, tokens and other Python.

Notable choices: the timer is a signal, which Python handles in the main thread between two steps
of its own (another thread that walks these frames meets them half gone: Python 3.11 crashed). A
long operation of torch therefore rings once, at its end, and counts for all the time since the
last ring. Signals of this kind are POSIX's, so notebooks are timed on Linux and macOS only.
The parts are not left for the end alone: a kernel that is slow to go, on a busy machine, is killed.
"""

import json
import math
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from ftlab.teach.minutes import Cost, Pace, cost

EVERY_S, WRITE_S = 0.02, 1.0
IMPORTING = "<frozen importlib._bootstrap>"
WAITING = f"{os.sep}selectors.py"
TORCH = f"{os.sep}torch{os.sep}"
PROBES = os.path.join("ftlab", "teach", "minutes.py")


def part(files: list[str]) -> str:
    """What a stack of source files, the innermost first, is busy with; "" when it waits."""
    if IMPORTING in files:
        return "figures"
    if any(file.endswith(PROBES) for file in files):
        return "fixed"
    if any(TORCH in file for file in files):
        return "steps"
    return "" if files and files[0].endswith(WAITING) else "figures"


def files_of(frame: FrameType | None) -> list[str]:
    """The source files of a frame and of all that called it, the innermost first."""
    found = []
    while frame is not None:
        found.append(frame.f_code.co_filename)
        frame = frame.f_back
    return found


def watch(seen: dict[str, float], file: Path, every: float = EVERY_S) -> None:
    """Count from now on the seconds that the main thread, which calls this, spends on each part.

    Their shares are in `file` from the first ring on, never more than a second old, never in half.
    """
    last = time.perf_counter()
    written = -math.inf

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal last, written
        now = time.perf_counter()
        seen[part(files_of(frame))] += now - last
        last = now
        if now - written >= WRITE_S:
            written = now
            draft = file.with_suffix(".part")
            draft.write_text(json.dumps(shares(seen)))
            draft.replace(file)

    signal.signal(signal.SIGALRM, ring)
    signal.siginterrupt(signal.SIGALRM, False)  # whoever reads or waits need not know of it
    signal.setitimer(signal.ITIMER_REAL, every, every)


def shares(seen: dict[str, float]) -> dict[str, float]:
    """The parts of the whole. All of it is "figures" where nothing was seen."""
    whole = sum(seen.values()) - seen.get("", 0.0)
    parts = {name: seen.get(name, 0.0) / whole if whole else 0.0 for name in ("fixed", "steps")}
    return parts | {"figures": 1 - sum(parts.values())}


class ThisPython(AsyncKernelManager):
    """Whatever kernels are registered, run the interpreter that runs this."""

    @property
    def kernel_spec(self) -> KernelSpec:
        kernel = [sys.executable, "-m", "ftlab.teach.kernel", "-f", "{connection_file}"]
        quiet = "--log-level=ERROR"  # else it warns of unencrypted TCP to itself
        return KernelSpec(argv=[*kernel, quiet], display_name="Python 3", language="python")


@dataclass
class Watch:
    """A notebook that is being run: what its kernel needs, and its cost at the end."""

    environment: dict[str, str]
    """For the kernel, on top of its own."""
    pace: Pace = field(default_factory=Pace)
    """How fast this machine is meanwhile."""
    _cost: Cost | None = None

    @property
    def cost(self) -> Cost:
        """What the notebook was made of; there once it has run."""
        assert self._cost, "the notebook has not run to its end"
        return self._cost

    def pause(self) -> None:
        """Between two cells: see how fast the machine is, now and then."""
        self.pace.feel()


@contextmanager
def watched() -> Iterator[Watch]:
    """Run a notebook inside; afterwards `cost` says what it was. Probes before, after, between."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shares.json"
        watch = Watch({"FTLAB_SHARES": str(file)})
        watch.pace.feel(every=0, seconds=2.0)
        began, spent = time.perf_counter(), watch.pace.spent
        yield watch
        seconds = time.perf_counter() - began - (watch.pace.spent - spent)
        watch.pace.feel(every=0, seconds=2.0)
        watch._cost = cost(seconds, json.loads(file.read_text()), watch.pace.speed)


def main() -> None:
    """Start the kernel, watched if FTLAB_SHARES names a file."""
    if file := os.environ.get("FTLAB_SHARES"):
        seen: dict[str, float] = defaultdict(float)
        watch(seen, Path(file))
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


if __name__ == "__main__":
    main()
