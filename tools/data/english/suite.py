"""The suite for real language models: what a model trained on English can be expected to know.

    skill          form     items   what is asked
    facts          cloze      284   common knowledge, to be said
    facts_choice   choice     284   the same facts, to be picked from four
    grammar        pair       228   minimal pairs of 19 kinds
    arithmetic     choice     110   small sums and differences
    recall         choice     120   what the text has just said

`data/english/probes.jsonl` is written from word lists by this module, byte for byte the same
every time; `general.jsonl` holds 100 documents that the base model wrote, sampled once.

    python -m tools.data.english.suite             write the probes
    python -m tools.data.english.suite --check     make them again and compare
    python -m tools.data.english.suite --sample    sample the documents anew (about 10 minutes)

`replay.jsonl` holds short texts of the same making, from another seed, for `world.replay`
(--sample-replay).
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.base.paths import data_dir
from tools.data.english.documents import fault, sample, sample_replay
from tools.data.english.facts import facts
from tools.data.english.grammar import grammar
from tools.data.english.tasks import arithmetic, recall
from tools.world.dice import Dice

MODEL = "smollm2-135m"
PROBES, DOCUMENTS = "english/probes.jsonl", "english/general.jsonl"
REPLAY = "english/replay.jsonl"


def probes() -> list[dict]:
    """Every probe of the suite; each part has a seed of its own, so one can change alone."""
    makers = (facts, grammar, arithmetic, recall)
    return [probe for seed, make in enumerate(makers, 1) for probe in make(Dice(seed))]


def check(folder: Path | None = None) -> list[str]:
    """Names of the suite's files under `folder` (data/) that are not what they should be.

    The probes are made again and compared byte by byte. The documents cannot be made again on
    another machine: each must still pass the rule by which it was kept, and CHECKSUMS holds them.
    """
    folder = folder or data_dir()
    wrong = [] if read(folder / PROBES) == as_lines(probes()) else [PROBES]
    try:
        texts = [json.loads(line)["text"] for line in read(folder / DOCUMENTS).splitlines()]
    except (ValueError, KeyError):
        texts = []
    kept = [text for text in texts if not fault(text)]
    return wrong if texts and kept == texts else [*wrong, DOCUMENTS]


def as_lines(rows: Iterable[dict]) -> bytes:
    """Rows as JSON lines in UTF-8."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def read(path: Path) -> bytes:
    """The bytes of a file; none when it is not there."""
    return path.read_bytes() if path.is_file() else b""


def write(path: Path, rows: list[dict]) -> None:
    """Put the rows into `path`, wholly or not at all."""
    with whole(path) as part:
        part.write_bytes(as_lines(rows))
    print(f"{path.name}: {len(rows)} rows written.")


def main() -> int:
    """The command line of this module; 0 when all is well, 1 when a file differs."""
    parser = argparse.ArgumentParser(description="The English suite for real language models.")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--check", action="store_true", help="make the probes again and compare")
    either.add_argument("--sample", action="store_true", help="sample the documents anew")
    either.add_argument("--sample-replay", action="store_true", help="sample the replay texts anew")
    given = parser.parse_args()
    if given.check:
        wrong = check()
        print(f"These differ: {', '.join(wrong)}." if wrong else "The English suite is as made.")
        return 1 if wrong else 0
    if given.sample or given.sample_replay:
        from ftlab.models.loading import load  # only this command needs a model

        bundle = load(MODEL)
        if given.sample:
            write(data_dir() / DOCUMENTS, sample(bundle.model, bundle.tokenizer))
        else:
            write(data_dir() / REPLAY, sample_replay(bundle.model, bundle.tokenizer))
    else:
        write(data_dir() / PROBES, probes())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"ftlab: {error}", file=sys.stderr)
        sys.exit(2)
