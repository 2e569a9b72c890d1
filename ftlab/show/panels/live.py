"""The two-number plot while a run is training.

    with Live(total=plan.steps) as live:
        for step in train(model, tokenizer, data, plan, measure=evaluator):
            live.update(step)
            if live.stopped:                         # the button
                break
        live.end(run.final)                          # the last word, where a lab's run was shown

Notable choices: core ipywidgets only (HTML, FloatProgress, Button), which exist in 7.7 (Colab)
and 8; the picture is an `<img>` in an HTML widget, never an Output widget, which shows figures
twice. At the end the output that held the widgets becomes the finished picture as plain HTML:
a stored notebook keeps it, and it stands there once. Drawing takes at most a tenth of the time
of the run: a new picture waits 0.3 s, or ten times as long as the last one took.

In a terminal nothing is drawn; the last line says how the run ended.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from html import escape
from importlib.metadata import version
from time import monotonic
from typing import Any

from ftlab.base.shares import percent
from ftlab.show.canvas.data import MEASURES, field, guess, has_some, last_measured, number
from ftlab.show.canvas.html import bundle, img, in_notebook
from ftlab.show.panels.background import hear_during_cells
from ftlab.show.plots.curves import two_numbers

TEXT_EVERY = 0.1  # seconds between two updates of the line of numbers
VIEW = "application/vnd.jupyter.widget-view+json"
PATIENCE = 10  # a new picture waits this many times as long as the last one took to draw


def widget(box: Any) -> dict[str, Any]:
    """What a notebook stores of a widget, without the picture in its place."""
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": box.model_id}}


class Live:
    """A context that shows steps as they come; `steps` holds them, `stopped` the button.

    `total`: the last step planned. `every`: seconds between two pictures, at least. `draw`: a
    picture of the steps so far, in place of the two numbers.
    """

    def __init__(
        self,
        total: int,
        *,
        prediction: Any = None,
        title: str | None = None,
        method: str = "full",
        every: float = 0.3,
        draw: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        guess(prediction)  # refused now, not in the middle of the run
        self.total, self.every = total, every
        self.steps: list[Any] = []
        self.stopped = False
        look = {"prediction": prediction, "title": title, "method": method}
        self._draw = draw or partial(two_numbers, total=total, **look)
        self._final = draw or partial(two_numbers, **look)
        self._panel: _Panel | None = None
        self._drawn = self._written = float("-inf")
        self._cost = 0.0
        self._fresh = False  # something measured that the picture does not show yet

    def __enter__(self) -> "Live":
        if in_notebook():
            self._panel = _Panel(self.total, self._stop)
        return self

    def __exit__(self, *exception: object) -> None:
        """Put the finished picture in place of the widgets, also after an error or a stop."""
        if self._panel:
            self._panel.finish(bundle(self._final(self.steps)) if self.steps else None)
            self._panel = None
        elif self.steps and not in_notebook():
            print(progress(self.steps, self.total))

    def update(self, step: Any) -> None:
        """Take one step; redraw if something new was measured and enough time has passed."""
        self.steps.append(has_some(step, "a step", "step", "measured"))
        if not self._panel:
            return
        now = monotonic()
        self._fresh = self._fresh or bool(field(step, "measured"))
        if now - self._written >= TEXT_EVERY:
            self._panel.progress(number(field(step, "step", 0)), progress(self.steps, self.total))
            self._written = now
        if self._fresh and now - self._drawn >= max(self.every, PATIENCE * self._cost):
            self._panel.picture(img(self._draw(self.steps)))
            self._drawn, self._fresh = monotonic(), False
            self._cost = self._drawn - now

    def end(self, final: Mapping[str, Any]) -> None:
        """Take the test after the run (`run.final`), which asks everything, as stars at its end."""
        self._final = partial(self._final, final=final)

    def follow(self, run: Iterable[Any]) -> Iterator[Any]:
        """Hand on the steps of `run`, showing each; ends early once Stop was pressed."""
        for step in run:
            self.update(step)
            yield step
            if self.stopped:
                return

    def _stop(self, _button: Any = None) -> None:
        self.stopped = True


def progress(steps: list[Any], total: int) -> str:
    """One line: "step 43 of 100: loss 0.81, at step 40 learned 55 %, retained 71 %"."""
    parts, now, at = [], steps[-1], last_measured(steps)
    if (loss := number(field(now, "loss"))) == loss:
        parts.append(f"loss {loss:.2f}")
    here, there = (number(field(step, "step", 0)) for step in (now, at))
    then = "" if here == there else f"at step {there:g} "
    for key, word in MEASURES.items():
        if (value := number(field(field(at, "measured"), key))) == value:
            parts.append(f"{then}{word} {percent(value)}")
            then = ""
    text = f"step {here:g} of {total}"
    return f"{text}: {', '.join(parts)}" if parts else text


class _Panel:
    """The widgets and the output they stand in."""

    def __init__(self, total: int, stop: Callable[[Any], None]) -> None:
        from IPython.display import display
        from ipywidgets import HTML, Button, FloatProgress, HBox, VBox

        self._bar = FloatProgress(value=0, min=0, max=max(total, 1))
        self._line, self._view = HTML(), HTML()
        tools = [self._bar, self._line]
        if _buttons_work():
            button = Button(description="Stop")
            button.on_click(stop)
            tools.insert(1, button)
        row = HBox(tools)
        self._box = VBox([row, self._view])
        self._all = [*tools, self._view, row, self._box]
        # Not display(box): in 7.7 a widget displays itself, and its output could not be replaced.
        data = {"text/plain": "training ...", **widget(self._box)}
        self._output = display(data, raw=True, display_id=True)
        for tool in tools:
            if isinstance(tool, Button):
                hear_during_cells(tool)

    def progress(self, step: float, text: str) -> None:
        """Move the bar and write the line of numbers."""
        self._bar.value, self._line.value = step, escape(text)

    def picture(self, html: str) -> None:
        """Show a picture under the bar."""
        self._view.value = html

    def finish(self, final: dict[str, str] | None) -> None:
        """Replace the widgets by the finished picture, then close them."""
        empty = {"text/plain": "no step was run"}
        if self._output is not None:
            self._output.update(final or empty, raw=True)
        for widget in self._all:
            widget.close()


def _buttons_work() -> bool:
    """Whether a click is heard while a cell runs: ipykernel 7 and later, so not yet in Colab."""
    return int(version("ipykernel").split(".")[0]) >= 7
