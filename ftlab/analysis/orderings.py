"""Do the orders hold that the literature expects?

    orderings(nano)      nine orders that are expected, with verdicts

A verdict is holds, does not hold, or not decided: the paired difference over seeds, with its 95 %
interval on one side of zero or not (`compare.verdict`). With three seeds much stays undecided.

Sources of the nine: docstrings of the functions name one each; where several agree, the first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

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
    """The nine orders on one model's settings, those of its adapters and remedies among them."""
    return [_judged(says, judge, whole(found, 2)) for says, judge in NINE]


Judge = Callable[[Sequence[Setting]], tuple[str, str]]
ADAPTERS = ("lora_small", "bottleneck", "prefix", "prefix_words", "prompt", "ia3", "oft", "osf")
WALKS = ("walk 80%", "walk 60%")  # the first that several seeds have


def _judged(says: str, judge: Judge, found: Sequence[Setting]) -> Ordering:
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


def _between(found: Sequence[Setting]) -> tuple[str, str]:
    """Wortsman et al. 2022, Robust fine-tuning of zero-shot models, section 4."""
    walk = next((name for name in WALKS if any(s.sweep == name for s in found)), WALKS[0])
    part = min(pick(found, walk), key=lambda s: s.lr)
    whole_way = pick(found, "learning rate", part.lr)[0]
    return verdict(*_paired(part, whole_way)), (
        f"{walk} at {rate_text(part.lr)}, against 100%: retained {part.text('retention')} and "
        f"{whole_way.text('retention')}, learned {part.text('target_score')} and "
        f"{whole_way.text('target_score')}"
    )


def _prefix(found: Sequence[Setting]) -> tuple[str, str]:
    """peft's method comparison (2026): prefixes and prompts drift most."""
    best = {
        name: max(pick(found, name), key=lambda s: s.mean("target_score") * s.mean("retention"))
        for name in ADAPTERS
    }
    prefix = best.pop("prefix")
    least = min(best.values(), key=lambda s: s.mean("retention"))
    return verdict(*_paired(least, prefix)), (
        f"retained {prefix.text('retention')}; of the others {least.sweep} retains least, "
        f"{least.text('retention')} (each at its best rate)"
    )


def _paired(one: Setting, other: Setting) -> tuple[list[float], list[float]]:
    """Retained, over the seeds that both have."""
    first, second = ({run.seed: run.final["retention"] for run in s.runs} for s in (one, other))
    shared = sorted(first.keys() & second.keys())
    return [first[seed] for seed in shared], [second[seed] for seed in shared]


def _predicted(found: Sequence[Setting]) -> tuple[str, str]:
    """Shenfeld et al. 2025, RL's razor: R2 of 0.71 on a language model."""
    runs = [run for setting in found for run in setting.runs if "kl_target" in run.final]
    if len(runs) < 20:
        raise InputError(f"A fit over {len(runs)} runs says nothing; 20 are needed.")
    r2 = razor([(run.final["kl_target"], run.final["forgotten"]) for run in runs])
    return ("holds" if r2 >= HALF else "does not hold"), (
        f"a quadratic fit over {len(runs)} runs explains {r2:.0%} of the spread (at least half?)"
    )


def razor(points: Sequence[tuple[float, float]]) -> float:
    """R2, at most 1, of a quadratic fit of forgetting on KL(base, tuned) on new answers: (x, y)."""
    x, y = np.array(points).T
    rest = y - np.polynomial.Polynomial.fit(x, y, 2)(x)
    return float(1 - (rest**2).sum() / ((y - y.mean()) ** 2).sum())


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


HALF = 0.5
"""Of the spread, what a fit must explain to predict."""
NINE: tuple[tuple[str, Judge], ...] = (
    ("forgetting rises with the learning rate at fixed steps", _rate),
    ("forgetting rises with the number of steps", _steps),
    ("forgetting rises with the rank of LoRA, weakly", _rank),
    ("5 % replay forgets less than none at equal target loss", _replay),
    ("a point between base and tuned weights retains more at little cost", _between),
    ("a prefix with a random start retains least, switched on", _prefix),
    ("LoRA learns on all linear layers at least as much as on Q and V, at equal size", _placement),
    ("LoRA needs less memory and smaller files than full fine-tuning", _size),
    ("forgetting follows from KL(base, tuned) on the new task's answers", _predicted),
)
