"""What a model has learned, what it has retained, and how far it has moved."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.evaluate.drift import kl_to_base, update_norms
    from ftlab.evaluate.evaluator import Evaluator
    from ftlab.evaluate.intervals import Interval, paired_difference, wilson
    from ftlab.evaluate.likelihood import document_loss, score_texts
    from ftlab.evaluate.probing import logit_lens, probe, states
    from ftlab.evaluate.retention import retained, retained_by_skill
    from ftlab.evaluate.skills import measure_skills
    from ftlab.evaluate.target import generate, measure_target

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
