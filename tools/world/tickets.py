"""Own data for notebook 11: tickets as a company might have them, and whether to call at night.

A CSV with columns of its own names, as a reader would bring it; one table of rows, no splits. The
answer, yes, no or maybe, follows from the priority of the domain `helpdesk` (high, low, medium),
so half of the rows say yes: always saying yes is right for half of them.
"""

import csv
import io

from tools.world.dice import Dice
from tools.world.helpdesk import DEVICES, item

ROWS, SEED = 400, 30
CALL = {"high": "yes", "medium": "maybe", "low": "no"}
COLUMNS = ("number", "ticket", "call")


def tickets() -> bytes:
    """The file: `number`, `ticket`, `call`; no ticket twice."""
    dice, found = Dice(SEED), {}
    while len(found) < ROWS:
        prompt, reply = item(dice, list(DEVICES))
        ticket = prompt.removeprefix("Ticket: ").removesuffix("\nReply:")
        found[ticket] = CALL[reply.split(", ")[1].split(".")[0]]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((2001 + i, *row) for i, row in enumerate(found.items()))
    return out.getvalue().encode()
