"""A slider's stops trained in turn: the button, the order, and the words beside the bar.

Each stop is trained up to its next measured point before the next stop's turn comes, so the chart
is whole long before the last step: what it shows then is true, of so many steps.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from ftlab.base.errors import InputError
from ftlab.explorer.settings import Settings
from ftlab.show.canvas.data import last_measured
from ftlab.show.panels.live import progress


def in_turn(runs: Mapping[Settings, Any]) -> Generator[tuple[Settings, Any]]:
    """Every run's steps, to its next measured one at a time; whose each is.

    A run that fails ends alone: its InputError is raised once the others have come to their end.
    """
    waiting, slips = dict(runs), []
    try:
        while waiting:
            for asked, steps in list(waiting.items()):
                try:
                    for step in steps:
                        yield asked, step
                        if step.step and step.measured:
                            break
                    else:
                        del waiting[asked]
                except InputError as slip:
                    slips.append(slip)
                    del waiting[asked]
    finally:
        for steps in waiting.values():
            steps.close()
    if slips:
        raise slips[0]


class Progress:
    """How far a run is, or several in turn; `steps` are those so far, by `Settings.key`."""

    def __init__(self, asked: Sequence[Settings]) -> None:
        """`asked`: what is trained; `now` is the one at hand."""
        self.asked, self.now = asked, asked[0]
        self.steps: dict[Any, list[Any]] = {one.key: [] for one in asked}
        self.total = sum(one.steps for one in asked)

    @property
    def done(self) -> int:
        """Steps of all of them."""
        return sum(map(self._at, self.asked))

    def words(self) -> str:
        """One line, while it goes on."""
        text = progress(self.steps[self.now.key], self.now.steps)
        number, of = 1 + self.asked.index(self.now), len(self.asked)
        return f"stop {number} of {of}, {text}" if of > 1 else text

    def ended(self, word: str) -> str:
        """One line about what was done."""
        steps, of = self.steps[self.now.key], len(self.asked)
        seconds = sum(steps[-1].seconds for steps in self.steps.values() if steps)
        if of > 1:
            full = [one for one in self.asked if self._at(one) == one.steps]
            return f"{word}: {len(full)} of {of} stops, {seconds:.1f} s of training."
        text = f"{word} after {self._at(self.now)} of {self.now.steps} steps"
        if steps and not steps[-1].measured:
            text += f", last measured at step {last_measured(steps).step}"
        return f"{text}, {seconds:.1f} s of training."

    def _at(self, asked: Settings) -> int:
        steps = self.steps[asked.key]
        return steps[-1].step if steps else 0


def sweep_button(words: str) -> Any:
    """What trains every stop of the slider it stands beside."""
    from ipywidgets import Button, Layout

    return Button(
        description="sweep", tooltip=f"Train every stop of {words}", layout=Layout(width="62px")
    )
