"""What to change where a plan does not fit a card: the smallest change, and a table that says so.

    what_fits("llama-7b", plan, CARDS["T4"])             Advice: what to change, and the new plan
    print(out_of_memory_message("llama-7b", plan, CARDS["T4"]))

Changes are tried in the order of what they cost: first time alone (gradient checkpointing, a
smaller batch), then the optimiser's precision, then what is trained (adapters instead of all
weights), then the base's precision, then the length of the texts.

Run the tests: pytest tests/memory/test_memory.py
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from ftlab.memory.arithmetic import estimate
from ftlab.memory.parts import Memory, size
from ftlab.memory.plan import MemoryPlan
from ftlab.memory.shapes import shape

SHORTEST = 32
"""Texts are not cut below this many tokens."""


@dataclass(frozen=True)
class Advice:
    """What makes a plan fit."""

    changes: tuple[str, ...]
    """In words, each a thing to do; empty where the plan fits, or where nothing is enough."""
    memory: Memory
    """The plan with the changes; the plan as it is where nothing is enough."""
    capacity: int
    """Bytes of the card."""

    @property
    def fits(self) -> bool:
        """Does it fit, with the changes?"""
        return self.memory.total <= self.capacity

    def __str__(self) -> str:
        need = f"{size(self.memory.total)} of {size(self.capacity)}"
        if not self.fits:
            return f"No two changes make it fit ({need}): take a smaller model or a larger card."
        if not self.changes:
            return f"It fits: {need}."
        if len(self.changes) == 1:
            return f"One change makes it fit: {self.changes[0]} ({need})."
        return f"No single change is enough; two are: {' and '.join(self.changes)} ({need})."


def what_fits(model: Any, plan: MemoryPlan, capacity: int) -> Advice:
    """The one cheapest change with which the plan fits, or the two, or none.

    Raises InputError for a model whose shape is not known.
    """
    form = shape(model)
    now = estimate(form, plan)
    if now.total <= capacity:
        return Advice((), now, capacity)
    for count in (1, 2):
        for chosen in combinations(_KINDS, count):
            for names, changed in _all(plan, chosen):
                memory = estimate(form, changed)
                if memory.total <= capacity:
                    return Advice(names, memory, capacity)
    return Advice((), now, capacity)


def out_of_memory_message(model: Any, plan: MemoryPlan, capacity: int) -> str:
    """The parts of a plan beside the card, their sum, and what to change, as plain text."""
    memory = estimate(model, plan)
    lines = [f"{memory.name}, {plan}: what this step needs of the card", ""]
    lines += [f"  {'part':28}{'largest':>10}{'at the peak':>14}"]
    lines += [f"  {name:28}{whole:>10}{peak:>14}" for name, whole, peak in memory.rows()]
    over = memory.total - capacity
    verdict = f"{size(over)} too much" if over > 0 else f"{size(-over)} to spare"
    lines += [
        "",
        f"  {f'sum, fullest {memory.moment}':38}{size(memory.total):>14}",
        f"  {'the card':38}{size(capacity):>14}  ({verdict})",
        "",
    ]
    if over <= 0:
        return "\n".join([*lines, OTHERS])
    return "\n".join([*lines, str(what_fits(model, plan, capacity))])


OTHERS = (
    "By this count it should fit, so something else is using the card: another notebook or model, "
    "or leftovers of an error; restart the kernel, and check with nvidia-smi."
)


# --- the changes, each as (what to do, the plan with it done), from little to much --------------

Change = tuple[str, MemoryPlan]


def _all(plan: MemoryPlan, kinds: tuple[Any, ...]) -> Iterator[tuple[tuple[str, ...], MemoryPlan]]:
    """The plan with one change of each kind, in every way."""
    if not kinds:
        yield (), plan
        return
    for name, changed in kinds[0](plan):
        for names, all_changed in _all(changed, kinds[1:]):
            yield (name, *names), all_changed


def _checkpointing(plan: MemoryPlan) -> Iterator[Change]:
    if not plan.gradient_checkpointing:
        yield "gradient_checkpointing=True", replace(plan, gradient_checkpointing=True)


def _batch(plan: MemoryPlan) -> Iterator[Change]:
    rows = plan.batch_size // 2
    while rows:
        yield f"batch_size={rows}", replace(plan, batch_size=rows)
        rows //= 2


def _optimizer(plan: MemoryPlan) -> Iterator[Change]:
    for name in ("adamw8bit", "paged_adamw8bit"):
        if plan.optimizer != name and not (plan.paged and name == "adamw8bit"):
            yield f"optimizer='{name}'", replace(plan, optimizer=name)


def _lora(plan: MemoryPlan) -> Iterator[Change]:
    if plan.method == "full":
        yield "LoRA instead of all weights", replace(plan, method="lora")


def _half(plan: MemoryPlan) -> Iterator[Change]:
    if plan.method == "lora" and plan.stored == "fp32" and plan.autocast:
        yield f"the frozen base in {plan.precision}", replace(plan, base=plan.precision)


def _qlora(plan: MemoryPlan) -> Iterator[Change]:
    if plan.method != "qlora":
        what = "LoRA" if plan.method == "lora" else "all weights"
        yield f"QLoRA instead of {what}", replace(plan, method="qlora", base="")


def _shorter(plan: MemoryPlan) -> Iterator[Change]:
    for part in (2, 4):
        longest = plan.tokens // part
        if longest >= SHORTEST:
            changed = replace(plan, tokens=longest, learned=min(plan.learned, longest - 1))
            yield f"texts of at most {longest} tokens", changed


_KINDS = (_checkpointing, _batch, _optimizer, _lora, _half, _qlora, _shorter)
