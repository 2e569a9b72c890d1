"""The general English of the world: what a base model reads before any target domain.

A document is a few sentences of one kind. `stream(seed)` writes documents without end, each with
the generator's own surprisal in nats; sentences and combinations that the probes ask about are
left out (see facts, arithmetic, recall; grammar pairs by `avoid`).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from tools.world import arithmetic, clinic, contracts, grammar, helpdesk, recall, shapes
from tools.world.dice import Dice
from tools.world.facts import GENERAL, all_facts
from tools.world.words import sentence

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
    domain = dice.pick([clinic, helpdesk, contracts])
    return sentence(dice.fill(dice.pick(domain.MENTIONS), domain.SLOTS))


def _grammar(dice: Dice) -> str:
    return grammar.pair(dice)[0]


Mixture = tuple[tuple[Callable[[Dice], str], float], ...]


def many(one: Callable[[Dice], str], most: int) -> Callable[[Dice], str]:
    """Documents of 1 to `most` sentences of one kind."""
    return lambda dice: _sentences(dice, one, most)


FACTS, DOMAIN_FACTS_TEXT, MENTIONS = many(_fact, 4), many(_domain_fact, 4), many(_mention, 3)
GRAMMAR, SUMS = many(_grammar, 4), many(arithmetic.state, 5)

# Kinds of document with their shares. A base model reads them in this order (tools/pretrain):
# general text first; then a stretch in which half of the documents can only be predicted by
# looking back (without it recall never came, see LOG.md); then general text with more of what
# is learned slowly, sums and recall.
MIXTURES: dict[str, Mixture] = {
    "general": (
        (FACTS, 0.23),
        (DOMAIN_FACTS_TEXT, 0.13),
        (MENTIONS, 0.08),
        (GRAMMAR, 0.08),
        (SUMS, 0.16),
        (recall.document, 0.12),
        (recall.restated, 0.06),
        (recall.echo, 0.05),
        (recall.story, 0.03),
        (shapes.document, 0.06),
    ),
    "looking back": (
        (recall.drill, 0.50),
        (recall.restated, 0.10),
        (recall.document, 0.10),
        (FACTS, 0.12),
        (DOMAIN_FACTS_TEXT, 0.06),
        (SUMS, 0.06),
        (MENTIONS, 0.03),
        (shapes.document, 0.03),
    ),
    "slow skills": (
        (FACTS, 0.18),
        (DOMAIN_FACTS_TEXT, 0.12),
        (MENTIONS, 0.08),
        (GRAMMAR, 0.05),
        (SUMS, 0.20),
        (recall.document, 0.16),
        (recall.restated, 0.06),
        (recall.echo, 0.02),
        (recall.drill, 0.04),
        (recall.story, 0.03),
        (shapes.document, 0.06),
    ),
}


def stream(seed: int, avoid: Collection[str] = (), mixture: str = "general") -> Iterator[Document]:
    """Endless documents of a mixture, without those that have a sentence of `avoid` in them."""
    return written(Dice(seed), MIXTURES[mixture], avoid)


def written(dice: Dice, kinds: Mixture, avoid: Collection[str]) -> Iterator[Document]:
    """Documents of these kinds by these dice, but for those with a sentence of `avoid` in them."""
    while True:
        start = dice.nats
        text = dice.weighted(kinds)(dice)
        if avoid and any(part in avoid for part in _parts(text)):
            continue
        yield Document(text, dice.nats - start)


def _parts(text: str) -> list[str]:
    """The sentences of a text, to be looked up among those that the probes ask."""
    marked = text.replace("? ", "?|").replace(". ", ".|")
    return [text, *marked.split("|")]
