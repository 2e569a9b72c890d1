"""Grammar in minimal pairs: two sentences that differ in one place, one of them wrong.

A *crossed frame* holds two slots, each with two fillings that belong together in order:

    The [dog|dogs] [sleeps|sleep] in the kitchen.

It gives two items, (The dog sleeps, *The dog sleep) and (The dogs sleep, *The dogs sleeps). Every
form stands once in a right and once in a wrong sentence, so neither the frequency of a word nor
of a number (singular, plural) can tell right from wrong: only the match of the two slots can.
Word order needs no frame: "a red~dress" is right as it stands and wrong with the two swapped.

Licensing is crossed by half. "Somebody already knows" and "Nobody ever knows" are right and
"Somebody ever knows" is wrong, but "Nobody already knows" is only odd, and is never asked.

The kinds follow the phenomena that linguists test in language models (Linzen et al. 2016,
arXiv:1611.01368; Warstadt et al. 2020, BLiMP, arXiv:1912.00582). The sentences are our own.
"""

import re

from tools.data.english.forms import even_labels, pair
from tools.world.dice import Dice

FRAMES: dict[str, str] = {
    "agreement": """
        The [dog|dogs] [sleeps|sleep] in the kitchen.
        Our [neighbor|neighbors] [goes|go] to work by train.
        My [sister|sisters] [knows|know] the way home.
        The [bird|birds] in our garden [sings|sing] every morning.
        After school the [boy|boys] [plays|play] football in the park.
        Her [friend|friends] [was|were] late again.""",
    "attractor": """
        The [key to the cabinets|keys to the cabinet] [is|are] on the table.
        The [picture of my sisters|pictures of my sister] [hangs|hang] in the hall.
        The [door to the bedrooms|doors to the bedroom] [was|were] closed all day.
        The [teacher of the girls|teachers of the girl] [has|have] a new car.
        The [lamp near the windows|lamps near the window] [needs|need] to be repaired.
        The [house behind the trees|houses behind the tree] [looks|look] very old.""",
    "relative_clause": """
        The [boy who likes the dogs|boys who like the dog] [lives|live] next door.
        The [woman who met the actors|women who met the actor] [was|were] happy.
        The [cook who helped the waiters|cooks who helped the waiter] [has|have] gone home.
        The [girl that the teachers praised|girls that the teacher praised] [is|are] proud.
        The [farmer who owns the horses|farmers who own the horse] [works|work] hard.
        The [book that the students read|books that the student read] [was|were] boring.""",
    "there": """
        There [is|are] [a cat|two cats] under the bed.
        There [was|were] [a letter|some letters] on the desk.
        There [is|are] [an old bridge|old bridges] across the river.
        I think there [is|are] [a mistake|many mistakes] in this report.
        Once there [was|were] [a king|three kings] in this land.
        There [has|have] been [an accident|several accidents] on this road.""",
    "reflexive": """
        [Mary|John] hurt [herself|himself] in the garden.
        My [aunt|uncle] made [herself|himself] a cup of tea.
        The [king|queen] looked at [himself|herself] in the mirror.
        The [girl|girls] taught [herself|themselves] to swim.
        The [man|men] blamed [himself|themselves] for the fire.
        My [mother|parents] bought [herself|themselves] a new radio.""",
    "determiner": """
        She bought [this|these] [chair|chairs] last week.
        Please put [that|those] [box|boxes] in the car.
        I have never liked [this|these] [song|songs] very much.
        My father planted [that|those] [tree|trees] by the river.
        We have to wash [this|these] [shirt|shirts] before the party.
        The children painted [that|those] [wall|walls] in one day.""",
    "article": """
        She gave the horse [a|an] [carrot|apple] in the morning.
        He is waiting for [a|an] [letter|answer] from the bank.
        We spent [a|an] [week|hour] in the old town.
        She wants to become [a|an] [doctor|engineer] like her mother.
        There was [a|an] [photo|advertisement] in the newspaper.
        They live on [a|an] [farm|island] in the north.""",
    "licensing": """
        [Nobody|Somebody] has [ever|already] opened this door.
        [None|Most] of the guests have [ever|already] been to Rome.
        [No|Every] student has [any|some] money for the bus.
        [Few|Many] people had [ever|already] heard of this singer.
        [Nobody|Everybody] wants [any|some] more soup.
        [Neither|One] of my brothers has [ever|already] driven a truck.""",
    "echo": """
        My brother [can|cannot] swim, and [so|neither] can I.
        Anna [was|was not] at home, and [so|neither] was Tom.
        She [likes|does not like] milk, and I [do too|don't either].
        The first train [is|is not] late, and [so|neither] is the second one.
        He [has|has not] seen the film, and [so|neither] has she.
        We [will|will not] come, and they [will too|won't either].""",
    "pronoun_case": """
        [We watched|We hope that] [them|they] win the game.
        [Anna made|Anna said that] [him|he] put the plates on the table.
        [The rain made|The teacher says that] [us|we] run home.
        [Nobody helped|Nobody thinks that] [them|they] clean the house.
        [My mother let|My mother knew that] [her|she] cut the cake.
        [She makes|She knows that] [me|I] wait every day.""",
    "participle": """
        The boy [had |][broken|broke] the window with a ball.
        My sister [has |][written|wrote] a long letter to her friend.
        The thief [had |][taken|took] the money and the watch.
        She [has |][eaten|ate] all the bread.
        The old king [had |][given|gave] his crown to his son.
        We [have |][seen|saw] a fox in the garden.""",
    "auxiliary": """
        She [will|has] [write|written] a letter to the school.
        They [can|have] [see|seen] the mountains from the window.
        My brother [must|has] [take|taken] the dog to the park.
        I [could|had] [speak|spoken] to the teacher about it.
        We [should|have] [give|given] the children some milk.
        He [may|has] [break|broken] the old chair.""",
    "complement": """
        She [enjoys|hopes] [reading|to read] the newspaper in the garden.
        We [finished|decided] [painting|to paint] the kitchen on Sunday.
        He [avoided|refused] [talking|to talk] about the war.
        They [kept|agreed] [working|to work] until late at night.
        I [miss|want] [cooking|to cook] for so many people.
        The boys [practiced|promised] [singing|to sing] the new song.""",
    "quantifier": """
        We do not have [much|many] [time|days] left.
        She bought too [much|many] [bread|apples] at the market.
        She put [a little|a few] [milk|eggs] into the bowl.
        How [much|many] [money|coins] do you have?
        He drank [too much|too many] [coffee|cups of coffee] today.
        They found only [a little|a few] [water|bottles] in the car.""",
    "relative_pronoun": """
        The [man|book] [who|which] changed my life is still dear to me.
        I know a [woman|town] [who|which] has a very long name.
        We thanked the [nurse|medicine] [who|which] saved his life.
        The [boy|train] [who|which] was late did not stop.
        She wrote about a [girl|castle] [who|which] stood alone in the rain.
        He spoke of the [teacher|school] [who|which] made him happy.""",
    "tense": """
        [Yesterday|Tomorrow] we [went|will go] to the beach with our friends.
        [Last year|Next year] my parents [bought|will buy] a new house.
        She [called|will call] me [last night|tomorrow night] after dinner.
        The shop [opened|will open] two weeks [ago|from now].
        [Last summer|Next summer] he [worked|will work] on a ship.
        The bus [left|will leave] ten minutes [ago|from now].""",
    "comparison": """
        Anna is [taller|as tall] [than|as] her brother.
        This road is [longer|as long] [than|as] the other one.
        The second test was [harder|as hard] [than|as] the first.
        My new bag is [bigger|as big] [than|as] yours.
        The soup tastes [better|as good] [than|as] it looks.
        A horse can run [faster|as fast] [than|as] a car in this street.""",
    "correlative": """
        [Both|Either] my father [and|or] my uncle will drive us home.
        She can [both|either] sing [and|or] dance at the party.
        We want to visit [both|either] Paris [and|or] London this year.
        He speaks [both|neither] French [and|nor] German.
        They sell [both|neither] bread [and|nor] milk in that shop.
        The room was [both|neither] warm [and|nor] clean.""",
}

FIRST_GOES_WRONG = ("there", "determiner", "article", "quantifier")  # the shorter difference
HALF_CROSSED = ("licensing",)

WORD_ORDER = """
    She wore a red~dress to the party.
    They live in a small~house near the sea.
    My grandfather keeps his old~car in the garage.
    He drank a glass of cold~water after the race.
    I have always~liked your cooking.
    We can never~forget that day.
    She gave him~flowers for his birthday.
    They told us~stories about the war.
    This box is heavy~enough to hold the door.
    The water is not warm~enough for the baby.
    I wonder where he~is tonight.
    Nobody could tell us who she~was at first."""


def grammar(dice: Dice) -> list[dict]:
    """All minimal pairs as probes; ids name the kind, labels 0 and 1 are equally frequent."""
    kinds = {name: frame_pairs(name) for name in FRAMES} | {"word_order": swapped_pairs()}
    probes = []
    for kind, pairs in kinds.items():
        labels = even_labels(dice, len(pairs), 2)
        for number, ((right, wrong), label) in enumerate(zip(pairs, labels, strict=True), 1):
            name = f"grammar-{kind}-{number:02}"
            probes.append(pair(name, "grammar", right, wrong, label))
    return probes


def frame_pairs(kind: str) -> list[tuple[str, str]]:
    """(right, wrong) sentences of one kind, two from each crossed frame."""
    pairs = []
    for frame in lines(FRAMES[kind]):
        one, two, upper, lower = (fill(frame, *s) for s in ((0, 0), (1, 1), (1, 0), (0, 1)))
        wrong = (lower, upper)  # the first slot is held, the second goes wrong
        if kind in FIRST_GOES_WRONG:
            wrong = (upper, lower)
        elif kind in HALF_CROSSED:
            wrong = (upper, upper)
        pairs += zip((one, two), wrong, strict=True)
    return pairs


def swapped_pairs() -> list[tuple[str, str]]:
    """(right, wrong) sentences where the words on either side of "~" change places."""
    swap = re.compile(r"([\w']+)~([\w']+)")
    return [(line.replace("~", " "), swap.sub(r"\2 \1", line)) for line in lines(WORD_ORDER)]


def fill(frame: str, first: int, second: int) -> str:
    """The sentence that takes filling `first` of the first slot and `second` of the second."""
    wanted = iter((first, second))
    return re.sub(r"\[(.*?)\|(.*?)\]", lambda slot: slot[1 + next(wanted)], frame)


def lines(text: str) -> list[str]:
    """The lines of a table, without their indent."""
    return [line.strip() for line in text.strip().splitlines()]
