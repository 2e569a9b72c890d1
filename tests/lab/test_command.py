"""A record's command makes that very run, or says that none can.

pytest tests/lab/test_command.py
"""

import dataclasses
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab.cli.main import parse
from ftlab.lab.command import command_of, plan_of
from ftlab.methods import LoRA
from ftlab.methods.table import NAMES, named
from ftlab.models.bases import Quantize, quantize_named
from ftlab.plan import LOSSES, OPTIMIZERS, SCHEDULES, Plan

PLANS = st.builds(
    Plan,
    steps=st.integers(50, 500),
    batch_size=st.integers(1, 64),
    lr=st.floats(1e-7, 1.0),
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.integers(0, 50),
    weight_decay=st.floats(0, 1),
    clip=st.floats(0, 10),
    loss_on=st.sampled_from(LOSSES),
    seed=st.integers(0, 99),
    measure_every=st.integers(0, 50),
    stop_at=st.none() | st.floats(0.01, 1),
    max_tokens=st.integers(2, 512),
    optimizer=st.sampled_from(OPTIMIZERS),
    gradient_checkpointing=st.booleans(),
)


def run(plan: Plan | None = None, method: Any = None, **other: Any) -> Any:
    """What `command_of` reads of a run, without a model."""
    lab = SimpleNamespace(
        opened={
            "domain": other.pop("domain", "clinic"),
            "suite": other.pop("suite", ""),
            **{n: other.pop(n, "") for n in ("longest", "too_long", "columns", "chat", "faulty")},
        },
        bundle=SimpleNamespace(name="nano-gpt2", base=other.pop("base", None)),
        earlier=[],
        sizes=other.pop("sizes", {}),
    )
    method = named("full") if method is None else method
    found = {"item_count": None, "replay": 0.0, "replay_source": None, "start": None} | other
    found = {"adapter": ""} | found
    return SimpleNamespace(lab=lab, plan=plan or Plan(), asked_method=method, **found)


@given(PLANS, st.sampled_from(NAMES), st.none() | st.integers(1, 400), st.floats(0, 0.9))
def test_the_command_line_comes_back_as_the_same_run(plan, name, items, replay):
    told = command_of(run(plan, named(name, plan.seed), item_count=items, replay=replay))
    program, *words = shlex.split(told)
    asked = parse(words)
    assert program == "ftlab" and plan_of(asked) == plan
    assert (asked.method, asked.items, asked.replay) == (name, items, replay)
    assert (asked.domain, asked.model, asked.suite, asked.base) == (
        "clinic", "nano-gpt2", None, "plain",
    )  # fmt: skip


def test_own_files_and_bases_are_said() -> None:
    made = run(
        domain="my notes/a.jsonl", suite="asked", longest="99", base=Quantize("fp4", False, 128)
    )
    asked = parse(shlex.split(command_of(made))[1:])
    assert (asked.domain, asked.suite, asked.longest) == ("my notes/a.jsonl", "asked", 99)
    assert quantize_named(asked.base) == made.lab.bundle.base
    how: dict[str, Any] = {
        "too_long": "cut",
        "columns": "prompt=a+b,answer=c",
        "chat": "off",
        "faulty": "skip",
    }
    told = command_of(run(adapter="my adapter", start={"name": "x"}, **how))
    asked = parse(shlex.split(told)[1:])
    assert {name: getattr(asked, name) for name in how} == how
    assert (asked.adapter, asked.method) == (Path("my adapter"), "full")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (run(method=LoRA({"1-12": 5})), "--method"),
        (run(method=lambda model: model), "--method"),
        (run(start={"name": "before"}), "another run"),
        (run(sizes={"documents": 8}), "questions"),
    ],
)
def test_where_no_command_can_it_says_so(made: Any, why: str) -> None:
    assert command_of(made).startswith("no command makes this run: ") and why in command_of(made)


def test_every_field_of_a_plan_that_changes_a_number_is_an_option() -> None:
    fields = {field.name for field in dataclasses.fields(Plan)} - {"checkpoint_every"}
    assert fields <= vars(parse(["run"])).keys()
