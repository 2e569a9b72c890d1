"""What memory depends on, beside the model: a `MemoryPlan`.

    MemoryPlan("full", batch_size=16, tokens=64)
    MemoryPlan("lora", precision="fp16", base="fp16", rank=8, targets=("q", "v"))
    MemoryPlan("qlora", precision="fp16", optimizer="paged_adamw8bit", gradient_checkpointing=True)

Field names are those of the training plan (`ftlab.plan.Plan`), of `LoRA` and of `Quantize`.
A plan that contradicts itself is refused. `plan_of` reads one from a live model.

Run the tests: pytest tests/memory/test_memory.py
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.base.machine import precision
from ftlab.models.layers import TARGETS, LayerMap, check_targets, layer_map
from ftlab.plan import OPTIMIZERS, check_choice, check_whole

BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
"""Bytes of a value, by precision."""
FOUR_BITS = ("nf4", "fp4")
METHODS = ("full", "lora", "qlora")


@checked
@dataclass(frozen=True)
class MemoryPlan:
    """How a model would be trained, as far as memory is concerned."""

    method: Literal["full", "lora", "qlora"] = "full"
    """What is trained: every weight, or adapters on a plain or on a 4-bit base."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """What is computed in; a half precision means torch's autocast."""
    base: str = ""
    """How the base's weights are stored: fp32, fp16, bf16, nf4 or fp4; empty: nf4 for qlora,
    else fp32."""
    rest: str = ""
    """Of a 4-bit base, how embeddings, norms and head are stored; empty: as `precision`."""
    double: bool = True
    """Are the constants of a 4-bit base quantized too?"""
    block: int = 64
    """Weights of a 4-bit base that share a constant."""
    optimizer: str = "adamw"
    """adamw, adamw8bit, paged_adamw or paged_adamw8bit."""
    gradient_checkpointing: bool = False
    """Save only each block's input, and recompute the rest in the backward pass."""
    batch_size: int = 1
    """Texts in a step, on one card."""
    tokens: int = 128
    """Length of each text, padding included; of an encoder-decoder model, of what it reads."""
    learned: int = 0
    """How many of them are learned, at the end of the text (an answer and its end); 0: all."""
    rank: int = 8
    """The adapters' rank."""
    targets: tuple[str, ...] = ("q", "v")
    """Where adapters are, of q, k, v, o and ff."""

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_choice("precision", self.precision, tuple(BYTES))
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("base", self.base or "fp32", (*BYTES, *FOUR_BITS))
        check_choice("rest", self.rest or "fp32", tuple(BYTES))
        check_targets(self.targets)
        for name, least in _WHOLE.items():
            check_whole(name, getattr(self, name), least)
        self._check_base()

    def _check_base(self) -> None:
        if self.method == "qlora" and not self.packed:
            raise InputError(
                f"QLoRA's base is in four bits and base='{self.base}' is not; give nf4 or fp4, or "
                "method='lora'."
            )
        if self.method != "qlora" and self.packed:
            raise InputError(
                f"method='{self.method}' cannot train base='{self.base}', since 4-bit codes "
                "stay as they are; give method='qlora', which adds adapters to them."
            )
        if self.method == "full" and self.base == "fp16":
            raise InputError(
                "The trained weights would be float16, in which small updates are lost; "
                "give base='fp32' (precision='fp16' still computes in half precision)."
            )
        if self.rest and not self.packed:
            raise InputError(
                f"rest='{self.rest}' says how the rest of a 4-bit base is stored, and "
                f"method='{self.method}' has none; give base='{self.rest}'."
            )

    @property
    def stored(self) -> str:
        """How the base's weights are stored."""
        return self.base or ("nf4" if self.method == "qlora" else "fp32")

    @property
    def plain(self) -> str:
        """How the weights that are not in four bits are stored."""
        return (self.rest or self.precision) if self.packed else self.stored

    @property
    def packed(self) -> bool:
        """Is the base in four bits?"""
        return self.stored in FOUR_BITS

    @property
    def autocast(self) -> bool:
        """Is it computed in half precision?"""
        return self.precision != "fp32"

    @property
    def paged(self) -> bool:
        """May optimiser states leave the card?"""
        return self.optimizer.startswith("paged")

    @property
    def eight_bit(self) -> bool:
        """Are optimiser states in eight bits?"""
        return self.optimizer.endswith("8bit")

    def adapts(self, target: str) -> bool:
        """Do linear layers of this target have an adapter?"""
        return self.method != "full" and target in self.targets

    def __str__(self) -> str:
        name = {"full": "full", "lora": "LoRA", "qlora": "QLoRA"}[self.method]
        name += "" if self.optimizer == "adamw" else f", {self.optimizer.replace('_', ' ')}"
        return name + (", checkpointing" if self.gradient_checkpointing else "")


_WHOLE = {"batch_size": 1, "tokens": 2, "learned": 0, "rank": 1, "block": 1}


def plan_of(model: Any, plan: Any, *, tokens: int, learned: int = 0) -> MemoryPlan:
    """The memory plan of a live model, as a method left it, under a training plan.

    Reads what is trained, how the weights are stored and where the adapters are, with their rank
    (the commonest, where they differ). `tokens` and `learned` are those of a text, padded.
    """
    found = layer_map(model)
    dtypes = {str(p.dtype).removeprefix("torch.") for n, p in model.named_parameters() if _own(n)}
    packed = [m for m in model.modules() if hasattr(getattr(m, "weight", None), "quant_state")]
    stored = next((short for long, short in _NAMES.items() if long in dtypes), "fp32")
    ranks, targets = _adapters(found)
    settings: dict[str, Any] = {"method": "lora" if ranks else "full", "base": stored}
    if packed:
        state = packed[0].weight.quant_state
        settings = {"method": "qlora", "base": state.quant_type, "rest": stored}
        settings |= {"double": state.nested, "block": state.blocksize}
    if ranks:
        settings |= {"rank": ranks.most_common(1)[0][0], "targets": targets}
    computed: Any = precision(next(model.parameters()).device.type, plan.precision)
    return MemoryPlan(
        precision=computed,
        optimizer=plan.optimizer,
        gradient_checkpointing=plan.gradient_checkpointing,
        batch_size=plan.batch_size,
        tokens=tokens,
        learned=learned,
        **settings,
    )


_NAMES = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}


def _own(name: str) -> bool:
    """Is it a parameter of the base?"""
    return "lora_" not in name


def _adapters(found: LayerMap) -> tuple[Counter[int], tuple[str, ...]]:
    """How often each rank occurs in the model, and on which targets."""
    ranks: Counter[int] = Counter()
    targets: set[str] = set()
    for stack in found.entry.stacks:
        for linear in found.linears(("o", "ff") if found.fused else TARGETS, stack=stack.name):
            module: Any = found.model.get_submodule(linear.name)
            if hasattr(module, "lora_A"):
                ranks[module.r["default"]] += 1
                targets.add(linear.target)
    return ranks, tuple(t for t in TARGETS if t in targets)
