"""Forms: notes with labels, orders, slips and lists, on subjects of no target domain.

A real language model has read thousands of forms before it is fine-tuned on yours. So has this
one: a colon, a line break, a label that follows from general knowledge, a second label that
follows from two words of the note. None of the domains' subjects or labels occurs here.
"""

from tools.world.dice import Dice
from tools.world.facts import CAPITALS, COLOURS, SYMBOLS, TRADES, YOUNG
from tools.world.words import DAYS, PEOPLE, sentence

LOUD = {"calm": ["silent", "calm", "sleepy"], "lively": ["loud", "wild", "playful"]}
LONG = {"short": ["two", "three", "four"], "long": ["ten", "twelve", "fifteen"]}


def farm(dice: Dice) -> str:
    parent, young = dice.pick(YOUNG.pairs)
    mood = dice.pick(list(LOUD))
    word, day, age = dice.pick(LOUD[mood]), dice.pick(DAYS), 1 + dice.below(20)
    note = dice.pick(
        [
            f"{sentence(word)} {young}, {age} weeks, here since {day}.",
            f"{sentence(young)}, {age} weeks, since {day}, {word}.",
        ]
    )
    return f"Farm note: {note}\nAnimal: {mood}, {parent}"


def travel(dice: Dice) -> str:
    country, capital = dice.pick(CAPITALS.pairs)
    length = dice.pick(list(LONG))
    days, name, day = dice.pick(LONG[length]), dice.pick(PEOPLE), dice.pick(DAYS)
    order = dice.pick(
        [
            f"{name} goes to {capital} on {day} for {days} days.",
            f"{sentence(days)} days in {capital}, from {day}, for {name}.",
        ]
    )
    return f"Trip: {order}\nPlan: {country}, {length}"


def workshop(dice: Dice) -> str:
    tool, trade = dice.pick(TRADES.pairs)
    name, day = dice.pick(PEOPLE), dice.pick(DAYS)
    state = dice.pick(["lost", "found"])
    line = {"lost": "We shall look for it.", "found": "You can have it back."}[state]
    slip = dice.pick(
        [
            f"{name} {state} a {tool} on {day}.",
            f"On {day} a {tool} was {state} by {name}.",
        ]
    )
    return f"Slip: {slip}\nAnswer: {trade}, {state}. {line}"


def store(dice: Dice) -> str:
    metal, sign = dice.pick(SYMBOLS.pairs)
    grams = 1 + dice.below(20)
    size = "large" if grams > 10 else "small"
    return (
        f"Store: {grams} grams of {metal} on {dice.pick(DAYS)}.\nLabel: {sign}. {sentence(size)}."
    )


def paint(dice: Dice) -> str:
    thing, colour = dice.pick(COLOURS.pairs)
    name = dice.pick(PEOPLE)
    return f"Picture: {name} draws {thing}.\nPaint: {colour}. {name} needs {colour} paint."


def document(dice: Dice) -> str:
    """One filled-in form."""
    return dice.pick([farm, travel, workshop, store, paint])(dice)
