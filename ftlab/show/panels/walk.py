"""Notebook 09's way back: a slider from the base to a trained model, and what it says there.

    walk_panel(places, expected=answers).show()         with the slider
    walk_outcome(0.5, places=places, expected=answers)  one picture of it

`places`: by a (0 the base, 1 the trained model) what was measured, and under "said" the answer to
each prompt. Between two places nothing is drawn: the slider stops at those that were measured.

Run the tests: pytest tests/show/test_walk_panel.py
"""

from collections.abc import Mapping
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.shares import percent
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.labels import Label, end_labels
from ftlab.show.canvas.sheet import Picture, head, panel, percent_axis, write
from ftlab.show.canvas.style import GOOD, INK, MEASURED, SOFT, TEXT, shorten
from ftlab.show.panels.panel import Panel, slider

MISSED = "#A12B2B"


@own_settings()
def walk_outcome(
    a: float, *, places: Mapping[float, Mapping[str, Any]], expected: Mapping[str, str]
) -> Picture:
    """Both measures along the way, with a line at `a`; beside them what the model says there.

    `expected`: the right answer by prompt. Raises InputError for an `a` that was not measured.
    """
    if a not in places:
        measured = ", ".join(f"{place:g}" for place in sorted(places)) or "none"
        raise InputError(f"a={a!r:.20} was not measured; choose from {measured}.")
    here, order = places[a], sorted(places)
    figure = Picture(9.9, 3.6)
    axes = panel(figure, 0.66, 0.62, 3.2, 2.3)
    percent_axis(axes)
    axes.set_ylim(-0.03, 1.08)
    axes.axvline(a, color=INK, linewidth=1.2)
    words = [f"{mark.label} {percent(here[key])}" for key, mark in MEASURED.items()]
    for key, mark in MEASURED.items():
        look: dict[str, Any] = {"color": mark.colour, "marker": mark.marker}
        axes.plot(order, [places[p][key] for p in order], markersize=4, **look)
        axes.plot([a], [here[key]], markersize=10, clip_on=False, **look)
    axes.set_xlabel("a: 0 is the base, 1 the trained model")
    head(axes, f"a = {a:g}: {' and '.join(words)}", "higher is better")
    last, end = order[-1], places[order[-1]]
    end_labels(axes, [Label(last, end[k], m.label, m.colour) for k, m in MEASURED.items()])
    said = [
        (prompt, here["said"][prompt].strip(), right.strip()) for prompt, right in expected.items()
    ]
    write(figure, 5.1, 3.2, "What the model says there", fontsize=TEXT, weight="bold")
    for number, (prompt, answer, right) in enumerate(said):
        top, good = 2.85 - 0.56 * number, answer.startswith(right)
        write(figure, 5.1, top, shorten(prompt.replace("\n", " "), 60), fontsize=TEXT, color=SOFT)
        line = answer.splitlines()[0] if answer else "(nothing)"
        shown = f"{'✓' if good else '✗'} {shorten(line, 56)}"
        write(figure, 5.2, top - 0.22, shown, fontsize=TEXT, color=GOOD if good else MISSED)
    rights = sum(answer.startswith(right) for _, answer, right in said)
    figure.alt = (
        f"At a = {a:g} the model has {' and '.join(words)}; {rights} of {len(said)} answers shown "
        "are right."
    )
    return figure


def walk_panel(places: Mapping[float, Mapping[str, Any]], *, expected: Mapping[str, str]) -> Panel:
    """A slider over the places that were measured. Raises InputError where there are none."""
    if not places:
        raise InputError("No place on the way was measured; measure some, such as a = 0, 0.5, 1.")
    stops = [(f"{a:g}", a) for a in sorted(places)]
    controls = {"a": slider("a, from base to trained", stops, max(places))}
    return Panel(controls, lambda a: walk_outcome(a, places=places, expected=expected))
