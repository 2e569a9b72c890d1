"""Errors of input, each with a message of one sentence.

`InputError` carries what was given, what is possible and what to do. Jupyter shows that
sentence alone (IPython asks an exception for `_render_traceback_`); the command line prints
it and exits with code 2.
"""


class InputError(ValueError):
    """Input that cannot be used; the message is one sentence a learner can act on."""

    def _render_traceback_(self) -> list[str]:
        return [f"ftlab: {self}"]


class OutOfMemory(InputError):
    """The card is full: a table of what needed the room, and the one change that fits."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def first_line(error: BaseException) -> str:
    """The first line of a library's or the system's message, short enough to quote in ours."""
    text = (
        str(getattr(error, "strerror", None) or error).strip().splitlines()
        or [type(error).__name__]
    )[0]
    return text.rstrip(".:")[:160]
