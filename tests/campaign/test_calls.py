"""Bad values for every parameter of every public function, class and method.

What is wrong for a parameter follows from its annotation (`wrong`), and from what it means
(`MEANT`, `RANGE`); all others get a value that is right (`Bench`). What is new and has no right
values here fails, as does whatever ends in a traceback or is taken without a word.

pytest tests/campaign/test_calls.py
"""

import inspect
import types
import typing
from collections import Counter, abc
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.campaign.bench import KINDS, LEFT, RANGE, TAKEN, Bench, meant
from tests.campaign.public import surface
from tests.campaign.verdicts import WHOLE, Tally, judged, tell

SURFACE = surface()
EXAMPLES = 40 if WHOLE else 6
TALLY = Tally("calls")


def kinds(hint: Any, function: Any) -> set[str]:
    """What an annotation takes, of KINDS; none where it does not say."""
    if isinstance(hint, str):
        with suppress(NameError):  # what only an editor loads
            return kinds(eval(hint, inspect.unwrap(function).__globals__), function)
        return {"another", "none"}
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return kinds(args[0], function)
    if origin in (typing.Union, types.UnionType):
        each = [kinds(one, function) for one in args]
        return set().union(*each) if all(each) else set()
    if origin is typing.Literal:
        return {"none"} if None in args else {"one of"}
    if hint is float:
        return {"int", "float"}
    simple = {int: "int", str: "text", bool: "bool", None: "none", types.NoneType: "none"}
    if hint in simple:
        return {simple[hint]}
    if hint in (Any, object, inspect.Parameter.empty):
        return set()
    if origin is abc.Callable:
        return {"function", "class"}
    made = origin or hint
    if inspect.isclass(made) and issubclass(made, abc.Mapping):
        return {"dict"}
    if inspect.isclass(made) and issubclass(made, abc.Iterable) and origin:
        return {"list"}
    return {"another"}


def wrong(taken: set[str]) -> st.SearchStrategy[Any]:
    """What no such parameter takes; lists and dicts of bare objects are never right."""
    return st.one_of(*(KINDS[kind] for kind in KINDS if kind not in taken - {"list", "dict"}))


def bad(name: str, function: Any) -> st.SearchStrategy[tuple[str, Any]]:
    """(parameter, a value that is bad for it) of a function or class."""
    ways = []
    for key, one in parameters(function).items():
        taken = meant(name, key, kinds(one.annotation, function))
        if taken and "anything" not in taken:
            ways.append(st.tuples(st.just(key), wrong(taken)))
        for values in (RANGE.get(key, []), RANGE.get(f"{name}.{key}", [])):
            ways += [st.tuples(st.just(key), st.sampled_from(values))] if values else []
    return st.one_of(*ways) if ways else st.nothing()


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(function).parameters.items()
    return {key: one for key, one in found if one.kind not in several and key != "self"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def left(name: str) -> bool:
    return name in LEFT or name.rpartition(".")[0] in LEFT


def test_every_public_function_is_thrown_at_or_named_with_a_reason() -> None:
    rest = [n for n, thing in SURFACE.items() if parameters(thing) and n not in THROWN]
    assert not [name for name in rest if not left(name)], "give values in bench.py, or a reason"
    assert all(name in SURFACE or f"{name}." in " ".join(SURFACE) for name in LEFT)


THROWN = [n for n, thing in SURFACE.items() if not left(n) and not bad(n, thing).is_empty]


@pytest.mark.parametrize("name", THROWN)
def test_a_bad_value_is_one_sentence(name: str, bench: Bench) -> None:
    function = SURFACE[name]
    tally = Tally(name)

    @settings(max_examples=EXAMPLES, database=None)
    @given(bad(name, function))
    def throw(case: tuple[str, Any]) -> None:
        key, value = case
        if repr(value) in map(repr, TAKEN.get((name.removeprefix("teach."), key), ())):
            return
        call = partial(bench.call, name, function, key, value)
        tally.add(f"{name}({key}={value!r:.60})", judged(call))

    throw()
    TALLY.counts += tally.counts
    tally.close()


def test_enough_was_thrown() -> None:
    tell("calls", TALLY.counts | Counter(tried=TALLY.counts.total()))
    assert TALLY.counts.total() >= 500
