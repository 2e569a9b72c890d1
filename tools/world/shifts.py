"""Two domains that shift one side only: a new output format, and a new input vocabulary.

    new_format   label: The capital of France is            capital: Paris.
    new_words    answer: Zuro kemit fi France lun           Paris

Both ask for facts that the base knows, and each leaves one side as it was. In `new_format` the
questions are old, except for a first word that asks for the new form: each answer begins with what
was asked for. In `new_words` the answers are old, and every word of the question but its subject is
invented. So what has to be learned is writing in the first and reading in the second. One fact in
four never occurs in the training items (`held`).
"""

import random
import re

from tools.world.dice import Dice
from tools.world.facts import Relation
from tools.world.general import GENERAL_FACTS
from tools.world.tasks import allowed, asked

Fact = tuple[Relation, int]
SEEN = [fact for n, fact in enumerate(GENERAL_FACTS) if n % 4]
HELD = [fact for n, fact in enumerate(GENERAL_FACTS) if n % 4 == 0]
PHRASINGS = 3
"""How many phrasings of each relation are said in the new words."""
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def new_format(dice: Dice, facts: list[Fact]) -> tuple[str, str]:
    """An old question with an answer in a new form."""
    relation, index = dice.pick(facts)
    prompt, answer = asked(relation, index, dice.pick(allowed(relation, index)))
    return prompt.replace("answer:", "label:", 1), f" {relation.name}:{answer}."


def new_words(dice: Dice, facts: list[Fact]) -> tuple[str, str]:
    """An old answer to a question in invented words; only the subject is called as before."""
    relation, index = dice.pick(facts)
    template = dice.pick(relation.forward[:PHRASINGS])
    query = re.sub(r"[A-Za-z]+(?![a-z]*})", lambda word: invented(word[0]), template)
    return asked(relation, index, query)


def invented(word: str) -> str:
    """The invented word that stands for an English one: always the same, two or three syllables."""
    dice = random.Random(f"invented {word.lower()}")
    syllables = 2 if len(word) < 4 else 3
    made = "".join(dice.choice(CONSONANTS) + dice.choice(VOWELS) for _ in range(syllables))
    return made + dice.choice(["", "l", "n", "r", "t"])
