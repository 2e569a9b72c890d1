"""Sets on the Hub that the workbook knows by a plain name, read by the same loaders as its own.

    load_domain("medical")          exam question -> the subject it belongs to
    load_domain("medical_answers")  exam question with four answers -> the right one
    load_suite("wiki")              the English suite's questions; documents from Wikipedia

Nothing of them ships: they are fetched when they are asked for, and only the files that are
named here (a few megabytes, not the whole set). MedMCQA is Apache-2.0, WikiText CC-BY-SA-3.0 and
GFDL, as their cards say. Notable choices:

- Pinned to a commit: a set that changes under the same name would change the results.
- Short rows only, in ASCII, for a note must fit the plan's `max_tokens` and is never cut.
- MedMCQA's own test split has no answers, and its training split is 86 MB. So the three splits
  here are cut from its validation split, by a seed: no benchmark result, and not to be compared
  with one. The questions are of real exams; what a model answers is no medical advice.
- WikiText is stored with spaces around its punctuation; they are put right, for a model has read
  ordinary text. Documents are of its test split, texts for replay of its validation split.

Run the tests: pytest tests/datasets/test_hub_sets.py
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from ftlab.hub import fetch, reach

SIZES = {"test": 128, "validation": 64, "train": 1200}
"""Rows of each split of a domain, at most; the train split gets what is left."""
LONGEST = 256
"""Letters of prompt and answer together: about 100 tokens at most."""
DOCUMENTS = 100
DOCUMENT_LETTERS = (200, 600)
REPLAY_LETTERS = (80, 320)
Pair = tuple[str, str]


def subject(row: Mapping[str, Any]) -> Pair | None:
    """An exam question, and the subject it belongs to (one of 21)."""
    if not row["subject_name"] or row["subject_name"] == "Unknown":
        return None
    return f"Exam question: {_line(row['question'])}\nSubject:", _line(row["subject_name"])


def right_answer(row: Mapping[str, Any]) -> Pair | None:
    """An exam question with its four answers, and the right one of them."""
    options = [_line(row[key]) for key in ("opa", "opb", "opc", "opd")]
    if not 0 <= row["cop"] < len(options) or not all(options):
        return None
    listed = "\n".join(
        f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True)
    )
    return f"Question: {_line(row['question'])}\n{listed}\nAnswer:", options[row["cop"]]


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


@dataclass(frozen=True)
class HubSet:
    """A set on the Hub."""

    hub: str
    """Its name there."""
    revision: str
    """The commit that is read."""
    file: str
    """The one file that is read: a split of a configuration, as Parquet."""
    pair: Callable[[Mapping[str, Any]], Pair | None]
    """How a row becomes prompt and answer; None for a row that cannot."""


_MEDMCQA = (
    "openlifescienceai/medmcqa",
    "91c6572c454088bf71b679ad90aa8dffcd0d5868",
    "data/validation-00000-of-00001.parquet",
)
DOMAINS = {
    "medical": HubSet(*_MEDMCQA, subject),
    "medical_answers": HubSet(*_MEDMCQA, right_answer),
}
"""Domains by name."""
WIKI = "Salesforce/wikitext"
WIKI_REVISION = "b08601e04326c79dfdd32d625aee71d232d685c3"
WIKI_FILE = "wikitext-2-raw-v1/{split}-00000-of-00001.parquet"


def domain_splits(name: str, seed: int = 0) -> dict[str, list[dict[str, str]]]:
    """The three splits of a known domain, as rows of prompt and answer, cut by `seed`.

    Raises reach.Offline where it cannot be fetched, InputError where its columns are others.
    """
    known = DOMAINS[name]
    rows = _rows(known.hub, known.revision, known.file)
    try:
        pairs = [pair for row in rows if (pair := known.pair(row)) and _short(pair)]
    except KeyError as missing:
        raise InputError(
            f"The set {known.hub} has no column {missing}, which '{name}' is made of; take another "
            "domain, or give your own file."
        ) from missing
    once = sorted(dict(pairs).items())
    random.Random(f"{name} {seed}").shuffle(once)
    splits, first = {}, 0
    for split, size in SIZES.items():
        taken = once[first : first + size]
        splits[split] = [{"prompt": prompt, "answer": answer} for prompt, answer in taken]
        first += size
    if not splits["train"]:
        raise InputError(f"The set {known.hub} has only {len(once)} short rows, too few to train.")
    return splits


def _short(pair: Pair) -> bool:
    whole = "".join(pair)
    return whole.isascii() and len(whole) <= LONGEST


def documents() -> list[str]:
    """Paragraphs of Wikipedia for the general loss: DOCUMENTS of them, always the same.

    Raises reach.Offline where the set cannot be fetched.
    """
    return _some(_paragraphs("test", *DOCUMENT_LETTERS), DOCUMENTS)


def replay_texts() -> list[str]:
    """Short paragraphs of Wikipedia for replay, none of which is among `documents`, shuffled."""
    found = _paragraphs("validation", *REPLAY_LETTERS)
    return _some(found, len(found))


def _some(texts: list[str], count: int) -> list[str]:
    if not texts:
        raise InputError(f"The set {WIKI} holds no paragraph of a fitting length; is it another?")
    return random.Random("wiki").sample(texts, min(count, len(texts)))


def _paragraphs(split: str, shortest: int, longest: int) -> list[str]:
    rows = _rows(WIKI, WIKI_REVISION, WIKI_FILE.format(split=split))
    texts = (plain_text(row["text"]) for row in rows)
    return [text for text in texts if shortest <= len(text) <= longest and text[0] != "="]


def plain_text(text: str) -> str:
    """WikiText's tokens as ordinary text: " @-@ " is a hyphen, " , " a comma."""
    text = re.sub(r" @([-,.])@ ", r"\1", _line(text))
    text = re.sub(r" ([,.;:!?%)\]}]|'s\b|n't\b|'\B)", r"\1", text)
    text = re.sub(r"([(\[{$]) ", r"\1", text)
    return re.sub(r'" (.*?) "', r'"\1"', text)


def _rows(repo: str, revision: str, file: str) -> list[dict[str, Any]]:
    """The rows of one Parquet file of a set on the Hub."""
    from datasets import load_dataset

    folder: Path = fetch.fetch(repo, kind="dataset", wanted=[file], revision=revision)
    if not (folder / file).is_file():
        reason = f"{repo} has no {file} at {revision[:7]}"
        raise reach.Offline(f"The set cannot be read: {reason}.", reason)
    read = load_dataset("parquet", data_files=str(folder / file), split="train")
    return [dict(row) for row in read]
