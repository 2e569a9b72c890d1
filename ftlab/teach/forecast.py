"""A pytest plugin that holds the minutes which `ftlab check` foretells to those that are measured.

    pytest -p ftlab.teach.forecast --nbval-lax notebooks/*.ipynb        (`make execute`)

nbval runs every notebook anyway. This watches the clock while it does, probes the machine before,
after and between the cells (at most every 4 seconds; the probing does not count), and compares

    measured   seconds from the start of the kernel to its end, nbval's own work included
    forecast   what `ftlab.teach.minutes` says of a machine as fast as this one was meanwhile

Each learner's notebook must come within a factor of 1.5; if one does not, the run fails, in one
sentence that names it. Notable choices: the machine is probed while the notebook runs, since
`ftlab check` can only foretell for a machine that stays as it was; a notebook that was not run
whole, or failed, has no time to compare; only nano is measured this way. Where other programs
make the machine's own speed change by more than that factor within one notebook, no single number
can be foretold: then the measured time must lie between the forecasts for its fastest and its
slowest moment, again within the factor, and the table says "unsteady".
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftlab.quiet import quiet
from ftlab.teach.minutes import Pace, costs, prober

FACTOR = 1.5


@dataclass
class Timed:
    """A notebook that is being run, or was."""

    file: Path
    pace: Pace
    measured: float = 0.0
    """Seconds, without the probing."""
    whole: bool = True
    """False as soon as a cell fails."""

    @property
    def known(self) -> bool:
        """Whether it was ever timed."""
        return self.file.stem in costs()

    @property
    def forecast(self) -> float:
        """Seconds that are foretold for a machine as fast as this one was."""
        return costs()[self.file.stem].on(self.pace.speed)

    @property
    def factor(self) -> float:
        """Measured over foretold, or the other way round: 1 at best."""
        return max(self.measured / self.forecast, self.forecast / self.measured)

    @property
    def unsteady(self) -> bool:
        """Whether other programs made the machine's own speed change too much."""
        return self.pace.unsteady > FACTOR

    @property
    def holds(self) -> bool:
        """Whether the forecast is near enough to what was measured."""
        if self.factor <= FACTOR or not self.unsteady:
            return self.factor <= FACTOR
        cost = costs()[self.file.stem]
        low, high = cost.on(self.pace.fastest) / FACTOR, cost.on(self.pace.slowest) * FACTOR
        return low <= self.measured <= high

    @property
    def row(self) -> str:
        """Its line in the table."""
        if not self.known:
            return f"{self.file.stem:<34} measured {self.measured:5.0f} s, never timed before"
        return (
            f"{self.file.stem:<34} foretold {self.forecast:5.0f} s, "
            f"measured {self.measured:5.0f} s, a factor of {self.factor:.2f}; "
            f"meanwhile the machine's speed changed by {self.pace.unsteady:.2f}"
            f"{' (unsteady)' if self.unsteady else ''}"
        )

    @property
    def slip(self) -> str:
        """The sentence that fails the run; empty where the forecast holds."""
        if not self.known:
            return f"{self.file.stem} was never timed; `make notebooks` times it."
        if self.holds:
            return ""
        return (
            f"{self.file.stem} took {self.measured / 60:.1f} minutes and {self.forecast / 60:.1f} "
            f"were foretold, which is off by a factor of {self.factor:.2f} ({FACTOR} is allowed; "
            f"meanwhile this machine's own speed changed by a factor of {self.pace.unsteady:.2f}); "
            "on a quiet machine, run `make notebooks`, which measures anew."
        )


class Forecast:
    """The plugin: one `Timed` per learner's notebook."""

    def __init__(self) -> None:
        self.timed: dict[Path, Timed] = {}
        self.probe = prober()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator:
        """Around every cell: the first one starts the kernel, the last one ends it."""
        if not _learners(item.path):
            return (yield)
        timed = self.timed.setdefault(item.path, Timed(item.path, Pace(self.probe)))
        timed.pace.feel()
        began = time.perf_counter()
        done = yield
        timed.measured += time.perf_counter() - began
        if nextitem is None or nextitem.path != item.path:
            timed.pace.feel(every=0)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a notebook with a cell that failed, or was not run."""
        for file, timed in self.timed.items():
            ours = file.as_posix().endswith("/" + report.nodeid.split("::")[0])
            if ours and report.outcome != "passed":
                timed.whole = False

    def held(self) -> list[Timed]:
        """The notebooks whose time can be compared."""
        return [timed for timed in self.timed.values() if timed.whole]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if a forecast is off."""
        if session.exitstatus == 0 and any(timed.slip for timed in self.held()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table, and what is off."""
        held = self.held()
        if held:
            terminalreporter.section("minutes: foretold and measured")
        for timed in held:
            terminalreporter.line(timed.row)
        for slip in filter(None, (timed.slip for timed in held)):
            terminalreporter.line(slip, red=True)


def _learners(path: Path) -> bool:
    return path.suffix == ".ipynb" and path.parent.name != "solutions"


def pytest_configure(config: pytest.Config) -> None:
    """Switch it on, unless pytest only lists what it would run, or this is not nano on a CPU."""
    if config.option.collectonly:
        return
    quiet()
    from ftlab import profiles

    if (str(profiles.profile()), profiles.device()) == ("nano", "cpu"):
        config.pluginmanager.register(Forecast(), "ftlab-forecast")
