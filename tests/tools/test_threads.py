"""One thread where cores are shared, and no test that a slow machine fails.

pytest tests/tools/test_threads.py
"""

import os
import re
from pathlib import Path

import pytest

from tools import threads

ROOT = Path(__file__).resolve().parents[2]
STAT = (
    "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 {0} 0 0 {1} 0 0 0 0 0 0\ncpu1 {0} 0 0 {1} 0 0 0 0 0 0\nintr 5\n"
)
WAITS = {"yardstick.py", "browser.py", "test_background.py", "test_hub.py", "test_threads.py"}
WAITS |= {"test_stops.py"}
"""What may look at a clock: to compare, to wait, or to show that nothing waits for minutes."""


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "cores", lambda: {0, 1})
    threads.limit.cache_clear()


@pytest.mark.parametrize(("busy", "said"), [(0, {}), (10, {}), (60, {"OMP_NUM_THREADS": "1"})])
def test_others_at_work_mean_one_thread(
    busy: int, said: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = tmp_path / "stat"
    stat.write_text(STAT.format(500, 500))

    def pass_by(_seconds: float) -> None:
        stat.write_text(STAT.format(500 + busy, 600 - busy))

    monkeypatch.setattr(threads, "TIMES", stat)
    monkeypatch.setattr(threads.time, "sleep", pass_by)
    assert threads.at_work() == pytest.approx(busy / 100)
    stat.write_text(STAT.format(500, 500))
    assert threads.limit() == said


def test_elsewhere_the_load_tells_and_what_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "TIMES", Path("nowhere"))
    monkeypatch.setattr(os, "getloadavg", lambda: (2.0, 0.0, 0.0))
    assert threads.limit() == {"OMP_NUM_THREADS": "1"}
    threads.limit.cache_clear()
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads.limit() == {}


def test_no_other_test_looks_at_a_clock() -> None:
    """What counts seconds fails on a machine that has much else to do (see tests/yardstick.py)."""
    clock = re.compile(r"perf_counter|monotonic|process_time|thread_time|time\.time\(")
    found = {p.name for p in (ROOT / "tests").rglob("*.py") if clock.search(p.read_text("utf-8"))}
    assert found <= WAITS


def test_make_gives_cells_and_kernels_time_and_a_thread_each() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert int(re.findall(r"nbval-cell-timeout=(\d+)", text)[0]) >= 1200  # the longest takes 60 s
    assert int(re.findall(r"kernel-startup-timeout=(\d+)", text)[0]) >= 300
    assert "unit execute: export OMP_NUM_THREADS := 1" in text
