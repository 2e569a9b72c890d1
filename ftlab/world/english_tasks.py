"""Two skills that are done rather than known: small sums, and recall of what was just read.

    arithmetic   1 + 1 = 2, 5 - 3 = 2, 4 + 2 = 6, 3 + 5 = | 8 / 6 / 9 / 7
    recall       Anna has the kite. Ben has the drum. ... Ben has the ____

Notable choices
- The sums follow three worked examples, which are never asked. A wrong result lies within 4 of
  the right one and has as many digits, so that length gives nothing away.
- Every recall text holds four people (or things) in the same kind of sentence, and the one asked
  for stands first, second, third or last equally often. What a model knows of the world does not
  help: the answer stands nowhere but in the text.
"""

from dataclasses import dataclass

from ftlab.world.dice import Dice
from ftlab.world.english_forms import choice, even_labels

EXAMPLES = "1 + 1 = 2, 5 - 3 = 2, 4 + 2 = 6, "
EXAMPLE_SUMS = ((1, "+", 1), (5, "-", 3), (4, "+", 2))
SUMS, DIFFERENCES = 70, 40

PEOPLE = (
    "Anna Ben Carl Dora Emma Frank Grace Henry Irene Jack Kate Leo Mary Nick Olga Paul Rose Sam"
    " Tom Vera"
).split()
THINGS = "kite drum ball lamp rope basket candle hammer mirror ladder blanket bottle".split()
SMALL = "key ring coin letter stamp photo ticket pencil watch map button knife".split()
PLACES = "box drawer kitchen garden bag car garage cellar closet office barn tent".split()
COLORS = "red blue green black white yellow pink brown gray purple".split()
CLOTHES = "coat hat scarf shirt dress sweater".split()
JOBS = "nurse baker farmer teacher lawyer painter doctor driver singer waiter sailor cook".split()
FOOD = "apples bread cheese eggs soup rice cake fish grapes carrots honey nuts".split()


@dataclass(frozen=True)
class Story:
    """A form of recall text: four sentences that bind a word to a word, and a question."""

    name: str
    """Stands in the ids of its probes."""
    tell: str
    """One sentence, with {who} and {what}."""
    ask: str
    """The question; it ends where {what} would follow."""
    who: list[str]
    """Words to be asked about."""
    what: list[str]
    """Words to be recalled."""


STORIES = (
    Story("have", "{who} has the {what}.", "So {who} has the", PEOPLE, THINGS),
    Story("place", "The {who} is in the {what}.", "To find the {who}, look in the", SMALL, PLACES),
    Story("job", "{who} is a {what}.", "So {who} works as a", PEOPLE, JOBS),
    Story("food", "{who} bought {what}.", "When they came home, {who} ate the", PEOPLE, FOOD),
    Story("color", "{who} wears {what}.", "Yes, {who} is the one who wears", PEOPLE, []),
)
PER_STORY = 24


def arithmetic(dice: Dice) -> list[dict]:
    """Sums of 1..9 and 1..9 and differences with a result of 0 or more, as choices of four."""
    digits = range(1, 10)
    sums = [(a, "+", b) for a in digits for b in digits]
    minus = [(a, "-", b) for a in digits for b in digits if b <= a]
    sums, minus = ([x for x in some if x not in EXAMPLE_SUMS] for some in (sums, minus))
    asked = dice.picks(sums, SUMS) + dice.picks(minus, DIFFERENCES)
    probes = []
    for number, ((a, sign, b), label) in enumerate(
        zip(asked, even_labels(dice, len(asked), 4), strict=True), 1
    ):
        result = a + b if sign == "+" else a - b
        wrong = [str(n) for n in dice.picks(near(result), 3)]
        name, query = f"arithmetic-{number:03}", f"{EXAMPLES}{a} {sign} {b} ="
        probes.append(choice(name, "arithmetic", query, str(result), wrong, label))
    return probes


def near(result: int) -> list[int]:
    """Numbers within 4 of `result`, not itself, with as many digits."""
    low, high = (0, 9) if result < 10 else (10, 18)
    return [n for n in range(max(low, result - 4), min(high, result + 4) + 1) if n != result]


def recall(dice: Dice) -> list[dict]:
    """Texts with four bindings each and a question for one of them, as choices of four."""
    probes = []
    for story in STORIES:
        wheres = even_labels(dice, PER_STORY, 4)
        labels = even_labels(dice, PER_STORY, 4)
        for number, (where, label) in enumerate(zip(wheres, labels, strict=True), 1):
            whos, whats = dice.picks(story.who, 4), things(dice, story)
            told = [story.tell.format(who=w, what=x) for w, x in zip(whos, whats, strict=True)]
            query = " ".join([*told, story.ask.format(who=whos[where])])
            right = whats.pop(where)
            name = f"recall-{story.name}-{number:02}"
            probes.append(choice(name, "recall", query, right, whats, label))
    return probes


def things(dice: Dice, story: Story) -> list[str]:
    """Four different words to be recalled; a story without a list tells of clothes and colours."""
    if story.what:
        return dice.picks(story.what, 4)
    garment = dice.pick(CLOTHES)
    return [f"a {color} {garment}" for color in dice.picks(COLORS, 4)]
