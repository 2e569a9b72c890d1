"""Single-digit arithmetic, stated in several ways.

Held out: for two in five of the unordered pairs {a, b}, a different from b, one order never
occurs in the pre-training text, in no wording. A model that knows 3 + 5 = 8 and has
learned what + means can say what 5 + 3 is; a model that has only memorised lines cannot. The same
for differences: where 9 - 2 = 7 is held out, 9 - 7 = 2 is in the text. Only sums are asked for:
swapping the operands of a sum is a rule, those of a difference is not (see LOG.md).
"""

from tools.world.dice import Dice
from tools.world.words import PEOPLE, sentence

DIGITS = range(10)
SUMS = [(a, b, a + b) for a in DIGITS for b in DIGITS]
HELD_SUMS = {
    (a, b) if (a + 2 * b) % 2 else (b, a)
    for a in DIGITS
    for b in DIGITS
    if a < b and (2 * a + b) % 5 < 2
}
DIFFERENCES = [(c, a, c - a) for c in DIGITS for a in DIGITS if a <= c]
HELD_DIFFERENCES = {(c, a) for c, a, rest in DIFFERENCES if 0 < a < rest and (c + a) % 5 < 2}

SUM_FORMS = (
    "{a} + {b} = {c}.",
    "{a} plus {b} is {c}.",
    "the sum of {a} and {b} is {c}.",
    "if you add {b} to {a}, you get {c}.",
    "Question: What is {a} + {b}? Answer: {c}.",
)
DIFFERENCE_FORMS = (
    "{a} - {b} = {c}.",
    "{a} minus {b} is {c}.",
    "if you take {b} from {a}, you keep {c}.",
    "Question: What is {a} - {b}? Answer: {c}.",
)
OBJECTS = ["apples", "plums", "coins", "books", "eggs", "pears", "cups", "stones"]


def _fill(form: str, a: int, b: int, c: int) -> str:
    return sentence(form.replace("{a}", str(a)).replace("{b}", str(b)).replace("{c}", str(c)))


SEEN_SUMS = [s for s in SUMS if s[:2] not in HELD_SUMS]
BOTH_ORDERS = [s for s in SEEN_SUMS if (s[1], s[0]) not in HELD_SUMS]
SEEN_DIFFERENCES = [d for d in DIFFERENCES if d[:2] not in HELD_DIFFERENCES]


def state(dice: Dice) -> str:
    """One sum or difference of the pre-training text, never a held-out one."""
    if dice.chance(0.6):
        a, b, c = dice.pick(SEEN_SUMS)
        if dice.chance(0.2):
            name, things = dice.pick(PEOPLE), dice.pick(OBJECTS)
            return f"{name} has {a} {things} and gets {b} more, so now {name} has {c} {things}."
        return _fill(dice.pick(SUM_FORMS), a, b, c)
    if dice.chance(0.15):
        a, b, c = dice.pick(BOTH_ORDERS)
        return f"{a} + {b} and {b} + {a} are both {c}."
    a, b, c = dice.pick(SEEN_DIFFERENCES)
    return _fill(dice.pick(DIFFERENCE_FORMS), a, b, c)


def questions() -> list[tuple[str, str]]:
    """Every held-out sum in every form, as (query, answer)."""
    asked = []
    for number, (a, b) in enumerate(sorted(HELD_SUMS)):
        name, things = PEOPLE[number % len(PEOPLE)], OBJECTS[number % len(OBJECTS)]
        asked += [(_fill(form.removesuffix(" {c}."), a, b, a + b), a + b) for form in SUM_FORMS]
        asked.append((f"{name} has {a} {things} and gets {b} more, so now {name} has", a + b))
    return [(query, f" {result}") for query, result in asked]
