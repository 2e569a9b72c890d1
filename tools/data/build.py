"""Write the small world's data files, or check that they are what the generator writes.

    python -m tools.data        make everything again and compare byte for byte
    python -m tools.data --write        write the files and their checksums

Seeds: the pre-training text is `stream(PRETRAIN_SEED)`, the held-out documents come from another
seed and are left out of the pre-training text if they occur there word for word.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ftlab.base import checksums
from ftlab.base.files import whole
from tools.data.cards import OWN, tasks_card, world_card
from tools.world import clinic, contracts, helpdesk, ledger, probes, shifts, tickets
from tools.world.dice import Dice
from tools.world.streams import (
    PROBE_SEED,
    held_out_documents,
    task_stream,
    training_stream,
)

REPLAY_SEED, REPLAYED = 4, 1600  # a quarter of 400 steps of 16
SIZES = {"train": 400, "validation": 64, "test": 128}
# How an item is written, from which cases in training, and which never occur there.
DOMAINS: dict[str, tuple[Callable[[Dice, Any], tuple[str, str]], Any, Any]] = {
    "clinic": (clinic.item, clinic.SEEN, clinic.HELD),
    "helpdesk": (helpdesk.item, helpdesk.SEEN, helpdesk.HELD),
    "contracts": (contracts.item, contracts.SEEN, contracts.HELD),
    "new_format": (shifts.new_format, shifts.SEEN, shifts.HELD),
    "new_words": (shifts.new_words, shifts.SEEN, shifts.HELD),
    "ledger": (ledger.item, ledger.SEEN, ledger.HELD),
}
LISTED = ("course", "english", "own", "records", "tasks", "world")
"""What data/CHECKSUMS lists: all that ships but the models, which have a list of their own, and the
minutes, which every build measures anew."""
MODELS = ("nano-gpt2", "nano-t5")
Row = dict[str, Any]


def domain_rows(name: str) -> dict[str, list[Row]]:
    """The three splits of a domain; no prompt twice; in validation and test half is held."""
    (item, seen, kept), dice = DOMAINS[name], Dice(10 + list(DOMAINS).index(name))
    used: set[str] = set()

    def rows(split: str, count: int) -> Iterator[Row]:
        number = 0
        while number < count:
            held = split != "train" and number % 2 == 1
            prompt, answer = item(dice, kept if held else seen)
            if prompt in used:
                continue
            used.add(prompt)
            yield {"id": f"{name}-{split}-{number:04}", "prompt": prompt, "answer": answer} | {
                "held": held
            }
            number += 1

    return {split: list(rows(split, count)) for split, count in SIZES.items()}


def _lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def files() -> dict[str, bytes]:
    """Every generated file of data/, as path -> content."""
    domains = {name: domain_rows(name) for name in DOMAINS}
    asked, documents = probes.all_probes(PROBE_SEED), held_out_documents()
    made = {
        f"world/{name}/{split}.jsonl": _lines(rows)
        for name, splits in domains.items()
        for split, rows in splits.items()
    }
    made["world/probes.jsonl"] = _lines(asked)
    text_to_text = probes.task_probes(PROBE_SEED)
    made["tasks/probes.jsonl"] = _lines(text_to_text)
    made["tasks/README.md"] = tasks_card(text_to_text).encode()
    made["world/general.jsonl"] = _lines(
        [
            {"id": f"general-{n:04}", "text": document.text, "nats": round(document.nats, 4)}
            for n, document in enumerate(documents)
        ]
    )
    texts = itertools.islice(training_stream(REPLAY_SEED), REPLAYED)
    made["world/replay.jsonl"] = _lines([{"text": document.text} for document in texts])
    pairs = itertools.islice(task_stream(REPLAY_SEED), REPLAYED)
    made["tasks/replay.jsonl"] = _lines([{"source": s, "text": t} for s, t in pairs])
    made["world/README.md"] = world_card(domains, asked, len(documents)).encode()
    made["own/tickets.csv"] = tickets.tickets()
    made["own/README.md"] = OWN.encode()
    return made


def write(folder: Path) -> list[str]:
    """Write every generated file under `folder` and the checksums of all; the paths written."""
    for name, content in files().items():
        with whole(folder / name) as part:
            part.write_bytes(content)
    checksums.write(folder, LISTED)
    checksums.write(folder / "models", MODELS)
    return [*files(), checksums.NAME, f"models/{checksums.NAME}"]


def check(folder: Path) -> list[str]:
    """Paths under `folder` that differ from what the generator writes now (or are missing)."""

    from tools.data.english import suite

    def differs(name: str, content: bytes) -> bool:
        path = folder / name
        return not path.is_file() or path.read_bytes() != content

    wrong = [name for name, content in files().items() if differs(name, content)]
    wrong += suite.check(folder)
    lists = {"": LISTED, "models/": MODELS}
    listed = {under: checksums.listing(folder / under, names) for under, names in lists.items()}
    lists = {f"{under}{checksums.NAME}": text.encode() for under, text in listed.items()}
    return wrong + [name for name, text in lists.items() if differs(name, text)]
