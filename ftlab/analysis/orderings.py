"""Do the orders hold that the literature expects?

    orderings(nano)      eight orders that several sources agree on, with verdicts

A verdict is holds, does not hold, or not decided: the paired difference over seeds, with its 95 %
interval on one side of zero or not (`compare.verdict`). With three seeds much stays undecided.

Sources of the eight: docstrings of the functions name one each; where several agree, the first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ftlab.analysis.compare import Setting, best_at, level, pick, rate_text, verdict, whole
from ftlab.base.errors import InputError


@dataclass(frozen=True)
class Ordering:
    """One expected order and what the records say about it."""

    says: str
    verdict: str
    """holds, does not hold, not decided, or not run."""
    evidence: str


def orderings(found: Sequence[Setting]) -> list[Ordering]:
    """The eight orders on one model's settings."""
    return [_judged(says, judge, whole(found, 2)) for says, judge in EIGHT]


Judge = Callable[[Sequence[Setting]], tuple[str, str]]


def _judged(says: str, judge: Judge | None, found: Sequence[Setting]) -> Ordering:
    if judge is None:
        return Ordering(says, "not run", "its notebook is still to come")
    try:
        return Ordering(says, *judge(found))
    except InputError as error:
        return Ordering(says, "not run", str(error))


def _rate(found: Sequence[Setting]) -> tuple[str, str]:
    """Gupta et al. 2023, Continual pre-training of LLMs: how to (re)warm your model?"""
    low, *_, high = pick(found, "learning rate")
    ends = [f"{end.text('retention')} at {rate_text(end.lr)}" for end in (low, high)]
    return verdict(low.values("retention"), high.values("retention")), _retained(ends)


def _steps(found: Sequence[Setting]) -> tuple[str, str]:
    """Biderman et al. 2024, LoRA learns less and forgets less, section 4."""
    full = [s for s in found if s.method == "full" and s.sweep in ("steps", "learning rate")]
    if not full:
        raise InputError("There are no recorded runs of full fine-tuning.")
    longest = max(full, key=lambda s: (s.runs[0].plan["steps"], s.lr))
    curves = [[s for s in run.curve if s["measured"] and s["step"]] for run in longest.runs]
    early, late = ([curve[at]["measured"]["retention"] for curve in curves] for at in (0, -1))
    return verdict(early, late), (
        f"at {rate_text(longest.lr)} retained {fmean(early):.0%} after {curves[0][0]['step']} "
        f"steps, {fmean(late):.0%} after {curves[0][-1]['step']}"
    )


def _rank(found: Sequence[Setting]) -> tuple[str, str]:
    """Biderman et al. 2024, figure 2: rank 16 forgets less than 64 and 256."""
    low, high = pick(found, "rank 2")[0], pick(found, "rank 64")[0]
    ends = [f"{end.text('retention')} at {end.sweep}" for end in (low, high)]
    return verdict(low.values("retention"), high.values("retention")), _retained(ends)


def _retained(ends: Sequence[str]) -> str:
    return f"retained {', '.join(ends)}"


def _replay(found: Sequence[Setting]) -> tuple[str, str]:
    """Bethune et al. 2025, Scaling laws for forgetting with pretraining data injection."""
    loss = level(found)
    best = best_at(found, loss)
    mixed, plain = best.get("replay"), best.get("learning rate")
    if not (mixed and plain and mixed.setting and plain.setting):
        raise InputError("Full fine-tuning with and without replay does not get to that loss.")
    return verdict(plain.forgotten, mixed.forgotten), (
        f"forgotten {fmean(mixed.forgotten):.3f} against {fmean(plain.forgotten):.3f} nats per "
        f"token when the target loss fell to {loss:.2f}"
    )


def _placement(found: Sequence[Setting]) -> tuple[str, str]:
    """Schulman et al. 2025, LoRA without regret: attention alone is worse."""
    everywhere, qv = ("lora_all", "lora_qv")
    if not any(s.sweep == everywhere for s in found):
        everywhere, qv = ("lora_even", "lora_band")
    a, b = (
        max(pick(found, sweep), key=lambda s: s.mean("target_score")) for sweep in (everywhere, qv)
    )
    return verdict(a.values("target_score"), b.values("target_score")), (
        f"learned {a.text('target_score')} against {b.text('target_score')}, "
        f"retained {a.mean('retention'):.0%} and {b.mean('retention'):.0%}"
    )


def _size(found: Sequence[Setting]) -> tuple[str, str]:
    """peft's method comparison (2026): 35 MB against 6128 MB."""
    lora, full = pick(found, "lora_band")[0].runs[0], pick(found, "learning rate")[0].runs[0]
    small, large = (3 * run.trainable * 4 / 2**20 for run in (lora, full))
    return ("holds" if small < large else "does not hold"), (
        f"adapter {lora.trainable * 4 / 2**20:.2f} MiB against {full.trainable * 4 / 2**20:.1f}; "
        f"gradients and AdamW {small:.1f} MiB against {large:.1f} (float32, by count)"
    )


EIGHT: tuple[tuple[str, Judge | None], ...] = (
    ("forgetting rises with the learning rate at fixed steps", _rate),
    ("forgetting rises with the number of steps", _steps),
    ("forgetting rises with the rank of LoRA, weakly", _rank),
    ("5 % replay forgets less than none at equal target loss", _replay),
    ("a point between base and tuned weights retains more at little cost", None),
    ("a prefix with a random start retains least, switched on", None),
    ("LoRA learns on all linear layers at least as much as on Q and V, at equal size", _placement),
    ("LoRA needs less memory and smaller files than full fine-tuning", _size),
)
