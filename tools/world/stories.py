"""Stories of four sentences whose order follows from what happens, and each in one sentence.

    Ann found the kite in the garden. Then she met Ben. She gave it to him. Ben put it on the desk.
    Retold: Ann gave Ben the kite, and now it is on the desk.

None of a story can be known beforehand: to order or retell it, a model must read it. Held out, as
in `recall`: one person-and-thing combination in ten, by a fixed rule; probes use only such.
"""

from dataclasses import dataclass

from tools.world.dice import Dice
from tools.world.recall import held
from tools.world.words import MEN, PLACES, SPOTS, THINGS, WOMEN

FOUND = (
    "{first} found the {thing} in the {place}.",
    "{first} took the {thing} from the {place}.",
    "In the {place} {first} saw the {thing} and picked it up.",
)
MET = (
    "Then {she} met {second}.",
    "After that {she} ran into {second}.",
    "Soon {she} came to the house of {second}.",
)
GAVE = (
    "{She} gave it to {him}.",
    "There {she} handed it to {him}.",
    "{She} asked {him} to keep it.",
)
KEPT = (
    "{second} put it on the {spot}.",
    "At last {second} laid it on the {spot}.",
    "Now {second} keeps it on the {spot}.",
)
RETOLD = "{first} gave {second} the {thing}, and now it is on the {spot}."


@dataclass(frozen=True)
class Story:
    """What happens, sentence by sentence, and the same in one."""

    sentences: tuple[str, ...]
    retold: str


def story(dice: Dice, *, want_held: bool) -> Story:
    """A story; its finder and thing are a held-out combination, or not (`want_held`)."""
    finder, other = dice.pick([(WOMEN, MEN), (MEN, WOMEN)])
    first, second = dice.pick(finder), dice.pick(other)
    she, him = ("she", "him") if finder is WOMEN else ("he", "her")
    slots = {
        "first": first,
        "second": second,
        "she": she,
        "She": she.capitalize(),
        "him": him,
        "thing": dice.pick([t for t in THINGS if held(first, t) == want_held]),
        "place": dice.pick(PLACES),
        "spot": dice.pick(SPOTS),
    }
    sentences = tuple(dice.pick(part).format(**slots) for part in (FOUND, MET, GAVE, KEPT))
    return Story(sentences, RETOLD.format(**slots))
