"""The workbook used as a person does: JupyterLab, a browser, the keyboard.

One notebook, written here, is opened and run once; then its panels are used, one test after the
other on the same page.

pytest tests/show/test_browser.py
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import (
    Lab,
    browser,
    change_theme,
    copy_notebook,
    jupyter_lab,
    new_picture,
    open_notebook,
    open_page,
    panel,
    panel_picture,
    run_all,
    slider,
    to_top,
    use_theme,
    write_notebook,
)
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = """
import torch
from ftlab.show.panels.panel import block_panel
block_panel(0.02 * torch.randn(64, 128, generator=torch.Generator().manual_seed(0)))
"""
# A run behind a panel: 4,000 steps of 50 ms, so that only a Stop ends it within a test's patience.
RUN = """
import time
from threading import Event
from ipywidgets import HTML, Button, IntSlider, VBox
from ftlab.base.errors import InputError
from ftlab.show.panels.access import access
from ftlab.show.panels.background import run_in_background

stop, line, answer = Event(), HTML("ready"), HTML()
train, halt, rank = Button(description="Train"), Button(description="Stop"), IntSlider(4)
rank.description = "rank"

def steps():
    if rank.value == 0:
        raise InputError("Rank 0 leaves nothing to train; choose 1 or more.")
    for number in range(4000):
        time.sleep(0.05)
        yield number

def tell(words):
    line.value = f'<p role="status">{words}</p>'

def pressed(_button):
    stop.clear()
    run_in_background(steps(), on_step=lambda number: tell(f"step {number}"),
                      on_end=lambda ending: tell(ending.words), should_stop=stop.is_set)

train.on_click(pressed)
halt.on_click(lambda _button: stop.set())
rank.observe(lambda change: setattr(answer, "value", f"rank is {change.new}"), "value")
VBox([access(), train, halt, rank, line, answer])
"""
# A cell that trains, to all appearances, until the Stop of its live plot is pressed.
LIVE = """
import time
from ftlab.show import Live

def slow():
    for number in range(4000):
        time.sleep(0.05)
        yield {"step": number, "loss": 1.0, "measured": None}

with Live(total=4000) as live:
    for step in live.follow(slow()):
        pass
print("steps:", len(live.steps))
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


# After the browser, so that no server is started where there is none.
@pytest.fixture(scope="module")
def lab(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyter_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


# Every panel, and the explorer once more in a cell of its own.
PANELS = """
import gc
from ipywidgets.widgets.widget import _instances
import ftlab
from ftlab import analysis
from ftlab.show import (
    adapter_panel, attention_panel, compare_panel, freeze_panel, prune_panel, rank_explorer,
    schedule_panel,
)

runs, extra = analysis.shipped("nano"), analysis.shipped("adapters") + analysis.shipped("prune")
both = runs + [run for run in extra if run.model == "nano-gpt2"]
nano = analysis.settings(runs)
lab = ftlab.open_lab("clinic", model="nano-gpt2")
rank_explorer(lab).show()
schedule_panel(nano).show()
freeze_panel(nano, lab.bundle.model).show()
compare_panel(nano).show()
attention_panel(analysis.shipped("nano-t5")).show()
adapter_panel(both).show()
prune_panel({"nano-gpt2": analysis.settings(both)}).show()
"""
SECOND = """
rank_explorer(lab).show()
gc.collect()
print(f"{len(_instances)} widgets")
"""
CELLS = [BLOCKS, RUN, PANELS, SECOND]
EXPLORER, LAST = 2, 9  # where the explorers stand among the panels


@pytest.fixture(scope="module")
def page(chromium: Browser, lab: Lab) -> Page:
    """The notebook, run from its first cell to its last."""
    write_notebook(lab.folder / "panels.ipynb", CELLS)
    page = open_notebook(chromium, lab, "panels.ipynb")
    run_all(page)
    return page


def test_the_arrow_keys_move_a_slider_and_the_picture_follows(page: Page):
    blocks = panel(page)
    old = panel_picture(blocks)
    assert old.alt.startswith("NF4 with blocks of 64 weights")
    slider(blocks, "weights in a block").focus()
    page.keyboard.press("ArrowRight")
    new = new_picture(blocks, old)
    assert new.alt.startswith("NF4 with blocks of 128 weights")
    expect(blocks.get_by_role("paragraph").filter(has_text=new.alt)).to_be_visible()


def test_the_keyboard_chooses_in_a_menu_that_has_a_name(page: Page):
    blocks = panel(page)
    old = panel_picture(blocks)
    blocks.get_by_label("levels").focus()
    for key in ("Enter", "ArrowDown", "Enter"):  # JupyterLab takes the arrows of a closed menu
        page.keyboard.press(key)
    assert new_picture(blocks, old).alt.startswith("int4, equal steps with blocks of")


def test_a_run_shows_its_steps_and_hears_a_slider_and_stop(page: Page):
    run = panel(page, 1)
    said = run.get_by_role("status")
    run.get_by_role("button", name="Train").press("Enter")
    expect(said).to_have_text(re.compile(r"step \d"))
    slider(run, "rank").press("ArrowLeft")
    expect(run.get_by_text("rank is 3")).to_be_visible()
    expect(said).to_have_text(re.compile(r"step \d"))  # it goes on all the while
    run.get_by_role("button", name="Stop").press("Enter")
    expect(said).to_have_text(re.compile(r"Stopped after \d+ steps?\."))


def test_a_slip_in_a_run_is_said_in_the_panel(page: Page):
    run = panel(page, 1)
    slider(run, "rank").press("Home")
    expect(run.get_by_text("rank is 0")).to_be_visible()
    run.get_by_role("button", name="Train").press("Enter")
    expect(run.get_by_role("status")).to_have_text(re.compile("Rank 0 leaves nothing to train"))


def test_a_stop_button_is_heard_while_a_cell_runs(chromium: Browser, lab: Lab):
    write_notebook(lab.folder / "live.ipynb", [LIVE])
    page = open_notebook(chromium, lab, "live.ipynb")
    run_all(page, wait=False)
    # as soon as a person can: a click in the first moments goes to the thread that is busy
    expect(page.get_by_text(re.compile(r"step \d{2,} of 4000"))).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).press("Enter")
    printed = page.get_by_text(re.compile(r"steps: \d+"))
    expect(printed).to_be_visible()
    assert int(printed.inner_text().split()[-1]) < 4000
    page.close()


def test_the_first_notebook_opens_in_a_narrow_window(chromium: Browser, lab: Lab):
    name = copy_notebook(ROOT / "notebooks" / "00_start_here.ipynb", lab)
    use_theme(lab, "Dark")
    page = open_notebook(chromium, lab, name, width=800)
    expect(page.get_by_role("heading", name="Start here", exact=True)).to_be_visible()
    page.close()


@pytest.mark.slow
def test_the_rank_explorer_answers_trains_for_real_and_stops(page: Page):
    """A slider by keyboard, a run to its end with its point in the picture, a sweep stopped."""
    found = panel(page, EXPLORER)
    first = panel_picture(found)
    assert first.alt.startswith("Recorded:")
    page.set_viewport_size({"width": 1366, "height": 768})  # a workshop's laptop
    to_top(found)
    words, above = found.locator("p[aria-live]").first, slider(found, "lower, 1-6")
    expect(words).to_be_in_viewport(ratio=1)
    expect(above).to_be_in_viewport(ratio=1)
    slider(found, "upper, 10-12").focus()
    page.keyboard.press("ArrowRight")
    old = new_picture(found, first)

    found.get_by_role("button", name="the article's table", exact=True).press("Enter")
    old = new_picture(found, old)
    found.get_by_label("steps").select_option("20")
    new_picture(found, old)
    found.get_by_role("button", name="train it first").press("Enter")
    expect(found.get_by_text("Trained after 20 of 20 steps")).to_be_visible()
    trained = panel_picture(found)
    assert "Trained now, 20 of 20 steps" in trained.alt
    slider(found, "a, from base to trained").focus()
    page.keyboard.press("ArrowLeft")
    expect(words).to_contain_text(re.compile(r"a = 0.95: .*\(measured\)"))
    found.get_by_role("button", name="a note of the new task").press("Enter")
    expect(found.get_by_role("columnheader", name=re.compile("trained, ranks"))).to_be_visible()

    old = panel_picture(found)  # with the point between base and trained
    found.get_by_role("button", name="naive", exact=True).press("Enter")
    new_picture(found, old)
    expect(words).to_contain_text("There are no adapters")
    found.get_by_title("Train every stop of learning rate").press("Enter")
    expect(found.get_by_text(re.compile(r"stop 2 of 5, step \d+ of 40"))).to_be_visible()
    found.get_by_role("button", name="Stop").press("Enter")
    expect(found.get_by_text(re.compile(r"Stopped: \d of 5 stops"))).to_be_visible()
    expect(found.get_by_role("button", name="Train it for real")).to_be_enabled()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_axe_finds_nothing_on_any_panel(page: Page, theme: Literal["Light", "Dark"]):
    """Controls have names and say their values, as a screen reader has it."""
    change_theme(page, theme)
    expect(panel(page, LAST)).to_be_visible()
    rank = slider(panel(page, LAST), "upper, 10-12")
    assert rank.get_attribute("aria-valuetext") == "upper, 10-12: 16"
    found = Axe().run(page, context=".jp-OutputArea-output").response["violations"]
    faults = [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]
    to_top(panel(page, EXPLORER))
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_keys_pressed_in_a_panel_stay_there(page: Page):
    """`x` would cut the cell, and an arrow key in a closed menu go on to the next."""
    panel(page, EXPLORER).get_by_label("seed").focus()
    for key in ("x", "ArrowDown", "b", "d", "d"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert page.locator(".jp-CodeCell").count() == len(CELLS)
    expect(panel(page, EXPLORER)).to_be_visible()


BOTH = r"learned (\d+) %, retained (\d+) %"


@pytest.mark.slow
def test_two_panels_trained_at_once_show_the_true_numbers(page: Page):
    """With a slider moved in mid-run and a second press: each ends on what was recorded."""
    both = [panel(page, number) for number in (EXPLORER, LAST)]
    for found, preset in zip(both, ("the article's table", "Q/V everywhere"), strict=True):
        found.get_by_role("button", name=preset, exact=True).press("Enter")
        found.get_by_label("steps").select_option("20")
        expect(found.locator("p[aria-live]").first).to_contain_text("Recorded")
    for found in both:
        found.get_by_role("button", name="Train it for real").press("Enter")
        expect(found.get_by_text(re.compile(r"step \d+ of 20"))).to_be_visible()
    found = both[0]
    found.get_by_role("button", name="Train it for real").press("Enter")  # pressed twice
    old = panel_picture(found)
    slider(found, "upper, 10-12").focus()
    page.keyboard.press("ArrowRight")
    new_picture(found, old)
    page.keyboard.press("ArrowLeft")
    for found in both:
        expect(found.get_by_text(re.compile(r"Trained after 20 of 20 steps"))).to_be_visible()
        words = found.locator("p[aria-live]").first
        expect(words).to_contain_text("Trained now, 20 of 20 steps")
        recorded, now = re.findall(BOTH, words.inner_text())[:2]
        apart = [abs(int(a) - int(b)) for a, b in zip(recorded, now, strict=True)]
        assert max(apart) <= 2, words.inner_text()


@pytest.mark.slow
def test_a_panel_that_is_opened_again_closes_the_one_before(page: Page):
    cell = page.locator(".jp-CodeCell").nth(len(CELLS) - 1)
    seen = []
    for opened in range(3):
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputPrompt")
        expect(prompt).to_have_text(f"[{len(CELLS) + 1 + opened}]:")
        expect(cell.locator(".jp-OutputArea-output > .jupyter-widgets")).to_have_count(1)
        seen.append(cell.get_by_text(re.compile(r"\d+ widgets")).inner_text())
    assert seen[1] == seen[2], seen


@pytest.mark.slow
def test_a_notebook_that_is_opened_again_shows_the_last_picture(
    chromium: Browser, lab: Lab, page: Page
):
    """Without its kernel: the picture as it was last, its sentence, and what to do."""
    stored = page.locator(".ftlab-stored").first
    expect(stored).to_be_hidden()
    before = panel_picture(panel(page))
    slider(panel(page), "block").focus()
    page.keyboard.press("ArrowRight")
    moved = new_picture(panel(page), before)
    expect(stored).to_contain_text(moved.alt)  # a second later
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Shut Down Kernel").first.click()
    page.close()

    again = open_page(chromium, lab, "panels.ipynb")
    stored = again.locator(".ftlab-stored").first
    expect(stored).to_be_visible()
    expect(stored).to_contain_text(moved.alt)
    expect(stored).to_contain_text("run this cell again")
    assert stored.locator("img").get_attribute("src") == moved.src
