"""How rows of the sets on the Hub become prompts, answers and documents; nothing is fetched.

Run: pytest tests/datasets/test_hub_sets.py
"""

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ftlab.base.errors import InputError
from ftlab.datasets import hub_sets
from ftlab.datasets.load import load_domain, load_suite
from ftlab.datasets.replay import documents
from ftlab.hub import fetch

ROW = {"question": " What  beats? ", "opa": "liver", "opb": "heart", "opc": "skin", "opd": "ear"}
ROW |= {"cop": 1, "subject_name": "Anatomy"}


def test_rows_become_prompt_and_answer() -> None:
    assert hub_sets.subject(ROW) == ("Exam question: What beats?\nSubject:", "Anatomy")
    assert hub_sets.right_answer(ROW) == (
        "Question: What beats?\nA. liver\nB. heart\nC. skin\nD. ear\nAnswer:",
        "heart",
    )


@pytest.mark.parametrize("change", [{"cop": -1}, {"cop": 4}, {"opd": None}, {"opa": " "}])
def test_a_row_without_its_answer_is_left_out(change: dict[str, Any]) -> None:
    assert hub_sets.right_answer({**ROW, **change}) is None


def test_a_row_without_its_subject_is_left_out() -> None:
    assert hub_sets.subject({**ROW, "subject_name": None}) is None
    assert hub_sets.subject({**ROW, "subject_name": "Unknown"}) is None


@pytest.mark.parametrize(
    ("stored", "plain"),
    [
        (" A well @-@ known river , 1 @,@ 200 km long . \n", "A well-known river, 1,200 km long."),
        (
            "the town 's bridge ( built in 1900 ) does n't",
            "the town's bridge (built in 1900) doesn't",
        ),
        ('he said " yes , now " ; and 2 @.@ 5 %', 'he said "yes, now"; and 2.5%'),
        ("nothing to do here", "nothing to do here"),
    ],
)
def test_the_tokens_of_wikitext_become_ordinary_text(stored: str, plain: str) -> None:
    assert hub_sets.plain_text(stored) == plain


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever is fetched comes from this folder."""
    monkeypatch.setattr(fetch, "fetch", lambda *_, **__: tmp_path)
    return tmp_path


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / name)


MEDICAL = hub_sets.DOMAINS["medical"].file


def test_splits_share_no_prompt_are_short_and_the_same_each_time(here: Path) -> None:
    rows = [{**ROW, "question": f"What beats in {n % 500}?"} for n in range(700)]
    rows += [{**ROW, "question": "long " * 60}, {**ROW, "question": "Où est le cœur?"}]
    write(here, MEDICAL, rows)
    domain = load_domain("medical")
    parts = [set(split["prompt"]) for split in (domain.train, domain.validation, domain.test)]
    assert [len(part) for part in parts] == [308, 64, 128]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    longest = max(len(row["prompt"] + row["answer"]) for row in domain.train.to_list())
    assert longest <= hub_sets.LONGEST + 1  # and the blank before the answer
    assert domain.train.to_list() == load_domain("medical").train.to_list()
    assert domain.train.to_list() != load_domain("medical", seed=1).train.to_list()


def test_other_columns_too_few_rows_and_a_missing_file_are_refused(here: Path) -> None:
    with pytest.raises(InputError, match="has no data/validation-00000"):
        load_domain("medical")
    write(here, MEDICAL, [{"text": "no questions"}])
    with pytest.raises(InputError, match="no column 'subject_name'"):
        load_domain("medical")
    write(here, MEDICAL, [ROW] * 300)
    with pytest.raises(InputError, match="only 1 short rows"):
        load_domain("medical")


def test_documents_and_replay_are_of_different_splits(here: Path) -> None:
    for split in ("test", "validation"):
        texts = [f"The {split} river no {n} is long and wide . " * 6 for n in range(150)]
        rows = [{"text": text} for text in ("", " = Rivers = ", "short", *texts)]
        write(here, hub_sets.WIKI_FILE.format(split=split), rows)
    suite = load_suite("wiki")
    assert suite.name == "wiki" and suite.probes == load_suite("english").probes
    assert len(suite.documents) == hub_sets.DOCUMENTS == len(set(suite.documents))
    assert all(text.startswith("The test river") for text in suite.documents)
    replayed = [row["answer"] for row in documents("wiki", 200)]
    assert len(replayed) == 200 and all(t.startswith("The validation river") for t in replayed)


def test_a_near_miss_of_a_known_set_is_named() -> None:
    with pytest.raises(InputError, match=r"did you mean 'medical'\?.*from the Hub medical"):
        load_domain("medcal")
