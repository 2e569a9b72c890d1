"""What decides the weights of the models that ship: sizes, steps and the learning rate's course."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights."""

    architecture: str = "gpt2"
    """gpt2 (nano_gpt2.py) or t5 (models/nano_t5.py)."""
    stages: tuple[tuple[str, int], ...] = (
        ("general", 2750),
        ("looking back", 350),
        ("slow skills", 1400),
    )
    """Mixtures of the text (world/general.py) and the steps on each."""
    wider: float = 0.0
    """Share of the documents that come from the wider text (tools/pretrain/wider); gpt2 only."""
    practice: int = 0
    """Steps at the end on the last mixture, with notes on every subject, the rate warmed up once
    more to half its peak; gpt2 only."""
    rows: int = 16
    """Sequences a step."""
    length: int = 128
    """Tokens a sequence, at most."""
    context: int = 0
    """Tokens that the model can read; where it is more than `length` (0: it is not), every fourth
    step reads half as many rows of twice the length. gpt2 only."""
    width: int = 128
    blocks: int = 12
    """In every stack."""
    heads: int = 2
    lr: float = 2e-3
    """At the peak (of nano-t5 a share of each matrix's size)."""
    warmup: int = 200
    """Steps."""
    floor: float = 0.1
    """Last learning rate as a share of the peak."""
    decay: float = 0.1
    """Weight decay, matrices only."""
    clip: float = 1.0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of all stages and the practice together."""
        return sum(steps for _, steps in self.stages) + self.practice

    def scaled(self, steps: int) -> "Recipe":
        """A rehearsal: about `steps` steps in all, every stage and the warmup in proportion."""
        share = steps / self.steps
        stages = tuple((name, max(1, round(n * share))) for name, n in self.stages)
        warmup, practice = max(1, round(self.warmup * share)), round(self.practice * share)
        return replace(self, stages=stages, warmup=warmup, practice=practice)


RECIPES = {
    "nano-gpt2": Recipe(
        stages=(("general", 1500), ("looking back", 400), ("slow skills", 5700)),
        wider=0.28,
        practice=800,
        context=256,
    ),
    "nano-t5": Recipe(
        "t5", stages=(("tasks", 4500),), rows=64, blocks=4, lr=2e-2, warmup=200, decay=0.01
    ),
}


def learning_rate(recipe: Recipe, step: int) -> float:
    """Warmup to the peak, then cosine to `floor` of it, and so again at half the rate for the
    practice (a quarter of the warmup); step counts from 0."""
    before = recipe.steps - recipe.practice
    if step < before:
        return recipe.lr * _course(step, before, recipe.warmup, recipe.floor)
    return recipe.lr / 2 * _course(step - before, recipe.practice, recipe.warmup // 4, recipe.floor)


def _course(step: int, steps: int, warmup: int, floor: float) -> float:
    """Share of the peak."""
    if step < warmup:
        return (step + 1) / warmup
    cosine = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    return floor + (1 - floor) * cosine
