"""Notebook 08's pruning panel and its exercises: every stop, and no invented point.

pytest tests/show/test_prune_panel.py
"""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from panel_sweep import sample, stops, sweep
from torch import nn

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.show.panels.prune import ORDERS, SHARES, prune_outcome, prune_panel
from ftlab.teach import answers, exercise


def setting(sweep: str, lr: float, learned: float, retained: float, method: str) -> Any:
    """Two runs of a setting, as far as the panel reads them."""

    def run(seed: int) -> Any:
        shift = 0.02 * seed
        final = {
            "target_score": learned + shift,
            "retention": retained - shift,
            "kept": {"facts": retained, "grammar": 1.04, "recall": None},
        }
        return SimpleNamespace(
            final=final, plan={"lr": lr}, model="nano-gpt2", method=method, extra={"sweep": sweep}
        )

    return compare.Setting(f"{sweep}, lr {lr:g}", (run(0), run(1)))


FOUND = [
    setting("learning rate", 3e-4, 0.90, 0.80, "full"),
    setting("learning rate", 1e-5, 0.10, 0.99, "full"),
    setting("tune, prune 30%", 3e-4, 0.85, 0.75, "tune_prune"),
    setting("tune, prune 50%", 3e-4, 0.60, 0.50, "tune_prune"),
    setting("tune, prune 70%", 3e-4, 0.05, 0.20, "tune_prune"),
    setting("tune, prune 50%", 1e-3, 0.55, 0.15, "tune_prune"),
    setting("prune 50%, tune", 3e-4, 0.82, 0.66, "prune_tune"),
    setting("tune, prune 50%, tune", 3e-4, 0.84, 0.67, "tune_prune_tune"),
    setting("update magnitude 20%", 1e-3, 0.81, 0.91, "update"),
    setting("tune, random 50%", 3e-4, 0.0, 0.01, "tune_prune"),
    setting("update fapm 20%", 1e-3, 0.4, 0.97, "update"),
]
TRUE = {(round(s.mean("target_score"), 9), round(s.mean("retention"), 9)) for s in FOUND}


def points(figure: Any) -> set[tuple[float, float]]:
    """All that is drawn as a point in the plane."""
    marked = [line for line in figure.axes[-1].lines if line.get_marker() == "o"]
    return {(round(x, 9), round(y, 9)) for line in marked for x, y in line.get_xydata()}


def test_every_stop_answers() -> None:
    made = prune_panel({"nano-gpt2": FOUND, "another": FOUND[:9]})
    assert stops(made.controls["rate"]) == [3e-4, 1e-3]
    assert len(list(sweep(made))) == 2 + len(ORDERS) + len(SHARES) + 2
    for _ in sample(made, 10):
        assert made.words.value == "" and points(made.figure) <= TRUE


@pytest.mark.parametrize(
    ("order", "share", "rate", "index"),
    [
        ("tune_prune", 0.5, 3e-4, 3),
        ("tune_prune", 0.5, 1e-3, 5),
        ("prune_tune", 0.5, 3e-4, 6),
        ("tune_prune_tune", 0.5, 3e-4, 7),
        ("update", 0.8, 1e-3, 8),
        ("tune_prune", 0.0, 3e-4, 0),
        ("prune_tune", 0.0, 3e-4, 0),
    ],
)
def test_what_was_recorded_is_found(order: str, share: float, rate: float, index: int) -> None:
    figure: Any = prune_outcome(order, share, rate, found=FOUND)
    learned, retained = (FOUND[index].mean(key) for key in ("target_score", "retention"))
    assert f": recorded, learned {percent(learned)}" in figure.alt
    assert f"retained {percent(retained)}" in figure.alt
    assert ("nothing cut" in figure.alt) == (share == 0)


def test_what_was_not_is_called_nearest() -> None:
    figure: Any = prune_outcome("tune_prune", 0.6, 3e-4, found=FOUND)
    assert "not recorded; the nearest that were" in figure.alt
    assert "50 % of each matrix cut" in figure.alt and "70 % of each matrix cut" in figure.alt
    assert points(figure) <= TRUE
    other: Any = prune_outcome("update", 0.8, 3e-4, found=FOUND)
    assert "not recorded" in other.alt and "80 % of the update taken back, rate 1e-3" in other.alt


def test_skills_are_those_of_the_nearest_and_stay_in_the_panel() -> None:
    figure: Any = prune_outcome("tune_prune", 0.5, 3e-4, found=FOUND)
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars == [0.5, 1.02]  # a skill that was not measured has no bar
    assert [text.get_text() for text in figure.axes[0].texts] == ["50 %", "104 %"]


def test_a_skills_bar_is_the_mean_over_seeds_with_its_number_beside_it() -> None:
    found = setting("tune, prune 50%", 3e-4, 0.6, 0.5, "tune_prune")
    for run, facts, grammar in zip(found.runs, (0.25, 0.5), (0.75, 0.5), strict=True):
        run.final["kept"] = {"facts": facts, "grammar": grammar}
    axes: Any = prune_outcome("tune_prune", 0.5, 3e-4, found=[found]).axes[0]
    bars = {round(bar.get_y() + bar.get_height() / 2, 9): bar.get_width() for bar in axes.patches}
    assert bars == {0: 0.375, 1: 0.625}
    numbers = {text.get_position()[1]: text.get_text() for text in axes.texts}
    assert all(numbers[row] == percent(share) for row, share in bars.items())
    names = [label.get_text().lower() for label in axes.get_yticklabels()]
    assert "facts" in names[0] and "grammar" in names[1]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="choose from tune_prune"):
        prune_outcome("sideways", found=FOUND)
    with pytest.raises(InputError, match="is pruned in this order"):
        prune_outcome("prune_tune", found=FOUND[:3])
    with pytest.raises(InputError, match="is pruned"):
        prune_panel({"nano-gpt2": FOUND[:2]})


# --- the exercises -------------------------------------------------------------------------------

X = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
W = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))


def test_wandas_score_is_what_prune_wanda_compares() -> None:
    score = answers.wanda_score(W, X)
    assert torch.allclose(score, W.abs() * X.square().sum(0).sqrt())


def stepped(hold: Any) -> tuple[torch.Tensor, nn.Linear]:
    torch.manual_seed(0)
    layer = nn.Linear(6, 6)
    layer.weight.data[:3] = 0.0
    before, layer = layer.weight.detach().clone(), hold(layer)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        layer(torch.randn(8, 6)).square().mean().backward()
        optimizer.step()
    return before, layer


def once(layer: nn.Linear) -> nn.Linear:
    layer.weight.data[layer.weight == 0] = 0.0
    return layer


def test_zeros_are_held_by_the_answer_and_not_by_a_mask_put_on_once() -> None:
    before, layer = stepped(answers.hold_zeros)
    assert not layer.weight[before == 0].any() and (layer.weight != before)[before != 0].all()
    before, layer = stepped(once)
    assert layer.weight[before == 0].any()


def test_the_self_test_takes_a_layer_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FTLAB_STRICT", raising=False)
    checks = [("zeros", lambda f: (int((stepped(f)[1].weight[:3] == 0).sum()), 18))]
    assert exercise(once, reference=answers.hold_zeros, checks=checks) is answers.hold_zeros
    assert "✗ zeros" in capsys.readouterr().out
