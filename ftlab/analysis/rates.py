"""Learning rates to try first, from the recorded runs.

For full fine-tuning and for LoRA on all linear layers: the rate at which most is learned while 90 %
is retained, over the seeds of the shortest runs on the domain `clinic`.
"""

from typing import Any

from ftlab.analysis.frame import SIZES, records
from ftlab.plan import rate_text

RETAINED = 0.9


def best_rate(frame: Any, method: str) -> float:
    """The rate with most learned among those that retain enough; NaN where none was recorded.

    `frame` is what `records` gives.
    """
    chosen = frame[(frame["method"] == method) & (frame["domain"] == "clinic")]
    chosen = chosen[(chosen["schedule"] == "constant") & (chosen["replay"] == 0)]
    chosen = chosen[chosen["steps"] == chosen["steps"].min()]
    means = chosen.groupby("lr")[["learned", "retained"]].mean()
    kept = means[means["retained"] >= RETAINED]["learned"]
    return float(kept.idxmax()) if len(kept) else float("nan")


def rates_to_try(model: str) -> str:
    """A sentence with the rates, from the runs of this model or, of another, of smollm2-135m."""
    name = model if model in SIZES else "smollm2-135m"
    frame = records(name)
    full, lora = (best_rate(frame, method) for method in ("full", "lora_all"))
    return (
        f"full {rate_text(full)}, LoRA on all linear layers {rate_text(lora)}, "
        f"{lora / full:.0f} times that: there {name} learned most with 90 % retained (domain "
        "clinic). Try one three times lower and one three times higher as well; a larger model "
        "wants lower rates."
    )
