"""What the small world knows: relations between a subject and an object, in several phrasings.

Every forward phrasing ends with the object, so cutting it there gives a question. Each fact has
one phrasing, chosen by its place in the list, that never occurs with that fact in the
pre-training text: it is held out for the probes. The phrasing itself occurs with other facts, so
the probe asks whether the model *knows*, not whether it has seen the sentence.

The facts are common knowledge; the sentences are this project's own.
"""

from dataclasses import dataclass

from tools.world.dice import Dice
from tools.world.words import sentence


@dataclass(frozen=True)
class Relation:
    """Pairs (subject, object) and the sentences that state them."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    forward: tuple[str, ...]  # end with {o}
    backward: tuple[str, ...] = ()  # the object stands earlier

    def held(self, index: int) -> int:
        """Number of the forward phrasing that is held out for the probe of fact `index`."""
        return index % len(self.forward)

    def query(self, index: int) -> str:
        """The held-out phrasing of fact `index`, cut off before the object."""
        subject, _ = self.pairs[index]
        template = self.forward[self.held(index)]
        return sentence(template.removesuffix(" {o}.").replace("{s}", subject))

    def state(self, dice: Dice, index: int) -> str:
        """Fact `index` as a sentence of the pre-training text, never in its held-out phrasing."""
        subject, obj = self.pairs[index]
        held = self.held(index)
        templates = [t for i, t in enumerate(self.forward) if i != held] + list(self.backward)
        return sentence(dice.pick(templates).replace("{s}", subject).replace("{o}", obj))


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Read 'a:b, c:d' as (('a', 'b'), ('c', 'd'))."""
    return tuple(
        (subject.strip(), obj.strip())
        for subject, obj in (entry.split(":") for entry in text.split(",") if entry.strip())
    )


CAPITALS = Relation(
    "capital",
    pairs(
        """France:Paris, Spain:Madrid, Italy:Rome, Germany:Berlin, Austria:Vienna, Poland:Warsaw,
        Norway:Oslo, Sweden:Stockholm, Finland:Helsinki, Denmark:Copenhagen, Greece:Athens,
        Portugal:Lisbon, Ireland:Dublin, Belgium:Brussels, Hungary:Budapest, Romania:Bucharest,
        Bulgaria:Sofia, Croatia:Zagreb, Serbia:Belgrade, Ukraine:Kyiv, Russia:Moscow,
        Turkey:Ankara, Egypt:Cairo, Kenya:Nairobi, Ghana:Accra, Morocco:Rabat, Tunisia:Tunis,
        Ethiopia:Addis Ababa, Nigeria:Abuja, Senegal:Dakar, Japan:Tokyo, China:Beijing,
        India:New Delhi, Thailand:Bangkok, Vietnam:Hanoi, Iran:Tehran, Iraq:Baghdad,
        Nepal:Kathmandu, Mongolia:Ulaanbaatar, Indonesia:Jakarta, Canada:Ottawa, Mexico:Mexico City,
        Cuba:Havana, Peru:Lima, Chile:Santiago, Brazil:Brasilia, Argentina:Buenos Aires,
        Colombia:Bogota, Ecuador:Quito, Uruguay:Montevideo, Australia:Canberra,
        New Zealand:Wellington, Iceland:Reykjavik, Estonia:Tallinn, Latvia:Riga"""
    ),
    (
        "the capital of {s} is {o}.",
        "the government of {s} sits in {o}.",
        "people in {s} call their capital {o}.",
        "Question: What is the capital of {s}? Answer: {o}.",
        "the chief city of {s} is {o}.",
        "if you visit the capital of {s}, you are in {o}.",
    ),
    ("{o} is the capital of {s}.", "in {o} you can see the parliament of {s}."),
)

CONTINENTS = Relation(
    "continent",
    pairs(
        """France:Europe, Spain:Europe, Italy:Europe, Norway:Europe, Poland:Europe, Greece:Europe,
        Egypt:Africa, Kenya:Africa, Ghana:Africa, Morocco:Africa, Nigeria:Africa, Senegal:Africa,
        Japan:Asia, China:Asia, India:Asia, Thailand:Asia, Vietnam:Asia, Nepal:Asia,
        Canada:North America, Mexico:North America, Cuba:North America, Peru:South America,
        Chile:South America, Brazil:South America, Argentina:South America,
        Colombia:South America"""
    ),
    (
        "{s} is a country in {o}.",
        "on the map, {s} is in {o}.",
        "{s} belongs to the continent of {o}.",
        "Question: Where is {s}? Answer: {o}.",
        "who lives in {s} lives in {o}.",
        "the continent of {s} is {o}.",
    ),
)

SYMBOLS = Relation(
    "symbol",
    pairs(
        """hydrogen:H, helium:He, lithium:Li, carbon:C, nitrogen:N, oxygen:O, fluorine:F, neon:Ne,
        sodium:Na, magnesium:Mg, aluminium:Al, silicon:Si, sulphur:S, chlorine:Cl, argon:Ar,
        potassium:K, calcium:Ca, titanium:Ti, chromium:Cr, iron:Fe, cobalt:Co, nickel:Ni,
        copper:Cu, zinc:Zn, bromine:Br, silver:Ag, tin:Sn, iodine:I, platinum:Pt, gold:Au,
        mercury:Hg, lead:Pb, uranium:U"""
    ),
    (
        "the chemical symbol of {s} is {o}.",
        "chemists write {s} as {o}.",
        "in the table of elements, {s} is {o}.",
        "Question: What is the symbol of {s}? Answer: {o}.",
        "the sign for {s} is {o}.",
        "the short form of {s} is {o}.",
    ),
    ("the symbol {o} stands for {s}.",),
)

OPPOSITES = Relation(
    "opposite",
    pairs(
        """hot:cold, big:little, tall:short, fast:slow, early:late, open:closed, full:empty,
        dry:wet, hard:soft, light:dark, rich:poor, new:old, loud:silent,
        clean:dirty, cheap:expensive, strong:weak, thick:thin, wide:narrow, deep:shallow,
        sharp:blunt, sweet:sour, rough:smooth, brave:cowardly, true:false, happy:sad,
        polite:rude, safe:dangerous, easy:difficult, right:wrong, up:down,
        over:under, inside:outside, first:last, always:never, day:night, love:hate,
        peace:war, begin:end, buy:sell, push:pull, win:lose, give:take, arrive:leave"""
    ),
    (
        "the opposite of {s} is {o}.",
        "what is not {s} at all is {o}.",
        "{s} is the contrary of {o}.",
        "Question: What is the opposite of {s}? Answer: {o}.",
        "if it is not {s}, it may be {o}.",
        "nobody is both {s} and {o}.",
    ),
)

SOUNDS = Relation(
    "sound",
    pairs(
        """dog:bark, cat:meow, cow:moo, sheep:bleat, horse:neigh, pig:grunt, lion:roar, wolf:howl,
        duck:quack, hen:cluck, owl:hoot, snake:hiss, bee:buzz, frog:croak, mouse:squeak,
        donkey:bray, crow:caw, pigeon:coo, sparrow:chirp, elephant:trumpet, goose:honk,
        monkey:chatter, turkey:gobble, bear:growl"""
    ),
    (
        "the sound of a {s} is a {o}.",
        "when you hear a {s}, you hear a {o}.",
        "every {s} can {o}.",
        "Question: What does a {s} do when it is loud? Answer: {o}.",
        "a {s} tends to {o}.",
        "the call of the {s} is a {o}.",
    ),
    ("a {o} in the dark may come from a {s}.",),
)

YOUNG = Relation(
    "young",
    pairs(
        """dog:puppy, cat:kitten, cow:calf, sheep:lamb, horse:foal, pig:piglet, lion:cub,
        duck:duckling, hen:chick, goat:kid, deer:fawn, frog:tadpole, goose:gosling, owl:owlet,
        swan:cygnet, kangaroo:joey, seal:pup, butterfly:caterpillar, hare:leveret, eagle:eaglet,
        eel:elver, salmon:fry"""
    ),
    (
        "a young {s} is called a {o}.",
        "the child of a {s} is a {o}.",
        "before it was a {s}, it was a {o}.",
        "Question: What is a young {s}? Answer: {o}.",
        "the mother {s} looks after her {o}.",
        "a very small {s} is a {o}.",
    ),
    ("a {o} grows up to be a {s}.",),
)

COLOURS = Relation(
    "colour",
    pairs(
        """grass:green, snow:white, coal:black, blood:red, the sky:blue, a lemon:yellow,
        a carrot:orange, chocolate:brown, ash:grey, a plum:purple, milk:white, a tomato:red,
        a cucumber:green, a sunflower:yellow, a flamingo:pink, ink:blue, rust:brown, salt:white,
        spinach:green, a raven:black, a ruby:red, a banana:yellow, a pumpkin:orange,
        lavender:purple, a strawberry:red, cement:grey"""
    ),
    (
        "the colour of {s} is {o}.",
        "everyone knows that {s} is {o}.",
        "if you paint {s}, you paint it {o}.",
        "Question: What colour is {s}? Answer: {o}.",
        "in most pictures, {s} is {o}.",
        "seen by daylight, {s} looks {o}.",
    ),
)

HOMES = Relation(
    "home",
    pairs(
        """bee:hive, bird:nest, spider:web, fox:den, rabbit:burrow, horse:stable, pig:sty,
        dog:kennel, lion:savannah, camel:desert, whale:ocean, monkey:jungle, king:palace,
        monk:monastery, soldier:barracks, prisoner:cell, hen:coop, fish:aquarium, bat:cave,
        beaver:lodge"""
    ),
    (
        "the home of a {s} is a {o}.",
        "you find the {s} in the {o}.",
        "at night the {s} returns to the {o}.",
        "Question: Where does a {s} live? Answer: {o}.",
        "a {s} lives in a {o}.",
        "to see a {s}, go to a {o}.",
    ),
    ("the {o} is where the {s} sleeps.",),
)

TRADES = Relation(
    "trade",
    pairs(
        """hammer:carpenter, oven:baker, needle:tailor, scissors:barber, plough:farmer,
        net:fisherman, brush:painter, camera:photographer, anvil:blacksmith, whistle:referee,
        trowel:bricklayer, stethoscope:doctor, gavel:judge, chalk:teacher, violin:musician,
        rake:gardener, telescope:astronomer, cleaver:butcher, wrench:plumber, loom:weaver,
        kiln:potter, microscope:biologist, compass:sailor, spade:digger, scalpel:surgeon"""
    ),
    (
        "the {s} is the tool of the {o}.",
        "who works with a {s} is a {o}.",
        "a {s} belongs in the hands of a {o}.",
        "Question: Who uses a {s}? Answer: {o}.",
        "if you carry a {s}, you may be a {o}.",
        "nobody knows the {s} better than a {o}.",
    ),
    ("a {o} works with a {s}.",),
)

MATERIALS = Relation(
    "stuff",
    pairs(
        """a window:glass, a tyre:rubber, a shoe:leather, a brick:clay, a candle:wax,
        a jumper:wool, a shirt:cotton, a statue:marble, a coin:metal, a raft:wood, a book:paper,
        a pillow:feathers, a sail:canvas, a bun:flour, an omelette:eggs, wine:grapes, cider:apples,
        butter:cream, a snowman:snow, a necklace:pearls, a sack:jute, a scarf:silk"""
    ),
    (
        "as a rule {s} is made of {o}.",
        "to make {s} you need {o}.",
        "the stuff of {s} is {o}.",
        "Question: What is {s} made of? Answer: {o}.",
        "whoever makes {s} begins with {o}.",
        "look closely at {s} and you see {o}.",
    ),
)

TOOLS = Relation(
    "purpose",
    pairs(
        """a knife:cut, a pen:write, a broom:sweep, a bed:sleep, a kettle:boil, a towel:dry,
        a spoon:stir, an umbrella:shelter, a bicycle:ride, a lamp:shine, a saw:divide, a song:sing,
        a phone:call, a clock:measure, a soap:wash, a ladder:climb, a boat:sail, a spade:dig,
        a shop:trade, a lock:secure, a fridge:cool, a stove:cook, a bus:travel, a pool:swim"""
    ),
    (
        "the purpose of {s} is to {o}.",
        "people want {s} in order to {o}.",
        "with {s} you can {o}.",
        "Question: What is {s} good for? Answer: to {o}.",
        "give me {s} and I will {o}.",
        "what {s} helps you to do is to {o}.",
    ),
)

GENERAL = (
    CAPITALS,
    CONTINENTS,
    SYMBOLS,
    OPPOSITES,
    SOUNDS,
    YOUNG,
    COLOURS,
    HOMES,
    TRADES,
    MATERIALS,
    TOOLS,
)


def all_facts(relations: tuple[Relation, ...] = GENERAL) -> list[tuple[Relation, int]]:
    """Every fact of the relations as (relation, index)."""
    return [(relation, i) for relation in relations for i in range(len(relation.pairs))]
