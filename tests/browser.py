"""A notebook as a person has it: JupyterLab from this environment, in a Chromium without a window.

    with jupyter_lab(folder) as lab, browser() as chromium:
        page = open_notebook(chromium, lab, "panel.ipynb")
        run_all(page)
        before = panel_picture(panel(page))

Notable choices: the server has its own port and token and keeps settings, data and logs in a
folder of its own, so that a reader's JupyterLab is neither read nor changed; notebooks are opened
as copies; Playwright drives the Chromium that is installed and downloads none. `panel` counts the
panels of the page from the top; what is inside is found by label and role, as a screen reader
finds it.

Run the tests: pytest tests/show/test_browser.py
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from time import monotonic, sleep
from typing import Any, Literal
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

NO_BROWSER = (
    "NO BROWSER TEST: there is no Chromium on this machine, so no panel was used as a person "
    "would; `apt-get install chromium` brings it, or CHROMIUM names another one."
)
# Nothing but the server on this machine is asked for anything.
QUIET = (
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--disable-gpu", "--no-first-run",
)  # fmt: skip
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page
}
START = 240  # seconds in which the server must answer
END = 8  # seconds in which it must have ended
CELLS = 480  # seconds in which all cells must have run
PAGE = 120_000  # milliseconds in which a page must show what is expected: playwright's 5 s are few
expect.set_options(timeout=PAGE)


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that is running."""

    url: str  # the address, without a slash at the end
    token: str  # what opens it
    folder: Path  # where its notebooks lie

    @property
    def home(self) -> Path:
        """Where its settings, data and log lie."""
        return self.folder / ".jupyter"


@dataclass(frozen=True)
class Shown:
    """A panel's picture as a browser has it."""

    alt: str  # its words, which stand below it
    src: str  # what is drawn, as data addresses


def chromium() -> str:
    """The path of the Chromium to drive; where there is none the test is skipped, loudly."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return found or pytest.skip(NO_BROWSER)


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    path = chromium()
    with sync_playwright() as tools:
        opened = tools.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield opened
        finally:
            opened.close()


# --- the server ---------------------------------------------------------------------------------


@contextmanager
def jupyter_lab(folder: Path, *, classic: bool = False) -> Iterator[Lab]:
    """JupyterLab over the notebooks in `folder`; what it writes lies in `folder/.jupyter`.

    `classic`: notebook 6 in its place.
    """
    lab = Lab(f"http://127.0.0.1:{_free_port()}", token_hex(16), folder)
    for name, values in SETTINGS.items():
        _set(lab, name, values)
    with (lab.home / "log.txt").open("w") as log:
        command = _classic(lab) if classic else _command(lab)
        server = subprocess.Popen(command, env=_own(lab.home), stdout=log, stderr=log)
    try:
        _wait(lab, server)
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(timeout=END)
        except subprocess.TimeoutExpired:  # it has ended its kernels by then, and hangs at times
            server.kill()
            server.wait()


def use_theme(lab: Lab, theme: Literal["Light", "Dark"]) -> None:
    """The colours of the pages that are opened after this."""
    _set(lab, "apputils-extension/themes", {"theme": f"JupyterLab {theme}"})


def change_theme(page: Page, theme: Literal["Light", "Dark"]) -> None:
    """The colours of this page, from now on."""
    page.evaluate(CHANGE, f"JupyterLab {theme}")
    expect(page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']")).to_be_attached()


CHANGE = "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})"


def _command(lab: Lab) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1", "ServerApp.port": lab.url.rsplit(":", 1)[1],
        "ServerApp.port_retries": 0, "ServerApp.root_dir": lab.folder,
        "IdentityProvider.token": lab.token, "LabApp.expose_app_in_browser": True,
    }  # fmt: skip
    given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *given]


def _classic(lab: Lab) -> list[str]:
    options = {"ip": "127.0.0.1", "port": lab.url.rsplit(":", 1)[1], "port_retries": 0,
               "token": lab.token, "notebook_dir": lab.folder}  # fmt: skip
    given = [f"--NotebookApp.{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "notebook", "--no-browser", "--allow-root", *given]


def _own(home: Path) -> dict[str, str]:
    """The environment, with every folder of Jupyter's moved into `home`."""
    names = ["CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR", "LAB_SETTINGS_DIR", "LAB_WORKSPACES_DIR"]
    folders = {f"JUPYTER{'' if 'LAB' in x else '_'}{x}": str(home / x.lower()) for x in names}
    return {**os.environ, **folders, "IPYTHONDIR": str(home / "ipython"), "HF_HUB_OFFLINE": "1"}


def _set(lab: Lab, name: str, values: dict[str, Any]) -> None:
    path = lab.home / "lab_settings_dir" / "@jupyterlab" / f"{name}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(lab: Lab, server: subprocess.Popen) -> None:
    """Until the server answers; its log is told if it does not."""
    end = monotonic() + START
    while monotonic() < end and server.poll() is None:
        try:
            urlopen(f"{lab.url}/api?token={lab.token}", timeout=5).close()
            return
        except (URLError, OSError):
            sleep(0.1)
    log = (lab.home / "log.txt").read_text(encoding="utf-8")
    pytest.fail(f"JupyterLab did not answer within {START} s:\n{log[-3000:]}")


# --- the notebook -------------------------------------------------------------------------------


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of these code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(made, path)


def copy_notebook(source: Path, lab: Lab) -> str:
    """Copy a notebook without its outputs, so that what is seen is new; returns its name."""
    made: Any = nbformat.read(source, as_version=4)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(made, lab.folder / source.name)
    return source.name


def open_page(browser: Browser, lab: Lab, name: str, *, width: int = 1280) -> Page:
    """A page with that notebook of the lab's folder, whether or not its kernel is ready."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(PAGE)
    page.goto(f"{lab.url}/doc/tree/{name}?token={lab.token}")
    return page


def open_notebook(browser: Browser, lab: Lab, name: str, *, width: int = 1280) -> Page:
    """A page with that notebook of the lab's folder, its kernel ready."""
    page = open_page(browser, lab, name, width=width)
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=START * 1000)  # in the status bar
    return page


def run_all(page: Page, *, wait: bool = True, seconds: float = CELLS) -> None:
    """Run > Run All Cells of a notebook without outputs; fails with the words of an error.

    Returns when all have run, or at once if not to `wait`.
    """
    for name in ("Run", "Run All Cells"):
        page.get_by_role("menuitem", name=name, exact=True).click()
    if not wait:
        return
    page.wait_for_function(FINISHED, timeout=seconds * 1000)
    for error in page.locator("[data-mime-type$='jupyter.error']").all():
        pytest.fail(f"a cell failed:\n{error.inner_text()}")


# No code cell waits or runs, and at least one has run: a failed cell takes the rest off the queue.
FINISHED = """() => {
    const cells = [...document.querySelectorAll('.jp-CodeCell')];
    const prompts = cells.map(cell => cell.querySelector('.jp-InputPrompt').innerText.trim());
    return !prompts.includes('[*]:') && prompts.some(prompt => /\\d/.test(prompt));
}"""


def panel(page: Page, number: int = 0) -> Locator:
    """The panel that stands at that place, counted from the top of the page."""
    return page.locator(".jp-OutputArea-output > .jupyter-widgets").nth(number)


def to_top(panel: Locator) -> None:
    """Scroll until the panel stands at the top and stays there: what is above may still grow."""
    for _ in range(40):
        panel.evaluate("panel => panel.scrollIntoView()")
        before = panel.bounding_box()
        panel.page.wait_for_timeout(250)
        if panel.bounding_box() == before:
            return
    pytest.fail("the page above the panel does not come to rest")


def slider(panel: Locator, label: str) -> Locator:
    """The handle of the slider with that label, to focus and press arrow keys on."""
    return panel.locator(".widget-slider").filter(has_text=label).get_by_role("slider")


def panel_picture(panel: Locator) -> Shown:
    """The picture that the panel shows now."""
    words = panel.locator("p[aria-live]").first.inner_text()
    drawn = panel.locator("img").evaluate_all("all => all.map(one => one.src).join()")
    return Shown(words, drawn)


def new_picture(panel: Locator, old: Shown, *, seconds: float = 120) -> Shown:
    """Wait until the panel shows another picture than `old`, in words and in points."""
    end = monotonic() + seconds
    while monotonic() < end:
        shown = panel_picture(panel)
        if shown.alt != old.alt and shown.src != old.src:
            return shown
        panel.page.wait_for_timeout(20)
    pytest.fail(f"after {seconds} s the picture is still: {old.alt}")
