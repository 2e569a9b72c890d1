"""`make gpu` without a card: its checks, its report, and what the README reads of it.

Run: pytest tests/tools/test_bench_card.py
"""

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from ftlab.base import machine
from ftlab.base.errors import InputError
from tools.bench import card, speed


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has a card."""
    monkeypatch.setattr(machine, "device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(machine, "precision", lambda *_: "fp16")


def test_without_a_card_one_sentence() -> None:
    if machine.device() == "cuda":
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="checks a machine with a CUDA GPU and there is none"):
        card.card(Namespace(only=None, out=None))


def test_a_check_tells_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = card.check("fine", [sys.executable, "-c", "print(1); print(2)"], lines=1)
    assert fine.passed and fine.said == ["2"] and fine.seconds >= 0 and "passed" in str(fine)
    told = card.check(
        "set", [sys.executable, "-c", "import os; print(os.environ['A'])"], {"A": "b"}
    )
    assert told.said == ["b"]
    bad = card.check("bad", [sys.executable, "-c", "print('why'); raise SystemExit(3)"])
    assert not bad.passed and bad.said == ["why"] and "FAILED" in str(bad)
    monkeypatch.setattr(card, "LIMIT", 1)
    late = card.check("late", [sys.executable, "-c", "import time; time.sleep(60)"])
    assert not late.passed and late.said[-1] == "not done after 1 s"


def test_the_report_is_written_after_every_check_and_read_by_the_readme(
    there: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from tools.pages import readme

    asked: list[tuple[list[str], dict[str, str]]] = []
    notebooks = len(list((card.ROOT / "notebooks").glob("*.ipynb")))
    checks = 1 + 2 * notebooks  # the facts; every notebook with a T4's memory, and without

    def run(name: str, command: list[str], settings: Any = None, lines: int = 3) -> card.Check:
        asked.append((command, settings or {}))
        return card.Check(name, "03" not in name, 90.0, ["all passed"])

    monkeypatch.setattr(card, "check", run)
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    assert card.card(Namespace(only=["facts", "notebooks"], out=None)) == 1  # 03 failed
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["device"] == "Tesla T4" and len(report["checks"]) == checks
    assert len(capsys.readouterr().out.splitlines()) == checks
    capped = [settings for _, settings in asked if settings]
    assert len(capped) == notebooks and all(s["FTLAB_PRECISION"] == "fp16" for s in capped)
    (found,) = readme.on_a_card().values()
    assert found["00_start_here"].seconds == 90 and "03_what_to_freeze" not in found
    table = readme.notebooks(card.ROOT)
    assert "minutes, Tesla T4" in table and "Tesla T4 in fp16, held to 15 GB" in table


def test_every_part_is_a_command_that_exists(there: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[str]] = []

    def run(name: str, command: list[str], *_: Any, **__: Any) -> card.Check:
        found.append(command)
        return card.Check(name, True, 0.0, [])

    monkeypatch.setattr(card, "check", run)
    for part in (card.facts, card.tests, card.memory, card.speed):
        list(part())
    (memory,) = (command for command in found if "tools.bench.gpu_memory" in command)
    assert not Path(memory[-1]).exists() and Path(memory[-1]) != card.ROOT / "data/records/t4"
    modules = [command[command.index("-m") + 1] for command in found]
    assert modules == ["ftlab.cli.main", "pytest", "pytest", *(
        f"tools.bench.{name}" for name in ("gpu_memory", "speed")
    )]  # fmt: skip


def test_speed_on_a_small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways read the same tokens; a card that is too small is said."""
    from ftlab.lab.lab import open_lab

    monkeypatch.setattr(speed, "METHODS", ("lora_all", "qlora"))
    lab = open_lab("clinic", model="nano-gpt2")
    rows = list(speed.speeds(lab, speed.Plan(steps=2, batch_size=2, measure_every=0)))
    assert [row[1] for row in rows] == list(speed.METHODS)
    assert all(ours and theirs for _, _, ours, theirs in rows)
    assert "tokens/s, Trainer" in speed.told(rows[0])
    assert speed.told(("a", "full", None, 2.0)) == "a, full: ftlab does not fit the card"
