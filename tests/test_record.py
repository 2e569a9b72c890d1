"""Records come back from the disk as they were; damaged and unfair ones are refused."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.base.jsonfile import plain, read_json, write_json
from ftlab.plan import Plan, Step
from ftlab.record import Record, compare, load, load_all, rows_checksum, save, versions


def measured(score: float, left: float, **more: Any) -> dict[str, Any]:
    """A measurement with one skill."""
    return {
        "target_score": score, "held_score": None, "target_loss": 2.0 - score, "general_loss": 1.0,
        "skills": {"facts": left}, "kept": {"facts": left}, "retention": left,
        "least_retained": left, "learned": score, "forgotten": 1 - left, **more,
    }  # fmt: skip


CURVE = [
    Step(0, None, 0.0, 0, 0, None, 0.0, measured(0.0, 1.0)),
    Step(1, 2.5, 1e-3, 500, 16, 1.2, 0.3, measured(0.95, 0.4)),
]
RECORD = Record(
    name="full, lr 1e-3",
    method="full",
    model="nano-gpt2",
    model_checksum="a" * 12,
    domain="clinic",
    data_checksum="b" * 64,
    suite="world",
    plan=dataclasses.asdict(Plan(steps=1)),
    seed=0,
    device="cpu",
    precision="fp32",
    versions=versions(),
    command="ftlab run",
    trainable=10,
    total=10,
    budget=records.budget(CURVE),
    curve=CURVE,  # type: ignore[arg-type]  # Steps are made plain
    baseline=measured(0.0, 1.0, chance={"facts": 0.25}),
    final=measured(0.95, 0.4, bits_per_byte=math.nan),
    seconds=12.5,
    peak_memory=10**9,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
SHARES = st.floats(0, 1)
MORE = st.dictionaries(st.sampled_from(["fields", "notes", "intervals"]), VALUES, max_size=2)
MEASURED = st.builds(lambda a, b, more: measured(a, b) | more, SHARES, SHARES, MORE)
LOSSES = st.floats(0, 99) | st.none()
CURVES = st.builds(
    lambda loss, found, first: [
        Step(0, None, 0.0, 0, 0, None, 0.0, first),
        Step(1, loss, 1e-3, 500, 16, loss, 0.3, found),
    ],
    LOSSES, st.none() | MEASURED, MEASURED,
)  # fmt: skip
FIELDS = {
    "name": st.text(),
    "curve": CURVES,
    "baseline": MEASURED,
    "final": MEASURED,
    "seconds": st.floats() | st.none(),
    "peak_memory": st.integers(0) | st.none(),
    "extra": st.dictionaries(st.text(), VALUES, max_size=4),
}


@given(st.fixed_dictionaries(FIELDS))
@settings(
    # each example clears up
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
    deadline=None,  # a busy machine is no failure
)
def test_round_trip(tmp_path: Path, changes: dict):
    record = dataclasses.replace(RECORD, **changes)
    path = save(record, tmp_path)
    assert load(path) == record
    assert [p.name for p in tmp_path.iterdir()] == [record.file_name]
    path.unlink()


ASKED_FOR = {
    "name": "other", "method": "freeze", "model": "gpt2", "model_checksum": "c" * 12,
    "domain": "helpdesk", "data_checksum": "d" * 64, "suite": "tasks", "seed": 1,
    "plan": dataclasses.asdict(Plan(steps=2)), "device": "cuda", "precision": "bf16",
    "trainable": 9, "extra": {"method": {"alpha": 8}}, "suite_checksum": "e" * 64,
}  # fmt: skip


@pytest.mark.parametrize("field", ASKED_FOR)
def test_a_run_that_was_asked_otherwise_has_a_file_of_its_own(field):
    other = dataclasses.replace(RECORD, **{field: ASKED_FOR[field]})
    assert other.file_name != RECORD.file_name


def test_not_a_number_becomes_null(tmp_path):
    path = save(RECORD, tmp_path)
    assert json.loads(path.read_text())["final"]["bits_per_byte"] is None
    assert "NaN" not in path.read_text()


@dataclass
class Score:
    accuracy: float
    correct: tuple[bool, ...]


def test_plain_takes_numbers_of_any_library(tmp_path):
    value = {
        1: np.float32(0.5),
        "arrays": [np.arange(2), torch.tensor([1.5]), np.bool_(True)],
        "score": Score(-math.inf, (True, False)),
        "path": Path("a") / "b",
    }
    expected = {
        "1": 0.5,
        "arrays": [[0, 1], [1.5], True],
        "score": {"accuracy": None, "correct": [True, False]},
        "path": str(Path("a") / "b"),
    }
    assert plain(value) == expected == read_json(write_json(tmp_path / "x.json", plain(value)))
    with pytest.raises(TypeError, match="object has no plain form"):
        plain({"model": object()})


def test_same_run_takes_its_own_place(tmp_path):
    first = save(RECORD, tmp_path)
    again = save(dataclasses.replace(RECORD, seconds=3.0, final=measured(0.5, 0.5)), tmp_path)
    other = save(dataclasses.replace(RECORD, seed=1, plan=RECORD.plan | {"seed": 1}), tmp_path)
    assert first == again != other
    assert first.name.startswith("full-lr-1e-3-")
    assert [record.seed for record in load_all(tmp_path)].count(1) == 1 and len(
        load_all(tmp_path)
    ) == 2


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = save(RECORD, tmp_path)
    monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save(dataclasses.replace(RECORD, seconds=3.0), tmp_path)
    assert load(path) == RECORD and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ('{"name": "x"', "cannot be read"),
        ("[1, 2]", "damaged or another kind"),
        ('{"name": "x"}', "method: Field required"),
        ("[" * 100_000, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_damaged_file_is_named(tmp_path, text, said):
    path = tmp_path / "broken.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (load, lambda _: load_all(tmp_path)):
        with pytest.raises(InputError, match=rf"broken\.json.*{said}"):
            read(path)


def change(record: dict, place: str, value: Any) -> None:
    *above, last = place.split(".")
    inside: Any = record
    for name in above:
        inside = inside[int(name) if name.isdigit() else name]
    inside[last] = value


CHANGES = [
    ("curve", 3, "curve"),
    ("curve", [], "curve: List should have at least 1"),
    ("curve", [1, 2], "curve.0"),
    ("curve.1.loss", "x", "curve.1.loss"),
    ("curve.1.measured.target_score", 7, "curve.1.measured.target_score"),
    ("final.retention", "x", "final.retention"),
    ("final.retention", 0.9, "final: retention does not follow from kept"),
    ("final.kept", {"facts": -1}, "final.kept.facts"),
    ("final", {"target_score": 1.0}, "final.held_score"),
    ("evidence", {"learned": ["x", 1]}, "evidence.learned.0"),
    ("evidence", {"learned": [0.5]}, "evidence.learned"),
    ("evidence", {"target": {"lost": 1}}, "evidence.target.won"),
    ("evidence", {"skills": {"facts": {"lost": 1, "won": -1}}}, "evidence.skills.facts.won"),
    ("final.n", {"skills": None}, "final.n.skills"),
    ("final.skills", {"grammar": 0.5}, "baseline and final name different skills"),
    ("baseline", None, "baseline"),
    ("seed", "x", "seed"),
    ("seed", True, "seed"),
    ("seed", 1, "the seed is not that of the plan"),
    ("seconds", "12", "seconds"),
    ("seconds", math.inf, "seconds"),
    ("plan.lr", -1, "plan: lr=-1"),
    ("plan.magic", 1, "plan: a plan has no magic"),
    ("trainable", -1, "trainable"),
    ("budget.examples", 17, "the budget is not that of the curve"),
    ("budget", {"tokens": 500}, "the budget is not that of the curve"),
    ("curve.0.step", 2, "the curve's steps are not in order"),
    ("schema", 0, "schema"),
    ("schema", "3", "schema"),
    ("more", 1, "more"),
]


@pytest.mark.parametrize(("place", "value", "said"), CHANGES)
def test_what_a_record_cannot_hold_is_named_with_its_place(tmp_path, place, value, said):
    path = save(RECORD, tmp_path)
    stored = json.loads(path.read_text())
    change(stored, place, value)
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=rf"{path.name} is damaged.*\({said}") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_newer_record_is_called_newer(tmp_path):
    path = save(RECORD, tmp_path)
    stored = json.loads(path.read_text()) | {"schema": records.SCHEMA + 1, "field_of_then": 1}
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"newer ftlab.*up to schema 4; update ftlab") as caught:
        load(path)
    assert "damaged" not in str(caught.value)


def test_the_rest_of_a_folder_can_be_read(tmp_path):
    good = save(RECORD, tmp_path)
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "copy.json").write_text(good.read_text())
    found, left_out = records.readable(tmp_path.glob("*.json"), named=True)
    assert found == [RECORD] and len(left_out) == 2
    assert "a.json cannot be read" in left_out[0] and "is it a copy?" in left_out[1]
    assert len(records.readable(tmp_path.glob("*.json"))[0]) == 2


def test_what_the_first_schema_lacked_is_filled_in_and_counted_anew(tmp_path):
    path = save(RECORD, tmp_path)
    stored = json.loads(path.read_text())
    del stored["schema"], stored["suite_checksum"]
    stored["final"] |= {"kept": {"facts": 1.5, "grammar": 0.5}, "retention": 1.0}
    path.write_text(json.dumps(stored))
    found = load(path)
    assert (found.schema, found.suite_checksum, found.retained) == (1, "", 0.75)


def test_missing_files_are_told(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "none.json")
    with pytest.raises(InputError, match="no folder of records"):
        load_all(tmp_path / "none")


# --- fair or refused ------------------------------------------------------------------------------


def with_budget(examples: int, tokens: int, **changes) -> Record:
    budget = {"examples": examples, "tokens": tokens, "steps": 1}
    return dataclasses.replace(RECORD, budget=budget, **changes)


def test_equal_budgets_compare():
    pair = [with_budget(1600, 50_000), with_budget(1600, 50_900, seed=1)]
    assert compare(pair) == pair
    assert compare([]) == [] and compare(iter(pair[:1])) == pair[:1]


@pytest.mark.parametrize("other", [with_budget(1600, 60_000), with_budget(800, 50_000)])
def test_unequal_budgets_are_refused(other):
    pair = [with_budget(1600, 50_000, name="full"), dataclasses.replace(other, name="lora")]
    with pytest.raises(
        InputError, match=r"full \(1,600 examples, 50,000 tokens\) and lora \(.*beca"
    ):
        compare(pair)
    with pytest.raises(InputError):
        compare(pair, because="  ")
    assert compare(pair, because="LoRA needs more steps to reach the score") == pair


def test_matched_target_scores_compare():
    def stopped(examples: int, score: float, stop_at: float = 0.9) -> Record:
        curve = [{**plain(CURVE[1]), "measured": {"target_score": score}}]
        return with_budget(examples, 1, curve=curve, plan={**RECORD.plan, "stop_at": stop_at})

    assert compare([stopped(800, 0.91), stopped(1600, 0.97)])
    for unfair in (stopped(1600, 0.5), stopped(1600, 0.97, stop_at=0.95)):
        with pytest.raises(InputError, match="unequal budgets"):
            compare([stopped(800, 0.91), unfair])


# --- checksums and versions -----------------------------------------------------------------------


def test_rows_checksum_follows_contents():
    rows = [{"prompt": "a", "answer": "b"}, {"prompt": "c", "answer": "d"}]
    turned = [dict(reversed(row.items())) for row in rows]
    assert rows_checksum(rows) == rows_checksum(iter(turned)) != rows_checksum(rows[::-1])
    assert len(rows_checksum([])) == 64


def test_versions_of_what_is_installed():
    found = versions()
    assert found["torch"] == torch.__version__.split("+")[0] or found["torch"] == torch.__version__
    assert {"python", "transformers", "accelerate"} <= found.keys()
