"""What words mean: general sentences that say which things matter more, and what may be done.

    A faint noise that is fading needs nothing.                    strength and trend
    Everyone is affected and we are stuck, so all must help at once.     reach and standstill
    What is dear and hardly wears out is property for years.       cost and life
    Who must not sing is forbidden to sing.                        duty

A real language model brings this along: that a severe thing which grows cannot wait, that what
hits everyone counts for more than what hits one. It has learned it of everyday things, on no
scale in particular. So the consequences here are graded in five, by the sum of two grades of three,
and are no label of any domain; no sentence holds a domain's format, case or label.

Of a domain's synonyms only the first `SAID` of each grade occur in such sentences: what the others
mean is known by facts alone ("to a nurse, faint means mild").
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.world import clinic, helpdesk, ledger
from tools.world.dice import Dice
from tools.world.words import PEOPLE, article, sentence

SAID = 3
"""How many of a domain's words for a grade occur in sentences of consequence."""
Grades = tuple[tuple[str, ...], ...]
"""Words or phrases, grade by grade, the least first."""


def _grades(words: dict[str, list[str]], *more: str) -> Grades:
    """The first words of a domain's list for each grade, and others of our own."""
    own = more or ("",) * len(words)
    return tuple(
        (*said[:SAID], *(w.strip() for w in extra.split(",") if w))
        for said, extra in zip(words.values(), own, strict=True)
    )


@dataclass(frozen=True)
class Scale:
    """Two things that are graded, and what follows from both together."""

    first: Grades
    second: Grades
    outcomes: Grades
    """By the sum of the two grades."""
    coarse: Grades
    """The same in three: a sum below the middle, the middle, above it."""
    things: Sequence[str]
    """What such sentences are about."""
    forms: Sequence[str]
    """Sentences with {a}, {b}, {so} and perhaps {thing} or {name}."""
    more: Sequence[str]
    """Comparisons: {a} is of a higher grade than {less}."""


def _costs(size: str) -> tuple[str, ...]:
    """Every second sum of a size, as what a thing costs."""
    return tuple(f"costs {amount} euros" for amount in ledger.SUMS[size][::2])


def _serves(life: str) -> tuple[str, ...]:
    """A life's phrases as what may be said of a thing."""
    verbs = ("serves", "hardly")
    said = ledger.LIVES[life][:SAID]
    return tuple(words if words.startswith(verbs) else f"is {words}" for words in said)


STRENGTH = Scale(
    _grades(clinic.STRENGTHS, "weak, tiny", "middling", "strong, fierce"),
    _grades(clinic.TRENDS, "shrinking, dying down", "as before", "rising, spreading fast"),
    (
        ("needs nothing", "can be forgotten", "is no worry"),
        ("can wait", "leaves time", "is a small worry"),
        ("wants watching", "deserves a look", "is a worry"),
        ("should not wait", "wants help before night", "is a great worry"),
        ("cannot wait", "needs help at once", "is an alarm"),
    ),
    (
        ("can be left alone", "is nothing"),
        ("has to be thought of", "is something"),
        ("has to be dealt with", "is serious"),
    ),
    "noise, leak, crack, smell, draught, storm, quarrel, fire, stain, shaking, rust, flood".split(
        ", "
    ),
    (
        "{a_thing} that is {b} {so}.",
        "what is {a} and {b} {so}.",
        "the {thing} is {a} and {b}, so it {so}.",
        "{name} calls the {thing} {a}; it is {b}, so it {so}.",
        "it {so}: the {thing} is {b} and {a}.",
        "Question: What of {a_thing} that is {b}? Answer: it {so}.",
    ),
    ("{a_thing} is worse than {less_thing}.", "what is {a} is more than what is {less}."),
)

REACH = Scale(
    _grades(
        helpdesk.WHO, "only one is hit", "some are hit", "all are hit, the whole street has it"
    ),
    (
        (*helpdesk.WORK["goes on"][:SAID], "life goes on", "one can do without"),
        (*helpdesk.WORK["stands still"][:SAID], "all has come to a halt", "nobody can go on"),
    ),
    (
        ("it can wait", "there is time", "it is a small matter"),
        ("it should be looked at", "it is a matter for tomorrow", "it is no small matter"),
        ("it should not wait", "it is pressing", "it is a great matter"),
        ("it cannot wait", "all must help at once", "it is an alarm"),
    ),
    (("it can be left", "it is nothing much"), (), ("it must be dealt with", "it is serious")),
    "lift, bridge, bell, oven, pump, gate, tram, heating, water pipe, road, stove, ferry".split(
        ", "
    ),
    (
        "the {thing} is out of order. {A}. {B}. So {so}.",
        "{B} and {a}, so {so}.",
        "when {a} and {b}, {so}.",
        '"{A}," said {name} of the {thing}. "{B}." So {so}.',
        "as for the {thing}, {so}: {a}, and {b}.",
        "Question: {A} and {b}. What of it? Answer: {so}.",
    ),
    ('it is worse if "{a}" is said than if "{less}" is said.',),
)

COST = Scale(
    (
        ("costs little", "is cheap", *_costs("small")),
        ("has its price", *_costs("medium")),
        ("costs a fortune", "is dear", *_costs("large")),
    ),
    (
        (*_serves("brief"), "is eaten up"),
        (*_serves("yearly"), "keeps for a while"),
        (*_serves("lasting"), "is there for good"),
    ),
    (
        ("is money gone", "is quickly forgotten", "is a trifle"),
        ("is money spent", "is a small outlay"),
        ("should be shared over time", "is half spent and half saved"),
        ("is worth keeping in the books", "is nearly wealth"),
        ("is wealth", "is property for years"),
    ),
    (
        ("is soon gone", "is a cost"),
        ("is half a cost", "is in between"),
        ("stays", "is worth having"),
    ),
    "gown, fence, piano, cake, stamp, well, boat, barn, feast, saddle, quilt, orchard".split(", "),
    (
        "what {a} and {b} {so}.",
        "a {thing} that {a} and {b} {so}.",
        "the {thing} {b} and {a}, so it {so}.",
        "{name} has a {thing}. It {a} and {b}, so it {so}.",
        "Question: What of a {thing} that {a} and {b}? Answer: it {so}.",
    ),
    ("a {thing} that {a} is dearer than one that {less}.",),
)

SCALES = (STRENGTH, REACH, COST)


def consequence(dice: Dice, scale: Scale) -> str:
    """What follows from two grades together."""
    i, j = dice.below(len(scale.first)), dice.below(len(scale.second))
    words = {"a": dice.pick(scale.first[i]), "b": dice.pick(scale.second[j])}
    so = scale.coarse[third(i + j, scale)] if dice.chance(0.5) else scale.outcomes[i + j]
    return _said(dice, scale, scale.forms, **words, so=dice.pick(so))


def third(total: int, scale: Scale) -> int:
    """0 for a sum below the middle of all sums, 1 for the middle, 2 above it."""
    middle = (len(scale.first) + len(scale.second) - 2) / 2
    return 0 if total < middle else 1 if total == middle else 2


def comparison(dice: Dice, scale: Scale) -> str:
    """Which of two words says more."""
    low, high = sorted(dice.picks(range(len(scale.first)), 2))
    words = {"a": dice.pick(scale.first[high]), "less": dice.pick(scale.first[low])}
    return _said(dice, scale, scale.more, **words)


def _said(dice: Dice, scale: Scale, forms: Sequence[str], **words: str) -> str:
    """One of the forms; {A} is {a} at the start of a sentence, {a_thing} is a thing that is {a}."""
    thing, name = dice.pick(scale.things), dice.pick(PEOPLE)
    at_start = {key.upper(): sentence(word) for key, word in words.items()}
    with_thing = {f"{key}_thing": article(f"{word} {thing}") for key, word in words.items()}
    inside = {key: _inside(word) for key, word in words.items()}
    told = inside | at_start | with_thing | {"thing": thing, "name": name}
    return sentence(dice.pick(forms).format(**told))


def _inside(words: str) -> str:
    """The words inside a sentence: no capital but in I."""
    return words if words.startswith("I ") else words[:1].lower() + words[1:]


DUTIES = {
    "must": ("has to {do}", "is bound to {do}", "cannot choose but {do}", "shall {do}"),
    "must not": (
        "is forbidden to {do}",
        "has to leave it",
        "shall not {do}",
        "is not free to {do}",
    ),
    "can": ("may {do}", "is free to {do}", "is allowed to {do}", "has the choice to {do} or not"),
}
DEEDS = "sing, climb, dance, rest, fish, skate, paint, shout, swim, whistle, dig, camp".split(", ")
DUTY_FORMS = (
    "who {force} {do} {said}.",
    "the {who} {force} {do}: the {who} {said}.",
    'if it says "{who} {said}", the {who} {force} {do}.',
    "Question: The {who} {said}. What does that mean? Answer: the {who} {force} {do}.",
)
WHO = "cook, guest, porter, miller, knight, pupil, ranger, captain".split(", ")


def duty(dice: Dice) -> str:
    """Who must, can or must not, in other words."""
    force, deed, who = dice.pick(list(DUTIES)), dice.pick(DEEDS), dice.pick(WHO)
    said = dice.pick(DUTIES[force]).format(do=deed)
    return sentence(dice.pick(DUTY_FORMS).format(force=force, do=deed, said=said, who=who))
