"""Lines, the scoreboard and its tables say in words what they draw.

Run: pytest tests/show/test_boards.py
"""

from types import SimpleNamespace

import pytest

from ftlab.analysis.compare import settings
from ftlab.show import best_of, lines, matched_table, png, scoreboard, settings_table


def made(sweep, learned, retained, *, lr=1e-3, method=None):
    runs = []
    for seed in range(3):
        share = retained - 0.01 * seed
        curve = [
            {"step": 0, "measured": {"target_loss": 4.0, "retention": 1.0, "forgotten": 0.0}},
            {"step": 10, "measured": {"target_loss": 0.5, "retention": share, "forgotten": 0.2}},
        ]
        final = {
            "target_score": learned,
            "held_score": learned,
            "retention": share,
            "forgotten": 0.2,
        }
        run = SimpleNamespace(
            name=f"{sweep}, clinic, lr {lr:g}, 10 steps, seed {seed}", method=method or sweep,
            model="tiny", domain="clinic", plan={"lr": lr}, seed=seed, curve=curve, final=final,
            extra={"sweep": sweep}, trainable=50, total=100, baseline={"target_score": 0.0},
        )  # fmt: skip
        runs.append(run)
    return runs


FOUND = settings(
    [
        *made("learning rate", 0.8, 0.9, method="full"),
        *made("learning rate", 0.9, 0.2, lr=1e-2, method="full"),
        *made("freeze", 0.4, 0.97),
    ]
)


def test_lines_say_where_they_begin_and_end():
    picture = lines(
        {"full": [(1, 0.0), (2, 1.0), (3, 0.5)], "other": [(1, 0.2, 0.1, 0.3), (2, 0.4, 0.3, 0.5)]},
        name="A thing",
        reading="more is more",
        xlabel="step",
    )
    assert "full fine-tuning: from 0 to 0.5, highest 1 at 2" in picture.alt
    assert "other: from 0.2 to 0.4" in picture.alt and png(picture)


def test_no_line_is_said():
    picture = lines({"x": []}, name="A thing", reading="", xlabel="step")
    assert "x: nothing measured" in picture.alt and png(picture)


def test_the_scoreboard_names_method_and_rate():
    picture = scoreboard(FOUND, title="Board")
    assert "full fine-tuning, 1e-3: 80 % learned, 89 % retained (mean of 3 seeds)" in picture.alt
    assert "layers frozen" in picture.alt and "starts at 0 % learned" in picture.alt
    assert picture.alt.startswith("A plane of tiny,")
    written = [text.get_text() for text in (*picture.texts, *picture.axes[0].texts)]
    assert "tiny: learned and retained" in written
    assert {"full fine-tuning, 1e-3", "1e-2"} <= set(written)  # a sweep is named once
    assert png(picture)


def test_the_best_of_a_sweep_learns_and_retains():
    assert {(s.sweep, s.lr) for s in best_of(FOUND)} == {("learning rate", 1e-3), ("freeze", 1e-3)}


def test_tables_have_both_measures_and_their_signs():
    table = settings_table(FOUND, model="tiny")
    assert any(name.startswith("retained (higher") for name in table.header)
    assert any(name.startswith("learned, all new items (higher") for name in table.header)
    assert "89% (88% to 90%)" in table.text and "tiny: means of 3 seeds" in table.text


def test_who_never_got_there_is_said():
    table = matched_table(FOUND, ("learning rate", "freeze"), (2.0, 0.1))
    assert "did not get there (lowest 0.50)" in table.text and "full fine-tuning" in table.text
    assert str(table.rows[0][1]).endswith("rate 1e-3")


def test_tables_call_methods_as_the_figures_do():
    sweeps = ("learning rate", "lora_qv", "equal area", "rank 2")
    found = settings([run for sweep in sweeps for run in made(sweep, 0.5, 0.9)])
    names = ("full fine-tuning", "LoRA on Q and V", "half the rate, constant", "rank 2")
    for table in (settings_table(found), matched_table(found, sweeps, (2.0,))):
        assert {str(row[0]) for row in table.rows} == set(names)


@pytest.mark.parametrize("count", [1, 3, 12])
def test_any_number_of_lines(count):
    series = {f"run {n}": [(0, n), (1, n + 1)] for n in range(count)}
    assert png(lines(series, name="n", reading="", xlabel="x"))
