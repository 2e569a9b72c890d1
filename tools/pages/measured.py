"""What was measured, as the tables of docs/measured.md: computed from the records, never typed.

    python -m tools.pages.readme        writes it, and the README's parts

The last table holds every statement that a notebook puts to the test, as its stored run judged it.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from ftlab import record as records
from ftlab.analysis import compare
from ftlab.analysis.attention_order import best_rates
from ftlab.analysis.four_bits import left, pairs
from ftlab.base.paths import data_dir
from ftlab.show.canvas.style import method_mark
from tools.pages.instructor.sections import Judged, verdicts

MODELS = {"nano": "nano-gpt2", "laptop": "SmolLM2-135M-Instruct"}
TOP = """# What was measured

<!-- Written by `python -m tools.pages.readme` from data/records and the stored notebooks. -->

`ftlab claims` tells the same with intervals and verdicts, and more of it.
"""

HEAD = """
## Full fine-tuning, by learning rate

One task (`clinic`, triage notes), full fine-tuning, nothing protected. *Right* and *new cases*:
share of test notes answered exactly, all and those about complaints never trained on (higher is
better). *Kept*: share of the base's skills that is left (higher is better), with the lowest and
highest seed. *Forgotten*: rise of the loss on general text in nats per token (lower is better).

| model | learning rate | right | new cases | kept | forgotten | seeds |
|---|---|---|---|---|---|---|
"""


def _row(model: str, rate: float, runs: Sequence[records.Record]) -> str:
    def mean(key: str) -> float:
        return fmean(run.final[key] for run in runs)

    kept = [run.final["retention"] for run in runs]
    return (
        f"| {model} | {rate:g} | {mean('target_score'):.0%} | {mean('held_score'):.0%} "
        f"| {fmean(kept):.0%} ({min(kept):.0%} to {max(kept):.0%}) "
        f"| {mean('forgotten'):+.2f} | {len(runs)} |"
    )


MATCHED = """
## Remedies at matched learning

Who learns less forgets less, so methods are compared at *matched learning*: skills kept at the
moment when the loss on the new task first fell to a level that all of them reach (nano-gpt2
{nano:.2f}, SmolLM2-135M {laptop:.2f} nats per token); each method at its best recorded rate
(SmolLM2: one or two rates each, three for full fine-tuning), mean of three seeds and 95 % interval.

| method | nano-gpt2 | SmolLM2-135M |
|---|---|---|
"""
METHODS = (
    "learning rate", "schedule", "freeze", "freeze_low", "freeze_top", "lora_band", "lora_head",
    "lora_even", "lora_qv", "lora_attention", "lora_ff", "lora_all", "replay",
)  # fmt: skip


def best_of_each() -> dict[str, dict[str, compare.Matched]]:
    """Model size -> method -> its best recorded rate at matched learning."""
    return _best()[0]


def _best() -> tuple[dict[str, dict[str, compare.Matched]], dict[str, float]]:
    found = {size: compare.whole(compare.settings(compare.shipped(size))) for size in MODELS}
    have = {size: [m for m in METHODS if any(s.sweep == m for s in found[size])] for size in MODELS}
    levels = {size: compare.common_level(found[size], have[size]) for size in MODELS}
    return {size: compare.best_at(found[size], levels[size]) for size in MODELS}, levels


def label(method: str) -> str:
    """What the figures call a method."""
    return method_mark("full" if method == "learning rate" else method).label


def matched() -> str:
    """The remedies at matched learning, as Markdown."""
    best, levels = _best()
    rows = []
    for method in METHODS:
        cells = [_matched(best[size].get(method)) for size in MODELS]
        rows.append(f"| {label(method)} | {' | '.join(cells)} |")
    return MATCHED.format(**levels) + "\n".join(rows) + "\n"


SHIFTS = """
## Which attention of an encoder-decoder model

Encoder-decoder models have three attentions. On nano-t5, LoRA on one alone, with equal numbers of
weights and each at its best rate (most new items right), for a task that is new in its answers'
format and one that is new in its questions' words; right and kept, means of three seeds (higher is
better):

| adapted | new format: right | kept | new words: right | kept |
|---|---|---|---|---|
"""
ATTENTIONS = ("lora_decoder", "lora_cross", "lora_encoder", "lora_kinds", "learning rate")
ATTENTIONS += ("freeze_decoder",)


def shifts() -> str:
    """The attentions on both shifts, as Markdown."""
    runs = compare.shipped("nano-t5")
    best = [
        best_rates(compare.whole(compare.settings(runs, domain=domain)))
        for domain in ("new_format", "new_words")
    ]
    rows = []
    for method in ATTENTIONS:
        cells = [
            f"{side[method].mean(key):.0%}"
            for side in best
            for key in ("target_score", "retention")
        ]
        rows.append(f"| {label(method)} | {' | '.join(cells)} |")
    return SHIFTS + "\n".join(rows) + "\n"


FOUR = """
## A base in four bits

QLoRA against LoRA, with the same adapters, precision, notes and seeds. *Kept*: of its own base,
which for QLoRA is the rounded one. *Left*: of the plain base's skills. Rounding alone leaves
{alone}. Means of three seeds (higher is better):

| | LoRA: right | kept | QLoRA: right | kept | left |
|---|---|---|---|---|---|
"""


def four_bits() -> str:
    """LoRA beside QLoRA, as Markdown."""
    found = pairs()
    alone = {
        pair.where.split(",")[0]: compare.retained_of(pair.qlora.runs[0].baseline, pair.plain)
        for pair in found
    }
    rows = []
    for pair in found:
        cells = [
            f"{setting.mean(key):.0%}"
            for setting in (pair.lora, pair.qlora)
            for key in ("target_score", "retention")
        ]
        rest = f"{fmean(left(pair.qlora, pair.plain)):.0%}"
        rows.append(f"| {pair.where} | {' | '.join([*cells, rest])} |")
    told = ", ".join(f"{share:.1%} of {name}'s" for name, share in alone.items())
    return FOUR.format(alone=told) + "\n".join(rows) + "\n"


def _matched(found: compare.Matched | None) -> str:
    interval = found.interval if found else None
    if found is None or interval is None or found.setting is None:
        return "-"
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    return f"{interval.estimate:.0%} ({low:.0%} to {high:.0%}), rate {found.setting.lr:g}"


ALL = """
## The article says, we measured

*The article* is the advice that goes round on fine-tuning without forgetting, in our words;
*(ours)* marks what we added. Every row was computed when its notebook was stored.

| | the article says | we measured | verdict |
|---|---|---|---|
"""


def learners(root: Path) -> list[Path]:
    """The learner's notebooks of the clone at `root`, in order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def judged(root: Path) -> list[tuple[str, Judged]]:
    """Every statement with its verdict, and the number of the notebook that tested it."""
    return [(path.name[:2], row) for path in learners(root) for row in verdicts(path)]


def statement(number: str, row: Judged, evidence: str | None = None) -> str:
    """A row of a table of statements; `evidence` in place of all that was measured."""
    cells = (row.article, evidence or row.measured, row.verdict)
    return f"| {number} | {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def statements(root: Path) -> str:
    """Every statement that a notebook tested, as Markdown."""
    return ALL + "\n".join(statement(number, row) for number, row in judged(root)) + "\n"


def measured(root: Path) -> str:
    """The page, as Markdown; `root` is the clone with the stored notebooks."""
    rows = []
    for folder, model in MODELS.items():
        place = data_dir() / "records" / folder
        found = records.load_all(place) if place.is_dir() else []
        runs = [
            r for r in found if r.domain == "clinic" and r.extra.get("sweep") == "learning rate"
        ]
        for rate in sorted({r.plan["lr"] for r in runs}):
            rows.append(_row(model, rate, [r for r in runs if r.plan["lr"] == rate]))
    tables = HEAD + "\n".join(rows) + "\n" + matched() + shifts() + four_bits()
    return TOP + tables + statements(root)
