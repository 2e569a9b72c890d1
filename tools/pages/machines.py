"""The memory table of docs/many-machines.md: computed by `ftlab.memory`, never typed.

    python -m tools.pages.machines        writes it

With FSDP2, n cards share weights, gradients and optimiser states; each has its own texts, and
while a block computes, that block and the next whole, in half precision, with its gradient:

    a card needs    (weights + gradients + states) / n  +  activations + logits + workspace
                    +  parameters of a block x (2 + 2 + 4 bytes)

Source: Rajbhandari et al., ZeRO (2020), section 5. The parts are each taken at their largest.
"""

import re
from pathlib import Path
from typing import Any

from ftlab.memory import CARDS, MemoryPlan, estimate, shape, size

PAGE = Path(__file__).resolve().parents[2] / "docs" / "many-machines.md"
MODEL = "llama-7b"
ALL = ("q", "k", "v", "o", "ff")
SHARED = ("weights", "gradients", "optimiser states")
OWN = ("activations", "logits and loss", "workspace")
HEAD = "| what is trained | cards | texts a card | a card needs | fits |\n|---|---|---|---|---|\n"


def plan_of(method: Any, texts: int, tokens: int) -> MemoryPlan:
    """In bf16 with checkpointing; adapters of rank 16 on every linear layer."""
    base = "bf16" if method == "lora" else ""
    return MemoryPlan(
        method, precision="bf16", base=base, rank=16, targets=ALL, gradient_checkpointing=True,
        batch_size=texts, tokens=tokens,
    )  # fmt: skip


def sharded(plan: MemoryPlan, cards: int) -> float:
    """Bytes that each of so many cards needs under FSDP2."""
    whole, block = estimate(MODEL, plan), max(b.parameters for b in shape(MODEL).blocks)
    own = sum(whole[name] for name in OWN)
    return sum(whole[name] for name in SHARED) / cards + own + block * (2 + 2 + 4)


def table() -> str:
    """The rows, as Markdown."""
    rows: list[tuple[str, str, int, int, float]] = []
    for name, method, texts, tokens in (("QLoRA", "qlora", 1, 1024), ("LoRA", "lora", 4, 1024)):
        need = estimate(MODEL, plan_of(method, texts, tokens)).total
        rows.append((f"{name}, replicated", "any number", texts, tokens, need))
    rows.append(("all weights", "1", 1, 1024, estimate(MODEL, plan_of("full", 1, 1024)).total))
    for cards, texts, tokens in ((2, 1, 1024), (8, 4, 1024), (64, 4, 4096)):
        need = sharded(plan_of("full", texts, tokens), cards)
        rows.append(("all weights, FSDP2", str(cards), texts, tokens, need))
    return HEAD + "".join(
        f"| {what} | {cards} | {texts} x {tokens} tokens | {size(need)} | {_fits(need)} |\n"
        for what, cards, texts, tokens, need in rows
    )


def _fits(need: float) -> str:
    return next((name for name, room in CARDS.items() if need <= room), "none of these")


def page(text: str) -> str:
    """The page with its table as it is today."""
    between = r"(?<=<!-- memory -->\n).*?(?=<!-- /memory -->)"
    return re.sub(between, lambda _: f"\n{table()}\n", text, flags=re.S)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
