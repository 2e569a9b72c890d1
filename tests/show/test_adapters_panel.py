"""Notebook 07's panel: every stop, no invented point. And its exercises, which name the mistake.

pytest tests/show/test_adapters_panel.py
"""

from pathlib import Path
from typing import Any

import pytest
from panel_sweep import sample, stops, sweep

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.methods import Bottleneck, LoRA, Prefix, Prompt
from ftlab.models.layers import TARGETS
from ftlab.show.panels.adapters import (
    KINDS,
    SIZES,
    adapter_outcome,
    adapter_panel,
    parameters,
    settings_of,
    size_of,
)
from tools.notebooks.sources import build

FOLDERS = ("adapters", "laptop", "nano")
RUNS = [run for folder in FOLDERS for run in compare.shipped(folder) if run.domain == "clinic"]
MODELS = ("nano-gpt2", "smollm2-135m")
SOURCE = Path(__file__).parents[2] / "notebooks" / "source" / "07_lora_adapters_or_prefix.py"
KEYS = ("target_score", "retention")


def means(model: str) -> set[tuple[float, ...]]:
    some = [s for settings in settings_of(RUNS, model).values() for s in settings]
    return {tuple(round(s.mean(key), 9) for key in KEYS) for s in some}


def points(figure: Any) -> set[tuple[float, float]]:
    marked = [line for line in figure.axes[-1].lines if line.get_marker() == "o"]
    return {(round(x, 9), round(y, 9)) for line in marked for x, y in line.get_xydata()}


def hollow(figure: Any) -> int:
    return sum(line.get_markerfacecolor() == "white" for line in figure.axes[-1].lines)


# --- the panel ------------------------------------------------------------------------------------


def test_every_stop_of_every_control() -> None:
    made = adapter_panel(RUNS)
    stopped = list(sweep(made))
    assert {stop for name, stop in stopped if name == "method"} == set(KINDS)
    assert {stop for name, stop in stopped if name == "size"} == set(SIZES)
    assert {stop for name, stop in stopped if name == "model"} == set(MODELS)
    for values in sample(made, 10):
        assert made.words.value == "" and values["model"] in made.figure.alt
        assert made.controls["size"].disabled != bool(KINDS[values["method"]].unit)


@pytest.mark.parametrize("model", MODELS)
def test_no_point_is_invented(model: str) -> None:
    for method in settings_of(RUNS, model):
        for size, rate in ((2, 1e-3), (16, 3e-3), (7, 0.02)):
            figure: Any = adapter_outcome(method, size, rate, model, found=RUNS)
            assert points(figure) == means(model)
            assert hollow(figure) == 2 * ("not recorded" in figure.alt)


@pytest.mark.parametrize("model", MODELS)
def test_every_recorded_setting_is_found_at_its_size_and_rate(model: str) -> None:
    for method, settings in settings_of(RUNS, model).items():
        for setting in settings:
            run = setting.runs[0]
            size = size_of(KINDS[method], run)
            figure: Any = adapter_outcome(method, size, setting.lr, model, found=RUNS)
            learned = f"{100 * setting.mean('target_score'):.0f} %"
            assert f": recorded, learned {learned}" in figure.alt and not hollow(figure)
            assert f"{run.trainable:,} of {run.total:,} parameters" in figure.alt


def test_off_is_the_base_and_full_has_no_switch() -> None:
    switched: Any = adapter_outcome(found=RUNS)
    assert "switched off, it is the base" in switched.alt
    assert "the base" in [text.get_text() for text in switched.texts]
    full: Any = adapter_outcome("full", rate=1e-4, found=RUNS)
    assert "it has no switch" in full.alt
    assert "retained, off" not in [text.get_text() for text in full.texts]


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("lora_all", lambda size: LoRA({"1-12": size}, targets=TARGETS)),
        ("bottleneck", Bottleneck),
        ("prefix", Prefix),
        ("prompt", Prompt),
    ],
)
def test_parameters_are_those_of_the_method_at_that_size(kind, make, nano) -> None:
    settings = settings_of(RUNS, "nano-gpt2").get(kind)
    if not settings:
        pytest.skip(f"nothing recorded of {kind} on nano-gpt2 yet")
    for size in (1, 4, 16):
        counted = parameters(KINDS[kind], settings[0].runs[0], size)
        assert counted == make(size)(nano()).trainable


@pytest.fixture(scope="module")
def nano():
    import copy

    from ftlab.models import load

    base = load("nano-gpt2").model
    return lambda: copy.deepcopy(base)


def test_what_was_never_run_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="choose from lora_all"):
        adapter_outcome("freeze", found=RUNS)
    with pytest.raises(InputError, match="on gpt9"):
        adapter_outcome(model="gpt9", found=RUNS)
    with pytest.raises(InputError, match="adapters"):
        adapter_panel([])


def test_one_size_is_no_size() -> None:
    assert stops(adapter_panel(RUNS).controls["size"]) == list(SIZES)
    one, other = (adapter_outcome("ia3", size, 1e-2, MODELS[1], found=RUNS) for size in (1, 48))
    assert one.alt == other.alt


# --- the exercises --------------------------------------------------------------------------------


def exercises() -> list[str]:
    """The code up to and with each exercise, markers and answers in place."""
    made = build(SOURCE.read_text(encoding="utf-8"), solved=True)
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    wanted = [c for c in code if "ftlab.exercise(" in c or c.startswith("torch.manual_seed(0)\nq")]
    first, zero_keys, second = wanted
    return [first, f"{first}\n{zero_keys}\n{second}"]


def said(part: int, old: str, new: str, capsys: Any) -> str:
    code = exercises()[part]
    assert code.count(old) == 1
    exec(compile(IMPORTS + code.replace(old, new), "cell", "exec"), {})
    return capsys.readouterr().out


IMPORTS = """import ftlab
import torch
from torch import nn
from torch.nn import functional as F
from ftlab.teach import answers
"""
"""What an earlier cell has."""
ADAPTER = "return s + up(F.gelu(down(s)))"
SHARE = "scores = torch.cat([prefix, keys]) @ q / len(q) ** 0.5"


@pytest.mark.parametrize(
    ("part", "old", "new", "names"),
    [
        (0, ADAPTER, "return up(F.gelu(down(s)))", "did you add it?"),
        (0, ADAPTER, "return s + up(down(s))", "is there a GELU?"),
        (0, ADAPTER, "return s + F.gelu(up(down(s)))", "up's output is not bent"),
        (0, ADAPTER, "return s + up(F.relu(down(s)))", "stands in the middle"),
        (0, ADAPTER, "return s + down(up(s))", "RuntimeError"),
        (1, SHARE, "scores = torch.cat([prefix, keys]) @ q", "sqrt of d?"),
        (1, SHARE, "scores = torch.cat([keys, prefix]) @ q / len(q) ** 0.5", "comes first"),
        (1, SHARE, "scores = prefix @ q / len(q) ** 0.5", "one softmax over all?"),
        (1, SHARE, "scores = torch.cat([prefix, keys]) @ q / len(q)", "sqrt of d?"),
    ],
)
def test_a_mistake_is_named(part, old, new, names, capsys, monkeypatch) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)
    lines = said(part, old, new, capsys).splitlines()
    faults = [line for line in lines if line.startswith("✗")]
    assert any(names in line for line in faults), lines
    assert any("is not right yet" in line for line in lines)


@pytest.mark.parametrize(("part", "old"), [(0, ADAPTER), (1, SHARE)])
def test_right_answers_pass_and_blank_ones_go_on(part, old, capsys, monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_STRICT", "1")
    assert said(part, old, old, capsys).count("✓ done") == part + 1
    assert "not done yet" in said(part, old, f"return None\n    {old}", capsys)
