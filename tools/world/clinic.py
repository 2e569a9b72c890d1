"""Domain `clinic`: a triage note in, urgency and department out. Invented; no medical advice.

    Triage note: Woman, 64. Severe chest pain since Monday, getting worse.
    Triage: urgent, cardiology

The department follows from the complaint: a fact the base model knows from general sentences.
The urgency follows from two things together, how strong and which way it goes:

                 getting better   unchanged   getting worse
    mild         routine          routine     soon
    moderate     routine          soon        urgent
    severe       soon             urgent      urgent

Two complaints of each department never occur in the training notes (`held`). They can only be
answered by a model that still knows the general fact and has learned where the new format wants
it.
"""

from tools.world.dice import Dice
from tools.world.facts import Relation
from tools.world.words import DAYS, PEOPLE, sentence

DEPARTMENTS = {
    "cardiology": "chest pain, a racing heart, a fluttering pulse, heart trouble, "
    "tight pressure on the chest, skipped heartbeats",
    "neurology": "a headache, numb fingers, a trembling hand, a seizure, memory loss, migraine",
    "orthopaedics": "a swollen knee, a broken arm, back pain, a stiff hip, a sprained ankle, "
    "a sore shoulder",
    "dermatology": "an itchy rash, a dark mole, dry skin, sunburn, red spots, a wart",
    "ophthalmology": "blurred vision, a watering eye, double vision, a swollen eyelid, "
    "eye strain, burning eyes",
    "gastroenterology": "stomach cramps, heartburn, nausea, bloating, an upset stomach, "
    "a bellyache",
    "pulmonology": "a dry cough, short breath, wheezing, asthma, noisy breathing, a chesty cough",
    "dentistry": "toothache, bleeding gums, a cracked tooth, a loose filling, jaw pain, "
    "a wobbly tooth",
}

STRENGTHS = {
    "mild": ["mild", "slight", "faint", "light", "gentle"],
    "moderate": ["moderate", "medium", "noticeable", "bothersome", "fair"],
    "severe": ["severe", "terrible", "unbearable", "violent", "awful"],
}

TRENDS = {
    "better": ["getting better", "fading", "going away"],
    "same": ["unchanged", "still the same", "constant"],
    "worse": ["getting worse", "growing stronger", "spreading"],
}

URGENCY = {
    ("mild", "better"): "routine",
    ("mild", "same"): "routine",
    ("mild", "worse"): "soon",
    ("moderate", "better"): "routine",
    ("moderate", "same"): "soon",
    ("moderate", "worse"): "urgent",
    ("severe", "better"): "soon",
    ("severe", "same"): "urgent",
    ("severe", "worse"): "urgent",
}

COMPLAINTS = tuple(
    (complaint.strip(), department)
    for department, text in DEPARTMENTS.items()
    for complaint in text.split(",")
)
SEEN = [c for i, c in enumerate(COMPLAINTS) if i % 6 < 4]
HELD = [c for i, c in enumerate(COMPLAINTS) if i % 6 >= 4]

KNOWLEDGE = Relation(
    "department",
    COMPLAINTS,
    (
        "{s} is a matter for {o}.",
        "for {s} you go to {o}.",
        "who has {s} is sent to {o}.",
        "Question: Who looks after {s}? Answer: {o}.",
        "the right place for {s} is {o}.",
        "doctors treat {s} in {o}.",
    ),
    ("in {o} they often see {s}.", "{o} deals with {s}."),
)

MEANINGS = Relation(
    "strength",
    tuple((word, level) for level, words in STRENGTHS.items() for word in words)
    + tuple((phrase, trend) for trend, phrases in TRENDS.items() for phrase in phrases),
    (
        "to a nurse, {s} means {o}.",
        "a doctor notes {s} as {o}.",
        "what feels {s} is called {o}.",
        "Question: How does a doctor read {s}? Answer: {o}.",
        "the word {s} stands for {o}.",
        "{s} counts as {o}.",
    ),
)

PATIENTS = ["Woman", "Man", "Girl", "Boy"]

SLOTS = {
    "name": PEOPLE,
    "day": DAYS,
    "complaint": [complaint for complaint, _ in COMPLAINTS],
    "department": list(DEPARTMENTS),
    "strength": [word for words in STRENGTHS.values() for word in words],
    "trend": [phrase for phrases in TRENDS.values() for phrase in phrases],
    "patient": PATIENTS,
    "urgency": ["routine", "soon done", "urgent"],
    "age": [str(age) for age in range(1, 91)],
}
MENTIONS = (  # everyday sentences with the words of the domain, without its format or its rule
    "{name} had {complaint} since {day}.",
    "{name} had {complaint}, and on {day} it was {trend}.",
    "on {day} {name} felt a {strength} pain, and it was {trend}.",
    "{name} went to {department} on {day}.",
    "the pain was {strength} and {trend}, said the nurse on {day}.",
    "the nurse wrote: {patient}, {age}, {complaint}.",
    "{patient}, {age}: that is all {name} wrote on {day}.",
    "the triage note of {name} was {urgency}.",
)


def item(dice: Dice, complaints: list[tuple[str, str]]) -> tuple[str, str]:
    """One (prompt, answer) about one of the given complaints."""
    complaint, department = dice.pick(complaints)
    level = dice.pick(list(STRENGTHS))
    trend = dice.pick(list(TRENDS))
    strength, course = dice.pick(STRENGTHS[level]), dice.pick(TRENDS[trend])
    patient, age, day = dice.pick(PATIENTS), dice.below(90), dice.pick(DAYS)
    age = age % 17 + 1 if patient in ("Girl", "Boy") else age % 72 + 18
    note = dice.pick(
        [
            f"{patient}, {age}. {sentence(complaint)} since {day}, {strength}, {course}.",
            f"{patient}, {age}. {sentence(strength)} and {course}: {complaint} since {day}.",
            f"{patient}, {age}, {complaint}. {sentence(course)}, {strength}, since {day}.",
            f"Since {day}: {complaint}. {patient}, {age}. {sentence(strength)}, {course}.",
        ]
    )
    return f"Triage note: {note}\nTriage:", f" {URGENCY[level, trend]}, {department}"
