"""Positions of the explorer's sliders: which are the same, and which are refused.

Run: pytest tests/explorer/test_settings.py
"""

import dataclasses

import pytest

from ftlab.base.errors import InputError
from ftlab.explorer.live import method_of
from ftlab.explorer.settings import PRESETS, Settings


def test_settings_that_train_the_same_are_the_same():
    article = Settings(ranks=(0, 8, 16))
    assert article.key == dataclasses.replace(article, alphas="fixed").key
    assert article.key != dataclasses.replace(article, ranks=(0, 4, 16), alphas="fixed").key
    assert Settings(naive=True, ranks=(1, 2, 3)).key == Settings(naive=True, targets="ff").key
    assert Settings(naive=True, frozen=3).key != Settings(naive=True).key
    assert article.key == dataclasses.replace(article, frozen=3).key
    assert article.scales == (0, 2, 2)
    assert dataclasses.replace(article, alphas="4r").scales == (0, 4, 4)
    assert Settings(ranks=(0, 0, 0), head=True, targets="ff").key == (
        Settings(ranks=(0, 0, 0), head=True).key
    )
    assert article.differs(dataclasses.replace(article, lr=1e-3, seed=2)) == (
        "lr 0.001 in place of 0.003",
        "seed 2 in place of 0",
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"targets": "keys"}, "qv, qkvo, ff, all"),
        ({"ranks": (8, 8)}, "ranks="),
        ({"ranks": (8, 8, -1)}, "whole numbers from 0"),
        ({"lr": 0.0}, "above 0"),
        ({"steps": 0}, "above 0"),
        ({"frozen": 12}, "0 to 11"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        Settings(**wrong)


def test_the_articles_table_is_the_articles():
    method = method_of(PRESETS["the article's table"])
    assert method.ranks == {"7-9": 8, "10-12": 16}
    assert method.alphas == {"7-9": 16.0, "10-12": 32.0}
    assert method.targets == ("q", "v") and not method.head


def test_nothing_that_moves_cannot_be_trained():
    with pytest.raises(InputError, match="the head is still"):
        method_of(Settings(ranks=(0, 0, 0)))
