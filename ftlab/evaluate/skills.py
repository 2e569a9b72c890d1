"""Accuracy per skill: which of the base model's skills does it still have?

    choice  several endings of one query: right if the labelled one is the likeliest as a whole
    pair    two sentences, one of them wrong: the same, after the prefix token alone
    cloze   right if every token of the answer is the likeliest one at its place (and the end too,
            of an encoder-decoder model: so its whole greedy answer is right)

Notable choices: likelihoods are summed, not averaged over tokens (the `acc` of
lm-evaluation-harness, not its `acc_norm`); of equal ones the first counts as picked; a model
whose logits are no longer finite picks nothing and is wrong. Chance is 1 / choices, and 0 for
cloze, so that guessing can be taken off (see `retention`).

Run the tests: pytest tests/evaluate/test_skills.py
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.datasets.load import Probe
from ftlab.evaluate.likelihood import Scored, score_segments
from ftlab.text.requests import pair_segments
from ftlab.text.segments import Segment
from ftlab.text.seq2seq import decoder_start


@dataclass(frozen=True)
class SkillScore:
    """How a model did on the probes of one skill."""

    skill: str
    """Name of the skill."""
    accuracy: float
    """Share of its probes that are right, 0 to 1."""
    chance: float
    """What guessing would give, 0 to 1: the mean over its probes."""
    n: int
    """How many probes it has."""
    correct: tuple[bool, ...]
    """Right or wrong, probe by probe, in the given order."""


def measure_skills(
    model: nn.Module, tokenizer: Any, probes: Sequence[Probe]
) -> dict[str, SkillScore]:
    """Ask every probe; one SkillScore per skill, in the order the skills first appear.

    Raises InputError when there is no probe, or one longer than the model can read.
    """
    if not probes:
        raise InputError("There is no probe to ask; give a suite with at least one.")
    asked = probe_segments(tokenizer, probes, decoder_start(model))
    scores = iter(score_segments(model, [segment for _, segment in asked]))
    by_skill: dict[str, list[tuple[Probe, bool]]] = {}
    for probe in probes:
        right = _is_right(probe, list(islice(scores, len(_endings(probe)))))
        by_skill.setdefault(probe.skill, []).append((probe, right))
    return {skill: _summary(skill, answers) for skill, answers in by_skill.items()}


def probe_segments(
    tokenizer: Any, probes: Sequence[Probe], start: int | None
) -> list[tuple[Probe, Segment]]:
    """What is read for every probe: each with each of its endings."""
    asked = [(probe, ending) for probe in probes for ending in _endings(probe)]
    pairs = [(probe.query, ending) for probe, ending in asked]
    ended = [probe.form == "cloze" for probe, _ in asked]
    segments = pair_segments(tokenizer, pairs, start, ended)
    return [(probe, segment) for (probe, _), segment in zip(asked, segments, strict=True)]


def _endings(probe: Probe) -> Sequence[str]:
    return [probe.choices[probe.label]] if probe.form == "cloze" else probe.choices


def _is_right(probe: Probe, scores: Sequence[Scored]) -> bool:
    if not all(math.isfinite(score.logprob) for score in scores):
        return False
    if probe.form == "cloze":
        return scores[0].greedy
    return max(range(len(scores)), key=lambda i: scores[i].logprob) == probe.label


def _summary(skill: str, answers: Sequence[tuple[Probe, bool]]) -> SkillScore:
    correct = tuple(right for _, right in answers)
    chance = fmean(probe.chance for probe, _ in answers)
    return SkillScore(skill, fmean(correct), chance, len(correct), correct)
