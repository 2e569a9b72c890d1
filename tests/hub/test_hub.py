"""The Hub, as the profile t4 uses it: what comes from it, and what happens when it does not come.

A small Hub on this machine (`fake_hub.py`) serves tiny models in the Hub's own form, and sets; a
child process has it as HF_ENDPOINT, so huggingface_hub and datasets run their real code.

Run: pytest tests/hub/test_hub.py
"""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import torch
from fake_hub import FakeHub
from safetensors.torch import save_file
from torch import nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from ftlab.hub import fetch, reach

ROOT = Path(__file__).resolve().parents[2]
BOUND = 60
"""Seconds: far more than it takes, far less than the 120 or 300 that a silent Hub would cost."""
SUBJECTS = ("Anatomy", "Surgery", "Pathology")

# Does what it is sent, a line of Python each, and answers with what came of it.
CHILD = """
import contextlib, io, json, sys, time
import ftlab
from ftlab.hub import fetch, reach
from ftlab.lab.lab import open_lab
from small import small_lab
from ftlab.methods.attention_lora import AttentionLoRA
from ftlab.models.loading import load
from ftlab.plan import Plan
from ftlab.datasets.load import load_domain, load_suite

fetch.PATIENCE = 1.0
FEW = {"target_items": 4, "per_skill": 2, "documents": 2}
PLAN = Plan(steps=2, batch_size=4, measure_every=0, max_tokens=250)
real = sys.stdout
for line in sys.stdin:
    reach._given_up = 0.0, ""
    printed, began, answer = io.StringIO(), time.monotonic(), {"value": None, "error": None}
    with contextlib.redirect_stdout(printed):
        try:
            answer["value"] = eval(json.loads(line))
        except Exception as error:
            answer["error"] = type(error).__name__ + ": " + str(error)
    answer |= {"printed": printed.getvalue(), "seconds": time.monotonic() - began}
    print(json.dumps(answer), file=real, flush=True)
"""


def like_the_hub(model: Any, folder: Path, tokenizer: Any, *, prefix: str, more: Any) -> Path:
    """Save a model as its repository on the Hub has it: keys without the prefix, ties once."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    left_out = ("lm_head", "final_logits_bias", "encoder.embed_tokens", "decoder.embed_tokens")
    weights = {name.removeprefix(prefix): w for name, w in model.state_dict().items()}
    weights = {name: w.clone() for name, w in weights.items() if not name.startswith(left_out)}
    save_file(weights | more, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "pytorch_model.bin").write_bytes(b"a pickle that must not be fetched")
    return folder


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def exam(n: int) -> dict[str, Any]:
    options = {f"op{letter}": f"{letter} {n}" for letter in "abcd"}
    row = {"id": str(n), "question": f"Which part is no {n}?", "cop": n % 4, "exp": None}
    return row | options | {"subject_name": SUBJECTS[n % 3], "topic_name": None}


def article(split: str, n: int) -> dict[str, Any]:
    return {"text": f" The {split} river no {n} is well @-@ known , and 1 @,@ 200 km long . \n" * 4}


@pytest.fixture(scope="module")
def repos(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: Any) -> dict[str, Path]:
    root: Path = tmp_path_factory.mktemp("hub")
    tokenizer, with_gaps = tiny_tokenizer, copy.deepcopy(tiny_tokenizer)
    with_gaps.add_tokens([f"<extra_id_{n}>" for n in range(100)], special_tokens=True)  # as T5's
    with_gaps.add_special_tokens({"mask_token": "<mask>"})  # as BART's
    size = len(with_gaps)
    torch.manual_seed(0)
    gpt2: nn.Module = GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_layer=2, n_embd=64, n_head=2, bos_token_id=0, eos_token_id=0)
    )
    config = T5Config(vocab_size=size, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4)
    config.decoder_start_token_id = 0
    t5 = T5ForConditionalGeneration(config)
    sizes = {"layers": 2, "attention_heads": 2, "ffn_dim": 128}
    sizes = {f"{stack}_{key}": n for stack in ("encoder", "decoder") for key, n in sizes.items()}
    ends = ("pad_token_id", "bos_token_id", "eos_token_id", "forced_eos_token_id")
    ends = dict.fromkeys((*ends, "decoder_start_token_id"), 0)
    bart = BartForConditionalGeneration(BartConfig(vocab_size=size, d_model=64, **sizes, **ends))
    masks = {f"h.{n}.attn.bias": torch.ones(1, 1, 8, 8).tril() for n in range(2)}
    unused = {
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": torch.zeros(32, 4)
    }
    write_parquet(
        root / "medmcqa/data/validation-00000-of-00001.parquet", [exam(n) for n in range(400)]
    )
    for split in ("test", "validation"):
        rows = [{"text": ""}, {"text": " = A river = \n"}, *(article(split, n) for n in range(120))]
        write_parquet(root / f"wiki/wikitext-2-raw-v1/{split}-00000-of-00001.parquet", rows)
    (root / "own").mkdir()
    lines = [json.dumps({"prompt": f"Q {n}:", "answer": f"a {n}"}) for n in range(40)]
    (root / "own/train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    small = like_the_hub(t5, root / "t5", with_gaps, prefix="", more=unused)
    return {
        "models/openai-community/gpt2": like_the_hub(
            gpt2, root / "gpt2", tokenizer, prefix="transformer.", more=masks
        ),
        "models/google-t5/t5-base": small,
        "models/google-t5/t5-small": small,
        "models/facebook/bart-base": like_the_hub(
            bart, root / "bart", with_gaps, prefix="model.", more={}
        ),
        "datasets/openlifescienceai/medmcqa": root / "medmcqa",
        "datasets/Salesforce/wikitext": root / "wiki",
        "datasets/somebody/own": root / "own",
    }


def env(fake: FakeHub, home: Path) -> dict[str, str]:
    """The environment of a process that has the fake Hub as its Hub."""
    inherited = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")}
    here = {"HF_ENDPOINT": fake.address, "HF_HOME": str(home), "PYTHONPATH": str(ROOT / "tests")}
    return inherited | here


class Child:
    """A process with the fake Hub as its Hub, under the profile t4."""

    def __init__(self, fake: FakeHub, home: Path) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        pipes["env"] = env(fake, home) | {"FTLAB_PROFILE": "t4"}
        self.fake = fake
        self.process = subprocess.Popen([sys.executable, "-c", CHILD], cwd=ROOT, text=True, **pipes)

    def ask(self, expression: str, mode: str = "well") -> dict[str, Any]:
        """What came of it, while the Hub is in this mode: value, error, printed, seconds."""
        self.fake.mode = mode
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(expression) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def child(repos: dict[str, Path], tmp_path_factory: Any) -> Iterator[Child]:
    with FakeHub(repos) as fake:
        made = Child(fake, tmp_path_factory.mktemp("home"))
        made.ask("1")  # the imports are done
        yield made
        assert made.process.stdin and made.process.stdout
        made.process.stdin.close()
        made.process.wait(BOUND)  # nothing that waits for the Hub keeps a process from ending
        made.process.stdout.close()


# First the Hub that gives nothing: nothing is in the cache yet.

MODES = [
    ("401", "wants a login"),
    ("403", "gated"),
    ("404", "nothing of that name"),
    ("429", "limits how often"),
    ("503", "out of order"),
    ("silent", "does not answer"),
]


@pytest.mark.parametrize(("mode", "why"), MODES)
def test_without_the_hub_a_lab_opens_with_what_ships_and_one_line(child, mode, why) -> None:
    found = child.ask("(lab := open_lab('clinic', **FEW)).bundle.name, lab.suite.name", mode)
    assert found["value"] == ["nano-gpt2", "world"], found
    (line,) = found["printed"].splitlines()
    assert line.startswith("gpt2 cannot be had: ") and why in line and "nano-gpt2" in line
    assert child.ask("load('gpt2')", mode)["seconds"] < BOUND


def test_the_encoder_decoder_lab_falls_back_to_its_own_sister(child) -> None:
    found = child.ask("(lab := open_lab(seq2seq=True, **FEW)).bundle.name, lab.suite.name", "429")
    assert found["value"] == ["nano-t5", "tasks"] and found["printed"].count("\n") == 1


@pytest.mark.parametrize(
    ("mode", "why"), [*MODES, ("mute", "does not answer"), ("stalls", "has stalled")]
)
def test_what_was_named_is_never_replaced(child, mode, why) -> None:
    model = "gpt2" if mode != "stalls" else "t5-small"
    found = child.ask(f"open_lab('clinic', model='{model}')", mode)
    assert found["error"].startswith(f"Offline: There is no model '{model}' here")
    assert not found["printed"]
    assert why in found["error"] and "\n" not in found["error"] and found["seconds"] < BOUND


@pytest.mark.parametrize("mode", ["401", "429", "503", "silent"])
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("load_suite('wiki')", "Salesforce/wikitext could not be fetched: "),
        ("load_domain('medical')", "'medical' is not a file here and could not be"),
        ("load_domain('somebody/own')", "'somebody/own' is not a file here and could not be"),
    ],
)
def test_sets_that_cannot_be_fetched_are_one_line_within_seconds(child, what, mode, why) -> None:
    found = child.ask(what, mode)
    assert found["error"].startswith("Offline: ") and why in found["error"], found
    assert "\n" not in found["error"] and found["seconds"] < BOUND


# Then the Hub as it should be.


def test_gpt2_opens_on_english_with_text_of_wikipedia(child) -> None:
    found = child.ask("[(lab := open_lab('clinic', **FEW)).bundle.name, lab.suite.name]")
    assert found["value"] == ["gpt2", "wiki"] and not found["printed"], found
    files = {path.rpartition("/")[2] for verb, path in child.fake.asked if verb == "GET"}
    assert "model.safetensors" in files and "pytorch_model.bin" not in files


def test_a_run_says_what_it_was_made_on(child) -> None:
    run = "small_lab(model=None).run(PLAN, replay=0.25).finish()"  # few questions at its end, too
    found = child.ask(f"[(run := {run}).record.suite, run.record.model, run.rows[-1]['answer']]")
    suite, model, text = found["value"]
    assert (suite, model) == ("wiki", "gpt2")
    assert text.startswith("The validation river") and "well-known, and 1,200 km" in text


@pytest.mark.parametrize("model", ["t5-base", "facebook/bart-base"])
def test_encoder_decoder_models_of_the_hub_train(child, model) -> None:
    wanted = "seq2seq=True" if model == "t5-base" else f"model='{model}'"
    run = f"(lab := open_lab({wanted}, **FEW)).run(PLAN, method=AttentionLoRA({{'cross': 2}}))"
    found = child.ask(f"[{run}.finish().steps[-1].step, lab.bundle.name, lab.suite.name]")
    assert found["value"] == [2, model, "wiki"], found
    short = model.rpartition("/")[2]
    assert child.ask(f"load('{short}').name")["value"] == short


def test_the_medical_set_is_cut_in_three(child) -> None:
    found = child.ask(
        "[len((d := load_domain('medical')).train), len(d.validation), len(d.test), d.name,"
        " d.train[0], load_domain('medical_answers').train[0],"
        " sorted({row['answer'] for row in d.test})]"
    )
    train, validation, test, name, row, other, answers = found["value"]
    assert (train, validation, test, name) == (208, 64, 128, "medical")
    assert row["prompt"].startswith("Exam question: ") and row["prompt"].endswith("\nSubject:")
    assert answers == sorted(f" {subject}" for subject in SUBJECTS)
    assert "\nA. a " in other["prompt"] and other["answer"][1:2] in "abcd"


def test_any_other_set_comes_through_datasets(child) -> None:
    assert child.ask("load_domain('somebody/own').train.num_rows")["value"] == 32


def test_a_slow_download_that_goes_on_is_never_broken_off(child) -> None:
    child.fake.asked.clear()
    found = child.ask("setattr(fetch, 'LARGE', 5e5) or load('t5-small').name", "slow")
    assert found["seconds"] > 1.5  # more than the PATIENCE of the child
    assert sum(verb == "GET" and "safetensors" in path for verb, path in child.fake.asked) == 1
    assert found["printed"].startswith("Fetching google-t5/t5-small from the Hub, 1 MB; once, ")


@pytest.mark.parametrize("mode", ["429", "503", "silent", "mute"])
def test_what_was_fetched_once_needs_no_hub(child, mode) -> None:
    found = child.ask("[(lab := open_lab('clinic', **FEW)).bundle.name, lab.suite.name]", mode)
    assert found["value"] == ["gpt2", "wiki"] and not found["printed"], found
    assert child.ask("len(load_domain('medical').test)", mode)["value"] == 128
    assert child.ask("load_domain('somebody/own').train.num_rows", mode)["value"] == 32


def test_a_fetched_model_without_wikipedia_uses_the_text_that_ships(child) -> None:
    broken = "setattr(__import__('ftlab.datasets.hub_sets').datasets.hub_sets, 'WIKI', 'no/where')"
    found = child.ask(f"[{broken}, (lab := open_lab('clinic', **FEW)).suite.name]")
    assert found["value"] == [None, "english"], found
    assert found["printed"].startswith("No Wikipedia text: ") and found["printed"].count("\n") == 1


# The Hub alone.


@pytest.fixture
def asks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is allowed, and no Hub was given up before."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(reach, "_given_up", (0.0, ""))


def test_a_hub_that_was_silent_is_not_asked_again_at_once(asks_anew, monkeypatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(reach, "_ask", lambda heard, seconds: asked.append(1))
    for _ in range(3):
        with pytest.raises(reach.Offline, match="nobody/model could not be fetched: the Hub does"):
            fetch.fetch("nobody/model", wanted=["*"])
    assert len(asked) == 1


def test_any_answer_of_the_hub_counts_and_none_does_not(asks_anew, monkeypatch, repos) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    assert not reach.online()
    with FakeHub(repos) as fake:
        monkeypatch.setenv("HF_ENDPOINT", fake.address + "/no/such/page")
        assert reach.online()
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert not reach.online() and len(fake.asked) == 1


def test_an_interrupt_ends_a_download_at_once(repos: dict[str, Path], tmp_path: Path) -> None:
    """Its patience is longer than the test's, so that only the interrupt can have ended it."""
    code = (  # what a shell starts in the background ignores SIGINT, and so would its children
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from ftlab.hub import fetch; fetch.PATIENCE = 600; fetch.fetch('only/here', wanted=['*'])"
    )
    with FakeHub({"models/only/here": repos["models/google-t5/t5-small"]}) as fake:
        fake.mode = "stalls"
        patient = env(fake, tmp_path) | {"HF_HUB_DOWNLOAD_TIMEOUT": "600"}  # by default 10 seconds
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=patient)
        try:  # by its name: a process of another test may still ask a server at this port
            while not any(
                verb == "GET" and "only/here/resolve" in path for verb, path in fake.asked
            ):
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert process.wait(BOUND) == -signal.SIGINT
        finally:
            process.kill()
            process.wait()
