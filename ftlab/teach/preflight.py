"""What this machine is, what it can really do, and which known problems it has.

    ftlab check                 the report as a table
    ftlab check --json          the same for a program

Each finding is `good`, a `note`, a `trap` (a known problem, with its cure beside it) or `broken`
(fix it first; `ftlab check` then ends with code 1). Notable choices:

- Precision is that of the hardware (`ftlab.base.machine`): a T4 says it supports bfloat16, but
  only emulates it.
- Memory and disk are what is free for this process, so a container's limit counts.
- The network is tried once, for 2 seconds, and not at all under HF_HUB_OFFLINE=1.
- Packages are read from their metadata, not imported; only the device loads torch.
"""

import importlib.metadata as metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.base.paths import cache_dir, data_dir
from ftlab.base.quiet import quiet
from ftlab.hub import reach
from ftlab.teach.timings import timings
from ftlab.teach.traps import Trap, busy, free_memory, installed, traps

MARKS = {"good": "✓", "note": "·", "trap": "!", "broken": "✗"}
GB = 1e9
LITTLE_MEMORY, LITTLE_DISK = 2 * GB, 2 * GB


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    """What was looked at."""
    status: str
    """good, note, trap or broken."""
    value: str
    """What was found."""
    cure: str = ""
    """What to do about it, if anything."""


@dataclass(frozen=True)
class Report:
    """What preflight found: a table when printed, `as_dict()` for JSON."""

    findings: tuple[Finding, ...]
    """In the order of the table."""
    packages: dict[str, str | None]
    """Installed versions; None for what is absent."""
    device: str
    """cpu or cuda."""
    precision: str
    """fp32, fp16 or bf16: what the hardware really does."""
    profile: str
    """nano, laptop or t4."""
    minutes: dict[str, float] = field(default_factory=dict)
    """Notebook -> minutes, measured when it was built; empty where it never was."""

    @property
    def broken(self) -> bool:
        """True when something must be fixed first."""
        return any(finding.status == "broken" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON data."""
        return asdict(self) | {"broken": self.broken}

    def __str__(self) -> str:
        wide = max(len(finding.name) for finding in self.findings)
        lines = []
        for finding in self.findings:
            lines.append(f"{MARKS[finding.status]} {finding.name:<{wide}}  {finding.value}")
            if finding.cure:
                lines.append(f"  {'':<{wide}}  -> {finding.cure}")
        return "\n".join(lines)


def preflight() -> Report:
    """Look at this machine; takes about 5 s.

    Raises InputError only for an unknown FTLAB_PROFILE.
    """
    quiet()
    from ftlab.base import machine

    device, precision = machine.device(), machine.precision()
    profile = str(machine.profile())
    minutes, timing = _minutes(profile)
    packages = installed()
    met = [_finding(trap) for trap in traps(packages, device)]
    machine = [*_software(packages), *_hardware(device, precision, profile), _network(), _data()]
    findings = (*machine, *met, *timing)
    return Report(findings, packages, device, precision, profile, minutes)


def _finding(trap: Trap) -> Finding:
    return Finding(trap.name, "trap" if trap.harmful else "note", trap.found, trap.cure)


def _software(packages: dict[str, str | None]) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    cure = "" if fits else "install Python 3.11, 3.12 or 3.13, which this workbook supports"
    yield Finding("Python", "good" if fits else "broken", version, cure)
    there = [f"{name} {version}" for name, version in packages.items() if version]
    yield Finding("packages", "good", ", ".join(there[:5]))
    old = too_old()
    if old:
        names = " ".join(f"'{need}'" for need in old)
        yield Finding("too old or missing", "broken", ", ".join(old), f"pip install {names}")


def too_old() -> list[str]:
    """Requirements of ftlab that the installed packages do not meet, such as peft>=0.20."""
    from packaging.requirements import Requirement  # comes with datasets and transformers

    try:
        needs = [Requirement(text) for text in metadata.requires("ftlab") or ()]
    except metadata.PackageNotFoundError:  # run from a clone that was not installed
        return []
    return [str(need) for need in needs if need.marker is None and not _met(need)]


def _met(need: Any) -> bool:
    try:
        return need.specifier.contains(metadata.version(need.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _hardware(device: str, precision: str, profile: str) -> Iterator[Finding]:
    yield Finding("device", "good", _device_words(device))
    words = {"bf16": "bfloat16", "fp16": "float16 (no bfloat16 in hardware)", "fp32": "float32"}
    yield Finding("precision", "good", f"{words[precision]}, for training")
    hint = "models come from the Hub; without it, the small models of the workbook are used"
    yield Finding("profile", "good", profile, hint if profile == "t4" else "")
    free = free_memory()
    if free is not None:
        yield _enough("free memory", free, LITTLE_MEMORY, "close other programs")
    try:
        yield _enough("free disk", shutil.disk_usage(cache_dir()).free, LITTLE_DISK, "delete files")
    except (OSError, InputError) as error:
        cure = "set FTLAB_CACHE to a folder that you can write to"
        yield Finding("free disk", "trap", f"no cache folder: {error}", cure)


def _enough(name: str, free: int, little: float, cure: str) -> Finding:
    short = free < little
    cure = f"{cure}: {little / GB:.0f} GB are needed" if short else ""
    return Finding(name, "trap" if short else "good", f"{free / GB:.1f} GB", cure)


def _device_words(device: str) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if device == "cpu":
        return f"CPU, {cores} cores"
    import torch

    free, total = torch.cuda.mem_get_info()
    major, minor = torch.cuda.get_device_capability()
    return (
        f"{torch.cuda.get_device_name()}, capability {major}.{minor}, "
        f"{free / GB:.1f} of {total / GB:.1f} GB free; {cores} CPU cores"
    )


def _network() -> Finding:
    if reach.offline_by_setting():
        return Finding("Hub", "note", "offline, as HF_HUB_OFFLINE says; what is here is enough")
    if reach.online():
        return Finding("Hub", "good", "reachable")
    return Finding("Hub", "note", "does not answer; what is here is enough")


def _data() -> Finding:
    """Whether every file that a CHECKSUMS lists is what it was, and no other came to them."""
    try:
        folder = data_dir()
        lists = sorted(folder.rglob(checksums.NAME))
        bad = [name for file in lists for name in checksums.damaged(file.parent)]
    except InputError as error:
        return Finding("data", "broken", str(error))
    if not lists:
        missing = f"no {checksums.NAME} under {folder.name}/"
        return Finding("data", "broken", missing, "get the whole repository")
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        damaged = f"not what {checksums.NAME} lists: {', '.join(bad[:3])}{more}"
        cure = "get the files again: git checkout -- data; without a clone, install ftlab again"
        return Finding("data", "broken", damaged, cure)
    return Finding("data", "good", "intact")


def _minutes(profile: str) -> tuple[dict[str, float], list[Finding]]:
    """The minutes of each notebook when it was built, and a line that says on how many cores."""
    try:
        found = timings(profile)
    except InputError as error:
        return {}, [Finding("minutes per notebook", "broken", str(error))]
    minutes = {name: timing.seconds / 60 for name, timing in found.items()}
    if not found:
        words = f"not measured on the profile {profile}"
        return {}, [Finding("minutes per notebook", "note", words)]
    cores = " or ".join(sorted({str(timing.cores) for timing in found.values()}))
    words = ", ".join(f"{name[:2]}: {_round(value)}" for name, value in minutes.items())
    words = f"{words} (on {cores} CPU cores)"
    load = f"the cores are busy (load {busy():.1f}), so training is slower"
    first = [Finding("load", "note", load)] if busy() else []
    return minutes, [*first, Finding("minutes per notebook", "good", words)]


def _round(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
