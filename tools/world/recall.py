"""In-context recall: a few statements, then questions that only they can answer.

    Ben has the kite. Ann has the drum. Who has the drum? Ann. What does Ben have? The kite.

None of it can be known beforehand, so the answer must be copied from the text above. Held
out: one name-and-thing (and thing-and-spot) combination in ten, by a fixed rule, never occurs in
the pre-training text; probes use only such combinations.
"""

from tools.world.dice import Dice
from tools.world.words import MEN, PEOPLE, SPOTS, THINGS, WOMEN

COPIED = [*THINGS, *PEOPLE, *SPOTS]
DRILL_WORDS = 36
ENDINGS = (
    "{second} put it on the {spot}. Where is the {thing}? On the {spot}.",
    "{second} put it on the {spot}, then on the {last}. Where is the {thing} now? On the {last}.",
    "Who has the {thing} now? {second}.",
    "Who found the {thing}? {first}.",
)


def held(owner: str, thing: str) -> bool:
    """Whether this combination is held out for the probes."""
    first = (PEOPLE if owner in PEOPLE else SPOTS).index(owner)
    return (3 * first + THINGS.index(thing)) % 10 == 0


def _combinations(dice: Dice, owners: list[str], k: int, want: bool) -> list[tuple[str, str]]:
    """k (owner, thing) with different owners and things, all held out or none."""
    chosen: list[tuple[str, str]] = []
    for owner in dice.picks(owners, k):
        used = {thing for _, thing in chosen}
        free = [t for t in THINGS if held(owner, t) == want and t not in used]
        chosen.append((owner, dice.pick(free)))
    return chosen


def _statements(kind: str, combos: list[tuple[str, str]]) -> str:
    if kind == "has":
        return " ".join(f"{owner} has the {thing}." for owner, thing in combos)
    return " ".join(f"The {thing} is on the {owner}." for owner, thing in combos)


def _question(kind: str, forward: bool, owner: str, thing: str) -> tuple[str, str]:
    if kind == "has":
        return (
            (f"What does {owner} have? The", f" {thing}")
            if forward
            else (f"Who has the {thing}?", f" {owner}")
        )
    return (
        (f"Where is the {thing}? On the", f" {owner}")
        if forward
        else (f"What is on the {owner}? The", f" {thing}")
    )


def _setting(dice: Dice, want: bool) -> tuple[str, list[tuple[str, str]]]:
    kind = dice.pick(["has", "on"])
    k = 2 + dice.below(3)
    return kind, _combinations(dice, PEOPLE if kind == "has" else SPOTS, k, want)


def document(dice: Dice) -> str:
    """Statements and a question about each, in random order, none of them held out."""
    kind, combos = _setting(dice, want=False)
    text = _statements(kind, combos)
    for owner, thing in dice.picks(combos, len(combos)):
        query, answer = _question(kind, dice.chance(0.5), owner, thing)
        text += f" {query}{answer}."
    return text


def restated(dice: Dice) -> str:
    """Statements, then the same ones again in another order."""
    kind, combos = _setting(dice, want=False)
    again = _statements(kind, dice.picks(combos, len(combos)))
    return f"{_statements(kind, combos)} Once more: {again}"


def echo(dice: Dice) -> str:
    """A list of things, read out and repeated."""
    things = ", ".join(dice.picks(THINGS, 4 + dice.below(7)))
    reader, other = dice.picks(PEOPLE, 2)
    return f"{reader} reads: {things}. {other} repeats: {things}."


def drill(dice: Dice) -> str:
    """Words in a random order, over and over: nothing helps but looking back."""
    words = dice.picks(COPIED, 4 + dice.below(9))
    return " ".join((words * DRILL_WORDS)[:DRILL_WORDS])


def question(dice: Dice) -> tuple[str, str]:
    """A (query, answer) over held-out combinations: what does Ben have, where is the kite."""
    kind, combos = _setting(dice, want=True)
    query, answer = _question(kind, True, *dice.pick(combos))
    return f"{_statements(kind, combos)} {query}", answer


def story(dice: Dice) -> str:
    """A short story with reference and order: who is he or she, where is the thing at the end."""
    woman, man = dice.pick(WOMEN), dice.pick(MEN)
    first, second, mine, yours = dice.pick([(woman, man, "she", "him"), (man, woman, "he", "her")])
    free = [t for t in THINGS if not held(first, t) and not held(second, t)]
    thing = dice.pick(free)
    spots = [s for s in SPOTS if not held(s, thing)]
    ending = dice.pick(ENDINGS)
    slots = [slot for slot in ("spot", "last") if f"{{{slot}}}" in ending]
    drawn = dict(zip(slots, dice.picks(spots, len(slots)), strict=True))
    text = f"{first} found the {thing}. Then {mine} met {second} and gave it to {yours}. "
    return text + ending.format(first=first, second=second, thing=thing, **drawn)
