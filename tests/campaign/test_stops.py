"""kill -9 and Ctrl-C at random moments of runs, stored runs, grids and pre-training, then resumes.

Nothing that was there when it was stopped may be gone afterwards, what the same command then
makes is what an undisturbed one makes (apart from times), and nothing else is left.

pytest tests/campaign/test_stops.py
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.campaign.verdicts import WHOLE, tell
from tests.campaign.worker import serve

ROOT = Path(__file__).resolve().parents[2]
EACH = 5 if WHOLE else 1
"""Kills, and Ctrl-Cs, of each of the four."""
COMMON = "--domain clinic --model nano-gpt2 --items 16 --steps 4 --batch-size 4 --measure-every 2"
JOBS: dict[str, str] = {
    "run": f"run {COMMON} --out out",
    "stored run": f"run {COMMON} --out out --store store",
    "grid": "grid decoder --model nano-gpt2 --out out",
    "pretrain": "nano-gpt2 --steps 16 --out out/m",
}
TIMES = ("seconds", "peak_memory", "run")
"""What differs between two equal runs."""


class Worker:
    """See worker.py."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from {serve.__module__} import serve; serve()"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def run(self, what: str, folder: Path, stop: tuple[int, float] | None = None) -> int:
        """Do a job in a folder; `stop`: the signal, and after how many seconds. Its exit code."""
        words = JOBS[what].split()
        if what == "pretrain" and (folder / "out/m.checkpoint").exists():
            words.append("--resume")
        (folder / "begun").unlink(missing_ok=True)
        assert self.process.stdin
        job = {"what": what, "words": words, "folder": str(folder)}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        child = int(self._line())
        while stop and not (folder / "begun").exists():
            time.sleep(0.005)
        if stop:
            time.sleep(stop[1])
            (folder / "at the stop.json").write_text(json.dumps(there(folder, what)))
            os.kill(child, stop[0])  # not waited for yet, so the number is still its own
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self._line())


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    with made.process:
        yield made


def there(folder: Path, what: str) -> dict[str, Any]:
    """What a user has: whole records, and how far a run or a pre-training is stored."""
    found: dict[str, Any] = {}
    for path in folder.glob("out/*.json"):
        found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in folder.glob("store/*/checkpoint.json"):
        try:
            found["stored"] = json.loads(path.read_bytes())["steps"][-1]["step"]
        except FileNotFoundError:
            continue
    if what == "pretrain":
        for name in ("m.checkpoint", ".m.checkpoint.ftlab-old"):
            try:
                curve = json.loads((folder / "out" / name / "curve.json").read_bytes())["curve"]
                found["stored"] = max(curve[-1][0], found.get("stored", 0))
            except FileNotFoundError:
                continue
    return found


def result(folder: Path) -> dict[str, Any]:
    """What a job has made, without its times."""
    found: dict[str, Any] = {}
    for path in sorted((folder / "out").rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            raw = path.read_bytes()
            json_ = path.suffix == ".json" and path.parent.name == "out"
            found[name] = timeless(json.loads(raw)) if json_ else hashlib.sha256(raw).hexdigest()
    store = folder / "store"
    found["stored"] = sorted(p.name for p in store.rglob("*")) if store.exists() else []
    return found


def timeless(record: Any) -> Any:
    if isinstance(record, dict):
        return {k: timeless(v) for k, v in record.items() if k not in TIMES}
    return [timeless(one) for one in record] if isinstance(record, list) else record


@pytest.mark.parametrize("what", JOBS)
def test_stopped_at_any_moment_nothing_is_lost_and_it_ends_the_same(
    what: str, worker: Worker, tmp_path: Path
) -> None:
    calm = tmp_path / "calm"
    calm.mkdir()
    began = time.monotonic()
    assert worker.run(what, calm) == 0, (calm / "said.txt").read_text()
    lasts = time.monotonic() - began
    expected = result(calm)
    dice, counts, faults = random.Random(what), Counter[str](), []
    for number, kind in enumerate([signal.SIGKILL, signal.SIGINT] * EACH):
        code = 0
        for again in range(5):  # a quick one may have ended before it was stopped
            folder = tmp_path / f"stopped {number} {again}"
            folder.mkdir()
            after = 0.9 * dice.random() * lasts
            if code := worker.run(what, folder, (kind, after)):
                break
        counts["Ctrl-C" if kind == signal.SIGINT else "kill -9"] += code != 0
        for fault in faults_of(what, worker, folder, kind, code, expected):
            faults.append(f"{kind.name} after {after:.2f} of {lasts:.2f} s: {fault}")
            counts[fault.split(":")[0]] += 1
    tell(f"stops, {what}", counts)
    assert not faults, "\n" + "\n".join(faults)


def faults_of(
    what: str, worker: Worker, folder: Path, kind: int, code: int, expected: dict[str, Any]
) -> Iterator[str]:
    """What is wrong after a stop, and after the same command again."""
    said = (folder / "said.txt").read_text()
    if code not in ((0, 130) if kind == signal.SIGINT else (0, -9)) or "Traceback" in said:
        yield f"traceback: exit code {code}: {said[-600:]}"
    if code == 130 and said.count("ftlab: stopped; ") != 1:
        yield f"no word: {said[-300:]}"
    before = json.loads((folder / "at the stop.json").read_text())
    now = there(folder, what)
    if now.get("stored", 0) < before.get("stored", 0):
        yield f"lost: {before['stored']} steps were stored, now {now.get('stored', 0)}"
    if code == 130 and what in ("stored run", "pretrain") and now.get("stored") and not says(said):
        yield f"no word: what is stored is not told: {said[-300:]}"
    kept = {name: now[name] for name in before if name != "stored" and name in now}
    if any(kept.get(name) != before[name] for name in before if name != "stored"):
        yield f"lost: a record that was there: {before} {now}"
    if (code := worker.run(what, folder)) != 0:
        yield f"no resume: exit code {code}: {(folder / 'said.txt').read_text()[-600:]}"
        return
    for name, digest in kept.items():
        if what == "grid" and there(folder, what).get(name) != digest:
            yield f"lost: {name} was made anew"
    if (found := result(folder)) != expected:
        odd = [k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k)]
        yield f"differs: {odd}: {[found.get(k) for k in odd]!s:.400}"


def says(said: str) -> bool:
    words = ("steps are stored in", "the last checkpoint is in", "the record is in")
    return any(word in said for word in words)
