"""The rank explorer: every stop answers, what was recorded is called so, a run is the real one.

pytest tests/show/test_rank_explorer.py
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from yardstick import in_pictures, moves

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.explorer.estimate import Estimate
from ftlab.explorer.explorer import Explorer
from ftlab.explorer.live import run_of
from ftlab.explorer.recorded import FILE
from ftlab.explorer.settings import PRESETS, RANKS, Settings
from ftlab.lab.lab import Lab, open_lab
from ftlab.methods.between import partway
from ftlab.methods.prepared import count
from ftlab.show.canvas.style import PAPER
from ftlab.show.panels import explorer_picture as drawn
from ftlab.show.panels.explorer_picture import explorer_picture, parameters
from ftlab.show.panels.explorer_sheet import Mark, Stop, along, frontier, plane, sheet
from ftlab.show.panels.rank_explorer import (
    NAMES,
    RankExplorer,
    rank_explorer,
    settings,
    values_of,
)
from ftlab.show.panels.sweep import in_turn

if not (data_dir() / "records" / FILE).is_file():
    pytest.skip("the recorded grid of the explorer is not made yet", allow_module_level=True)


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer.load()


@pytest.fixture(scope="module")
def panel(lab: Lab, explorer: Explorer) -> RankExplorer:
    return rank_explorer(lab, explorer)


def stops(control: Any) -> list[Any]:
    if not hasattr(control, "options"):
        return [False, True]
    return [o[1] if isinstance(o, tuple) else o for o in control.options]


def test_every_stop_of_every_control_answers(panel: RankExplorer) -> None:
    begin = panel.values
    for name, control in panel.controls.items():
        for stop in stops(control):
            panel.set(**{**begin, name: stop})
            assert panel.words.value == "", (name, stop)
            assert panel.figure.alt in panel.view.value.replace("&#x27;", "'")
    panel.set(**begin)


def test_every_preset_answers_and_is_what_it_says(panel: RankExplorer) -> None:
    for name, asked in PRESETS.items():
        panel.buttons[name].click()
        assert settings(panel.values).key == asked.key
        assert panel.figure.alt.startswith("Recorded:"), name
    assert {settings(values_of(asked)).key for asked in PRESETS.values()} == {
        asked.key for asked in PRESETS.values()
    }


def test_only_what_was_recorded_is_called_so(explorer: Explorer) -> None:
    point = explorer.points[0]
    assert explorer_picture(point.settings, explorer).alt.startswith("Recorded:")
    odd = replace(PRESETS["all-linear"], ranks=(1, 16, 2), lr=3e-4, steps=20, schedule="cosine")
    assert not explorer.nearest(odd).exact
    words = explorer_picture(odd, explorer).alt
    assert words.startswith("Not recorded. Estimated:") and "The nearest recorded run" in words


def estimated(asked: Settings, explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> Estimate:
    """What is estimated from here on, whatever is asked: fitting takes long."""
    kept = dict.fromkeys(explorer.points[0].kept, 0.75)
    off = {"target_score": 0.125, "retention": 0.0625}
    guess = Estimate(asked, 0.5, 0.75, kept, off)
    monkeypatch.setattr(explorer, "estimate", lambda asked: guess)
    return guess


@pytest.fixture
def axes_of(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plane of a picture, as matplotlib has it."""
    kept: list[Any] = []
    monkeypatch.setattr(drawn, "plane", lambda *given: kept.append(plane(*given)) or kept[-1])

    def axes(asked: Settings, **more: Any) -> Any:
        explorer_picture(asked, explorer, **more)
        return kept[-1].axes[0]

    return axes


def test_an_estimate_is_hollow_and_its_bars_are_as_wide_as_it_is_off(
    explorer: Explorer, axes_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = replace(PRESETS["all-linear"], ranks=(1, 16, 2), lr=3e-4, steps=20, schedule="cosine")
    guess = estimated(odd, explorer, monkeypatch)
    axes = axes_of(odd)
    (mark,) = [line for line in axes.lines if line.get_marker() == "D"]
    assert mark.get_markerfacecolor() == PAPER
    x, y = guess.target_score, guess.retention
    assert (*mark.get_xdata(), *mark.get_ydata()) == (x, y)
    across, up = (bars.get_segments()[0] for bars in axes.containers[0].lines[2])
    off_x, off_y = guess.off["target_score"], guess.off["retention"]
    assert across.tolist() == [[x - off_x, y], [x + off_x, y]]
    assert up.tolist() == [[x, y - off_y], [x, y + off_y]]
    assert "dashed" in explorer_picture(odd, explorer).html
    recorded = axes_of(PRESETS["naive"])
    (mark,) = [line for line in recorded.lines if line.get_marker() == "D"]
    assert mark.get_markerfacecolor() != PAPER and not recorded.containers
    assert "dashed" not in explorer_picture(PRESETS["naive"], explorer).html


def test_a_live_run_is_drawn_from_what_it_learned_to_what_it_retained(
    explorer: Explorer, axes_of: Any
) -> None:
    kept = dict.fromkeys(explorer.points[0].kept, 0.9)
    steps = [
        SimpleNamespace(
            step=n, measured={"target_score": n / 40, "retention": 1 - n / 100, "kept": kept}
        )
        for n in (0, 20)
    ]
    axes = axes_of(PRESETS["naive"], live=steps)
    (way,) = [line for line in axes.lines if line.get_marker() == "."]
    assert way.get_xydata().tolist() == [[0.0, 1.0], [0.5, 0.8]]
    html = explorer_picture(PRESETS["naive"], explorer, live=steps).html
    assert re.findall(r"now (\d+) %", html) == ["50", *["90"] * len(kept)]


def test_alpha_over_r_stands_in_its_own_band(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Settings(ranks=(1, 2, 8), alphas="fixed")
    estimated(asked, explorer, monkeypatch)
    html = explorer_picture(asked, explorer).html
    found = re.findall(r"<b>(\d+)</b><br>r (\d+), α/r (\d+)", html)
    assert found == [("1", "1", "16"), ("7", "2", "8"), ("10", "8", "4")]


def test_a_sliders_chart_shows_both_measures_at_their_stops() -> None:
    known = [SimpleNamespace(target_score=x, retention=y) for x, y in ((0.1, 0.9), (0.4, 0.7))]
    now = {"target_score": 0.2, "retention": 0.8}
    stops = [Stop("1", known[0], True, True), Stop("2", known[1], False, now=now)]
    axes: Any = along("rank", stops).axes[0]
    by: dict[Any, Any] = {}
    for line in axes.lines:
        by.setdefault(line.get_marker(), []).append(line.get_xydata().tolist())
    assert by["*"] == [[[1.0, 0.2]], [[1.0, 0.8]]]
    assert by["o"] == [[[0.0, 0.1]], [[1.0, 0.4]]] and by["s"] == [[[0.0, 0.9]], [[1.0, 0.7]]]
    hollow = [
        line.get_markerfacecolor() == PAPER for line in axes.lines if line.get_marker() == "o"
    ]
    assert hollow == [False, True]
    stars = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "*"]
    assert PAPER not in stars
    so_far: Any = along("rank", [replace(stop, part=True) for stop in stops]).axes[0]
    assert [x.get_markerfacecolor() for x in so_far.lines if x.get_marker() == "*"] == [PAPER] * 2


@pytest.mark.parametrize("alphas", ["scaled", "fixed"])
def test_what_is_trained_for_real_is_what_the_sliders_say(alphas: Any) -> None:
    from ftlab.explorer.live import method_of

    asked = Settings(ranks=(0, 2, 8), alphas=alphas, targets="qkvo", head=True)
    made = method_of(asked)
    assert made.ranks == {"7-9": 2, "10-12": 8}
    assert [made.alpha(b) / made.ranks[b] for b in made.ranks] == [s for s in asked.scales if s]
    assert (made.targets, made.head, made.dropout) == (("q", "k", "v", "o"), True, 0.0)


def test_a_slider_answers_at_once(panel: RankExplorer) -> None:
    """The first picture draws the sheet; the aim is 0.1 s, which `python -m tools.bench` times."""
    begin = panel.values
    assert in_pictures(*moves(panel.controls["high"], RANKS)) < 3  # 1
    panel.set(**begin)


def test_what_stays_the_same_is_drawn_once(explorer: Explorer) -> None:
    one, two = (plane(explorer, [Mark((x, 0.5), "here", "black")]) for x in (0.2, 0.4))
    assert one.behind is two.behind is sheet(explorer)[0]
    frame, above = sheet(explorer)[1], one.axes[0]
    assert above.get_position().bounds == frame["rect"]
    assert (above.get_xlim(), above.get_ylim()) == (frame["xlim"], frame["ylim"])


def test_boxes_say_what_each_block_carries(explorer: Explorer) -> None:
    asked = replace(PRESETS["all-linear"], ranks=(1, 0, 4))
    words = re.findall(r"<b>(\w+)</b><br>([^<]+)", explorer_picture(asked, explorer).html)
    assert [name for name, _ in words] == ["embeddings", *map(str, range(1, 13)), "head"]
    carried = [what.split(",")[0] for _, what in words]
    assert carried == ["frozen", *["r 1"] * 6, *["frozen"] * 3, *["r 4"] * 3, "frozen"]
    everything = explorer_picture(PRESETS["naive"], explorer).html
    assert everything.count("<br>all<") == 14


def test_the_frontier_is_beaten_by_no_point(explorer: Explorer) -> None:
    line = frontier(explorer.points)
    for point in explorer.points:
        assert not any(point.target_score > x and min(point.retention, 1.05) > y for x, y in line)


ASKED = [*PRESETS.values(), *(Settings(naive=True, frozen=blocks) for blocks in (3, 11))]


@pytest.mark.parametrize("asked", ASKED)
def test_the_parameters_are_those_of_the_live_model(asked: Settings, lab: Lab) -> None:
    from ftlab.explorer.live import method_of

    made = method_of(asked)(lab.fresh())
    assert parameters(asked) == made.trainable == count(made.model, "").trainable


def test_nothing_to_train_is_a_sentence(panel: RankExplorer) -> None:
    begin = panel.values
    panel.set(**{**begin, "low": 0, "middle": 0, "high": 0, "head": False, "what": "lora"})
    assert "nothing would be trained" in panel.words.value
    panel.start()
    assert not panel.running and "nothing would be trained" in panel.words.value
    panel.set(**begin)
    assert panel.words.value == ""


def test_trained_for_real_it_is_the_plain_run(lab: Lab, explorer: Explorer) -> None:
    """Without a kernel the run ends before the call returns."""
    from ftlab.explorer.live import method_of
    from ftlab.plan import Plan

    panel = rank_explorer(lab, explorer)
    panel.back.on_the_way = ()
    panel.set(low=0, middle=0, steps=20)
    panel.train.click()
    asked = settings(panel.values)
    steps = panel.trained[asked.key]
    assert (
        not panel.running and len(steps) == 21 and "Trained after 20 of 20" in panel.message.value
    )
    assert "Trained now, 20 of 20 steps" in panel.figure.alt
    plain = lab.run(Plan(steps=20, lr=asked.lr, measure_every=0), method=method_of(asked)).finish()
    assert [s.loss for s in steps[1:]] == pytest.approx([s.loss for s in plain.steps[1:]], rel=1e-4)
    panel.controls["lr"].value = 1e-3
    assert "Trained now" not in panel.figure.alt
    panel.controls["lr"].value = asked.lr
    assert "Trained now" in panel.figure.alt


def test_stop_ends_it_and_the_panel_goes_on(
    lab: Lab, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = rank_explorer(lab, explorer)
    panel.back.on_the_way = ()
    real = panel._steps

    def pressing(asked: Settings, every: int = 20) -> Iterator[Any]:
        for step in real(asked, every):
            if step.step == 3:
                panel.stop.click()
            yield step

    monkeypatch.setattr(panel, "_steps", pressing)
    panel.train.click()
    assert "Stopped after 3 of 80 steps, last measured at step 0," in panel.message.value
    assert not panel.train.disabled and panel.stop.disabled
    assert "Trained now, 0 of 80 steps: learned 0 %, retained 100 %" in panel.figure.alt
    stopped_at_0 = panel.figure.alt

    def at_once(_progress: Any) -> Iterator[Any]:
        panel.stop.click()
        return iter(())

    monkeypatch.setattr(panel, "_runs", at_once)  # stopped before anything was measured:
    panel.train.click()  # what was measured before stays
    assert panel.figure.alt == stopped_at_0 and "Stopped after 0 of 80" in panel.message.value


def test_a_failed_run_is_a_sentence(
    lab: Lab, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = rank_explorer(lab, explorer)

    def broken(asked: Settings, every: int = 20) -> Iterator[Any]:
        raise InputError("The loss is no longer a number.")
        yield

    monkeypatch.setattr(panel, "_steps", broken)
    panel.train.click()
    assert "no longer a number" in panel.message.value and not panel.train.disabled


def numbers(measured: Any) -> list[float]:
    return [measured[key] for key in ("target_loss", "general_loss", "target_score", "retention")]


def shortened(panel: RankExplorer, steps: int, words: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The panel's stops, those of these words alone and of so few steps."""
    real = panel.stops

    def some(*given: Any) -> dict[str, Settings]:
        return {w: replace(s, steps=steps) for w, s in real(*given).items() if w in words.split()}

    monkeypatch.setattr(panel, "stops", some)
    return some


@pytest.mark.parametrize(
    ("name", "begin", "words"),
    [
        ("high", {"low": 0, "middle": 0}, "1 16"),
        ("alphas", {"low": 0, "middle": 0}, "0.5 8"),
        ("frozen", {"what": "full", "lr": 1e-3}, "0 9"),
    ],
)
def test_a_sweep_trains_every_stop_as_it_is_trained_alone(
    lab: Lab, explorer: Explorer, monkeypatch: pytest.MonkeyPatch, name: str, begin: Any, words: str
) -> None:
    """In turn, two steps of each: every loss and measure is that of the run alone."""
    monkeypatch.setattr("ftlab.show.panels.rank_explorer.EVERY", 2)
    panel = rank_explorer(lab, explorer)
    panel.back.on_the_way = ()
    panel.set(**begin, steps=20)
    swept = shortened(panel, 4, words, monkeypatch)(name, panel.values)
    panel.sweeps[name].click()
    assert re.match(r"Trained: 2 of 2 stops, [\d.]+ s", panel.message.value)
    assert list(swept) == words.split() and panel.view.value.count("trained now") == 2
    for asked in swept.values():
        steps, alone = panel.trained[asked.key], run_of(lab, asked, every=2).finish().steps
        assert [s.loss for s in steps[1:]] == pytest.approx([s.loss for s in alone[1:]], rel=1e-5)
        assert [s.step for s in steps if s.measured] == [0, 2, 4]
        assert numbers(steps[-1].measured) == pytest.approx(numbers(alone[-1].measured))
    panel.sweeps[name].click()  # all are trained: what is shown is trained again, alone
    assert panel.message.value.startswith("Trained after")


def test_stops_are_where_something_is_trained_and_on_a_line(panel: RankExplorer) -> None:
    begin = panel.values
    panel.set(low=0, middle=0)
    found = {name: list(panel.stops(name, panel.values)) for name in ("high", "alphas", "frozen")}
    assert found["high"] == ["1", "2", "4", "8", "16", "32"]  # 0 trains nothing
    assert found["alphas"] == ["0.5", "1", "2", "4", "8"]  # the article's alphas are no number
    panel.set(**begin)


def steps_of(marks: str, failing: bool = False) -> Iterator[Any]:
    """Steps from 0 on, measured where there is a cross."""
    for number, mark in enumerate(marks):
        yield SimpleNamespace(step=number, measured={"x": 1} if mark == "x" else None)
    if failing:
        raise InputError("The loss is no longer a number.")


def test_stops_are_trained_in_turn_and_one_that_fails_ends_alone() -> None:
    a, b, c = (Settings(seed=seed) for seed in range(3))
    runs = {a: steps_of("x-x-x"), b: steps_of("x-x", failing=True), c: steps_of("x---x")}
    seen: list[Any] = []
    with pytest.raises(InputError, match="no longer a number"):
        seen.extend((s.seed, step.step) for s, step in in_turn(runs))
    taken = in_turn({a: steps_of("x-x-x"), b: (begun := steps_of("x-x-x"))})
    order = [(s.seed, step.step) for s, step in [next(taken) for _ in range(8)]]
    assert order == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (0, 4)]
    taken.close()
    assert next(begun, None) is None  # what has begun is closed


def test_every_stop_of_a_sweep_shows_its_own_run(
    lab: Lab, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the way back goes from the run whose settings are shown, not from the last one."""
    kept = estimated(PRESETS["all-linear"], explorer, monkeypatch).kept
    panel = rank_explorer(lab, explorer)
    panel.set(low=0, middle=0, high=4, steps=20)
    swept = {word: stop for word, stop in panel.stops("high", panel.values).items() if word in "48"}
    monkeypatch.setattr(panel, "stops", lambda *_: swept)

    def quick(asked: Settings, every: int) -> Iterator[Any]:
        panel._run = SimpleNamespace(of=asked, steps=[])
        share = asked.ranks[2] / 100
        measured = {"target_score": share, "retention": 1 - share, "kept": kept}
        yield SimpleNamespace(step=asked.steps, seconds=0.0, loss=1.0, measured=measured)

    monkeypatch.setattr(panel, "_steps", quick)
    panel.sweeps["high"].click()
    for rank in (4, 8):
        said = f"{rank}: learned {rank} %, retained {100 - rank} %, trained now"
        assert said in panel.view.value, rank
    assert panel.last is not None
    assert panel.last[0].ranks == panel.last[1].of.ranks == (0, 0, 4)


def test_where_all_weights_train_no_rank_is_swept(panel: RankExplorer) -> None:
    begin = panel.values
    panel.set(what="full")
    assert {name for name, button in panel.sweeps.items() if button.disabled} == {*NAMES, "alphas"}
    assert panel.controls["high"].disabled and not panel.controls["lr"].disabled
    assert panel.slider == "frozen" and "What lowest blocks frozen does" in panel.view.value
    panel.set(frozen=9)
    assert re.findall(r"<b>(\w+)</b><br>all<", panel.view.value) == ["10", "11", "12"]
    panel.set(**begin)
    off = {name for name, button in panel.sweeps.items() if button.disabled}
    assert off == {"frozen"} and panel.slider == "high"


def test_stop_ends_a_sweep_and_what_was_trained_stays(
    lab: Lab, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = rank_explorer(lab, explorer)
    panel.back.on_the_way = ()
    panel.set(low=0, middle=0, steps=20)
    real = panel._steps

    def pressing(asked: Settings, every: int) -> Iterator[Any]:
        for step in real(asked, every):
            if asked.ranks[2] == 2 and step.step == 5:
                panel.stop.click()
            yield step

    monkeypatch.setattr(panel, "_steps", pressing)
    panel.sweeps["high"].click()
    assert panel.message.value.startswith("Stopped: 1 of 6 stops")
    assert panel.view.value.count("trained now") == 1 and not panel.running


def test_the_way_back_is_measured_and_ends_at_the_base(lab: Lab, explorer: Explorer) -> None:
    panel = rank_explorer(lab, explorer)
    back = panel.back
    panel.set(low=0, middle=0, steps=20)
    assert back.control.disabled and back.offer.layout.display is None
    back.offer.click()  # no weights of recorded runs are stored, so this trains it
    assert not back.control.disabled and back.control.value == 1
    assert back.offer.layout.display == "none"
    assert sorted(back.measured) == [0, 0.25, 0.5, 0.75, 1]
    back.control.value = 0.4
    assert "a = 0.4: learned" in panel.figure.alt and "(measured)" in panel.figure.alt
    run = panel.last[1] if panel.last else None
    assert run is not None
    there = partway(lab.bundle.model, run.model)(0.4)
    assert numbers(back.measured[0.4]) == pytest.approx(numbers(lab.teacher_forced(there)))
    back.control.value = 0
    assert "learned 0 %, retained 100 % (measured)" in panel.figure.alt
    panel.last = settings(panel.values), SimpleNamespace(steps=[])  # another that has just begun
    panel._redraw()
    assert "a = 0" not in panel.figure.alt
    panel.controls["lr"].value = 1e-3  # not what was trained
    assert back.control.disabled and "a = 0" not in panel.figure.alt


def test_between_two_measured_places_the_nearer_one_counts_more() -> None:
    ways = {0.0: (0.0, 1.0), 0.5: (0.4, 0.9), 1.0: (0.9, 0.3)}
    measured = {a: {"target_score": x, "retention": y} for a, (x, y) in ways.items()}
    found = drawn.partway_of(0.6, measured)
    assert found == pytest.approx({"target_score": 0.5, "retention": 0.78})
    assert all(drawn.partway_of(a, measured) == measured[a] for a in measured)


def test_both_are_asked(lab: Lab, explorer: Explorer) -> None:
    panel = rank_explorer(lab, explorer)
    panel.ask.ask("The capital of Norway is")
    assert "press Train it for real first" in panel.ask.view.value
    panel.back.on_the_way = ()
    panel.set(low=0, middle=0, steps=20)
    panel.train.click()
    panel.ask.ready["task"].click()
    assert panel.ask.text.value == dict(lab.domain.test[0])["prompt"]
    assert panel.ask.answers.keys() == {"base", "trained"}
    assert panel.ask.answers["base"] in unescape(panel.ask.view.value)


def test_a_lab_of_another_model_is_refused(explorer: Explorer) -> None:
    other = open_lab("helpdesk", model="nano-gpt2", target_items=4, per_skill=2, documents=2)
    with pytest.raises(InputError, match="this lab is another"):
        rank_explorer(other, explorer)
