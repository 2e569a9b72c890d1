"""The README's moving picture: the rank explorer as a person uses it, taken in a real browser.

    python -m tools.pages.film          write docs/explorer.gif

A Chromium opens JupyterLab, moves the explorer's sliders by keyboard, trains one plan for real and
walks it back. Every frame is a screenshot.
"""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from tools.in_browser import explorer

ROOT = Path(__file__).resolve().parents[2]
FILM = Path("docs", "explorer.gif")
STEPS = "40"
LIMIT = 2_000_000
"""Bytes of the file."""
COLOURS = 64
STILL, MOVED = 1600, 500
"""Milliseconds for which a frame stands."""


def film() -> bytes:
    """The GIF. Raises ValueError if it is larger than LIMIT."""
    with explorer() as (driver, page, panel):
        frames = list(_frames(driver, page, panel))
    return _joined(frames)


def _frames(driver: Any, page: Any, panel: Any) -> Any:
    """(a screenshot, milliseconds) of every move."""

    def shot(milliseconds: int) -> tuple[bytes, int]:
        page.wait_for_timeout(150)
        return panel.screenshot(), milliseconds

    yield shot(STILL)
    old = driver.panel_picture(panel)
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowRight"):
        driver.slider(panel, "upper, 10-12").press(key)
        old = driver.new_picture(panel, old)
        yield shot(MOVED)
    panel.get_by_role("button", name="the article's table", exact=True).press("Enter")
    old = driver.new_picture(panel, old)
    yield shot(STILL)
    panel.get_by_role("button", name="Train it for real").press("Enter")
    for _ in range(3):  # as it trains: whenever it was measured
        old = driver.new_picture(panel, old)
        yield shot(MOVED)
    panel.get_by_text(f"Trained after {STEPS} of {STEPS} steps").wait_for()
    yield shot(STILL)
    for _ in range(4):
        driver.slider(panel, "a, from base to trained").press("ArrowLeft")
        page.wait_for_timeout(400)
        yield shot(MOVED)
    yield shot(2 * STILL)


def _joined(frames: list[tuple[bytes, int]]) -> bytes:
    """One GIF that plays for ever; all frames share the colours of the last."""
    images = [Image.open(io.BytesIO(shot)).convert("RGB") for shot, _ in frames]
    size = images[0].size
    palette = images[-1].quantize(COLOURS)
    drawn = [one.resize(size).quantize(palette=palette, dither=Image.Dither.NONE) for one in images]
    out = io.BytesIO()
    drawn[0].save(
        out, format="GIF", save_all=True, append_images=drawn[1:], loop=0, optimize=True,
        duration=[milliseconds for _, milliseconds in frames],
    )  # fmt: skip
    if len(out.getvalue()) > LIMIT:
        raise ValueError(f"the film has {len(out.getvalue()):,} bytes; at most {LIMIT:,}")
    return out.getvalue()


def main(root: Path = ROOT) -> None:
    """Write the film."""
    (root / FILM).write_bytes(film())


if __name__ == "__main__":
    main()
