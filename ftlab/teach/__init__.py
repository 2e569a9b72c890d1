"""Predictions, exercises, claims and the preflight: what a notebook asks and says."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.teach import answers
    from ftlab.teach.claims import Claim, claim, says, verdict_table
    from ftlab.teach.exercises import exercise
    from ftlab.teach.predictions import Prediction, predict
    from ftlab.teach.syllabus import course

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
