"""Notes and labels on subjects of no domain, in many formats; some labels follow from two things.

    Repair note: cellar, a dripping tap. Rising, weak, since Monday.      Garden: slugs ...
    Who: plumber. When: this month                                        crushed shells / try

Who has filled in many forms knows how forms go: a heading, a note whose parts come in any order, a
label that is a known fact, another that follows from two grades of the note. A subject has cases
with their kind (a fact, stated in general sentences too), two things that are graded, and outcomes
by the sum of the grades or, where one of the two decides, by the larger or the smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tools.pretrain.wider.meanings import STRENGTH, Grades
from tools.world.dice import Dice
from tools.world.facts import Relation, pairs
from tools.world.words import DAYS, PEOPLE, PLACES, sentence


def _grades(text: str) -> Grades:
    """Read 'a, b | c, d' as (('a', 'b'), ('c', 'd'))."""
    return tuple(tuple(w.strip() for w in part.split(",")) for part in text.split("|"))


def thirds(i: int, j: int) -> int:
    """Of a sum of two grades of three: below the middle, the middle, above it."""
    return (0, 0, 1, 2, 2)[i + j]


@dataclass(frozen=True)
class Subject:
    """What notes of one subject are made of."""

    headings: tuple[str, ...]
    """What stands before the note."""
    fields: tuple[str, str]
    """What the two labels are called: kind, outcome."""
    cases: Relation
    """What the note is about, with its kind."""
    first: Grades
    second: Grades
    outcomes: tuple[str, ...]
    joined: Callable[[int, int], int] = lambda i, j: i + j
    """From two grades to the place of the outcome."""


def _cases(name: str, text: str, *forward: str) -> Relation:
    return Relation(name, pairs(text), tuple(forward))


REPAIR = Subject(
    ("Repair note", "House", "To mend", "Caretaker"),
    ("Who", "When"),
    _cases(
        "mender",
        """a dripping tap:plumber, a blocked drain:plumber, a cold radiator:plumber,
        a dead socket:electrician, a flickering bulb:electrician, a humming fuse:electrician,
        a loose slate:roofer, a leaking gutter:roofer, a cracked pane:glazier,
        a dull skylight:glazier,
        a sooty chimney:sweep, a smoking hearth:sweep, a stuck lock:locksmith, a bent key:locksmith,
        a creaking stair:joiner, a warped door:joiner""",
        "{s} is mended by the {o}.",
        "for {s} you call the {o}.",
        "the {o} is the one for {s}.",
        "Question: Who mends {s}? Answer: the {o}.",
    ),
    STRENGTH.first,
    STRENGTH.second,
    ("never", "some day", "this month", "tomorrow", "now"),
)
GARDEN = Subject(
    ("Garden", "Plot", "In the beds"),
    ("Cure", "Effort"),
    _cases(
        "cure",
        """slugs:shells, snails:shells, mildew:milk, black spot:milk, greenfly:soap, mites:soap,
        moss:lime, club root:lime, moles:noise, crows:noise, weeds:hoe, thistles:hoe""",
        "against {s} a gardener uses {o}.",
        "{o} helps against {s}.",
        "the cure for {s} is {o}.",
        "Question: What helps against {s}? Answer: {o}.",
    ),
    _grades("one plant, a single plant | some plants, a row | the whole bed, every plant"),
    _grades("months before harvest, long before harvest | weeks before harvest | close to harvest"),
    ("little", "some", "much"),
    thirds,
)
KITCHEN = Subject(
    ("Order", "Kitchen", "Table"),
    ("Course", "Cooks"),
    _cases(
        "course",
        """broth:starter, salad:starter, prawns:starter, roast:main, stew:main, trout:main,
        pudding:dessert, sorbet:dessert, pie:dessert, brie:cheese, cheddar:cheese, feta:cheese""",
        "{s} is served as {o}.",
        "on the menu, {s} stands under {o}.",
        "who wants {s} wants a {o}.",
        "Question: Which course is {s}? Answer: {o}.",
    ),
    _grades("two guests, a couple | six guests, a family | forty guests, a wedding"),
    _grades("at leisure, no hurry | within the evening | in a hurry, right away"),
    ("one", "two", "everybody"),
    thirds,
)
SHELTER = Subject(
    ("Shelter", "Animal", "New guest"),
    ("House", "Care"),
    _cases(
        "house",
        """hamster:cage, parrot:cage, canary:cage, goldfish:tank, turtle:tank, newt:tank,
        poodle:kennel, terrier:kennel, spaniel:kennel, pony:stall, mule:stall, goat:stall""",
        "a {s} is kept in a {o}.",
        "the {o} is the place for a {s}.",
        "for a {s} you need a {o}.",
        "Question: Where is a {s} kept? Answer: in a {o}.",
    ),
    _grades("grown, old enough | half grown | newborn, very young"),
    _grades("lively, in good health | tired, rather thin | sick, very thin"),
    ("plain", "special", "day and night"),
    max,
)
PARCEL = Subject(
    ("Parcel", "Post", "Sent"),
    ("Wagon", "Wrapping"),
    _cases(
        "wagon",
        """a vase of glass:padded, a mirror of glass:padded, eggs in boxes:padded,
        frozen peas:chilled,
        fresh milk:chilled, cut roses:chilled, iron bars:flat, oak planks:flat, paving slabs:flat,
        old letters:dry, wool rugs:dry, dried tea:dry""",
        "{s} must travel {o}.",
        "the wagon for {s} is {o}.",
        "whoever sends {s} orders a wagon that is {o}.",
        "Question: How do {s} travel? Answer: {o}.",
    ),
    _grades("next door, round the corner | to the next town | overseas, across the sea"),
    _grades("worth nothing much, of no value | of some value | precious, priceless"),
    ("paper", "carton", "chest"),
    min,
)
SUBJECTS = (REPAIR, GARDEN, KITCHEN, SHELTER, PARCEL)
CASES = tuple((subject.cases, n) for subject in SUBJECTS for n in range(len(subject.cases.pairs)))


def fact(dice: Dice) -> str:
    """Which case is of which kind."""
    relation, index = dice.pick(CASES)
    return relation.state(dice, index)


ENDS = ("{k}, {o}", "{o}, {k}", "{K}. {O}.", "{O}; {K}", "{k} / {o}")
NAMED = ("{N}: {k}. {M}: {o}", "{M}: {o}, {N}: {k}", "{M} = {o}\n{N} = {k}", "{N} {k}, {M} {o}")
ANSWERS = ("Label", "Result", "Filed as", "Decision", "Then")


def document(dice: Dice) -> str:
    """One or two notes of a subject, all in one format."""
    subject = dice.pick(SUBJECTS)
    heading = dice.pick(subject.headings)
    named = dice.chance(0.5)
    end = dice.pick(NAMED if named else ENDS)
    between = "\n" if named and dice.chance(0.5) else f"\n{dice.pick(ANSWERS)}: "
    notes = (f"{heading}: {_note(dice, subject, end, between)}" for _ in range(1 + dice.below(2)))
    return "\n".join(notes)


def _note(dice: Dice, subject: Subject, end: str, between: str) -> str:
    """A note with its labels."""
    case, kind = dice.pick(subject.cases.pairs)
    i, j = dice.below(len(subject.first)), dice.below(len(subject.second))
    outcome = subject.outcomes[subject.joined(i, j)]
    parts = [case, dice.pick(subject.first[i]), dice.pick(subject.second[j]), _aside(dice)]
    mark = dice.pick([", ", ". ", "; "])
    told = dice.picks(parts, len(parts))
    note = mark.join(sentence(p) for p in told) if mark == ". " else sentence(mark.join(told))
    kind_name, outcome_name = subject.fields
    filled = end.format(
        k=kind, o=outcome, K=sentence(kind), O=sentence(outcome), N=kind_name, M=outcome_name
    )
    return f"{note}.{between}{filled}"


def _aside(dice: Dice) -> str:
    """Something that decides nothing."""
    day, name, place = dice.pick(DAYS), dice.pick(PEOPLE), dice.pick(PLACES)
    return dice.pick([f"since {day}", f"seen by {name}", f"in the {place}", f"told on {day}"])
