"""Test items whose words stand in the training items too, though no prompt is the same.

Source: Brown et al. (2020), appendix C: 13 words in a row, lower case, without punctuation; what
stands in more than 10 training items (an instruction that all share) does not count.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ftlab.datasets.items import Item

WORDS = 13
"""Words in a row that make a copy."""
COMMON = 10
"""Training items in which such words may stand and still count."""


def copied(train: Iterable[Item], test: Sequence[Item]) -> list[Item]:
    """The test items that share 13 words in a row, rare ones, with a training item."""
    asked = [_runs(item) for item in test]
    wanted = set[str]().union(*asked)
    found = Counter(run for item in train for run in _runs(item) & wanted)
    return [
        item
        for item, runs in zip(test, asked, strict=True)
        if any(0 < found[run] <= COMMON for run in runs)
    ]


def _runs(item: Item) -> set[str]:
    words = re.findall(r"\w+", f"{item['prompt']} {item['answer']}".lower())
    return {" ".join(words[n : n + WORDS]) for n in range(len(words) - WORDS + 1)}
