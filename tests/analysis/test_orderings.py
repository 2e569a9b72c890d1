"""Claims from records: verdicts follow the numbers. pytest tests/analysis/test_orderings.py"""

import json
from types import SimpleNamespace

import pytest

from ftlab.analysis import compare
from ftlab.analysis.orderings import (
    EIGHT,
    METHODS,
    by_level,
    faithful,
    orderings,
    same_settings,
    spearman_interval,
)
from ftlab.base.errors import InputError
from ftlab.cli.main import main

NOISE = (0.0, 0.01, -0.01)


def made(sweep, retained, *, lr=1e-3, steps=100, right=0.5, seeds=3, trainable=100):
    """Runs of a sweep whose retention falls from 1 to `retained`, and loss from 4 to 0.2."""
    runs = []
    for seed in range(seeds):
        end = retained + NOISE[seed]
        curve = [
            {"step": s, "measured": {"target_loss": loss, "retention": share}}
            for s, loss, share in (
                (0, 4.0, 1.0),
                (steps // 2, 0.5, (1 + end) / 2),
                (steps, 0.2 + NOISE[seed] / 10, end),
            )
        ]
        final = {"retention": end, "target_score": right + NOISE[seed], "forgotten": 0.1}
        runs.append(
            SimpleNamespace(
                name=f"{sweep}, clinic, lr {lr:g}, {steps} steps, seed {seed}",
                domain="clinic",
                method="full" if sweep in ("learning rate", "steps") else sweep,
                plan={"lr": lr, "steps": steps},
                seed=seed,
                curve=curve,
                final=final,
                extra={"sweep": sweep},
                trainable=trainable,
                total=1000,
            )
        )
    return runs


def grid(order=1.0):
    """A grid in which every expected order holds; `order` below 0 turns retentions round."""
    runs = []
    for n, sweep in enumerate(METHODS):
        runs += made(sweep, 0.5 + order * 0.05 * n, lr=1e-3, trainable=100)
    runs += made("learning rate", 0.9, lr=1e-4) + made("learning rate", 0.2, lr=1e-2)
    runs += made("rank 2", 0.8) + made("rank 64", 0.5)
    runs += made("lora_all", 0.8, right=0.8) + made("lora_qv", 0.8, right=0.4)
    return compare.settings(runs)


def test_verdicts_follow_the_numbers():
    found = orderings(grid())
    assert len(found) == len(EIGHT) == 8
    verdicts = [row.verdict for row in found]
    assert verdicts[0] == verdicts[1] == verdicts[2] == verdicts[6] == "holds"
    assert verdicts[4] == verdicts[5] == "not run"
    assert all(row.evidence for row in found)


def test_a_turned_order_does_not_hold():
    runs = made("learning rate", 0.2, lr=1e-4) + made("learning rate", 0.5, lr=1e-3)
    runs += made("learning rate", 0.9, lr=1e-2)
    assert orderings(compare.settings(runs))[0].verdict == "does not hold"
    assert orderings(compare.settings(runs))[2].verdict == "not run"


def test_the_rank_correlation_sees_the_same_and_the_turned_order():
    assert faithful(grid(), grid()).interval.estimate == pytest.approx(1)
    assert faithful(grid(), grid(-1)).interval.estimate < 0


def test_equal_settings_are_compared_without_a_choice():
    nano, real = grid(), grid(-1)
    rows = same_settings(nano, real)
    assert len(rows) == len({name for name, _, _ in rows}) > 6
    assert all((a.sweep, a.lr) == (b.sweep, b.lr) for _, a, b in rows)
    retained = [a.mean("retention") for _, a, _ in rows]
    assert retained == sorted(retained, reverse=True)
    other = compare.settings(made("learning rate", 0.9, lr=0.5))
    assert same_settings(nano, other) == []


def test_the_interval_is_narrow_only_where_the_order_is_clear():
    clear = [((n, n + 0.1), (n, n + 0.1)) for n in range(6)]
    found = spearman_interval(clear)
    assert (found.estimate, found.low, found.high) == pytest.approx((1, 1, 1))
    blurred = [((n, 6.2 - 0.9 * n), (n, 5.5 - 0.8 * n)) for n in range(6)]
    found = spearman_interval(blurred)
    assert found.high - found.low > 0.5


def test_levels_that_few_reach_are_left_out():
    found = by_level(grid(), grid(), levels=(3.0, 1.0, 0.01))
    assert [level for level, _, _ in found] == [3.0, 1.0]
    assert all(rank.estimate == pytest.approx(1) and n == 6 for _, rank, n in found)


def test_without_runs_there_is_no_comparison():
    with pytest.raises(InputError, match="Only 0 methods"):
        faithful([], [])


def test_the_level_is_one_that_all_methods_reach():
    found = grid()
    level = compare.common_level(found, METHODS)
    best = compare.best_at(found, level)
    assert all(len(best[sweep].retained) == 3 for sweep in METHODS)


def test_the_command_prints_both_models(capsys, monkeypatch):
    shipped = {"nano": grid(), "laptop": grid()}
    monkeypatch.setattr(compare, "shipped", lambda size: size)
    monkeypatch.setattr("ftlab.analysis.four_bits.pairs", list)
    monkeypatch.setattr(compare, "settings", lambda size, **_: shipped.get(size, []))
    assert main(["claims"]) == 0
    said = capsys.readouterr().out
    assert "Rank correlation (Spearman) 1.00 (" in said and "over 6 methods" in said
    assert "at other target losses: +1.00 at" in said
    assert "The same settings on both models" in said and " settings\n" in said
    assert "Expected orders on nano-gpt2" in said and "full" in said
    assert main(["claims", "--json"]) == 0
    stored = json.loads(capsys.readouterr().out)
    assert len(stored["orders"]["nano"]) == 8 and stored["spearman"] == pytest.approx(1)


def test_the_command_says_what_is_missing(capsys, monkeypatch):
    nano = grid()
    monkeypatch.setattr(compare, "shipped", lambda size: size)
    monkeypatch.setattr("ftlab.analysis.four_bits.pairs", list)
    monkeypatch.setattr(compare, "settings", lambda size, **_: nano if size == "nano" else [])
    assert main(["claims"]) == 0
    assert "Only 0 methods have three seeds on both models" in capsys.readouterr().out
