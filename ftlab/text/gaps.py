"""Span corruption: words taken out of a text, each gap with a mark, to be filled in by the answer.

    spans("The capital of France is Paris")
    ("The capital of <extra_id_0> is Paris", "<extra_id_0> France <extra_id_1>")

Source: Raffel et al., Exploring the limits of transfer learning with a unified text-to-text
transformer (2020), section 3.1.4.
"""

import random

GAP = "<extra_id_{}>"
GAPS = 16
"""How many different marks there are."""
NOISE = 0.15
"""Share of the words that span corruption takes out."""
LONGEST_SPAN = 3


def spans(text: str, seed: str = "") -> tuple[str, str]:
    """Span corruption of a text by whole words; the text itself and `seed` decide which.

    A text of n words loses about 15 % of them, at least one, in spans of 1 to 3.
    """
    dice, words = random.Random(f"{seed} {text}"), text.split(" ")
    left, gone = max(1, round(NOISE * len(words))), [False] * len(words)
    for _ in range(GAPS):
        if left <= 0:
            break
        length = min(left, dice.randint(1, LONGEST_SPAN))
        start = dice.randrange(len(words) - length + 1)
        if not any(gone[max(0, start - 1) : start + length + 1]):  # gaps do not touch
            gone[start : start + length] = [True] * length
            left -= length
    return _marked(words, gone)


def _marked(words: list[str], gone: list[bool]) -> tuple[str, str]:
    source: list[str] = []
    target: list[str] = []
    count = 0
    for i, word in enumerate(words):
        if gone[i] and (i == 0 or not gone[i - 1]):
            mark, count = GAP.format(count), count + 1
            source.append(mark)
            target.append(mark)
        (target if gone[i] else source).append(word)
    return " ".join(source), " ".join([*target, GAP.format(count)])
