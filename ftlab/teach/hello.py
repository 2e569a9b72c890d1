"""The first line of every notebook."""

import os
import shutil
import subprocess
from importlib import metadata

from ftlab.base import machine
from ftlab.base.quiet import quiet
from ftlab.teach import traps


def hello() -> None:
    """Silence the libraries; print version, profile, device and precision, in one line.

    In Colab also a line for each known problem that would make a cell fail.
    """
    from ftlab import __version__

    quiet()
    name, capability = _card()
    profile = os.environ.get("FTLAB_PROFILE") or ("t4" if capability else "nano")
    how = machine.precision("cpu")  # what was asked for, else float32
    if capability and not os.environ.get("FTLAB_PRECISION"):
        how = "bf16" if capability >= 8 else "fp16"
    print(f"ftlab {__version__}: profile {profile}, on {name}, training in {how}")
    for trap in traps.harmful() if traps.in_colab() else ():
        print(f"{trap.name}: {trap.found} -> {trap.cure}")


def _card() -> tuple[str, float]:
    """Name and capability of the card, or ("the CPU", 0). Loading torch would take seconds."""
    if shutil.which("nvidia-smi") and "+cpu" not in metadata.version("torch"):
        asked = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        name, _, capability = told.partition("\n")[0].rpartition(", ")
        if name:
            return name, float(capability)
    return "the CPU", 0.0
