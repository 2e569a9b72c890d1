"""The gate: is nano a scale model of the real one? pytest tests/analysis/test_scale.py"""

from types import SimpleNamespace

import pytest

from ftlab.analysis import compare, scale
from ftlab.base.errors import InputError
from ftlab.experiments import decoder


@pytest.fixture(scope="module")
def nano():
    return compare.settings(compare.shipped("nano"))


@pytest.fixture(scope="module")
def real():
    return compare.settings(compare.shipped("laptop"))


@pytest.mark.parametrize("retained", [0.9, 0.8])
def test_each_method_learns_on_nano_about_what_it_learns_on_the_real_model(nano, real, retained):
    found = scale.levels(nano, real, retained)
    assert len(found) >= 12
    assert scale.apart(found) <= 0.15


def test_the_same_methods_reach_the_good_corner_on_both(nano, real):
    found = scale.sides(nano, real)
    assert {m: a for m, (a, _) in found.items()} == {m: b for m, (_, b) in found.items()}
    reach = {m for m, (_, b) in found.items() if b}
    assert reach == {"learning rate", "schedule", "freeze", "freeze_low", "lora_ff"}


def test_equal_settings_come_in_the_same_order(nano, real):
    found = scale.order(nano, real)
    assert len(found.pairs) >= 30
    assert found.retained >= 0.85
    assert found.learned >= 0.65  # aimed at: 0.75


def test_long_runs_end_at_half_of_what_guessing_costs(nano):
    assert pytest.approx(compare.level(nano), abs=5e-4) == decoder.LEVEL


@pytest.mark.parametrize("domain", ["clinic", *decoder.OTHERS])
def test_every_domain_that_ships_can_be_learned_with_little_forgotten(domain):
    found = compare.settings(compare.shipped("nano"), domain=domain)
    for sweep, learned, retained in (
        ("learning rate", 0.80, 0.90),
        ("lora_all", 0.70, 0.85),
        ("freeze_low", 0.70, 0.95),
    ):
        assert scale.most(found, sweep, retained) >= learned, sweep


def test_the_chosen_rates_are_those_of_the_first_three_seeds(nano):
    first = [compare.Setting(s.name, s.runs[:3]) for s in nano]
    for sweep, rate in decoder.CHOSEN.items():
        able = [s for s in compare.pick(first, sweep) if s.mean("retention") >= 0.9]
        assert max(able, key=lambda s: s.mean("target_score")).lr == rate, sweep
        assert len(compare.pick(nano, sweep, rate)[0].runs) == 5, sweep


def made(sweep, lr, learned, retained, seeds=3, loss=0.1):
    runs = []
    for seed in range(seeds):
        final = {"target_score": learned, "retention": retained, "forgotten": 1 - retained}
        ends = (("start", 4.0, {"retention": 1.0, "forgotten": 0.0}), ("end", loss, final))
        runs.append(
            SimpleNamespace(
                name=f"{sweep}, clinic, lr {lr:g}, seed {seed}", method=sweep, domain="clinic",
                plan={"lr": lr}, seed=seed, extra={"sweep": sweep}, final=final,
                baseline={"guess_loss": 0.4},
                curve=[{"step": s, "measured": m | {"target_loss": at}} for s, at, m in ends],
            )
        )  # fmt: skip
    return runs


def test_a_method_counts_at_its_best_rate_that_retains_enough():
    found = compare.settings(made("full", 1e-4, 0.6, 0.95) + made("full", 1e-3, 0.9, 0.85))
    assert scale.most(found, "full", 0.9) == pytest.approx(0.75)  # half way between the rates
    assert scale.most(found, "full", 0.94) == pytest.approx(0.63)
    assert scale.most(found, "full", 0.8) == 0.9
    assert scale.most(found, "full", 0.99) == 0


def test_a_shift_of_the_rates_is_found_and_undone():
    ends = ((3e-5, 0.3, 1.0), (1e-4, 0.6, 0.9), (3e-4, 0.9, 0.5), (1e-3, 0.7, 0.1))
    real = compare.settings([r for end in ends for r in made("learning rate", *end)])
    ends = [(10**0.5 * lr, learned, retained) for lr, learned, retained in ends]
    nano = compare.settings([r for end in ends for r in made("learning rate", *end)])
    found = scale.order(nano, real)
    assert found.factor == pytest.approx(10**0.5) and len(found.pairs) == 4
    assert (found.learned, found.retained) == (pytest.approx(1), pytest.approx(1))
    assert scale.order(real, real).factor == 1


def test_between_two_rates_it_is_linear_in_the_rates_logarithm():
    curve = compare.settings(made("full", 1e-4, 0.2, 1.0) + made("full", 1e-2, 0.8, 0.4))
    assert scale._between(curve, 1e-3, "target_score") == pytest.approx(0.5)
    assert scale._between(curve, 1e-4, "retention") == pytest.approx(1.0)
    assert scale._between(curve, 2e-2, "retention") != scale._between(curve, 2e-2, "retention")


def test_methods_that_do_not_get_there_are_censored():
    runs = [r for n, m in enumerate(scale.METHODS[:4]) for r in made(m, 1e-4, 0.5, 0.9 - n / 10)]
    runs += made(scale.METHODS[4], 1e-4, 0.1, 0.9, loss=0.3)
    found = scale.matched(compare.settings(runs), compare.settings(runs))
    assert found.levels == (0.2, 0.2)
    assert found.rows[scale.METHODS[4]][0].setting is None
    assert found.rank.estimate == pytest.approx(1) and found.ceiling == pytest.approx(1)
    with pytest.raises(InputError, match="Only 1 methods"):
        scale.matched(compare.settings(runs[:3]), compare.settings(runs[:3]))


def test_the_interval_is_narrow_only_where_the_order_is_clear():
    clear = [((n, n + 0.1), (n, n + 0.1)) for n in range(8)]
    found = scale.spearman_interval(clear)
    assert found.estimate == pytest.approx(1) and found.low > 0.8
    blurred = [((n, 6.2 - 0.9 * n), (n, 5.5 - 0.8 * n)) for n in range(6)]
    found = scale.spearman_interval(blurred)
    assert found.high - found.low > 0.5
