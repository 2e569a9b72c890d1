"""The plots, tables and the live view, on made-up data. pytest tests/show/test_plots.py"""

import io
import itertools
import math
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import matplotlib
import pytest
from PIL import Image
from yardstick import in_pictures

from ftlab.base.errors import InputError
from ftlab.show import (
    Picture,
    Point,
    layer_updates,
    plane,
    png,
    skills_bars,
    sweep,
    two_numbers,
)
from ftlab.show.canvas import style as look
from ftlab.show.canvas.data import curve, guess

NAN = float("nan")
SKILLS = {"facts": 0.05, "facts_choice": 0.12, "grammar": 0.45, "arithmetic": 0.02, "recall": 0.38}
LONG = "agreement between a subject and its verb across a long attractor"


def run_of(steps=150, every=10, skills=SKILLS, *, held=True, shares=True):
    """The curve of a run that learns all and keeps the shares in `skills`."""
    rows = []
    for step in range(steps + 1):
        row = {"step": step, "loss": 3.0 / (1 + step) if step else None, "measured": None}
        if step % every == 0:
            far = 1 - math.exp(-step / 20)
            left = {name: 1 - (1 - end) * far for name, end in skills.items()}
            row["measured"] = {
                "target_score": round(far, 2),
                "held_score": 0.53 * far if held else None,
                "skills": {name: 0.9 * share for name, share in left.items()},
                "retention": sum(left.values()) / len(left) if left else None,
                **({"kept": left} if shares else {}),
            }
        rows.append(row)
    return rows


GRID = (
    ("full", 1.0, 0.97, "full, 1e-4"),
    ("full", 1.0, 0.22, "full, 1e-3"),
    ("schedule", 1.0, 0.64, None),
    ("freeze", 1.0, 0.99, "embeddings + blocks 1-6 frozen"),
    ("lora_qv", 1.0, 0.44, "LoRA r8 on c_attn"),
    ("lora_all", 1.0, 0.88, "LoRA r8 all-linear"),
    ("replay", 1.0, 0.99, "full + 5 % replay"),
    ("replay", 1.0, 1.0, "full + 25 % replay"),
)
POINTS = [Point(*row) for row in GRID]
CROWD = [method for method in look.METHODS if method != "base"][:20]  # as many as a board may hold
SEEDS = [
    Point(method, [0.9 - 0.02 * i, 0.95, 0.9], [0.9 - 0.06 * i, 0.95 - 0.06 * i, 0.97 - 0.06 * i])
    for i, method in enumerate(CROWD)
]
RATES = [
    {"lr": lr, "target_score": learned - 0.01 * seed, "retention": left + 0.01 * seed, "seed": seed}
    for lr, learned, left in (
        (3e-5, 0.55, 0.97), (1e-4, 1.0, 0.93), (3e-4, 1.0, 0.6), (1e-3, 1.0, 0.19),
        (3e-3, 0.7, 0.05),
    )
    for seed in range(3)
]  # fmt: skip
STEPS = [
    {"steps": n, "target_score": min(1, n / 60), "retention": 1 - n * k, "method": method}
    for method, k in (("full", 0.005), ("schedule", 0.003), ("freeze", 0.001), ("replay", 0.0012))
    for n in (10, 20, 40, 80, 160)
]


def layers(size, blocks=12, frozen=0):
    """Made-up update norms: later blocks move more, the first `frozen` and embeddings not."""
    still = {"update": 0.0, "relative": 0.0}
    norms = {"final norm": {"update": 1.0, "relative": 0.001}}
    norms |= {
        f"block {i}": still if i <= frozen else {"update": 1.0, "relative": size * (1 + i / 8)}
        for i in range(1, blocks + 1)
    }
    return norms | {"embeddings": still if frozen else {"update": 1.0, "relative": size / 3}}


@dataclass(frozen=True)
class Score:
    """As `ftlab.evaluate.skills.SkillScore`."""

    accuracy: float
    chance: float
    n: int


BASE = {
    "facts": Score(0.98, 0.0, 150),
    "facts_choice": Score(0.99, 0.25, 150),
    "grammar": Score(0.99, 0.5, 200),
    "arithmetic": Score(0.96, 0.0, 100),
    "recall": Score(0.97, 0.0, 100),
}
AFTER = {
    name: Score(accuracy, BASE[name].chance, BASE[name].n)
    for name, accuracy in zip(BASE, (0.06, 0.41, 0.73, 0.0, 0.46), strict=True)
}
FULL = {"skills": {"facts": 0.5, "grammar": 0.9}, "n": {"skills": {"facts": 20, "grammar": None}}}
FULL |= {"chance": {"grammar": 0.5}}

CASES = {
    "two numbers": lambda: two_numbers(run_of(), prediction=0.6),
    "two numbers, titled": lambda: two_numbers(run_of(), prediction=(0.9, 0.8), title="A run"),
    "two numbers, tested": lambda: two_numbers(
        run_of(), prediction=0.6, final={"target_score": 0.93, "retention": 0.22}
    ),
    "two numbers, none": lambda: two_numbers([]),
    "two numbers, nothing measured": lambda: two_numbers([{"step": 0, "measured": None}]),
    "two numbers, one": lambda: two_numbers(run_of()[:1], total=150),
    "two numbers, part": lambda: two_numbers(run_of()[:21], total=150),
    "two numbers, many": lambda: two_numbers(run_of(600, 2, held=False), method="freeze"),
    "two numbers, long names": lambda: two_numbers(
        run_of(skills={f"{LONG} {i}": 0.95 + 0.01 * i for i in range(9)})
    ),
    "two numbers, no skill": lambda: two_numbers(run_of(skills={})),
    "two numbers, above 1": lambda: two_numbers(run_of(skills={"a": 1.3, "b": 1.0})),
    "plane": lambda: plane(POINTS, base=0.0, model="tiny"),
    "plane, titled": lambda: plane(POINTS, base=(0, 1), title="All"),
    "plane, none": lambda: plane([]),
    "plane, one": lambda: plane([{"method": "full", "target_score": 0.5, "retention": 0.5}]),
    "plane, seeds": lambda: plane(SEEDS, base=0.02),
    "plane, missing": lambda: plane([Point("full", None, 0.4), Point(LONG, 0.2, 0.1)]),  # type: ignore[arg-type]
    "sweep": lambda: sweep(RATES, "lr", log=True),
    "sweep, methods": lambda: sweep(STEPS, "steps", title="Longer training"),
    "sweep, none": lambda: sweep([], "lr", log=True),
    "sweep, one": lambda: sweep(RATES[:1], "lr", log=True),
    "sweep, missing": lambda: sweep(
        [{"rank": p, "target_score": t, "retention": r}
         for p, t, r in ((1, 0.4, 0.99), (2, 0.9, 0.5), (4, 1, None), (None, 1, 1))],
        "rank",
    ),
    "sweep, zero on a log axis": lambda: sweep(
        [{"share": s, "target_score": 1, "retention": 0.5 + s} for s in (0, 0.01, 0.25)],
        "share", log=True,
    ),
    "sweep, many": lambda: sweep(
        [{"steps": n, "target_score": n / 300, "retention": 1 - n / 400} for n in range(300)],
        "steps",
    ),
    "layers": lambda: layer_updates(
        {"full, 1e-4": layers(0.003), "full, 1e-3": layers(0.03), "freeze": layers(0.01, 12, 6)}
    ),
    "layers, one run": lambda: layer_updates(layers(0.01)),
    "layers, 30 blocks": lambda: layer_updates(
        {name: layers(0.01, 30, i * 5) for i, name in enumerate(("full", "freeze", "ewc", LONG))},
        title="30 blocks",
    ),
    "layers, none": lambda: layer_updates({}),
    "layers, missing": lambda: layer_updates({"block 1": NAN, "block 2": 0.1, "head": None}),
    "layers, all still": lambda: layer_updates(layers(0.0)),
    "layers, two stacks": lambda: layer_updates(
        {f"{stack} {i}": 0.01 * i for stack in ("encoder", "decoder") for i in range(1, 5)}
    ),
    "skills": lambda: skills_bars(BASE, AFTER),
    "skills, none": lambda: skills_bars({}, {}, title="Nothing"),
    "skills, missing": lambda: skills_bars({LONG: 0.9, "x": None}, {LONG: 0.5, "y": BASE["facts"]}),
    "skills, full measurements": lambda: skills_bars(FULL, FULL),
}  # fmt: skip


@pytest.fixture(params=CASES, scope="module")
def figure(request) -> Picture:
    """Every plot at several sizes of data."""
    return CASES[request.param]()


def written(figure):
    """(text, its box in pixels) of all that is written; ticks out of view are not."""
    figure.canvas.draw()  # what is not drawn has no place
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
            texts += [text for place, text in ticks if low <= place <= high]
    return [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text().strip()]


def test_every_plot_is_a_picture_with_words(figure):
    assert figure.alt.endswith(".") and len(figure.alt) > 25
    assert "nan" not in figure.alt and "None" not in figure.alt and figure.dpi == 110
    picture = Image.open(io.BytesIO(png(figure)))
    assert picture.width == 990 and 250 < picture.height < 900
    colours = picture.getcolors(1 << 24)
    assert colours is not None and len(colours) > 20


def test_no_text_is_clipped_or_written_over_another(figure):
    texts = written(figure)
    wide, high = figure.canvas.get_width_height()
    for words, box in texts:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= wide and box.y1 <= high, words
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 1 or up <= 4, (one, other)  # a box is a little higher than its letters


def test_alt_texts_hold_the_numbers():
    assert "rose from 0 % to 100 %" in CASES["two numbers"]().alt
    assert "fell from 100 % to 20 % on average" in CASES["two numbers"]().alt
    assert "arithmetic (2 %)" in CASES["two numbers"]().alt
    assert "The prediction was 60 % retained" in CASES["two numbers"]().alt
    tested = CASES["two numbers, tested"]().alt
    assert tested.endswith("In the test after it: 93 % learned, 22 % retained.")
    assert "is at 0 %" in CASES["two numbers, one"]().alt
    assert "A plane of tiny" in CASES["plane"]().alt
    assert "LoRA r8 all-linear: 100 % learned, 88 % retained" in CASES["plane"]().alt
    assert "mean of 3 seeds" in CASES["plane, seeds"]().alt
    assert "Not measured: full fine-tuning" in CASES["plane, missing"]().alt
    assert "from 3e-5 to 3e-3; learned goes from 54 % to 69 %" in CASES["sweep"]().alt
    assert "7 layers did not move" in CASES["layers"]().alt
    assert "block 12 moved most (7.5 %)" in CASES["layers"]().alt
    assert "grammar 99 % before, 73 % after (guessing gives 50 %)" in CASES["skills"]().alt


def test_each_line_of_the_two_numbers_says_what_it_is():
    measured = [
        {"target_score": 0.2 * n, "held_score": 0.1 * n, "retention": 1 - 0.1 * n, "kept": {}}
        for n in range(3)
    ]
    steps = [{"step": n, "measured": found} for n, found in enumerate(measured)]
    final = {"target_score": 0.45, "retention": 0.75}
    figure: Any = two_numbers(steps, prediction=(0.9, 0.6), final=final)
    left, right = figure.axes
    drawn = [
        [line.get_xydata()[:, 1].tolist() for line in axes.lines if len(line.get_xydata()) == 3]
        for axes in (left, right)
    ]
    assert drawn == [[[0, 0.1, 0.2], [0, 0.2, 0.4]], [[1, 0.9, 0.8]]]
    for axes, words in (
        (left, {"new cases 20 %", "all new items 40 %", "predicted 90 %", "★ in the test 45 %"}),
        (right, {"mean 80 %", "predicted 60 %", "★ in the test 75 %"}),
    ):
        assert words <= {text.get_text() for text in axes.texts}


def test_bars_before_and_after_stand_where_their_words_do():
    before = {"facts": {"accuracy": 0.8, "chance": 0.25, "n": 40}}
    after = {"facts": {"accuracy": 0.3, "chance": 0.25, "n": 40}}
    axes: Any = skills_bars(before, after).axes[0]
    bars = {round(bar.get_y() + bar.get_height() / 2, 9): bar.get_width() for bar in axes.patches}
    words = {text.get_text(): round(text.get_position()[1], 9) for text in axes.texts}
    assert bars[words["80 % before"]] == 0.8 and bars[words["30 % after"]] == 0.3
    upright = [line for line in axes.lines if len(set(line.get_xdata())) == 1]
    assert [line.get_xdata()[0] for line in upright] == [0.25], "what guessing gives"


def test_a_run_without_shares_is_measured_against_its_first_step():
    run = curve(run_of(shares=False))
    facts = run.skills["facts"]
    assert facts[0] == 1 and facts[-1] == pytest.approx(0.05, abs=1e-3)
    assert run.steps[-1] == 150 and len(run.learned) == 16


def test_steps_may_be_objects():
    @dataclass
    class Step:
        step: int
        measured: dict | None

    steps = [Step(row["step"], row["measured"]) for row in run_of()]
    assert two_numbers(steps).alt == two_numbers(run_of()).alt


def test_records_serve_as_points_and_rows():
    record = {"method": "full", "name": "my run", "plan": {"lr": 1e-3}, "budget": {"examples": 9}}
    record["final"] = {"target_score": 0.9, "retention": 0.3}
    assert "my run: 90 % learned, 30 % retained" in plane([record]).alt
    assert "A plane of tiny," in plane([record | {"model": "tiny"}]).alt
    assert "learned is 90 %, retained is 30 %" in sweep([record], "lr").alt
    assert "examples seen, from 9" in sweep([record], "examples").alt


def test_predictions():
    @dataclass
    class Prediction:
        value: float | None
        unit: str = "%"

    assert guess(0.6)[1] == 0.6 and guess((0.9, 0.6)) == (0.9, 0.6)
    assert guess({"target_score": 0.9})[0] == 0.9 and math.isnan(guess(None)[0])
    assert guess(Prediction(60))[1] == pytest.approx(0.6) and math.isnan(guess(Prediction(None))[1])
    for wrong in (60, -0.1, "much", (0.1, 0.2, 0.3), (0.5, 7)):
        with pytest.raises(InputError, match="write"):
            two_numbers(run_of(), prediction=wrong)


def test_the_readers_settings_do_not_change_a_picture():
    plain = png(two_numbers(run_of()))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "text.color": "pink"}):
        assert png(two_numbers(run_of())) == plain


def test_bars_that_are_no_block_are_named_in_two_panels_too():
    picture = layer_updates({"one": layers(0.01), "two": layers(0.02)})
    for axes in picture.axes:
        names = [label.get_text() for label in axes.get_xticklabels()]
        assert names == ["emb", *map(str, range(1, 13)), "norm"]


def test_no_pyplot_and_no_torch():
    code = (
        "import sys, ftlab.show as s; s.png(s.two_numbers([])); s.png(s.plane([]));"
        "print([m for m in ('torch', 'matplotlib.pyplot', 'ipywidgets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_live_picture_is_quick():
    run = run_of()
    assert in_pictures(*[lambda: png(two_numbers(run))] * 5) < 4  # 1.3; 0.1 s on two quiet cores


def test_a_cropped_plane_holds_every_point_and_little_more() -> None:
    points = [Point("full", (0.82, 0.9), (0.91, 0.95)), Point("replay", 0.9, 0.99)]
    axes = plane(points, crop=True).axes[0]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert 0.65 < left < 0.82 and 0.65 < low < 0.91 and right > 0.9 and high > 1
    assert plane(points).axes[0].get_ylim()[0] < 0
    far = plane([Point("full", 0.04, 0.31)], crop=True).axes[0]
    assert far.get_xlim()[0] <= 0.0 and 0.15 < far.get_ylim()[0] < 0.31
