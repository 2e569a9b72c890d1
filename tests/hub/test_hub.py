"""The Hub, as the profile t4 uses it: what comes from it, and what happens when it does not come.

A small Hub on this machine (`fake_hub.py`) serves tiny models in the Hub's own form, and sets; a
child process has it as HF_ENDPOINT, so huggingface_hub and datasets run their real code.

Run: pytest tests/hub/test_hub.py
"""

import copy
import json
import os
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

from ftlab.base.errors import InputError
from ftlab.base.machine import PROFILES
from ftlab.hub import fetch, reach, worker

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ("Anatomy", "Surgery", "Pathology")

# Does what it is sent, a line of Python each, and answers with what came of it.
CHILD = """
import contextlib, io, json, sys, time
import ftlab
from ftlab.hub import reach
from ftlab.hub import fetch
from ftlab.lab.lab import open_lab
from ftlab.methods.attention_lora import AttentionLoRA
from ftlab.models.loading import load
from ftlab.plan import Plan
from ftlab.datasets.load import load_domain, load_suite

fetch.PATIENCE, fetch.DOUBT = 6.0, 1.5
FEW = {"target_items": 4, "per_skill": 2, "documents": 2}
PLAN = Plan(steps=2, batch_size=4, measure_every=0, max_tokens=250)
real = sys.stdout
for line in sys.stdin:
    reach.forget()
    told, began, answer = io.StringIO(), time.monotonic(), {"value": None, "error": None}
    with contextlib.redirect_stdout(told):
        try:
            answer["value"] = eval(json.loads(line))
        except Exception as error:
            answer["error"] = type(error).__name__ + ": " + str(error)
    answer |= {"told": told.getvalue(), "seconds": time.monotonic() - began}
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
    bart = BartForConditionalGeneration(
        BartConfig(
            vocab_size=size,
            d_model=64,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=128,
            decoder_ffn_dim=128,
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=0,
            decoder_start_token_id=0,
            forced_eos_token_id=0,
        )
    )
    masks = {f"h.{n}.attn.bias": torch.ones(1, 1, 8, 8).tril() for n in range(2)}
    relic = {
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
    small = like_the_hub(t5, root / "t5", with_gaps, prefix="", more=relic)
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


class Child:
    """A process with the fake Hub as its Hub, under the profile t4."""

    def __init__(self, fake: FakeHub, home: Path) -> None:
        env = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")}
        env |= {"HF_ENDPOINT": fake.address, "HF_HOME": str(home), "FTLAB_PROFILE": "t4"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.fake = fake
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD], cwd=ROOT, env=env, text=True, **pipes
        )

    def ask(self, expression: str, mode: str = "well") -> dict[str, Any]:
        """What came of it, while the Hub is in this mode: value, error, told, seconds."""
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
        made.process.wait(20)  # nothing that waits for the Hub keeps a process from ending
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
    (line,) = found["told"].splitlines()
    assert line.startswith("gpt2 cannot be had: ") and why in line and "nano-gpt2" in line
    # Within seconds; opening the lab takes a few by itself on a busy machine.
    assert child.ask("load('gpt2')", mode)["seconds"] < 8


def test_the_encoder_decoder_lab_falls_back_to_its_own_sister(child) -> None:
    found = child.ask("(lab := open_lab(seq2seq=True, **FEW)).bundle.name, lab.suite.name", "429")
    assert found["value"] == ["nano-t5", "tasks"] and found["told"].count("\n") == 1


@pytest.mark.parametrize(("mode", "why"), [*MODES, ("stalls", "has stalled")])
def test_what_was_named_is_never_replaced(child, mode, why) -> None:
    model = "gpt2" if mode != "stalls" else "t5-small"
    found = child.ask(f"open_lab('clinic', model='{model}')", mode)
    assert (
        found["error"].startswith(f"Away: There is no model '{model}' here") and not found["told"]
    )
    assert why in found["error"] and "\n" not in found["error"] and found["seconds"] < 12


@pytest.mark.parametrize(("mode", "why"), MODES)
@pytest.mark.parametrize("what", ["load_domain('medical')", "load_suite('wiki')"])
def test_sets_that_cannot_be_had_are_one_line_within_seconds(child, what, mode, why) -> None:
    found = child.ask(what, mode)
    assert found["error"].startswith("Away: ") and why in found["error"], found
    assert "\n" not in found["error"] and found["seconds"] < 8


@pytest.mark.parametrize("mode", ["401", "429", "503", "silent"])
def test_any_other_set_is_one_line_within_seconds(child, mode) -> None:
    found = child.ask("load_domain('somebody/own')", mode)
    assert "'somebody/own' is neither a file here nor to be had" in found["error"]
    assert "\n" not in found["error"] and found["seconds"] < 8


# Then the Hub as it should be.


def test_gpt2_opens_on_english_with_text_of_wikipedia(child) -> None:
    found = child.ask("[(lab := open_lab('clinic', **FEW)).bundle.name, lab.suite.name]")
    assert found["value"] == ["gpt2", "wiki"] and not found["told"], found
    files = {path.rpartition("/")[2] for verb, path in child.fake.asked if verb == "GET"}
    assert "model.safetensors" in files and "pytorch_model.bin" not in files


def test_a_run_says_what_it_was_made_on(child) -> None:
    run = "open_lab('clinic', **FEW).run(PLAN, replay=0.25).finish()"
    found = child.ask(f"[(run := {run}).record.suite, run.record.model, run.rows[-1]['answer']]")
    suite, model, text = found["value"]
    assert (suite, model) == ("wiki", "gpt2")
    assert text.startswith("The validation river") and "well-known, and 1,200 km" in text


@pytest.mark.parametrize("model", ["t5-base", "bart-base", "facebook/bart-base"])
def test_encoder_decoder_models_of_the_hub_train(child, model) -> None:
    opened = "open_lab(seq2seq=True, **FEW)" if model == "t5-base" else ""
    opened = opened or f"open_lab(model='{model}', **FEW)"
    method = "AttentionLoRA({'cross': 2})"
    run = f"(lab := {opened}).run(PLAN, method={method}).finish()"
    found = child.ask(f"[{run}.steps[-1].step, lab.bundle.name, lab.suite.name]")
    assert found["value"] == [2, model, "wiki"], found


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


@pytest.mark.parametrize("mode", ["429", "503", "silent"])
def test_what_was_fetched_once_needs_no_hub(child, mode) -> None:
    found = child.ask("[(lab := open_lab('clinic', **FEW)).bundle.name, lab.suite.name]", mode)
    assert found["value"] == ["gpt2", "wiki"] and not found["told"], found
    assert child.ask("len(load_domain('medical').test)", mode)["value"] == 128


def test_a_fetched_model_without_wikipedia_keeps_the_text_that_ships(child) -> None:
    broken = "setattr(__import__('ftlab.datasets.hub_sets').world.hub_sets, 'WIKI', 'no/where')"
    found = child.ask(f"[{broken}, (lab := open_lab('clinic', **FEW)).suite.name]")
    assert found["value"] == [None, "english"], found
    assert found["told"].startswith("No Wikipedia text: ") and found["told"].count("\n") == 1


# The pieces.


class Sleeper:
    """In the place of a process that ends after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    def poll(self) -> int | None:
        return 0 if time.monotonic() > self.until else None


def test_a_slow_download_that_goes_on_is_waited_for(capsys, monkeypatch) -> None:
    monkeypatch.setattr(fetch, "TELL_AFTER", 0.5)
    monkeypatch.setattr(fetch, "PATIENCE", 0.6)
    began = time.monotonic()
    fetch.wait(Sleeper(1.5), "it", lambda: int(10 * time.monotonic()))
    assert time.monotonic() - began > 1.4
    assert capsys.readouterr().out == "Fetching it from the Hub; once, then it is here.\n"


def test_what_stands_still_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.5)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="has stalled"):
        fetch.wait(Sleeper(30), "it", lambda: 0)
    assert time.monotonic() - began < 3


def test_a_child_that_breaks_is_told_by_its_last_line() -> None:
    assert fetch._outcome("...\nnull") is None
    assert fetch._outcome('\n{"status": 404, "reason": ""}') == (404, fetch.REASONS[404])
    assert fetch._outcome("Traceback\nMemoryError: no room") == (0, "MemoryError: no room")
    assert fetch._outcome("") == (0, "nothing came back")


def test_a_hub_that_was_silent_is_not_asked_again_at_once(monkeypatch) -> None:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    asked: list[int] = []
    monkeypatch.setattr(reach, "_ask", lambda heard, seconds: asked.append(1))
    for _ in range(3):
        with reach.cache_only_if_offline() as there:
            assert not there
    assert len(asked) == 1
    reach.forget()
    with reach.cache_only_if_offline():
        assert len(asked) == 2
    reach.forget()


def test_a_reason_is_found_behind_the_errors_of_the_client() -> None:
    class Answer:
        status_code = 429

    class Refused(Exception):
        response = Answer()

    try:
        try:
            raise Refused
        except Refused as error:
            raise OSError("long story\nwith lines") from error
    except OSError as error:
        assert worker.reason_of(error) == (429, "")
    assert worker.reason_of(OSError("a\nb")) == (0, "a")


def test_every_profile_names_both_kinds_of_model() -> None:
    assert {name: (p.model, p.seq2seq) for name, p in PROFILES.items()} == {
        "nano": ("nano-gpt2", "nano-t5"),
        "laptop": ("smollm2-135m", "nano-t5"),
        "t4": ("gpt2", "t5-base"),
    }
    assert issubclass(reach.Offline, InputError)
