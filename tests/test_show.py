"""The plots, tables and the live view, on made-up data. pytest tests/test_show.py"""

import base64
import io
import itertools
import math
import re
import subprocess
import sys
import time
from dataclasses import dataclass

import matplotlib
import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from PIL import Image

from ftlab.errors import InputError
from ftlab.show import (
    Live,
    Picture,
    Point,
    forgetting_matrix,
    img,
    layer_updates,
    plane,
    png,
    records_table,
    samples,
    show,
    skills_bars,
    sweep,
    two_numbers,
)
from ftlab.show import style as look
from ftlab.show.data import curve, guess
from ftlab.show.labels import spread
from ftlab.show.live import progress

NAN = float("nan")
SKILLS = {"facts": 0.05, "facts_choice": 0.12, "grammar": 0.45, "arithmetic": 0.02, "recall": 0.38}
LONG = "agreement between a subject and its verb across a long attractor"


def run_of(steps=150, every=10, skills=SKILLS, *, held=True, kept=True):
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
                **({"kept": left} if kept else {}),
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
SEEDS = [
    Point(method, [0.9 - 0.02 * i, 0.95, 0.9], [0.9 - 0.06 * i, 0.95 - 0.06 * i, 0.97 - 0.06 * i])
    for i, method in enumerate(look.METHODS)
    if method != "base"
]
RATES = [
    {"lr": lr, "target_score": learned - 0.01 * seed, "retention": kept + 0.01 * seed, "seed": seed}
    for lr, learned, kept in (
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
    """As `ftlab.measure.skills.SkillScore`."""

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
    "plane": lambda: plane(POINTS, base=0.0, prediction=0.6),
    "plane, titled": lambda: plane(POINTS, base=(0, 1), prediction=(0.9, 0.5), title="All"),
    "plane, none": lambda: plane([]),
    "plane, one": lambda: plane([{"method": "full", "target_score": 0.5, "retention": 0.5}]),
    "plane, seeds": lambda: plane(SEEDS, base=0.02),
    "plane, missing": lambda: plane([Point("full", None, 0.4), Point(LONG, 0.2, 0.1)]),  # type: ignore[arg-type]
    "sweep": lambda: sweep(RATES, "lr", log=True),
    "sweep, methods": lambda: sweep(STEPS, "steps", title="Longer training"),
    "sweep, none": lambda: sweep([], "lr", log=True),
    "sweep, one": lambda: sweep(RATES[:1], "lr", log=True),
    "sweep, words": lambda: sweep(
        [{"part": p, "target_score": t, "retention": r}
         for p, t, r in (("lower half", 0.4, 0.99), ("upper half", 0.9, 0.5), ("none", 1, None))],
        "part",
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
    assert "The prediction was 60 % kept" in CASES["two numbers"]().alt
    assert "stand at 0 %" in CASES["two numbers, one"]().alt
    assert "LoRA r8 all-linear: 100 % learned, 88 % kept" in CASES["plane"]().alt
    assert "mean of 3 seeds" in CASES["plane, seeds"]().alt
    assert "Not measured: full fine-tuning" in CASES["plane, missing"]().alt
    assert "from 3e-5 to 3e-3; learned goes from 54 % to 69 %" in CASES["sweep"]().alt
    assert "7 layers did not move" in CASES["layers"]().alt
    assert "block 12 moved most (7.5 %)" in CASES["layers"]().alt
    assert "grammar 99 % before, 73 % after (guessing gives 50 %)" in CASES["skills"]().alt


def test_a_run_without_kept_is_measured_against_its_first_step():
    run = curve(run_of(kept=False))
    assert run.kept["facts"][0] == 1 and run.kept["facts"][-1] == pytest.approx(0.05, abs=1e-3)
    assert run.steps[-1] == 150 and len(run.target) == 16


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
    assert "my run: 90 % learned, 30 % kept" in plane([record]).alt
    assert "learned is 90 %, kept is 30 %" in sweep([record], "lr").alt
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


def test_no_pyplot_and_no_torch():
    code = (
        "import sys, ftlab.show as s; s.png(s.two_numbers([])); s.png(s.plane([]));"
        "print([m for m in ('torch', 'matplotlib.pyplot', 'ipywidgets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_live_picture_is_quick():
    run, times = run_of(), []
    png(two_numbers(run))
    for _ in range(5):
        start = time.process_time()
        png(two_numbers(run))
        times.append(time.process_time() - start)
    assert min(times) < 0.4  # 0.1 s on two quiet cores; room for a busy machine


def light(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_colours_stand_out_from_white():
    marks = [*look.METHODS.values(), *look.SKILLS.values()]
    colours = [mark.colour for mark in marks] + [colour for colour, _ in look.SPARE]
    for colour in [*colours, look.INK, look.SOFT, look.PREDICTION, look.GOOD, look.BAD]:
        assert 1.05 / (light(colour) + 0.05) >= 3, colour


def test_colour_never_speaks_alone():
    assert len({mark.marker for mark in look.METHODS.values()}) == len(look.METHODS)
    assert len({(mark.marker, str(mark.dash)) for mark in look.SKILLS.values()}) == len(look.SKILLS)
    assert look.method_mark("odd one") == look.method_mark("odd one")
    assert len({mark.colour for mark in look.skill_marks(["x", "y", "facts"]).values()}) == 3


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2)
)  # fmt: skip
def test_spread_keeps_gaps_order_and_range(wanted, gap):
    places = spread(wanted, gap, 0.0, 1.0)
    gap = min(gap, 1 / max(len(wanted) - 1, 1))
    pairs = sorted(zip(wanted, places, strict=True))
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    ordered = sorted(places)
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(ordered))
    assert all(a[1] < b[1] for a, b in itertools.pairwise(pairs) if a[0] < b[0])


def test_spread_moves_nothing_without_need():
    assert spread([0.9, 0.1, 0.5], 0.1, 0, 1) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], 0.1, 0, 1) == pytest.approx([0.45, 0.55])
    assert spread([], 0.1, 0, 1) == []


def test_numbers_as_text():
    assert [look.percent(x) for x in (0, 0.224, 1, -0.001, NAN)] == [
        "0 %", "22 %", "100 %", "0 %", "not measured",
    ]  # fmt: skip
    assert [look.plain(x) for x in (3e-4, 0.05, 150, 12000, 0, "lower_half")] == [
        "3e-4", "0.05", "150", "12,000", "0", "lower half",
    ]  # fmt: skip


def test_img_escapes_its_alt_text():
    figure = two_numbers(run_of(), title='Is "1e-3" < 3e-3 & too high?')
    tag = img(figure)
    assert 'alt="Is &quot;1e-3&quot; &lt; 3e-3 &amp; too high?: two' in tag
    found = re.search(r'src="data:image/png;base64,([^"]+)"', tag)
    assert found and base64.b64decode(found[1]) == png(figure)
    assert "max-width:100%" in tag
    assert figure._repr_mimebundle_() == {"text/html": tag, "text/plain": figure.alt}


def test_a_terminal_gets_words(capsys):
    figure = two_numbers(run_of())
    show(figure)
    assert capsys.readouterr().out.strip() == figure.alt
    with Live(150) as live:
        for step in live.follow(run_of()):
            live.stopped = step["step"] == 40
    captured = capsys.readouterr()
    assert captured.out == "step 40 of 150: loss 0.07, learned 86 %, kept 31 %\n"
    assert captured.err == "" and len(live.steps) == 41
    with Live(10):
        pass
    assert capsys.readouterr().out == ""


def test_progress_before_anything_is_measured():
    assert progress([{"step": 3, "loss": NAN, "measured": None}], 10) == "step 3 of 10"


def test_live_draws_seldom_and_always_at_the_end(monkeypatch):
    class Panel:
        def __init__(self, total, stop):
            self.told, self.pictures, self.final = [], 0, None

        def tell(self, step, text):
            self.told.append(step)

        def picture(self, html):
            self.pictures += 1

        def finish(self, final):
            self.final = final

    monkeypatch.setattr("ftlab.show.live.in_notebook", lambda: True)
    monkeypatch.setattr("ftlab.show.live._Panel", Panel)
    with Live(150) as live:
        panel = live._panel
        for step in run_of():
            live.update(step)
    assert isinstance(panel, Panel) and panel.pictures == 1 and panel.told[0] == 0
    assert panel.final is not None and "150" in panel.final["text/plain"]
    with pytest.raises(ZeroDivisionError), Live(150) as live:
        panel = live._panel
        live.update(run_of()[0])
        raise ZeroDivisionError
    assert isinstance(panel, Panel) and panel.final is not None


CELLS = (
    "from ftlab.show import Live, samples, show, two_numbers\n"
    "rows = [{'step': i, 'loss': 1.0, 'measured': {'target_score': i / 20, 'retention': 0.5,\n"
    "         'kept': {'facts': 0.5}}} for i in range(21)]",
    "with Live(total=20, every=0) as live:\n    for _ in live.follow(rows):\n        pass",
    "with Live(total=20) as live:\n    live._stop()\n    for _ in live.follow(rows):\n        pass",
    "with Live(total=20):\n    pass",
    "show(two_numbers(rows))",
    "two_numbers(rows)",
    "samples([{'prompt': 'a', 'expected': 'b', 'before': 'b', 'after': 'c'}])",
)


def test_live_in_a_notebook_leaves_one_picture_and_no_widget():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = [cell["outputs"] for cell in notebook.cells]
    assert [len(out) for out in outputs] == [0, 1, 1, 1, 1, 1, 1]
    assert not any(out["output_type"] == "stream" for cell in outputs for out in cell)
    words = [cell[0]["data"]["text/plain"] for cell in outputs[1:]]
    assert "up to training step 20" in words[0] and "up to training step 0" in words[1]
    assert words[2] == "no step was run" and words[3] == words[4] == words[0]
    assert set(outputs[1][0]["data"]) == {"text/html", "text/plain"}
    assert outputs[1][0]["data"]["text/html"].startswith('<img alt="Two panels')
    assert "✗ wrong: c" in words[5] and "<table>" in outputs[6][0]["data"]["text/html"]


def test_samples_mark_right_and_wrong_in_words():
    rows = [
        {"prompt": "<b>Note</b>", "expected": " high", "before": None, "after": "high "},
        {"prompt": "x" * 900, "expected": "low", "before": "low", "after": "Paris\nParis"},
    ]
    table = samples(rows)
    assert "&lt;b&gt;Note" in table.html and "✓ right: high" in table.html
    assert "✗ wrong: (nothing)" in table.html and "…" in table.html and len(table.html) < 3000
    assert table.caption == "right before: 1 of 2; after: 1 of 2"
    assert "✗ wrong: Paris Paris" in str(table)
    assert samples([]).caption == "right before: 0 of 0; after: 0 of 0"
    assert samples([]).text.startswith("prompt")


def test_the_table_of_records_states_its_signs():
    final = {"target_score": 1.0, "held_score": None, "retention": 0.22, "learned": 2.1}
    record = {"name": "full-1e-3", "method": "full", "plan": {"lr": 1e-3}, "final": final}
    record |= {"trainable": 1, "total": 4, "budget": {"examples": 2400}, "seconds": 12.3}
    table = records_table([record, {"name": "empty"}])
    assert "forgotten, nats per token (+ is bad)" in table.header
    cells = ["full-1e-3", "full fine-tuning", "1e-3", "100 %", "-", "22 %", "+2.10", "-", "25 %"]
    assert list(table.rows[0]) == [*cells, "2,400", "12"]
    assert set(table.rows[1][2:]) == {"-"} and table.caption == "2 runs"


def test_forgetting_matrix_gives_backward_transfer():
    table = forgetting_matrix([[0.9, 0.1], [0.3, 0.95]], ["clinic", "helpdesk"])
    assert "30 % ↓" in table.text
    assert table.caption == "backward transfer -60 points (below 0: forgotten)"
    assert "nothing to forget" in forgetting_matrix([[0.9]], ["clinic"]).caption
    assert forgetting_matrix([], []).rows == []
