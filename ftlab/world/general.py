"""The general English of the world: what a base model reads before it meets any target domain.

A document is a few sentences of one kind. `stream(seed)` writes documents without end, each with
the generator's own surprisal in nats; sentences and combinations that the probes ask about are
left out (see facts, arithmetic, recall; grammar pairs by `avoid`).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from ftlab.world import arithmetic, clinic, contracts, grammar, helpdesk, recall, shapes
from ftlab.world.dice import Dice
from ftlab.world.facts import GENERAL, all_facts

DOMAIN_RELATIONS = (
    clinic.KNOWLEDGE,
    clinic.MEANINGS,
    helpdesk.KNOWLEDGE,
    contracts.KNOWLEDGE,
    contracts.PLAIN_WORDS,
)
GENERAL_FACTS = all_facts(GENERAL)
DOMAIN_FACTS = all_facts(DOMAIN_RELATIONS)


@dataclass(frozen=True)
class Document:
    """A text and the generator's surprisal of it, in nats."""

    text: str
    nats: float


def _sentences(dice: Dice, one: Callable[[Dice], str], most: int) -> str:
    return " ".join(one(dice) for _ in range(1 + dice.below(most)))


def _fact(dice: Dice) -> str:
    relation, index = dice.pick(GENERAL_FACTS)
    return relation.state(dice, index)


def _domain_fact(dice: Dice) -> str:
    relation, index = dice.pick(DOMAIN_FACTS)
    return relation.state(dice, index)


def _mention(dice: Dice) -> str:
    return dice.pick([clinic.mention, helpdesk.mention, contracts.mention])(dice)


def _grammar(dice: Dice) -> str:
    return grammar.pair(dice)[0]


# kind of document: (writer, share of the documents)
MIXTURE: tuple[tuple[Callable[[Dice], str], float], ...] = (
    (lambda dice: _sentences(dice, _fact, 4), 0.23),
    (lambda dice: _sentences(dice, _domain_fact, 4), 0.13),
    (lambda dice: _sentences(dice, _mention, 3), 0.08),
    (lambda dice: _sentences(dice, _grammar, 4), 0.08),
    (lambda dice: _sentences(dice, arithmetic.state, 5), 0.16),
    (recall.document, 0.12),
    (recall.restated, 0.06),
    (recall.echo, 0.05),
    (recall.story, 0.03),
    (shapes.document, 0.06),
)


def stream(seed: int, avoid: Collection[str] = ()) -> Iterator[Document]:
    """Documents without end; those that hold a text of `avoid` as a sentence are left out."""
    dice = Dice(seed)
    while True:
        start = dice.nats
        text = dice.weighted(MIXTURE)(dice)
        if avoid and any(part in avoid for part in _parts(text)):
            continue
        yield Document(text, dice.nats - start)


def _parts(text: str) -> list[str]:
    """The sentences of a text, to be looked up among those kept for asking."""
    marked = text.replace("? ", "?|").replace(". ", ".|")
    return [text, *marked.split("|")]
