"""The model card of a nano model: data, recipe, loss curve, scores, all read back or measured.

python -m tools.pretrain nano-gpt2        writes it last (and nano-t5)
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftlab.base.files import whole
from ftlab.datasets.load import Suite
from ftlab.evaluate.intervals import wilson
from ftlab.evaluate.likelihood import document_loss
from ftlab.evaluate.skills import SkillScore, measure_skills

CARD = """---
license: cc0-1.0
library_name: transformers
pipeline_tag: {task}
---
# {name}

{what} ({weights:,} parameters, stored as fp16), made for the ftlab workbook. It knows a small
invented world and nothing else: it is there to be fine-tuned and to forget, not to be used.

## Data
{data}

## Recipe
`python -m tools.pretrain {name}`: {recipe}.

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

{held_out}
"""

TASKS = {"gpt2": "text-generation", "t5": "text2text-generation"}
WHAT = {
    "gpt2": "A GPT-2 of {blocks} blocks, {width} wide",
    "t5": "A T5 (v1.0: shared embeddings, ReLU) of {blocks} + {blocks} blocks, {width} wide",
}
DATA = {
    "gpt2": """\
Text written by the generator in `tools/world/` from a seed: facts, grammar, single-digit
arithmetic, recall, little stories, the words and facts of the target domains in general
sentences, forms on other subjects; and {wider:.0%} wider text (`tools/pretrain/wider/`): what words
mean, notes on other subjects with their labels, rules said simply. {tokens:,} tokens were read. No
domain's format, case or rule is in it, and the probes' sentences, operand orders and combinations
are kept out (see `data/world/README.md`).""",
    "t5": """\
Pairs of texts written by the generator in `tools/world/tasks.py` from a seed: questions of fact,
sentences to mend, stories to put in order and to retell in one sentence, forms to fill in, words
to repeat, and the small world's text with words taken out (span corruption). {pairs:,} pairs were
read. The probes' phrasings, sentences and stories are kept out of them.""",
}
GAP_TO_GENERATOR = """\
Held-out text, closing tokens included: {loss:.4f} nats per token. The generator's own surprisal
of the same text is {entropy:.4f}, so the model is {gap:.4f} nats per token ({ratio:.1%} in
perplexity) from the best that is possible."""
SPANS = """\
Held-out text with words taken out: {loss:.4f} nats per token of what is missing. Much of it cannot
be predicted (a name, a thing, a day)."""


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
    kind = recipe.get("architecture", "gpt2")
    skills = measure_skills(model, tokenizer, suite.probes)
    rows = int(curve[-1][0]) * recipe["rows"]
    text = CARD.format(
        name=name,
        task=TASKS[kind],
        what=WHAT[kind].format(**recipe),
        weights=sum(p.numel() for p in model.parameters()),
        data=DATA[kind].format(
            tokens=rows * recipe["length"], pairs=rows, wider=recipe.get("wider", 0)
        ),
        recipe=_recipe(recipe),
        steps=" | ".join(f"{step:.0f}" for step, _ in curve),
        rules="|".join("---" for _ in curve),
        losses=" | ".join(f"{loss:.3f}" for _, loss in curve),
        scores="\n".join(_row(score) for score in skills.values()),
        held_out=_held_out(kind, model, tokenizer, suite.documents, nats),
    )
    with whole(folder / "README.md") as part:
        part.write_text(text)
    return folder / "README.md"


def _held_out(
    kind: str, model: Any, tokenizer: Any, texts: Sequence[str], nats: Sequence[float]
) -> str:
    if kind == "t5":
        return SPANS.format(loss=document_loss(model, tokenizer, texts).nats_per_token)
    loss, entropy = gap_to_generator(model, tokenizer, texts, nats)
    gap = loss - entropy
    return GAP_TO_GENERATOR.format(loss=loss, entropy=entropy, gap=gap, ratio=math.expm1(gap))


def _recipe(recipe: dict[str, Any]) -> str:
    stages = ", then ".join(f"{steps} steps of '{name}'" for name, steps in recipe["stages"])
    told = ("stages", "architecture")
    rest = ", ".join(f"{key} {value:g}" for key, value in recipe.items() if key not in told)
    return f"{stages}; {rest}"


def _row(score: SkillScore) -> str:
    found = wilson(sum(score.correct), score.n)
    return (
        f"| {score.skill} | {score.accuracy:.1%} | {found.low:.1%} to {found.high:.1%} "
        f"| {score.chance:.0%} | {score.n} |"
    )
