"""One start, one end: whatever a text brings along, it is read and learned with one of each.

pytest tests/text/test_tidy.py
"""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain
from ftlab.evaluate.target import generate, measure_target
from ftlab.lab.lab import open_lab
from ftlab.text.requests import document_segments, item_segments, pair_segments
from ftlab.text.segments import wrapped
from ftlab.text.tidy import tidy
from ftlab.text.train_batches import encode

END = "<|endoftext|>"
ITEM = {"id": "x-1", "prompt": "The capital of France is", "answer": " Paris"}
CHAT = ITEM | {"prompt": f"{END}The capital of France is"}


def domain(answers: list[str]) -> Domain:
    rows = [{"id": str(n), "prompt": f"q {n}", "answer": a} for n, a in enumerate(answers)]
    data = Dataset.from_list(rows)
    return Domain("mine", data, data, data)


def test_special_tokens_stand_once_round_a_text() -> None:
    assert wrapped([1], [5, 6]) == wrapped([1], [1, 5, 6]) == (1, 5, 6)
    assert wrapped([1, 2], [1, 2, 5, 3], [3]) == wrapped([1, 2], [5], [3]) == (1, 2, 5, 3)
    assert wrapped([], [5], []) == (5,) and wrapped([1], [], [1]) == (1, 1)


def test_a_text_that_begins_with_the_start_token_gets_no_second(tiny_tokenizer, tiny_gpt2) -> None:
    assert item_segments(tiny_tokenizer, [CHAT]) == item_segments(tiny_tokenizer, [ITEM])
    texts = [ITEM["prompt"], CHAT["prompt"]]
    probes = pair_segments(tiny_tokenizer, [(text, " Paris") for text in texts])
    documents = document_segments(tiny_tokenizer, texts, 99)
    answers = generate(tiny_gpt2, tiny_tokenizer, texts, 4)
    for plain, chat in (probes, documents, answers):
        assert plain == chat
    for segment in (*probes, *documents[0], *documents[1]):
        assert segment.context.count(0) == 1


def test_ends_of_answers_are_taken_off_and_that_is_said(tiny_tokenizer, capsys) -> None:
    mine = domain([" yes" + END, f" no {END}\n{END} ", " maybe"])
    right = tidy(mine, tiny_tokenizer)
    assert right.test["answer"][:] == [" yes", " no", " maybe"]
    assert "mine: test answers end with <|endoftext|>: taken off." in capsys.readouterr().out
    assert tidy(right, tiny_tokenizer) is right and not capsys.readouterr().out


def test_an_end_inside_an_answer_is_refused_wherever_it_is_used(tiny_tokenizer, tiny_gpt2) -> None:
    items: list[Any] = [ITEM, ITEM | {"answer": f" a{END}b"}]
    with pytest.raises(InputError, match=r"' a<\|endoftext\|>b' holds.*1 of 2 answers"):
        encode(items, tiny_tokenizer, loss_on="answer", limit=99)
    with pytest.raises(InputError, match="holds the end token"):
        measure_target(tiny_gpt2, tiny_tokenizer, items)


def test_items_that_are_too_long_can_be_left_out(tiny_tokenizer, capsys) -> None:
    mine = domain([" yes", " no" * 40])
    short = tidy(mine, tiny_tokenizer, None, 20)
    assert [len(split) for split in (short.train, short.validation, short.test)] == [1, 1, 1]
    assert (
        "1 of 2 test items of mine are longer than 20 tokens: left out." in capsys.readouterr().out
    )
    assert len(tidy(mine, tiny_tokenizer, None, 500).train) == 2
    with pytest.raises(InputError, match=r"2 of 2 train items of mine are longer than 3 .*none"):
        tidy(mine, tiny_tokenizer, None, 3)


def test_a_lab_says_what_is_worth_knowing_of_ones_own_items(tmp_path: Path, capsys) -> None:
    rows = [{"prompt": f"q{n}", "answer": "yes" if n else "word " * 90} for n in range(12)]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lab = open_lab(path, model="nano-gpt2", longest=64)
    told = capsys.readouterr().out
    assert "1 of 10 train items of mine are longer than 64 tokens: left out." in told
    assert "mine: 9 train, 1 validation, 1 test items; the commonest answer of test, 'yes'" in told
    assert len(lab.domain.train) == 9 and lab.opened["longest"] == "64"
    open_lab("clinic", model=lab.bundle)
    assert not capsys.readouterr().out, "nothing is said of what ships"
    with pytest.raises(InputError, match="longest=True"):
        open_lab(path, model=lab.bundle, longest=True)
