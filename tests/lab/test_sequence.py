"""Several tasks in a row: what follows what, what is measured, and what is refused before."""

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from ftlab import analysis
from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.evaluate.evaluator import Sizes
from ftlab.evaluate.target import measure_target
from ftlab.lab.lab import Lab, open_lab
from ftlab.lab.sequence import SEED_STEP, TaskSequence
from ftlab.lab.stages import on
from ftlab.methods import EWC, L2SP, Bottleneck, LoRA, Prefix, merge, partway
from ftlab.plan import Plan

TASKS = ["clinic", "helpdesk", "ledger"]
QUICK = Plan(steps=2, batch_size=4, measure_every=1, lr=1e-3)
ENDS = dataclasses.replace(QUICK, measure_every=0)
"""Measured where a task begins and ends, not on the way."""
SMALL = LoRA({"10-12": 2})


@pytest.fixture(scope="module")
def lab(lab: Lab) -> Lab:
    lab.fast_sizes = Sizes(target_items=4, per_skill=2, documents=2)
    return lab


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def fewer(sequence: TaskSequence) -> TaskSequence:
    """With four test items a task: the record asks them all."""
    for one in sequence.labs.values():
        few = dataclasses.replace(one.domain, test=one.domain.test.select(range(4)))
        one.evaluator = copy.copy(one.evaluator)
        one.domain = one.evaluator.domain = few
    return sequence


def test_tasks_are_trained_one_after_another_and_all_are_measured(lab: Lab) -> None:
    row = lab.sequence(TASKS, QUICK)
    sizes = [len(row.matrix) for step in row if step.measured]
    assert sizes == [1, 1, 1, 2, 2, 3, 3]  # step 0 stands there once
    assert [step.step for step in row.steps] == list(range(7)) and row.total == 6
    assert [len(line) for line in row.matrix] == [3, 3, 3] and len(row.retained) == 3
    assert row.steps[-1].examples == 3 * 2 * 4
    seeds = [run.plan.seed for run in row.runs]
    assert seeds == [0, SEED_STEP, 2 * SEED_STEP]
    assert all(0 <= value <= 1 for line in row.matrix for value in line)
    with pytest.raises(InputError, match="trained already"):
        next(iter(row))


def test_the_matrix_is_what_each_model_scores(lab: Lab) -> None:
    """On the way and in the record: of every model on every task, in this order."""
    row = fewer(lab.sequence(TASKS[:2], dataclasses.replace(ENDS, steps=20)))
    row.finish()
    quick = [
        [one.teacher_forced.own.target(model).score for one in row.labs.values()]  # pyright: ignore
        for model in row.models
    ]
    assert row.matrix == quick
    record = row.record
    found = record.extra["sequence"]
    items = [one.evaluator.test_items for one in row.labs.values()]
    exact = [[measure_target(m, lab.tokenizer, some).score for some in items] for m in row.models]
    assert found["matrix"] == exact and found["tasks"] == TASKS[:2]
    assert record.final["forgetting"] == analysis.forgetting(exact)
    assert record.final["bwt"] == -record.final["forgetting"]
    assert record.final["retention"] == record.final["retained"] == found["retained"][-1]
    assert record.budget["steps"] == 40 and record.seed == 0


def test_a_record_survives_the_disk(lab: Lab, tmp_path: Any) -> None:
    made = fewer(lab.sequence(TASKS[:2], ENDS, method=SMALL, link="switch")).finish().record
    assert records.load(records.save(made, tmp_path)) == made
    assert "lab.sequence" in made.command


def test_continue_trains_the_same_parameters_on(lab: Lab) -> None:
    row = lab.sequence(TASKS[:2], ENDS, method=SMALL).finish()
    first, second = row.models
    start = weights(first)
    assert weights(second).keys() == start.keys() and second is not first
    frozen = [name for name, p in second.named_parameters() if not p.requires_grad]
    assert frozen and all(torch.equal(start[name], weights(second)[name]) for name in frozen)
    by_hand = lab.run(ENDS, method=SMALL, fast=True).finish()
    assert same(by_hand.model, first)


def test_merge_starts_a_new_adapter_on_the_merged_weights(lab: Lab) -> None:
    row = lab.sequence(TASKS[:2], ENDS, method=SMALL, link="merge").finish()
    bare = copy.deepcopy(row.models[1]).unload()
    assert not torch.equal(
        weights(merge(row.models[0]))["transformer.h.11.attn.c_attn.weight"],
        weights(lab.bundle.model)["transformer.h.11.attn.c_attn.weight"],
    )
    merged = lab.run(QUICK, method=SMALL, start=row.models[0]).model.unload()
    assert same(bare, merged)
    a = "base_model.model.transformer.h.11.attn.c_attn.q.lora_A.default.weight"
    assert not torch.equal(weights(row.runs[0].model)[a], weights(row.runs[1].model)[a])


def test_switch_leaves_the_base_alone_and_answers_with_the_own_adapter(lab: Lab) -> None:
    row = lab.sequence(TASKS, dataclasses.replace(ENDS, steps=1), method=SMALL, link="switch")
    row.finish()
    base = lab.run(ENDS, method=SMALL).model.unload()
    assert all(same(copy.deepcopy(model).unload(), base) for model in row.models)
    row.scores = [[0.9, 0.1, 0.2], [0.3, 0.8, 0.4], [0.5, 0.6, 0.7]]
    row.base = [0.01, 0.02, 0.03]
    assert row.matrix == [[0.9, 0.02, 0.03], [0.9, 0.8, 0.03], [0.9, 0.8, 0.7]]
    assert row.cross == row.scores and analysis.forgetting(row.matrix) == 0


@pytest.mark.parametrize("method", [None, SMALL])
def test_walk_goes_back_towards_where_the_task_began(lab: Lab, method: Any) -> None:
    row = lab.sequence(TASKS[:2], ENDS, method=method, walk=0.5, link="merge").finish()
    ends = [merge(run.model) for run in row.runs]
    first = partway(lab.bundle.model, ends[0])(0.5)
    assert same(first, row.models[0])
    assert same(partway(first, ends[1])(0.5), row.models[1])


def test_walk_and_continue_go_on_from_the_place_walked_to(lab: Lab) -> None:
    one, other = (
        lab.sequence(TASKS[:2], ENDS, walk=0.5, link=link).finish()  # pyright: ignore
        for link in ("continue", "merge")
    )
    assert all(same(a, b) for a, b in zip(one.models, other.models, strict=True))


def test_replay_reads_all_earlier_tasks_in_turn(lab: Lab) -> None:
    plan = Plan(steps=4, batch_size=10, measure_every=0)
    row = lab.sequence(TASKS, plan, replay=0.2).finish()
    last = [r["prompt"].split(" ")[0] for r in row.runs[-1].rows]
    assert last.count("Booking") == 32 and last.count("") == 4
    assert last.count("Triage") == last.count("Ticket:") == 2
    assert not row.labs["clinic"].earlier and not lab.earlier


def test_a_penalty_holds_each_task_where_it_starts(lab: Lab) -> None:
    row = lab.sequence(TASKS[:2], QUICK, method=L2SP(1.0)).finish()
    second = row.steps[3]
    assert second.penalty == 0.0  # before its first update
    held = lab.sequence(TASKS[:2], QUICK, method=EWC(1.0, items=2)).finish()
    assert held.steps[3].penalty == 0.0 and held.steps[4].penalty > 0  # pyright: ignore


def test_a_stop_leaves_the_tasks_that_were_ended(lab: Lab) -> None:
    row = lab.sequence(TASKS, QUICK)
    steps: Iterator[Any] = iter(row)
    while next(steps).step < 3:
        pass
    steps.close()  # pyright: ignore
    assert len(row.models) == 1 and len(row.matrix) == 2 and not row.models[0].training
    with pytest.raises(InputError, match="ended 1 of 3 tasks"):
        _ = row.record


@pytest.mark.parametrize(
    ("tasks", "more", "says"),
    [
        (["clinic"], {}, "at least two"),
        ([], {}, "at least two"),
        (["clinic", "clinic"], {}, "twice"),
        (["clinic", "clnic"], {}, "clinic"),
        (TASKS, {"walk": 0.0}, "above 0"),
        (TASKS, {"walk": 1.5}, "at most 1"),
        (TASKS, {"link": "join"}, "continue"),
        (TASKS, {"replay": 1.0}, "share"),
        (TASKS, {"link": "switch"}, "nothing to switch"),
        (TASKS, {"method": SMALL, "walk": 0.5}, "link='merge'"),
        (TASKS, {"method": Prefix(2), "link": "merge"}, "cannot be merged"),
        (TASKS, {"method": Bottleneck(2), "link": "switch", "walk": 0.5}, "cannot be merged"),
        (TASKS, {"method": "lora_al"}, "did you mean"),
        (TASKS, {"plan": Plan(max_tokens=12)}, "max_tokens"),
        (TASKS, {"plan": Plan(seed=2**63 - 1)}, "2\\^63"),
        ("clinic", {}, "a list"),
    ],
)
def test_what_cannot_be_is_refused_before_a_step(
    lab: Lab, tasks: Any, more: dict[str, Any], says: str
) -> None:
    given: dict[str, Any] = {"plan": QUICK} | more
    with pytest.raises(InputError, match=says):
        lab.sequence(tasks, given.pop("plan"), **given)


def test_another_domain_on_the_same_bench(lab: Lab) -> None:
    other = on(lab, "ledger")
    assert other.domain.name == "ledger" and lab.domain.name == "clinic"
    assert other.evaluator.base is lab.evaluator.base
    alone = open_lab("ledger", model="nano-gpt2", **lab.sizes)  # pyright: ignore
    assert other.evaluator.quick_items == alone.evaluator.quick_items
    assert other.opened == alone.opened
    base = lab.bundle.model
    assert other.evaluator(base)["target_loss"] == alone.evaluator(base)["target_loss"]
