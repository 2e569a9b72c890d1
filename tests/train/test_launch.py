"""The same script under launchers: two processes share a batch, bf16 leaves no trace."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import accelerate
import psutil
import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from safetensors.torch import load_file

import ftlab
from ftlab.base.errors import InputError
from ftlab.text import scored_batches
from ftlab.train import engine, store
from ftlab.train.loop import Plan, train
from tests.train.launched import WAYS, main

ROOT = Path(__file__).resolve().parents[2]
ITEMS = [{"prompt": f"Note {n}: {'pain ' * (n % 3)}", "answer": f" Code {n}."} for n in range(9)]
PLAN = Plan(steps=3, batch_size=5, lr=1e-3)

# Dropout is off: its masks are drawn for each process, so they cannot agree with one process.
SCRIPT = """
import json, sys
from pathlib import Path
import torch
from ftlab.models.loading import load
from ftlab.train.loop import Plan, train

bundle = load(sys.argv[1])
for module in bundle.model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0
marks = set(vars(bundle.model))
steps = list(train(
    bundle.model, bundle.tokenizer, json.loads(sys.argv[2]), Plan(steps=3, batch_size=5, lr=1e-3),
    checkpoint=sys.argv[3],
))
assert set(vars(bundle.model)) == marks, set(vars(bundle.model)) - marks
Path(sys.argv[3], "losses.json").write_text(json.dumps([step.loss for step in steps]))
"""


@pytest.fixture
def launched(tiny_gpt2, tiny_tokenizer, tmp_path):
    """A function that runs SCRIPT under a launcher and gives its losses, and what was said."""
    tiny_gpt2.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    folder = tmp_path / "run"

    def run(*launcher: str):
        script = [tmp_path / "script.py", tmp_path / "model", json.dumps(ITEMS), folder]
        here = {"PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
        env = {**os.environ, **here}
        command = [sys.executable, "-m", *launcher, *map(str, script)]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads((folder / "losses.json").read_text()), done.stdout

    return run


def alone(tiny_gpt2, tiny_tokenizer):
    for module in tiny_gpt2.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    return list(train(tiny_gpt2, tiny_tokenizer, ITEMS, PLAN))


@pytest.mark.slow
def test_accelerate_launch_decides_precision(launched, tiny_gpt2, tiny_tokenizer):
    """The launcher's bf16 is used, near fp32 and not equal; the model comes back unwrapped.

    It starts one process of the two that were asked for, and that is said.
    """
    settings = "--cpu --num_processes=2 --num_machines=1 --dynamo_backend=no".split()
    theirs, said = launched("accelerate.commands.launch", *settings, "--mixed_precision=bf16")
    ours = [step.loss for step in alone(tiny_gpt2, tiny_tokenizer)]
    assert theirs[1:] == pytest.approx(ours[1:], rel=0.02) and theirs != ours
    assert "asked for 2 processes and has started one" in said
    assert "torchrun --nproc-per-node 2 script.py" in said and said.count("\n") == 1


@pytest.mark.parametrize("asked", ["--num_processes=1", "--num-processes 1", ""])
def test_a_launch_of_one_process_says_nothing(asked, monkeypatch, capsys):
    words = ["accelerate", "launch", *asked.split(), "script.py"]
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: words)
    engine._say_if_alone.__wrapped__()
    assert not capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_give_one_processs_records_and_weights(tmp_path, monkeypatch, capsys):
    """Full, LoRA, replay, a penalty; and a stored run that was stopped and gone on with."""
    ways = [*WAYS, "resumed"]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(store, "EVERY", store.EVERY)  # as it was, after main() has changed it
    monkeypatch.setattr(store, "SHARE", store.SHARE)
    monkeypatch.setattr(scored_batches, "CPU_TOKENS", scored_batches.CPU_TOKENS)
    main(tmp_path / "one", ways)
    ftlab.store_runs(None)
    assert "2 of 4 steps; it goes on there" in capsys.readouterr().out
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*two, ROOT / "tests" / "train" / "launched.py", tmp_path / "two", *ways],
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 of 4 steps; it goes on there") == 2
    for way in ways:
        (ours, _), *theirs = (
            [json.loads((tmp_path / f"{name}.json").read_text()), name]
            for name in (f"one/{way}-0", f"two/{way}-0", f"two/{way}-1")
        )
        for record, name in theirs:
            assert record == theirs[0][0]
            alike(ours, record)
            alike_weights(load_file(tmp_path / f"one/{way}-0.safetensors"), tmp_path / name)


def alike(ours, theirs):
    """Equal, numbers to 1e-5."""
    if isinstance(ours, dict | list):
        keys = ours if isinstance(ours, dict) else range(len(ours))
        assert len(ours) == len(theirs)
        for key in keys:
            alike(ours[key], theirs[key])
    else:
        assert ours == (
            theirs if isinstance(ours, str | None) else pytest.approx(theirs, 1e-5, 1e-5)
        )


def alike_weights(ours, name):
    """The keys' bias moves no loss: its gradient is rounding, which AdamW makes a step of."""
    for key, theirs in load_file(f"{name}.safetensors").items():
        third = len(theirs) // 3
        rows = [*range(third), *range(2 * third, 3 * third)] if "attn.bias" in key else ...
        torch.testing.assert_close(theirs[rows], ours[key][rows], atol=1e-5, rtol=1e-5)


def test_a_launch_that_shards_the_model_is_refused(monkeypatch):
    class Sharded:
        distributed_type, num_processes = DistributedType.FSDP, 2

    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(accelerate, "Accelerator", lambda **_: Sharded())
    with pytest.raises(InputError, match=r"among its processes \(FSDP\), and here each holds all"):
        engine._launcher()


def test_the_config_for_fsdp2_is_one_that_accelerate_reads():
    config: Any = load_config_from_file(str(ROOT / "examples" / "fsdp2.yaml"))
    assert config.distributed_type == DistributedType.FSDP and config.num_processes == 8
    known = set(FullyShardedDataParallelPlugin.__dataclass_fields__)
    names = {name.removeprefix("fsdp_") for name in config.fsdp_config}
    assert names - known == {"version", "offload_params", "auto_wrap_policy"} - known
    assert config.fsdp_config["fsdp_version"] == 2
