"""Self-tests for exercises: a sentence for every mistake, and a notebook that always continues.

    def cosine(step, total):
        return None  # your code

    cosine = ftlab.exercise(
        cosine,
        reference=answers.cosine,
        checks=[("it starts at 1", lambda f: (f(0, 100), 1.0)),
                ("it never rises", lambda f: all(f(i, 9) >= f(i + 1, 9) for i in range(9)))],
        cases=[(0, 100), (50, 100)],
    )

Checks of single properties come first, since they say *what* is wrong; equality with the reference
comes last. In any case a working function is returned: the learner's own if every check passed,
else the reference. So an unfilled stub (it returns None, ... or NotImplemented) prints "not done
yet" and the cells below still run. It must return, not raise: nbval's tag for expected errors
would hide all others. Under FTLAB_STRICT=1 a filled answer that fails raises, so that CI sees a
wrong solution. An answer may also be a plain value: `reference` is then a value, too.
"""

import copy
import html
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

from ftlab.base.errors import InputError
from ftlab.teach.claims import strict

Check = tuple[str, Callable[[Any], Any]]
"""What should be true, and a test of the answer that returns True or False, or (got, expected)."""


class _NotDone(Exception):
    """The stub is still empty."""


@dataclass
class _Answer:
    """The learner's function under test; the first call shows whether it is still a stub."""

    function: Callable[..., Any]
    """What the learner wrote."""
    answered: bool = False
    """True once it returned anything but a blank."""

    def __call__(self, *args: Any) -> Any:
        try:
            result = self.function(*copy.deepcopy(args))  # an answer may modify its input
        except NotImplementedError:
            raise _NotDone from None
        if not self.answered and _blank(result):
            raise _NotDone
        self.answered = True
        return result


def exercise(
    answer: Any,
    *,
    reference: Any,
    checks: Sequence[Check] = (),
    cases: Sequence[tuple] = (),
    hints: Sequence[str] = (),
    tolerance: float = 1e-6,
) -> Any:
    """Test `answer`, print the result line by line, and return what the notebook continues with.

    answer: the learner's function, or a value.
    reference: the solution, of the same kind.
    checks: (sentence, test) pairs; see `Check`. A test gets the answer.
    cases: tuples of arguments for which a function must return what the reference returns. They
        are copied for every call.
    hints: shown folded, until the answer is right.
    tolerance: relative and absolute, for numbers.

    Raises AssertionError under FTLAB_STRICT=1 if a filled answer fails, InputError if there is
    nothing to check.
    """
    if callable(reference) and not (checks or cases):
        raise InputError("This exercise checks nothing; give checks or cases.")
    name = _name(answer, reference)
    try:
        faults = _faults(answer, reference, checks, cases, tolerance)
    except _NotDone:
        print(f"not done yet: {name}. The notebook continues with the reference solution.")
        _show_hints(hints)
        return reference
    if not faults:
        print(f"✓ done: {name}")
        return answer
    print(f"{name} is not right yet. The notebook continues with the reference solution.")
    _show_hints(hints)
    if strict():
        raise AssertionError(f"{name} fails its checks: {'; '.join(faults)}")
    return reference


def _faults(
    answer: Any, reference: Any, checks: Sequence[Check], cases: Sequence[tuple], tolerance: float
) -> list[str]:
    """Run every check, print a line for each, and return the sentences of those that failed."""
    tested: Any = answer
    if callable(reference):
        tested = _Answer(answer if callable(answer) else lambda *_: answer)
    elif _blank(answer):
        raise _NotDone
    lines = [(says, _outcome(test, tested, tolerance)) for says, test in checks]
    lines += _against_reference(tested, reference, cases, tolerance)
    for says, fault in lines:
        print(f"✗ {says}: {fault}" if fault else f"✓ {says}")
    return [f"{says}: {fault}" for says, fault in lines if fault]


def _outcome(test: Callable[[Any], Any], tested: Any, tolerance: float) -> str:
    """What is wrong, as half a sentence; empty if nothing is."""
    try:
        found = test(tested)
        if isinstance(found, tuple) and len(found) == 2:
            got, expected = found
            fault = f"got {_short(got)}, expected {_short(expected)}"
            return "" if same(got, expected, tolerance) else fault
        return "" if bool(found) else "this is not the case"
    except _NotDone:
        raise
    except Exception as error:
        return _in_words(error, getattr(tested, "function", None))


def _against_reference(
    tested: Any, reference: Any, cases: Sequence[tuple], tolerance: float
) -> list[tuple[str, str]]:
    """The last check: equal to the reference, on every case if it is a function."""
    if not callable(reference):
        return [("equal to the reference", _outcome(lambda a: (a, reference), tested, tolerance))]
    for case in cases:
        expected = reference(*copy.deepcopy(case))
        fault = _outcome(lambda f, c=case, e=expected: (f(*c), e), tested, tolerance)
        if fault:
            return [(f"equal to the reference for ({', '.join(map(_short, case))})", fault)]
    inputs = "1 input" if len(cases) == 1 else f"{len(cases)} inputs"
    return [(f"equal to the reference on {inputs}", "")] if cases else []


def same(got: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Equal up to `tolerance`, through lists, dicts, arrays and tensors (shapes must agree).

    NaN equals NaN. A tensor of no dimensions equals the plain number.
    """
    if hasattr(got, "tolist") or hasattr(expected, "tolist"):  # torch and NumPy, unimported
        return _shape(got) == _shape(expected) and same(_plain(got), _plain(expected), tolerance)
    if isinstance(got, Number) and isinstance(expected, Number):
        return _close(got, expected, tolerance)
    if isinstance(got, Mapping) and isinstance(expected, Mapping):
        return got.keys() == expected.keys() and all(
            same(got[key], expected[key], tolerance) for key in expected
        )
    if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(got) == len(expected) and all(
            same(one, other, tolerance) for one, other in zip(got, expected, strict=True)
        )
    return bool(got == expected)


def _close(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(got, complex) or isinstance(expected, complex):
        return abs(got - expected) <= tolerance * max(1.0, abs(expected))
    if math.isnan(got) or math.isnan(expected):
        return math.isnan(got) and math.isnan(expected)
    return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)


def _name(answer: Any, reference: Any) -> str:
    """What to call the exercise: the function's name, the learner's first."""
    names = [getattr(function, "__name__", "<lambda>") for function in (answer, reference)]
    return next((name for name in names if name != "<lambda>"), "the answer")


def _blank(value: Any) -> bool:
    return value is None or value is Ellipsis or value is NotImplemented


def _shape(value: Any) -> tuple[int, ...]:
    if hasattr(value, "shape"):
        return tuple(value.shape)
    if isinstance(value, (list, tuple)):
        return (len(value), *(_shape(value[0]) if value else ()))
    return ()


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _short(value: Any) -> str:
    """A value as learners should see it: short, and without the noise of the last digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _in_words(error: Exception, function: Callable | None) -> str:
    """An exception as half a sentence, with the line of the learner's code that raised it."""
    code = getattr(function, "__code__", None)
    message = " ".join(str(error).split())
    text = f"your code raised {type(error).__name__}" + (f": {message}" if message else "")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code is not None and frame.filename == code.co_filename and frame.lineno:
            line = f": `{frame.line}`" if frame.line else ""
            return f"{text} (line {frame.lineno} of the cell{line})"
    return text


def _show_hints(hints: Sequence[str]) -> None:
    """Show the hints folded in a notebook; elsewhere, where nothing can be folded, show none."""
    try:
        from IPython.core.display import HTML
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ImportError:
        return
    if get_ipython() is None or not hints:
        return
    folded = (
        f"<details><summary>Hint {number}</summary>{html.escape(hint)}</details>"
        for number, hint in enumerate(hints, start=1)
    )
    display(HTML("".join(folded)))
