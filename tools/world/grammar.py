"""Grammar: right sentences for the text, and minimal pairs that differ in one word.

A pair is (right, wrong). The wrong sentence is the right one with one word swapped, so what is
asked is which of two nearly equal sentences the model finds likelier. Kinds, with the distractor
that makes each a question of structure and not of neighbouring words:

    agreement   The keys near the door are old.      (a singular noun stands next to the verb)
    reflexive   The girl near the boys saw herself.  (a plural noun stands next to the verb)
    determiner  Ann bought these small lamps.        (an adjective stands between)
    licensing   No farmer has ever seen the sea.     (ever needs no)
    case        She helped him on Monday.
    tense       Yesterday the farmer walked home.
    quantifier  Tom has much milk / many cups.
    question    Do the old farmers sing?

In every kind both words of the swap are right equally often, so that no word's frequency gives
the answer away.
"""

from tools.world.dice import Dice
from tools.world.words import (
    DAYS,
    HUMAN_ADJECTIVES,
    HUMAN_NOUNS,
    MEN,
    OBJECT_ADJECTIVES,
    OBJECT_NOUNS,
    PEOPLE,
    WOMEN,
    sentence,
)

NEAR = ["near", "behind", "beside", "under", "above", "opposite"]
VERBS = ["walk", "wait", "smile", "listen", "laugh", "work", "rest", "shout", "jump", "climb"]
PAST = [verb + "ed" if verb[-1] != "e" else verb + "d" for verb in VERBS]
WITH_OBJECT = ["saw", "helped", "praised", "blamed", "hurt", "defended"]
MASS = ["milk", "water", "sand", "bread", "sugar", "butter", "rice", "flour"]

Pair = tuple[str, str]


def _swap(template: str, right: str, wrong: str) -> Pair:
    return sentence(template.replace("*", right)), sentence(template.replace("*", wrong))


def agreement(dice: Dice) -> Pair:
    number = dice.below(2)  # 0 singular, 1 plural
    nouns, adjectives = dice.pick(
        [(HUMAN_NOUNS, HUMAN_ADJECTIVES), (OBJECT_NOUNS, OBJECT_ADJECTIVES)]
    )
    head = dice.pick(nouns)[number]
    near = f"{dice.pick(NEAR)} the {dice.pick(OBJECT_NOUNS)[1 - number]}"
    verbs = dice.pick([("is", "are"), ("was", "were")])
    template = f"the {head} {near} * {dice.pick(adjectives)}."
    return _swap(template, verbs[number], verbs[1 - number])


def reflexive(dice: Dice) -> Pair:
    verb = dice.pick(WITH_OBJECT)
    if dice.chance(0.5):  # number, across a noun of the other number
        number = dice.below(2)
        head, other = dice.pick(HUMAN_NOUNS)[number], dice.pick(HUMAN_NOUNS)[1 - number]
        words = ("himself", "themselves")
        template = f"the {head} {dice.pick(NEAR)} the {other} {verb} *."
        return _swap(template, words[number], words[1 - number])
    number = dice.below(2)  # gender
    template = f"{dice.pick((MEN, WOMEN)[number])} {verb} * on {dice.pick(DAYS)}."
    words = ("himself", "herself")
    return _swap(template, words[number], words[1 - number])


def determiner(dice: Dice) -> Pair:
    number = dice.below(2)
    words = dice.pick([("this", "these"), ("that", "those")])
    noun, adjective = dice.pick(OBJECT_NOUNS)[number], dice.pick(OBJECT_ADJECTIVES)
    verb = dice.pick(["bought", "sold", "cleaned", "moved", "mended"])
    template = f"{dice.pick(PEOPLE)} {verb} * {adjective} {noun} on {dice.pick(DAYS)}."
    return _swap(template, words[number], words[1 - number])


def licensing(dice: Dice) -> Pair:
    noun = dice.pick(HUMAN_NOUNS)[0]
    start, word, wrong = dice.pick([("no", "ever", "already"), ("every", "already", "ever")])
    end = dice.pick(["seen the sea", "met the king", "heard this song", "been to the tower"])
    return _swap(f"{start} {noun} has * {end}.", word, wrong)


def case(dice: Dice) -> Pair:
    words = dice.pick([("he", "him"), ("she", "her"), ("they", "them"), ("we", "us")])
    verb, day = dice.pick(WITH_OBJECT), dice.pick(DAYS)
    if dice.chance(0.5):
        return _swap(f"on {day} * {verb} the {dice.pick(HUMAN_NOUNS)[0]}.", *words)
    return _swap(f"on {day} the {dice.pick(HUMAN_NOUNS)[0]} {verb} *.", words[1], words[0])


def tense(dice: Dice) -> Pair:
    i = dice.below(len(VERBS))
    noun = dice.pick(HUMAN_NOUNS)[0]
    past, now = PAST[i], VERBS[i] + "s"
    place = dice.pick(["in the garden", "at the station", "near the bridge", "by the harbour"])
    if dice.chance(0.5):
        return _swap(f"yesterday the {noun} * {place}.", past, now)
    return _swap(f"every day the {noun} * {place}.", now, past)


def quantifier(dice: Dice) -> Pair:
    name, day = dice.pick(PEOPLE), dice.pick(DAYS)
    if dice.chance(0.5):
        return _swap(f"on {day} {name} needs * {dice.pick(MASS)}.", "much", "many")
    return _swap(f"on {day} {name} needs * {dice.pick(OBJECT_NOUNS)[1]}.", "many", "much")


def question(dice: Dice) -> Pair:
    number = dice.below(2)
    words = ("does", "do")
    noun, adjective = dice.pick(HUMAN_NOUNS)[number], dice.pick(HUMAN_ADJECTIVES)
    template = f"when * the {adjective} {noun} {dice.pick(VERBS)}?"
    return _swap(template, words[number], words[1 - number])


KINDS = (agreement, reflexive, determiner, licensing, case, tense, quantifier, question)


def pair(dice: Dice) -> Pair:
    """A minimal pair of any kind."""
    return dice.pick(KINDS)(dice)
