"""The first line of every notebook."""

import os
import shutil

from ftlab.base.machine import in_colab
from ftlab.base.quiet import quiet
from ftlab.teach import traps


def hello() -> None:
    """Quieten the libraries and say what will run.

    In Colab a line follows for every trap that lies there and would bite.
    """
    from ftlab import __version__

    quiet()
    guess = "t4" if shutil.which("nvidia-smi") else "nano"  # asking torch would take seconds
    print(f"ftlab {__version__}, profile {os.environ.get('FTLAB_PROFILE') or guess}")
    for trap in traps.biting() if in_colab() else ():
        print(f"{trap.name}: {trap.found} -> {trap.cure}")
