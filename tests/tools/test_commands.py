"""The commands that make what ships: python -m tools.data, python -m tools.pretrain.

pytest tests/tools/test_commands.py
"""

from pathlib import Path
from typing import Any

import pytest

from tools.data import __main__ as data
from tools.pretrain import __main__ as pretrain


def slip(capsys, do: Any, *argv: str) -> str:
    """A command that must fail with one line on stderr; that line."""
    capsys.readouterr()
    assert do(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("ftlab: ") and err.count("\n") == 1, (out, err)
    return err


@pytest.mark.parametrize(
    ("do", "argv", "parts"),
    [
        (pretrain.main, [], ["required: name"]),
        (pretrain.main, ["nano-gpt9"], ["nano-gpt9", "nano-gpt2"]),
        (pretrain.main, ["nano-gpt2", "--steps", "0"], ["--steps 0"]),
        (data.main, ["--wirte"], ["--wirte"]),
    ],
)
def test_slips_are_one_line(capsys, do, argv, parts) -> None:
    said = slip(capsys, do, *argv)
    assert all(part in said for part in parts), said


def test_data_says_what_differs(capsys, monkeypatch, tmp_path) -> None:
    from tools.data import build

    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    monkeypatch.setattr(build, "check", lambda folder: ["world/a.jsonl"])
    assert data.main([]) == 1
    assert "world/a.jsonl" in capsys.readouterr().out
    monkeypatch.setattr(build, "check", lambda folder: [])
    assert data.main([]) == 0
    monkeypatch.setattr(build, "write", lambda folder: ["a", "b"])
    assert data.main(["--write"]) == 0
    assert "2 files were written" in capsys.readouterr().out
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path / "none"))
    assert "does not exist" in slip(capsys, data.main)


def test_pretrain_asks_before_it_goes_on(capsys, monkeypatch, tmp_path) -> None:
    from tools.pretrain import train

    monkeypatch.chdir(tmp_path)
    calls: list[dict[str, Any]] = []

    def work(name: str, *, out: Path, recipe: Any, checkpoint: Path, report: Any) -> None:
        checkpoint.mkdir(exist_ok=True)
        report(1, 2.0, 1000.0)
        calls.append({"name": name, "out": out, "steps": recipe.steps})

    monkeypatch.setattr(train, "pretrain", work)
    monkeypatch.setattr(pretrain, "_finish", lambda name, out: None)
    assert pretrain.main(["nano-gpt2", "--steps", "50", "--out", "m"]) == 0
    steps = train.RECIPES["nano-gpt2"].scaled(50).steps
    assert calls == [{"name": "nano-gpt2", "out": Path("m"), "steps": steps}]
    assert "--resume" in slip(capsys, pretrain.main, "nano-gpt2", "--out", "m")
    assert pretrain.main(["nano-gpt2", "--out", "m", "--resume"]) == 0

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "pretrain", stop)
    capsys.readouterr()
    assert pretrain.main(["nano-gpt2", "--out", "m", "--resume"]) == 130
    assert "go on from it with --resume" in capsys.readouterr().err
