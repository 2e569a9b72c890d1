"""Known problems of the libraries, found before anything runs into them; each with its cure.

Each has happened: see the docstrings. A harmful one makes a cell fail or a step ten times slower;
the others are only mentioned. Colab's versions are those of its image of August 2026.
"""

import importlib.metadata as metadata
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftlab.base.libraries import OLDEST_TORCHAO, is_hidden, release
from ftlab.base.machine import in_colab

PACKAGES = (
    "torch", "transformers", "peft", "accelerate", "datasets", "tokenizers", "safetensors",
    "numpy", "matplotlib", "ipywidgets", "ipykernel", "jupyterlab", "bitsandbytes", "torchao",
)  # fmt: skip


@dataclass(frozen=True)
class Trap:
    """Something that works elsewhere and not quite here."""

    name: str
    """What it concerns."""
    found: str
    """What was found."""
    cure: str
    """What to do."""
    harmful: bool = True
    """False for what is only good to know."""


def traps(packages: Mapping[str, str | None], device: str) -> Iterator[Trap]:
    """The traps on this machine. packages: name -> version, None for what is not installed."""
    yield from _torchao(packages)
    yield from _widgets(packages)
    yield from _stop(packages)
    yield from _python()
    yield from _bitsandbytes(packages)
    yield from _emulated_bfloat16(device)
    yield from _threads()


def harmful() -> list[Trap]:
    """The harmful ones, found without loading torch: `ftlab.hello` prints them."""
    return [trap for trap in traps(installed(), "cpu") if trap.harmful]


def installed() -> dict[str, str | None]:
    """The versions of the packages that matter here; None for what is not installed."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _torchao(packages: Mapping[str, str | None]) -> Iterator[Trap]:
    """Beside a torchao older than 0.16 (Colab has 0.10), get_peft_model raises ImportError."""
    version = packages.get("torchao")
    if not packages.get("peft") or not version or release(version) >= OLDEST_TORCHAO:
        return
    if is_hidden("torchao"):
        yield Trap(
            "torchao",
            f"torchao {version} is installed, too old for peft",
            "nothing to do: ftlab hides it from peft, and nothing here needs it",
            harmful=False,
        )
    else:
        yield Trap(
            "torchao",
            f"torchao {version} was loaded before ftlab, so get_peft_model will raise ImportError",
            "restart the kernel and import ftlab first, or pip install -U 'torchao>=0.16'",
        )


def _widgets(packages: Mapping[str, str | None]) -> Iterator[Trap]:
    """Colab's front end has ipywidgets 7; a newer package shows nothing there."""
    version = packages.get("ipywidgets")
    if not version or not in_colab():
        return
    if release(version) >= (8,):
        yield Trap(
            "ipywidgets",
            f"ipywidgets {version}, but Colab's front end needs version 7",
            "pip install 'ipywidgets==7.7.1', then restart the runtime",
        )
    else:
        yield Trap(
            "ipywidgets",
            f"ipywidgets {version}, the version that Colab's front end needs",
            "do not upgrade it",
            harmful=False,
        )


def _stop(packages: Mapping[str, str | None]) -> Iterator[Trap]:
    """ipykernel 6 handles no click while a cell runs; 7 does (`ftlab.show.panels.live`)."""
    version = packages.get("ipykernel")
    if version and release(version) < (7,):
        yield Trap(
            "Stop button",
            f"ipykernel {version} cannot react to a button while a cell runs, so there is no Stop",
            "to stop a run, interrupt the cell; its measurements stay",
            harmful=False,
        )


def _python() -> Iterator[Trap]:
    """Colab chooses the Python, 3.13 in its image; its menu has older ones."""
    if not in_colab():
        return
    version, new = ".".join(map(str, sys.version_info[:2])), sys.version_info[:2] > (3, 13)
    cure = "nothing to do: ftlab runs on 3.11 to 3.13"
    if new:
        cure = "ftlab runs on 3.11 to 3.13; choose one under Runtime > Change runtime type"
    yield Trap("Colab's Python", version, cure, new)


def _bitsandbytes(packages: Mapping[str, str | None]) -> Iterator[Trap]:
    """Not in Colab's image; the `colab` extra installs it."""
    if not packages.get("bitsandbytes"):
        cure = "pip install 'ftlab[quant]' (from a clone: pip install -e '.[quant]')"
        if in_colab():
            cure = "%pip install bitsandbytes in a cell; no restart is needed"
        words = "not installed; only the notebook on QLoRA needs it"
        yield Trap("bitsandbytes", words, cure, harmful=False)


def _emulated_bfloat16(device: str) -> Iterator[Trap]:
    """A T4 (capability 7.5) answers True to is_bf16_supported() and emulates it, slowly."""
    if device != "cuda":
        return
    import torch

    if torch.cuda.get_device_capability() < (8, 0):
        yield Trap(
            "bfloat16",
            "torch.cuda.is_bf16_supported() may say True here, but it is only emulated",
            "nothing to do: ftlab uses float16 on this card",
            harmful=False,
        )


def _threads() -> Iterator[Trap]:
    """With torch's 2 threads on 2 busy cores one step took 0.4 to 8 s, alone 0.15 s."""
    cores = os.cpu_count() or 1
    if busy() and cores > 1 and os.environ.get("OMP_NUM_THREADS") != "1":
        yield Trap(
            "busy cores",
            f"a load of {busy():.1f} on {cores} cores, which makes several threads very slow",
            "set OMP_NUM_THREADS=1 before you start, or close other programs",
        )


def busy() -> float:
    """The load of the last minute where it fills over 3/4 of the cores; 0.0 otherwise."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # Windows has none
    return load if load > 0.75 * (os.cpu_count() or 1) else 0.0


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
