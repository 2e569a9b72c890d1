"""A killed run goes on to the very same numbers, and no checkpoint is ever half used."""

import copy
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftlab.base.checksums import sha256
from ftlab.base.errors import InputError
from ftlab.train import checkpoint, store
from ftlab.train.checkpoint import sealed
from ftlab.train.engine import default_groups
from ftlab.train.loop import Plan, completed_steps, train

ROOT = Path(__file__).resolve().parents[2]
ITEMS = [{"prompt": f"Note {n}: {'pain ' * (n % 3)}", "answer": f" Code {n}."} for n in range(9)]
PLAN = Plan(
    steps=12,
    batch_size=4,
    lr=1e-3,
    schedule="cosine",
    warmup=2,
    checkpoint_every=3,
    measure_every=4,
)

# Trains until it is in the middle of step 8: updated, measured, not yet yielded or stored.
VICTIM = """
import json, sys, time
from ftlab.models.loading import load
from ftlab.train.loop import Plan, train

model, folder, items, plan = sys.argv[1:]
bundle, calls = load(model), []
ids = bundle.model.dummy_inputs["input_ids"]

def measure(model):
    calls.append(1)
    if len(calls) == 3:
        print("now", flush=True)
        time.sleep(600)
    return {"target_score": model(ids).logits.mean()}

for step in train(
    bundle.model, bundle.tokenizer, json.loads(items), Plan(**json.loads(plan)),
    measure=measure, checkpoint=folder,
):
    pass
"""


def measure(model):
    return {"target_score": model(model.dummy_inputs["input_ids"]).logits.mean()}


def go_on(model, tokenizer, folder, plan=PLAN, items=ITEMS, **more):
    return list(train(model, tokenizer, items, plan, checkpoint=folder, **more))


def equal_weights(a, b) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_killed_run_goes_on_bit_for_bit(tiny_gpt2, tiny_tokenizer, tmp_path):
    tiny_gpt2.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    folder = tmp_path / "run"
    plan = json.dumps(dataclasses.asdict(PLAN))
    command = [sys.executable, "-c", VICTIM, str(tmp_path / "model"), str(folder)]
    victim = subprocess.Popen(
        [*command, json.dumps(ITEMS), plan], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert victim.stdout is not None and "now" in victim.stdout.read(4)
    victim.kill()
    assert victim.wait() == -9
    victim.stdout.close()

    done = completed_steps(folder)
    assert done[-1].step == 6
    resumed = copy.deepcopy(tiny_gpt2)
    rest = go_on(resumed, tiny_tokenizer, folder, measure=measure)
    whole = list(train(tiny_gpt2, tiny_tokenizer, ITEMS, PLAN, measure=measure))
    assert done + rest == whole == completed_steps(folder)
    assert equal_weights(resumed, tiny_gpt2)


@pytest.mark.parametrize("at", [0, 1, 5, 11])
def test_left_at_any_step(tiny_gpt2, tiny_tokenizer, tmp_path, at):
    first = copy.deepcopy(tiny_gpt2)
    for step in train(first, tiny_tokenizer, ITEMS, PLAN, checkpoint=tmp_path):
        if step.step == at:
            break
    done = completed_steps(tmp_path)
    assert done[-1].step == at - at % 3
    resumed = copy.deepcopy(tiny_gpt2)
    rest = go_on(resumed, tiny_tokenizer, tmp_path)
    assert done + rest == go_on(tiny_gpt2, tiny_tokenizer, tmp_path / "other")
    assert equal_weights(resumed, tiny_gpt2)
    assert rest[0].seconds > done[-1].seconds


def test_finished_run_yields_nothing_more(tiny_gpt2, tiny_tokenizer, tmp_path):
    first, second = copy.deepcopy(tiny_gpt2), copy.deepcopy(tiny_gpt2)
    plan = Plan(**{**vars(PLAN), "stop_at": 0.5})
    scores = iter([0.0, 0.6])
    steps = go_on(
        first, tiny_tokenizer, tmp_path, plan, measure=lambda m: {"target_score": next(scores)}
    )
    assert steps[-1].step == 4
    assert go_on(second, tiny_tokenizer, tmp_path, plan, measure=measure) == []
    assert equal_weights(first, second) and completed_steps(tmp_path) == steps


def test_only_frozen_and_trainable_weights_matter(tiny_gpt2, tiny_tokenizer, tmp_path):
    """Frozen weights are not stored; a resumed run must have the same ones."""
    tiny_gpt2.requires_grad_(False).transformer.h[11].requires_grad_(True)
    other = copy.deepcopy(tiny_gpt2)
    go_on(tiny_gpt2, tiny_tokenizer, tmp_path)
    (tensors,) = tmp_path.glob("*.safetensors")
    trained = sum(p.numel() for p in tiny_gpt2.transformer.h[11].parameters())
    assert tensors.stat().st_size == pytest.approx(4 * trained, rel=0.05)  # no optimiser
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.json", tensors.name}

    assert go_on(copy.deepcopy(other), tiny_tokenizer, tmp_path) == []
    with torch.no_grad():
        other.transformer.h[0].ln_1.weight[0] += 1
    with pytest.raises(InputError, match="model or method was"):
        go_on(other, tiny_tokenizer, tmp_path)


def test_other_runs_are_refused(tiny_gpt2, tiny_tokenizer, tmp_path):
    go_on(copy.deepcopy(tiny_gpt2), tiny_tokenizer, tmp_path)

    def refused(said, **more):
        model = copy.deepcopy(tiny_gpt2)
        with pytest.raises(InputError, match=said):
            train(
                model,
                tiny_tokenizer,
                **{"data": ITEMS, "plan": PLAN, "checkpoint": tmp_path, **more},
            )
        assert equal_weights(model, tiny_gpt2)

    refused(
        r"another run \(lr was 0.001, now 0.01\); give another folder",
        plan=Plan(**{**vars(PLAN), "lr": 0.01}),
    )
    refused(r"another run \(seed was 0, now 1\)", plan=Plan(**{**vars(PLAN), "seed": 1}))
    refused(r"another run \(data was \w+, now \w+\)", data=ITEMS[:-1])
    refused("penalty was False, now True", penalty=lambda model, batch: model.lm_head.weight.sum())
    part = [p for p in tiny_gpt2.parameters() if p.ndim > 1]
    model = copy.deepcopy(tiny_gpt2)
    model.transformer.wte.requires_grad_(False)
    with pytest.raises(InputError, match="model or method was"):
        train(model, tiny_tokenizer, ITEMS, PLAN, checkpoint=tmp_path)
    with pytest.raises(InputError, match="model or method was"):
        train(
            tiny_gpt2, tiny_tokenizer, ITEMS, PLAN, checkpoint=tmp_path, groups=[{"params": part}]
        )
    often = Plan(**{**vars(PLAN), "checkpoint_every": 1})  # changes no number
    assert go_on(copy.deepcopy(tiny_gpt2), tiny_tokenizer, tmp_path, often) == []


def test_a_plan_from_before_a_field_is_the_same_plan(tiny_gpt2, tiny_tokenizer, tmp_path):
    go_on(copy.deepcopy(tiny_gpt2), tiny_tokenizer, tmp_path)
    path = tmp_path / "checkpoint.json"
    stored = json.loads(path.read_text())
    del stored["run"]["optimizer"], stored["run"]["gradient_checkpointing"]
    path.write_text(json.dumps(sealed(stored)))
    other = dataclasses.replace(PLAN, optimizer="adamw8bit")
    with pytest.raises(InputError, match=r"optimizer was adamw, now adamw8bit"):
        go_on(copy.deepcopy(tiny_gpt2), tiny_tokenizer, tmp_path, other)
    assert go_on(tiny_gpt2, tiny_tokenizer, tmp_path) == []


# Has the folder until its input ends.
HOLDER = """
import sys
from ftlab.train.store import RunFolder

folder = RunFolder(sys.argv[1])
print(folder._lock(), flush=True)
sys.stdin.read()
"""


def test_two_processes_do_not_write_in_one_folder(tiny_gpt2, tiny_tokenizer, tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as holder:
        assert holder.stdout and holder.stdout.readline() == "True\n"
        with pytest.raises(InputError, match=r"Another run is using .*; wait until it has ended"):
            go_on(copy.deepcopy(tiny_gpt2), tiny_tokenizer, tmp_path / "run")
        assert not (tmp_path / "run").exists() and not tiny_gpt2.training
        holder.kill()
    assert len(go_on(tiny_gpt2, tiny_tokenizer, tmp_path / "run")) == 13


def test_a_stream_is_refused_when_another_has_written_meanwhile(
    tiny_gpt2, tiny_tokenizer, tmp_path
):
    early = train(copy.deepcopy(tiny_gpt2), tiny_tokenizer, ITEMS, PLAN, checkpoint=tmp_path)
    go_on(copy.deepcopy(tiny_gpt2), tiny_tokenizer, tmp_path)
    with pytest.raises(InputError, match="Another run is using"):
        next(early)
    assert go_on(tiny_gpt2, tiny_tokenizer, tmp_path) == []


def break_json(folder: Path) -> None:
    (folder / "checkpoint.json").write_text('{"plan": {', encoding="utf-8")


def drop_field(folder: Path) -> None:
    (folder / "checkpoint.json").write_text('{"plan": {}}', encoding="utf-8")


def cut_tensors(folder: Path) -> None:
    (path,) = folder.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:1000])


def drop_tensors(folder: Path) -> None:
    (path,) = folder.glob("*.safetensors")
    path.unlink()


def flip_a_byte(folder: Path) -> None:
    (path,) = folder.glob("*.safetensors")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def change_a_step(folder: Path) -> None:
    stored = json.loads((folder / "checkpoint.json").read_text())
    stored["steps"][1]["loss"] = 0.5
    (folder / "checkpoint.json").write_text(json.dumps(stored))


def change_a_shape(folder: Path) -> None:
    """And forge every checksum: the shapes are compared all the same."""
    (path,) = folder.glob("*.safetensors")
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    tensors["weight/transformer.ln_f.weight"] = torch.ones(1)
    save_file(tensors, path)
    stored = json.loads((folder / "checkpoint.json").read_text()) | {"sha256": sha256(path)}
    (folder / "checkpoint.json").write_text(json.dumps(sealed(stored)))


DAMAGE = [break_json, drop_field, cut_tensors, drop_tensors, flip_a_byte, change_a_step]


@pytest.mark.parametrize("damage", [*DAMAGE, change_a_shape])
def test_damage_is_named(tiny_gpt2, tiny_tokenizer, tmp_path, damage):
    go_on(copy.deepcopy(tiny_gpt2), tiny_tokenizer, tmp_path, Plan(steps=1, batch_size=2))
    damage(tmp_path)
    model = copy.deepcopy(tiny_gpt2)
    with pytest.raises(InputError, match=r"(checkpoint\.json|safetensors).*(delete|anew)"):
        go_on(model, tiny_tokenizer, tmp_path, Plan(steps=1, batch_size=2))
    assert equal_weights(model, tiny_gpt2)


def test_a_crash_while_writing_keeps_the_last(tiny_gpt2, tiny_tokenizer, tmp_path, monkeypatch):
    for step in train(tiny_gpt2, tiny_tokenizer, ITEMS, PLAN, checkpoint=tmp_path):
        if step.step == 5:
            break
    before = completed_steps(tmp_path)
    for module, name in ((store, "write_json"), (checkpoint, "save_file")):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
            patch.setattr(module, name, _disk_full)
            go_on(tiny_gpt2, tiny_tokenizer, tmp_path)
        assert completed_steps(tmp_path) == before
    assert go_on(tiny_gpt2, tiny_tokenizer, tmp_path)[-1].step == 12
    assert len(list(tmp_path.iterdir())) == 2, "leftovers are cleared away"


@pytest.mark.parametrize("place", ["/proc/x", "/dev/null/x", "x" * 300])
def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(
    tiny_gpt2, tiny_tokenizer, tmp_path, monkeypatch, place
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        train(tiny_gpt2, tiny_tokenizer, ITEMS, PLAN, checkpoint=place)
    assert not list(tmp_path.iterdir())


def _disk_full(*args, **kwargs):
    raise OSError("disk full")


def test_no_folder_no_steps(tmp_path):
    assert completed_steps(tmp_path / "nowhere") == []
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="is a file"):
        completed_steps(file)


def test_setup_reads_every_dtype(tiny_gpt2):
    """Frozen weights may be of any type, codes of a quantized model too."""
    for name, dtype in (("a", torch.bfloat16), ("b", torch.uint8), ("c", torch.float16)):
        frozen = torch.nn.Parameter(torch.ones((), dtype=dtype), requires_grad=False)
        tiny_gpt2.register_parameter(name, frozen)
    one = checkpoint.setup_checksum(tiny_gpt2, default_groups(tiny_gpt2))
    tiny_gpt2.b.data += 1
    assert one != checkpoint.setup_checksum(tiny_gpt2, default_groups(tiny_gpt2))


def test_too_little_room_on_the_disk_is_refused_before_the_first_step(
    tiny_gpt2, tiny_tokenizer, tmp_path, monkeypatch
):
    need = 24 * sum(p.numel() for p in tiny_gpt2.parameters())
    plan, free = Plan(steps=1, batch_size=2), SimpleNamespace(free=need - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: free)
    with pytest.raises(InputError, match="GB are free; make room"):
        train(tiny_gpt2, tiny_tokenizer, ITEMS, plan, checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "step-000001.safetensors").write_bytes(b"x")  # goes when the next is written
    train(tiny_gpt2, tiny_tokenizer, ITEMS, plan, checkpoint=tmp_path).close()
    never = dataclasses.replace(plan, checkpoint_every=0)
    train(tiny_gpt2, tiny_tokenizer, ITEMS, never, checkpoint=tmp_path / "new").close()
