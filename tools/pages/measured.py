"""What was measured, as the tables of docs/measured.md: computed from the records, never typed.

    python -m tools.pages.readme        writes it, and the README's parts

The last table holds every statement that a notebook puts to the test, as its stored run judged it.
"""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from ftlab.analysis import compare, scale
from ftlab.analysis.attention_order import best_rates
from ftlab.analysis.compare import rate_text
from ftlab.analysis.four_bits import left, pairs
from ftlab.show.canvas.style import method_mark
from tools.pages import shipped
from tools.pages.instructor.sections import Judged, verdicts

MODELS = {"nano": "nano-gpt2", "laptop": "SmolLM2-135M-Instruct"}
TOP = """# What was measured

<!-- Written by `python -m tools.pages.readme` from data/records and the stored notebooks. -->

`ftlab claims --all` prints the tables of methods, attentions and four bits with their intervals;
the statements at the end stand in the notebooks.
"""

HEAD = """
## Full fine-tuning, by learning rate

One task (`clinic`, triage notes), full fine-tuning, nothing protected. *Learned* and *new cases*:
share of test notes answered exactly, all and those about complaints never trained on (higher is
better). *Retained*: share of the base's skills (higher is better), with the lowest and highest
seed. *Forgotten*: rise of the loss on general text in nats per token (lower is better).

| model | learning rate | learned | new cases | retained | forgotten | seeds |
|---|---|---|---|---|---|---|
"""


def by_rate() -> str:
    """Full fine-tuning on both models, a row a rate, as Markdown."""
    rows = [
        f"| {model} | {rate_text(s.lr)} | {s.mean('target_score'):.0%} "
        f"| {s.mean('held_score'):.0%} | {s.text('retention')} | {s.mean('forgotten'):+.2f} "
        f"| {len(s.runs)} |"
        for size, model in MODELS.items()
        for s in compare.pick(compare.settings(shipped(size)), "learning rate")
    ]
    return HEAD + "\n".join(rows) + "\n"


LEVELS = """
## Most learned with most retained

The most that each method learns with at least 90 % of the skills retained (in brackets: 80 %), read
off between the recorded rates; means over the seeds:

| method | nano-gpt2 | SmolLM2-135M |
|---|---|---|
"""
MATCHED = """
## Remedies at equal learning

Who learns less forgets less, so methods are compared at *equal learning*: what they have
forgotten (nats per token on general text, lower is better) and retained when the loss on the new
task first falls to half of what guessing its rule costs (nano-gpt2 {nano:.3f}, SmolLM2-135M
{laptop:.3f} nats per token). Each method at its best recorded rate, means of three seeds unless
fewer are named (the notebooks leave those out). *Did not get there*: the lowest loss that it
reached. SmolLM2's general text was written by SmolLM2 itself, and so was what it replays: that
flatters replay there.

| method | nano-gpt2 | SmolLM2-135M |
|---|---|---|
"""


def _found() -> tuple[list[compare.Setting], list[compare.Setting]]:
    nano, real = (compare.settings(shipped(size)) for size in MODELS)
    return nano, real


def most_learned() -> str:
    """Each method's most learned with most retained, on both models, as Markdown."""
    nine, eight = (scale.levels(*_found(), share) for share in (0.9, 0.8))
    rows = [
        f"| {label(method)} | "
        + " | ".join(f"{a:.0%} ({b:.0%})" for a, b in zip(nine[method], eight[method], strict=True))
        + " |"
        for method in nine
    ]
    return LEVELS + "\n".join(rows) + "\n"


def label(method: str) -> str:
    """What the figures call a method."""
    return method_mark("full" if method == "learning rate" else method).label


def matched() -> str:
    """The remedies at equal learning, as Markdown."""
    both = scale.matched(*_found())
    rows = [
        f"| {label(method)} | {' | '.join(map(_matched, sides))} |"
        for method, sides in both.rows.items()
    ]
    nano, laptop = both.levels
    return MATCHED.format(nano=nano, laptop=laptop) + "\n".join(rows) + "\n"


SHIFTS = """
## Which attention of an encoder-decoder model

Encoder-decoder models have three attentions. On nano-t5, LoRA on one alone, with equally many
parameters and each at the rate where it learned most, for a task that is new in its answers' format
and one that is new in its questions' words; means of three seeds (higher is better):

| adapted | new format: learned | retained | new words: learned | retained |
|---|---|---|---|---|
"""
ATTENTIONS = ("lora_decoder", "lora_cross", "lora_encoder", "lora_kinds", "learning rate")
ATTENTIONS += ("freeze_decoder",)


def shifts() -> str:
    """The attentions on both shifts, as Markdown."""
    runs = shipped("nano-t5")
    best = [
        best_rates(compare.whole(compare.settings(runs, domain=domain)))
        for domain in ("new_format", "new_words")
    ]
    rows = []
    for method in ATTENTIONS:
        cells = _both(side[method] for side in best)
        rows.append(f"| {label(method)} | {' | '.join(cells)} |")
    return SHIFTS + "\n".join(rows) + "\n"


FOUR = """
## A base in four bits

QLoRA against LoRA, with the same adapters, precision, notes and seeds. *Retained*: of its own base,
which for QLoRA is the rounded one. *Left*: of the plain base's skills. Rounding alone leaves
{alone}. Means of three seeds (higher is better):

| | LoRA: learned | retained | QLoRA: learned | retained | left |
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
        rest = f"{fmean(left(pair.qlora, pair.plain)):.0%}"
        rows.append(f"| {pair.where} | {' | '.join([*_both([pair.lora, pair.qlora]), rest])} |")
    leaves = ", ".join(f"{share:.1%} of {name}'s" for name, share in alone.items())
    return FOUR.format(alone=leaves) + "\n".join(rows) + "\n"


def _both(found: Iterable[compare.Setting]) -> list[str]:
    """Learned and retained of each setting, means over its seeds."""
    return [f"{s.mean(key):.0%}" for s in found for key in ("target_score", "retention")]


def _matched(found: compare.Matched) -> str:
    if found.setting is None:
        return f"did not get there (lowest loss {found.lowest:.2f})"
    rose, left = fmean(found.forgotten), fmean(found.retained)
    count = len(found.forgotten)
    seeds = "" if count == 3 else ", one seed" if count == 1 else f", {count} seeds"
    return f"{rose:+.3f}, {left:.0%}, rate {rate_text(found.setting.lr)}{seeds}"


ALL = """
## What is said, what we measured

A row without a mark says what the article says (Sachchida Nand Singh, "Fine-Tuning Large Language
Models (LLMs) Without Catastrophic Forgetting", Towards AI), in our words but for what stands in
quotation marks; *(often said)* is common advice, *(ours)* our own statement, a name its source.
*Holds in part*: some tests bear it out, others contradict it or leave it open. *Fails in part*:
some contradict it, the rest is open. *Not decided*: the seeds leave it open. Every row was computed
when its notebook was stored. An interval of 95 % leaves out the truth once in twenty times, and
many rows share their runs: read a single narrow verdict with care.

| | what is said | we measured | verdict |
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
    return TOP + by_rate() + most_learned() + matched() + shifts() + four_bits() + statements(root)
