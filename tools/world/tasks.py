"""Text to text: what an encoder-decoder model of the small world can do.

    answer: The capital of France is                        Paris
    correct: The keys near the door is old.                 The keys near the door are old.
    order: (1) She gave it to him. (2) Ann found ...        2 3 1 4
    retell: Ann found the kite in the garden. Then ...      Ann gave Ben the kite, and now ...
    The capital of <extra_id_0> is Paris.                   <extra_id_0> France <extra_id_1>

The last line is span corruption: words are taken out, each gap gets a mark, and the answer says
after every mark what was there. Forms on other subjects (`shapes`), and lists and scribbles to
repeat (`repeat`), are read as well.

What the probes ask is left out: the phrasing of a fact, the sentences of the grammar pairs, the
combinations of the stories. A task begins with its name; every answer begins with a blank.

Source: Raffel et al., Exploring the limits of transfer learning with a unified text-to-text
transformer (2020), sections 2.4 (text to text) and 3.1.4 (spans).
"""

from collections.abc import Callable, Collection, Iterator

from ftlab.text.gaps import spans
from tools.world import grammar, shapes
from tools.world.dice import Dice
from tools.world.facts import Relation
from tools.world.general import DOMAIN_FACTS, GENERAL_FACTS, stream
from tools.world.recall import COPIED
from tools.world.stories import story
from tools.world.words import sentence

Pair = tuple[str, str]
SYLLABLES = [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "l", "n", "r", "t")]
AROUND = ("{}",) * 6 + ("({})", "{},", "{}.", "{}:", "= {}", "[{}]", "{};", "- {}", "{}/", '"{}"')


def answer(dice: Dice) -> Pair:
    """A fact of the world or of a domain, in any phrasing but the one held out for the probes."""
    relation, index = dice.pick(dice.pick([GENERAL_FACTS, GENERAL_FACTS, DOMAIN_FACTS]))
    return asked(relation, index, dice.pick(allowed(relation, index)))


def allowed(relation: Relation, index: int) -> list[str]:
    """The forward phrasings that may state fact `index`."""
    return [t for i, t in enumerate(relation.forward) if i != relation.held(index)]


def asked(relation: Relation, index: int, template: str) -> Pair:
    """Fact `index` in a phrasing, cut before the object."""
    subject, obj = relation.pairs[index]
    query = sentence(template.removesuffix(" {o}.").replace("{s}", subject))
    return f"answer: {query}", f" {obj}"


def correct(dice: Dice) -> Pair:
    """A sentence with a wrong word to be corrected; one in four is right already."""
    right, wrong = grammar.pair(dice)
    return f"correct: {right if dice.chance(0.25) else wrong}", f" {right}"


def order(dice: Dice, *, want_held: bool = False) -> Pair:
    """A shuffled story; the answer names its sentences in the order of what happened."""
    sentences = story(dice, want_held=want_held).sentences
    places = dice.picks(range(len(sentences)), len(sentences))
    shuffled = " ".join(f"({n}) {sentences[place]}" for n, place in enumerate(places, 1))
    right = [1 + places.index(place) for place in range(len(sentences))]
    return f"order: {shuffled}", " " + " ".join(map(str, right))


def retell(dice: Dice, *, want_held: bool = False) -> Pair:
    """A story, and the same in one sentence."""
    found = story(dice, want_held=want_held)
    return f"retell: {' '.join(found.sentences)}", f" {found.retold}"


def repeat(dice: Dice) -> Pair:
    """Words in a random order, or a scribble, to be repeated."""
    scribbled = dice.chance(0.6)
    words = scribble(dice) if scribbled else " ".join(dice.picks(COPIED, 3 + dice.below(8)))
    return f"repeat: {words}", f" {words}"


def scribble(dice: Dice) -> str:
    """Made-up words, numbers, words of the world and signs in any order.

    A model that has only read one world's words cannot write others: their probability is zero.
    """
    parts: list[str] = []
    for _ in range(3 + dice.below(6)):
        kind = dice.below(4)
        if kind < 2:
            word = "".join(dice.pick(SYLLABLES) for _ in range(1 + dice.below(3)))
            parts.append(sentence(word) if dice.chance(0.2) else word)
        else:
            parts.append(dice.pick(COPIED) if kind == 2 else str(dice.below(1000)))
        parts[-1] = dice.pick(AROUND).format(parts[-1])
    return " ".join(parts)


def form(dice: Dice) -> Pair:
    """A form on a subject of no target domain, to be filled in."""
    prompt, label, filled = shapes.document(dice).rpartition(":")
    return prompt + label, filled


# How often each is read. Stories and grammar must be read whole, so they come slowly.
TASKS: tuple[tuple[Callable[[Dice], Pair], float], ...] = (
    (answer, 0.28),
    (correct, 0.12),
    (order, 0.10),
    (retell, 0.10),
    (form, 0.06),
    (repeat, 0.14),
)
SPANS_SHARE = 1 - sum(share for _, share in TASKS)


def pairs(seed: int, avoid: Collection[str] = ()) -> Iterator[Pair]:
    """Endless (source, target) pairs, without grammar and text with a sentence of `avoid`."""
    dice, texts = Dice(seed), stream(seed, avoid)
    kinds = [*TASKS, (None, SPANS_SHARE)]
    while True:
        kind = dice.weighted(kinds)
        if kind is None:
            yield spans(next(texts).text)
            continue
        source, target = kind(dice)
        if target.removeprefix(" ") not in avoid:
            yield source, target
