"""Bad values for every option of every command: one line on stderr, exit code 2, nothing begun.

pytest tests/campaign/test_command.py
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import ftlab.lab.lab
import ftlab.lab.run
import ftlab.lab.sheet
from ftlab.base.paths import data_dir
from ftlab.cli import main
from ftlab.experiments import make
from ftlab.models.loading import load
from tests.campaign.verdicts import ONE, SILENT, TRACEBACK, Reached, Tally, some
from tools.pretrain import __main__ as pretraining

REQUIRED = {"class": ["."], "data": ["clinic"], "grid": ["decoder"], "pretrain": ["nano-gpt2"],
            "report": [str(next((data_dir() / "records" / "nano").glob("*.json")))],
            "suite": [str(data_dir() / "own" / "README.md"), "--out", "skills"]}  # fmt: skip
NUMBERS = ["x", "", "nan", "inf", "-inf", "1e400", "True", "None", "0x10", "9" * 60, "-1", "\0"]
PLACES = ["", " ", "a\0b", "x" * 300, "/proc/x", "/dev/null/x"]
UNKNOWN = ["xyzzy", "FULL", "clinik ", "\0", "\udcff", "a/b/c/d", "/proc/x"]
BAD: dict[str, list[str]] = {
    "steps": ["0", "1.5"], "lr": ["0"], "batch_size": ["0"], "max_tokens": ["0", "1"],
    "items": ["0", "99999999"], "longest": ["0", "1"], "stop_at": ["0", "1.5"],
    "replay": ["1", "1.5"], "most": ["0"], "jobs": ["0"], "only": ["no such run"],
    "domain": ["clinik", "no.jsonl", "no.csv"], "model": ["nano-gtp2"], "suite": ["wurld"],
    "base": ["nf5", "nf4-65", ""], "method": ["lora", ""], "name": ["", "decodr"],
    "columns": ["prompt", "prompt=", "answer=a,answer=b"], "file": ["clinik", "no.jsonl"],
    "runs": ["none.json"], "tolerance": ["0", "1", "1.5"], "tasks": ["xyzzy"], "tuned": ["none"],
    "part": ["x", "1", "2/1", "0/0", "-1/2"],
}  # fmt: skip
"""More that is wrong, by option."""
TAKEN = {
    ("lr", "9" * 60): "a number; the run ends with a sentence when its loss is none",
    ("weight-decay", "9" * 60): "the same",
    ("clip", "9" * 60): "a bound that never binds",
}
"""(option, value) that is taken on purpose, and why."""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Of `ftlab`, of each of its commands, and of `python -m tools.pretrain`."""
    top, each = main.parser()
    own = main.Parser(prog="python -m tools.pretrain", allow_abbrev=False)
    pretraining.add_pretrain(own)
    return {"": top, **each, "pretrain": own}


def slips(command: str, action: argparse.Action) -> Iterator[Sequence[str]]:
    """Words that are wrong for an option."""
    flag = action.option_strings[-1:]
    if isinstance(action, argparse._HelpAction | argparse._VersionAction):
        yield [f"{flag[0]}=3"]
        return
    if action.nargs == 0:
        yield from ([f"{flag[0]}=3"], [f"{flag[0]}="], [flag[0], "3"], [f"{flag[0]}s"])
        return
    if flag:
        yield from (flag, [f"{flag[0]}x", "3"])
    numeric = action.type in (int, float)
    values = NUMBERS if numeric else PLACES if callable(action.type) else UNKNOWN
    for value in (*values, *BAD.get(action.dest, ())):
        yield [f"{flag[0]}={value}"] if flag else [value]


def cases() -> list[tuple[str, list[str]]]:
    found = []
    for command, parser in parsers().items():
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += [("", [word]) for word in ("xyzzy", "Run", "\0", "", "runs")]
                continue
            for words in slips(command, action):
                first = REQUIRED.get(command, []) if action.option_strings else []
                found.append((command, [*first, *words]))
    return found


@pytest.fixture
def nothing_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where work would begin, Reached is raised; models and data are loaded once."""

    def reached(*_: Any, **__: Any) -> Any:
        raise Reached

    for module, name in (
        (ftlab.lab.run, "train"), (make, "run_point"), (make, "_trained"),
        (main.grid, "_side_by_side"), (ftlab.lab.sheet, "measure_target"),
        (pretraining, "_train"), (import_module("ftlab.teach.preflight"), "preflight"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, reached)
    monkeypatch.setattr("ftlab.lab.defaults.load", cache(load))
    monkeypatch.chdir(tmp_path)


def run(command: str, words: Sequence[str]) -> Callable[[], int]:
    if command == "pretrain":
        return lambda: pretraining.main(words)
    return lambda: main.main([command, *words] if command else words)


def verdict(call: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The verdict on a command with bad words."""
    stderr: Any = sys.stderr
    stderr.reconfigure(errors="backslashreplace")  # as Python's own; pytest's is strict
    try:
        code = call()
    except Reached:
        return SILENT, "the work began"
    except (Exception, SystemExit) as error:
        return TRACEBACK, f"{type(error).__name__}: {error!s:.100}"
    finally:
        out, err = capsys.readouterr()
    if code == 2 and err.count("\n") == 1 and "Traceback" not in err:
        return ONE, err
    return (SILENT if code == 0 else TRACEBACK), f"exit code {code}: {out!r:.60} {err!r:.100}"


@pytest.mark.usefixtures("nothing_begins")
def test_bad_words_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tally = Tally("options")
    for command, words in some(cases(), 2):
        if words and tuple(words[-1].lstrip("-").split("=", 1)) in TAKEN:
            continue
        tally.add(f"{command} {words!r:.80}", verdict(run(command, words), capsys))
        assert not list(tmp_path.iterdir()), words
    tally.close(least=100)
