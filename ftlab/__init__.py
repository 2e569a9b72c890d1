"""ftlab: see a language model forget while it is fine-tuned, and fine-tune it without.

    import ftlab
    lab = ftlab.open_lab("clinic")
    run = lab.run(ftlab.Plan(lr=1e-3))

Everything here is loaded when it is first used: `import ftlab` alone brings in no torch. One thing
it does at once: a torchao beside which peft would not work is hidden from this process.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ftlab.optional import hide_old_torchao

__version__ = "0.1.0"

if TYPE_CHECKING:  # for editors and the type checker; at run time __getattr__ does it
    from ftlab.kept import keep
    from ftlab.lab import Lab, Run, open_lab
    from ftlab.plan import Plan
    from ftlab.show import Live
    from ftlab.teach.claims import claim, says, verdict_table
    from ftlab.teach.exercises import exercise
    from ftlab.teach.predictions import predict
    from ftlab.teach.preflight import preflight

__all__ = [
    "Lab", "Live", "Plan", "Run", "__version__", "claim", "exercise", "hello", "keep", "open_lab",
    "predict", "preflight", "says", "verdict_table",
]  # fmt: skip
_HOME = {
    "Lab": "lab", "Run": "lab", "open_lab": "lab",
    "Plan": "plan",
    "keep": "kept",
    "Live": "show",
    "claim": "teach.claims", "says": "teach.claims", "verdict_table": "teach.claims",
    "exercise": "teach.exercises",
    "predict": "teach.predictions",
    "preflight": "teach.preflight",
}  # fmt: skip


hide_old_torchao()  # before anything imports peft


def hello() -> None:
    """The first line of every notebook: quieten the libraries and say what will run.

    In Colab a line follows for every trap that lies there and would bite.
    """
    import os
    import shutil

    from ftlab.quiet import quiet
    from ftlab.teach import traps

    quiet()
    guess = "t4" if shutil.which("nvidia-smi") else "nano"  # asking torch would take seconds
    print(f"ftlab {__version__}, profile {os.environ.get('FTLAB_PROFILE') or guess}")
    for trap in traps.biting() if traps.in_colab() else ():
        print(f"{trap.name}: {trap.found} -> {trap.cure}")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ftlab' has no attribute '{name}'")
    return getattr(importlib.import_module(f"ftlab.{_HOME[name]}"), name)
