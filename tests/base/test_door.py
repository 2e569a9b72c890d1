"""What users give is held against annotations before any work. pytest tests/base/test_door.py"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Unpack

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ftlab
from ftlab.base.door import checked, fits, told
from ftlab.base.errors import InputError
from ftlab.methods import LoRA

ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()),
    st.dictionaries(st.text(), st.integers()), st.tuples(st.text()),
)  # fmt: skip


FIVE: Any = np.int64(5)


class Sizes(TypedDict, total=False):
    items: int


@checked
def asked(
    count: int | None = None,
    rate: float = 0.1,
    names: Sequence[str] = (),
    ranks: Annotated[Mapping[str, int], 'ranks such as {"a": 1}'] = {},
    way: Literal["up", "down"] = "up",
    call: Callable[[], Any] | None = None,
    **sizes: Unpack[Sizes],
) -> dict[str, Any]:
    return {"count": count, "rate": rate, "names": names, "ranks": ranks} | dict(sizes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"count": "5"}, "count='5' is not possible; give a whole number or None."),
        ({"count": True}, "count=True is not possible"),
        ({"count": 5.0}, "give a whole number or None"),
        ({"rate": "x"}, "rate='x' is not possible; give a number."),
        ({"rate": None}, "rate=None"),
        ({"rate": float("nan")}, "rate=nan is not possible; give a number."),
        ({"rate": float("-inf")}, "rate=-inf"),
        ({"count": 2**64}, "count=18446744073709551616"),
        ({"names": b"ab"}, "names=b'ab'"),
        ({"names": "ab"}, "names='ab' is not possible; give a list, each a name in quotes."),
        ({"names": [1]}, r"names=\[1\]"),
        ({"ranks": {"a": 2.5}}, 'give ranks such as {"a": 1}.'),
        ({"ranks": [8]}, 'give ranks such as {"a": 1}.'),
        ({"way": "left"}, "give one of up, down."),
        ({"call": 3}, "give a function or None."),
        ({"items": "x"}, "items='x' is not possible; give a whole number."),
        ({"item": 3}, r"has no argument 'item' \(did you mean 'items'\?\); it takes count"),
    ],
)
def test_what_does_not_fit_is_one_sentence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("{", r"\{")) as slip:
        asked(**given)
    assert "\n" not in str(slip.value) and str(slip.value).endswith(".")


def test_what_fits_is_passed_on_and_numpys_numbers_as_pythons() -> None:
    found = asked(FIVE, rate=FIVE / 10, ranks={"a": FIVE}, items=4)
    assert found == {"count": 5, "rate": 0.5, "names": (), "ranks": {"a": 5}, "items": 4}
    assert all(type(v) in (int, float) for v in (found["count"], found["rate"], found["items"]))
    assert asked(rate=1)["rate"] == 1 and asked(names=["a"])["names"] == ["a"]


def test_a_class_checks_what_it_is_made_from_and_its_methods() -> None:
    @checked
    @dataclass(frozen=True)
    class Thing:
        size: int
        where: Path | str = "here"

        def grow(self, by: int) -> "Thing":
            return Thing(self.size + by)

    assert Thing(FIVE).grow(2) == Thing(7)
    with pytest.raises(InputError, match=r"Thing\(...\) lacks"):
        Thing()  # pyright: ignore[reportCallIssue]
    with pytest.raises(InputError, match=r"by=0\.5"):
        Thing(1).grow(0.5)  # pyright: ignore[reportArgumentType]


def test_a_plain_value_over_which_a_function_fails_is_named_and_no_other_fault_is_hidden() -> None:
    @checked
    def deep(model: Any, depth: int = 1) -> Any:
        return model.blocks[depth]

    with pytest.raises(InputError, match=r"model='gpt2' is not possible in deep\(...\)"):
        deep("gpt2")
    with pytest.raises(AttributeError):
        deep(Path())


def test_public_classes_and_the_functions_of_public_modules_are_behind_the_door() -> None:
    with pytest.raises(InputError, match="size='8'"):
        ftlab.methods.Bottleneck(size="8")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="block=None"):
        ftlab.methods.nf4.quantize(torch.ones(64), block=None)  # pyright: ignore


@given(ANY)
def test_whatever_is_given_there_is_one_sentence_or_it_is_taken(value: Any) -> None:
    for make in (
        lambda: ftlab.Plan(steps=value),
        lambda: ftlab.Plan(lr=value),
        lambda: ftlab.Plan(schedule=value),
        lambda: LoRA(value),
        lambda: LoRA(targets=value),
        lambda: ftlab.predict(value, None),
    ):
        try:
            make()
        except InputError as slip:
            assert str(slip).count(". ") <= 1 and len(str(slip)) < 400


@given(ANY)
def test_what_fits_one_type_fits_it_or_another(value: Any) -> None:
    for hint in (int, float, str, Sequence[str], Mapping[str, int], None):
        assert fits(value, hint) <= fits(value, hint | None if hint else None)
        assert told(hint)


def test_every_public_function_is_behind_the_door() -> None:
    with pytest.raises(InputError, match="domain=3"):
        ftlab.open_lab(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="question=3"):
        ftlab.predict(3, None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="give a Verdict"):
        ftlab.verdict_table([ftlab.says("so", decided={"a": "holds"})])  # pyright: ignore
    assert ftlab.open_lab is ftlab.open_lab and ftlab.open_lab.__doc__
