"""A run that was stopped, at any step: what is shown of it was measured, and the next cells go on.

pytest tests/lab/test_stop.py
"""

from typing import Any

import pytest

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.evaluate import update_norms
from ftlab.lab.lab import Lab
from ftlab.lab.run import Run
from ftlab.plan import Plan
from ftlab.show import Point, layer_updates, plane, samples, skills_bars, two_numbers
from ftlab.show.panels.live import progress

PLAN = Plan(steps=5, batch_size=4, measure_every=2, lr=1e-3)
BEFORE = -1  # step 0 was not reached: an interrupt while the base was measured
STOPS = {BEFORE: 0, 0: 0, 1: 0, 3: 2, 4: 4}
"""Where a run is stopped, and after which step it was last measured."""


def stopped(lab: Lab, at: int, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Run:
    """A run that was left after the step `at`."""
    run = lab.run(PLAN, **more)
    if at == BEFORE:

        def interrupt(*_: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(type(lab.evaluator), "__call__", interrupt)
            patch.setattr(type(lab.teacher_forced), "__call__", interrupt)
            patch.setattr(type(lab.teacher_forced), "baseline", property(interrupt))
            run.finish()
        return run
    for step in run:
        if step.step == at:
            break
    return run


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("at", STOPS)
def test_last_is_what_was_measured_with_its_step(
    lab: Lab, at: int, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(lab, at, monkeypatch, fast=fast)
    assert run.last["step"] == STOPS[at] and len(run.steps) == at + 1
    measured = [step.measured for step in run.steps if step.measured]
    if measured:
        assert run.last == {"step": STOPS[at], **measured[-1]}
    if STOPS[at] == 0:
        assert run.last["retention"] == 1 and run.last["learned"] == 0
    assert 0 <= run.last["target_score"] <= 1


@pytest.mark.parametrize("at", STOPS)
def test_the_next_cells_go_on(
    lab: Lab, at: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """What notebooks 01, 02, 03 and 05 do with a run after its live plot."""
    run = stopped(lab, at, monkeypatch)
    assert str(samples(run.samples(2))) and run.say(["3 + 4 ="], 2)[0]["after"] is not None
    record = run.record
    assert record.budget["steps"] == max(at, 0) and len(record.curve) == max(at, 0) + 1
    assert record.curve[0]["measured"]["retention"] == 1  # never without a measurement
    assert records.load(records.save(record, tmp_path)) == record
    assert skills_bars(record.baseline, record.final).alt
    base = {name: p.detach() for name, p in lab.bundle.model.named_parameters()}
    norms = update_norms(base, run.model)
    assert (norms["block 1"]["relative"] == 0) == (at < 1) and layer_updates(norms).alt
    assert plane([Point("full", [record.learned], [record.retained])], base=(0, 1)).alt
    words = two_numbers(record.curve, final=record.final).alt
    assert f"up to training step {STOPS[at]}." in words
    assert ("stopped at step" in words) == (max(at, 0) != STOPS[at])


def test_a_run_that_was_not_begun_has_no_record(lab: Lab) -> None:
    run = lab.run(PLAN)
    assert run.last["step"] == 0 and run.last["retention"] == 1
    with pytest.raises(InputError, match="no step yet"):
        _ = run.record


def test_a_run_interrupted_before_its_first_step_can_still_be_trained(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(lab, BEFORE, monkeypatch)
    assert run.record.budget["steps"] == 0
    assert run.finish().record.budget["steps"] == run.last["step"] == PLAN.steps


def test_what_was_asked_on_the_way_is_asked_anew_at_the_end(lab: Lab) -> None:
    run = lab.run(PLAN)
    seen = []
    for step in run:
        if step.step in (1, PLAN.steps):
            seen.append((run.final["general_loss"], run.record.budget["steps"]))
    assert run.final == run.record.final == lab.evaluator.full(run.model)
    assert seen[0][0] != seen[1][0] == run.final["general_loss"]
    assert [steps for _, steps in seen] == [1, PLAN.steps]


@pytest.mark.parametrize("at", [0, 3, 4])
def test_the_line_of_numbers_names_the_step_they_are_of(
    lab: Lab, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = progress(stopped(lab, at, monkeypatch).steps, PLAN.steps)
    assert line.startswith(f"step {at} of 5") and "learned" in line
    assert ("at step 2 learned" in line) == (at == 3) and line.count("at step") == (at == 3)
