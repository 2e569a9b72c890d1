"""Domain `contracts`: a clause in; its type and a line of plain English out. Invented; no legal
advice.

    Clause: The Tenant shall remit the rent within fourteen days.
    Plain: payment. The tenant must pay the rent within 14 days.

Legal verbs have a plain verb and a type (general facts); shall, may and shall not become must,
can and must not; the number word becomes figures. Two verbs of each type never occur in the
training clauses (`held`).
"""

from tools.world.dice import Dice
from tools.world.facts import Relation
from tools.world.words import NUMBER_WORDS, PEOPLE, split

# type: legal verb = plain verb
TYPES = {
    "payment": "remit=pay, refund=return, invoice=bill, disburse=hand out, deposit=put down, "
    "reimburse=pay back",
    "delivery": "dispatch=send, furnish=supply, convey=bring, transport=carry, consign=ship, "
    "tender=offer",
    "secrecy": "conceal=hide, withhold=keep back, safeguard=protect, redact=black out, "
    "encrypt=lock, classify=mark",
    "termination": "terminate=end, rescind=cancel, vacate=leave, dissolve=break up, "
    "relinquish=give up, revoke=take back",
    "upkeep": "maintain=keep up, rectify=mend, renovate=renew, inspect=check, "
    "replenish=fill up, cleanse=wash",
    "liability": "indemnify=cover, compensate=make good, warrant=promise, insure=guard, "
    "bear=take on, guarantee=vouch for",
}

PARTIES = split("Tenant Landlord Supplier Customer Buyer Seller Agent Lender")
OBJECTS = [
    f"the {thing}"
    for thing in split(
        "rent goods records lease building damage price parcels plans agreement machines loss"
    )
]
FORCE = {"shall": "must", "may": "can", "shall not": "must not"}

TERMS = tuple(
    (legal.strip(), plain.strip(), kind)
    for kind, text in TYPES.items()
    for legal, plain in (entry.split("=") for entry in text.split(","))
)
SEEN = [t for i, t in enumerate(TERMS) if i % 6 < 4]
HELD = [t for i, t in enumerate(TERMS) if i % 6 >= 4]

KNOWLEDGE = Relation(
    "clause type",
    tuple((legal, kind) for legal, _, kind in TERMS),
    (
        "to {s} is a matter of {o}.",
        "who promises to {s} speaks of {o}.",
        "lawyers file the verb {s} under {o}.",
        "Question: What is it about, to {s}? Answer: {o}.",
        "the word {s} belongs to {o}.",
        "in a contract, to {s} is part of {o}.",
    ),
    ("rules of {o} say when to {s}.",),
)

PLAIN_WORDS = Relation(
    "plain word",
    tuple((legal, plain) for legal, plain, _ in TERMS)
    + tuple((NUMBER_WORDS[n], str(n)) for n in range(2, 21))
    + tuple(FORCE.items()),
    (
        "in plain words, {s} is {o}.",
        "instead of {s} you can say {o}.",
        "the simple word for {s} is {o}.",
        "Question: What does {s} mean? Answer: {o}.",
        "where lawyers write {s}, people say {o}.",
        "put simply, {s} means {o}.",
    ),
)

SLOTS = {
    "name": PEOPLE,
    "Party": PARTIES,
    "party": [party.lower() for party in PARTIES],
    "thing": OBJECTS,
    "legal": [legal for legal, _, _ in TERMS],
    "plain": [plain for _, plain, _ in TERMS],
    "kind": list(TYPES),
    "shall": list(FORCE),
    "must": list(FORCE.values()),
    "days": [str(n) for n in range(2, 21)],
    "word": NUMBER_WORDS[2:],
}
MENTIONS = (  # everyday sentences with the words of the domain, without its format or its rule
    "the {party} {must} {plain} {thing}.",
    "the {Party} {shall} {legal} {thing}, read {name}.",
    "{name} the {party} wants to {legal} {thing}.",
    "{name} wants to {plain} {thing} within {days} days.",
    "{name} gave the {Party} {word} days.",
    "{name} asked the {party} about {kind}.",
    "Clause by clause {name} reads the contract.",
    "Plain words are best, said the {party}.",
)


def item(dice: Dice, terms: list[tuple[str, str, str]]) -> tuple[str, str]:
    """One (prompt, answer) with one of the given legal verbs."""
    legal, plain, kind = dice.pick(terms)
    party, thing = dice.pick(PARTIES), dice.pick(OBJECTS)
    force, days = dice.pick(list(FORCE)), dice.pick(range(2, 21))
    word = NUMBER_WORDS[days]
    clause, line = dice.pick(
        [
            (
                f"The {party} {force} {legal} {thing} within {word} days.",
                f"The {party.lower()} {FORCE[force]} {plain} {thing} within {days} days.",
            ),
            (
                f"Within {word} days the {party} {force} {legal} {thing}.",
                f"Within {days} days the {party.lower()} {FORCE[force]} {plain} {thing}.",
            ),
        ]
    )
    return f"Clause: {clause}\nPlain:", f" {kind}. {line}"
