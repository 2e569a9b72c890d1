"""The first line of every notebook."""

from ftlab.base import machine
from ftlab.base.quiet import quiet
from ftlab.teach import traps


def hello() -> None:
    """Silence the libraries; print version, profile, device and precision, in one line.

    In Colab also a line for each known problem that would make a cell fail.
    """
    from ftlab import __version__

    quiet()
    for trap in traps.harmful() if traps.in_colab() else ():
        print(f"{trap.name}: {trap.found} -> {trap.cure}")
    where, how = machine.device_name(), machine.precision()
    print(f"ftlab {__version__}: profile {machine.profile()}, on {where}, training in {how}")
