"""The rank explorer: every slider answers at once from recorded runs, or trains it for real.

    rank_explorer(lab).show()

Moving a control draws `explorer_picture` for its values, from the recorded grid: what was recorded
for these very settings, or an estimate that is called one. *Train it for real* trains exactly what
is shown on the lab's model (`lab.run(fast=True)`), draws the curve as it comes and leaves the
measured point over the recorded one; *sweep* trains every stop of the slider beside it, in turn
(`ftlab.show.panels.sweep`); *Stop* ends either after the step at hand. Then the slider *a* goes
back from the trained model to the base (`ftlab.show.panels.back`), and *Ask* asks both.

Notable choices:
- A run belongs to the settings it was started with: when a control is moved while it trains, the
  picture answers for the new settings and the run goes on unseen; its point shows again when one
  comes back.
- The kernel stays free while it trains (`ftlab.show.panels.background`), so sliders and Stop
  answer.
- What goes wrong is a sentence in the panel.

Run the tests: pytest tests/show/test_rank_explorer.py
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from html import escape
from typing import Any

from ftlab.base.checksums import shipped
from ftlab.base.errors import InputError
from ftlab.explorer import settings as sliders
from ftlab.explorer.explorer import Explorer
from ftlab.explorer.recorded import FILE
from ftlab.explorer.settings import Settings
from ftlab.show.canvas.data import last_measured
from ftlab.show.canvas.html import Drawn
from ftlab.show.canvas.style import rate_text
from ftlab.show.panels.ask import Ask
from ftlab.show.panels.back import Back
from ftlab.show.panels.background import Ending, heard_meanwhile, run_in_background
from ftlab.show.panels.explorer_picture import SHORT, explorer_picture
from ftlab.show.panels.panel import Panel, choice, rate_slider, slider
from ftlab.show.panels.sweep import Progress, in_turn, sweep_button

EVERY = 20
"""Steps between two points of a live curve; a sweep has two points, where it has so many steps."""
ROWS = {
    "Ranks": ("low", "middle", "high"),
    "Adapters": ("targets", "alphas", "head"),
    "Training": ("what", "lr", "schedule", "steps", "seed"),
    "All weights": ("frozen",),
}
NAMES = {"low": "lower, 1-6", "middle": "middle, 7-9", "high": "upper, 10-12"}
SWEPT = {name: f"rank, {words}" for name, words in NAMES.items()} | {
    "alphas": "alpha / r", "lr": "learning rate", "frozen": "lowest blocks frozen",
}  # fmt: skip
"""Sliders with a button that trains all their stops, and what the chart calls them."""
OF_ADAPTERS = (*NAMES, "targets", "alphas", "head")
"""Controls without effect where all weights train."""
SAME = ("alphas", "targets", "head", "lr", "schedule", "steps", "seed", "frozen")
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
        from ipywidgets import HTML, Button, FloatProgress, HBox, Layout

        _check(lab, explorer)
        self.lab, self.explorer = lab, explorer
        self.off = explorer.estimator.off  # fitted now, not when the first slider moves
        self.trained: dict[tuple[Any, ...], Sequence[Any]] = {}
        self.last: tuple[Settings, Any] | None = None  # what was trained last, and its Run
        self._run: Any = None
        self.running = self.stopped = False
        self.slider = "high"  # what the last chart shows: the slider that was moved last
        self.back = Back(lab, self._redraw, lambda: self.running)
        self.ask = Ask(lab, self._model)
        self.sweeps = {name: sweep_button(words) for name, words in SWEPT.items()}
        auto = Layout(width="auto")
        self.train = Button(description="Train it for real", button_style="primary", layout=auto)
        self.stop = Button(description="Stop", disabled=True)
        presets = {name: values_of(asked) for name, asked in sliders.PRESETS.items()}
        super().__init__(_controls(), self._picture, rows=ROWS, presets=presets, beside=self.sweeps)
        self.message = HTML(value="")
        self.bar = FloatProgress(value=0, min=0, max=1)
        for button in (self.train, self.back.offer):
            button.on_click(lambda _: self.start())
        self.stop.on_click(self._stop)
        for name, button in self.sweeps.items():
            button.on_click(lambda _, name=name: self.start(name))
        heard = [self.stop] if heard_meanwhile() else []
        line = HBox([self.train, *heard, self.bar, self.message])
        after = self.back.box, self.ask.box
        self.box.children = [*self.box.children[:-2], line, *self.box.children[-2:], *after]

    def _redraw(self, change: Any = None) -> None:
        owner = getattr(change, "owner", None)
        moved = [name for name in SWEPT if owner is self.controls[name]]
        self.slider = moved[0] if moved else self.slider
        super()._redraw(change)

    def _picture(self, **values: Any) -> Drawn:
        asked = settings(values)
        here = self.last[1] if self.last and self.last[0].key == asked.key else None
        self.back.allow(here is not None, self.running)
        for name in (*OF_ADAPTERS, "frozen"):
            self.controls[name].disabled = asked.naive == (name != "frozen")
        self._enable(not self.running)
        if self.controls[self.slider].disabled:
            self.slider = "frozen" if asked.naive else "high"
        return explorer_picture(
            asked,
            self.explorer,
            live=self.trained.get(asked.key, ()),
            slider=(SWEPT[self.slider], self.stops(self.slider, values)),
            trained=self.trained,
            between=self.back.place if here and self.back.run is here else None,
        )

    def stops(self, name: str, values: Mapping[str, Any]) -> dict[str, Settings]:
        """The settings at every stop of a slider, by its words; where nothing moves, none."""
        found = {}
        for words, stop in self.controls[name].options:
            with suppress(InputError):
                found[words] = settings({**values, name: stop})
        found.pop("fixed", None)  # alpha 16, 16, 32 has no place on a line
        return found

    def start(self, name: str = "") -> None:
        """Train what the controls say, or every stop of the slider `name`; returns at once."""
        if self.running:
            return
        try:
            asked = [settings(self.values)]
        except InputError as slip:
            self._refuse(slip)
            return
        if name:
            self.slider = name
            stops = {stop.key: stop for stop in self.stops(name, self.values).values()}
            asked = [stop for stop in stops.values() if not self._is_done(stop)] or asked
        progress = Progress(asked)
        self.running, self.stopped = True, False
        self._enable(False)
        self.bar.value, self.bar.max = 0, progress.total
        self.message.value = "preparing ..."
        run_in_background(
            self._runs(progress),
            on_step=lambda step: self._take(step, progress),
            on_end=lambda ending: self._ended(ending, progress),
            should_stop=lambda: self.stopped,
        )

    def _is_done(self, asked: Settings) -> bool:
        last = last_measured(self.trained.get(asked.key, ()))
        return bool(last) and last.step == asked.steps

    def _enable(self, on: bool) -> None:
        self.train.disabled, self.stop.disabled = not on, on
        for name, button in self.sweeps.items():
            button.disabled = not on or self.controls[name].disabled

    def clear(self) -> None:
        """Forget the states that earlier runs left, so that the next begins as the first did."""
        self.lab.prefix_cache.clear()

    def _stop(self, _button: Any = None) -> None:
        self.stopped = True

    def _runs(self, progress: "Progress") -> Iterator[Any]:
        """The steps of the runs in turn; the frozen lower blocks are computed once."""
        shown, alone = self._asked_key(), len(progress.asked) == 1
        every = EVERY if alone else max(EVERY, progress.now.steps // 2)
        for asked, step in in_turn({one: self._steps(one, every) for one in progress.asked}):
            if not progress.steps[asked.key] and (alone or asked.key == shown):
                self.last = asked, self._run  # that began just now
            progress.now = asked
            yield step

    def _take(self, step: Any, progress: "Progress") -> None:
        """Show a step of the run; the picture follows while it is of these settings."""
        asked, steps = progress.now, progress.steps[progress.now.key]
        steps.append(step)
        self.bar.value = progress.done
        self.message.value = escape(progress.words())
        if step.measured:
            self.trained[asked.key] = steps  # from now on, in place of an earlier run's
            if len(progress.asked) > 1 or self._asked_key() == asked.key:
                self._redraw()

    def _asked_key(self) -> tuple[Any, ...] | None:
        try:
            return settings(self.values).key
        except InputError:
            return None

    def _steps(self, asked: Settings, every: int = EVERY) -> Iterator[Any]:
        from ftlab.explorer.live import run_of

        self._run = run_of(self.lab, asked, every=every)
        yield from self._run

    def _model(self) -> tuple[str, Any]:
        """What was trained last, in words, and its model. Raises InputError where nothing is."""
        if self.last is None or self.running:
            raise InputError(
                "It is training; ask when it has ended." if self.running
                else "Nothing is trained yet; press Train it for real first."
            )  # fmt: skip
        asked, run = self.last
        ranks = "" if asked.naive else f", ranks {' / '.join(map(str, asked.ranks))}"
        return f"trained{ranks}, rate {rate_text(asked.lr)}, {run.steps[-1].step} steps", run.model

    def _ended(self, ending: Ending, progress: "Progress") -> None:
        """Free the buttons and say how it ended."""
        self.running = False
        self._enable(True)
        if ending.how == "failed":
            self.message.value = f'<span role="alert">{escape(ending.words)}</span>'
            return
        self.message.value = escape(
            progress.ended("Stopped" if ending.how == "stopped" else "Trained")
        )
        if self.last and self.last[1] and self.last[1].steps:
            self.back.begin(self.last[1])
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

    first = values_of(sliders.PRESETS[sliders.FIRST])
    ranks = [(str(rank), rank) for rank in sliders.RANKS]
    alphas = [(f"{a:g}" if isinstance(a, float) else k, k) for k, a in sliders.ALPHAS.items()]
    on = [(words, key) for key, words in SHORT.items()]
    lists: dict[str, tuple[str, Any]] = {
        "targets": ("on", on),
        "what": ("train", [("adapters", "lora"), ("all weights", "full")]),
        "schedule": ("schedule", sliders.SCHEDULES),
        "steps": ("steps", sliders.STEPS),
        "seed": ("seed", sliders.SEEDS),
    }
    made = {name: slider(words, ranks, first[name]) for name, words in NAMES.items()}
    made["alphas"] = slider("alpha / r", alphas, first["alphas"])
    frozen = [(str(blocks), blocks) for blocks in sliders.FROZEN]
    made["frozen"] = slider(SWEPT["frozen"], frozen, first["frozen"])
    for name in made:
        made[name].layout.width = "300px" if name == "frozen" else "260px"
    made |= {name: choice(words, all_, first[name]) for name, (words, all_) in lists.items()}
    made["head"] = Checkbox(value=first["head"], description="head trains too", indent=False)
    return made | {"lr": rate_slider("learning rate", sliders.RATES, first["lr"])}


def rank_explorer(lab: Any, explorer: Explorer | None = None) -> RankExplorer:
    """The panel for `lab`, whose base must be the one that the recorded grid was made with.

    `explorer`: another recorded grid than the one that ships. Raises InputError for a lab of
    another model or domain; bands are BANDS of twelve blocks.
    """
    return RankExplorer(lab, explorer or _loaded(shipped(f"records/{FILE}")))


_loaded = lru_cache(maxsize=1)(Explorer.load)  # and fitted: a panel is opened again and again
