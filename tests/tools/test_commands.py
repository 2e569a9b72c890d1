"""The commands that make what ships: python -m tools.data, python -m tools.pretrain.

pytest tests/tools/test_commands.py
"""

import json
from dataclasses import asdict
from hashlib import sha256
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
        (pretrain.main, ["nano-gpt2", "--steps", "0"], ["--steps=0"]),
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
        (checkpoint / "state.safetensors").write_bytes(b"")
        told = {"recipe": asdict(recipe), "curve": [[1, 2.0]], "sha256": sha256(b"").hexdigest()}
        (checkpoint / "curve.json").write_text(json.dumps(told))
        report(1, 2.0, 1000.0)
        calls.append({"name": name, "out": out, "steps": recipe.steps})

    monkeypatch.setattr(train, "pretrain", work)
    monkeypatch.setattr(pretrain, "_finish", lambda name, out: None)
    assert pretrain.main(["nano-gpt2", "--steps", "50", "--out", "m"]) == 0
    steps = train.RECIPES["nano-gpt2"].scaled(50).steps
    assert calls == [{"name": "nano-gpt2", "out": tmp_path / "m", "steps": steps}]
    asked = ["nano-gpt2", "--steps", "50", "--out", "m"]
    assert "--resume" in slip(capsys, pretrain.main, *asked)
    assert pretrain.main([*asked, "--resume"]) == 0
    assert "another recipe" in slip(capsys, pretrain.main, "nano-gpt2", "--out", "m", "--resume")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "pretrain", stop)
    capsys.readouterr()
    assert pretrain.main([*asked, "--resume"]) == 130
    assert "go on from it with --resume" in capsys.readouterr().err
    assert pretrain.main(["nano-gpt2", "--steps", "50", "--out", "other"]) == 130
    assert "no checkpoint was written yet" in capsys.readouterr().err
    (tmp_path / "m.checkpoint" / "state.safetensors").write_bytes(b"x")
    assert "is missing or damaged" in slip(capsys, pretrain.main, *asked, "--resume")
    (tmp_path / "m.checkpoint" / "state.safetensors").unlink()
    assert "is missing or damaged" in slip(capsys, pretrain.main, *asked, "--resume")
    (tmp_path / "m.checkpoint" / "curve.json").write_text("[[1, 2.0]]")
    assert "curve.json is damaged" in slip(capsys, pretrain.main, *asked, "--resume")
    (tmp_path / "m.checkpoint" / "curve.json").unlink()
    assert "nothing to resume" in slip(capsys, pretrain.main, *asked, "--resume")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--out", "new", "--resume"], "nothing to resume"),
        (["--out", ""], "it is empty"),
        (["--out", "."], "the folder you are in"),
        (["--out", "thesis"], "holds something else too (years.tex)"),
        (["--out", "/proc/x"], "cannot be written"),
        (["--out", "x" * 300], "File name too long"),
    ],
)
def test_pretrain_refuses_a_place_before_the_first_step(
    capsys, monkeypatch, tmp_path, argv, said
) -> None:
    from tools.pretrain import train

    monkeypatch.chdir(tmp_path)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "years.tex").write_text("of work")
    monkeypatch.setattr(train, "pretrain", lambda *_, **__: pytest.fail("begun"))
    assert said in slip(capsys, pretrain.main, "nano-gpt2", "--steps", "1", *argv)
    assert [path.name for path in tmp_path.rglob("*")] == ["thesis", "years.tex"]
