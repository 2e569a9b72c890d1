"""Copies are found by thirteen words in a row, and a shared instruction is none.

pytest tests/datasets/test_overlap.py
"""

from ftlab.datasets.overlap import COMMON, WORDS, copied


def row(text: str) -> dict[str, str]:
    return {"prompt": text, "answer": " yes"}


def text(first: int, count: int) -> str:
    return " ".join(f"w{n}" for n in range(first, first + count))


def test_thirteen_words_in_a_row_are_a_copy_twelve_are_none() -> None:
    train = [row(text(0, 40))]
    same = row(f"Other words, {text(5, WORDS).upper().replace(' ', ', ')}!")
    assert copied(train, [same, row("x " + text(5, WORDS - 1) + " x"), row("short")]) == [same]


def test_what_many_training_items_share_is_no_copy() -> None:
    shared = text(0, 20)
    for count, found in ((COMMON, 1), (COMMON + 1, 0)):
        train = [row(f"{shared} {n}") for n in range(count)]
        assert len(copied(train, [row(f"{shared} new")])) == found
