"""What was measured on a card, for notebook 06 to set beside the arithmetic."""

from typing import Any

from ftlab.base.checksums import damaged
from ftlab.base.jsonfile import read_json
from ftlab.base.paths import data_dir


def measured_on_a_card() -> list[dict[str, Any]]:
    """What `python -m tools.bench.gpu_memory` recorded: a dict a run, sizes in bytes.

    predicted, peak and reserved (None where it does not fit), tokens_per_second, trial {...}, ...
    What is damaged is left out, and a line says so.
    """
    harmed = [data_dir() / name for name in damaged(data_dir(), "records/t4/")]
    for path in harmed:
        print(f"Left out: {path} is missing or not what CHECKSUMS lists.")
    paths = set((data_dir() / "records" / "t4").glob("*.json")) - set(harmed)
    found = [read_json(path) for path in sorted(paths)]
    return sorted(found, key=lambda one: (one["trial"]["model"], -one["trial"]["cap"]))
