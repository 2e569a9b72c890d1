"""The everyday words of the small world: people, things, places, times.

Common nouns come with their plural. Nothing here belongs to one skill; facts, grammar, stories
and the domains all draw on these lists, so that a word is met in many kinds of sentence.
"""


def split(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


def with_plural(text: str) -> list[tuple[str, str]]:
    """(singular, plural) of every word of a text."""
    return [(word, word + "s") for word in text.split()]


WOMEN = split("Ann Eve Mia Zoe Lucy Nora Ruth Jane Lily Rosa Emma Clara")
MEN = split("Ben Tom Sam Max Leo Paul Karl Hugo Adam Fred Jack Owen")
PEOPLE = WOMEN + MEN

# things one can have, carry or put somewhere
THINGS = split(
    "kite drum cup lamp ball book key ring hat bag coin rope bell vase flute spoon "
    "candle basket ladder mirror brush blanket pencil ticket map box clock letter shell stone"
)

PLACES = split(
    "kitchen garden market station school library harbour garage cellar attic office park "
    "bakery farm theatre museum bridge tower"
)

SPOTS = split("shelf table chair desk bench bed sofa carpet stool counter wardrobe trolley")

DAYS = split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

NUMBER_WORDS = split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)

# nouns for grammar: (singular, plural)
HUMAN_NOUNS = with_plural(
    "teacher farmer singer driver nurse doctor baker painter writer dancer gardener lawyer "
    "clerk pilot sailor guest neighbour student"
)
OBJECT_NOUNS = with_plural(
    "table picture window chair plate bottle door carpet cabinet painting machine bicycle "
    "letter report basket mirror bucket pillow"
)

OBJECT_ADJECTIVES = split("old new small large clean dirty cheap heavy pretty broken empty round")
HUMAN_ADJECTIVES = split("old young small tall quiet tired happy famous kind clever busy ready")


def article(noun: str) -> str:
    """The noun with a or an before it, by its first letter."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]
