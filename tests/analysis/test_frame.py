"""Runs as a DataFrame: rows checked by hand. pytest tests/analysis/test_frame.py"""

import json
from dataclasses import replace

import pandas as pd
import pytest

import ftlab
from ftlab import record
from ftlab.analysis import compare
from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.cli.main import main

MEASURED = {
    "target_score": 0.75, "held_score": 0.5, "target_loss": 0.5, "general_loss": 1.5,
    "skills": {"facts": 0.8, "recall": 0.6}, "kept": {"facts": 1.0, "recall": 0.8},
    "retention": 0.9, "least_retained": 0.8, "learned": 1.5, "forgotten": 0.25,
}  # fmt: skip
STEP = {
    "step": 40, "loss": 0.5, "lr": 1e-3, "tokens": 900, "examples": 640, "grad_norm": 1.0,
    "seconds": 12.0, "measured": MEASURED,
}  # fmt: skip
RUN = record.Record(
    name="full lr 0.001", method="full", model="nano-gpt2", model_checksum="a", domain="clinic",
    data_checksum="b", suite="world",
    plan={"lr": 1e-3, "steps": 40, "schedule": "cosine", "seed": 2}, seed=2,
    device="cpu", precision="fp32", versions={}, command="", trainable=10, total=30,
    budget={"examples": 640, "tokens": 900, "steps": 40},
    curve=[STEP], baseline=MEASURED, final=MEASURED,
    seconds=12.5, peak_memory=None,
)  # fmt: skip


def test_a_run_of_ones_own_is_a_row(tmp_path):
    record.save(RUN, tmp_path)
    frame = ftlab.records(tmp_path)
    row = frame.iloc[0]
    assert frame.shape == (1, 23)
    assert row["name"] == "full lr 0.001" and row["method"] == "full" and row["seed"] == 2
    assert (row["lr"], row["steps"], row["schedule"]) == (1e-3, 40, "cosine")
    scores = row[["learned", "retained", "forgotten", "held", "skill_facts", "skill_recall"]]
    assert list(scores) == [0.75, 0.9, 0.25, 0.5, 0.8, 0.6]
    assert (row["trainable"], row["total"], row["tokens"], row["seconds"]) == (10, 30, 900, 12.5)
    assert (row["device"], row["precision"], row["replay"]) == ("cpu", "fp32", 0)
    assert row["items"] is pd.NA  # a record of one's own does not say


def test_stored_runs_are_found_and_other_skills_are_missing(tmp_path):
    """As `ftlab.keep` stores them: a folder a run."""
    for name, skills in (("a", {"facts": 1.0}), ("b", {"order": 0.5})):
        before, after = ({**part, "skills": skills} for part in (RUN.baseline, RUN.final))
        record.save(replace(RUN, baseline=before, final=after), tmp_path / name)
        (path,) = (tmp_path / name).glob("*.json")
        path.rename(path.with_name("record.json"))
        (tmp_path / name / "run.json").write_text("{}")
    frame = ftlab.records(str(tmp_path))
    assert list(frame["skill_facts"].isna()) == [False, True]
    assert list(frame["skill_order"].dropna()) == [0.5]


def test_a_damaged_record_is_named_and_left_out(tmp_path, capsys):
    record.save(RUN, tmp_path)
    record.save(replace(RUN, name="no skills", final={"target_score": 1.0}), tmp_path)
    (tmp_path / "broken.json").write_text("{")
    newer = replace(RUN, name="of tomorrow", schema=record.SCHEMA + 1)
    record.save(newer, tmp_path)
    assert list(ftlab.records(tmp_path)["name"]) == [RUN.name]
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("Left out: ") and "broken.json cannot be read" in first
    assert "no-skills" in second and "final.held_score: Field required" in second
    assert "of-tomorrow" in third and "newer ftlab" in third


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with three runs, all listed; the folder they lie in."""
    folder = tmp_path / "records" / "nano"
    for seed in range(3):
        record.save(replace(RUN, seed=seed, plan=RUN.plan | {"seed": seed}), folder)
    checksums.write(tmp_path)
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    return folder


def test_what_ships_is_held_to_its_checksums(data, capsys):
    one, two, _ = sorted(data.glob("*.json"))
    one.write_text(one.read_text().replace('"learned": 1.5', '"learned": 1.6'))
    record.load(one)  # a record all the same, only another
    two.unlink()
    record.save(replace(RUN, name="made here"), data)
    assert len(ftlab.records("nano")) == len(compare.shipped("nano")) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all("is missing or not what CHECKSUMS lists" in x for x in lines)
    (data.parents[1] / "CHECKSUMS").write_text("")
    for read in (ftlab.records, compare.shipped):
        with pytest.raises(InputError, match="CHECKSUMS is damaged, so nothing"):
            read("nano")


def test_a_copy_is_no_further_run_and_many_are_counted(data, capsys):
    for name in "abcde":
        (data / f"{name}.json").write_text(next(data.glob("full*")).read_text())
    assert len(compare.shipped("nano")) == 3
    lines = capsys.readouterr().out.splitlines()
    assert "a.json should be called" in lines[0] and lines[3:] == ["Left out: 2 more."]


def test_claims_say_what_was_left_out(data, capsys):
    (data / "x.json").write_text("{")
    assert main(["claims"]) == 0
    assert "Left out: " in (out := capsys.readouterr().out) and "x.json cannot be read" in out
    assert main(["claims", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)["left_out"]
    assert "x.json cannot be read" in line
    for path in data.glob("full*"):
        path.write_text("{")
    assert main(["claims"]) == 2
    assert "no recorded runs (4 left out)" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "folder"), [("nano", "nano"), ("smollm2-135m", "laptop")])
def test_what_ships_is_a_row_a_run(given, folder):
    frame, runs = ftlab.records(given), compare.shipped(folder)
    assert list(frame["name"]) == [run.name for run in runs]
    for setting in compare.settings(runs):
        rows = frame[frame["name"].str.startswith(setting.name + ", seed ")]
        assert list(rows["retained"]) == setting.values("retention")
        assert list(rows["learned"]) == setting.values("target_score")
        assert set(rows["items"]) == {setting.runs[0].extra["items"]}


def test_wrong_places_are_refused(tmp_path):
    with pytest.raises(InputError, match="one of adapters, laptop, nano, nano-t5, prune"):
        ftlab.records("nonesuch")
    with pytest.raises(InputError, match="holds no records"):
        ftlab.records(tmp_path)
