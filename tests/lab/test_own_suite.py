"""A suite of the base's own answers: the base is right on all of it.

pytest tests/lab/test_own_suite.py
"""

from pathlib import Path

import pytest

import ftlab
from ftlab.base.errors import InputError
from ftlab.cli.main import main
from ftlab.datasets.load import load_suite
from ftlab.lab.own_suite import own_suite
from ftlab.models.loading import Bundle, load


@pytest.fixture(scope="module")
def nano() -> Bundle:
    return load("nano-gpt2")


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    return [probe.query for probe in load_suite("world").probes if probe.form == "cloze"][:24]


def test_the_base_says_all_of_it_and_a_lab_takes_it(
    nano: Bundle, prompts: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    count = own_suite(nano, [*prompts, prompts[0], "  "], "towns", folder)
    assert 20 <= count <= len(set(prompts))
    lab = ftlab.open_lab("clinic", model=nano, suite=folder)
    assert lab.baseline["skills"] == {"towns": 1.0}
    assert lab.suite.documents == load_suite("world").documents
    assert own_suite(nano, prompts[:12], "towns", folder) <= 12  # it takes its own place


def test_too_few_and_a_folder_with_more_in_it_write_nothing(
    nano: Bundle, prompts: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"Of 4 prompts \d give a probe, and 10 are needed"):
        own_suite(nano, prompts[:4], "towns", tmp_path / "mine")
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis.txt"):
        own_suite(nano, prompts, "towns", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_command(
    prompts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = tmp_path / "towns.txt"
    asked.write_text("\n".join(prompts), encoding="utf-8")
    out = str(tmp_path / "skills")
    assert main(["suite", str(asked), "--model", "nano-gpt2", "--out", out]) == 0
    assert "prompts became probes of 'towns'" in capsys.readouterr().out
    assert {probe.skill for probe in load_suite(out).probes} == {"towns"}
    assert main(["suite", str(tmp_path / "none.txt"), "--out", out]) == 2
    assert "There is no file" in capsys.readouterr().err
