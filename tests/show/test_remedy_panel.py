"""Notebook 09's figures: the way back, the remedies' chooser, points with a fitted curve.

pytest tests/show/test_remedy_panel.py
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from panel_sweep import stops

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.show.panels.remedies import REMEDIES, remedy_outcome, remedy_panel, strength_of
from ftlab.show.panels.walk import walk_outcome, walk_panel
from ftlab.show.plots.scatter import scatter


def setting(sweep: str, lr: float, learned: float, retained: float) -> Any:
    """Two runs of a setting, as far as the panel reads them."""

    def run(seed: int) -> Any:
        kept = {"facts": retained, "grammar": 1.0, "recall": None}
        final = {"target_score": learned, "retention": retained, "kept": kept}
        more = {"plan": {"lr": lr}, "model": "nano-gpt2", "method": sweep.split()[0]}
        return SimpleNamespace(final=final, extra={"sweep": sweep}, seed=seed, **more)

    return compare.Setting(f"{sweep}, lr {lr:g}", (run(0), run(1)))


FOUND = [
    setting("learning rate", 3e-4, 0.90, 0.81),
    setting("walk 80%", 3e-4, 0.89, 0.96),
    setting("walk 40%", 1e-3, 0.70, 0.90),
    setting("walk 40% to 100%", 3e-4, 0.79, 0.99),
    setting("replay 5%, walk 90%", 3e-4, 0.85, 0.99),
    setting("replay", 3e-4, 0.84, 0.97),
    setting("replay 25", 3e-4, 0.80, 0.98),
    setting("replay 1%", 3e-4, 0.88, 0.93),
    setting("replay own 5%", 3e-4, 0.86, 0.95),
    setting("ewc 100", 3e-4, 0.91, 1.0),
    setting("ewc 1000", 1e-3, 0.92, 0.99),
    setting("kl 1", 3e-4, 0.92, 0.98),
    setting("kl notes 1", 3e-4, 0.3, 0.97),
    setting("l2sp 0.1", 3e-4, 0.93, 0.96),
]
REMEDY = [s for s in FOUND if strength_of(s.sweep)]
TRUE = {(round(s.mean("target_score"), 9), round(s.mean("retention"), 9)) for s in REMEDY}


def drawn(figure: Any) -> set[tuple[float, float]]:
    """All that is drawn as a point in the plane."""
    marked = [line for line in figure.axes[-1].lines if line.get_marker() == "o"]
    return {(round(x, 9), round(y, 9)) for line in marked for x, y in line.get_xydata()}


def test_every_stop_answers_and_no_point_is_invented() -> None:
    made = remedy_panel({"nano-gpt2": FOUND, "another": FOUND[:8]})
    assert stops(made.controls["rate"]) == [3e-4, 1e-3]
    for model in ("nano-gpt2", "another"):
        for remedy in stops(made.controls["remedy"]):
            made.set(model=model, remedy=remedy)
            for strength in stops(made.controls["strength"]):
                for rate in (3e-4, 1e-3):
                    made.set(strength=strength, rate=rate)
                    assert "has this remedy" in made.words.value or made.words.value == ""
                    assert drawn(made.figure) <= TRUE


def test_the_strengths_are_those_of_the_remedy() -> None:
    made = remedy_panel({"nano-gpt2": FOUND})
    made.set(remedy="replay")
    assert stops(made.controls["strength"]) == [1.0, 5.0, 25.0]
    made.set(strength=25.0)
    assert "learned 80 %" in made.figure.alt and "25 % replay" in made.figure.alt
    made.set(remedy="ewc")
    assert stops(made.controls["strength"]) == [100.0, 1000.0]


@pytest.mark.parametrize(
    ("remedy", "strength", "rate", "says"),
    [
        ("ewc", 100.0, 3e-4, "learned 91 %"),
        ("recipe", 90.0, 3e-4, "learned 85 %"),
        ("walk", 80.0, 3e-4, "learned 89 %"),
        ("ewc", 100.0, 1e-3, "nearest"),
    ],
)
def test_it_says_what_was_recorded(remedy, strength, rate, says) -> None:
    figure = remedy_outcome(remedy, strength, rate, found=FOUND)
    assert says in figure.alt.lower() and drawn(figure) <= TRUE


def test_only_what_is_a_remedy_counts() -> None:
    assert strength_of("walk 40% to 100%") is None is strength_of("replay own 5%")
    assert strength_of("kl notes 1") is None is strength_of("learning rate")
    assert {strength_of(s.sweep)[0] for s in REMEDY} == set(REMEDIES)  # pyright: ignore


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"remedy": "hope"}, "choose from walk, recipe"),
        ({"strength": 0.0}, "above 0"),
        ({"rate": -1.0}, "above 0"),
        ({"found": FOUND[:1]}, "recorded runs"),
    ],
)
def test_slips_are_named(change, says) -> None:
    with pytest.raises(InputError, match=says):
        remedy_outcome(**({"found": FOUND} | change))


SAID = {"The capital of Norway is": " Oslo.", "A note\nTriage:": " soon, oncology"}
EXPECTED = {"The capital of Norway is": "Oslo", "A note\nTriage:": "later, oncology"}
PLACES = {
    a / 4: {"target_score": a / 4, "retention": 1 - a / 8, "said": SAID} for a in range(5)
}  # fmt: skip


def test_the_way_back_shows_what_was_measured_there() -> None:
    made = walk_panel(PLACES, expected=EXPECTED)
    assert stops(made.controls["a"]) == sorted(PLACES)
    for a, found in PLACES.items():
        made.set(a=a)
        figure: Any = made.figure
        lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 5]
        assert [list(line.get_ydata()) for line in lines] == [
            [PLACES[p][key] for p in sorted(PLACES)] for key in ("target_score", "retention")
        ]
        assert f"learned {100 * found['target_score']:.0f} %" in made.figure.alt
        assert "1 of 2 answers shown are right" in made.figure.alt


def test_the_way_back_names_its_slips() -> None:
    with pytest.raises(InputError, match=r"choose from 0, 0.25"):
        walk_outcome(0.1, places=PLACES, expected=EXPECTED)
    with pytest.raises(InputError, match="measure some"):
        walk_panel({}, expected={})


def test_points_and_curve_are_those_that_were_given() -> None:
    points = [(0.0, 1.0), (2.0, 3.0), (float("nan"), 1.0), (1.0, None)]
    figure: Any = scatter(
        {"full": points}, curve=lambda x: 1 + x, name="n", reading="r", xlabel="KL"
    )  # fmt: skip
    marks, curve = figure.axes[0].lines
    assert [tuple(p) for p in marks.get_xydata()] == [(0.0, 1.0), (2.0, 3.0)]
    assert np.allclose(curve.get_ydata(), 1 + np.array(curve.get_xdata()))
    assert "2 points, KL from 0 to 2" in figure.alt and "from 1 at 0 to 3 at 2" in figure.alt
    empty = scatter({"full": []}, name="n", reading="r", xlabel="KL")
    assert "nothing measured" in empty.alt
