"""Ask the model: a line of text, and what base and trained model write after it.

    ask_panel(run).show()                  after a run, also one that was stored
    ask_panel(lab).show()                  before any run: only the base answers
    Ask(lab, lambda: (name, model))        inside another panel

Three questions are ready: one of the new task, and of the facts that the base knows the first that
was lost and the first that was retained (looked up when a button is pressed for the first time).

Run the tests: pytest tests/show/test_ask.py
"""

from collections.abc import Callable, Collection, Iterator
from html import escape
from typing import Any

from ftlab.base.errors import InputError
from ftlab.evaluate.target import generate
from ftlab.show.canvas.html import in_notebook
from ftlab.show.panels.access import access
from ftlab.show.panels.background import Ending, run_in_background
from ftlab.show.panels.live import widget
from ftlab.show.panels.panel import close_all, close_earlier

TOKENS = 32
"""Room for an answer."""
FACTS = 60
"""So many facts are tried, to find one that was lost."""
READY = {
    "task": "a note of the new task",
    "lost": "a fact that was lost",
    "kept": "a fact retained",
}
Answers = dict[str, str]  # "base" and "trained"


class Ask:
    """The widgets, in `box`; `answers` are those shown last."""

    def __init__(
        self,
        lab: Any,
        trained: Callable[[], tuple[str, Any]],
        *,
        words: str = "Ask both",
        ready: Collection[str] = tuple(READY),
    ) -> None:
        """`trained` gives a name and a model; an InputError of it is shown as a sentence.

        `words`: on the button. `ready`: which of READY there are.
        """
        from ipywidgets import HTML, Button, HBox, Layout, Text, VBox

        self.lab, self.trained, self.busy = lab, trained, False
        self.answers: Answers = {}
        self._known: tuple[Any, dict[str, str]] | None = None  # a model, and its ready questions
        wide = {"description_width": "initial"}
        self.text = Text(description="Ask", style=wide, layout=Layout(width="480px"))
        self.text.placeholder = "a line of text, to be continued"
        self.button = Button(description=words)
        auto = Layout(width="auto")
        self.ready = {
            key: Button(description=w, layout=auto) for key, w in READY.items() if key in ready
        }
        self.view = HTML()
        row = Layout(flex_flow="row wrap")
        lines = [
            HBox([self.text, self.button], layout=row),
            HBox([*self.ready.values()], layout=row),
        ]
        self.box = VBox([access(), *lines, self.view])
        self.button.on_click(lambda _: self.ask(self.text.value))
        for key, button in self.ready.items():
            button.on_click(lambda _, key=key: self.ask(key=key))

    def ask(self, prompt: str = "", *, key: str = "") -> None:
        """Ask base and trained model; `key`: one of the ready questions. Returns at once."""
        if self.busy:
            return
        if not (prompt.strip() or key):
            self._say("There is nothing to ask; write a line of text.")
            return
        try:
            found = self.trained()
        except InputError as slip:
            self._say(str(slip))
            return
        self.busy = True
        self._say("asking ...")
        run_in_background(
            self._asked(found, prompt, key), on_step=self._show, on_end=self._ended,
            should_stop=lambda: False,
        )  # fmt: skip

    def _asked(
        self, found: tuple[str, Any], prompt: str, key: str
    ) -> Iterator[tuple[str, str, Answers]]:
        name, model = found
        prompt = self.questions(model)[key] if key else prompt
        models = {"base": self.lab.bundle.model, "trained": model}
        if model is models["base"]:
            del models["trained"]
        yield name, prompt, {who: self._generate(one, [prompt])[0] for who, one in models.items()}

    def _generate(self, model: Any, prompts: list[str], room: int = TOKENS) -> list[str]:
        return [text.strip() for text in generate(model, self.lab.tokenizer, prompts, room)]

    def questions(self, model: Any) -> dict[str, str]:
        """The ready questions for this model. Raises InputError on asking for one there is not."""
        if self._known is None or self._known[0] is not model:
            self._known = model, _Questions(self._look_up(model))
        return self._known[1]

    def _look_up(self, model: Any) -> dict[str, str]:
        found = {"task": dict(self.lab.domain.test[0])["prompt"]}
        facts = [p for p in self.lab.suite.probes if p.skill == "facts"][:FACTS]
        if not facts:
            return found
        right = [p.choices[0].strip() for p in facts]
        base, now = (
            self._generate(one, [p.query for p in facts], 8)
            for one in (self.lab.bundle.model, model)
        )
        for probe, answer, was, said in zip(facts, right, base, now, strict=True):
            if was.startswith(answer):
                found.setdefault("kept" if said.startswith(answer) else "lost", probe.query)
        return found

    def _show(self, step: tuple[str, str, Answers]) -> None:
        name, prompt, self.answers = step
        self.text.value = prompt
        cell = "padding:2px 10px 2px 0;text-align:left;vertical-align:top;white-space:pre-wrap"
        names = {"base": "the base", "trained": name}
        head = "".join(f'<th style="{cell}">{escape(names[who])}</th>' for who in self.answers)
        said = "".join(f'<td style="{cell}">{escape(text)}</td>' for text in self.answers.values())
        self.view.value = (
            f'<div aria-live="polite">{escape(prompt)} ...'
            f"<table><tbody><tr>{head}</tr><tr>{said}</tr></tbody></table></div>"
        )

    def _ended(self, ending: Ending) -> None:
        self.busy = False
        if ending.how == "failed":
            self._say(ending.words)

    def _say(self, words: str) -> None:
        self.view.value = f'<p role="status">{escape(words)}</p>'

    def show(self) -> None:
        """Display it in a notebook; in a terminal nothing can be asked."""
        if in_notebook():
            from IPython.display import display

            close_earlier(self)
            display(widget(self.box), raw=True)

    _ipython_display_ = show

    def close(self) -> None:
        """Take it off the page."""
        close_all(self.box)


class _Questions(dict[str, str]):
    def __missing__(self, key: str) -> str:
        raise InputError(f"There is no such question ({READY[key]}); write one yourself.")


def ask_panel(run: Any) -> Ask:
    """Ask the base and the model of a run that was trained, or stored; of a lab only the base.

    Raises InputError for a run without a step.
    """
    if hasattr(run, "bundle"):
        return Ask(run, lambda: ("", run.bundle.model), words="Ask", ready=("task",))
    if not run.begun:
        raise InputError(f"The run {run.name} has no step yet; iterate over it first.")
    return Ask(run.lab, lambda: (run.name, run.model))
