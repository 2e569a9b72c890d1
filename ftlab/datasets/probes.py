"""Probes: the questions of a suite, and the probes.jsonl they are read from.

`choice` picks the likeliest of its choices (each scores as `query + choice`), `pair` the likelier
of two sentences, `cloze` must itself say every token of the answer.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.rows import read_jsonl

FORMS = ("choice", "cloze", "pair")


@dataclass(frozen=True)
class Probe:
    """One question with its possible continuations."""

    id: str
    """Its name, unlike every other in the suite."""
    skill: str
    """The ability it asks for, such as facts."""
    form: str
    """choice, cloze or pair."""
    query: str
    """The text before the choice; empty for a pair."""
    choices: tuple[str, ...]
    """What may follow, each with the space it needs."""
    label: int
    """Index of the right one in `choices`."""

    def __post_init__(self) -> None:
        fault = _fault(self)
        if fault:
            raise InputError(f"The probe '{self.id}' {fault}.")

    @property
    def chance(self) -> float:
        """The accuracy of guessing: 1 / choices, and 0 for a cloze."""
        return 0.0 if self.form == "cloze" else 1 / len(self.choices)


def _fault(probe: Probe) -> str:
    """What contradicts itself in a probe, as the rest of a sentence; "" when nothing does."""
    n = len(probe.choices)
    if probe.form not in FORMS:
        return f"has the form '{probe.form}'; the forms are {', '.join(FORMS)}"
    if not probe.skill:
        return "names no skill; name one"
    if re.search("[\ud800-\udfff]", "".join((probe.query, *probe.choices))):
        return "holds half a character (a lone surrogate); write the text again as UTF-8"
    if not all(choice.strip() for choice in probe.choices) or len(set(probe.choices)) < n:
        return "has an empty choice or one choice twice; give different ones"
    if probe.form == "pair" and (n != 2 or probe.query):
        return f"is a pair with {n} choices and the query '{probe.query}'; give 2 and no query"
    if n < (1 if probe.form == "cloze" else 2):
        return f"has {n} choices; a {probe.form} needs more"
    if not 0 <= probe.label < n:
        return f"has the label {probe.label} for {n} choices; count from 0 to {n - 1}"
    return ""


def read_probes(path: Path) -> list[Probe]:
    """Every line of probes.jsonl. Raises InputError for the first bad one, and for an id twice."""
    probes = [_probe(where, row) for where, row in read_jsonl(path)]
    _check_ids(probes, path)
    return probes


def _probe(where: str, row: dict[str, Any]) -> Probe:
    """One line of probes.jsonl as a Probe; InputError names the line."""
    types = {"id": str, "skill": str, "form": str, "query": str, "choices": list, "label": int}
    for key, kind in types.items():
        if key not in row or not isinstance(row[key], kind) or isinstance(row[key], bool):
            raise InputError(
                f"The probe in {where} needs '{key}' as {kind.__name__}, and has "
                f"{row.get(key, 'none')!r}."
            )
    if not all(isinstance(choice, str) for choice in row["choices"]):
        raise InputError(f"The probe in {where} has a choice that is not text; put it in quotes.")
    values: dict[str, Any] = {key: row[key] for key in types}
    values["choices"] = tuple(row["choices"])
    try:
        return Probe(**values)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')} ({where}).") from error


def _check_ids(probes: list[Probe], path: Path) -> None:
    seen: set[str] = set()
    for probe in probes:
        if probe.id in seen:
            raise InputError(
                f"{path} has two probes with the id '{probe.id}'; give every probe its own."
            )
        seen.add(probe.id)
