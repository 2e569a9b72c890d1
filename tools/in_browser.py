"""The rank explorer as a person has it: JupyterLab in a Chromium, on this machine.

    with explorer() as (driver, page, panel):
        driver.slider(panel, "upper, 10-12").press("ArrowLeft")

Needs what the browser tests need, Chromium and playwright: tests/browser.py, the `driver`.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CELL = """
import ftlab
from ftlab.show import rank_explorer

rank_explorer(ftlab.open_lab("clinic", model="nano-gpt2")).show()
"""
LAPTOP = 1366
"""Pixels of a workshop laptop's width."""


@contextmanager
def explorer() -> Iterator[tuple[Any, Any, Any]]:
    """The driver, the page, and the explorer on it, open and at rest."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    import browser as driver  # pyright: ignore

    with (
        tempfile.TemporaryDirectory() as folder,
        driver.jupyter_lab(Path(folder)) as lab,
        driver.browser() as chromium,
    ):
        driver.write_notebook(lab.folder / "explorer.ipynb", [CELL])
        page = driver.open_notebook(chromium, lab, "explorer.ipynb", width=LAPTOP)
        driver.run_all(page)
        yield driver, page, driver.panel(page)
