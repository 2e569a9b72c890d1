"""The model card of a nano model: data, recipe, loss curve, scores, all read back or measured.

ftlab pretrain nano-gpt2        writes it last
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftlab.measure.intervals import wilson
from ftlab.measure.scoring import document_loss
from ftlab.measure.skills import SkillScore, measure_skills
from ftlab.world.load import Suite

CARD = """---
license: cc0-1.0
library_name: transformers
pipeline_tag: text-generation
---
# {name}

A GPT-2 of {blocks} blocks, {width} wide ({weights:,} weights, stored as fp16), made for the ftlab
workbook. It knows a small invented world and nothing else: it is there to be fine-tuned and to
forget, not to be used.

## Data
Text written by the generator in `ftlab/world/` from a seed: facts, grammar, single-digit
arithmetic, recall, little stories, the words and facts of the target domains in general
sentences, forms on other subjects. {tokens:,} tokens were read. The probes' sentences, operand
orders and combinations are kept out of it (see `data/world/README.md`).

## Recipe
`ftlab pretrain {name}`: {recipe}.

## Loss
Nats per token, mean over each stretch of steps:

| up to step | {steps} |
|---|{rules}|
| loss | {losses} |

## Scores
Held-out probes, with 95 % Wilson intervals:

| skill | right | interval | chance | probes |
|---|---|---|---|---|
{scores}

Held-out text, closing tokens included: {loss:.4f} nats per token. The generator's own surprisal
of the same text is {entropy:.4f}, so the model is {gap:.4f} nats per token ({ratio:.1%} in
perplexity) from the best that is possible.
"""


def gap_to_generator(
    model: Any, tokenizer: Any, texts: Sequence[str], nats: Sequence[float]
) -> tuple[float, float]:
    """(the model's loss, the generator's entropy), both in nats per token over the same texts.

    The closing token counts as well: where to stop is one of the generator's choices.
    """
    ended = document_loss(model, tokenizer, [text + tokenizer.eos_token for text in texts])
    return ended.nats_per_token, sum(nats) / ended.tokens


def write_card(
    name: str, folder: Path, model: Any, tokenizer: Any, suite: Suite, nats: list[float]
) -> Path:
    """Measure the model and write `folder`/README.md from the figures and training.json."""
    training = json.loads((folder / "training.json").read_text())
    recipe, curve = training["recipe"], training["curve"]
    skills = measure_skills(model, tokenizer, suite.probes)
    loss, entropy = gap_to_generator(model, tokenizer, suite.documents, nats)
    gap = loss - entropy
    text = CARD.format(
        name=name,
        blocks=recipe["blocks"],
        width=recipe["width"],
        weights=sum(p.numel() for p in model.parameters()),
        tokens=int(curve[-1][0]) * recipe["rows"] * recipe["length"],
        recipe=_recipe(recipe),
        steps=" | ".join(f"{step:.0f}" for step, _ in curve),
        rules="|".join("---" for _ in curve),
        losses=" | ".join(f"{loss:.3f}" for _, loss in curve),
        scores="\n".join(_row(score) for score in skills.values()),
        loss=loss,
        entropy=entropy,
        gap=gap,
        ratio=math.expm1(gap),
    )
    (folder / "README.md").write_text(text)
    return folder / "README.md"


def _recipe(recipe: dict[str, Any]) -> str:
    stages = ", then ".join(f"{steps} steps of '{name}'" for name, steps in recipe["stages"])
    rest = ", ".join(f"{key} {value:g}" for key, value in recipe.items() if key != "stages")
    return f"{stages}; {rest}"


def _row(score: SkillScore) -> str:
    found = wilson(sum(score.correct), score.n)
    return (
        f"| {score.skill} | {score.accuracy:.1%} | {found.low:.1%} to {found.high:.1%} "
        f"| {score.chance:.0%} | {score.n} |"
    )
