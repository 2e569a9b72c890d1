"""From a key to the picture, as a person has it: JupyterLab in a Chromium, on this machine.

python -m tools.bench --browser

A page's own clock times it: from the key going down on a rank slider of the rank explorer to the
second frame after its sentence has changed, when the picture is drawn. The first moves are not
counted.
"""

from statistics import median
from typing import Any

from tools.in_browser import explorer

MOVES, FIRST = 24, 4
CLOCK = """panel => new Promise(done => {
    const words = () => panel.querySelector('p[aria-live]')?.textContent;
    const before = words();
    let began = 0;
    addEventListener('keydown', () => { began = performance.now(); }, {once: true, capture: true});
    const watch = new MutationObserver(() => {
        if (words() === before || !words()) return;
        watch.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
    });
    watch.observe(panel, {subtree: true, childList: true, characterData: true});
})"""


def latency() -> dict[str, float]:
    """Milliseconds from key to picture: median, lowest and highest, and how many moves."""
    with explorer() as (driver, page, panel):
        driver.slider(panel, "upper, 10-12").focus()
        times = [_move(page, panel, move) for move in range(MOVES)][FIRST:]
    return {"median": median(times), "lowest": min(times), "highest": max(times), "of": len(times)}


def _move(page: Any, panel: Any, move: int) -> float:
    """There and back in turn, four stops each way."""
    waiting = page.evaluate_handle(f"panel => ({{ms: ({CLOCK})(panel)}})", panel.element_handle())
    page.keyboard.press("ArrowLeft" if move // 4 % 2 == 0 else "ArrowRight")
    return page.evaluate("made => made.ms", waiting)
