"""What a screen reader needs of ipywidgets' controls and does not get: names, values, kept keys.

    VBox([access(), slider, ...])      of every control in that box, also of those that come later

- The handle of a slider has no name, and says the index of its stop: it gets the words beside it,
  as its name, and "rank 8" as its value. (ipywidgets 7.7 gives it no role either.)
- A toggle button says whether it is down.
- A key that is pressed in the box stays there: else an arrow key in a closed menu goes on to the
  next cell, and `x` cuts the cell (JupyterLab asks for an attribute, classic Notebook listens at
  the page). Keys with Ctrl go on, so that Ctrl + S saves.

A stylesheet's onload runs wherever the box is drawn: JupyterLab, classic Notebook, Colab. Where a
page forbids scripts, everything is as ipywidgets has it.

Run the tests: pytest tests/show/test_browser.py
"""

from html import escape
from typing import Any

SCRIPT = """
const box = this.closest('.widget-vbox');
const set = (one, name, value) => one.getAttribute(name) === value || one.setAttribute(name, value);
const say = () => {
  box.querySelectorAll('.widget-slider').forEach(row => {
    const handle = row.querySelector('[role=slider], .ui-slider-handle');
    const words = row.querySelector('.widget-label'), value = row.querySelector('.widget-readout');
    if (!handle || !words || !value) return;
    set(handle, 'role', 'slider');
    set(handle, 'aria-label', words.textContent);
    set(handle, 'aria-valuetext', `${words.textContent}: ${value.textContent || value.value}`);
    if (!handle.hasAttribute('aria-valuenow')) set(handle, 'aria-valuenow', '0');
  });
  box.querySelectorAll('.widget-toggle-button').forEach(button =>
    set(button, 'aria-pressed', String(button.classList.contains('mod-active'))));
};
if (box && !box.ftlab) {
  box.ftlab = true;
  const cell = box.closest('.jp-OutputArea, .output') || document.body;
  const alive = () => cell.classList.toggle('ftlab-alive', cell.contains(box));
  alive();
  new MutationObserver(alive).observe(cell, {subtree: true, childList: true});
  const alone = event => !(event.ctrlKey || event.metaKey);
  addEventListener('keydown', event =>
    box.toggleAttribute('data-lm-suppress-shortcuts', alone(event)), true);
  box.addEventListener('keydown', event => alone(event) && event.stopPropagation());
  say();
  new MutationObserver(say).observe(box, {
    subtree: true, childList: true, characterData: true, attributes: true,
    attributeFilter: ['class', 'aria-valuenow', 'aria-valuetext'],
  });
}
"""


def access() -> Any:
    """A widget that shows nothing; as the child of a VBox it looks after the controls in there."""
    from ipywidgets import HTML, Layout

    hide = ".ftlab-alive .ftlab-stored { display: none }"
    style = f'<style onload="{escape(SCRIPT, quote=True)}">{hide}</style>'
    return HTML(
        value=style, layout=Layout(width="0px", height="0px", margin="0", overflow="hidden")
    )
