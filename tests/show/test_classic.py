"""The panels in classic Notebook, with the ipywidgets 7.7.1 that Colab's front end has built in.

The colab lane has both (`make lanes LANE=colab`); elsewhere this is skipped. A screenshot lies in
pytest's temporary folder, `pytest-of-*/pytest-current/classic*`.

pytest tests/show/test_classic.py
"""

import re
from importlib import util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

WANTED = {"ipywidgets": "7.", "notebook": "6."}


def there(name: str, begin: str) -> bool:
    try:
        return version(name).startswith(begin)
    except PackageNotFoundError:
        return False


NOT_HERE = (
    "NOT TESTED IN CLASSIC NOTEBOOK: that needs ipywidgets 7, notebook 6 and playwright, as "
    "`make lanes LANE=colab` installs them"
)
HERE = all(there(*one) for one in WANTED.items()) and util.find_spec("playwright")
OPEN = """
import ftlab
from ftlab.show import ask_panel, block_panel, rank_explorer

lab = ftlab.open_lab("clinic", model="nano-gpt2", target_items=4, per_skill=2, documents=2)
run = lab.run(ftlab.Plan(steps=2, measure_every=0), store=False).finish()
"""
SHOW = """
rank_explorer(lab).show()
ask_panel(run).show()
block_panel(lab.bundle.model.transformer.h[5].mlp.c_fc.weight).show()
"""
CONNECTED = "() => window.Jupyter?.notebook?.kernel?.is_connected()"
FINISHED = "() => Jupyter.notebook.get_cells().every(cell => cell.input_prompt_number > 0)"
PANELS = ".jupyter-widgets-view > .jupyter-widgets"


def opened(chromium: Any, url: str) -> Any:
    """The notebook, run: the page shows widgets once a first cell has loaded ipywidgets."""
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(240_000)
    page.goto(url)
    page.wait_for_function(CONNECTED)
    page.evaluate("Jupyter.notebook.execute_cells([0])")
    page.wait_for_function("() => Jupyter.notebook.get_cell(0).input_prompt_number > 0")
    page.wait_for_timeout(1000)
    page.evaluate("Jupyter.notebook.execute_cells([1])")
    page.wait_for_function(FINISHED)
    return page


@pytest.mark.skipif(not HERE, reason=NOT_HERE)
def test_explorer_ask_and_a_slider_in_classic_notebook(tmp_path: Path) -> None:
    """A key, a run to its end, the way back, two questions, and no key that reaches the cell."""
    from browser import browser, jupyter_lab, new_picture, panel_picture, slider, write_notebook
    from playwright.sync_api import expect

    write_notebook(tmp_path / "classic.ipynb", [OPEN, SHOW])
    with browser() as chromium, jupyter_lab(tmp_path, classic=True) as lab:
        page = opened(chromium, f"{lab.url}/notebooks/classic.ipynb?token={lab.token}")
        explorer, ask, blocks = (page.locator(PANELS).nth(number) for number in range(3))
        expect(page.locator(".ftlab-stored").first).to_be_hidden()

        first = panel_picture(explorer)
        handle = slider(explorer, "upper, 10-12")
        assert handle.get_attribute("aria-valuetext") == "upper, 10-12: 16"
        handle.focus()
        page.keyboard.press("ArrowRight")
        old = new_picture(explorer, first)
        expect(handle).to_have_attribute("aria-valuetext", "upper, 10-12: 32")

        explorer.get_by_role("button", name="the article's table", exact=True).press("Enter")
        old = new_picture(explorer, old)
        explorer.get_by_label("steps").select_option("20")
        new_picture(explorer, old)
        explorer.get_by_role("button", name="train it first").press("Enter")
        expect(explorer.get_by_text(re.compile("Trained after 20 of 20 steps"))).to_be_visible()
        words = explorer.locator("p[aria-live]").first
        expect(words).to_contain_text("Trained now, 20 of 20 steps")
        slider(explorer, "a, from base to trained").focus()
        page.keyboard.press("ArrowLeft")
        expect(words).to_contain_text(re.compile(r"a = 0.95: .*\(measured\)"))
        page.screenshot(path=tmp_path / "classic-explorer.png")

        ask.get_by_role("textbox").fill("The capital of Norway is")
        ask.get_by_role("button", name="Ask both").press("Enter")
        expect(ask.get_by_role("columnheader")).to_have_text(["the base", re.compile("full")])

        old = panel_picture(blocks)
        slider(blocks, "weights in a block").focus()
        for key in ("x", "d", "d", "ArrowRight"):  # `x` and `d d` would cut the cell
            page.keyboard.press(key)
        new_picture(blocks, old)
        assert page.evaluate("Jupyter.notebook.ncells()") == 2
        page.screenshot(path=tmp_path / "classic-blocks.png")
