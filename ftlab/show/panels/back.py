"""The way back: a slider from the base (a = 0) to the model that was trained last (a = 1).

    theta0 + a (theta1 - theta0), see `ftlab.methods.between`

It answers at once, from a few places that are measured as soon as a run has ended; and exactly as
soon as the place where it stands is measured, which happens behind the panel.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ftlab.methods.between import partway
from ftlab.show.panels.background import Ending, run_in_background
from ftlab.show.panels.panel import WIDE

OFFER = "train it first: no weights of recorded runs are stored"


class Back:
    """The slider in `control`, of `box`; `place` is where it stands, and what is known by a."""

    def __init__(self, lab: Any, redraw: Callable[[], None], busy: Callable[[], bool]) -> None:
        """`redraw` is called when there is news; nothing is measured while `busy()`."""
        from ipywidgets import Button, FloatSlider, HBox, Layout

        self.lab, self._redraw, self._busy = lab, redraw, busy
        self.measured: dict[float, Any] = {}
        self.on_the_way: tuple[float, ...] = (0.5, 0.25, 0.75)  # measured without being asked for
        self.run: Any = None
        self._measuring = self._quiet = False
        self.control = FloatSlider(
            value=1, min=0, max=1, step=0.05, disabled=True, description="a, from base to trained",
            style=WIDE, layout=Layout(width="420px"),
        )  # fmt: skip
        self.control.observe(self._moved, names="value")
        self.offer = Button(description=OFFER, layout=Layout(width="auto"))
        self.box = HBox([self.control, self.offer], layout=Layout(flex_flow="row wrap"))

    def allow(self, trained: bool, running: bool) -> None:
        """Of what is not trained here there is no way back; then training it is offered."""
        self.control.disabled, self.offer.disabled = not trained or running, running
        self.offer.layout.display = "none" if trained else None

    @property
    def place(self) -> tuple[float, Mapping[float, Any]] | None:
        """a, and what was measured by a; None before both ends are known."""
        known = self.measured if {0.0, 1.0} <= self.measured.keys() else None
        return (self._a, known) if known else None

    @property
    def _a(self) -> float:
        return round(self.control.value, 2)

    def begin(self, run: Any) -> None:
        """Where another model was trained, stand at its end and measure some of the way."""
        if run is self.run:
            return
        self.measured = {0.0: self.lab.teacher_forced.baseline}
        if run.steps[-1].measured:
            self.measured[1.0] = run.steps[-1].measured
        self.run, self._quiet = run, True
        self.control.value, self._quiet = 1.0, False
        self._measure()

    def _moved(self, _change: Any) -> None:
        if not self._quiet:
            self._redraw()
            self._measure()

    def _measure(self) -> None:
        if self._measuring or self._busy() or self._next() is None:
            return
        self._measuring = True
        run_in_background(
            self._places(self.run), on_step=self._take, on_end=self._ended, should_stop=self._busy
        )

    def _next(self) -> float | None:
        """Where the slider stands, else one of a few places on the way."""
        wanted = (self._a, 1.0, *self.on_the_way)
        return next((a for a in wanted if a not in self.measured), None)

    def _places(self, run: Any) -> Iterator[tuple[Any, float, Any]]:
        at = partway(self.lab.bundle.model, run.model)
        while (a := self._next()) is not None and run is self.run:
            yield run, a, self.lab.teacher_forced(at(a))

    def _take(self, found: tuple[Any, float, Any]) -> None:
        run, a, measured = found
        if run is self.run:
            self.measured[a] = measured
            self._redraw()

    def _ended(self, ending: Ending) -> None:
        self._measuring = False
        if ending.how == "done":
            self._measure()
