"""ftlab: see a language model forget while it is fine-tuned, and fine-tune it without.

    import ftlab
    lab = ftlab.open_lab("clinic")
    run = lab.run(ftlab.Plan(lr=1e-3))

`ftlab.<Tab>` shows what there is. Everything is loaded when it is first used: `import ftlab` alone
brings in no torch. One thing it does at once: a torchao beside which peft would not work is hidden
from this process.
"""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy
from ftlab.base.libraries import hide_old_torchao

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ftlab import (
        analysis,
        datasets,
        evaluate,
        explorer,
        memory,
        methods,
        models,
        show,
        teach,
        text,
        train,
    )
    from ftlab.analysis.frame import records
    from ftlab.base import machine
    from ftlab.lab.lab import Lab, Run, open_lab
    from ftlab.lab.report import report
    from ftlab.plan import Plan
    from ftlab.show.panels.live import Live
    from ftlab.teach.claims import claim, says, verdict_table
    from ftlab.teach.exercises import exercise
    from ftlab.teach.hello import hello
    from ftlab.teach.predictions import predict
    from ftlab.teach.preflight import preflight
    from ftlab.train.callback import RetentionCallback
    from ftlab.train.store import store_runs

__all__, __dir__, __getattr__ = lazy(__name__, __file__)

hide_old_torchao()  # before anything imports peft
