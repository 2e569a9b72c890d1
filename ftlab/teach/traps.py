"""Known traps of the stack, looked for before anything runs into them; each with its cure.

Each was met: see the comments. A trap that bites makes a cell fail or a step ten times slower;
one that does not is only told.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trap:
    """Something that works elsewhere and not quite here."""

    name: str
    """What it concerns."""
    found: str
    """What was found."""
    cure: str
    """What to do."""
    bites: bool = True
    """False for what is only good to know."""


def traps(packages: Mapping[str, str | None], device: str) -> Iterator[Trap]:
    """The traps that lie on this machine. packages: name -> version, None for absent."""
    yield from _torchao(packages)
    yield from _widgets(packages)
    yield from _bitsandbytes(packages)
    yield from _emulated_bfloat16(device)
    yield from _threads()


def in_colab() -> bool:
    """True in a Colab runtime."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def _torchao(packages: Mapping[str, str | None]) -> Iterator[Trap]:
    """Beside a torchao older than 0.16 (Colab has 0.10), get_peft_model raises ImportError."""
    version = packages.get("torchao")
    if packages.get("peft") and version and release(version) < (0, 16):
        yield Trap(
            "torchao",
            f"torchao {version} beside peft: get_peft_model will raise ImportError",
            "pip uninstall -y torchao (nothing here needs it), then restart the kernel",
        )


def _widgets(packages: Mapping[str, str | None]) -> Iterator[Trap]:
    """Colab's front end speaks ipywidgets 7; a newer package shows nothing there."""
    version = packages.get("ipywidgets")
    if not version or not in_colab():
        return
    if release(version) >= (8,):
        yield Trap(
            "ipywidgets",
            f"ipywidgets {version} in Colab, whose front end speaks version 7",
            "pip install 'ipywidgets<8', then restart the runtime",
        )
    else:
        yield Trap(
            "ipywidgets",
            f"ipywidgets {version}, as Colab's front end needs it",
            "do not upgrade it; to stop a run, interrupt the cell: a Stop button waits for its end",
            bites=False,
        )


def _bitsandbytes(packages: Mapping[str, str | None]) -> Iterator[Trap]:
    if not packages.get("bitsandbytes"):
        yield Trap(
            "bitsandbytes",
            "absent; only the notebook on QLoRA needs it",
            "pip install 'ftlab[quant]' (from a clone: pip install -e '.[quant]')",
            bites=False,
        )


def _emulated_bfloat16(device: str) -> Iterator[Trap]:
    """A T4 (capability 7.5) answers True to is_bf16_supported() and emulates it, slowly."""
    if device != "cuda":
        return
    import torch

    if torch.cuda.get_device_capability() < (8, 0):
        yield Trap(
            "bfloat16",
            "torch.cuda.is_bf16_supported() may say True here: that is emulation",
            "nothing to do: ftlab goes by the capability and takes float16",
            bites=False,
        )


def _threads() -> Iterator[Trap]:
    """With torch's 2 threads on 2 busy cores one step took 0.4 to 8 s, alone 0.15 s."""
    cores = os.cpu_count() or 1
    if busy() and cores > 1 and os.environ.get("OMP_NUM_THREADS") != "1":
        yield Trap(
            "busy cores",
            f"a load of {busy():.1f} on {cores} cores: threads that wait for each other crawl",
            "set OMP_NUM_THREADS=1 before starting, or close what else runs",
        )


def busy() -> float:
    """The load of the last minute where it fills over 3/4 of the cores; 0.0 otherwise."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # Windows has none
    return load if load > 0.75 * (os.cpu_count() or 1) else 0.0


def release(version: str) -> tuple[int, ...]:
    """ "0.10.0+git12" as (0, 10, 0): the leading numbers, for comparing."""
    numbers: list[int] = []
    for part in version.split("+")[0].split("."):
        digits = "".join(c for c in part if c.isdigit()) if part[:1].isdigit() else ""
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def free_memory() -> int | None:
    """Bytes that this process may still take: the machine's, or less where a container says so."""
    try:
        import psutil  # comes with accelerate and peft
    except ImportError:
        return None
    free = int(psutil.virtual_memory().available)
    try:
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        return free if limit == "max" else max(0, min(free, int(limit) - used))
    except (OSError, ValueError):  # no container, or an older kind of it
        return free
