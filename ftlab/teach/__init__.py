"""Teaching: predictions, exercises, claims, and the notebooks that use them.

What notebooks call is here; `tools.notebooks.build` writes the notebooks and needs the
development tools. Nothing here imports torch.
"""

from ftlab.teach.claims import Claim, Verdict, VerdictTable, claim, says, verdict_table
from ftlab.teach.exercises import exercise
from ftlab.teach.predictions import Prediction, predict

__all__ = [
    "Claim",
    "Prediction",
    "Verdict",
    "VerdictTable",
    "claim",
    "exercise",
    "predict",
    "says",
    "verdict_table",
]
