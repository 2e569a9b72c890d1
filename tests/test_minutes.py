"""The minutes that are foretold: probes, costs, and the forecast held to a real run.

pytest tests/test_minutes.py        (`make execute` holds every notebook's)
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import torch

from ftlab.errors import InputError
from ftlab.teach import forecast, kernel, minutes, notebooks
from ftlab.teach.minutes import Cost, Pace, Speed

ROOT = Path(__file__).resolve().parent.parent
SPEED = Speed(step=0.5, figure=0.1)


# ---- the probes


def test_the_probe_times_both_and_leaves_the_seed_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    found = minutes.probe(seconds=0.01)
    assert 0 < found.step < 60 and 0 < found.figure < 60
    assert torch.equal(before, torch.random.get_rng_state())


class Clock:
    """A machine whose step takes 1 s, then 3 s: what `Pace` probes, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.steps = 0.0, iter([1.0, 3.0, 3.0])
        monkeypatch.setattr(minutes.time, "perf_counter", lambda: self.now)

    def probe(self, seconds: float) -> Speed:
        self.now += seconds
        return Speed(next(self.steps), 0.1)


def test_pace_is_felt_now_and_then_and_weighed_by_time(monkeypatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(clock.probe)
    pace.feel(every=10, seconds=1)
    assert pace.speed == Speed(1.0, 0.1) and pace.unsteady == 1
    clock.now += 9
    pace.feel(every=10, seconds=1)  # too early: the machine was felt 9 seconds ago
    assert pace.spent == 1
    clock.now += 0.5 + 0.5
    pace.feel(every=10, seconds=1)  # at 1 + 10, so this span of 11 s has the mean of 1 and 3
    clock.now += 32
    pace.feel(every=10, seconds=1)  # a span of 33 s at 3
    assert pace.spent == 3 and pace.unsteady == 3
    assert pace.speed.step == pytest.approx((11 * 2 + 33 * 3) / 44)


# ---- costs


def test_a_cost_gives_back_its_own_seconds() -> None:
    shares = {"fixed": 0.1, "figures": 0.3, "steps": 0.6}
    cost = minutes.cost(40.0, shares, SPEED)
    assert (cost.fixed, cost.figures, cost.steps) == (4.0, 120.0, 48.0)
    assert cost.on(SPEED) == pytest.approx(40)
    assert cost.on(Speed(step=1.0, figure=0.1)) == pytest.approx(40 + 24)  # only torch is slower
    assert cost.on(Speed(step=0.5, figure=0.2)) == pytest.approx(40 + 12)  # only Python is


def test_minutes_come_back_as_noted(tmp_path: Path) -> None:
    file = tmp_path / "minutes.json"
    minutes.note("01_naive", Cost(120, 0, 200, 200, 2), file=file)
    minutes.note("00_start_here", Cost(30, 5, 0, 50, 2), file=file)
    assert [*json.loads(file.read_text())] == ["00_start_here", "01_naive"]
    foretold = minutes.predict_minutes(SPEED, file=file)
    assert foretold == pytest.approx({"00_start_here": 0.5, "01_naive": 2.0})


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"00": 3}', '{"00": {"seconds": 3}}', '{"00": {"steps": "many"}}']
)
def test_unreadable_minutes_are_a_slip(tmp_path: Path, content: str) -> None:
    (tmp_path / "minutes.json").write_text(content)
    with pytest.raises(InputError):
        minutes.predict_minutes(SPEED, file=tmp_path / "minutes.json")


def test_a_profile_that_was_never_timed_is_a_slip(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"never timed on the profile t4.*--time t4"):
        minutes.predict_minutes(SPEED, profile="t4")


def test_every_notebook_has_its_minutes() -> None:
    stems = {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert stems == set(minutes.costs())
    for name, cost in minutes.costs().items():
        assert cost.fixed < cost.seconds and cost.figures > 0 and cost.steps > 0, name


# ---- the kernel that knows what its time went to


def test_a_stack_is_told_apart() -> None:
    torch_file, waits = str(Path(torch.nn.__file__)), "/lib/selectors.py"
    assert kernel.part([torch_file, "a.py"]) == "steps"
    assert kernel.part([torch_file, kernel.IMPORTING]) == "figures"
    assert kernel.part([torch_file, minutes.__file__]) == "fixed"
    assert kernel.part(["a.py", waits]) == kernel.part([]) == "figures"
    assert kernel.part([waits, "a.py"]) == ""
    assert minutes.__file__.endswith(kernel.PROBES)


def test_the_parts_sum_to_one_and_waiting_is_none() -> None:
    assert kernel.shares({}) == kernel.shares({"": 3.0}) == {"fixed": 0, "figures": 1, "steps": 0}
    found = kernel.shares({"fixed": 1, "steps": 6, "figures": 3, "": 90})
    assert found == pytest.approx({"fixed": 0.1, "steps": 0.6, "figures": 0.3})


@pytest.fixture
def timer() -> Iterator[None]:
    """The alarm as it was, and off."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_long_operation_counts_whole(timer: None, tmp_path: Path) -> None:
    seen: dict[str, float] = defaultdict(float)
    layer, rows = torch.nn.Linear(1024, 1024), torch.zeros(8192, 1024)
    kernel.watch(seen, tmp_path / "shares.json")
    began = time.perf_counter()
    for _ in range(8):
        layer(rows)  # each takes several rings
    taken = time.perf_counter() - began
    assert seen["steps"] == pytest.approx(taken, rel=0.2, abs=0.05)


def test_python_counts_as_figures(timer: None, tmp_path: Path) -> None:
    """And it stands in the file at once: a kernel that is killed has left it."""
    seen: dict[str, float] = defaultdict(float)
    kernel.watch(seen, tmp_path / "shares.json")
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        pass
    assert seen["figures"] > 0.3 and seen["steps"] == 0
    assert json.loads((tmp_path / "shares.json").read_text())["figures"] == 1
    assert os.listdir(tmp_path) == ["shares.json"]


# ---- the forecast


def notebook(*cells: str) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return made


TRAINS = """
import torch
layer = torch.nn.Linear(1024, 1024)
for _ in range(60):
    layer(torch.ones(1024, 1024)).sum().backward()
"""


def test_what_torch_does_is_counted_in_steps(tmp_path: Path) -> None:
    _, cost = notebooks.timed(notebook(TRAINS, "1 + 1"), timeout=120, folder=tmp_path)
    assert cost.seconds > 0 and cost.steps > 0 and cost.figures > 0 and cost.fixed == 0


def held(folder: Path, notebooks: dict[str, str]) -> subprocess.CompletedProcess:
    """nbval with the plugin on notebooks of one cell each, in a folder with its own minutes."""
    for name, cell in notebooks.items():
        nbformat.write(notebook(cell), folder / f"{name}.ipynb")
    flags = ["-p", "ftlab.teach.forecast", "-p", "no:cacheprovider", "--nbval-lax"]
    files = [str(folder / f"{name}.ipynb") for name in notebooks]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *flags, "--nbval-current-env",
         f"--rootdir={folder}", *files],
        cwd=folder, capture_output=True, text=True, timeout=300,
        env=os.environ | {"FTLAB_DATA": str(folder), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def costs(folder: Path, name: str, seconds: float) -> None:
    """Note that the notebook costs so many seconds, on any machine."""
    found = Cost(seconds=seconds, fixed=seconds, figures=0, steps=0, cores=2)
    minutes.note(name, found, file=folder / "minutes.json")


WAITS = "import time; time.sleep(8)"  # the same on a busy machine, but for the kernel's start


def test_a_forecast_that_holds_passes(tmp_path: Path) -> None:
    costs(tmp_path, "00_start_here", 11)
    done = held(tmp_path, {"00_start_here": WAITS})
    assert "foretold    11 s, measured" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout


def test_a_forecast_that_is_off_fails_and_names_it(tmp_path: Path) -> None:
    costs(tmp_path, "01_slow", 90)
    done = held(tmp_path, {"01_slow": WAITS, "03_new": "1"})
    assert done.returncode == 1, done.stdout
    assert re.search(r"01_slow took 0\.\d minutes and 1\.5 were foretold", done.stdout)
    assert "1.5 is allowed" in done.stdout
    assert "03_new was never timed" in done.stdout


def felt(file: str, measured: float, *steps: float) -> forecast.Timed:
    """A notebook that took so long while the machine's steps took so long."""
    found = iter(Speed(step, 0.1) for step in steps)
    timed = forecast.Timed(Path(file), Pace(lambda seconds: next(found)), measured)
    for _ in steps:
        timed.pace.feel(every=0)
    return timed


def test_only_an_unsteady_machine_is_given_room(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    minutes.note("00_start_here", Cost(100, 0, 0, 100, cores=2))
    name = "00_start_here.ipynb"
    assert felt(name, 149, 1.0, 1.0).holds and felt(name, 67, 1.0, 1.0).holds
    assert not felt(name, 151, 1.0, 1.0).holds and not felt(name, 66, 1.0, 1.0).holds
    assert not felt(name, 160, 1.0, 1.1).holds  # still steady
    busy = felt(name, 520, 1.0, 4.0, 1.0)  # from 100 to 400 s are foretold
    assert busy.unsteady and "(unsteady)" in busy.row and busy.holds
    assert not felt(name, 610, 1.0, 4.0, 1.0).holds and not felt(name, 60, 1.0, 4.0, 1.0).holds


def test_a_notebook_that_fails_has_no_time_to_compare(tmp_path: Path) -> None:
    costs(tmp_path, "02_broken", 90)
    done = held(tmp_path, {"02_broken": "1 / 0"})
    assert done.returncode == 1 and "foretold" not in done.stdout, done.stdout


def test_make_execute_holds_the_forecast() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^execute:.*\n(?:\t.*\n)*?.*-p ftlab\.teach\.forecast", makefile, re.M)
