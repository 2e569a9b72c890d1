"""Recorded runs side by side: at equal learning, with intervals and verdicts."""

from typing import TYPE_CHECKING

from ftlab.base.lazy import lazy

if TYPE_CHECKING:
    from ftlab.analysis.attention_order import best_rates, priorities
    from ftlab.analysis.compare import (
        Setting,
        at_loss,
        best_at,
        close,
        common_level,
        difference,
        level,
        more,
        paired,
        pick,
        points_text,
        rate_text,
        retained_of,
        settings,
        shipped,
        spearman,
        verdict,
        whole,
    )
    from ftlab.analysis.four_bits import left, pairs
    from ftlab.analysis.frame import records
    from ftlab.analysis.orderings import razor
    from ftlab.analysis.scale import levels, matched, most, order, sides, spearman_interval
    from ftlab.analysis.sequences import (
        average_accuracy,
        backward_transfer,
        forgetting,
        just_learned,
    )

__all__, __dir__, __getattr__ = lazy(__name__, __file__)
