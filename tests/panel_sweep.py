"""Every stop of every control of a panel, moved on the widgets as a hand would."""

import random
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from ftlab.show.panels.panel import Panel


def stops(control: Any) -> list[Any]:
    """All values that a control can take."""
    if isinstance(control.value, bool):
        return [False, True]
    return [value if label else label for label, value in control._options_full]


def sweep(panel: Panel, *names: str) -> Iterator[tuple[str, Any]]:
    """Each control (or those of some names) at each stop, the others where they began; checked."""
    for name in names or panel.controls:
        control = panel.controls[name]
        began = control.value
        for stop in stops(control):
            control.value = stop
            answered(panel)
            yield name, stop
        control.value = began


def sample(panel: Panel, count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`count` random combinations, each set in one go; checked on the way."""
    dice = random.Random(seed)
    for _ in range(count):
        values = {name: dice.choice(stops(control)) for name, control in panel.controls.items()}
        panel.set(**values)
        assert panel.values == values
        answered(panel)
        yield values


def answered(panel: Panel) -> None:
    """A fresh picture with its sentence, or a refusal over the faded last one; never both."""
    assert panel.figure.alt.endswith(".") and not re.search(r"\bnan\b", panel.figure.alt)
    if panel.words.value:
        assert panel.words.value.startswith('<p role="alert"') and "opacity" in panel.view.value
        return
    assert panel.view.value.startswith(f'<img alt="{escape(panel.figure.alt)}"')
    assert "opacity" not in panel.view.value
