"""Several tasks as a heat map, and the panel of recorded ones.

pytest tests/show/test_matrices.py
"""

from types import SimpleNamespace
from typing import Any

import pytest
from panel_sweep import sample, stops, sweep

from ftlab import Live
from ftlab.analysis.compare import Setting
from ftlab.base.errors import InputError
from ftlab.show import png, recorded_matrix, sequence_panel, task_matrix
from ftlab.show.panels.sequence import sequence_outcome
from ftlab.teach import answers

TASKS = ["clinic", "helpdesk", "new_words"]
MATRIX = [[0.9, 0.0, 0.1], [0.5, 0.8, 0.2], [0.3, 0.6, 0.7]]


def test_the_heat_map_says_every_number_and_its_signs() -> None:
    figure = task_matrix(MATRIX, TASKS, retained=[0.95, 0.9, 0.85], title="A run")
    assert figure.alt.startswith("A run. Accuracy after clinic: clinic 90 %, helpdesk 0 %")
    assert (
        "after new words: clinic 30 %, helpdesk 60 %, new words 70 %, retained 85 %" in figure.alt
    )
    assert figure.alt.endswith(
        "at the end 53 % on average; forgetting +40 points (+ is bad), BWT -40."
    )
    assert [text.get_text() for text in figure.axes[0].texts[:3]] == ["90 %", "0 %", "10 %"]
    assert png(figure)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_it_is_drawn_while_it_fills(rows: int) -> None:
    figure = task_matrix(MATRIX[:rows], TASKS, retained=[0.9] * rows)
    assert len([t for t in figure.axes[0].texts if "%" in t.get_text()]) == 3 * rows
    assert "BWT" not in figure.alt and png(figure)
    assert ("not measured yet" in figure.alt) == (rows == 0)


@pytest.mark.parametrize("matrix", [[[0.5]], [[0.5, 0.5, 0.5]] * 4])
def test_rows_of_other_tasks_are_refused(matrix: Any) -> None:
    with pytest.raises(InputError, match="does not fit its 3 tasks"):
        task_matrix(matrix, TASKS)


def test_live_draws_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def draw(steps: list[Any]) -> Any:
        seen.append(len(steps))
        return task_matrix(MATRIX[: len(steps)], TASKS)

    live = Live(3, draw=draw)
    for number in range(3):
        live.update({"step": number, "measured": {"target_score": 0.5}})
    assert live._draw(live.steps).alt == live._final(live.steps).alt and seen == [3, 3]


def setting(sweep: str, lr: float = 3e-3, *, cross: bool = False, shift: float = 0.0) -> Setting:
    found = {
        "tasks": TASKS,
        "matrix": [[a + shift if a < 0.8 else a for a in row] for row in MATRIX],
        "retained": [0.9, 0.8, 0.7],
    } | ({"cross": [[0.1] * 3] * 3} if cross else {})
    runs = tuple(
        SimpleNamespace(plan={"lr": lr}, extra={"sweep": sweep, "sequence": found}, seed=seed)
        for seed in range(2)
    )
    return Setting(f"{sweep}, clinic, lr {lr:g}", runs)


FOUND = [
    setting("LoRA continued"),
    setting("LoRA continued + replay", shift=0.1),
    setting("LoRA merged"),
    setting("LoRA merged (reversed)"),
    setting("LoRA switched", cross=True),
    setting("full", 1e-4),
    setting("full", 3e-4),
]


def test_means_over_seeds_and_the_crossing() -> None:
    assert "clinic 30 %" in recorded_matrix(FOUND[0].runs).alt
    crossed = recorded_matrix(FOUND[4].runs, cross=True).alt
    assert "with the adapter of clinic: clinic 10 %" in crossed and "BWT" not in crossed
    with pytest.raises(InputError, match="with one adapter per task"):
        recorded_matrix(FOUND[0].runs, cross=True)


def test_every_button_answers_and_no_number_is_invented() -> None:
    plain = Setting("full, clinic", (SimpleNamespace(extra={}, plan={"lr": 1.0}),))
    made = sequence_panel({"nano-gpt2": [*FOUND, plain], "another": FOUND[:1], "none": [plain]})
    assert stops(made.controls["model"]) == ["nano-gpt2", "another"]
    assert len(list(sweep(made))) == 2 + 4 + 2 + 2
    for _ in sample(made, 6):
        assert made.words.value == ""


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("LoRA merged", "", "reversed"), "LoRA merged (reversed), rate 3e-3, 2 seeds."),
        (("LoRA merged", "", "mixed"), "Nearest: LoRA merged, rate 3e-3"),
        (("LoRA merged", "replay", "reversed"), "Nearest: LoRA merged (reversed)"),
        (("full", "", ""), "full, rate 3e-4"),
        (("LoRA continued", "replay", "reversed"), "Nearest: LoRA continued + replay"),
    ],
)
def test_what_was_recorded_is_found(asked: tuple[str, str, str], says: str) -> None:
    assert sequence_outcome(*asked, found=FOUND).alt.startswith(says)


def test_records_without_sequences_are_refused() -> None:
    plain = Setting("full, clinic", (SimpleNamespace(extra={}, plan={"lr": 1.0}),))
    with pytest.raises(InputError, match="several tasks"):
        sequence_panel({"nano-gpt2": [plain]})


def test_the_answers() -> None:
    kept = answers.to_replay({"a": ["a1", "a2", "a3"], "b": ["b1", "b2"]}, ["g"] * 9, 5)
    assert kept == ["a1", "b1", "g", "g", "g"]
    assert answers.route("Ticket: a") == "helpdesk" and answers.route("Once") is None
