"""Five findings that can be read alone, for the README, each computed from the recorded runs.

A finding is a sentence and the runs that bear it out, on both models. It also says what must be
true of those runs; when it is no longer so, writing it fails, and a person looks at it again.
"""

from collections.abc import Callable

from ftlab.analysis import compare, scale
from ftlab.show import rate_text
from tools.pages import shipped
from tools.pages.measured import MODELS

GENTLE, HARSH = 1e-4, 1e-3
REPLAYED = "replay 5%, walk {:.0%}"
WALKS = (0.8, 0.7)
"""How far from the base the recipe ends, nano-gpt2 and SmolLM2."""
WALK = dict(zip(MODELS, WALKS, strict=True))


def instead() -> str:
    """What to do in place of naive fine-tuning, in a line."""
    rates = {_recipe(size, walk).lr for size, walk in zip(MODELS, WALKS, strict=True)}
    _must(len(rates) == 1)
    kinds = (
        _each(lambda size: _both(_one(size, "learning rate", HARSH))),
        _each(lambda size: _both(_one(size, "learning rate", GENTLE))),
        _each(lambda size: _both(_recipe(size, WALK[size]))),
    )
    return (
        f"**Instead of naive fine-tuning** at a rate of {rate_text(HARSH)}, the default of torch's "
        f"AdamW ({kinds[0]}), take a tenth of the rate ({kinds[1]}). Or take "
        f"{rate_text(rates.pop())}, mix in 5 % of old text (SmolLM2's was written by itself), and "
        "then move the weights back to "
        f"{' and '.join(f'{walk:g}' for walk in WALKS)} of the way ({kinds[2]})."
    )


def five() -> str:
    """The findings as a numbered list in Markdown."""
    found = (_rate, _schedule, _places, _adapters, _together)
    return "\n".join(f"{n}. {finding()}" for n, finding in enumerate(found, 1))


def _rate() -> str:
    told = _each(
        lambda size: (
            f"{rate_text(GENTLE)} {_both(_one(size, 'learning rate', GENTLE))}, "
            f"{rate_text(HARSH)} {_both(_one(size, 'learning rate', HARSH))}"
        )
    )
    for size in MODELS:
        gentle, harsh = (_one(size, "learning rate", rate) for rate in (GENTLE, HARSH))
        _must(compare.more(gentle, harsh) and gentle.mean("target_score") > 0.85)
    return f"**The learning rate decides most.** Full fine-tuning: {told}."


def _schedule() -> str:
    def told(size: str) -> str:
        cosine, flat = _one(size, "schedule", HARSH), _one(size, "equal area", HARSH / 2)
        constant = _one(size, "learning rate", HARSH)
        _must(flat.mean("retention") > cosine.mean("retention") > constant.mean("retention"))
        return (
            f"constant {_retained(constant)}, warmup and cosine {_retained(cosine)}, "
            f"constant at half of it {_retained(flat)}"
        )

    return (
        "**At a high peak, warmup and cosine decay are mostly a lower rate.** Retained at "
        f"{rate_text(HARSH)}: {_each(told)}."
    )


def _places() -> str:
    nano, real = (compare.settings(shipped(size)) for size in MODELS)
    levels = scale.levels(nano, real, 0.9)
    each = [levels[kind] for kind in ("lora_ff", "lora_all", "lora_qv")]
    _must(all(min(a, b) > c for a, b, c in zip(*each, strict=True)))
    told = "; ".join(
        f"{model} {a:.0%} and {b:.0%}, on Q and V {c:.0%}"
        for model, a, b, c in zip(MODELS.values(), *each, strict=True)
    )
    return (
        "**LoRA belongs on the feed-forward or on all linear layers, not on Q and V alone.** Most "
        f"learned while 90 % is retained (read off between the recorded rates): {told}."
    )


def _adapters() -> str:
    def told(size: str) -> str:
        found = _one(size, "lora_all", 3e-3)
        _must(found.mean("retention") < 0.9)
        return _both(found)

    return (
        "**An adapter forgets too, as long as it is on.** LoRA on all linear layers at "
        f"{rate_text(3e-3)}: {_each(told)}. Switched off, it gives the base back bit for bit."
    )


def _together() -> str:
    def told(size: str) -> str:
        recipe = _recipe(size, WALK[size])
        harsh, gentle = (_alone(size, lr) for lr in (recipe.lr, GENTLE))
        alone = ", ".join(f"{rate_text(s.lr)} alone {_both(s)}" for s in (harsh, gentle))
        _must(recipe.mean("retention") > harsh.mean("retention") + 0.1)
        better = compare.verdict(*_products(recipe, gentle))
        return f"{_both(recipe)} ({alone}; better than {rate_text(GENTLE)} alone: {better})"

    return (
        "**Remedies let you use a higher rate.** 5 % old text, and then part of the way back to "
        f"the base, at {rate_text(_recipe('nano', WALKS[0]).lr)}: {_each(told)}. (Better: a larger "
        "product of learned and retained, seed by seed.)"
    )


def _each(told: Callable[[str], str]) -> str:
    return "; ".join(f"{model}: {told(size)}" for size, model in MODELS.items())


def _one(size: str, sweep: str, lr: float) -> compare.Setting:
    return compare.pick(compare.settings(shipped(size)), sweep, lr)[0]


def _remedies(size: str) -> list[compare.Setting]:
    name = {"nano": "nano-gpt2", "laptop": "smollm2-135m"}[size]
    return compare.settings([run for run in shipped("remedies") if run.model == name])


def _recipe(size: str, walk: float) -> compare.Setting:
    """The recipe's recorded setting; of several rates the one with the largest product."""
    found = compare.pick(_remedies(size), REPLAYED.format(walk))
    return max(found, key=lambda one: one.mean("target_score") * one.mean("retention"))


def _alone(size: str, lr: float) -> compare.Setting:
    """Full fine-tuning in the recipe's precision: on SmolLM2 it was run again for that."""
    again = [s for s in _remedies(size) if (s.sweep, s.lr) == ("walk 100%", lr)]
    return (again or [_one(size, "learning rate", lr)])[0]


def _products(*pair: compare.Setting) -> list[list[float]]:
    """Learned x retained of both, for the seeds that both have."""
    each = [{r.seed: r.final["target_score"] * r.final["retention"] for r in s.runs} for s in pair]
    seeds = sorted(each[0].keys() & each[1].keys())
    return [[one[seed] for seed in seeds] for one in each]


def _both(one: compare.Setting) -> str:
    return f"{one.mean('target_score'):.0%} learned and {_retained(one)} retained"


def _retained(one: compare.Setting) -> str:
    return f"{one.mean('retention'):.0%}"


def _must(so: bool) -> None:
    if not so:
        raise LookupError("a finding of the README is no longer so; see tools/pages/findings.py")
