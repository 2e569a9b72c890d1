"""The card of the small world's data: every count in it is read off the rows it describes."""

from collections import Counter
from typing import Any

Row = dict[str, Any]

WORLD = """---
license: cc0-1.0
---
# The small world: data card

Written by this project's own generator (`tools/world/`) from fixed seeds; nothing is copied from
elsewhere. `python -m tools.data` makes every file again and compares bytes. Licence: CC0 1.0.

The facts (capitals, symbols, opposites ...) are common knowledge. The domains are **invented**:
they are no medical, technical or legal advice. `new_format` and `new_words` are for
encoder-decoder models and shift one side each: the answers, or the questions' words.

## Target domains
One JSON line an item: `id`, `prompt`, `answer`, `held`. `held` items rest on a case (a complaint,
a thing, a legal verb) that never occurs in the training split.

| set | split | items | of them held |
|---|---|---|---|
{domains}

{examples}

## Retention probes (`probes.jsonl`)
One JSON line a probe: `id`, `skill`, `form`, `query`, `choices`, `label`.

| skill | form | probes | what is new in it |
|---|---|---|---|
{probes}

## Held-out text (`general.jsonl`)
{documents} documents of the pre-training mixture from another seed: `id`, `text` and `nats`, the
generator's own surprisal of the document. The training text itself is not stored: it is a stream
from a seed, and leaves out every grammar probe and every held-out document of more than 15 nats.
"""

NEW = {
    "facts": "the wording: each fact is asked in one that the text never uses for it",
    "facts_choice": "the same, with three wrong answers of the same kind",
    "grammar": "the sentence",
    "arithmetic": "the operands' order, in every wording",
    "recall": "the combinations of name and thing, or thing and place",
}


TASKS = """---
license: cc0-1.0
---
# Text to text: data card

What nano-t5 is asked, written by this project's own generator (`tools/world/tasks.py`) from a fixed
seed; `python -m tools.data` makes it again and compares bytes. Licence: CC0 1.0. A probe is right
when the whole answer is, to its end.

| skill | probes | what is new in it |
|---|---|---|
{probes}

Held-out documents, for the loss of words taken out, are those of the small world
(`data/world/general.jsonl`).
"""

OWN = """---
license: cc0-1.0
---
# Tickets: data card

What stands in for a file of your own in notebook 11: 400 tickets to a help desk, and whether
somebody should be called at night. Written by this project's own generator
(`tools/world/tickets.py`) from a fixed seed; `python -m tools.data` makes it again and compares
bytes. Licence: CC0 1.0. Invented.

| column | |
|---|---|
| `number` | of the ticket; read by nobody |
| `ticket` | what was written |
| `call` | yes, maybe or no: by who is hit and whether work stands still |

Always saying yes is right for about half.
"""

NEW_TASKS = {
    "facts": "the wording: each fact is asked in one that is never read for it",
    "grammar": "the sentence",
    "order": "the combination of person and thing, and so the story",
    "retell": "the same",
}


def tasks_card(probes: list[Row]) -> str:
    """The card as Markdown."""
    counts = Counter(str(row["skill"]) for row in probes)
    lines = [f"| {skill} | {count} | {NEW_TASKS[skill]} |" for skill, count in counts.items()]
    return TASKS.format(probes="\n".join(lines))


def world_card(domains: dict[str, dict[str, list[Row]]], probes: list[Row], documents: int) -> str:
    """The card as Markdown."""
    domain_lines = [
        f"| `{name}` | {split} | {len(rows)} | {sum(bool(row['held']) for row in rows)} |"
        for name, splits in domains.items()
        for split, rows in splits.items()
    ]
    examples = [
        f"`{name}`:\n```text\n{splits['train'][0]['prompt']}{splits['train'][0]['answer']}\n```"
        for name, splits in domains.items()
    ]
    forms = Counter((str(row["skill"]), str(row["form"])) for row in probes)
    probe_lines = [f"| {s} | {f} | {count} | {NEW[s]} |" for (s, f), count in forms.items()]
    return WORLD.format(
        domains="\n".join(domain_lines),
        examples="\n".join(examples),
        probes="\n".join(probe_lines),
        documents=documents,
    )
