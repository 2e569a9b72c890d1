"""Figures as HTML, tables, and the live view in a real kernel. pytest tests/show/test_live.py"""

import base64
import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from ftlab.base.errors import InputError
from ftlab.show import (
    Live,
    img,
    png,
    samples,
    show,
    two_numbers,
)
from ftlab.show.panels.live import progress


def run_of(steps=150, every=10):
    """The curve of a run that learns all and forgets half."""
    rows = [{"step": step, "loss": 3 / (1 + step), "measured": None} for step in range(steps + 1)]
    for row in rows[::every]:
        far = row["step"] / steps
        kept = {"facts": 1 - 0.7 * far, "grammar": 1 - 0.3 * far}
        row["measured"] = {"target_score": far, "retention": 1 - 0.5 * far, "kept": kept}
    return rows


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
    assert captured.out == "step 40 of 150: loss 0.07, learned 27 %, retained 87 %\n"
    assert captured.err == "" and len(live.steps) == 41
    with Live(150) as live:
        for step in live.follow(run_of()):
            live.stopped = step["step"] == 43
    told = "step 43 of 150: loss 0.07, at step 40 learned 27 %, retained 87 %\n"
    assert capsys.readouterr().out == told
    with Live(10):
        pass
    assert capsys.readouterr().out == ""
    with pytest.raises(InputError, match="a share lies"):
        Live(10, prediction=60)


def test_a_stopped_run_ends_where_it_was_last_measured_and_says_where_it_stopped():
    run, final = run_of()[:44], {"target_score": 0.5, "retention": 0.6}
    figure = two_numbers(run, final=final)
    assert "up to training step 40." in figure.alt and "stopped at step 43" in figure.alt
    for axes in figure.axes:
        assert axes.get_xlabel() == "training steps; stopped at 43"
        marked: list[Any] = [line for line in axes.lines if line.get_marker() != "None"]
        stars = {line.get_xdata()[-1]: line.get_marker() == "*" for line in marked}
        assert stars == {40: False, 43: True}  # the test was after step 43
    for whole in (two_numbers(run_of()[:41]), two_numbers(run, total=150), two_numbers([])):
        assert "stopped" not in whole.alt
        assert {axes.get_xlabel() for axes in whole.axes} == {"training steps"}


def test_progress_before_anything_is_measured():
    assert progress([{"step": 3, "loss": float("nan"), "measured": None}], 10) == "step 3 of 10"


def test_live_draws_seldom_and_always_at_the_end(monkeypatch):
    class Panel:
        def __init__(self, total, stop):
            self.steps, self.pictures, self.final = [], 0, None

        def progress(self, step, text):
            self.steps.append(step)

        def picture(self, html):
            self.pictures += 1

        def finish(self, final):
            self.final = final

    monkeypatch.setattr("ftlab.show.panels.live.in_notebook", lambda: True)
    monkeypatch.setattr("ftlab.show.panels.live._Panel", Panel)
    with Live(150) as live:
        panel = live._panel
        for step in run_of():
            live.update(step)
    assert isinstance(panel, Panel) and panel.pictures == 1 and panel.steps[0] == 0
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
    NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3").execute()
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
    folded = {"prompt": "a", "expected": " to cardiology", "before": "to  cardiology", "after": ""}
    assert samples([folded]).caption == "right before: 1 of 1; after: 0 of 1"  # as the score has it
    assert samples([]).caption == "right before: 0 of 0; after: 0 of 0"
    assert samples([]).text.startswith("prompt")
