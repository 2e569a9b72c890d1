"""Stored runs: a run that is made again is not trained again, and nothing is lost on the way.

Run: pytest tests/train/test_store.py
"""

import dataclasses
import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import ftlab
from ftlab import record as records
from ftlab.base.errors import InputError, OutOfMemory
from ftlab.evaluate.evaluator import Sizes
from ftlab.lab.lab import Lab, Run
from ftlab.methods.attention_lora import AttentionLoRA
from ftlab.methods.freeze import Freeze
from ftlab.methods.lora import LoRA
from ftlab.methods.qlora import QLoRA
from ftlab.plan import Plan
from ftlab.train import loop, store
from ftlab.train.checkpoint import sealed
from ftlab.train.engine import Engine
from tests.small import narrow_lab
from tests.train.test_checkpoint import change_a_step, flip_a_byte

PLAN = Plan(steps=4, batch_size=4, measure_every=2)
THREE: Sizes = {"target_items": 3, "per_skill": 1, "documents": 1}


@pytest.fixture(scope="module")
def lab() -> Lab:
    return narrow_lab()


@pytest.fixture(scope="module")
def t5() -> Lab:
    return narrow_lab("new_words", "nano-t5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for runs, with a space and letters of other alphabets; off again afterwards."""
    monkeypatch.delenv("FTLAB_STORE", raising=False)
    monkeypatch.setattr(store, "EVERY", 0.0)  # a checkpoint after every step
    monkeypatch.setattr(store, "SHARE", 0.0)
    place = tmp_path / "My Drive" / "Läufe 実験"
    place.parent.mkdir()
    monkeypatch.setattr(store, "_chosen", None)
    ftlab.store_runs(place)
    yield place


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the steps that are really taken."""
    taken: list[int] = []
    step = Engine.step

    def counted(self: Engine, last: Any) -> Any:
        made = step(self, last)
        taken.append(made.step)
        return made

    monkeypatch.setattr(Engine, "step", counted)
    return taken


def weights(run: Run) -> list[torch.Tensor]:
    return [p.detach() for p in run.model.parameters()]


def same(a: Run, b: Run) -> bool:
    pairs = zip(weights(a), weights(b), strict=True)
    return a.steps == b.steps and all(torch.equal(p, q) for p, q in pairs)


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("lab", {}),
    "freeze": ("lab", {"method": Freeze()}),
    "lora with a head": ("lab", {"method": LoRA({"7-12": 2}, head=True)}),
    "qlora": ("lab", {"method": QLoRA()}),
    "replay": ("lab", {"replay": 0.25}),
    "seq2seq, full": ("t5", {}),
    "seq2seq, lora": ("t5", {"method": AttentionLoRA({"cross": 2})}),
}


@pytest.mark.parametrize("case", CASES)
def test_made_again_it_is_read_and_broken_off_it_goes_on(
    case: str, request: pytest.FixtureRequest, folder: Path, trained: list[int], capsys
) -> None:
    bench: Lab = request.getfixturevalue(CASES[case][0])
    asked = CASES[case][1]
    plain = bench.run(PLAN, store=False, **asked).finish()
    assert not list(folder.iterdir())

    broken = bench.run(PLAN, **asked)
    for step in broken:
        if step.step == 3:
            break
    capsys.readouterr()
    trained.clear()
    rest = bench.run(PLAN, **asked).finish()
    assert "Stored run found: 3 of 4 steps; it goes on there" in capsys.readouterr().out
    assert trained == [4] and same(rest, plain)
    record = rest.record

    trained.clear()
    again = bench.run(PLAN, **asked).finish()
    assert "Stored run found: 4 steps, not trained again" in capsys.readouterr().out
    assert trained == [] and same(again, plain)
    assert again.record == record and again.final == record.final
    assert len(list(folder.iterdir())) == 1
    plain_record = dataclasses.asdict(plain.record)
    for name in ("seconds", "peak_memory", "curve"):  # the curve has seconds in it too
        plain_record.pop(name)
    assert plain_record == {k: v for k, v in vars(record).items() if k in plain_record}


def test_what_decides_a_number_makes_another_run(
    lab: Lab, folder: Path, trained: list[int]
) -> None:
    runs = [
        lab.run(PLAN),
        lab.run(dataclasses.replace(PLAN, seed=1)),
        lab.run(PLAN, items=20),
        lab.run(PLAN, replay=0.25),
        lab.run(PLAN, method=LoRA({"7-12": 2}, name="mine")),
        lab.run(PLAN, method=lambda model: LoRA({"7-12": 2}, name="mine")(model)),
        lab.run(PLAN, method=lambda model: LoRA({"7-12": 2}, scale=4.0, name="mine")(model)),
        Lab(lab.bundle, lab.domain, lab.suite, **THREE).run(PLAN),
    ]
    for run in runs:
        run.finish()
    assert len(list(folder.iterdir())) == len(runs) and trained == [1, 2, 3, 4] * len(runs)
    often = dataclasses.replace(PLAN, checkpoint_every=1)  # changes no number
    assert lab.run(often).finish().steps == runs[0].steps
    assert len(trained) == 4 * len(runs)


def test_off_unless_asked_for(lab: Lab, folder: Path, trained: list[int], monkeypatch) -> None:
    ftlab.store_runs(None)
    lab.run(PLAN).finish()
    lab.run(PLAN).finish()
    assert trained == [1, 2, 3, 4] * 2 and not list(folder.iterdir())
    monkeypatch.setenv("FTLAB_STORE", str(folder))
    monkeypatch.setattr(store, "_chosen", store._UNSET)
    lab.run(PLAN).finish()
    lab.run(PLAN).finish()
    assert trained == [1, 2, 3, 4] * 3


def test_a_record_that_was_not_made_is_made_from_the_stored_weights(lab: Lab, folder: Path) -> None:
    first = lab.run(PLAN).finish()
    again = lab.run(PLAN).finish()
    assert again.final == lab.evaluator.full(first.model)
    (place,) = folder.iterdir()
    assert (place / "record.json").is_file()


def test_a_finished_run_leaves_its_weights_and_no_optimiser(lab: Lab, folder: Path) -> None:
    run = lab.run(PLAN).finish()
    (tensors,) = folder.glob("*/*.safetensors")
    assert tensors.stat().st_size == pytest.approx(4 * run.prepared.trainable, rel=0.02)


def test_killed_in_its_middle_it_goes_on_to_the_very_same_numbers(
    lab: Lab, folder: Path, trained: list[int], monkeypatch
) -> None:
    """What lies there in the middle of a step is what a kill leaves (campaign/test_stops.py)."""
    left = folder.with_name("left")
    for step in lab.run(PLAN):
        if step.step == 2:
            monkeypatch.setattr(store, "EVERY", 600.0)  # what comes after it is not stored
        if step.step == 3:
            shutil.copytree(folder, left)
            break
    shutil.rmtree(folder)
    left.rename(folder)
    trained.clear()
    run = lab.run(PLAN).finish()
    assert trained == [3, 4]
    assert same(run, lab.run(PLAN, store=False).finish())


def cut(place: Path) -> None:
    (tensors,) = place.glob("*.safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-100])


def lose(place: Path) -> None:
    (tensors,) = place.glob("*.safetensors")
    tensors.unlink()


def scribble(place: Path) -> None:
    (place / "checkpoint.json").write_text("{")


def reshape(place: Path) -> None:
    (path,) = place.glob("*.safetensors")
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    save_file({name: torch.ones(1) for name in tensors}, path)


def shrink(place: Path) -> None:
    (place / "checkpoint.json").write_text('{"steps": []}')


@pytest.mark.parametrize(
    "damage", [cut, lose, scribble, shrink, flip_a_byte, change_a_step, reshape]
)
def test_a_damaged_run_is_named_and_trained_again(
    lab: Lab, folder: Path, trained: list[int], damage: Any, capsys
) -> None:
    first = lab.run(PLAN).finish()
    (place,) = folder.iterdir()
    damage(place)
    capsys.readouterr()
    again = lab.run(PLAN).finish()
    assert capsys.readouterr().out.count("damaged, so it is trained again") == 1
    assert trained == [1, 2, 3, 4] * 2 and same(first, again)
    trained.clear()
    assert same(lab.run(PLAN).finish(), first) and trained == []


@pytest.mark.parametrize("change", [("{", ""), ('"target_score": 0', '"target_score": 1')])
def test_a_damaged_record_is_measured_again(lab: Lab, folder: Path, change) -> None:
    final = lab.run(PLAN).finish().final
    (path,) = folder.glob("*/record.json")
    text = path.read_text()
    path.write_text(text.replace(*change))
    assert path.read_text() != text
    again = lab.run(PLAN).finish()
    assert again.final == final and records.load(path) == again.record


def test_a_folder_of_another_run_is_refused(lab: Lab, folder: Path) -> None:
    lab.run(PLAN).finish()
    (place,) = folder.iterdir()
    stored = json.loads((place / "checkpoint.json").read_text())
    stored["run"]["seed"] = 7
    (place / "checkpoint.json").write_text(json.dumps(sealed(stored)))
    with pytest.raises(InputError, match=r"another run \(seed was 7, now 0\); give another"):
        lab.run(PLAN).finish()


def test_a_drive_that_vanishes_is_named_once_and_costs_nothing(
    lab: Lab, folder: Path, capsys
) -> None:
    plain = lab.run(PLAN, store=False).finish()
    run = lab.run(PLAN)
    for step in run:
        if step.step == 1:
            shutil.rmtree(folder.parent)
    out = capsys.readouterr().out
    assert out.count("goes on without being stored") == 1 and "it is gone" in out
    assert same(run, plain) and run.record.final == plain.record.final
    assert not folder.parent.exists()  # nothing was made where the Drive was


def test_a_drive_that_is_full_is_named_once_and_costs_nothing(
    lab: Lab, folder: Path, capsys
) -> None:
    plain = lab.run(PLAN, store=False).finish()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, hard))  # no file may grow beyond it
    try:
        run = lab.run(PLAN).finish()
        assert same(run, plain) and run.final == plain.final
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().out
    assert said.count("goes on without being stored") == 1 and "File too large" in said
    assert not list(folder.glob("*/*part*")) and not list(folder.glob("*/*.safetensors"))


def test_a_run_in_use_is_left_alone(lab: Lab, folder: Path, trained: list[int], capsys) -> None:
    """The second goes on by itself, from its start, and what the first stores stays whole."""
    first = iter(lab.run(PLAN))
    for _ in range(3):
        next(first)
    second = lab.run(PLAN).finish()
    said = capsys.readouterr().out
    assert said.count("Another run is using") == said.count("goes on without being stored") == 1
    assert trained == [1, 2, 1, 2, 3, 4] and same(second, lab.run(PLAN, store=False).finish())
    assert second.record and not list(folder.glob("*/record.json"))
    list(first)
    trained.clear()
    assert same(lab.run(PLAN).finish(), second) and trained == []


@pytest.mark.parametrize("place", ["/proc/x", "/dev/full", "x" * 300, "a\0b", "~nosuchuser/x"])
def test_a_place_that_is_none_is_one_sentence(tmp_path: Path, monkeypatch, place: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="No runs can be stored in"):
        ftlab.store_runs(place)
    with pytest.raises(InputError, match="There is no folder"):
        ftlab.records(place)
    with pytest.raises(InputError, match="is no folder of records"):
        records.load_all(place)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(InputError, match=r"No such file.*mount the Drive first"):
        ftlab.store_runs(tmp_path / "drive" / "MyDrive" / "ftlab")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"No runs can be stored in .*file"):
        ftlab.store_runs(tmp_path / "file")

    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(store.tempfile, "TemporaryFile", read_only)
    with pytest.raises(InputError, match=r"Read-only file system.*give a folder that can be"):
        ftlab.store_runs(tmp_path / "other")


def test_a_checkpoint_waits_for_a_slow_drive(lab: Lab, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(store, "EVERY", 3600.0)
    run = lab.run(PLAN)
    for step in run:
        if step.step == 3:
            break
    assert not list(folder.iterdir())  # not due yet, and not the end
    lab.run(PLAN).finish()
    assert len(list(folder.iterdir())) == 1


def test_a_full_card_is_named_while_copying_and_while_measuring(lab: Lab, monkeypatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patch:
        patch.setattr("ftlab.lab.lab.copy.deepcopy", full)
        with pytest.raises(OutOfMemory, match=r"while the base was copied.*del run"):
            lab.run(PLAN)
    run = lab.run(PLAN, store=False)
    with pytest.raises(OutOfMemory, match="while the model was measured"):
        list(loop.train(run.model, lab.tokenizer, run.rows, PLAN, measure=full))


def test_the_command_line_stores_a_run(
    lab: Lab, tmp_path: Path, folder: Path, capsys, monkeypatch
) -> None:
    from ftlab.cli.main import main

    monkeypatch.setattr("ftlab.lab.lab.open_lab", lambda *_, **__: lab)
    asked = ["run", "--model", "nano-gpt2", "--steps", "2", "--out", str(tmp_path / "out")]
    for _ in range(2):
        assert main([*asked, "--store", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.count("not trained again") == 1 and len(list(folder.iterdir())) == 1
    assert main([*asked, "--store", str(tmp_path / "no" / "where")]) == 2
