"""`ftlab demo` on the model and the data that ship; its run is tests/tools/test_readme.py's.

pytest tests/cli/test_demo.py
"""

import json
from pathlib import Path

from ftlab.base.paths import data_dir
from ftlab.cli import main


def test_the_model_ships() -> None:
    folder = data_dir() / "models" / "nano-gpt2"
    assert (folder / "model.safetensors").is_file(), f"nano-gpt2 is not in {folder}"


def test_a_text_that_is_too_long_is_one_line(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"{n} " + "the man walks home " * 40, "answer": "yes"} for n in range(12)]
    Path("long.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main.main(["demo", "--model", "nano-gpt2", "--domain", "long.jsonl"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("ftlab: ") and err.count("\n") == 1 and "token" in err, err
    assert [path.name for path in Path().iterdir()] == ["long.jsonl"]
