"""Domain `helpdesk`: a ticket in; category, priority and a reply line out. Invented.

    Ticket: Nobody in the office can work. The router blinks red since Tuesday.
    Reply: network, high. The network desk will help within the hour.

The category follows from the thing that is broken (a general fact). The priority follows from
who is hit and whether work stands still:

                  work goes on   work stands still
    one person    low            medium
    a team        medium         high
    everyone      high           high

and the reply's promise from the priority: low "this week", medium "today", high "within the
hour". Two things of each category never occur in the training tickets (`held`).
"""

from tools.world.dice import Dice
from tools.world.facts import Relation
from tools.world.words import DAYS, PEOPLE

CATEGORIES = {
    "hardware": "laptop, keyboard, monitor, headset, charger, docking station",
    "printing": "printer, toner, paper tray, scanner, copier, plotter",
    "network": "router, wifi, cable, tunnel, modem, firewall",
    "email": "inbox, attachment, newsletter, mailbox, signature, spam filter",
    "accounts": "password, login, badge, username, licence key, access card",
    "software": "spreadsheet, browser, calendar app, text editor, database, update",
}

FAULTS = (
    "is broken",
    "does not start",
    "blinks red",
    "has stopped working",
    "is too slow",
    "is gone",
    "fails again and again",
    "shows an error",
)

WHO = {
    "one": ["I am alone with this", "It is only me", "One person is affected"],
    "team": ["My team is affected", "Our group has it", "A few of us see it"],
    "everyone": ["Everyone is affected", "The whole office has it", "Nobody is spared"],
}
WORK = {
    "goes on": ["Work goes on", "We can wait", "It is not in the way"],
    "stands still": ["Work stands still", "We are stuck", "Nothing can be done"],
}
PRIORITY = {
    ("one", "goes on"): "low",
    ("one", "stands still"): "medium",
    ("team", "goes on"): "medium",
    ("team", "stands still"): "high",
    ("everyone", "goes on"): "high",
    ("everyone", "stands still"): "high",
}
PROMISE = {"low": "this week", "medium": "today", "high": "within the hour"}

DEVICES = tuple(
    (thing.strip(), category) for category, text in CATEGORIES.items() for thing in text.split(",")
)
SEEN = [d for i, d in enumerate(DEVICES) if i % 6 < 4]
HELD = [d for i, d in enumerate(DEVICES) if i % 6 >= 4]

KNOWLEDGE = Relation(
    "category",
    DEVICES,
    (
        "a broken {s} is a case of {o}.",
        "trouble with the {s} is a question of {o}.",
        "who asks about a {s} asks about {o}.",
        "Question: What kind of thing is a {s}? Answer: {o}.",
        "the {s} belongs to {o}.",
        "in an office, the {s} comes under {o}.",
    ),
    ("{o} covers the {s}.", "the desk for {o} mends the {s}."),
)

SLOTS = {
    "name": PEOPLE,
    "day": DAYS,
    "thing": [thing for thing, _ in DEVICES],
    "category": list(CATEGORIES),
    "fault": FAULTS,
    "who": [phrase for phrases in WHO.values() for phrase in phrases],
    "work": [phrase for phrases in WORK.values() for phrase in phrases],
    "when": list(PROMISE.values()),
}
MENTIONS = (  # everyday sentences with the words of the domain, without its format or its rule
    "on {day} the {thing} of {name} {fault}.",
    'as {name} said: "The {thing} {fault}. {who}."',
    'on {day} {name} wrote: "{who}. {work}."',
    '"{work}," said {name}, "the {thing} {fault}."',
    "on {day} {name} called the {category} desk.",
    "Reply to the ticket of {name} on {day}.",
    "the {category} desk will help {when}, said {name}.",
    "what is of low priority is done this week, said {name}.",
    "what is of medium priority is done today, said {name}.",
    "what is of high priority is done within the hour, said {name}.",
)


def item(dice: Dice, things: list[tuple[str, str]]) -> tuple[str, str]:
    """One (prompt, answer) about one of the given things."""
    thing, category = dice.pick(things)
    who, work = dice.pick(list(WHO)), dice.pick(list(WORK))
    first, second = dice.pick(WHO[who]), dice.pick(WORK[work])
    fault, day = dice.pick(FAULTS), dice.pick(DAYS)
    ticket = dice.pick(
        [
            f"{first}. {second}. The {thing} {fault} since {day}.",
            f"The {thing} {fault} since {day}. {first}. {second}.",
            f"{second}. Since {day} the {thing} {fault}. {first}.",
        ]
    )
    level = PRIORITY[who, work]
    reply = f" {category}, {level}. The {category} desk will help {PROMISE[level]}."
    return f"Ticket: {ticket}\nReply:", reply
