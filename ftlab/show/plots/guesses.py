"""A room's guesses, a strip for each question, with what was measured across it."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.sheet import Picture, panel, write
from ftlab.show.canvas.style import GOOD, PREDICTION, SOFT

HIGH, LEFT, WIDE = 0.95, 0.5, 8.0
STEP = 0.16


@own_settings()
def guesses(questions: Sequence[Any]) -> Picture:
    """`questions`: with `text`, `guesses`, `measured`, `ends` and `told()`, as in a `Room`.

    Dots that would cover each other are stacked.
    """
    figure = Picture(9.0, HIGH * max(len(questions), 1) + 0.3, title="The room's guesses")
    for place, question in enumerate(questions):
        bottom = HIGH * (len(questions) - place) - 0.55
        axes = panel(figure, LEFT, bottom, WIDE, 0.32)
        low, high = question.ends
        edge = 0.02 * (high - low)
        axes.set(xlim=(low - edge, high + edge), ylim=(-0.4, 1), yticks=[])
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        seen: Counter[float] = Counter()
        for guess in sorted(question.guesses):
            near = round(60 * (guess - low) / (high - low))
            height = min(STEP * seen[near], 1)
            axes.plot(guess, height, "o", color=PREDICTION, markersize=6, alpha=0.7, clip_on=False)
            seen[near] += 1
        if question.measured:
            axes.axvline(median(question.measured), color=GOOD, linewidth=3)
        write(figure, LEFT, bottom + 0.5, question.text)
        write(figure, LEFT + WIDE, bottom + 0.5, question.told(), color=SOFT, ha="right")
    told = (f"{q.text} {q.told()}." for q in questions)
    figure.alt = f"Each question's guesses as dots, the result as a line. {' '.join(told)}"
    return figure
