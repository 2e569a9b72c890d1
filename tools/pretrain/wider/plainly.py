"""House rules said simply, and things copied, named in figures, or put in another order.

    House rule: Within twelve hours the Cook shall not extinguish the lamps.
    Simply: fire. Within 12 hours the cook must not put out the lamps.

To say a rule simply is to copy most of it and to change four things: the stiff verb, shall, the
capital, the number. None of the verbs, persons, things or units is one of the domain `contracts`.
"""

from tools.world.dice import Dice
from tools.world.facts import Relation
from tools.world.words import NUMBER_WORDS, sentence

# what it is about: stiff verb = plain verb
KINDS = {
    "fire": "extinguish=put out, ignite=light, illuminate=light up, kindle=set alight, "
    "incinerate=burn, singe=scorch, smother=choke, quench=cool down",
    "moving": "ascend=go up, descend=go down, depart=go away, traverse=cross, "
    "approach=come near, accompany=go with, hasten=hurry, amble=walk",
    "food": "consume=eat, imbibe=drink, prepare=cook, distribute=share, "
    "masticate=chew, devour=eat up, sample=taste, ladle=pour out",
    "noise": "utter=say, proclaim=call out, vocalise=sing, recite=read out, "
    "bellow=shout, murmur=whisper, converse=talk, inquire=ask",
    "order": "arrange=set out, collect=pick up, discard=throw away, retain=keep, "
    "elevate=lift, allocate=deal out, fasten=tie, enumerate=count",
    "work": "commence=begin, conclude=stop, construct=build, excavate=dig up, "
    "fabricate=make, dismantle=take apart, endeavour=try, assist=help",
}
VERBS = tuple(
    (stiff.strip(), plain.strip(), kind)
    for kind, text in KINDS.items()
    for stiff, plain in (entry.split("=") for entry in text.split(","))
)
PERSONS = "Cook Guest Porter Gardener Pupil Captain Keeper Miller".split()
THINGS = (
    "the lamps, the stove, the gate, the stairs, the soup, the bread, the hymns, the benches, "
    "the tools, the fence, the hay, the candles"
).split(", ")
FORCES = {"shall": "must", "may": "can", "shall not": "must not"}
UNITS = "hours weeks minutes months".split()

ABOUT = Relation(
    "about",
    tuple((stiff, kind) for stiff, _, kind in VERBS),
    (
        "to {s} has to do with {o}.",
        "a rule that says {s} is a rule on {o}.",
        "the verb {s} goes with {o}.",
        "Question: What has {s} to do with? Answer: {o}.",
        "to {s} is a matter of {o}.",
        "the word {s} belongs to {o}.",
    ),
)
SIMPLER = Relation(
    "simpler",
    tuple((stiff, plain) for stiff, plain, _ in VERBS),
    (
        "to {s} is to {o}.",
        "said simply, {s} is {o}.",
        "children do not say {s}, they say {o}.",
        "Question: What is a simpler word for {s}? Answer: {o}.",
        "the simple word for {s} is {o}.",
        "put simply, {s} means {o}.",
    ),
)
FACTS = tuple((relation, n) for relation in (ABOUT, SIMPLER) for n in range(len(VERBS)))


def fact(dice: Dice) -> str:
    """What a stiff verb means, or what it has to do with."""
    relation, index = dice.pick(FACTS)
    return relation.state(dice, index)


ORDERS = (
    "the {who} {force} {do} {what} within {n} {unit}.",
    "within {n} {unit} the {who} {force} {do} {what}.",
    "for {n} {unit} the {who} {force} {do} {what}.",
)
SHORT = ("{kind}: {force} {do}", "{force} {do}, {n} {unit}", "{kind}, {n} {unit}", "{n} {unit}")
HEADINGS = (("House rule", "Simply"), ("Rule", "In other words"), ("Notice", "That is"))
SHORTER = ("In short", "Noted", "Said")


def rule(dice: Dice) -> str:
    """A house rule and the same in plain words, whole or in short, with or without its subject."""
    heading, then = dice.pick(HEADINGS)
    stiff, plain, kind = dice.pick(VERBS)
    force, number = dice.pick(list(FORCES)), 2 + dice.below(19)
    who, order = dice.pick(PERSONS), dice.pick(ORDERS)
    same = {"what": dice.pick(THINGS), "unit": dice.pick(UNITS)}
    said = order.format(who=who, force=force, do=stiff, n=NUMBER_WORDS[number], **same)
    told = {"who": who.lower(), "force": FORCES[force], "do": plain, "n": number, "kind": kind}
    if dice.chance(0.35):
        line, then = dice.pick(SHORT), dice.pick(SHORTER)
        return f"{heading}: {sentence(said)}\n{then}: {line.format(**told, **same)}"
    line = sentence(order.format(**told, **same))
    return f"{heading}: {sentence(said)}\n{then}: {f'{kind}. ' if dice.chance(0.4) else ''}{line}"


COUNTED = "nails pears goats bricks bells chairs stamps ropes".split()


def figures(dice: Dice) -> str:
    """Numbers in words and the same in figures."""
    numbers = [dice.below(21) for _ in range(2 + dice.below(3))]
    things = dice.picks(COUNTED, len(numbers))
    words = ", ".join(f"{NUMBER_WORDS[n]} {t}" for n, t in zip(numbers, things, strict=True))
    figures = ", ".join(f"{n} {t}" for n, t in zip(numbers, things, strict=True))
    return dice.pick(
        [
            f"{sentence(words)}: {figures}.",
            f"In words: {words}.\nIn figures: {figures}.",
            f"Counted {words}.\nList: {figures}",
        ]
    )
