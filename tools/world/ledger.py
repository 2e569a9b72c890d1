"""Domain `ledger`: a booking note in; account, size and treatment out. Invented; no tax advice.

    Booking note: A swivel chair for 900 euros, paid on Monday. Made to last.
    Entry: furniture, medium, asset

The account follows from what was bought: a fact the base model knows from general sentences. The
size follows from the sum, in three bands. The treatment follows from two things together, how
much it cost and how long it serves:

              used up soon   serves a year   lasts
    small     expense        expense         spread
    medium    expense        spread          asset
    large     spread         asset           asset

Two things of each account never occur in the training notes (`held`). They can only be answered
by a model that still knows the general fact.
"""

from tools.world.dice import Dice
from tools.world.facts import Relation
from tools.world.words import DAYS, PEOPLE, article, sentence

ACCOUNTS = {
    "stationery": "printing paper, envelopes, ballpoints, paper clips, notebooks, sticky tape",
    "furniture": "a swivel chair, a filing cabinet, a bookcase, a standing desk, a coat rack, "
    "a footrest",
    "vehicles": "a delivery van, winter tyres, motor oil, a forklift, a car wash, spark plugs",
    "premises": "office rent, floor cleaning, window blinds, heating oil, a parking lot, "
    "wall tiles",
    "travel": "train fares, a hotel night, taxi rides, a flight, bus passes, ferry crossings",
    "advertising": "posters, leaflets, a radio spot, a trade fair, billboards, give-aways",
    "insurance": "fire cover, theft cover, a liability policy, flood cover, breakage cover, "
    "a legal policy",
    "training": "a language course, a seminar, textbooks, a workshop, exam fees, a coach",
}

SUMS = {
    "small": [str(n) for n in range(20, 100, 10)],
    "medium": [str(n) for n in range(200, 1000, 100)],
    "large": [str(n) for n in range(2000, 10_000, 1000)],
}

LIVES = {
    "brief": ["used up soon", "gone within weeks", "good for once"],
    "yearly": ["good for a year", "serves for some months", "renewed every year"],
    "lasting": ["made to last", "serves for many years", "hardly wears out"],
}

TREATMENT = {
    ("small", "brief"): "expense",
    ("small", "yearly"): "expense",
    ("small", "lasting"): "spread",
    ("medium", "brief"): "expense",
    ("medium", "yearly"): "spread",
    ("medium", "lasting"): "asset",
    ("large", "brief"): "spread",
    ("large", "yearly"): "asset",
    ("large", "lasting"): "asset",
}

PURCHASES = tuple(
    (thing.strip(), account) for account, text in ACCOUNTS.items() for thing in text.split(",")
)
SEEN = [p for i, p in enumerate(PURCHASES) if i % 6 < 4]
HELD = [p for i, p in enumerate(PURCHASES) if i % 6 >= 4]

KNOWLEDGE = Relation(
    "account",
    PURCHASES,
    (
        "{s}: that is a matter of {o}.",
        "who buys {s} spends money on {o}.",
        "in the books, {s} comes under {o}.",
        "Question: What does money for {s} go to? Answer: {o}.",
        "a bookkeeper files {s} under {o}.",
        "the account for {s} is {o}.",
    ),
    ("{o} is the account for {s}.", "under {o} you find {s}."),
)

MEANINGS = Relation(
    "size and life",
    tuple((f"{amount} euros", size) for size, amounts in SUMS.items() for amount in amounts)
    + tuple((phrase, life) for life, phrases in LIVES.items() for phrase in phrases),
    (
        "to a bookkeeper, {s} means {o}.",
        "in the books, {s} is called {o}.",
        "Question: How does a bookkeeper read {s}? Answer: {o}.",
        "what is marked {s} counts as {o}.",
        "the words {s} stand for {o}.",
        "{s} counts as {o}.",
    ),
)

PAID = ["paid on {day}", "bought on {day}", "ordered by {name}", "receipt of {day}"]

SLOTS = {
    "name": PEOPLE,
    "day": DAYS,
    "thing": [thing for thing, _ in PURCHASES],
    "account": list(ACCOUNTS),
    "sum": [amount for amounts in SUMS.values() for amount in amounts],
    "life": [phrase for phrases in LIVES.values() for phrase in phrases],
    "size": list(SUMS),
    "as": [article(word) for word in ("expense", "asset")] + ["spread"],
}
MENTIONS = (
    "{name} paid {sum} euros for {thing} on {day}.",
    "{name} ordered {thing} on {day}, {sum} euros in all.",
    "{name} bought {thing}: {life}.",
    "on {day} {name} wrote a receipt for {sum} euros.",
    "the bookkeeper asked {name} about {account}.",
    "the booking note of {name} said: {thing}, {life}.",
    "the entry of {day} was {size}.",
    "the entry of {name} was booked as {as}.",
)


def mention(dice: Dice) -> str:
    """An everyday sentence with the words of the domain, without its format or its rule."""
    return sentence(dice.fill(dice.pick(MENTIONS), SLOTS))


def item(dice: Dice, purchases: list[tuple[str, str]]) -> tuple[str, str]:
    """One (prompt, answer) about one of the given purchases."""
    thing, account = dice.pick(purchases)
    size, life = dice.pick(list(SUMS)), dice.pick(list(LIVES))
    amount, serves = dice.pick(SUMS[size]), dice.pick(LIVES[life])
    paid = dice.fill(dice.pick(PAID), SLOTS)
    note = dice.pick(
        [
            f"{sentence(thing)} for {amount} euros, {paid}. {sentence(serves)}.",
            f"{sentence(paid)}: {thing}, {serves}, {amount} euros.",
            f"{amount} euros for {thing}. {sentence(serves)}, {paid}.",
            f"{sentence(serves)}: {thing}, {paid}, for {amount} euros.",
        ]
    )
    answer = f" {account}, {size}, {TREATMENT[size, life]}"
    return f"Booking note: {note}\nEntry:", answer
