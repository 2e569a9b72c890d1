"""Common knowledge in plain English, each fact asked twice: by choice and by cloze.

    choice   The capital of France is | Paris / Oslo / Cairo / Lima
    cloze    The capital of Egypt is Cairo. The capital of England is London.
             The capital of France is ____        right when the model's next tokens are " Paris"

Notable choices
- Wrong options are answers of the same category, so that the kind of word gives nothing away.
- A small model that reads "The capital of France is" may rightly go on with "a city of light".
  The cloze therefore opens with a *lead*, one or two examples of the same form. The leads are
  never asked. Over a first list of 500 facts SmolLM2-135M said 29 % of the answers without a
  lead, 53 % after one example and 60 % after two. Categories where it failed even so (colours,
  the young of animals) are not asked: what the base does not know it cannot forget. The choice
  needs no lead.
- What has two good answers ("the opposite of loud is quiet", or soft) is not asked.

The facts belong to everyone; the lists and sentences were written for this project.
"""

from dataclasses import dataclass

from tools.data.english.forms import choice, cloze, even_labels
from tools.world.dice import Dice


@dataclass(frozen=True)
class Category:
    """Facts of one kind."""

    name: str
    """Stands in the ids of its probes."""
    lead: str
    """Example sentences that open the cloze; none of them is asked."""
    ask: str
    """The question, to be filled with a cue; it ends where the answer begins."""
    table: str
    """cue=answer, separated by semicolons."""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """(question, answer) in the order of the table."""
        rows = [row.strip().split("=") for row in self.table.replace("\n", " ").split(";")]
        return [(capital(self.ask.format(cue)), answer) for cue, answer in rows]


def capital(text: str) -> str:
    """`text` with a capital first letter, the rest untouched."""
    return text[0].upper() + text[1:]


CATEGORIES = (
    Category(
        "capital",
        "The capital of Egypt is Cairo. The capital of England is London.",
        "The capital of {} is",
        """France=Paris; Italy=Rome; Spain=Madrid; Germany=Berlin; Japan=Tokyo; China=Beijing;
        Russia=Moscow; Greece=Athens; Portugal=Lisbon; Norway=Oslo; Sweden=Stockholm;
        Austria=Vienna; Ireland=Dublin; Cuba=Havana; Peru=Lima; Kenya=Nairobi; Iraq=Baghdad;
        Iran=Tehran; Hungary=Budapest; Finland=Helsinki; Denmark=Copenhagen; Thailand=Bangkok;
        Belgium=Brussels; Scotland=Edinburgh; Chile=Santiago; Romania=Bucharest; Poland=Warsaw;
        Bulgaria=Sofia; South Korea=Seoul; Argentina=Buenos Aires; Canada=Ottawa""",
    ),
    Category(
        "opposite",
        "The opposite of hot is cold. The opposite of up is down.",
        "The opposite of {} is",
        """black=white; big=small; happy=sad; day=night; left=right; young=old; hard=soft;
        light=dark; open=closed; fast=slow; wet=dry; war=peace; love=hate; buy=sell;
        strong=weak; true=false; north=south; east=west; inside=outside; push=pull; empty=full;
        clean=dirty; early=late; long=short; heaven=hell; life=death; success=failure;
        beautiful=ugly; male=female; always=never; positive=negative; summer=winter""",
    ),
    Category(
        "language",
        "The main language of Norway is Norwegian.",
        "The main language of {} is",
        """France=French; Germany=German; Spain=Spanish; Italy=Italian; Japan=Japanese;
        Brazil=Portuguese; Russia=Russian; Greece=Greek; Egypt=Arabic; Poland=Polish;
        Sweden=Swedish; England=English; Turkey=Turkish; Hungary=Hungarian; Finland=Finnish;
        Denmark=Danish""",
    ),
    Category(
        "people",
        "A person from Ireland is Irish. A person from Norway is Norwegian.",
        "A person from {} is",
        """Scotland=Scottish; Canada=Canadian; Mexico=Mexican; Brazil=Brazilian; Egypt=Egyptian;
        India=Indian; Cuba=Cuban; Wales=Welsh; Portugal=Portuguese; Vietnam=Vietnamese;
        Switzerland=Swiss; Kenya=Kenyan; Australia=Australian; Peru=Peruvian; Belgium=Belgian""",
    ),
    Category(
        "city",
        "The city of Lyon is in France. The city of Naples is in Italy.",
        "The city of {} is in",
        """Barcelona=Spain; Munich=Germany; Osaka=Japan; Toronto=Canada; Shanghai=China;
        Mumbai=India; Sydney=Australia; Krakow=Poland; Istanbul=Turkey; Manchester=England;
        Geneva=Switzerland; Glasgow=Scotland; Karachi=Pakistan; Porto=Portugal; Cancun=Mexico;
        Rotterdam=the Netherlands; Salzburg=Austria; Chicago=the United States""",
    ),
    Category(
        "landmark",
        "The Parthenon is in Athens. The Louvre is in Paris.",
        "{} is in",
        """The Colosseum=Rome; The Eiffel Tower=Paris; Big Ben=London; The Kremlin=Moscow;
        The Statue of Liberty=New York; The Brandenburg Gate=Berlin; The Prado Museum=Madrid;
        The Golden Gate Bridge=San Francisco; The Hollywood sign=Los Angeles""",
    ),
    Category(
        "continent",
        "Spain is a country in Europe. Iraq is a country in Asia.",
        "{} is a country in",
        """France=Europe; Egypt=Africa; Japan=Asia; Brazil=South America; Kenya=Africa;
        Germany=Europe; India=Asia; Canada=North America; China=Asia; Nigeria=Africa;
        Italy=Europe; Peru=South America; Poland=Europe; Argentina=South America""",
    ),
    Category(
        "name",
        "The novel War and Peace was written by Leo Tolstoy.",
        "{}",
        """The play Romeo and Juliet was written by William=Shakespeare;
        The novel Oliver Twist was written by Charles=Dickens;
        The novel Pride and Prejudice was written by Jane=Austen;
        The theory of relativity was developed by Albert=Einstein;
        The Mona Lisa was painted by Leonardo da=Vinci;
        The telephone was invented by Alexander Graham=Bell;
        The light bulb was invented by Thomas=Edison;
        The laws of motion were found by Isaac=Newton;
        The first president of the United States was George=Washington;
        The first man on the Moon was Neil=Armstrong;
        The novel Frankenstein was written by Mary=Shelley;
        The painting The Starry Night was made by Vincent van=Gogh;
        The Ninth Symphony was composed by Ludwig van=Beethoven;
        Radium was discovered by Marie=Curie; The painting Guernica was made by Pablo=Picasso;
        The adventures of Tom Sawyer were written by Mark=Twain;
        The poem The Raven was written by Edgar Allan=Poe;
        The president who ended slavery was Abraham=Lincoln;
        India was led to independence by Mahatma=Gandhi;
        The first black president of South Africa was Nelson=Mandela;
        Penicillin was discovered by Alexander=Fleming;
        The speech I Have a Dream was given by Martin Luther=King""",
    ),
    Category(
        "symbol",
        "The chemical symbol for silver is Ag.",
        "The chemical symbol for {} is",
        """gold=Au; iron=Fe; oxygen=O; hydrogen=H; sodium=Na; lead=Pb; copper=Cu; nitrogen=N;
        potassium=K; calcium=Ca; zinc=Zn; tin=Sn""",
    ),
    Category(
        "job",
        "A person who bakes bread is called a baker. A person who flies planes is called a pilot.",
        "A person who {} is called a",
        """teaches children=teacher; writes books=writer; grows crops=farmer;
        catches fish=fisherman; takes photographs=photographer; repairs pipes=plumber;
        treats sick people=doctor; treats sick animals=veterinarian;
        puts out fires=firefighter; looks after teeth=dentist; paints pictures=painter;
        plays the piano=pianist; sings songs=singer; builds houses=builder;
        works with wood=carpenter; cooks in a restaurant=chef; drives a taxi=taxi driver;
        sells meat=butcher; writes poems=poet; repairs cars=mechanic;
        plays the guitar=guitarist; sells flowers=florist; works in a library=librarian""",
    ),
    Category(
        "place",
        "A teacher works in a school. A gardener works in a garden.",
        "{} in a",
        """A nurse works=hospital; A waiter works=restaurant; A chef works=kitchen;
        A librarian works=library; A priest works=church; A miner works=mine;
        A banker works=bank; An actor works=theater; A baker works=bakery;
        A monk lives=monastery; A prisoner lives=prison; A king lives=palace;
        A scientist works=laboratory""",
    ),
    Category(
        "tool",
        "You cut paper with a pair of scissors. You catch fish with a net.",
        "You {} a",
        """cut bread with=knife; unlock a door with=key; sweep the floor with=broom;
        dig a hole with=shovel; hit a nail with=hammer; write on paper with=pen;
        take pictures with=camera; look at the stars through=telescope;
        cut down a tree with=saw; find north with=compass""",
    ),
    Category(
        "body",
        "We see with our eyes. You wear gloves on your hands.",
        "{}",
        """We hear with our=ears; We smell with our=nose; We breathe with our=lungs;
        We taste with our=tongue; You wear shoes on your=feet; You wear a hat on your=head;
        You wear a scarf around your=neck; A dentist looks after your=teeth;
        You wear a belt around your=waist""",
    ),
    Category(
        "material",
        "Cheese is made from milk. Windows are made of glass.",
        "{}",
        """Bread is made from=flour; Wine is made from=grapes; Paper is made from=wood;
        Tires are made of=rubber; Candles are made of=wax; Coins are made of=metal;
        Snowmen are made of=snow; Shoes are made of=leather; Tomato soup is made from=tomatoes;
        Omelettes are made from=eggs; Honey is made by=bees; Sweaters are made of=wool""",
    ),
    Category(
        "kind",
        "A dog is a kind of animal. A rock is a kind of stone.",
        "{} is a kind of",
        """an apple=fruit; a tulip=flower; gold=metal; an oak=tree; an eagle=bird;
        a truck=vehicle; salmon=fish; a hammer=tool; cheddar=cheese; jazz=music; wheat=grain;
        a carrot=vegetable; a shirt=clothing; an ant=insect; cotton=fabric""",
    ),
    Category(
        "unit",
        "There are twelve inches in a foot. There are one hundred pennies in a pound.",
        "There are {}",
        """sixty seconds in a=minute; sixty minutes in an=hour; twenty-four hours in a=day;
        seven days in a=week; twelve months in a=year; one hundred years in a=century;
        ten years in a=decade; one hundred cents in a=dollar; one thousand grams in a=kilogram""",
    ),
    Category(
        "series",
        "One, two, three, four, five.",
        "{},",
        """Monday, Tuesday, Wednesday, Thursday=Friday;
        Tuesday, Wednesday, Thursday, Friday=Saturday;
        Sunday, Monday, Tuesday, Wednesday=Thursday; January, February, March, April=May;
        May, June, July, August=September; August, September, October, November=December;
        March, April, May, June=July; Six, seven, eight, nine=ten; First, second, third=fourth;
        Spring, summer, autumn=winter; Mercury, Venus, Earth=Mars""",
    ),
    Category(
        "pair",
        "We ate bread and butter with a knife and fork.",
        "{}",
        """It was a storm of thunder and=lightning; She sewed with needle and=thread;
        The film is in black and=white; They have a son and a=daughter;
        She has a brother and a=sister; We walked back and=forth; He worked day and=night;
        It is a matter of life and=death; He learned it by trial and=error;
        He came home safe and=sound; They searched high and=low; He has a bow and=arrow;
        They have lived for years as husband and=wife""",
    ),
)


def facts(dice: Dice) -> list[dict]:
    """All facts as probes: first every cloze, then every choice, in the same order.

    The four options of a choice are the answer and three other answers of its category; the
    label is each of 0..3 equally often (to within one).
    """
    asked = [(c, query, answer) for c in CATEGORIES for query, answer in c.facts]
    labels = even_labels(dice, len(asked), 4)
    clozes, choices = [], []
    for number, ((category, query, answer), label) in enumerate(zip(asked, labels, strict=True), 1):
        tag = f"{category.name}-{number:03}"
        clozes.append(cloze(f"facts-{tag}", "facts", f"{category.lead} {query}", answer))
        others = dice.picks(sorted({a for _, a in category.facts} - {answer}), 3)
        name = f"facts_choice-{tag}"
        choices.append(choice(name, "facts_choice", query, answer, others, label))
    return clozes + choices
