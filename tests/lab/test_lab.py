"""The lab bench and the grid: fresh copies, records that say what was run, no run made twice.

Run: pytest tests/lab/test_lab.py
"""

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.base.jsonfile import plain
from ftlab.experiments import make
from ftlab.experiments.prune import Pruned
from ftlab.lab.lab import Lab
from ftlab.lab.run import Run
from ftlab.plan import Plan

QUICK = Plan(steps=2, batch_size=4, measure_every=0)


@pytest.fixture(scope="module")
def done(lab: Lab) -> Run:
    return lab.run(QUICK, name="a test", items=8).finish()


def test_a_run_leaves_the_base_as_it_was(lab: Lab):
    before = {name: value.clone() for name, value in lab.bundle.model.state_dict().items()}
    run = lab.run(QUICK).finish()
    assert [step.step for step in run.steps] == [0, 1, 2]
    after = lab.bundle.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    moved = run.model.get_parameter("transformer.wte.weight")
    assert not torch.equal(before["transformer.wte.weight"], moved)


def test_two_runs_of_a_plan_are_bit_equal_and_forgetting_starts_at_zero(lab: Lab, done: Run):
    assert lab.run(QUICK, items=8).finish().steps == done.steps
    first = done.steps[0].measured
    assert first is not None
    assert first["retention"] == 1 and first["forgotten"] == 0 and first["learned"] == 0


def test_the_record_says_what_was_run(done: Run, tmp_path):
    record = done.record
    assert record.budget["examples"] == 8 and record.budget["steps"] == 2
    assert record.trainable == record.total == 2_805_504
    assert "questions" in record.command  # this lab asks fewer than a command does
    assert record.extra["method"] == {"name": "full"} and record.schema == records.SCHEMA
    assert records.load(records.save(record, tmp_path)) == record


def test_a_record_holds_the_base_as_it_was_and_the_model_as_it_became(lab: Lab):
    run = lab.run(dataclasses.replace(QUICK, lr=1e-2)).finish()
    record = run.record
    assert record.baseline == lab.evaluator.baseline_full == lab.evaluator.full(lab.fresh())
    assert record.baseline["retention"] == 1 and record.baseline["kl_general"] == 0
    assert record.final == lab.evaluator.full(run.model) and record.final["kl_general"] > 0
    assert record.final["forgotten"] == pytest.approx(
        record.final["general_loss"] - record.baseline["general_loss"]
    )


def test_a_run_cannot_be_read_before_it_ran_nor_run_twice(lab: Lab, done: Run):
    with pytest.raises(InputError, match="no step yet"):
        _ = lab.run(QUICK).record
    with pytest.raises(InputError, match="trained already"):
        done.finish()


def test_a_run_that_diverged_has_no_result(lab: Lab, tmp_path):
    run = lab.run(dataclasses.replace(QUICK, lr=1e30), store=False)
    with pytest.raises(InputError, match="no longer a number"):
        run.finish()
    assert len(run.steps) >= 1
    for ask in (lambda: run.record, lambda: run.final):
        with pytest.raises(InputError, match=r"has no result. The loss is no longer a number"):
            ask()
    broken = lab.fresh()
    with torch.no_grad():
        broken.get_parameter("transformer.wte.weight").fill_(torch.nan)
    with pytest.raises(InputError, match=r"general_loss \(broken\) is no number"):
        lab.measure(broken, name="broken")


def test_more_items_than_there_are_is_refused(lab: Lab):
    with pytest.raises(InputError, match="1 to 400"):
        lab.run(QUICK, items=401)


def test_samples_and_sayings_stand_side_by_side(done: Run):
    assert [set(row) for row in done.samples(2)] == [{"prompt", "expected", "before", "after"}] * 2
    said = done.say(["The capital of Norway is"], 4)
    assert said[0]["before"].strip().startswith("Oslo")


def test_a_grid_makes_only_what_is_missing(lab: Lab, tmp_path, monkeypatch):
    plans = [
        make.Point("learning rate", "clinic", QUICK),
        make.Point("data set", "clinic", QUICK, 8),
    ]
    monkeypatch.setattr(make, "points", lambda name, model: plans)
    monkeypatch.setattr("ftlab.lab.lab.open_lab", lambda domain, model, base, **sizes: lab)
    assert len(list(make.run_grid("decoder", model="nano-gpt2", folder=tmp_path, most=1))) == 1
    assert len(list(make.run_grid("decoder", model="nano-gpt2", folder=tmp_path))) == 1
    assert not list(make.run_grid("decoder", model="nano-gpt2", folder=tmp_path))
    damaged = next(tmp_path.glob("data-set*"))
    damaged.write_text("{")
    told = list(make.run_grid("decoder", model="nano-gpt2", folder=tmp_path))
    assert f"Left out: {damaged} cannot be read" in told[0] and "1 of 1: data set" in told[1]
    made = records.load_all(tmp_path)
    assert {record.extra["items"] for record in made} == {8, 400}


def test_a_grid_in_parts_makes_each_run_once(monkeypatch):
    plans = make.points("decoder", "nano-gpt2")[:7]
    seen: list[str] = []

    def run_point(lab, point, grid, run):
        seen.append(point.name)
        return SimpleNamespace(final={"target_score": 0.5, "retention": 1.0}, seconds=1.0)

    monkeypatch.setattr(make, "points", lambda name, model: plans)
    monkeypatch.setattr("ftlab.lab.lab.open_lab", lambda domain, **_: SimpleNamespace())
    monkeypatch.setattr(make, "run_point", run_point)
    monkeypatch.setattr(make, "_trained", lambda lab, point: None)
    monkeypatch.setattr(make.records, "save", lambda record, folder: None)
    for k in range(3):
        list(make.run_grid("decoder", model="nano-gpt2", folder=Path("none"), part=(k, 3)))
    assert sorted(seen) == sorted(point.name for point in plans)


def test_the_shipped_grid_is_whole_and_made_with_the_shipped_model(lab: Lab):
    from ftlab.base.paths import data_dir

    found = {record.name: record for record in records.load_all(data_dir() / "records" / "nano")}
    planned = make.points("decoder", "nano-gpt2")
    assert set(found) == {point.name for point in planned}
    assert {record.model_checksum for record in found.values()} == {lab.bundle.checksum}


def test_the_laptop_grid_holds_nothing_unplanned_and_one_model():
    from ftlab.base.paths import data_dir

    model, folder = "smollm2-135m", data_dir() / "records" / "laptop"
    found = {record.name: record for record in records.load_all(folder)}
    planned = {point.name: point for point in make.points("decoder", model)}
    assert set(found) <= set(planned)
    for name, record in found.items():  # so that each record's command makes that run
        point = planned[name]
        if "method" in record.extra:
            method = plain(point.method) if point.method else {"name": "full"}
            assert method == record.extra["method"], name
        assert record.plan.items() <= plain(point.plan).items(), name
    assert len({record.model_checksum for record in found.values()}) == 1


def test_runs_that_are_pruned_afterwards_share_one_training(lab: Lab, tmp_path, monkeypatch):
    halves = [Pruned("magnitude", share) for share in (0.0, 0.5)]
    plans = [
        make.Point(f"prune {half.amount}", "clinic", QUICK, after=half, shown="tune_prune")
        for half in halves
    ]
    trained: list[str] = []
    really = make._trained
    monkeypatch.setattr(make, "points", lambda name, model: plans)
    monkeypatch.setattr("ftlab.lab.lab.open_lab", lambda domain, model, base, **sizes: lab)
    monkeypatch.setattr(make, "_trained", lambda lab, p: trained.append(p.name) or really(lab, p))
    assert len(list(make.run_grid("prune", model="nano-gpt2", folder=tmp_path))) == 2
    assert len(trained) == 1
    whole, half = sorted(records.load_all(tmp_path), key=lambda found: found.name)
    assert whole.curve == half.curve and whole.final != half.final
    assert half.extra["after"] == {"how": "magnitude", "amount": 0.5, "seed": 0}


@pytest.mark.parametrize("grid", ["adapters", "prune"])
@pytest.mark.parametrize("model", ["nano-gpt2", "smollm2-135m"])
def test_the_other_grids_hold_nothing_unplanned(grid: str, model: str):
    from ftlab.base.paths import data_dir

    found = records.load_all(data_dir() / "records" / make.folder_of(grid, model))
    mine = [record for record in found if record.model == model]
    planned = {point.name: point for point in make.points(grid, model)}
    assert mine and {record.name for record in mine} <= set(planned)
    for record in mine:
        assert record.plan.items() <= plain(planned[record.name].plan).items(), record.name
    assert len({record.model_checksum for record in mine}) == 1


@pytest.mark.parametrize("grid", ["decoder", "adapters", "prune"])
@pytest.mark.parametrize("model", ["nano-gpt2", "smollm2-135m"])
def test_no_two_runs_of_the_grids_have_one_name(grid: str, model: str):
    names = [p.name for p in make.points(grid, model)]
    assert len(names) == len(set(names))
    with pytest.raises(InputError, match="No run of the grid 'decoder' has 'xyz'"):
        make.choose("decoder", model, "xyz")


def test_a_grids_point_is_what_its_sweep_says():
    """What no name and no plan of a record shows."""
    from ftlab.experiments.decoder import LEVEL, REPLAY
    from ftlab.methods.masked import Masked
    from ftlab.methods.qlora import QLoRA

    for point in make.points("decoder", "nano-gpt2"):
        longer = point.sweep.endswith(" longer")
        assert point.stop_loss == (LEVEL if longer else None), point.name
        assert point.replay == REPLAY.get(point.sweep.removesuffix(" longer"), 0.0), point.name
    for model in ("nano-gpt2", "nano-t5"):
        for point in make.points("qlora", model):
            assert isinstance(point.method, QLoRA) and point.base == point.method.base
    for point in make.points("prune", "nano-gpt2"):
        held = bool(re.search(r"prune \d+%, (tune|LoRA)", point.sweep))
        assert isinstance(point.method, Masked) == held, point.name
        assert bool(point.after) != bool(point.start), point.name


def test_a_method_wraps_the_fresh_model_and_the_seed_decides_its_weights(lab: Lab):
    from ftlab.methods.lora import LoRA

    one = lab.run(QUICK, method=LoRA({"1-12": 2})).finish()
    two = lab.run(QUICK, method=LoRA({"1-12": 2})).finish()
    assert one.steps == two.steps
    record = one.record
    assert record.method == "lora_qv" and record.trainable == 12 * 2 * 512
    assert record.extra["method"]["ranks"] == {"1-12": 2}
    first = one.steps[0].measured
    assert first is not None and first["retention"] == 1  # B = 0: nothing has changed yet


def test_replay_reads_as_many_items(lab: Lab):
    plan = Plan(steps=5, batch_size=8, measure_every=0)
    run = lab.run(plan, replay=0.25)
    old = [row for row in run.rows if row["id"].startswith("replay")]
    assert len(run.rows) == 40 and len(old) == 10 and len({row["answer"] for row in old}) == 10
    assert run.method == "replay"
    with pytest.raises(InputError, match="replay=1"):
        lab.run(plan, replay=1.0)


def test_an_unknown_grid_is_refused():
    with pytest.raises(InputError, match="decoder"):
        make.points("nave", "nano-gpt2")
