"""A slider's stops trained one after the other: the button, and the words beside the bar.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Sequence
from typing import Any

from ftlab.explorer.settings import Settings
from ftlab.show.canvas.data import last_measured
from ftlab.show.panels.live import progress


class Progress:
    """How far a run is, or one run after the other for each stop of a slider."""

    def __init__(self, asked: Sequence[Settings], every: int) -> None:
        """`every`: steps between two measured points; 0 measures at the end alone."""
        self.asked, self.every, self.now = asked, every, asked[0]
        self.total = sum(one.steps for one in asked)
        self.done = self.number = 0  # steps of the runs before this, and which run this is
        self.steps: list[Any] = []
        self.seconds = 0.0

    def begin(self, asked: Settings) -> None:
        """Another run begins."""
        if self.number:
            self.done += self.now.steps
            self.seconds += self.steps[-1].seconds
        self.now, self.steps, self.number = asked, [], self.number + 1

    def words(self) -> str:
        """One line, while it goes on."""
        text = progress(self.steps, self.now.steps)
        return f"run {self.number} of {len(self.asked)}, {text}" if len(self.asked) > 1 else text

    def ended(self, word: str) -> str:
        """One line about what was done."""
        steps = self.steps
        done, seconds = (steps[-1].step, steps[-1].seconds) if steps else (0, 0.0)
        seconds += self.seconds
        if len(self.asked) > 1:
            full = self.number - (done < self.now.steps)
            return f"{word}: {full} of {len(self.asked)} stops, {seconds:.1f} s of training."
        text = f"{word} after {done} of {self.now.steps} steps"
        if steps and not steps[-1].measured:
            text += f", last measured at step {last_measured(steps).step}"
        return f"{text}, {seconds:.1f} s of training."


def sweep_button(words: str) -> Any:
    """What trains every stop of the slider it stands beside."""
    from ipywidgets import Button, Layout

    return Button(
        description="sweep", tooltip=f"Train every stop of {words}", layout=Layout(width="62px")
    )
