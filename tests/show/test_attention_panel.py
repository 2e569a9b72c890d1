"""Notebook 05's attention explorer: every stop, every set of attentions, and no invented point.

pytest tests/show/test_attention_panel.py
"""

from itertools import product
from typing import Any

import pytest
from panel_sweep import answered, sample, stops, sweep
from yardstick import in_pictures, moves

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.experiments.seq2seq import ATTENTIONS, RANK, SHIFTS, attentions, sweep_name
from ftlab.show.canvas.style import rate_text
from ftlab.show.panels.attention import (
    ALONE,
    STILL,
    WAYS,
    attention_outcome,
    attention_panel,
    carries,
    measured,
    rates,
    shifts,
)

RUNS = compare.shipped("nano-t5")
SETS = [tuple(k for k, on in zip(ALONE, which, strict=True) if on)
        for which in product([False, True], repeat=3)]  # fmt: skip


def settings(domain: str) -> list[compare.Setting]:
    return compare.settings(RUNS, domain=domain)


def points(figure: Any) -> set[tuple[float, float]]:
    """All that is drawn as a point in the plane."""
    marked = [line for line in figure.axes[-1].lines if line.get_marker() == "o"]
    return {(round(x, 9), round(y, 9)) for line in marked for x, y in line.get_xydata()}


def hollow(figure: Any) -> int:
    """How many points of the plane are hollow."""
    return sum(line.get_markerfacecolor() == "white" for line in figure.axes[-1].lines)


def recorded_at(setting: compare.Setting, figure: Any) -> bool:
    """Does the picture give these numbers as those of the very choice?"""
    learned, retained = (percent(setting.mean(key)) for key in ("target_score", "retention"))
    return f": recorded, learned {learned}" in figure.alt and f"retained {retained}" in figure.alt


# --- the sweeps -----------------------------------------------------------------------------------


def test_every_stop_of_every_control() -> None:
    made = attention_panel(RUNS)
    assert len(list(sweep(made))) == 2 + len(WAYS) + 4 + 2 * 3
    assert stops(made.controls["domain"]) == sorted(SHIFTS)
    assert len(stops(made.controls["rate"])) == len(rates(RUNS))
    for values in sample(made, 15):
        refused = values["train"] == "adapters" and not any(values[kind] for kind in ALONE)
        assert bool(made.words.value) == refused


@pytest.mark.parametrize("domain", SHIFTS)
def test_every_set_of_attentions(domain: str) -> None:
    made = attention_panel(RUNS)
    for on in SETS:
        made.set(domain=domain, train="adapters", **{kind: kind in on for kind in ALONE})
        answered(made)
        assert [made.controls[kind].icon == "check" for kind in ALONE] == [k in on for k in ALONE]
        if not on:
            assert "No attention carries an adapter" in made.words.value
            continue
        assert made.words.value == ""
        name = sweep_name(tuple(kind for kind in ATTENTIONS if kind in on))
        assert recorded_at(compare.pick(settings(domain), name, 1e-3)[0], made.figure)
        assert made.figure.alt.count(f"rank {RANK // len(on)} on") == len(on)


def test_every_preset_shows_something_recorded() -> None:
    made = attention_panel(RUNS)
    assert len(made.buttons) == 3 + 1 + len(WAYS) - 1
    for domain in shifts(RUNS):
        made.set(domain=domain, rate=1e-3)
        for words, button in made.buttons.items():
            button.click()
            answered(made)
            assert made.words.value == "" and ": recorded, learned" in made.figure.alt, words


def test_toggles_rest_where_they_count_for_nothing() -> None:
    made = attention_panel(RUNS)
    toggles = [made.controls[kind] for kind in ALONE]
    for train in (*WAYS, "adapters"):
        made.set(train=train)
        assert {toggle.disabled for toggle in toggles} == {train != "adapters"}
    made.set(train="full", **dict.fromkeys(ALONE, False))
    assert made.words.value == "" and "full fine-tuning" in made.figure.alt


def test_a_control_answers_at_once() -> None:
    rate = attention_panel(RUNS).controls["rate"]
    assert in_pictures(*moves(rate, 2 * stops(rate))) < 6  # 2; the aim is 0.1 s, machine quiet


# --- what is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", SHIFTS)
def test_every_recorded_setting_is_found_with_its_own_runs(domain: str) -> None:
    sets = {sweep_name(tuple(k for k in ATTENTIONS if k in on)): on for on in SETS if on}
    assert {*sets, "lora_article"} == set(attentions())
    for setting in settings(domain):
        train = "full" if setting.sweep == "learning rate" else setting.sweep
        on = sets.get(train, ())
        figure: Any = attention_outcome(
            domain, "adapters" if on else train, on, setting.lr, found=RUNS
        )
        assert recorded_at(setting, figure) and not hollow(figure)
        assert f"{setting.runs[0].trainable:,} of {setting.runs[0].total:,}" in figure.alt


@pytest.mark.parametrize("domain", SHIFTS)
@pytest.mark.parametrize("train", WAYS)
def test_no_point_is_invented(domain: str, train: str) -> None:
    keys = ("target_score", "retention")
    means = {tuple(round(s.mean(key), 9) for key in keys) for s in settings(domain)}
    for rate in rates(RUNS):
        figure: Any = attention_outcome(domain, train, rate=rate, found=RUNS)
        assert points(figure) == means
        assert hollow(figure) == 2 * ("not recorded" in figure.alt)


def test_a_rate_that_was_not_run_is_answered_with_those_that_were() -> None:
    near = compare.pick(settings("new_format"), "lora_encoder")[:2]
    figure: Any = attention_outcome("new_format", attentions=["encoder"], rate=1e-4, found=RUNS)
    said = [f"at a rate of {rate_text(setting.lr)}, learned" for setting in near]
    assert "not recorded" in figure.alt and all(words in figure.alt for words in said)
    written = {text.get_text() for text in figure.texts}
    first = f"nearest: at a rate of {rate_text(near[0].lr)};"
    assert any(words.startswith(first) for words in written)


def test_the_drawing_says_what_the_records_say() -> None:
    run = compare.pick(settings("new_words"), "lora_article")[0].runs[0]
    assert carries("lora_article", run) == {
        kind: f"rank {rank}" for kind, rank in run.extra["method"]["ranks"].items()
    }
    for train, still in STILL.items():
        run = compare.pick(settings("new_words"), train)[0].runs[0]
        assert train == f"freeze_{run.extra['method']['stack']}"
        frozen = {kind for kind, words in carries(train, run).items() if words == "frozen"}
        assert frozen == still
    figure: Any = attention_outcome(attentions=["cross"], found=RUNS)
    drawn = [text.get_text() for text in figure.axes[0].texts]
    assert "cross\nrank 24" in drawn and "decoder's own\nno adapter" in drawn


def test_the_bars_are_the_records_numbers() -> None:
    setting = compare.pick(settings("new_words"), "lora_kinds", 1e-3)[0]
    rows = measured(setting.runs)
    assert rows["retention"] == setting.values("retention")
    assert list(rows)[2:] == list(setting.runs[0].final["kept"])
    figure: Any = attention_outcome(found=RUNS)
    written = [text.get_text() for text in figure.texts]
    assert percent(setting.mean("target_score")) in " ".join(written)
    assert len([words for words in written if " to " in words]) == len(rows)


# --- what is refused ------------------------------------------------------------------------------


def test_what_was_never_run_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="switch on at least one"):
        attention_outcome(attentions=[], found=RUNS)
    with pytest.raises(InputError, match="'self' is no attention"):
        attention_outcome(attentions=["self"], found=RUNS)
    with pytest.raises(InputError, match="choose from 1e-4"):
        attention_outcome(rate=0.5, found=RUNS)
    with pytest.raises(InputError, match="new_format, new_words"):
        attention_outcome("clinic", found=RUNS)
    with pytest.raises(InputError, match="choose one of adapters"):
        attention_outcome(train="prefix", found=RUNS)
    with pytest.raises(InputError, match="nano-t5"):
        attention_panel([run for run in RUNS if run.domain == "clinic"])
