"""The designers of notebooks 02 to 04: every stop of every control, and no invented point.

pytest tests/show/test_designers.py
"""

from itertools import combinations_with_replacement
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import pytest
from no_pngs import words_alone
from panel_sweep import sample, stops, sweep
from yardstick import in_pictures, moves

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.methods.bands import parts_of
from ftlab.methods.freeze import Freeze
from ftlab.methods.full_tuning import full
from ftlab.plan import SCHEDULES
from ftlab.show.canvas.style import rate_text
from ftlab.show.panels import panel
from ftlab.show.panels.compare import COLOURS, compare_panel, in_numbers, sentence, side_by_side
from ftlab.show.panels.freeze import BLOCKS, PRESETS, freeze_outcome, freeze_panel, part_sizes
from ftlab.show.panels.schedule import (
    PEAKS,
    WARMUPS,
    overlap,
    rates,
    schedule_outcome,
    schedule_panel,
)
from ftlab.show.plots.recorded import setting_name

NANO = compare.settings(compare.shipped("nano"))
SIZES = dict.fromkeys(map(str, BLOCKS), 198_272) | {"embeddings": 425_984, "rest": 256}


def pick(sweep: str, lr: float | None = None) -> compare.Setting:
    return compare.pick(NANO, sweep, lr)[0]


def of(kinds: tuple[str, ...]) -> set[tuple[float, float]]:
    """Learned and retained of the recorded settings of some kinds; of the single runs as well."""
    keys = ("target_score", "retention")
    found = [s for s in NANO if s.sweep in kinds]
    means = {tuple(round(s.mean(key), 9) for key in keys) for s in found}
    singles = {tuple(round(r.final[key], 9) for key in keys) for s in found for r in s.runs}
    return means | singles  # type: ignore[return-value]


def points(figure: Any) -> set[tuple[float, float]]:
    """All that is drawn as a point in the right panel."""
    marked = [line for line in figure.axes[-1].lines if line.get_marker() == "o"]
    return {(round(x, 9), round(y, 9)) for line in marked for x, y in line.get_xydata()}


# --- the sweeps -----------------------------------------------------------------------------------


def test_every_stop_of_the_schedule_designer() -> None:
    made = schedule_panel(NANO)
    assert len(list(sweep(made))) == len(PEAKS) + len(WARMUPS) + len(SCHEDULES)
    for values in sample(made, 15):
        peak, mean = rate_text(values["peak"]), fmean(rates(**values, steps=100))
        assert f"peak {peak}, a mean rate of" in made.figure.alt and made.words.value == ""
        assert rate_text(mean) in made.figure.alt


def test_every_stop_of_the_freeze_designer(tiny_gpt2: Any) -> None:
    made = freeze_panel(NANO, tiny_gpt2)
    assert len(list(sweep(made))) == 2 * 13 + len(stops(made.controls["rate"]))
    for _ in sample(made, 15):
        assert made.words.value == ""
    for words, (trained, embeddings) in PRESETS.items():
        made.buttons[words].click()
        on = [block for block in BLOCKS if made.values[f"block_{block}"]]
        assert on == list(trained) and made.values["embeddings"] == embeddings
        locks = [control.icon for control in made.controls.values() if hasattr(control, "icon")]
        assert locks.count("lock") == 13 - len(on) - embeddings


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one", "other"])
def test_every_stop_of_the_comparer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = compare_panel(NANO)
    if name == "other":  # the same pictures as with "one": made, but not turned into PNGs
        monkeypatch.setattr(panel, "markup", words_alone)
    refused, first = 0, made.values["other" if name == "one" else "one"]
    read = {setting_name(s): {run.budget["examples"] for run in s.runs} for s in NANO}
    for _, stop in sweep(made, name):
        unequal = len(read[stop] | read[first]) > 1
        assert bool(made.words.value) == unequal
        if unequal:
            refused += 1
            assert "unequal budgets" in made.words.value and stop not in made.figure.alt
        else:
            assert stop in made.figure.alt
    assert 0 < refused < len(read)


def test_every_pair_of_the_comparer_has_a_sentence() -> None:
    for one, other in combinations_with_replacement(NANO, 2):
        assert setting_name(one) in sentence(one, other) and sentence(one, other).endswith(".")


@pytest.mark.parametrize("kind", ["schedule", "freeze", "compare"])
def test_a_control_answers_at_once(kind: str, tiny_gpt2: Any) -> None:
    made: panel.Panel = {
        "schedule": lambda: schedule_panel(NANO),
        "freeze": lambda: freeze_panel(NANO, tiny_gpt2),
        "compare": lambda: compare_panel(NANO),
    }[kind]()
    control = next(iter(made.controls.values()))
    taken = in_pictures(*moves(control, (3 * stops(control))[:9]))
    assert taken < 7  # 2 to 3; the aim is 0.1 s on a quiet machine (`python -m tools.bench`)


# --- the schedule designer ------------------------------------------------------------------------


def test_every_recorded_schedule_is_found_as_recorded() -> None:
    for kind in ("learning rate", "schedule", "equal area", "warmup"):
        for setting in compare.pick(NANO, kind):
            plan = setting.runs[0].plan
            alt = schedule_outcome(plan["lr"], plan["warmup"], plan["schedule"], found=NANO).alt
            assert f": recorded, learned {100 * setting.mean('target_score'):.0f} %" in alt
            assert f"retained {100 * setting.mean('retention'):.0f} %" in alt


def test_no_point_of_a_schedule_is_invented() -> None:
    kinds = ("learning rate", "schedule", "equal area", "warmup")
    for peak, warmup, shape in ((2e-3, 10, "cosine"), (3e-4, 0, "linear"), (1e-3, 10, "cosine")):
        figure: Any = schedule_outcome(peak, warmup, shape, found=NANO)
        assert points(figure) <= of(kinds)
        hollow = [line.get_markerfacecolor() == "white" for line in figure.axes[1].lines]
        recorded = (peak, warmup, shape) == (1e-3, 10, "cosine")
        assert any(hollow) != recorded and ("not recorded" in figure.alt) != recorded


def test_overlap_is_one_for_the_same_curve_and_the_ratio_for_a_scaled_one() -> None:
    one = rates(1e-3, 10, "cosine", 100)
    assert overlap(one, one) == 1
    assert overlap(one, rates(5e-4, 10, "cosine", 100)) == pytest.approx(0.5)
    assert overlap(rates(5e-4, 10, "cosine", 100), one) == pytest.approx(0.5)


def test_the_line_of_equal_area_lies_at_the_mean_rate() -> None:
    figure: Any = schedule_outcome(1e-3, 10, "constant", found=NANO)
    whole = [line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) == 100]
    mean = fmean(rates(1e-3, 10, "constant", 100))
    assert [line[0] for line in whole if len(set(line)) == 1] == [mean]


def test_a_schedule_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="fewer"):
        schedule_outcome(1e-3, 100, "cosine", found=NANO)
    with pytest.raises(InputError, match="choose one of"):
        schedule_outcome(1e-3, 0, "square", found=NANO)
    with pytest.raises(InputError, match="schedule"):
        schedule_outcome(1e-3, 0, "cosine", found=compare.pick(NANO, "replay"))


# --- the freeze designer --------------------------------------------------------------------------


@pytest.mark.parametrize("trained", [{7, 8, 9, 10, 11, 12}, {2, 5}, {12}, set()])
@pytest.mark.parametrize("embeddings", [False, True])
def test_parameters_that_train_are_those_of_the_method(
    trained: set[int], embeddings: bool, tiny_gpt2: Any
) -> None:
    sizes = part_sizes(tiny_gpt2)
    bands = {str(block): float(block in trained) for block in BLOCKS}
    truth = Freeze(bands, embeddings=float(embeddings))(tiny_gpt2)
    on = [block in trained for block in BLOCKS]
    alt = freeze_outcome(on, embeddings, found=NANO, sizes=sizes).alt
    assert f"{truth.trainable:,} of {truth.total:,} parameters" in alt


def test_the_sizes_of_the_parts_are_those_of_the_recorded_runs(tiny_gpt2: Any) -> None:
    assert sum(part_sizes(tiny_gpt2).values()) == full(tiny_gpt2).total
    assert sum(SIZES.values()) == pick("learning rate", 1e-3).runs[0].total
    half = pick("freeze_low", 1e-3).runs[0].trainable
    assert half == 6 * SIZES["1"] + SIZES["rest"]


def test_recorded_freezings_are_found_with_their_own_runs() -> None:
    low = [block > 6 for block in BLOCKS]
    alt = freeze_outcome(low, False, 1e-3, found=NANO, sizes=SIZES).alt
    retained = f"retained {100 * pick('freeze_low', 1e-3).mean('retention'):.0f} %"
    assert "recorded as lower half frozen" in alt and retained in alt
    run = pick("freeze_any", 1e-3).runs[1]
    bands = {part: s for b, s in run.extra["method"]["bands"].items() for part in parts_of(b)}
    alt = freeze_outcome([bands[b] == 1 for b in BLOCKS], found=NANO, sizes=SIZES).alt
    retained = f"retained {100 * run.final['retention']:.0f} %"
    assert "recorded as at random" in alt and retained in alt
    assert "(one seed)" in alt  # every seed of that control froze other blocks
    everything: Any = freeze_outcome([True] * 12, True, 1e-3, found=NANO, sizes=SIZES)
    assert "recorded as full fine-tuning" in everything.alt
    alt = freeze_outcome([block > 9 for block in BLOCKS], found=NANO, sizes=SIZES).alt
    assert "not recorded" in alt and "the article's plan (3 blocks of 12 differ, 3 of them l" in alt


def test_no_point_of_a_freezing_is_invented() -> None:
    kinds = ("learning rate", "freeze", "freeze_low", "freeze_top", "freeze_any")
    for seed in range(5):
        on = [bool(seed >> (block % 3) & 1) for block in BLOCKS]
        figure = freeze_outcome(on, False, 3e-4, found=NANO, sizes=SIZES)
        assert points(figure) <= of(kinds)


def test_the_drawing_shows_the_embeddings_first_and_how_far_down_gradients_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Any] = []
    lowest: list[int | None] = []
    module = "ftlab.show.panels.freeze"
    monkeypatch.setattr(f"{module}.blocks", lambda figure, y, cells: drawn.append(cells))
    monkeypatch.setattr(f"{module}.gradients", lambda figure, y, low: lowest.append(low))
    for on, embeddings in (({5, 9}, False), ({5, 9}, True), (set(), False)):
        freeze_outcome([b in on for b in BLOCKS], embeddings, 1e-3, found=NANO, sizes=SIZES)
        yours = drawn[-3]  # the two nearest are below it
        assert [cell.words for cell in yours] == ["emb.", *map(str, BLOCKS)]
        assert [not cell.still for cell in yours] == [embeddings, *(b in on for b in BLOCKS)]
    assert lowest == [5, 0, None]


def test_a_freezing_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="3e-4"):
        freeze_outcome(rate=0.5, found=NANO, sizes=SIZES)
    with pytest.raises(InputError, match="3 blocks"):
        freeze_outcome([True] * 3, found=NANO, sizes=SIZES)
    with pytest.raises(InputError, match="freezes blocks"):
        freeze_outcome(found=compare.pick(NANO, "replay"), sizes=SIZES)


# --- the comparer ---------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    assert len({setting_name(setting) for setting in NANO}) == len(NANO)


def test_the_comparer_says_what_was_recorded() -> None:
    one, other = pick("lora_qv", 3e-3), pick("learning rate", 1e-4)
    figure: Any = side_by_side(one, other)
    assert compare.difference(one, other) in figure.alt
    ends = [line.get_ydata()[-1] for line in figure.axes[1].lines]
    last = [run.curve[-1]["measured"]["retention"] for s in (one, other) for run in s.runs]
    assert sorted(ends)[0] == min(last) and sorted(ends)[-1] == max(last)
    assert in_numbers(one)["parameters trained"] == f"{one.runs[0].trainable:,}"


def test_runs_that_were_stopped_at_a_score_are_compared_where_all_were_measured() -> None:
    """Each seed ended at another step: its own line ends there, the mean where the first ends."""

    def run(seed: int, steps: int, learned: float) -> Any:
        rows = [
            {"step": n, "measured": {"target_score": learned * n, "retention": 1 - 0.1 * n}}
            if n % 2 == 0 else {"step": n, "measured": None}
            for n in range(steps + 1)
        ]  # fmt: skip
        final = {"target_score": 0.9, "retention": 0.5, "kept": {"facts": 0.5}}
        return SimpleNamespace(
            name=f"full, clinic, lr 1, seed {seed}", method="full", curve=rows, final=final,
            plan={"lr": 1.0, "stop_at": 0.5},
            budget={"examples": steps, "tokens": steps, "steps": steps},
            seconds=1.0, trainable=9, extra={"sweep": "learning rate"},
        )  # fmt: skip

    one = compare.Setting("a", (run(0, 4, 0.2), run(1, 6, 0.1)))
    other = compare.Setting("b", (run(0, 4, 0.25), run(1, 4, 0.25)))
    figure: Any = side_by_side(one, other)
    thin, thick = ([x for x in figure.axes[0].lines if x.get_linewidth() == w] for w in (0.8, 2.4))
    assert [list(line.get_xdata()) for line in thin[:2]] == [[0, 2, 4], [0, 2, 4, 6]]
    assert [list(line.get_xdata()) for line in thick] == [[0, 2, 4]] * 2
    assert list(thick[0].get_ydata()) == pytest.approx([0, 0.3, 0.6])


def test_each_setting_has_its_colour_its_curves_and_its_skills() -> None:
    pair = pick("lora_qv", 3e-3), pick("learning rate", 1e-4)
    figure: Any = side_by_side(*pair)
    for axes, key in zip(figure.axes, ("target_score", "retention"), strict=False):
        thick = [line for line in axes.lines if line.get_linewidth() == 2.4]
        for line, setting, colour in zip(thick, pair, COLOURS, strict=True):
            ends = [run.curve[-1]["measured"][key] for run in setting.runs]
            assert line.get_color() == colour and line.get_ydata()[-1] == pytest.approx(fmean(ends))
        ways = [line for line in axes.lines if len(line.get_xdata()) > 2]
        thin = [line.get_color() for line in ways if line.get_linewidth() == 0.8]
        assert thin == [colour for colour, s in zip(COLOURS, pair, strict=True) for _ in s.runs]
        words = {text.get_text(): text.get_color() for text in axes.texts}
        assert words["first"] == COLOURS[0] and words["second"] == COLOURS[1]
    marks = [line for line in figure.axes[2].lines if line.get_marker() in ("o", "s")]
    for row, name in enumerate(pair[0].runs[0].final["kept"]):
        for line, setting, colour in zip(marks[2 * row : 2 * row + 2], pair, COLOURS, strict=True):
            kept = fmean(run.final["kept"][name] for run in setting.runs)
            assert line.get_color() == colour and line.get_xdata() == [kept]
    cost = in_numbers(pair[0])
    assert cost["gradients and AdamW"] == f"{3 * pair[0].runs[0].trainable:,}"


def test_unequal_budgets_are_refused_in_words() -> None:
    with pytest.raises(InputError, match="unequal budgets"):
        side_by_side(pick("steps"), pick("learning rate", 3e-4))
    with pytest.raises(InputError, match="Two recorded settings"):
        compare_panel([pick("steps")])
