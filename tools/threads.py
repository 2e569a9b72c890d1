"""How many threads torch may have here: one, where others are at work on this process's cores.

    limit()     what to add to an environment: OMP_NUM_THREADS=1 where cores are shared

Two threads of a step wait for each other. Where one of them waits for a core as well, a step of a
small model took ten times as long as with one thread. On a quiet machine nothing is said, and
torch takes what it takes by itself.
"""

import os
import time
from functools import cache
from pathlib import Path

SHARED = 0.25
"""Share of the cores at which others are at work, above which one thread is quicker than many."""
TIMES = Path("/proc/stat")


def cores() -> set[int]:
    """The cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return set(allowed(0) if allowed else range(os.cpu_count() or 1))


def at_work(seconds: float = 1.0) -> float:
    """Share of these cores' time that others take now; by the last minute's load without /proc."""
    if not TIMES.is_file():
        return os.getloadavg()[0] / len(cores()) if hasattr(os, "getloadavg") else 0.0
    before = _times()
    time.sleep(seconds)
    idle, whole = (now - then for now, then in zip(_times(), before, strict=True))
    return 1 - idle / whole if whole else 0.0


def _times() -> tuple[int, int]:
    """Ticks in which these cores had nothing to do (or waited for a disk), and all ticks."""
    names = {f"cpu{core}" for core in cores()}
    rows = [line.split() for line in TIMES.read_text().splitlines()]
    ticks = [[int(n) for n in row[1:9]] for row in rows if row and row[0] in names]
    return sum(t[3] + t[4] for t in ticks), sum(map(sum, ticks))


@cache
def limit() -> dict[str, str]:
    """What to add to an environment: one thread where cores are shared, unless it says how many."""
    free = "OMP_NUM_THREADS" in os.environ or at_work() < SHARED
    return {} if free else {"OMP_NUM_THREADS": "1"}
