"""How long something takes, in pictures: a test that counted seconds would fail on a busy machine.

    in_pictures(lambda: panel.set(rate=1e-3))      1.5: as long as one and a half simple pictures

Both are counted in processor time of this thread, one beside the other, so that a machine that is
slower, or busy, is so for both.
"""

from collections.abc import Callable, Iterable
from statistics import median
from time import thread_time
from typing import Any

from ftlab.show import png
from ftlab.show.canvas.sheet import Picture, panel


def in_pictures(*actions: Callable[[], Any]) -> float:
    """The median of what the actions take, in simple pictures drawn before, amid and after them."""
    _simple()  # the first one loads fonts
    half = len(actions) // 2
    pictures = [_seconds(_simple)]
    took = [_seconds(action) for action in actions[:half]]
    pictures.append(_seconds(_simple))
    took += [_seconds(action) for action in actions[half:]]
    pictures.append(_seconds(_simple))
    return median(took) / median(pictures)


def moves(control: Any, stops: Iterable[Any]) -> list[Callable[[], None]]:
    """The actions that move a control to each stop."""
    return [lambda stop=stop: setattr(control, "value", stop) for stop in stops]


def _seconds(action: Callable[[], Any]) -> float:
    began = thread_time()
    action()
    return thread_time() - began


def _simple() -> None:
    """Two panels with an axis each and a line: about what any picture here needs."""
    figure = Picture(9.0, 4.0)
    for left in (0.7, 5.2):
        panel(figure, left, 0.6, 3.5, 2.5).plot([0, 1, 2], [0, 1, 0])
    figure.alt = "A line that rises and falls."
    png(figure)
