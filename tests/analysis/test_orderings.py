"""Claims from records: verdicts follow the numbers. pytest tests/analysis/test_orderings.py"""

import json
from types import SimpleNamespace

import pytest

from ftlab.analysis import compare
from ftlab.analysis.orderings import ADAPTERS, NINE, orderings, razor
from ftlab.analysis.scale import METHODS
from ftlab.cli.main import main

NOISE = (0.0, 0.01, -0.01)


def made(sweep, retained, *, lr=1e-3, steps=100, right=0.5, seeds=3, trainable=100):
    """Runs of a sweep whose retention falls from 1 to `retained`, and loss from 4 to 0.2."""
    runs = []
    for seed in range(seeds):
        end = retained + NOISE[seed]
        curve = [
            {
                "step": s,
                "measured": {"target_loss": loss, "retention": share, "forgotten": 1 - share},
            }
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
                baseline={"guess_loss": 0.8},
                device="cpu",
                precision="fp32",
                trainable=trainable,
                total=1000,
            )
        )
    return runs


def grid(order=1.0):
    """A grid in which every expected order holds; `order` below 0 turns retentions round."""
    runs = []
    for n, sweep in enumerate(m for m in METHODS if m not in ("lora_all", "lora_qv")):
        runs += made(sweep, 0.5 + order * 0.03 * n, lr=1e-3, trainable=100)
    runs += made("learning rate", 0.9, lr=1e-4) + made("learning rate", 0.2, lr=1e-2)
    runs += made("rank 2", 0.8) + made("rank 64", 0.5)
    runs += made("lora_all", 0.8, right=0.8) + made("lora_qv", 0.8, right=0.4)
    return compare.settings(runs)


def test_verdicts_follow_the_numbers():
    found = orderings(grid())
    assert len(found) == len(NINE) == 9
    verdicts = [row.verdict for row in found]
    assert verdicts[0] == verdicts[1] == verdicts[2] == verdicts[6] == "holds"
    assert verdicts[4] == verdicts[5] == verdicts[8] == "not run"
    assert all(row.evidence for row in found)


def test_a_turned_order_does_not_hold():
    runs = made("learning rate", 0.2, lr=1e-4) + made("learning rate", 0.5, lr=1e-3)
    runs += made("learning rate", 0.9, lr=1e-2)
    assert orderings(compare.settings(runs))[0].verdict == "does not hold"
    assert orderings(compare.settings(runs))[2].verdict == "not run"


def test_the_way_back_the_prefix_and_the_razor_follow_the_numbers():
    runs = made("walk 80%", 0.9, lr=1e-3, right=0.8) + made("learning rate", 0.5, lr=1e-3)
    runs += made("learning rate", 0.6, lr=1e-4)
    for n, sweep in enumerate(ADAPTERS):
        runs += made(sweep, 0.3 if sweep == "prefix" else 0.6 + 0.02 * n)
    for n, run in enumerate(runs):
        run.final |= {"kl_target": n / 10, "forgotten": (n / 10) ** 2}
    verdicts = [row.verdict for row in orderings(compare.settings(runs))]
    assert verdicts[4] == verdicts[5] == verdicts[8] == "holds"
    one = [run for run in runs if "80%" not in run.name or run.seed == 0]
    nearer = [*one, *made("walk 60%", 0.9, lr=1e-3, right=0.8)]
    assert "walk 60%" in orderings(compare.settings(nearer))[4].evidence
    for run in runs:
        run.final["forgotten"] = run.seed
        run.final["retention"] = 0.9 - run.final["retention"]
    verdicts = [row.verdict for row in orderings(compare.settings(runs))]
    assert verdicts[4] == verdicts[5] == verdicts[8] == "does not hold"


def test_the_fit_is_quadratic_and_explains_what_it_explains():
    xs = [n / 7 for n in range(30)]
    assert razor([(x, 3 + x - 2 * x * x) for x in xs]) == pytest.approx(1)
    noise = [(x, (-1) ** n) for n, x in enumerate(xs)]
    assert 0 <= razor(noise) < 0.1


def test_the_command_prints_both_models_in_thirty_lines(capsys, monkeypatch):
    shipped = {"nano": grid(), "laptop": grid()}
    monkeypatch.setattr(compare, "shipped", lambda size: size)
    monkeypatch.setattr("ftlab.analysis.frame.read_shipped", lambda size: (size, []))
    monkeypatch.setattr("ftlab.analysis.four_bits.pairs", list)
    monkeypatch.setattr(compare, "settings", lambda size, **_: shipped.get(size, []))
    assert main(["claims"]) == 0
    said = capsys.readouterr().out
    assert "same side of 70 % learned at 90 % retained: 9 of 9" in said
    assert "learned 1.00 (aim 0.75), retained 1.00 (0.85)" in said
    assert "1 + | +  forgetting rises with the learning rate" in said
    assert main(["claims", "--all"]) == 0
    said = capsys.readouterr().out
    assert "nano-gpt2 1: holds: retained" in said and "Rank correlation 1.00 (" in said
    assert main(["claims", "--json"]) == 0
    stored = json.loads(capsys.readouterr().out)
    assert len(stored["orders"]["nano"]) == 9 and stored["levels"]["90%"]["lora_qv"] == [0.0, 0.0]


def test_what_ships_is_told_in_thirty_lines_of_a_hundred_columns(capsys):
    assert main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 100


def test_the_command_says_what_is_missing(capsys, monkeypatch):
    nano = grid()
    monkeypatch.setattr(compare, "shipped", lambda size: size)
    monkeypatch.setattr("ftlab.analysis.frame.read_shipped", lambda size: (size, []))
    monkeypatch.setattr("ftlab.analysis.four_bits.pairs", list)
    monkeypatch.setattr(compare, "settings", lambda size, **_: nano if size == "nano" else [])
    assert main(["claims"]) == 0
    assert "There are no runs of the real model to compare with." in capsys.readouterr().out
