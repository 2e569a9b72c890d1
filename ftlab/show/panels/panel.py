"""Panels: a few controls over one picture, redrawn whenever a control moves.

    Panel(controls, draw)          `draw(**values)` is a pure function from the values to a figure
    block_panel(weight)            notebook 06: table of levels and block size

Notable choices: core ipywidgets that exist in 7.7 (Colab) and 8; the picture is an `<img>` with
alt text in an HTML widget, and its sentence stands under it as text; a slip (InputError) appears
in the panel as a sentence, and the last picture stays, faded. Below the panel, and hidden while it
is alive (`access`), stands its last picture as plain HTML: that is what a stored notebook, GitHub
and a PDF show, and what is left when the kernel is gone. A panel that is shown again by the same
cell closes the one before. Sliders answer when they are let go, or at each stroke of a key: a drag
asks for one picture, not for ten.

The other panels: `schedule_panel` (notebook 02), `freeze_panel` (03), `compare_panel` and
`rank_explorer` (04), `attention_panel` (05), `prune_panel` (08), `sequence_panel` (10).

Run the tests: pytest tests/show/test_panels.py
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from torch import Tensor

from ftlab.base.errors import InputError
from ftlab.show.canvas.html import Drawn, in_notebook, markup
from ftlab.show.canvas.sheet import Picture
from ftlab.show.canvas.style import BAD, rate_text
from ftlab.show.panels.access import access
from ftlab.show.panels.background import loop_here
from ftlab.show.panels.live import widget

AGAIN = "The panel needs a running kernel: run this cell again."
REST = 1.0
"""Seconds without a move after which the notebook's stored picture follows."""
WIDE = {"description_width": "initial"}
LINES = "line-height:1.4;margin:0.4em 0"  # a widget's own lines stand far apart
LOUD = f"{LINES};border-left:4px solid {BAD};padding-left:0.6em"


class Panel:
    """Controls by name, and the picture of their values."""

    def __init__(
        self,
        controls: Mapping[str, Any],
        draw: Callable[..., Picture | Drawn],
        *,
        rows: Mapping[str, Sequence[str]] | None = None,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        """`controls`: widgets with a `value`; `draw` takes those values by the same names.

        `rows`: the names of the controls in each row, by the words before it; all in one row if
        not given. `presets`: buttons by their words, each with the values it sets. `beside`: what
        stands after a control, by the control's name.
        """
        from ipywidgets import HTML, Button, VBox

        self.controls, self._draw, self._waits = dict(controls), draw, False
        self._output: Any = None  # where the notebook stores the last picture
        self._timer: Any = None
        self.figure = draw(**self.values)
        self.view, self.words = HTML(value=_shown(self.figure)), HTML(value="")
        self.buttons = {words: Button(description=words, layout=_auto()) for words in presets or ()}
        lines = [_line("Start from", self.buttons.values())] if presets else []
        for words, names in (rows or {"": list(self.controls)}).items():
            pairs = [(self.controls[name], (beside or {}).get(name)) for name in names]
            lines.append(_line(words, [one for pair in pairs for one in pair if one is not None]))
        self.box = VBox([access(), *lines, self.words, self.view])
        for control in self.controls.values():
            control.observe(self._redraw, names="value")
        for words, values in (presets or {}).items():
            self.buttons[words].on_click(lambda _, values=values: self.set(**values))

    @property
    def values(self) -> dict[str, Any]:
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: Any) -> None:
        """Move several controls, and draw once."""
        self._waits = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._waits = False
        self._redraw()

    def _redraw(self, _change: Any = None) -> None:
        if self._waits:
            return
        try:
            self.figure = self._draw(**self.values)
        except Exception as slip:
            self._refuse(slip)
            if not isinstance(slip, InputError):  # a fault of ours: into the log as well
                raise
            return
        self.words.value, self.view.value = "", _shown(self.figure)
        self.keep()

    def _refuse(self, slip: Exception) -> None:
        """Say it in words, and fade the picture, which is of other values."""
        text = str(slip) if isinstance(slip, InputError) else f"This cannot be drawn: {slip!r}"
        self.words.value = f'<p role="alert" style="{LOUD}">{escape(text)}</p>'
        self.view.value = f'<div style="opacity:0.35">{_shown(self.figure)}</div>'

    @property
    def stored(self) -> str:
        """The picture as it is now, for where no kernel answers."""
        return f'<div class="ftlab-stored"><p>{AGAIN}</p>{_shown(self.figure)}</div>'

    def show(self) -> None:
        """Display it in a notebook; in a terminal print the picture's words."""
        if not in_notebook():
            print(self.figure.alt)
            return
        from IPython.display import display

        close_earlier(self)
        display(widget(self.box), raw=True)
        self._output = display({"text/html": self.stored}, raw=True, display_id=True)

    _ipython_display_ = show  # as the last value of a cell too

    def keep(self) -> None:
        """Have the notebook store the picture as it is, once the controls are at rest."""
        if self._output is None:
            return
        if self._timer:
            self._timer.cancel()
        loop = loop_here()
        self._timer = loop.call_later(REST, self._write) if loop else self._write()

    def _write(self) -> None:
        if self._output is not None:
            self._output.update({"text/html": self.stored}, raw=True)

    def close(self) -> None:
        """Take the controls off the page, and free what they hold; the stored picture stays."""
        self._output = None
        close_all(self.box)


def close_all(box: Any) -> None:
    """Close a widget and all in it, layouts and styles too: each of them is a widget."""
    own = (getattr(box, name, None) for name in ("layout", "style"))
    for child in (*getattr(box, "children", ()), *(part for part in own if part)):
        close_all(child)
    box.close()


_shown_by: dict[str, tuple[str, list[Any]]] = {}  # cell -> the request that ran it, its panels


def close_earlier(shown: Any) -> None:
    """Close what this cell showed before, when it was run before."""
    from IPython.core.getipython import get_ipython

    header: Any = getattr(get_ipython(), "get_parent", dict)()
    cell = header.get("metadata", {}).get("cellId", "")
    count = header.get("header", {}).get("msg_id", "")
    earlier = _shown_by.get(cell)
    if cell and earlier and earlier[0] != count:
        for one in earlier[1]:
            one.close()
        earlier = None
    if cell:
        _shown_by[cell] = count, [*(earlier[1] if earlier else []), shown]


def _shown(figure: Picture | Drawn) -> str:
    return f'{markup(figure)}<p aria-live="polite" style="{LINES}">{escape(figure.alt)}</p>'


def _auto() -> Any:
    from ipywidgets import Layout

    return Layout(width="auto")


def _line(words: str, widgets: Any) -> Any:
    """Widgets side by side after some words, going on below where the page is narrow."""
    from ipywidgets import HBox, Label, Layout

    wide = Layout(width="max-content", min_width="80px")
    before = [Label(value=words, layout=wide)] if words else []
    return HBox([*before, *widgets], layout=Layout(flex_flow="row wrap"))


def slider(words: str, options: Sequence[Any], value: Any) -> Any:
    """A slider over `options`: values, or pairs of (words, value)."""
    from ipywidgets import SelectionSlider

    return SelectionSlider(
        options=options, value=value, description=words, style=WIDE, continuous_update=False
    )


def choice(words: str, options: Sequence[Any], value: Any) -> Any:
    """A list to choose from: values, or pairs of (words, value)."""
    from ipywidgets import Dropdown

    return Dropdown(options=options, value=value, description=words, style=WIDE, layout=_auto())


def rate_slider(words: str, rates: Sequence[float], value: float = 1e-3) -> Any:
    """A slider over learning rates."""
    return slider(words, [(rate_text(rate), rate) for rate in rates], value)


def toggles(words: str, options: Sequence[tuple[str, Any]]) -> Any:
    """Buttons of which one is down: pairs of (words, value), the first at first."""
    from ipywidgets import ToggleButtons

    style = {"button_width": "auto"} | WIDE
    return ToggleButtons(options=options, value=options[0][1], description=words, style=style)


def toggle(words: str, width: int, on: bool, *, down: str = "", up: str = "") -> Any:
    """A button that stays down; `width` in pixels, the icons of either state by their name."""
    from ipywidgets import Layout, ToggleButton

    button = ToggleButton(description=words, value=on, layout=Layout(width=f"{width}px"))

    def draw(_change: Any = None) -> None:
        button.icon = down if button.value else up

    button.observe(draw, names="value")
    draw()
    return button


def block_panel(weight: Tensor) -> Panel:
    """Choose a table of levels and a block size; see the error and the bits on this weight."""
    from ftlab.show.plots.levels import BLOCKS, NAMES, block_sizes, errors_of

    errors = errors_of(weight)  # now, so that a slider answers at once
    controls = {
        "kind": choice("levels", [(name, kind) for kind, name in NAMES.items()], "nf4"),
        "block": slider("weights in a block", BLOCKS, 64),
    }
    return Panel(controls, lambda kind, block: block_sizes(errors, kind, block))
