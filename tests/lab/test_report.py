"""Ship or don't: the verdict follows its rule, and turns where a loss is planted.

pytest tests/lab/test_report.py
"""

import copy
import json
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import small_lab

import ftlab
from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.cli import main
from ftlab.experiments.make import recorded
from ftlab.plan import Plan
from ftlab.show import changes_plot, report_page

NANO = data_dir() / "records" / "nano"


def seeds(pattern: str) -> list[records.Record]:
    found = [records.load(path) for path in sorted(NANO.glob(pattern))]
    return [run for run in found if run.plan["seed"] < 3]


@cache
def one() -> records.Record:
    return seeds("freeze-clinic-lr-0.0003-100-steps-seed-0*")[0]


@pytest.fixture(scope="module")
def gentle() -> list[records.Record]:
    """Three seeds that learned and lost next to nothing."""
    return seeds("freeze-clinic-lr-0.0003-100-steps-seed-*")


def planted(
    run: records.Record, lost: int, *, name: str = "recall", won: int = 0
) -> records.Record:
    """The record, with so many questions of a skill lost, and what turned said for all."""
    final = copy.deepcopy(run.final)
    n = final["n"]["skills"][name]
    final["skills"][name] = run.baseline["skills"][name] + (won - lost) / n
    turned = {skill: {"lost": 0, "won": 0, "gone": []} for skill in final["skills"]}
    turned[name] |= {"lost": lost, "won": won}
    right = round(final["target_score"] * final["n"]["target"])
    evidence = {"target": {"lost": 0, "won": right}, "samples": [], "skills": turned}
    return replace(run, final=final, evidence=evidence)


def test_the_verdict_turns_where_a_loss_is_planted(gentle: list[records.Record]) -> None:
    fine, unsure, bad = (ftlab.report(planted(gentle[0], lost)) for lost in (3, 12, 60))
    assert fine.ship and not fine.reasons and fine.verdict == "Ship."
    assert not unsure.ship and [skill.name for skill in unsure.open] == ["recall"]
    assert not bad.ship and [skill.name for skill in bad.lost] == ["recall"]
    assert bad.reasons == ["recall: -40 points (-47 to -32), more than it may lose."]
    assert not ftlab.report(planted(gentle[0], 3), tolerance=0.02).ship
    assert ftlab.report(planted(gentle[0], 12), tolerance=0.2).ship
    assert all(words in str(bad) for words in ("Don't ship.", "Rule: Ship if", "One change: "))


@given(lost=st.integers(0, 140), more=st.integers(0, 10), won=st.integers(0, 2))
def test_more_loss_never_helps(lost: int, more: int, won: int) -> None:
    run = one()
    less, worse = (ftlab.report(planted(run, n, won=won)) for n in (lost, lost + more))
    assert less.ship or not worse.ship
    a, b = (next(s for s in r.skills if s.name == "recall").interval for r in (less, worse))
    assert b.low <= a.low + 1e-9 and -1 <= b.low <= b.estimate <= b.high <= 1


def test_several_seeds_widen_the_intervals(gentle: list[records.Record]) -> None:
    single, three = ftlab.report(gentle[0]), ftlab.report(gentle)
    assert three.ship and "3 seeds (0, 1, 2)" in str(three) and "one seed (0)" in str(single)
    apart = [replace(gentle[0], seed=k, plan=gentle[0].plan | {"seed": k}) for k in range(3)]
    mixed = [planted(run, lost) for run, lost in zip(apart, (0, 20, 40), strict=True)]
    assert ftlab.report(planted(apart[1], 20)).lost == []
    found = next(s for s in ftlab.report(mixed).skills if s.name == "recall")
    assert found.interval.low < -0.4 and found.interval.high > 0  # what three seeds can say


def test_a_record_without_evidence_has_wider_intervals(gentle: list[records.Record]) -> None:
    old, new = ftlab.report(gentle[0]), ftlab.report(planted(gentle[0], 2))
    wide, narrow = (next(s for s in r.skills if s.name == "recall").interval for r in (old, new))
    assert not gentle[0].evidence and wide.high - wide.low > narrow.high - narrow.low


def labels(run: records.Record, share: float) -> records.Record:
    return replace(run, final=run.final | {"commonest": {"answer": " yes", "share": share}})


def test_always_the_commonest_answer_must_be_beaten(gentle: list[records.Record]) -> None:
    """The run learned 60 %: a fine gain, and no better than a guess of 60 %."""
    beaten, not_beaten = (ftlab.report(labels(gentle[0], share)) for share in (0.3, 0.6))
    assert beaten.ship and "Always saying 'yes' would score 30 %." in str(beaten)
    assert not not_beaten.ship and "is not shown to beat always saying 'yes' (60 %)" in str(
        not_beaten
    )
    assert "its score above 60 % (always saying 'yes')" in not_beaten.rule


def test_where_no_answer_is_ever_right_the_loss_decides(gentle: list[records.Record]) -> None:
    run = planted(gentle[0], 0)
    final = run.final | {"target_score": 0.0}
    run = replace(run, final=final, evidence=run.evidence | {"learned": [0.5, 0.7]})
    assert ftlab.report(run).ship and "nats a token" in str(ftlab.report(run))
    assert "0 % right is not shown to beat" in str(ftlab.report(labels(run, 0.3)))
    worse = replace(run, evidence=run.evidence | {"learned": [-0.1, 0.7]})
    assert not ftlab.report(worse).ship
    gone = final | {"target_loss": math.nan, "learned": math.nan}
    diverged = replace(run, final=gone, evidence=run.evidence | {"target": {}})
    assert "no gain on the task is shown" in str(ftlab.report(diverged)).lower()


def test_the_advice_follows_from_the_run(gentle: list[records.Record]) -> None:
    high, usual = (
        seeds("learning-rate-clinic-lr-0.001*")[0],
        seeds("learning-rate-clinic-lr-0.0001*"),
    )
    assert "a lower rate, 1.5e-4" in ftlab.report(high).advice
    bad = planted(usual[0], 100)
    assert ftlab.report(bad).advice.startswith("replay")
    with_replay = replace(bad, extra=bad.extra | {"replay": 0.05})
    assert "part of the way back" in ftlab.report(with_replay).advice
    assert "more questions about recall" in ftlab.report(planted(gentle[0], 12)).advice
    assert "part of the way back" in ftlab.report(replace(bad, plan={})).advice
    measured = replace(planted(gentle[0], 0), plan={}, command="none")  # as lab.measure gives
    assert "none is needed" in ftlab.report(measured).advice
    curve = copy.deepcopy(bad.curve)
    early = next(row for row in curve[1:] if row["measured"])["measured"]
    early["target_score"], early["retention"] = 0.9, 1.0
    for row in curve[-1:]:
        row["measured"] = row["measured"] | {"target_score": 0.9, "retention": 0.5}
    assert ftlab.report(replace(bad, curve=curve)).advice.startswith("stop earlier: after")
    warm = f"ftlab run --lr 3e-4 --warmup 50 --steps {bad.plan['steps']}"
    late = replace(bad, curve=curve, plan=bad.plan | {"warmup": 50}, command=warm)
    assert "--warmup 0" in ftlab.report(late).advice
    final = usual[0].final | {"target_score": 0.0}
    nothing = ftlab.report(replace(usual[0], final=final)).advice
    assert nothing.startswith(("more steps", "a higher rate"))


@pytest.mark.parametrize(
    ("given", "words"),
    [([], "no run to report"), ("no/such.json", "no/such.json"), (3, "is no run"),
     ("a\0b", "cannot be read"), ([3], "is no run")],
)  # fmt: skip
def test_what_is_no_run_is_one_sentence(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ftlab.report(given)


def test_runs_of_two_plans_are_refused(gentle: list[records.Record]) -> None:
    with pytest.raises(InputError, match="Seed 0 is there twice"):
        ftlab.report([gentle[0], gentle[0]])
    other = replace(gentle[1], plan=gentle[1].plan | {"lr": 1e-3})
    with pytest.raises(InputError, match=r"differ in lr \(0.0003 and 0.001\)"):
        ftlab.report([gentle[0], other])
    with pytest.raises(InputError, match=r"differ in replay"):
        ftlab.report([gentle[0], replace(gentle[1], extra=gentle[1].extra | {"replay": 0.1})])
    with pytest.raises(InputError, match=r"differ in data checksum"):
        ftlab.report([gentle[0], replace(gentle[1], data_checksum="other")])
    shorter = replace(gentle[1], budget=gentle[1].budget | {"steps": 7})
    with pytest.raises(InputError, match=r"differ in steps taken \(100 and 7\)"):
        ftlab.report([gentle[0], shorter])


def test_what_is_wrong_with_a_file_is_said(gentle: list[records.Record], tmp_path: Path) -> None:
    path = records.save(gentle[0], tmp_path)
    path.write_text(re.sub('"schema": *[0-9]+', '"schema": 99', path.read_text()))
    with pytest.raises(InputError, match="newer"):
        ftlab.report(path)


# --- the command --------------------------------------------------------------------------------


def test_the_command_ends_with_the_verdict(
    gentle: list[records.Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = records.save(planted(gentle[0], 0), tmp_path / "good")
    bad = records.save(planted(gentle[0], 60), tmp_path / "bad")
    page = tmp_path / "report.html"
    assert main.main(["report", str(good)]) == 0
    assert main.main(["report", str(bad.parent), "--html", str(page)]) == 1
    assert f"The page is in {page}." in capsys.readouterr().out
    assert main.main(["report", str(tmp_path / "none.json")]) == 2
    assert main.main(["report", str(good), "--tolerance", "1"]) == 2
    assert main.main(["report", str(good), "--html", str(tmp_path / "page.txt")]) == 2
    (tmp_path / "empty").mkdir()
    assert main.main(["report", str(tmp_path / "empty")]) == 2
    bad.write_text("{")
    assert main.main(["report", str(bad)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 5 and "Traceback" not in err


def test_the_page_opens_without_a_network(gentle: list[records.Record]) -> None:
    report = ftlab.report(planted(gentle[0], 60))
    text = report_page(report)
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)|url\(|@import|<script|<link", text)
    assert text.count("<img alt=") == 2 and "Don&#x27;t ship." in text
    assert re.search(r"recall -40 points \(-47 to -32\)", changes_plot(report).alt)


# --- whole --------------------------------------------------------------------------------------


def test_a_run_on_labels_is_reported_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ftlab run` on yes, no and maybe, then `ftlab report` on what it wrote; few questions."""
    monkeypatch.setattr("ftlab.lab.lab.open_lab", small_lab)
    said = [" yes", " no", " maybe", " yes"]
    rows = [{"prompt": f"Does {n} matter?\nAnswer:", "answer": said[n % 4]} for n in range(60)]
    data = tmp_path / "mine.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    words = ["run", "--domain", str(data), "--model", "nano-gpt2", "--steps", "2", "--lr", "1e-4",
             "--measure-every", "0"]  # fmt: skip
    assert main.main(words) == 0
    assert re.search(r"correctly \('yes' alone: \d+ %\)", capsys.readouterr().out)
    assert main.main(["report", "runs", "--html", "report.html"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"Always saying 'yes' would score \d+ %\.", out) and "Don't ship." in out
    text = Path("report.html").read_text(encoding="utf-8")
    assert "Always saying" in text and "✗ wrong" in text
    (record,) = records.load_all("runs")
    assert str(ftlab.report(record)) in out
    assert record.evidence["samples"] and Plan(**record.plan).steps == 2


def test_a_grid_counts_the_runs_of_its_own_model(
    gentle: list[records.Record], tmp_path: Path
) -> None:
    records.save(replace(gentle[0], model="org/small"), tmp_path)
    assert recorded(tmp_path, "org/small") == ({gentle[0].name}, [])
    assert recorded(tmp_path, "small") == recorded(tmp_path, "nano-gpt2") == (set(), [])
