"""The explorer's grid: recorded points come back as recorded, and estimates as estimates.

Run: pytest tests/explorer/test_recorded.py
"""

import dataclasses
import itertools
import json
import random
import statistics

import numpy as np
import pytest
from yardstick import in_pictures

from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.evaluate.evaluator import Sizes
from ftlab.explorer import recorded
from ftlab.explorer.estimate import Estimate, left_out
from ftlab.explorer.explorer import Explorer
from ftlab.explorer.live import run_of
from ftlab.explorer.recorded import points_of, read
from ftlab.explorer.settings import (
    ALPHAS,
    FIRST,
    FROZEN,
    PRESETS,
    RANKS,
    RATES,
    SCHEDULES,
    SEEDS,
    STEPS,
    TARGETS,
    Settings,
)
from ftlab.lab.lab import Lab, open_lab
from ftlab.record import rows_checksum
from tools.data import explorer as maker
from tools.data.explorer import make, plan

BASELINE = {
    "target_score": 0.0, "seen_score": 0.0, "held_score": 0.0, "target_loss": 9.0,
    "general_loss": 1.0, "retention": 1.0, "kept": {"facts": 1.0, "grammar": 1.0},
}  # fmt: skip


def invented(settings: Settings) -> dict:
    """A run's line with smooth numbers: the faster, the more is learned and forgotten."""
    points = []
    for step in range(20, settings.steps + 1, 20):
        speed = settings.lr * step * (4 if settings.naive else 1 + sum(settings.ranks) / 48)
        learned, kept = round(speed / (1 + speed), 4), round(1 / (1 + speed), 4)
        moved = {
            "target_score": learned,
            "retention": kept,
            "kept": {"facts": kept, "grammar": kept},
        }
        points.append({**BASELINE, **moved, "step": step, "loss": 1 - learned})
    row = {"settings": dataclasses.asdict(settings), "trainable": 1 + sum(settings.ranks)}
    return json.loads(json.dumps({**row, "points": points}))


@pytest.fixture(scope="module")
def grid() -> Explorer:
    """The whole plan, with invented numbers."""
    points = [point for settings in plan() for point in points_of(invented(settings))]
    return Explorer({"kind": "explorer", "baseline": BASELINE}, points)


@pytest.fixture(scope="module")
def shipped() -> Explorer:
    """The file that ships."""
    if not (data_dir() / "records" / recorded.FILE).is_file():
        pytest.skip("THE EXPLORER'S GRID IS NOT THERE: python -m tools.data.explorer")
    return Explorer.load()


def every_stop() -> list[Settings]:
    """Every stop of every slider, from every preset, and some positions drawn by lot."""
    stops = {
        "ranks": list(itertools.product(RANKS, repeat=3)),
        "alphas": ALPHAS, "targets": TARGETS, "head": (False, True), "lr": RATES,
        "schedule": SCHEDULES, "steps": STEPS, "seed": SEEDS, "naive": (False, True),
        "frozen": FROZEN,
    }  # fmt: skip
    singles = [
        dataclasses.replace(preset, **{name: stop})
        for preset in PRESETS.values()
        for name, choices in stops.items()
        for stop in (choices if name != "ranks" else random.Random(1).sample(choices, 30))
    ]
    dice = random.Random(2)
    drawn = [{name: dice.choice(list(stop)) for name, stop in stops.items()} for _ in range(100)]
    return [*singles, *(Settings(**one) for one in drawn)]


# --- the plan -------------------------------------------------------------------------------------


def test_the_plan_names_every_run_once_and_begins_with_the_presets():
    found = plan()
    keys = [settings.key for settings in found]
    assert len(set(keys)) == len(keys) > 150
    assert all(settings.moves for settings in found)
    first = {dataclasses.replace(s, lr=3e-3) for s in found[: len(PRESETS) * len(RATES)]}
    assert first == {dataclasses.replace(preset, steps=80) for preset in PRESETS.values()}
    used = [s.ranks for s in found if not s.naive]
    assert all({ranks[band] for ranks in used} == set(RANKS) for band in range(3))


# --- looking up -----------------------------------------------------------------------------------


def test_what_was_recorded_comes_back_as_recorded(grid: Explorer):
    for point in grid.points:
        found = grid.nearest(point.settings)
        assert found.exact and found.distance == 0 and found.recorded is point
    row = invented(plan()[0])
    ends = [grid.nearest(Settings(**{**row["settings"], "steps": s})) for s in (20, 40, 80)]
    told = {point["step"]: point["retention"] for point in row["points"]}
    assert [end.recorded.retention for end in ends] == [told[20], told[40], told[80]]
    assert ends[1].recorded.curve == (
        (20, row["points"][0]["target_score"], told[20]),
        (40, row["points"][1]["target_score"], told[40]),
    )


def test_under_a_cosine_only_the_end_was_recorded(grid: Explorer):
    ends = [p for p in grid.points if p.settings.schedule == "cosine"]
    assert {p.settings.key for p in ends} == {s.key for s in plan() if s.schedule == "cosine"}


def test_what_was_not_recorded_is_never_shown_as_recorded(grid: Explorer):
    known = {point.settings.key: point for point in grid.points}
    for asked in every_stop():
        found = grid.nearest(asked)
        if not asked.moves:
            assert found.exact and found.recorded.retention == 1
        elif asked.key in known:
            assert found.exact and found.recorded is known[asked.key]
        else:
            assert not found.exact and found.differs and found.distance > 0
            assert found.recorded is known[found.recorded.settings.key]


def test_another_seed_is_the_nearest_there_is(grid: Explorer):
    found = grid.nearest(dataclasses.replace(PRESETS["all-linear"], seed=7))
    assert len(found.differs) == 1 and found.differs[0].startswith("seed")


def test_where_nothing_moves_the_base_is_the_answer(grid: Explorer):
    found = grid.nearest(Settings(ranks=(0, 0, 0)))
    assert found.exact and found.recorded.trainable == 0 and found.recorded.retention == 1


def test_every_stop_has_an_estimate_from_0_to_1(grid: Explorer):
    for asked in every_stop():
        found = grid.estimate(asked)
        assert isinstance(found, Estimate) and not found.recorded
        values = [found.target_score, found.retention, *found.kept.values()]
        assert all(0 <= value <= 1 for value in values)
        assert found.off == grid.estimator.off


def test_estimates_come_close_to_what_was_left_out(grid: Explorer):
    scores = [p.target_score for p in grid.points]
    apart = statistics.fmean(abs(s - statistics.fmean(scores)) for s in scores)
    assert grid.estimator.off["target_score"] < apart / 3
    assert grid.estimator.off["retention"] < 0.1


def test_leaving_out_is_what_it_says():
    """Against a process fitted without the run, by hand."""
    dice = np.random.default_rng(0)
    x, z = dice.normal(size=(9, 2)), dice.normal(size=(9, 1))
    runs = np.array([0, 0, 0, 1, 1, 2, 3, 3, 4])
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1)) + 0.1 * np.eye(9)
    made = left_out(np.linalg.inv(kernel), z, runs)
    for run in range(5):
        out, rest = runs == run, runs != run
        by_hand = kernel[np.ix_(out, rest)] @ np.linalg.solve(kernel[np.ix_(rest, rest)], z[rest])
        assert np.allclose(made[out], by_hand)


def test_a_lookup_takes_a_part_of_a_picture(grid: Explorer):
    """The aim is 20 ms beside 80 for the picture; the first estimate fits the estimator."""
    grid.estimate(Settings())
    looks = [
        lambda asked=asked: (grid.nearest(asked), grid.estimate(asked))
        for asked in every_stop()[::5]
    ]
    assert in_pictures(*looks) < 0.3


# --- making it ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab() -> Lab:
    lab = open_lab("clinic", model="nano-gpt2", target_items=4, per_skill=2, documents=2)
    lab.fast_sizes = Sizes(target_items=4, per_skill=2, documents=2)
    return lab


SHORT = [Settings(steps=2), Settings(ranks=(0, 0, 0), head=True, steps=2), Settings(steps=3)]


def test_the_maker_goes_on_where_it_was(lab: Lab, tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "plan", lambda: SHORT)
    path = tmp_path / "records" / "explorer.jsonl"
    assert len(list(make(path, most=2, lab=lab))) == 2
    whole = path.read_text()
    path.write_text(whole + whole.splitlines()[-1][:50])  # killed while it wrote
    assert [news[:6] for news in make(path, lab=lab)] == ["1 of 1"]
    assert path.read_text().startswith(whole)
    assert list(make(path, lab=lab)) == []
    assert [run["settings"]["steps"] for run in read(path)[1]] == [2, 2, 3]
    assert {p.settings.key for p in Explorer.load(path).points} == {s.key for s in SHORT}


def test_a_file_of_another_base_is_not_added_to(lab: Lab, tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "plan", list)
    path = tmp_path / "explorer.jsonl"
    list(make(path, lab=lab))
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {"model_checksum": "another"}) + "\n")
    with pytest.raises(InputError, match="another model_checksum"):
        list(make(path, lab=lab))


HEADER = json.dumps({"kind": "explorer", "baseline": BASELINE}) + "\n"
RUN = json.dumps(invented(Settings(steps=20))) + "\n"
NO_GRIDS = {
    "empty": (b"", "Line 1 .*cannot be read"),
    "another kind": (b'{"kind": "other"}\n', "Line 1 .*kind"),
    "a list": (b"[1]\n", "Line 1 .*an object"),
    "latin 1": (b"\xff\xfe{}\n", "Line 1 .*cannot be read"),
    "no JSON": (HEADER + "{nonsense\n", "Line 2 .*cannot be read"),
    "no run": (HEADER + '{"x": 1}\n', "Line 2 .*settings"),
    "no number": (
        HEADER + RUN + RUN.replace('"step": 20', '"step": "20"'),
        "Line 3 .*points.0.step",
    ),
    "above 1": (HEADER + RUN.replace('"target_score": 0', '"target_score": 7'), "target_score"),
    "no such slider": (HEADER + RUN.replace('"qv"', '"zz"'), "settings.targets"),
    "no points": (HEADER + RUN.split('"points"')[0] + '"points": []}\n', "points"),
    "no run yet": (HEADER, "no run yet"),
}


@pytest.mark.parametrize("case", NO_GRIDS)
def test_files_that_are_no_grid_are_refused_in_a_sentence(tmp_path, case):
    content, said = NO_GRIDS[case]
    path = tmp_path / "explorer.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said) as caught:
        Explorer.load(path)
    assert "python -m tools.data.explorer" in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_a_whole_file_is_read_and_a_missing_one_named(tmp_path):
    path = tmp_path / "explorer.jsonl"
    with pytest.raises(InputError, match="is missing"):
        Explorer.load(path)
    path.write_text(HEADER + RUN + RUN[:50])
    assert len(Explorer.load(path).points) == 1


def test_what_ships_is_held_to_its_checksum(tmp_path, monkeypatch):
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    path = tmp_path / "records" / recorded.FILE
    path.parent.mkdir()
    path.write_text(HEADER + RUN)
    checksums.write(tmp_path)
    assert Explorer.load().points
    path.write_text(HEADER + RUN.replace('"retention": 0.9', '"retention": 0.8'))
    with pytest.raises(InputError, match="not what CHECKSUMS lists"):
        Explorer.load()


# --- the file that ships --------------------------------------------------------------------------


def test_what_ships_says_what_made_it(shipped: Explorer, lab: Lab):
    assert shipped.header["model_checksum"] == lab.bundle.checksum
    assert shipped.header["data_checksum"] == rows_checksum(lab.items())
    assert {"command", "versions", "draw", "measured_on", "device"} <= shipped.header.keys()
    assert (data_dir() / "records" / recorded.FILE).stat().st_size < 2**20


def test_what_ships_answers_every_stop(shipped: Explorer):
    for asked in every_stop():
        assert shipped.nearest(asked).recorded.retention >= 0
        assert 0 <= shipped.estimate(asked).retention <= 1
    presets = [
        shipped.nearest(dataclasses.replace(p, lr=r)) for p in PRESETS.values() for r in RATES
    ]
    assert all(found.exact for found in presets)


def test_the_explorer_opens_on_a_run_worth_looking_at(shipped: Explorer):
    found = shipped.nearest(PRESETS[FIRST])
    assert found.exact and 60 <= PRESETS[FIRST].steps <= 80
    assert found.recorded.target_score >= 0.75 and found.recorded.retention >= 0.85


def test_training_it_again_gives_what_ships(shipped: Explorer):
    asked = dataclasses.replace(PRESETS["the article's table"], steps=20)
    found = shipped.nearest(asked)
    assert found.exact
    *_, last = run_of(open_lab("clinic", model="nano-gpt2"), asked)
    assert last.measured is not None
    for name in ("target_score", "retention"):
        assert last.measured[name] == pytest.approx(getattr(found.recorded, name), abs=0.02)
