"""The first line of every notebook."""

import os
import shutil

from ftlab.base.quiet import quiet
from ftlab.teach import traps


def hello() -> None:
    """Silence the libraries and print the version and the profile.

    In Colab also a line for each known problem that would make a cell fail.
    """
    from ftlab import __version__

    quiet()
    guess = "t4" if shutil.which("nvidia-smi") else "nano"  # asking torch would take seconds
    print(f"ftlab {__version__}, profile {os.environ.get('FTLAB_PROFILE') or guess}")
    for trap in traps.harmful() if traps.in_colab() else ():
        print(f"{trap.name}: {trap.found} -> {trap.cure}")
