"""How long each notebook took when it was built: data/minutes.json, one row a notebook.

    timings("nano")     {"00_start_here": Timing(seconds=12.1, cores=2), ...}

`make notebooks` measures them. Other machines are faster or slower, so a row says how many cores.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from ftlab.base.jsonfile import read_as, write_json
from ftlab.base.paths import data_dir


@dataclass(frozen=True)
class Timing:
    """One run of a notebook, all cells."""

    seconds: float
    """Wall clock."""
    cores: int
    """CPU cores of the machine."""


def file_of(profile: str = "nano") -> Path:
    """Where a profile's timings are stored; the file may be missing."""
    return data_dir() / ("minutes.json" if profile == "nano" else f"minutes-{profile}.json")


AS_T4 = ", fp16, 15 GB"
"""How the report of `make gpu` ends the name of a notebook that ran as on a T4."""


def report_file() -> Path:
    """The report of `make gpu`; missing until it has run on a card."""
    return data_dir() / "gpu.json"


def timings(profile: str = "nano") -> dict[str, Timing]:
    """By notebook; empty where none was measured. Raises InputError for a damaged file."""
    file = file_of(profile)
    return read_as(dict[str, Timing], file) if file.is_file() else {}


def note(name: str, timing: Timing, profile: str = "nano") -> None:
    """Store what a notebook took."""
    known = {key: asdict(value) for key, value in timings(profile).items()}
    write_json(file_of(profile), dict(sorted((known | {name: asdict(timing)}).items())))
