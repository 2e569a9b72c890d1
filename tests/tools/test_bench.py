"""What `python -m tools.bench` times is the same work each way, and it is told in words and as
JSON.

pytest tests/tools/test_bench.py
"""

import dataclasses
import json
from typing import Any

import pytest

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.explorer import settings as stops
from ftlab.explorer.explorer import Explorer
from ftlab.explorer.recorded import FILE
from ftlab.explorer.settings import PRESETS, RANKS
from ftlab.lab.lab import Lab
from ftlab.plan import Plan
from ftlab.show.panels.rank_explorer import RankExplorer, rank_explorer, settings, values_of
from tools.bench import __main__ as command
from tools.bench import explorer
from tools.bench.explorer import ELSEWHERE, SLIDERS, Bench
from tools.bench.ways import ASKED, Ways, by_plain, by_trainer, three_ways

MADE = (data_dir() / "records" / FILE).is_file()
needs_grid = pytest.mark.skipif(not MADE, reason="the recorded grid of the explorer is not made")

WAYS = Ways(
    steps=40,
    rounds=3,
    seconds={"plain": 4.0, "fast": 2.0, "trainer": 6.0},
    losses={"plain": 0.5, "fast": 0.5, "trainer": 0.5},
    apart=2e-7,
)
FOUND = Bench(
    device="cpu",
    threads=2,
    moves=21,
    move=0.05,
    estimated_move=0.06,
    slowest_move=0.09,
    first_estimate=0.4,
    live_steps=40,
    live=3.0,
    first_live=4.0,
    presets={"naive": 4.5, "all-linear": 4.75},
    stops=7,
    sweep=8.0,
    apart=12.0,
    ways=WAYS,
)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stand in for the timing; what was asked of it."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(explorer, "bench", lambda **given: asked.append(given) or FOUND)
    return asked


def test_all_ways_do_the_same_work(lab: Lab) -> None:
    ways = three_ways(lab, dataclasses.replace(ASKED, steps=6), rounds=1)
    assert ways.same and ways.apart < 1e-4
    assert ways.losses["trainer"] == pytest.approx(ways.losses["plain"], rel=1e-4)
    assert all(seconds > 0 for seconds in ways.seconds.values())
    assert ways.ratio("trainer", "fast") == ways.seconds["trainer"] / ways.seconds["fast"]


def test_training_goes_on_as_before_after_a_trainer(lab: Lab) -> None:
    """What Trainer leaves behind in Accelerate's shared state changes no number of ours."""
    plan = Plan(steps=3, lr=1e-3, measure_every=0)
    before = by_plain(lab.run(plan))
    assert by_trainer(lab.run(plan)) == pytest.approx(before, rel=1e-4)
    assert by_plain(lab.run(plan)) == before


@needs_grid
def test_a_move_to_every_stop_and_back_is_timed(lab: Lab, monkeypatch: Any) -> None:
    monkeypatch.setattr(explorer, "SLIDERS", ("high",))
    panel = rank_explorer(lab)
    begin, shown = panel.values, []
    panel.view.observe(lambda _: shown.append(settings(panel.values)), names="value")
    recorded, fitted, estimated = explorer.moves(panel)
    assert len(recorded) == len(estimated) == len(RANKS)
    assert min([fitted, *recorded, *estimated]) > 0
    assert panel.values == begin and len(shown) == 2 * len(RANKS) + 2
    assert {asked.ranks[2] for asked in shown} == set(RANKS)


@needs_grid
def test_all_stops_are_recorded_at_first_and_none_elsewhere() -> None:
    explorer, begin = Explorer.load(), values_of(ASKED)
    for name in SLIDERS:
        for rank in RANKS:
            values = begin | {name: rank}
            assert explorer.nearest(settings(values)).exact
            assert not explorer.nearest(settings(values | ELSEWHERE)).exact


@needs_grid
def test_a_live_run_that_breaks_off_is_not_timed(lab: Lab, monkeypatch: Any) -> None:
    panel = rank_explorer(lab)

    def broken(_asked: Any, _every: int) -> Any:
        raise InputError("The loss is no longer a number.")
        yield

    monkeypatch.setattr(panel, "_steps", broken)
    with pytest.raises(InputError, match=r"did not come to its end: The loss is no longer"):
        explorer.live_runs(panel, 1)


@needs_grid
@pytest.mark.slow
def test_all_of_it_is_timed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """With live runs of two steps, a lab that asks few questions, and fewer stops."""
    monkeypatch.setattr(explorer, "open_lab", lambda *_, **__: lab)
    monkeypatch.setattr(stops, "STEPS", (2, *stops.STEPS))
    monkeypatch.setattr(explorer, "SWEEP_STEPS", 2)
    monkeypatch.setattr(explorer, "SLIDERS", SLIDERS[:1])
    for name, preset in PRESETS.items():
        monkeypatch.setitem(PRESETS, name, dataclasses.replace(preset, steps=2))
    trained, stops_of = explorer.live_runs, RankExplorer.stops
    monkeypatch.setattr(
        RankExplorer, "stops", lambda *asked: dict(list(stops_of(*asked).items())[:3])
    )

    def short(panel: RankExplorer, count: int) -> list[float]:
        panel.set(steps=2)
        return trained(panel, count)

    monkeypatch.setattr(explorer, "live_runs", short)
    found = explorer.bench(steps=2, rounds=1)
    assert found.ways.same and found.ways.steps == 2 and found.live_steps == 2
    assert 0 < found.move <= found.slowest_move and found.live > 0 and found.first_live > 0
    assert found.presets.keys() == PRESETS.keys() and min(found.presets.values()) > 0
    assert found.stops == 3 and found.sweep > 0 and found.apart > 0


def test_it_is_told_in_words(capsys: pytest.CaptureFixture[str], found: list[Any]) -> None:
    assert command.main([]) == 0 and found == [{"steps": 40}]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "On cpu, 2 threads."
    for words, numbers in {
        "a slider move to a recorded run": ["50 ms", "slowest of 42: 90 ms"],
        "a slider move to an estimate": ["60 ms", "400 ms"],
        "a live run, 40 steps": ["3.00 s", "4.00 s"],
        "  naive": ["4.50 s"],
        "  all-linear": ["4.75 s"],
        "a sweep of 7 stops": ["8.00 s", "1.50 times as fast", "12.00 s"],
        "the explorer's way": ["2.00 s", "1.00", "0.50"],
        "the plain loop": ["4.00 s", "2.00", "1.00"],
        "transformers.Trainer": ["6.00 s", "3.00", "1.50"],
        "Largest difference": ["2.0e-07", "the same work."],
    }.items():
        line = next(line for line in lines if line.startswith(words))
        assert all(number in line for number in numbers), line


def test_it_is_told_to_a_program(capsys: pytest.CaptureFixture[str], found: list[Any]) -> None:
    assert command.main(["--json", "--steps", "7"]) == 0 and found == [{"steps": 7}]
    told = json.loads(capsys.readouterr().out)
    ratios = {"plain/fast": 2, "trainer/fast": 3, "trainer/plain": 1.5, "apart/sweep": 1.5}
    assert told["ratios"] == ratios
    assert told["ways"]["seconds"] == WAYS.seconds and told["threads"] == 2


def test_other_work_is_called_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(FOUND, ways=dataclasses.replace(WAYS, apart=0.01))
    monkeypatch.setattr(explorer, "bench", lambda **_: other)
    assert command.main([]) == 1
    assert "NOT the same work" in capsys.readouterr().out


def test_slips_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--steps", "0"]) == 2
    assert "steps=0 is not possible" in capsys.readouterr().err
    with pytest.raises(InputError, match="rounds=0 is not possible"):
        explorer.bench(rounds=0)
