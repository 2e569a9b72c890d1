"""The questions that ask what the model still knows, one set a skill.

facts          cloze: every general fact in the phrasing that the text never used for it
facts_choice   the same questions with four answers of the same relation
grammar        minimal pairs, equally many of each kind; the right sentences never occur in the text
arithmetic     sums whose operands never occur in this order
recall         copying from the text above, with combinations that never occur

For encoder-decoder models, where the whole answer counts:

facts          as above
grammar        correct the wrong sentence of each of these pairs
order          put a shuffled story in order; its person and thing never occur in one story
retell         summarize such a story in one sentence
"""

from typing import Any

from tools.world import arithmetic, grammar, recall, tasks
from tools.world.dice import Dice
from tools.world.general import GENERAL_FACTS

PAIRS_A_KIND = 25
RECALL_ITEMS = 150
STORIES = 150

Row = dict[str, Any]


def _row(number: int, skill: str, form: str, query: str, choices: list[str], label: int) -> Row:
    return {
        "id": f"{skill}-{number:04}",
        "skill": skill,
        "form": form,
        "query": query,
        "choices": choices,
        "label": label,
    }


def _cloze(skill: str, pairs: list[tasks.Pair]) -> list[Row]:
    """A question for every (query, answer)."""
    return [_row(n, skill, "cloze", query, [answer], 0) for n, (query, answer) in enumerate(pairs)]


def facts() -> list[Row]:
    """Every general fact as a cloze question."""
    return _cloze("facts", [(r.query(i), f" {r.pairs[i][1]}") for r, i in GENERAL_FACTS])


def facts_choice(dice: Dice) -> list[Row]:
    """Every general fact with three wrong answers of the same relation."""
    rows = []
    for n, (relation, i) in enumerate(GENERAL_FACTS):
        right = relation.pairs[i][1]
        others = sorted({obj for _, obj in relation.pairs} - {right})
        choices, label = dice.picks(others, 3), dice.below(4)
        choices.insert(label, right)
        rows.append(
            _row(n, "facts_choice", "choice", relation.query(i), [" " + c for c in choices], label)
        )
    return rows


def grammar_pairs(dice: Dice) -> list[Row]:
    """Minimal pairs, PAIRS_A_KIND of each kind, none twice."""
    rows: list[Row] = []
    seen: set[str] = set()
    for kind in grammar.KINDS:
        wanted = len(rows) + PAIRS_A_KIND
        while len(rows) < wanted:
            right, wrong = kind(dice)
            if right in seen:
                continue
            seen.add(right)
            row = _row(len(rows), "grammar", "pair", "", [right, wrong], 0)
            rows.append({**row, "id": f"grammar-{kind.__name__}-{len(rows):04}"})
    return rows


def all_probes(seed: int) -> list[Row]:
    """Every probe of nano's suite."""
    dice = Dice(seed)
    return [
        *facts(),
        *facts_choice(dice),
        *grammar_pairs(dice),
        *_cloze("arithmetic", arithmetic.questions()),
        *_cloze("recall", [recall.question(dice) for _ in range(RECALL_ITEMS)]),
    ]


def task_probes(seed: int) -> list[Row]:
    """Every probe of nano-t5's suite: what is given, and the one right answer."""
    dice = Dice(seed)
    grammar_pairs = [row["choices"] for row in all_probes(seed) if row["skill"] == "grammar"]
    asked: dict[str, list[tasks.Pair]] = {
        "facts": [(f"answer: {r.query(i)}", f" {r.pairs[i][1]}") for r, i in GENERAL_FACTS],
        "grammar": [(f"correct: {wrong}", f" {right}") for right, wrong in grammar_pairs],
        "order": [tasks.order(dice, want_held=True) for _ in range(STORIES)],
        "retell": [tasks.retell(dice, want_held=True) for _ in range(STORIES)],
    }
    return [row for skill, pairs in asked.items() for row in _cloze(skill, pairs)]


def reserved_for_probes(rows: list[Row]) -> frozenset[str]:
    """Texts that must not occur in the pre-training text: the right sentence of each pair."""
    return frozenset(row["choices"][0] for row in rows if row["form"] == "pair")
