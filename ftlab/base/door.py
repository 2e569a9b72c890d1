"""One door for what users give: every argument is held against its annotation before any work.

    @checked
    def run(plan: Plan | None = None, *, items: int | None = None) -> ...

    run(items="5")       InputError: items='5' is not possible; give a whole number or None.

What is public is checked by `lazy`, which loads it: functions, those of modules, and classes: what
they are made from and what their public methods are given. NumPy's numbers are taken as Python's,
lists where tuples are asked for; True and False are no numbers, nor are NaN, infinities and what
64 bits do not hold, and a text is no list of texts.
`Annotated[Mapping[str, int], 'ranks by band such as {"7-12": 8}']` says in better words what to
give. What an annotation does not say (a range, a name that must be known) the function checks;
where it says Any, and the function fails over a plain value or an empty list, that one is named.
"""

import collections.abc
import difflib
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from ftlab.base.errors import InputError, first_line

T = TypeVar("T")
PLAIN = {
    int: "a whole number",
    float: "a number",
    str: "a name in quotes",
    bool: "True or False",
    type(None): "None",
}
LARGEST = 2**64


def checked(made: T) -> T:
    """The function or class, its arguments checked: wrong ones raise InputError."""
    if inspect.isclass(made) or inspect.ismodule(made):
        home = made.__name__ if inspect.ismodule(made) else made.__module__
        for name, part in list(vars(made).items()):
            here = inspect.isfunction(part) and (part.__module__ == home or name == "__init__")
            if here and (name == "__init__" or not name.startswith("_")):
                setattr(made, name, _guarded(part, made.__name__ if name == "__init__" else name))
        return made
    return typing.cast(T, _guarded(made, made.__name__)) if inspect.isfunction(made) else made


def _guarded(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    if hasattr(function, "behind_the_door"):
        return function
    signature = inspect.signature(function)
    unsaid = {k for k, one in signature.parameters.items() if _says_nothing(one.annotation)}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as slip:
            raise InputError(_unbound(name, signature, kwargs, str(slip))) from None
        for key, value in bound.arguments.items():
            hint = _hint(signature.parameters[key].annotation, function)
            several = signature.parameters[key].kind in (
                inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
            )  # fmt: skip
            if not several:
                bound.arguments[key] = take(value, hint, key)
            elif isinstance(value, tuple):
                bound.arguments[key] = tuple(take(one, hint, key) for one in value)
            elif isinstance(value, dict) and typing.is_typeddict(of := _unpacked(hint)):
                fields = typing.get_type_hints(of)
                _known(name, [*signature.parameters, *fields], value.keys() - fields.keys())
                bound.arguments[key] = {k: take(v, fields[k], k) for k, v in value.items()}
        try:
            return function(*bound.args, **bound.kwargs)
        except InputError:
            raise
        except (AttributeError, TypeError, LookupError, ValueError, ArithmeticError) as error:
            odd = next((k for k, v in bound.arguments.items() if k in unsaid and _plain(v)), None)
            if odd is None:
                raise
            told = f"{odd}={_shown(bound.arguments[odd])} is not possible in {name}(...)"
            raise InputError(f"{told} ({first_line(error)}); see help({name}).") from error

    vars(call)["behind_the_door"] = True
    return call


def _says_nothing(hint: Any) -> bool:
    return hint is Any or hint is object or Any in get_args(hint)


def _plain(value: Any) -> bool:
    """Is it nothing that a library made, nor holds that?"""
    if isinstance(value, dict | list | tuple):
        return all(map(_plain, value.values() if isinstance(value, dict) else value))
    return type(value) in (object, type, bytes, *PLAIN) or inspect.isbuiltin(value)


def _unpacked(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is typing.Unpack else hint


def _unbound(name: str, signature: inspect.Signature, given: Any, slip: str) -> str:
    names = [n for n in signature.parameters if n != "self"]
    for word in given:
        if word not in names:
            return _unknown(name, names, word)
    missing = slip.replace("missing a required argument: ", "lacks ")
    return f"{name}(...) {missing}; it takes {', '.join(names)}."


def _known(name: str, names: list[str], odd: Any) -> None:
    for word in sorted(odd):
        raise InputError(_unknown(name, [n for n in names if n not in ("self", "sizes")], word))


def _unknown(name: str, names: list[str], word: str) -> str:
    near = difflib.get_close_matches(word, names, n=1)
    mean = f" (did you mean '{near[0]}'?)" if near else ""
    return f"{name}(...) has no argument '{word}'{mean}; it takes {', '.join(names)}."


def _hint(written: Any, function: Callable[..., Any]) -> Any:
    """An annotation as a type; Any where it names what only an editor loads."""
    if not isinstance(written, str):
        return Any if written is inspect.Parameter.empty else written
    try:
        return eval(written, inspect.unwrap(function).__globals__)
    except (NameError, TypeError):
        return Any


def take(value: Any, hint: Any, name: str) -> Any:
    """The value as it is passed on. Raises InputError where it does not fit the annotation."""
    value = _python(value)
    if fits(value, hint):
        return value
    raise InputError(f"{name}={_shown(value)} is not possible; give {told(hint)}.")


def _python(value: Any) -> Any:
    """The value with NumPy's single numbers as Python's, inside dicts, lists and tuples too."""
    if type(value) is dict:
        return {_python(k): _python(v) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_python, value))
    single = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if single else value


def _shown(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."


def fits(value: Any, hint: Any) -> bool:
    """Does a value fit an annotation? What cannot be told from it fits."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, args[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in args)
    if origin is Literal:
        return value in args
    if hint in (int, float):
        if isinstance(value, float):
            return hint is float and math.isfinite(value)
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
    if hint is None:
        return value is None
    if origin is collections.abc.Callable:
        return callable(value)
    if inspect.isclass(origin):
        if isinstance(value, str | bytes) or not _is_a(value, origin):
            return False
        if issubclass(origin, collections.abc.Mapping):
            return all(fits(k, args[0]) and fits(v, args[1]) for k, v in value.items())
        if issubclass(origin, tuple) and Ellipsis not in args:
            return len(value) == len(args) and all(map(fits, value, args))
        inside = args and isinstance(value, collections.abc.Collection)
        return not inside or all(fits(one, args[0]) for one in value)
    return not inspect.isclass(hint) or typing.is_typeddict(hint) or _is_a(value, hint)


def _is_a(value: Any, kind: Any) -> bool:
    if kind in (tuple, list):
        return isinstance(value, tuple | list)
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that cannot be looked for
        return True


def told(hint: Any) -> str:
    """What an annotation asks for, in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return str(args[1])
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(told(one) for one in args))
        return f"{', '.join(words[:-1])} or {words[-1]}" if words[1:] else words[0]
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}"
    if hint is None or hint in PLAIN:
        return PLAIN[type(None) if hint is None else hint]
    if origin is collections.abc.Callable:
        return "a function"
    if inspect.isclass(origin):
        if issubclass(origin, collections.abc.Mapping):
            return "a dict"
        if issubclass(origin, collections.abc.Iterable):
            return f"a list, each {told(args[0])}"
        return f"a {origin.__name__}"
    return f"a {getattr(hint, '__name__', hint)}"
