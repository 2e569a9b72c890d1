"""Suites and domains: what is read, how it is split, and what is refused in one sentence.

pytest tests/datasets/test_datasets.py
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.datasets.load import Probe, Suite, load_domain, load_suite
from ftlab.datasets.replay import documents
from ftlab.datasets.splits import complete

ROWS = [{"prompt": f"Question {n}:", "answer": f"reply {n}"} for n in range(40)]
PROBE = {
    "id": "facts-1",
    "skill": "facts",
    "form": "choice",
    "query": "The capital of France is",
    "choices": [" Paris", " Rome"],
    "label": 0,
}


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def write_suite(folder: Path, probes: list[Any], documents: list[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    write_jsonl(folder / "probes.jsonl", probes)
    write_jsonl(folder / "general.jsonl", documents)
    return folder


def refused(call: Any, *parts: str) -> None:
    """`call` must raise an InputError of one line that holds every part."""
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


# Domains that can be read


def test_a_file_is_cut_80_10_10_by_a_seed(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "mine.jsonl", ROWS)
    domain = load_domain(path)
    assert domain.name == "mine"
    assert [len(domain.train), len(domain.validation), len(domain.test)] == [32, 4, 4]
    assert domain.train.column_names == ["id", "prompt", "answer", "held"]
    prompts = [p for d in (domain.train, domain.validation, domain.test) for p in d["prompt"]]
    assert sorted(prompts) == sorted(row["prompt"] for row in ROWS)
    assert domain.test.to_list() == load_domain(path).test.to_list()
    assert domain.test.to_list() != load_domain(path, seed=1).test.to_list()


def test_answers_begin_with_their_space_and_held_defaults_to_false(tmp_path: Path) -> None:
    rows = [{"prompt": f"{n} Q: ", "answer": " yes "} for n in range(10)]
    domain = load_domain(write_jsonl(tmp_path / "mine.jsonl", rows))
    assert set(domain.train["answer"]) == {" yes"}
    assert all(prompt.endswith("Q:") for prompt in domain.train["prompt"])
    assert not any(domain.train["held"])


def test_all_endings_give_the_same_domain(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "mine.jsonl", ROWS)
    for separator, name in ((",", "mine.csv"), (";", "semi.csv")):
        with (tmp_path / name).open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, ["prompt", "answer"], delimiter=separator)
            writer.writeheader()
            writer.writerows(ROWS)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "mine.parquet")
    names = ("mine.jsonl", "mine.csv", "semi.csv", "mine.parquet")
    found = [load_domain(tmp_path / name).train["prompt"][:] for name in names]
    assert all(prompts == found[0] for prompts in found)


def test_a_folder_of_splits_and_what_it_lacks_is_cut_from_train(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", ROWS[:30])
    write_jsonl(tmp_path / "test.jsonl", [ROWS[30] | {"held": True, "id": "x"}])
    domain = load_domain(tmp_path)
    assert [len(domain.train), len(domain.validation), len(domain.test)] == [27, 3, 1]
    assert domain.test[0] == {
        "id": "x",
        "prompt": "Question 30:",
        "answer": " reply 30",
        "held": True,
    }


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=60, max_size=90),
    seed=st.integers(0, 5),
)
def test_no_prompt_is_in_two_splits_and_no_held_one_in_train(rows, seed) -> None:
    assume(len({p for p, _ in rows if p % 5}) > 5)
    items = [
        {"id": str(n), "prompt": f"p{p}", "answer": " a", "held": held and p % 5 == 0}
        for n, (p, held) in enumerate(rows)
    ]
    splits = complete({"train": items}, "mine", seed)
    prompts = {name: {item["prompt"] for item in part} for name, part in splits.items()}
    assert not prompts["train"] & (prompts["validation"] | prompts["test"])
    assert not prompts["validation"] & prompts["test"]
    assert not any(item["held"] for item in splits["train"])
    assert sum(map(len, splits.values())) == len(items)


def test_no_torch_is_needed_to_read_data(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "mine.jsonl", ROWS)
    code = (
        "import sys; from ftlab.datasets.load import load_domain;"
        "assert 'datasets' not in sys.modules;"
        f"load_domain({str(tmp_path / 'mine.jsonl')!r}); assert 'torch' not in sys.modules"
    )
    # USE_TORCH: datasets itself looks for torch and imports it when it is installed
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "USE_TORCH": "0"})


# Domains that are refused


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ([], ["mine.jsonl is empty"]),
        (["", "  "], ["mine.jsonl is empty"]),
        ([ROWS[0], '{"prompt": "a'], ["Line 2", "not JSON"]),
        ([ROWS[0], "[1, 2]"], ["Line 2", "a list"]),
        (["[" * 100_000], ["Line 1", "not JSON"]),
        ([{"question": "a", "answer": "b"}], ["'prompt'", "'question', 'answer'"]),
        ([{"q": "a"}], ["no column 'prompt' and no 'answer'"]),
        ([ROWS[0], {"prompt": "  ", "answer": "b"}], ["prompt in line 2", "empty"]),
        ([ROWS[0], {"prompt": "a", "answer": None}], ["answer in line 2", "empty"]),
        ([{"prompt": 3, "answer": "b"}], ["prompt in line 1", "a number"]),
        ([{"prompt": ["x"], "answer": "b"}], ["a list, not text"]),
        (['{"prompt": "\\ud800", "answer": "b"}'], ["half a character"]),
        ([ROWS[0] | {"held": "perhaps"}], ["'held' in line 1", "true or false"]),
        (ROWS[:5], ["5 examples", "at least 10"]),
        ([ROWS[0]] * 20, ["leaves nothing for train"]),
        ([row | {"held": True} for row in ROWS], ["leaves nothing for train"]),
    ],
)
def test_unusable_jsonl_is_refused(tmp_path: Path, rows: list[Any], parts: list[str]) -> None:
    path = write_jsonl(tmp_path / "mine.jsonl", rows)
    refused(lambda: load_domain(path), *parts)


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("a.csv", b"", ["a.csv is empty"]),
        ("a.csv", b"prompt,answer\n", ["a.csv is empty"]),
        ("a.csv", b"prompt,reply\na,b\n", ["'answer'", "'prompt', 'reply'"]),
        ("a.csv", b"prompt,answer\na,b,c\n", ["Line 2", "more fields"]),
        ("a.csv", b"prompt,answer\na\n", ["answer in line 2", "empty"]),
        ("a.csv", b'prompt,answer\n"a,b\n', ["not CSV"]),
        ("a.csv", b"\xff\xfep\0r\0\0", ["not UTF-8", "cannot be told"]),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n", ["not UTF-8"]),
        ("a.parquet", b"PAR1 nothing", ["cannot be read as Parquet"]),
        ("a.parquet", b"", ["cannot be read as Parquet"]),
        ("a.xlsx", b"x", ["ends in '.xlsx'", ".jsonl, .csv or .parquet"]),
        ("a", b"x", ["ends in ''"]),
    ],
)
def test_unusable_files_are_refused(tmp_path, name: str, content: bytes, parts) -> None:
    (tmp_path / name).write_bytes(content)
    refused(lambda: load_domain(tmp_path / name), *parts)


def test_folders_are_refused_with_what_they_hold(tmp_path: Path) -> None:
    refused(lambda: load_domain(tmp_path), "no train.jsonl", "there is: nothing")
    write_jsonl(tmp_path / "mine.jsonl", ROWS)
    refused(lambda: load_domain(tmp_path), "there is: mine.jsonl")
    write_jsonl(tmp_path / "train.jsonl", [ROWS[0] | {"held": True}])
    write_jsonl(tmp_path / "validation.jsonl", ROWS[1:3])
    write_jsonl(tmp_path / "test.jsonl", ROWS[3:5])
    refused(lambda: load_domain(tmp_path), "marked held", "validation and test")


@pytest.mark.parametrize("name", ["clinik", "", "x" * 5000, "a\0b", "no where", "./missing/x"])
def test_unknown_domains_name_the_known(name: str) -> None:
    refused(lambda: load_domain(name), "clinic, helpdesk, contracts")


def test_a_near_miss_is_named_and_a_missing_file_is_missing() -> None:
    refused(lambda: load_domain("Clinik"), "did you mean 'clinic'?")
    refused(lambda: load_domain("data/no.jsonl"), "no file data/no.jsonl")


def test_a_set_on_the_hub_offline_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # too late for libraries that were imported before
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    asked: list[Any] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *name, **_: asked.append(name))
    refused(lambda: load_domain("somebody/some-set"), "HF_HUB_OFFLINE")
    assert asked == []  # so nothing was waited for


# Suites


def test_a_suite_has_the_order_of_its_file_and_samples_evenly(tmp_path: Path) -> None:
    probes = [PROBE | {"id": f"{s}-{n}", "skill": s} for n in range(9) for s in ("b", "a")]
    folder = write_suite(tmp_path, probes, [{"id": str(n), "text": f"t{n}"} for n in range(7)])
    suite = load_suite(folder)
    assert suite.skills == ["b", "a"] and len(suite.probes) == 18 and len(suite.documents) == 7
    small = suite.sample(4, 3)
    assert [p.skill for p in small.probes] == ["b"] * 4 + ["a"] * 4 and len(small.documents) == 3
    assert small == suite.sample(4, 3) and small != suite.sample(4, 3, seed=1)
    assert len(suite.sample(100, 100).probes) == 18
    refused(lambda: suite.sample(0, 1), "at least 1")
    assert isinstance(suite, Suite) and isinstance(suite.probes[0].choices, tuple)


def test_chance_is_by_form() -> None:
    assert Probe("i", "s", "choice", "q", (" a", " b", " c", " d"), 1).chance == 0.25
    assert Probe("i", "s", "pair", "", ("A b.", "A c."), 1).chance == 0.5
    assert Probe("i", "s", "cloze", "q", (" a",), 0).chance == 0.0


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"form": "essay"}, "choice, cloze, pair"),
        ({"label": 2}, "label 2 for 2 choices"),
        ({"label": -1}, "label -1"),
        ({"label": True}, "'label' as int"),
        ({"label": "0"}, "'label' as int"),
        ({"choices": [" a"]}, "has 1 choices"),
        ({"choices": []}, "has 0 choices"),
        ({"choices": [" a", " a"]}, "one choice twice"),
        ({"choices": [" a", 3]}, "a choice that is not text"),
        ({"choices": " a"}, "'choices' as list"),
        ({"form": "pair"}, "is a pair"),
        ({"skill": ""}, "names no skill"),
        ({"query": None}, "'query' as str"),
        ({"id": "facts-0"}, "two probes with the id 'facts-0'"),
    ],
)
def test_a_malformed_probe_is_refused_with_its_line(tmp_path, change, part) -> None:
    good = PROBE | {"id": "facts-0"}
    folder = write_suite(tmp_path, [good, PROBE | change], [{"text": "t"}])
    refused(lambda: load_suite(folder), part, *(["line 2"] if "id" not in change else []))


def test_suites_that_are_not_there_are_refused(tmp_path: Path) -> None:
    refused(lambda: load_suite("word"), "did you mean 'world'?", "world, english")
    refused(lambda: load_suite(tmp_path), "no probes.jsonl")
    refused(lambda: load_suite(write_suite(tmp_path, [], [{"text": "t"}])), "is empty")
    refused(lambda: load_suite(write_suite(tmp_path, [PROBE], [{"txt": "t"}])), "line 1", "text")


# Checksums and the Hub


def test_checksums_are_written_and_find_what_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for name in ("m/a.bin", "m/b.bin", "c.bin"):
        (tmp_path / name).write_bytes(name.encode())
    checksums.write(tmp_path)
    assert checksums.damaged(tmp_path) == []
    (tmp_path / "m/a.bin").write_bytes(b"changed")
    (tmp_path / "c.bin").unlink()
    assert checksums.damaged(tmp_path) == ["c.bin", "m/a.bin"]
    assert checksums.damaged(tmp_path, under="m/") == ["m/a.bin"]
    (tmp_path / "m/deep").mkdir()
    (tmp_path / "m/deep/new.bin").touch()
    assert checksums.damaged(tmp_path, under="m/") == ["m/deep/new.bin", "m/a.bin"]
    refused(lambda: checksums.damaged(tmp_path / "m"), "CHECKSUMS is missing")


def test_only_folders_that_are_listed_are_closed(tmp_path: Path) -> None:
    """Beside them may lie what a build measures; in records/ what a grid made; hidden files."""
    for name in ("world/a.jsonl", "records/nano/a.json", "minutes.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    checksums.write(tmp_path, ("world", "records"))
    for name in ("gpu.json", "records/nano/b.json", "world/.DS_Store"):
        (tmp_path / name).touch()
    assert checksums.damaged(tmp_path) == []
    (tmp_path / "world/b.jsonl").touch()
    assert checksums.damaged(tmp_path) == ["world/b.jsonl"]


@pytest.mark.parametrize("text", ["", "\n", "abc  world/a.jsonl\n", "no list at all\n", "\xff"])
def test_an_emptied_or_damaged_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "CHECKSUMS").write_text(text, encoding="latin-1")
    refused(lambda: checksums.damaged(tmp_path), "CHECKSUMS is damaged", "git checkout")


# What ships


READ: dict[str, Any] = {
    "world/probes.jsonl": lambda: load_suite("world"),
    "world/general.jsonl": lambda: load_suite("tasks"),
    "world/clinic/test.jsonl": lambda: load_domain("clinic"),
    "english/replay.jsonl": lambda: documents("english", 1),
}


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of one's own, with the sets that ship; FTLAB_DATA set."""
    for name in ("world", "tasks", "english"):
        shutil.copytree(data_dir() / name, tmp_path / name)
    shutil.copy(data_dir() / checksums.NAME, tmp_path)
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", READ)
def test_a_set_that_ships_and_was_changed_is_refused(copied: Path, name: str) -> None:
    assert READ[name]()
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole.replace(b"a", b"e", 1))
    refused(READ[name], f"{name} is missing or not what CHECKSUMS lists", "git checkout")
    (copied / name).write_bytes(whole)
    assert READ[name]()
    (copied / checksums.NAME).write_text("")
    refused(READ[name], "CHECKSUMS is damaged")


def test_a_file_dropped_into_a_domain_that_ships_is_refused(copied: Path) -> None:
    shutil.copy(copied / "world/clinic/test.jsonl", copied / "world/clinic/more.jsonl")
    refused(lambda: load_domain("clinic"), "more.jsonl is missing or not what CHECKSUMS lists")


def test_a_suite_of_ones_home_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_suite(tmp_path / "mine", [PROBE], [{"text": "A text."}])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert load_suite("~/mine").name == "mine"
