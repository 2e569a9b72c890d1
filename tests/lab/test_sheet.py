"""A file is looked at before it is trained on, and a run saves what can be gone on from.

pytest tests/lab/test_sheet.py
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

import ftlab
from ftlab.analysis.rates import best_rate, rates_to_try
from ftlab.base.errors import InputError
from ftlab.base.progress import counted, watched
from ftlab.cli import main
from ftlab.datasets.load import load_domain
from ftlab.lab.command import command_of
from ftlab.lab.lab import Lab, open_lab
from ftlab.lab.sheet import look
from ftlab.models.loading import load
from ftlab.plan import Plan

PLAN = Plan(steps=2, batch_size=4, measure_every=0)


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    said = ["yes", "no", "maybe"]
    rows = [{"prompt": f"Does {n} matter?\nAnswer:", "answer": said[n % 3]} for n in range(30)]
    rows.append({"prompt": "long " * 300, "answer": "yes"})
    path = tmp_path_factory.mktemp("own") / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def lab(mine: Path) -> Lab:
    sizes: Any = {"target_items": 2, "per_skill": 1, "documents": 2, "kl_texts": 2}
    made = open_lab(mine, model="nano-gpt2", too_long="skip", longest=64, **sizes)
    made.suite = made.evaluator.suite = made.suite.sample(4, 4)
    return made


def test_the_sheet_says_what_is_there(mine: Path) -> None:
    bundle = load()
    sheet = look(bundle, load_domain(mine), most=128)
    told = dict(sheet.rows)
    assert "1 of 31 items (" in told["too long"] and "--too-long skip" in told["too long"]
    assert "--max-tokens" not in told["too long"], "the model reads fewer"
    assert "yes 35 %" in told["answers"] and "Always saying" in told["answers"]
    assert sum(count for _, count in sheet.bars) == 31
    (given, _), (learned, is_learned) = sheet.item
    assert given.startswith("<|endoftext|>Does") and is_learned
    assert learned.strip().split("<")[0] in ("yes", "no", "maybe")
    assert learned.endswith("<|endoftext|>")
    assert (
        "are left out"
        in dict(look(bundle, load_domain(mine), most=64, too_long="skip").rows)["too long"]
    )


def test_the_command_prints_it_and_writes_a_page(mine: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / "mine.html"
    assert main.main(["data", str(mine), "--model", "nano-gpt2"]) == 0
    told = capsys.readouterr().out
    assert "[[" in told and "####" in told and "rates to try" in told
    assert main.main(["data", str(mine), "--model", "nano-gpt2", "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert (
        "<mark>" in text and "&lt;|endoftext|&gt;" in text and "<h1>mine for nano-gpt2</h1>" in text
    )
    assert main.main(["data", str(mine), "--html", str(tmp_path / "a.txt")]) == 2


def test_what_was_said_before_an_error_is_not_lost(mine: Path, tmp_path: Path, capsys) -> None:
    rows = mine.read_text().splitlines()[:30]
    odd = tmp_path / "odd.jsonl"
    odd.write_text("\n".join(["{}", *rows]))
    asked = ["data", str(odd), "--faulty", "skip", "--model", "nano-gpt9"]
    assert main.main(asked) == 2
    told = capsys.readouterr()
    assert "1 faulty rows are left out" in told.out and "nano-gpt9" in told.err


def test_rates_come_from_the_records() -> None:
    frame = ftlab.records("nano")
    full, lora = best_rate(frame, "full"), best_rate(frame, "lora_all")
    assert 0 < full < lora and f"{lora / full:.0f} times" in rates_to_try("nano-gpt2")
    assert "smollm2-135m" in rates_to_try("another/model")


def test_a_bar_hears_how_far_measuring_is(lab: Lab) -> None:
    heard: list[str] = []
    with watched(heard.append):
        lab.evaluator(lab.bundle.model)
    assert any(h.startswith("answering 1 of") for h in heard) and "scoring 1 of" in " ".join(heard)
    before = len(heard)
    assert list(counted("x", [1, 2])) == [1, 2] and len(heard) == before


@pytest.mark.parametrize("method", ["lora_qv", "lora_all", "ia3", "prefix", "bottleneck", "oft"])
def test_a_saved_adapter_goes_on_where_it_was(lab: Lab, method, tmp_path, monkeypatch) -> None:
    first = lab.run(PLAN, method=method).finish()
    assert first.save(tmp_path / "a") == "adapter"
    assert AutoTokenizer.from_pretrained(tmp_path / "a")("yes")["input_ids"]
    again = lab.run(PLAN, start=tmp_path / "a")
    ids = torch.arange(6)[None]
    with torch.no_grad():
        a, b = (run.model.eval()(input_ids=ids).logits for run in (first, again))
    torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-3)
    assert again.prepared.trainable >= first.prepared.trainable > 0
    assert again.finish().steps[-1].step == PLAN.steps
    monkeypatch.setattr(lab, "sizes", {})
    command = command_of(again)
    assert f"--adapter {tmp_path / 'a'}" in command and "--method" not in command


def test_what_is_saved_is_read_by_stock_libraries(lab: Lab, tmp_path: Path) -> None:
    run = lab.run(PLAN, method="lora_qv").finish()
    run.save(tmp_path / "adapter")
    assert run.save(tmp_path / "model", merged=True) == "model"
    assert lab.run(PLAN).save(tmp_path / "full") == "model"
    base = AutoModelForCausalLM.from_pretrained(load().model.config.name_or_path)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    stock = PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    ids = torch.arange(6)[None]
    with torch.no_grad():
        here, there, beside = (m.eval()(input_ids=ids).logits for m in (run.model, merged, stock))
    torch.testing.assert_close(here, there, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(here, beside, atol=2e-4, rtol=1e-3)
    assert len(load(tmp_path / "full").tokenizer("yes")["input_ids"]) > 0


def test_a_folder_without_an_adapter_is_refused(lab: Lab, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none", "", "a\0b", "x" * 300):
        with pytest.raises(InputError, match="holds no adapter"):
            lab.run(PLAN, start=place)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(InputError, match="does not go onto this GPT2LMHeadModel"):
        lab.run(PLAN, start=tmp_path)
    with pytest.raises(InputError, match="give --save FOLDER with it"):
        main.run.run(main.parse(["run", "--merged", "--out", str(tmp_path / "o")]))


def test_the_share_of_the_commonest_answer_stands_beside_the_result(lab: Lab) -> None:
    always = lab.baseline["commonest"]
    assert always["answer"] in ("yes", "no", "maybe") and 0 < always["share"] <= 1
    told = main.run.closing(lab.baseline, PLAN, 2)
    assert f"('{always['answer']}' alone: {100 * always['share']:.0f} %)" in told
