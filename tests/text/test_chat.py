"""Prompts stand in the tokenizer's chat template where they should, and fit what the model reads.

pytest tests/text/test_chat.py
"""

import copy
import json
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain
from ftlab.text.chat import writer
from ftlab.text.requests import item_segments
from ftlab.text.tidy import commonest, tidy
from ftlab.text.too_long import SPARE_TOKENS, Limits

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TURNS = [{"role": "user", "content": "Why?"}]


@pytest.fixture(scope="session")
def chatty(tiny_tokenizer) -> Any:
    made = copy.deepcopy(tiny_tokenizer)
    made.chat_template = TEMPLATE
    return made


def item(prompt: str = "Why?", answer: str = " yes", turns: Any = None, **more: Any) -> Any:
    row = {"id": "x-1", "prompt": prompt, "answer": answer, "held": False} | more
    return row | ({"turns": json.dumps(turns)} if turns else {})


def domain(*rows: Any) -> Domain:
    data = Dataset.from_list([row | {"id": f"x-{n}"} for n, row in enumerate(rows)])
    return Domain("mine", data, data, data)


def test_auto_writes_chats_on_writes_all_off_writes_none(chatty, tiny_tokenizer) -> None:
    chat, plain = item(turns=TURNS), item()
    rendered = "<user>Why?\n<assistant>"
    for how, of_chat, of_plain in (
        ("auto", rendered, "Why?"), ("on", rendered, rendered), ("off", "Why?", "Why?"),
    ):  # fmt: skip
        write = writer(chatty, how)
        assert (write(chat)["prompt"], write(plain)["prompt"]) == (of_chat, of_plain)
        assert "turns" not in write(chat)
    assert writer(tiny_tokenizer, "auto")(chat)["prompt"] == "Why?"
    with pytest.raises(InputError, match="the tokenizer has no chat template"):
        writer(tiny_tokenizer, "on")
    with pytest.raises(InputError, match="chat='maybe'"):
        writer(chatty, "maybe")


def test_an_answer_gets_the_blank_of_the_template_and_keeps_its_own(chatty) -> None:
    spaced = copy.deepcopy(chatty)
    spaced.chat_template = TEMPLATE.replace("<{{ m['role'] }}>", "<{{ m['role'] }}> ")
    for tokenizer, lead in ((chatty, ""), (spaced, " ")):
        write = writer(tokenizer, "auto")
        assert write(item(turns=TURNS, answer=" yes"))["answer"] == f"{lead}yes"
        assert write(item(turns=TURNS, answer="    deep"))["answer"] == "    deep"


def test_what_a_template_does_not_take_is_one_sentence(chatty) -> None:
    strict = copy.deepcopy(chatty)
    strict.chat_template = "{% if messages|length > 2 %}{{ raise_exception('two') }}{% endif %}a"
    with pytest.raises(InputError, match=r"does not take 'x-1', whose roles are user, user, user"):
        writer(strict, "auto")(item(turns=TURNS * 3))
    with pytest.raises(InputError, match="written in a template already"):
        writer(chatty, "on")(item(f"a{chatty.eos_token}b"))


def test_a_tidied_domain_has_no_turns_and_says_what_was_done(chatty, capsys) -> None:
    done = tidy(domain(item(turns=TURNS), item(turns=TURNS)), chatty)
    assert done.train.column_names == ["id", "prompt", "answer", "held"]
    assert "mine: 6 prompts are written in the tokenizer's chat template" in capsys.readouterr().out


def test_text_alone_has_one_start_and_one_end(tiny_tokenizer) -> None:
    end = tiny_tokenizer.eos_token
    done = tidy(domain(item("", f"{end}A text.{end}")), tiny_tokenizer)
    (segment,) = item_segments(tiny_tokenizer, [dict(done.train[0])])
    assert done.train[0]["answer"] == "A text."
    assert (segment.context + segment.continuation).count(tiny_tokenizer.eos_token_id) == 2


WORDS = st.lists(st.sampled_from(["yes", "no", "France", "The capital"]), min_size=1, max_size=40)
ROWS = st.lists(st.tuples(WORDS, WORDS, st.booleans()), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(8, 60), st.sampled_from(["skip", "cut"]))
def test_what_is_left_fits_and_what_fitted_is_as_it_was(tiny_tokenizer, rows, longest, how) -> None:
    items = [
        item("" if alone else " ".join(p), " " + " ".join(a)) for p, a, alone in rows
    ]  # fmt: skip
    reads = longest + 10
    try:
        done = tidy(domain(*items), tiny_tokenizer, None, longest, too_long=how, reads=reads)
    except InputError as error:
        assert f"are longer than {longest} tokens" in str(error) and "none is left" in str(error)
        return
    for split in ("train", "test"):
        kept = [dict(row) for row in getattr(done, split)]
        segments = item_segments(tiny_tokenizer, kept)
        assert all(segment.length <= longest for segment in segments)
        room = max(len(segment.continuation) for segment in segments) + SPARE_TOKENS - 1
        if split == "test":
            assert all(len(segment.context) + room <= reads for segment in segments)
        for row in kept:
            was = items[int(row["id"][2:])]
            assert was["prompt"].endswith(row["prompt"]), "the front is cut"
            assert was["answer"].startswith(row["answer"].rstrip())
            assert how == "cut" or row | {"id": ""} == was | {"id": ""}


def test_one_long_answer_does_not_drop_the_others(tiny_tokenizer) -> None:
    rows = [item("word " * 9, " yes")] * 9 + [item("q", " word" * 30)]
    limits = Limits(tiny_tokenizer, None, dict, 99, 99)
    most = max(segment.length for segment in limits.segments(rows))
    tight = Limits(tiny_tokenizer, None, dict, most, most)
    assert [more > 0 for more in tight.over(rows)] == [False] * 9 + [True]


def test_a_chat_is_cut_inside_its_template(chatty, capsys) -> None:
    system = {"role": "system", "content": "Be short."}
    long = [system, {"role": "user", "content": "word " * 60 + "the end"}]
    done = tidy(domain(item("x", turns=long)), chatty, None, 60, too_long="cut")
    prompt = done.train[0]["prompt"]
    assert prompt.startswith("<system>Be short.\n<user>") and prompt.endswith(
        "the end\n<assistant>"
    )
    assert "cut, at the front of the prompt" in capsys.readouterr().out


def test_what_is_too_long_is_refused_by_name(tiny_tokenizer) -> None:
    with pytest.raises(InputError, match=r"1 of 2 train items .* 'x-1' by \d+; .*--too-long"):
        tidy(domain(item(), item("a " * 50)), tiny_tokenizer, None, 20, too_long="refuse")


def test_labels_have_a_commonest_and_sentences_have_none() -> None:
    said = [" yes"] * 6 + [" no"] * 4
    assert commonest(domain(*(item(answer=a) for a in said))) == {"answer": "yes", "share": 0.6}
    assert commonest(domain(*(item(answer=f"a {n}") for n in range(10)))) is None
