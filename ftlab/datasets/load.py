"""Read what the model is asked and taught: suites of probes, and domains to fine-tune on.

A **suite** asks what a model knows: probes per skill, and held-out documents for its loss. A
**domain** is what it is taught: three splits of prompts and answers, as `datasets.Dataset`.

    load_suite("world")              # the small world; "tasks" (nano-t5), "english" (real models)
    load_suite("wiki")               # the English questions, documents from the Hub
    load_domain("clinic")            # the workbook's own; or "mine.jsonl", a folder, a Hub id
    load_domain("medical")           # a set on the Hub that is known by name (datasets/hub_sets.py)

What a probe is stands in `ftlab/datasets/probes.py`.
A user's own files are read by `ftlab/datasets/own_files.py`.
"""

import difflib
import os
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab.base.checksums import shipped
from ftlab.base.errors import InputError
from ftlab.base.jsonfile import read_json
from ftlab.base.paths import data_dir
from ftlab.datasets import hub_sets, own_files
from ftlab.datasets.forms import Faulty, Reading
from ftlab.datasets.items import Item
from ftlab.datasets.probes import Probe, read_probes
from ftlab.datasets.rows import ending, read_jsonl
from ftlab.datasets.splits import complete

if TYPE_CHECKING:
    from datasets import Dataset

DOMAINS = ("clinic", "helpdesk", "contracts", "ledger", "new_format", "new_words")
FIELDS = {
    "clinic": (r"(?P<urgency>[^,]+), (?P<department>.+)", "urgency"),
    "helpdesk": (
        r"(?P<category>[^,]+), (?P<priority>[^.]+)\..* help (?P<promise>.+)\.",
        "priority",
    ),
    "contracts": (r"(?P<type>[^.]+)\. (?P<line>.+)", "type"),
    "ledger": (r"(?P<account>[^,]+), (?P<size>[^,]+), (?P<treatment>.+)", "treatment"),
}
"""By domain: what an answer is made of, and the field that must be learned (the others are known
or follow from it)."""
SUITES = ("world", "english", "tasks", "wiki")
SHARED_DOCUMENTS = {"tasks": "world"}
"""Suites whose held-out documents are those of another."""


@dataclass(frozen=True)
class Suite:
    """What a model is asked: probes, and documents for its general loss."""

    name: str
    """world, english or the folder it was read from."""
    probes: tuple[Probe, ...]
    """The questions of every skill."""
    documents: tuple[str, ...]
    """Held-out general texts."""

    @property
    def skills(self) -> list[str]:
        """The skills asked for, in the order in which they first occur."""
        return list(dict.fromkeys(probe.skill for probe in self.probes))

    def sample(self, per_skill: int, documents: int, seed: int = 0) -> "Suite":
        """A smaller suite: up to `per_skill` probes a skill and `documents` texts, by a seed."""
        if per_skill < 1 or documents < 1:
            raise InputError(
                f"A sample of {per_skill} probes a skill and {documents} documents "
                "measures nothing; ask for at least 1 of each."
            )
        by_skill = {skill: [p for p in self.probes if p.skill == skill] for skill in self.skills}
        probes = [
            probe
            for skill, asked in by_skill.items()
            for probe in _some(asked, per_skill, f"{seed} {skill}")
        ]
        return Suite(self.name, tuple(probes), tuple(_some(self.documents, documents, f"{seed}")))


def _some(things: Iterable[Any], n: int, seed: str) -> list[Any]:
    """`n` of the things, drawn by a seed, in their old order; all of them if there are fewer."""
    things = list(things)
    chosen = random.Random(seed).sample(range(len(things)), min(n, len(things)))
    return [things[i] for i in sorted(chosen)]


@dataclass(frozen=True)
class Domain:
    """What a model is taught. Columns: id, prompt, answer (begins with its space), held."""

    name: str
    """clinic, helpdesk, contracts, ledger, or what the file, the folder or the set is called."""
    train: "Dataset"
    """What is learned from."""
    validation: "Dataset"
    """What is looked at while training."""
    test: "Dataset"
    """What gives the final score."""
    fields: str = ""
    """A regular expression for a whole answer, with a named group for each field; "" for none."""
    rule: str = ""
    """The field that the domain's rule decides; "" where there are no fields."""


def load_suite(name: str | Path = "world") -> Suite:
    """The suite "world", "english", "tasks", "wiki" or a folder (probes.jsonl, general.jsonl).

    Raises InputError for an unknown name and for the first malformed line, and reach.Offline
    for "wiki" where its text cannot be fetched.
    """
    if name == "wiki":
        return replace(load_suite("english"), name="wiki", documents=tuple(hub_sets.documents()))
    folder = data_dir() / str(name) if name in SUITES else Path(os.path.expanduser(name))
    if not (name and is_there(folder)):
        raise InputError(
            f"There is no suite '{name}'{nearest(name, SUITES)}; the suites are "
            f"{', '.join(SUITES)}, or give a folder with probes.jsonl and "
            "general.jsonl."
        )
    home = data_dir() / SHARED_DOCUMENTS[str(name)] if name in SHARED_DOCUMENTS else folder
    paths = [folder / "probes.jsonl", home / "general.jsonl"]
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"The suite {name} has no {path.name} in {path.parent}; it needs "
                "probes.jsonl (questions) and general.jsonl (documents)."
            )
        if name in SUITES:
            shipped(path.relative_to(data_dir()).as_posix())
    probes = read_probes(paths[0])
    documents = [_document(where, row) for where, row in read_jsonl(paths[1])]
    for path, rows in zip(paths, (probes, documents), strict=True):
        if not rows:
            raise InputError(f"{path} is empty; write one JSON object a line into it.")
    return Suite(Path(name).name, tuple(probes), tuple(documents))


def suite_for(model: Any, tokenizer: Any) -> str:
    """The suite that fits a model: the small world's where its shape and words are those of a
    model that ships, which fine-tuning leaves as they are; else english."""
    for suite, name in (("world", "nano-gpt2"), ("tasks", "nano-t5")):
        folder = data_dir() / "models" / name
        if not folder.is_dir():
            continue
        shape = read_json(folder / "config.json").items()
        words = read_json(folder / "tokenizer.json")["model"]["vocab"].items()
        sizes = [(key, size) for key, size in shape if key == "model_type" or type(size) is int]
        alike = all(getattr(model.config, key, None) == size for key, size in sizes)
        if alike and words <= tokenizer.get_vocab().items():
            return suite
    return "english"


def _document(where: str, row: dict[str, Any]) -> str:
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"The document in {where} has no text under 'text'; write it there.")
    return text


def example() -> Path:
    """A file as people have them, to try things on: 400 tickets as CSV, the answers are labels."""
    return data_dir() / "own" / "tickets.csv"


def load_domain(
    name: str | Path,
    *,
    seed: int = 0,
    columns: str = "",
    faulty: Faulty = "refuse",
) -> Domain:
    """A domain: one of the workbook's, one that is known on the Hub (medical, medical_answers), a
    file, a folder of splits, or another data set on the Hub.

    A file is .jsonl, .csv or .parquet with the columns prompt and answer (held, id: optional), or
    in a form of `datasets/forms.py`; `columns` says what columns of other names are, as
    "prompt=question,answer=label"; `faulty` rows are refused or left out. Missing splits are cut
    from it, 80/10/10, by `seed`. Raises InputError.
    """
    name, reading = str(name), Reading(columns, faulty)
    own = name in DOMAINS
    path = shipped(f"world/{name}/") if own else Path(os.path.expanduser(name))
    if own and not path.is_dir():
        raise InputError(
            f"The domain '{name}' is not in {path.parent}; get the "
            "whole repository, or install ftlab again."
        )
    given = bool(name) and is_there(path)
    if given and path.is_dir():
        splits = own_files.read_folder(path, reading)
    elif name in hub_sets.DOMAINS:
        splits = own_files.read_known(name, seed)
    elif given or ending(path) in (*own_files.ENDINGS, ".txt", ".xlsx"):
        splits = {"train": own_files.read_file(path, reading)}
    elif re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name):
        splits = own_files.read_hub(name, reading)
    else:
        raise InputError(
            f"There is no domain '{name}'{nearest(name, (*DOMAINS, *hub_sets.DOMAINS))}; the "
            f"domains are {', '.join(DOMAINS)}, and from the Hub {', '.join(hub_sets.DOMAINS)}; or "
            f"give a {own_files.ENDINGS_TEXT} file, a folder with such files, or the name of a "
            "data set on the Hub."
        )
    title = name if own else Path(path.name.removesuffix(".gz")).stem
    splits = complete(splits, title, seed)
    fields, rule = FIELDS.get(name, ("", ""))
    found = {split: _dataset(rows) for split, rows in splits.items()}
    return Domain(title, **found, fields=fields, rule=rule)


def _dataset(rows: list[Item]) -> "Dataset":
    from datasets import Dataset, Features, Value  # 1.4 s, so only when data is wanted

    columns = {"id": "string", "prompt": "string", "answer": "string", "held": "bool"}
    if any("turns" in row for row in rows):
        columns["turns"] = "string"
    return Dataset.from_list(rows, Features({key: Value(kind) for key, kind in columns.items()}))


def is_there(path: Path) -> bool:
    """True when the path exists; False also for a text that can be no path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def nearest(name: object, known: Iterable[str]) -> str:
    """(did you mean 'clinic'?), or "" when nothing known is near."""
    close = difflib.get_close_matches(str(name).lower(), list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
