"""The rank explorer: every slider answers at once from recorded runs, or trains it for real.

    rank_explorer(lab).show()

Moving a control draws `explorer_picture` for its values, from the recorded grid: what was recorded
for these very settings, or an estimate that is called one. *Train it for real* trains exactly what
is shown on the lab's model (`lab.run(fast=True)`), draws the curve as it comes and leaves the
measured point over the recorded one; *Stop* ends it after the step at hand.

Notable choices:
- A run belongs to the settings it was started with: when a control is moved while it trains, the
  picture answers for the new settings and the run goes on unseen; its point shows again when one
  comes back.
- The kernel stays free while it trains (`ftlab.show.panels.background`), so sliders and Stop
  answer.
- What goes wrong is a sentence in the panel.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ftlab.base.errors import InputError
from ftlab.explorer.explorer import Explorer
from ftlab.explorer.settings import (
    BANDS,
    FIRST,
    PRESETS,
    RANKS,
    RATES,
    SCHEDULES,
    SEEDS,
    STEPS,
    Settings,
)
from ftlab.show.canvas.data import last_measured
from ftlab.show.canvas.sheet import Picture
from ftlab.show.panels.background import Ending, heard_meanwhile, run_in_background
from ftlab.show.panels.explorer_picture import SHORT, explorer_picture
from ftlab.show.panels.live import progress
from ftlab.show.panels.panel import Panel, choice, rate_slider, slider

EVERY = 20
"""Steps between two points of a live curve."""
ROWS = {
    "Ranks": ("low", "middle", "high"),
    "Adapters": ("targets", "alphas", "head"),
    "Training": ("what", "lr", "schedule", "steps", "seed"),
}
NAMES = {"low": "lower, 1-6", "middle": "middle, 7-9", "high": "upper, 10-12"}


SAME = ("alphas", "targets", "head", "lr", "schedule", "steps", "seed")
"""Controls that are called as their field of Settings."""


def settings(values: Mapping[str, Any]) -> Settings:
    """What the controls say. Raises InputError where nothing would be trained."""
    asked = Settings(
        ranks=(values["low"], values["middle"], values["high"]),
        naive=values["what"] == "full",
        **{name: values[name] for name in SAME},
    )
    if not asked.moves:
        raise InputError(
            "No band has a rank and the head is frozen, so nothing would be trained; give one "
            "band a rank of 1 or more."
        )
    return asked


def values_of(asked: Settings) -> dict[str, Any]:
    """Undo `settings`: where the controls stand for these."""
    ranks = dict(zip(NAMES, asked.ranks, strict=True))
    same = {name: getattr(asked, name) for name in SAME}
    return {**ranks, **same, "what": "full" if asked.naive else "lora"}


class RankExplorer(Panel):
    """The panel; `trained` holds the Steps of each live run, by what its settings train."""

    def __init__(self, lab: Any, explorer: Explorer) -> None:
        """`lab`: what a live run is trained in. Raises InputError unless the grid is its own."""
        from ipywidgets import HTML, Button, FloatProgress, HBox

        _check(lab, explorer)
        self.lab, self.explorer, self._fast = lab, explorer, None
        self.off = explorer.estimator.off  # fitted now, not when the first slider moves
        self.trained: dict[tuple[Any, ...], Sequence[Any]] = {}
        self.running = self.stopped = False
        presets = {name: values_of(asked) for name, asked in PRESETS.items()}
        super().__init__(_controls(), self._picture, rows=ROWS, presets=presets)
        self.train = Button(description="Train it for real", button_style="primary")
        self.stop = Button(description="Stop", disabled=True)
        self.message = HTML(value="")
        self.bar = FloatProgress(value=0, min=0, max=1)
        self.train.on_click(lambda _: self.start())
        self.stop.on_click(self._stop)
        heard = [self.stop] if heard_meanwhile() else []
        line = HBox([self.train, *heard, self.bar, self.message])
        self.box.children = [*self.box.children[:-2], line, *self.box.children[-2:]]

    def _picture(self, **values: Any) -> Picture:
        asked = settings(values)
        return explorer_picture(asked, self.explorer, live=self.trained.get(asked.key, ()))

    def start(self) -> None:
        """Train what the controls say; returns at once, and the panel follows the run."""
        if self.running:
            return
        try:
            asked = settings(self.values)
        except InputError as slip:
            self._refuse(slip)
            return
        steps: list[Any] = []
        self.running, self.stopped = True, False
        self.train.disabled, self.stop.disabled = True, False
        self.bar.value, self.bar.max = 0, asked.steps
        self.message.value = "preparing ..."
        run_in_background(
            self._steps(asked),
            on_step=lambda step: self._take(step, asked, steps),
            on_end=lambda ending: self._ended(ending, asked, steps),
            should_stop=lambda: self.stopped,
        )

    def clear(self) -> None:
        """Forget the states that earlier runs left, so that the next begins as the first did."""
        self.lab.prefix_cache.clear()

    def _stop(self, _button: Any = None) -> None:
        self.stopped = True

    def _take(self, step: Any, asked: Settings, steps: list[Any]) -> None:
        """Show a step of the run; the picture follows while it is of these settings."""
        steps.append(step)
        self.bar.value = step.step
        self.message.value = escape(progress(steps, asked.steps))
        if step.measured:
            self.trained[asked.key] = steps  # from now on, in place of an earlier run's
            if self._asked_key() == asked.key:
                self._redraw()

    def _asked_key(self) -> tuple[Any, ...] | None:
        try:
            return settings(self.values).key
        except InputError:
            return None

    def _steps(self, asked: Settings) -> Any:
        from ftlab.explorer.live import run_of

        yield from run_of(self.lab, asked, every=EVERY)

    def _ended(self, ending: Ending, asked: Settings, steps: list[Any]) -> None:
        """Free the buttons and say how it ended."""
        self.running = False
        self.train.disabled, self.stop.disabled = False, True
        if ending.how == "failed":
            self.message.value = f'<span role="alert">{escape(ending.words)}</span>'
            return
        word = "Stopped" if ending.how == "stopped" else "Trained"
        done, seconds = (steps[-1].step, steps[-1].seconds) if steps else (0, 0.0)
        after = f"{word} after {done} of {asked.steps} steps"
        if steps and not steps[-1].measured:
            after += f", last measured at step {last_measured(steps).step}"
        self.message.value = f"{after}, {seconds:.1f} s of training."
        self._redraw()


def _check(lab: Any, explorer: Explorer) -> None:
    header = explorer.header
    for what, here in (("model_checksum", lab.bundle.checksum), ("domain", lab.domain.name)):
        if header.get(what) != here or lab.bundle.base is not None:
            raise InputError(
                f"The explorer's runs were recorded on {header.get('model')} and "
                f"{header.get('domain')}, and this lab is another ({lab.bundle.name}, "
                f"{lab.domain.name}); open ftlab.open_lab('clinic', model='nano-gpt2')."
            )


def _controls() -> dict[str, Any]:
    from ipywidgets import Checkbox

    first = values_of(PRESETS[FIRST])
    ranks = [(str(rank), rank) for rank in RANKS]
    alphas = [("alpha = 2 r", "scaled"), ("alpha 16, 16, 32", "fixed")]
    on = [(words, key) for key, words in SHORT.items()]
    lists: dict[str, tuple[str, Any]] = {
        "targets": ("on", on),
        "alphas": ("alpha", alphas),
        "what": ("train", [("adapters", "lora"), ("all weights", "full")]),
        "schedule": ("schedule", SCHEDULES),
        "steps": ("steps", STEPS),
        "seed": ("seed", SEEDS),
    }
    made = {name: slider(words, ranks, first[name]) for name, words in NAMES.items()}
    made |= {name: choice(words, all_, first[name]) for name, (words, all_) in lists.items()}
    made["head"] = Checkbox(value=first["head"], description="head trains too", indent=False)
    return made | {"lr": rate_slider("learning rate", RATES, first["lr"])}


def rank_explorer(lab: Any, explorer: Explorer | None = None) -> RankExplorer:
    """The panel for `lab`, whose base must be the one that the recorded grid was made with.

    `explorer`: another recorded grid than the one that ships. Raises InputError for a lab of
    another model or domain; bands are BANDS of twelve blocks.
    """
    assert len(BANDS) == len(NAMES)
    return RankExplorer(lab, explorer or Explorer.load())
