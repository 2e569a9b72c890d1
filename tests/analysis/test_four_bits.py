"""LoRA beside QLoRA: pairs that are alike in everything but their base.

pytest tests/analysis/test_four_bits.py
"""

from dataclasses import replace

import pytest

from ftlab.analysis import compare
from ftlab.analysis.four_bits import Pair, left, pairs
from ftlab.base.errors import InputError


def test_the_recorded_pairs_differ_in_their_base_alone() -> None:
    found = pairs()
    assert len(found) == 6 and len({pair.where for pair in found}) == 6
    for pair in found:
        for a, b in zip(pair.lora.runs, pair.qlora.runs, strict=True):
            assert (a.plan["lr"], a.plan["steps"], a.seed) == (
                b.plan["lr"],
                b.plan["steps"],
                b.seed,
            )
            assert (a.model_checksum, a.data_checksum) == (b.model_checksum, b.data_checksum)
            assert a.trainable == b.trainable and a.budget == b.budget
            asked = b.extra["method"]["adapters"]
            assert asked == a.extra["method"], pair.where


def test_what_is_left_counts_from_the_plain_base() -> None:
    for pair in pairs():
        assert left(pair.lora, pair.plain) == pytest.approx(pair.lora.values("retention"))
        alone = compare.retained_of(pair.qlora.runs[0].baseline, pair.plain)
        assert 0.8 < alone < 1.01
        truth = [compare.retained_of(run.final, pair.plain) for run in pair.qlora.runs]
        assert left(pair.qlora, pair.plain) == truth


def test_runs_in_another_precision_are_no_pair() -> None:
    pair = pairs()[0]
    runs = tuple(replace(run, precision="bf16") for run in pair.lora.runs)
    with pytest.raises(InputError, match="differ in precision"):
        Pair("here", pair.plain, replace(pair.lora, runs=runs), pair.qlora)
    with pytest.raises(InputError, match="or in seeds"):
        Pair("here", pair.plain, replace(pair.lora, runs=pair.lora.runs[:2]), pair.qlora)
