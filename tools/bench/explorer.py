"""How fast the rank explorer answers and trains, and how fast two other ways train the same.

    found = bench()                  all of it, about a minute on two cores
    slider_moves(panel)              seconds of each move, from where the controls stand
    live_runs(panel, 3)              seconds of *Train it for real*, each
    preset_runs(panel)               the same once for each preset

Training alone, the fast way against the plain loop and transformers.Trainer: `tools.bench.ways`.

Notable choices:
- A slider move is timed as the kernel has it, from the new value to the picture in the widget,
  PNG included; a browser adds its own time. It is timed where all stops are recorded, and where
  none is and each is estimated.
- A live run is timed from the press to its last picture, points and all. The first one measures
  the base as well; the presets come after it, each from an empty cache.

Run the tests: pytest tests/tools/test_bench.py
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import unescape
from statistics import median
from typing import Any

import torch

from ftlab.base.errors import InputError
from ftlab.explorer.settings import PRESETS
from ftlab.lab.lab import open_lab
from ftlab.show.panels.rank_explorer import RankExplorer, rank_explorer, values_of
from tools.bench.ways import ASKED, Ways, three_ways

SLIDERS = ("low", "middle", "high")
"""The rank sliders of the panel."""
SWEEP_STEPS = 20
"""Of each run of a sweep."""
ELSEWHERE = {"targets": "ff", "lr": 3e-4, "schedule": "cosine"}
"""Where no stop of the rank sliders is recorded, so that each is estimated."""


@dataclass(frozen=True)
class Bench:
    """All that was timed, in seconds."""

    device: str
    """cpu or cuda."""
    threads: int
    """Of torch, the same for everything."""
    moves: int
    """How many slider moves were timed, where all stops are recorded and again where none is."""
    move: float
    """The median of those that show a recorded run."""
    estimated_move: float
    """The median of those that show an estimate."""
    slowest_move: float
    """The slowest of both, but the first estimate."""
    first_estimate: float
    """Going to where the first estimate is shown: it is fitted then."""
    live_steps: int
    """Of a live run at the panel's defaults."""
    live: float
    """A live run with its points and pictures; the median of all but the first."""
    first_live: float
    """The first one, which measures the base as well and fills the cache."""
    presets: dict[str, float]
    """A live run of each preset, by its name."""
    stops: int
    """How many stops a sweep trained."""
    sweep: float
    """Seconds it took."""
    apart: float
    """Seconds of its runs one by one."""
    ways: Ways
    """The training alone, three ways."""


def bench(*, steps: int = ASKED.steps, rounds: int = 3) -> Bench:
    """Time everything on nano-gpt2 and the clinic; `steps` is the length of the three ways.

    Raises InputError for fewer than one step or round, or where the explorer's grid is missing.
    """
    if steps < 1 or rounds < 1:
        raise InputError(
            f"steps={steps} and rounds={rounds} is not possible; give whole numbers from 1 up."
        )
    lab = open_lab("clinic", model="nano-gpt2")
    panel = rank_explorer(lab)
    panel.back.on_the_way = ()  # what is measured after a run is no part of it
    recorded, fitted, estimated = moves(panel)
    first, *later = live_runs(panel, rounds + 1)
    presets = preset_runs(panel)
    return Bench(
        device=lab.bundle.model.device.type,
        threads=torch.get_num_threads(),
        moves=len(recorded),
        move=median(recorded),
        estimated_move=median(estimated),
        slowest_move=max(recorded + estimated),
        first_estimate=fitted,
        live_steps=panel.values["steps"],
        live=median(later),
        first_live=first,
        presets=presets,
        **sweeps(panel),
        ways=three_ways(lab, replace(ASKED, steps=steps), rounds=rounds),
    )


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- the panel ------------------------------------------------------------------------------------


def moves(panel: RankExplorer) -> tuple[list[float], float, list[float]]:
    """Seconds of the moves among recorded runs, of the first estimate, and among estimates."""
    begin, recorded = panel.values, slider_moves(panel)
    fitted = _seconds(lambda: panel.set(**ELSEWHERE))
    estimated = slider_moves(panel)
    panel.set(**begin)
    return recorded, fitted, estimated


def slider_moves(panel: RankExplorer) -> list[float]:
    """Seconds of a move to each stop of each rank slider; they end where they began."""
    return [second for name in SLIDERS for second in _moves(panel, panel.controls[name])]


def _moves(panel: RankExplorer, control: Any) -> list[float]:
    stops = [stop for _, stop in control.options if stop != control.value]
    return [
        _seconds(lambda stop=stop: _move(panel, control, stop)) for stop in (*stops, control.value)
    ]


def _move(panel: RankExplorer, control: Any, stop: Any) -> None:
    before = panel.figure
    control.value = stop
    if panel.figure is before:
        raise InputError(f"The panel drew nothing at {control.description} {stop}.")


def live_runs(panel: RankExplorer, count: int) -> list[float]:
    """Seconds of *Train it for real*, pressed `count` times; not within a running loop (Jupyter).

    Raises InputError for a run that did not come to its end.
    """
    return [_seconds(lambda: _press(panel)) for _ in range(count)]


def preset_runs(panel: RankExplorer) -> dict[str, float]:
    """Seconds of a live run of each preset, from an empty cache; the controls end as they stood."""
    begin, found = panel.values, {}
    for name in panel.buttons:
        panel.buttons[name].click()
        panel.clear()
        found[name] = live_runs(panel, 1)[0]
    panel.set(**begin)
    return found


def sweeps(panel: RankExplorer) -> dict[str, Any]:
    """Seconds of a sweep of the upper ranks of the article's table, and of its runs one by one.

    Each of SWEEP_STEPS; a run alone begins with an empty cache.
    """
    begin = panel.values
    panel.set(**values_of(replace(PRESETS["the article's table"], steps=SWEEP_STEPS)))
    values = panel.values
    panel.trained.clear()
    panel.clear()
    seconds = _seconds(lambda: panel.start("high"))
    stops = panel.stops("high", values).values()
    apart = 0.0
    for stop in stops:
        panel.set(**values_of(stop))
        panel.clear()
        apart += live_runs(panel, 1)[0]
    panel.set(**begin)
    return {"stops": len(stops), "sweep": seconds, "apart": apart}


def _press(panel: RankExplorer) -> None:
    panel.start()
    if not panel.message.value.startswith("Trained"):
        told = unescape(re.sub("<[^>]*>", "", panel.message.value))
        raise InputError(f"The live run did not come to its end: {told}")
