"""The command line: slips give one line and exit code 2, and nothing is left half-written.

pytest tests/cli/test_cli.py
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftlab import record as records
from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.cli import main
from ftlab.cli import run as train_command
from ftlab.cli.terminal import Progress, check_folder, check_picture, save_picture
from ftlab.plan import Plan, Step

ROOT = Path(__file__).resolve().parents[2]


def measured(target: float, kept: float) -> dict[str, Any]:
    return {
        "target_score": target,
        "held_score": target / 2,
        "target_loss": 1.0,
        "general_loss": 3.0 - kept,
        "skills": {"facts": kept, "grammar": 0.5 + kept / 2},
        "retention": kept,
        "least_retained": kept,
        "kept": {"facts": kept},
        "learned": 0.0,
        "forgotten": 0.0,
    }


class FakeRun:
    """A run that learns everything and forgets half, without a model."""

    def __init__(self, plan: Plan, stop_at: int | None = None) -> None:
        self.plan, self.stop_at = plan, stop_at

    def __iter__(self) -> Iterator[Step]:
        for step in range(self.plan.steps + 1):
            if step == self.stop_at:
                raise KeyboardInterrupt
            share = step / self.plan.steps
            yield Step(step, 1.0, 1e-3, step, step, 1.0, 0.1, measured(share, 1 - share / 2))

    @property
    def record(self) -> records.Record:
        steps = [vars(step) for step in FakeRun(self.plan)]
        return records.Record(
            name="full", method="full", model="nano-gpt2", model_checksum="m", domain="clinic",
            data_checksum="d", suite="world", plan=vars(self.plan), seed=self.plan.seed,
            device="cpu", precision="fp32", versions={}, command="", trainable=1, total=1,
            budget=records.budget(steps), curve=steps,
            baseline=measured(0, 1), final=measured(1, 0.5),
            seconds=1.0, peak_memory=None,
        )  # fmt: skip

    def samples(self, count: int) -> list[dict[str, str]]:
        return [{"prompt": "A\nnote:", "expected": " yes", "before": "", "after": " yes"}] * count


@pytest.fixture
def fake_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Stand in for ftlab.lab.lab.open_lab; run in an empty folder. `seen` holds what was asked."""
    import ftlab.lab.lab

    seen: dict[str, Any] = {"stop_at": None}

    def open_lab(domain: str, model: str | None = None, **_: object) -> Any:
        def run(plan: Plan, **_: object) -> FakeRun:
            seen.update(domain=domain, model=model, plan=plan)
            return FakeRun(plan, seen["stop_at"])

        name = SimpleNamespace(name=domain)
        return SimpleNamespace(bundle=SimpleNamespace(name=model), domain=name, run=run)

    monkeypatch.setattr(ftlab.lab.lab, "open_lab", open_lab)
    monkeypatch.chdir(tmp_path)
    return seen


def slip(capsys, *argv: str, code: int = 2) -> str:
    """Run a command that must fail with one line on stderr; that line. Own data may be told of."""
    assert main.main(argv) == code
    out, err = capsys.readouterr()
    assert (
        (not out or out.startswith("good: 16 items"))
        and err.startswith("ftlab: ")
        and err.count("\n") == 1
    ), (out, err)
    return err


# Words


def test_help_and_slips_load_no_torch() -> None:
    code = (
        "import sys\nfrom ftlab.cli.main import main\n"
        "for argv in (['--help'], ['demo', '--help'], ['--version']):\n"
        "    try: main(argv)\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "assert main([]) == 0 and main(['demo', '--lr', '-1']) == 2\n"
        "heavy = {'torch', 'numpy', 'transformers', 'datasets', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in main.COMMANDS)


def test_a_slip_in_a_process_of_its_own_is_one_line(tmp_path: Path) -> None:
    code = "import sys; from ftlab.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", "--steps", "0"],
        cwd=tmp_path, env=_with_root(), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr


def _with_root() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["dmeo"], ["no command 'dmeo'", "did you mean 'demo'?", "check, demo, data, suite, run"]),
        (["xyz"], ["no command 'xyz'", "check, demo, data, suite, run"]),
        (["demo", "--stepps", "3"], ["'--stepps'", "did you mean '--steps'?"]),
        (["--verbose"], ["'--verbose'"]),
        (["demo", "--lr", "fast"], ["--lr", "'fast'", "ftlab demo --help"]),
        (["demo", "--steps", "1.5"], ["--steps", "'1.5'"]),
        (["demo", "--lr"], ["--lr", "expected one argument"]),
        (["demo", "--lr", "-1"], ["lr=-1.0", "above 0"]),
        (["demo", "--lr", "nan"], ["lr=nan"]),
        (["demo", "--lr", "inf"], ["lr=inf"]),
        (["demo", "--steps", "0"], ["steps=0", "from 1 up"]),
        (["run", "--seed", "-3"], ["seed=-3"]),
        (["run", "--method", "magic"], ["'magic'", "full"]),
        (["demo", "--out", "picture"], ["picture", ".png"]),
        (["demo", "--out", "no/such/folder/a.png"], ["no folder"]),
        (["demo", "--out", "/proc/a.png"], ["/proc cannot be written"]),
        (["demo", "--out", "x" * 300 + ".png"], ["File name too long"]),
        (["run", "--out", ""], ["--out", "it is empty"]),
        (["data", "\udcff.jsonl"], ["'?.jsonl' is not UTF-8"]),
        (["run", "--store", " "], ["--store", "it is empty"]),
        (["grid", "decoder", "--out", ""], ["--out", "it is empty"]),
        (["run", "--replay", "-0.1"], ["replay=-0.1", "from 0 to below 1"]),
        (["run", "--replay", "nan"], ["replay=nan", "from 0 to below 1"]),
        (["run", "--out", "~nosuchuser/x"], ["--out", "~nosuchuser", "home"]),
        (["demo", "--out", "~nosuchuser/x.png"], ["--out", "~nosuchuser", "home"]),
        (["run", "--out", "/proc/x"], ["/proc/x cannot be written"]),
        (["run", "--out", "/dev/null/x"], ["cannot be written (Not a directory)"]),
        (["run", "--out", "x" * 300], ["File name too long"]),
        (["run", "--store", "/proc/x", "--out", "r"], ["/proc/x"]),
        (["check", "now"], ["'now'", "ftlab check --help"]),
    ],
)
def test_slips_are_one_line(capsys, tmp_path, monkeypatch, argv, parts) -> None:
    monkeypatch.chdir(tmp_path)
    line = slip(capsys, *argv)
    for part in parts:
        assert part in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--domain", "clinik", "did you mean 'clinic'?"),
        ("--domain", "missing.jsonl", "no file missing.jsonl"),
        ("--domain", "empty.jsonl", "empty.jsonl is empty"),
        ("--domain", "broken.jsonl", "Line 2 of broken.jsonl is not JSON"),
        ("--domain", "somebody/some-set", "HF_HUB_OFFLINE"),
        ("--model", "nano-gtp2", "did you mean 'nano-gpt2'?"),
        ("--model", "somebody/some-model", "HF_HUB_OFFLINE"),
        ("--model", "damaged", "cannot be read"),
    ],
)
def test_bad_input_is_one_line(capsys, tmp_path, monkeypatch, tiny_data, option, value, part):
    monkeypatch.chdir(tiny_data)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = sorted(tiny_data.iterdir())
    argv = ["demo", "--domain", "good.jsonl", "--model", "damaged", option, value]
    assert part in slip(capsys, *argv)
    assert sorted(tiny_data.iterdir()) == before


@pytest.fixture
def tiny_data(tmp_path: Path, tiny_tokenizer, monkeypatch) -> Path:
    """A folder with good, empty and broken examples and a damaged model; FTLAB_DATA set."""
    rows = [json.dumps({"prompt": f"Q{n}:", "answer": "yes"}) for n in range(20)]
    (tmp_path / "good.jsonl").write_text("\n".join(rows))
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text(rows[0] + '\n{"prompt": ')
    tiny_tokenizer.save_pretrained(tmp_path / "damaged")
    (tmp_path / "damaged/config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "damaged/model.safetensors").write_bytes(b"not weights")
    for suite in ("world", "english"):
        folder = tmp_path / "data" / suite
        folder.mkdir(parents=True)
        probe = {"id": "1", "skill": "s", "form": "cloze", "query": "q", "choices": ["a"]}
        (folder / "probes.jsonl").write_text(json.dumps(probe | {"label": 0}))
        (folder / "general.jsonl").write_text('{"text": "t"}')
    checksums.write(tmp_path / "data")
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path / "data"))
    return tmp_path


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "argv", [["claims"], ["--help"], ["--version"], ["grid", "qlora", "--list"]]
)
def test_output_that_cannot_be_written_is_one_line(argv: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ftlab.cli.main", *argv],
            cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": ""}, stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=600,
        )  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "the output cannot be" in done.stderr and "No space left" in done.stderr


# demo and run


def test_demo_shows_both_numbers_and_writes_the_picture(fake_lab, capsys) -> None:
    argv = ["demo", "--domain", "helpdesk", "--steps", "4", "--lr", "3e-4", "--out", "a.png"]
    assert main.main(argv) == 0
    out = capsys.readouterr().out
    assert fake_lab["plan"] == Plan(steps=4, lr=3e-4) and fake_lab["domain"] == "helpdesk"
    assert "learned: new items right" in out and "retained, the mean" in out
    assert out.count("expected") == 2 and "(nothing)" in out
    assert "The picture is in a.png." in out
    assert out.splitlines()[-1] == (
        "After 4 steps at learning rate 3e-4 the model answers 100 % of new items correctly "
        "and has retained 50 % of the skills it had."
    )
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in Path().iterdir()] == ["a.png"]
    assert "\r" not in out


def test_run_keeps_a_record(fake_lab, capsys) -> None:
    assert main.main(["run", "--steps", "3", "--seed", "7", "--out", "deep/runs"]) == 0
    (record,) = records.load_all("deep/runs")
    assert record.plan["seed"] == 7 and "deep/runs" in capsys.readouterr().out


def test_a_folder_of_ones_home_is_there(fake_lab, monkeypatch, tmp_path) -> None:
    """As in --out=~/runs, which no shell expands."""
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    assert main.main(["run", "--steps", "3", "--out=~/runs"]) == 0
    assert len(records.load_all(tmp_path / "me" / "runs")) == 1


@pytest.mark.parametrize("out", ["here", "here/records"])
def test_a_model_is_not_saved_over_its_record(fake_lab, capsys, out: str) -> None:
    told = slip(capsys, "run", "--out", out, "--save", "here")
    assert "would hold the record too" in told and "plan" not in fake_lab


def test_a_reader_that_has_gone_is_no_success(monkeypatch) -> None:
    def gone(asked: Any) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(main, "_drop_output", lambda: None)
    assert main.guarded(gone, argparse.Namespace()) == 141


@pytest.mark.parametrize("command", ["demo", "run"])
def test_an_interrupt_leaves_nothing(fake_lab, capsys, command: str) -> None:
    fake_lab["stop_at"] = 2
    assert main.main([command, "--steps", "4"]) == 130
    what = {"demo": "nothing", "run": "no record"}[command]
    assert capsys.readouterr().err == f"\nftlab: stopped; {what} was written.\n"
    assert not list(Path().iterdir())


def test_an_interrupt_says_what_was_stored(fake_lab, capsys) -> None:
    stored = SimpleNamespace(stored_step=20, folder=Path("kept/full-1234"))
    run = SimpleNamespace(stored=stored, plan=Plan(steps=30))
    assert train_command._stopped("no record was written", run) == (
        "no record was written, but 20 of 30 steps are stored in kept/full-1234: "
        "the same command goes on from there"
    )
    stored.stored_step = 0
    assert train_command._stopped("no record was written", run) == "no record was written"


def test_a_run_that_measured_no_retention_still_ends() -> None:
    nothing = measured(0, 0) | {"retention": None, "held_score": None, "general_loss": None}
    assert "-" in train_command.table(nothing, nothing)
    assert "retained - of" in train_command.closing(nothing, Plan(), 100)


# check


def test_check_prints_the_report_and_its_code(capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main.main(["check"]) == 1  # no data: broken
    assert "CHECKSUMS" in capsys.readouterr().out
    (tmp_path / "a.txt").write_text("a")
    checksums.write(tmp_path)
    assert main.main(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["broken"] is False
    monkeypatch.setenv("FTLAB_PROFILE", "huge")
    assert "nano, laptop, t4" in slip(capsys, "check")


# Pieces


def test_progress_redraws_in_a_terminal_only(capsys, monkeypatch) -> None:
    def drawn(**options: Any) -> str:
        with Progress(4, **options) as bar:
            for step in range(1, 5):
                bar.to(step, f"words {step}")
        return capsys.readouterr().out

    def lines(*steps: int) -> str:
        words = [f", words {n}" if n else "" for n in steps]
        bars = [f"[{6 * n * '#':.<24}] {n}/4" for n in steps]
        return "".join(f"{bar}{text}\n" for bar, text in zip(bars, words, strict=True))

    assert drawn(every=0) == lines(0, 1, 2, 3, 4)
    assert drawn(every=60) == lines(0, 4)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    live = drawn()
    assert live.count("\n") == 1 and live.endswith(lines(4)) and live.count("\r") > 2


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    assert check_folder(tmp_path / "new/deep") and check_picture(tmp_path / "a.PNG")
    for call, path in (
        (check_folder, tmp_path / "file"),
        (check_folder, tmp_path / "file/deep"),
        (check_picture, tmp_path / "a.gif"),
        (check_picture, tmp_path / "folder.png"),
        (check_picture, tmp_path / "none/a.png"),
    ):
        with pytest.raises(InputError):
            call(path)


def test_a_picture_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    class Broken:
        def savefig(self, path: Path, format: str) -> None:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="No space left"):
        save_picture(Broken(), path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
