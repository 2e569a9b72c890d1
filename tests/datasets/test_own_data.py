"""Data as people have it is read, what would mislead is said, and every fault has its place.

pytest tests/datasets/test_own_data.py
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from ftlab.base.errors import InputError
from ftlab.datasets.load import DOMAINS, Domain, load_domain
from ftlab.text.tidy import notices

PAIRS = [(f"Ticket {n}: dark screen. Team:", ("network", "hardware")[n % 2]) for n in range(20)]
ROWS = [{"prompt": prompt, "answer": answer} for prompt, answer in PAIRS]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(separator: str) -> str:
    return f"prompt{separator}answer\n" + "".join(f"{p}{separator}{a}\n" for p, a in PAIRS)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def everything(domain: Domain) -> list[dict[str, Any]]:
    return [dict(row) for row in (*domain.train, *domain.validation, *domain.test)]


def refused(path: Path, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        load_domain(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def said(of: str, answer: Any) -> list[dict[str, Any]]:
    """A chat of one turn, as messages or as ShareGPT has it."""
    return [{"role": "user", "content": of}, {"role": "assistant", "content": answer}]


FORMS = {
    "a.ndjson": LINES,
    "a.json": json.dumps(ROWS, indent=1),
    "list.jsonl": json.dumps(ROWS),
    "lines.json": LINES,
    "wrapped.json": json.dumps({"data": ROWS}, indent=1),
    "pandas.json": json.dumps({k: {n: r[k] for n, r in enumerate(ROWS)} for k in ROWS[0]}),
    "a.tsv": table("\t"),
    "cr.csv": table(",").replace("\n", "\r"),
    "excel.csv": "sep=;\r\n" + table(";").replace("\n", "\r\n"),
    "Names.csv": table(",").replace("prompt,answer", "Prompt, Answer "),
    "completion.jsonl": lines([{"prompt": p, "completion": a} for p, a in PAIRS]),
    "alpaca.jsonl": lines([{"instruction": p, "input": "", "output": a} for p, a in PAIRS]),
    "chat.jsonl": lines([{"messages": said(p, a)} for p, a in PAIRS]),
    "trl.jsonl": lines(
        [{"prompt": said(p, a)[:1], "completion": said(p, a)[1:]} for p, a in PAIRS]
    ),
    "sharegpt.jsonl": lines(
        [
            {"conversations": [{"from": "human", "value": p}, {"from": "gpt", "value": a}]}
            for p, a in PAIRS
        ]
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_items(tmp_path: Path, name: str) -> None:
    plain = load_domain(write(tmp_path / "plain.jsonl", LINES))
    found = load_domain(write(tmp_path / name, FORMS[name]))
    for split in ("train", "validation", "test"):
        for column in ("prompt", "answer"):
            assert getattr(found, split)[column][:] == getattr(plain, split)[column][:]


def test_an_input_a_system_message_and_earlier_turns_are_in_the_prompt(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be short."}
    long = [*said("a", "b"), *said("c", "d")]
    rows = [
        {"instruction": "Sum up.", "input": "Much text.", "output": "x"},
        {"messages": [system, *said("Why?", "x")]},
        {"messages": long},
    ]
    path = write(tmp_path / "train.jsonl", lines(rows))
    write(tmp_path / "val.jsonl", lines(ROWS[:2]))
    write(tmp_path / "test.jsonl", lines(ROWS[2:4]))
    domain = load_domain(path.parent)
    assert domain.train["prompt"][:] == [
        "Sum up.\nMuch text.",
        "Be short.\n\nWhy?",
        "User: a\nAssistant: b\nUser: c\nAssistant:",
    ]
    assert len(domain.validation) == 2, "val is validation"


def test_a_clone_from_the_hub_and_save_to_disk_are_read(tmp_path: Path) -> None:
    data = Dataset.from_list(ROWS)
    data.save_to_disk(str(tmp_path / "one"))
    DatasetDict({"train": data, "dev": data.select([0])}).save_to_disk(str(tmp_path / "two"))
    write(tmp_path / "packed/train.jsonl.gz", gzip.compress(LINES.encode()))
    assert len(load_domain(tmp_path / "packed").train) == 16
    for part, rows in enumerate((ROWS[:10], ROWS[10:])):
        path = tmp_path / f"clone/data/train-0000{part}-of-00002.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    sizes = [
        [len(domain.train), len(domain.validation), len(domain.test)]
        for domain in (load_domain(tmp_path / name) for name in ("one", "two", "clone"))
    ]
    assert sizes == [[16, 2, 2], [17, 1, 2], [16, 2, 2]]
    write(tmp_path / "one/state.json", "{")
    refused(tmp_path / "one", "cannot be read", "save it again")


WORDS = {
    "cp1252": ("It’s case {}", "café"),
    "cp1251": ("Какой это случай {}?", "да"),
    "koi8_r": ("Какой это случай {}?", "да"),
    "cp1253": ("Ποια είναι η υπόθεση {}?", "ναι"),
    "shift_jis": ("これは何ですか{}", "はい"),
    "gb18030": ("这是什么问题{}", "是的"),
    "big5": ("這是什麼問題{}", "是的"),
    "euc_kr": ("이것은 무엇입니까 {}", "네"),
}


def test_a_cell_of_a_csv_may_be_long(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", table(",") + f'"{"long " * 40_000}",yes\n')
    domain = load_domain(path)
    prompts = [row["prompt"] for s in ("train", "validation", "test") for row in getattr(domain, s)]
    assert len(max(prompts, key=len)) >= 199_999


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.jsonl.gz"])
def test_an_encoding_is_guessed_and_said(tmp_path: Path, capsys, encoding: str, name: str) -> None:
    prompt, answer = WORDS[encoding]
    rows = [{"prompt": prompt.format(n), "answer": answer} for n in range(20)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if name == "a.csv":
        text = "prompt,answer\n" + "".join(f"{r['prompt']},{r['answer']}\n" for r in rows)
    raw = text.encode(encoding)
    domain = load_domain(write(tmp_path / name, gzip.compress(raw) if ".gz" in name else raw))
    assert set(domain.test["answer"]) == {f" {answer}"}
    assert f"was read as {encoding}, a guess" in capsys.readouterr().out


def test_a_byte_mark_says_the_encoding(tmp_path: Path, capsys) -> None:
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        domain = load_domain(write(tmp_path / "a.csv", table(",").encode(encoding)))
        assert len(domain.train) == 16
    assert not capsys.readouterr().out
    refused(write(tmp_path / "b.csv", b"prompt,answer\n\xe9\0\x81,b\n"), "cannot be told")


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(LINES.encode())[:-9], b""])
def test_a_torn_gz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "a.jsonl.gz", content)
    refused(path, "a.jsonl.gz") if content else refused(path, "is empty")


def test_names_of_columns_can_be_given(tmp_path: Path) -> None:
    rows = [{"Question": f"q{n}", "context": "c", "label": n % 2} for n in range(12)]
    path = write(tmp_path / "a.jsonl", lines(rows))
    domain = load_domain(path, columns="prompt=context+question, answer=label")
    assert domain.train[0]["prompt"].startswith("c\nq")
    assert {row["answer"] for row in everything(domain)} == {" 0", " 1"}
    with pytest.raises(InputError, match=r"Line 1 of a.jsonl has no column 'labl'.*'question'"):
        load_domain(path, columns="prompt=question,answer=labl")
    for wrong in ("question", "prompt=", "prompt=a,prompt=b", "promt=question", "=", ","):
        with pytest.raises(InputError, match="cannot be read; write it as prompt=question"):
            load_domain(path, columns=wrong)
    refused(path, "--columns prompt=question,answer=label")


def test_class_labels_are_read_by_name(tmp_path: Path) -> None:
    data = Dataset.from_list([{"q": f"q{n}", "label": n % 2} for n in range(12)])
    data = data.cast_column("label", ClassLabel(names=["no", "yes"]))
    data.save_to_disk(str(tmp_path / "disk"))
    data.to_parquet(str(tmp_path / "a.parquet"))
    for name in ("disk", "a.parquet"):
        domain = load_domain(tmp_path / name, columns="prompt=q,answer=label")
        assert {row["answer"] for row in everything(domain)} == {" no", " yes"}


def test_whole_numbers_are_answers(tmp_path: Path) -> None:
    rows = [{"prompt": f"{n} + 1 =", "answer": n + 1} for n in range(12)]
    found = everything(load_domain(write(tmp_path / "a.jsonl", lines(rows))))
    assert {row["answer"] for row in found} == {f" {n + 1}" for n in range(12)}


def test_text_alone_is_learned_whole(tmp_path: Path, capsys) -> None:
    path = write(tmp_path / "a.jsonl", lines([{"text": f"Text {n}.\n  More."} for n in range(12)]))
    found = everything(load_domain(path))
    assert {row["prompt"] for row in found} == {""}
    assert {row["answer"] for row in found} == {f"Text {n}.\n  More." for n in range(12)}
    assert "the whole text is learned" in capsys.readouterr().out


def test_several_turns_and_what_stands_after_the_answer_are_said(tmp_path: Path, capsys) -> None:
    turns = [*said("a", "b"), *said("c", "d"), {"role": "user", "content": "more"}]
    parts = [{"type": "text", "text": "e"}, {"type": "text", "text": "f"}]
    rows = [{"messages": [{"role": "user", "content": str(n)}, *turns[1:]]} for n in range(12)]
    rows.append({"messages": said(parts, "g")})  # pyright: ignore
    found = everything(load_domain(write(tmp_path / "a.jsonl", lines(rows))))
    told = capsys.readouterr().out
    assert "of 12 of 13 rows the last answer is learned" in told
    assert "of 12 of 13 rows what the chat says after its last answer is left out" in told
    assert {row["answer"] for row in found} == {" d", " g"}
    assert {len(json.loads(row["turns"])) for row in found} == {3, 1}
    assert "ef" in {row["prompt"] for row in found}


def test_faulty_rows_can_be_left_out(tmp_path: Path, capsys) -> None:
    path = write(tmp_path / "a.jsonl", lines([*ROWS, {"prompt": "x", "answer": None}]))
    assert len(everything(load_domain(path, faulty="skip"))) == 20
    assert "1 faulty rows are left out, the first of them: The answer in" in capsys.readouterr().out
    refused(path, "line 21 of a.jsonl", "--faulty skip leaves such rows out.")
    with pytest.raises(InputError, match=r"Line 1 .*first of 2"):  # nothing is left
        load_domain(write(tmp_path / "b.jsonl", '{"a": 1}\n{"a": 2}\n'), faulty="skip")


def test_columns_that_are_not_read_are_said(tmp_path: Path, capsys) -> None:
    rows = [row | {"id": n, "source": "x", "date": "y"} for n, row in enumerate(ROWS)]
    load_domain(write(tmp_path / "a.jsonl", lines(rows)))
    assert "of 20 of 20 rows the columns date, source are not read." in capsys.readouterr().out


# What misleads is said


def test_prompts_of_test_are_not_trained_on(tmp_path: Path, capsys) -> None:
    write(tmp_path / "train.jsonl", LINES)
    spaced = [row | {"prompt": row["prompt"].replace(" ", "  ")} for row in ROWS[:5]]
    write(tmp_path / "test.jsonl", lines(spaced))
    domain = load_domain(tmp_path)
    assert len(domain.test) == 5 and len(domain.train) + len(domain.validation) == 15
    assert "5 items of train go, whose prompts test has." in capsys.readouterr().out
    write(tmp_path / "test.jsonl", LINES)
    refused(tmp_path, "0 examples to train on")
    write(tmp_path / "validation.jsonl", LINES)
    refused(tmp_path, "nothing for train and validation")


def test_what_makes_a_score_mean_less_is_said(tmp_path: Path, capsys) -> None:
    answers = ["  indented", "yes\n", "a\u200bb", *["yes"] * 20]
    rows = [{"prompt": f"q{n}", "answer": answer} for n, answer in enumerate(answers)]
    rows += [{"prompt": "q3", "answer": "yes"}, {"prompt": "q4", "answer": "no"}]
    domain = load_domain(write(tmp_path / "mine.jsonl", lines(rows)))
    assert "of 1 of 25 rows the answer ends with blanks" in capsys.readouterr().out
    assert "  indented" in {row["answer"] for row in everything(domain)}
    told = " ".join(notices(domain))
    assert "21 train, 2 validation, 2 test items" in told
    assert "the commonest answer of test, 'yes', is right for 100 %" in told
    assert "1 items stand there more than once" in told
    assert "1 prompts have two answers" in told
    assert "1 items hold characters that cannot be seen" in told


def test_of_what_ships_nothing_is_said(capsys) -> None:
    for name in DOMAINS:
        load_domain(name)
    assert capsys.readouterr().out == ""


# Faults


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("a.csv", "prompt,answer,answer\na,b,c\n", ["'answer' stands twice in a.csv"]),
        ("a.csv", "prompt,Prompt,answer\na,b,c\n", ["'prompt' stands twice", "line 2"]),
        ("a.jsonl", '{"prompt": "a", "answer": "b", "answer": "c"}', ["Line 1", "stands twice"]),
        (
            "a.csv",
            'prompt,answer\n"a\nb",c\n"d \\"e\\"",f\n',
            ["row on line 4 of a.csv is not CSV", '""'],
        ),
        (
            "a.csv",
            "prompt,answer\na,b,c\nd,e\nf,g,h\n",
            ["Line 2", "first of 2 faulty rows among 3"],
        ),
        ("a.json", '[{"prompt": "a",\n "answer": }]', ["Line 2 of a.json is not JSON"]),
        ("a.json", '[{"prompt": "a", "answer": "b"}, 3]', ["Item 2 of a.json is a number"]),
        ("a.jsonl", '{"a"\n{}\n{"b"', ["Line 1", "first of 2 faulty rows among 3"]),
        ("a.jsonl", '{"prompt": "a\\u0000", "answer": "b"}', ["prompt in line 1", "NUL"]),
        ("a.jsonl", '{"prompt": "\\u200b\\ufeff ", "answer": "b"}', ["prompt in line 1", "empty"]),
        ("a.jsonl", '{"id": "\\ud800", "prompt": "a", "answer": "b"}', ["id in line 1", "half a"]),
        ("a.jsonl", lines([{"messages": said("a", "b")[:1]}]), ["line 1", "its roles are user"]),
        ("a.jsonl", lines([{"messages": "hello"}]), ["its roles are none"]),
        (
            "a.jsonl",
            lines([{"messages": [*said("a", None), {"role": "x"}]}]),
            ["its roles are user, assistant, x"],
        ),
        (
            "a.jsonl",
            lines([*ROWS, *[{"prompt": "a", "answer": None}] * 2]),
            ["line 21", "first of 2"],
        ),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, name: str, content: str, parts) -> None:
    refused(write(tmp_path / name, content), *parts)


def test_faulty_tables_are_refused(tmp_path: Path) -> None:
    text = pyarrow.array([b"\xff"], pyarrow.binary()).view(pyarrow.string())
    for name, columns in (
        ("twice", ["prompt", "answer", "answer"]),
        ("bytes", ["prompt", "answer"]),
    ):
        table = pyarrow.table([text] * len(columns), names=columns)
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    refused(tmp_path / "twice.parquet", "Multiple matches for", "answer")
    refused(tmp_path / "bytes.parquet", "cannot be read as Parquet")


def test_two_files_of_one_split_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", LINES)
    write(tmp_path / "train.csv", table(","))
    refused(tmp_path, "train.csv and train.jsonl", "keep one")


def test_a_place_that_cannot_be_is_refused(tmp_path: Path, monkeypatch) -> None:
    refused(Path("~nosuchuser/x"), "There is no domain '~nosuchuser/x'")

    def closed(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    refused(tmp_path, "cannot be read (Permission denied)")
