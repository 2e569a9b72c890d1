"""The wider text: what a model brings along beyond facts and grammar, so that it can be taught.

    meanings    what words mean: strong and growing matters more than weak and fading
    notes       forms on other subjects, in many formats, some labels from two things together
    plainly     rules said simply, numbers in figures
    ledger      the words and facts of a fourth domain

A stream of its own beside `general.stream`, whose bytes it leaves as they are; a recipe says which
share of the documents comes from here (`Recipe.wider`).
"""

from collections.abc import Collection, Iterator
from functools import partial

from tools.pretrain.wider import meanings, notes, plainly
from tools.world import ledger
from tools.world.dice import Dice
from tools.world.facts import all_facts
from tools.world.general import Document, Mixture, many, written
from tools.world.streams import reserved

SEED = 5
LEDGER_FACTS = all_facts((ledger.KNOWLEDGE, ledger.MEANINGS))


def _ledger_fact(dice: Dice) -> str:
    relation, index = dice.pick(LEDGER_FACTS)
    return relation.state(dice, index)


def _comparison(dice: Dice) -> str:
    return meanings.comparison(dice, dice.pick(meanings.SCALES))


STRENGTH, REACH, COST = (
    many(partial(meanings.consequence, scale=scale), 4) for scale in meanings.SCALES
)
COMPARISONS, DUTIES = many(_comparison, 3), many(meanings.duty, 3)
NOTE_FACTS, RULE_FACTS = many(notes.fact, 4), many(plainly.fact, 4)
LEDGER_TEXT, LEDGER_MENTIONS = many(_ledger_fact, 4), many(ledger.mention, 3)

KINDS: Mixture = (
    (STRENGTH, 0.08),
    (REACH, 0.08),
    (COST, 0.08),
    (COMPARISONS, 0.05),
    (DUTIES, 0.05),
    (notes.document, 0.24),
    (NOTE_FACTS, 0.06),
    (plainly.rule, 0.14),
    (RULE_FACTS, 0.05),
    (plainly.figures, 0.03),
    (LEDGER_TEXT, 0.10),
    (LEDGER_MENTIONS, 0.04),
)


def stream(seed: int, avoid: Collection[str] = (), kinds: Mixture = KINDS) -> Iterator[Document]:
    """Documents of the wider text without end, but for those with a sentence of `avoid` in them."""
    return written(Dice(seed), kinds, avoid)


def wider_stream(seed: int = SEED) -> Iterator[Document]:
    """The wider text, with nothing in it that a probe asks."""
    return stream(seed, reserved())


def mixed(
    general: Iterator[Document], wider: Iterator[Document], share: float, seed: int
) -> Iterator[Document]:
    """General documents, but a `share` of all of them from the wider text."""
    dice = Dice(seed)
    while True:
        yield next(wider if share and dice.chance(share) else general)
