"""What a method has made of a model: what may move in it, how fast, and how much that is.

moving = Freeze()(model)
print(moving)                  freeze: 1,189,888 of 2,805,504 parameters are trained (42.4 %)
moving.table()                 part by part, read back from the live model
moving.groups(plan)            for the optimiser
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.methods.adapter import Adapter
from ftlab.models.layers import LayerMap, Place, layer_map
from ftlab.plan import Plan
from ftlab.text.loss import Weigh

Penalty = Callable[[nn.Module, Any], Tensor]
"""(model, batch) -> what is added to the loss. ()"""


@dataclass(frozen=True)
class Row:
    """One line of a plan's table: a part of the live model, and what may move in it."""

    part: str
    """virtual tokens, embeddings, blocks 7-9, final norm, head."""
    what: str
    """q, v, ... with an adapter on it (scaled, turned: IA3, OFT), tokens, or weights."""
    r: int | None
    """The adapter's size: a rank, a bottleneck's width, the block that OFT turns."""
    scale: float | None
    """The adapter's alpha / r: what its update is multiplied with."""
    lr: float
    """Share of the learning rate, 0 where nothing moves."""
    trainable: int
    """Parameters that may change."""


@dataclass(frozen=True)
class Prepared:
    """A model as a method left it; tied weights are counted once."""

    method: str
    """The method's name, as a plot or a record shows it."""
    trainable: int
    """Parameters that may change."""
    total: int
    """All parameters."""
    model: Any = field(default=None, repr=False, compare=False)
    """The model to train: the one that was given, or a wrapper of peft around it."""
    factors: Mapping[str, float] = field(default_factory=dict, repr=False)
    """Share of the learning rate by parameter name; 1 where none is given."""
    penalty: Penalty | None = field(default=None, repr=False, compare=False)
    """A term of the method's own that is added to the loss of every step."""
    rows: Sequence[Mapping[str, Any]] = field(default=(), repr=False, compare=False)
    """Training items of the method's own, read in turn with the domain's."""
    weigh: Weigh | None = field(default=None, repr=False, compare=False)
    """What the loss of each learned token is multiplied with; nothing where None."""
    attach: Callable[[Any], object] | None = field(default=None, repr=False, compare=False)
    """Hangs on a copy of the model what copying loses: the hooks on its parameters."""

    @property
    def share(self) -> float:
        """trainable / total, in [0, 1]."""
        return self.trainable / self.total

    def __str__(self) -> str:
        return (
            f"{self.method}: {self.trainable:,} of {self.total:,} parameters are trained "
            f"({100 * self.share:.3g} %)"
        )

    def on(self, copied: Any) -> "Prepared":
        """The same for a copy of the model."""
        if self.attach:
            self.attach(copied)
        return replace(self, model=copied)

    def groups(self, plan: Plan) -> list[dict[str, Any]] | None:
        """Optimiser groups with their own peak rates; None where all move at the plan's."""
        if not self.factors:
            return None
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for name, p in self.model.named_parameters():
            if p.requires_grad:
                groups.setdefault((self.factors.get(name, 1.0), p.ndim > 1), []).append(p)
        return [
            {"params": params, "lr": plan.lr * factor} | ({} if matrix else {"weight_decay": 0.0})
            for (factor, matrix), params in groups.items()
        ]

    def table(self) -> list[Row]:
        """What may move, part by part; neighbouring blocks that are alike share a row."""
        found = layer_map(self.model)
        cells = [*_adapters(found), *_weights(self.model, found, self.factors)]
        sums: dict[tuple[tuple[int, str, int], _Content], int] = {}
        for place, content, moving in cells:
            sums[place, content] = sums.get((place, content), 0) + moving
        summed = [(place, content, moving) for (place, content), moving in sums.items()]
        return _merge_blocks(sorted(summed, key=lambda cell: cell[0]))


def count(model: nn.Module, method: str, factors: Mapping[str, float] | None = None) -> Prepared:
    """Read back from the live model what may move in it."""
    sizes = [(size_of(p), p.requires_grad) for p in model.parameters()]
    moving = sum(n for n, moves in sizes if moves)
    return Prepared(method, moving, sum(n for n, _ in sizes), model, factors or {})


def called(method: Any, model: nn.Module, lab: Any = None) -> Prepared:
    """What a method makes of a model; one that reads text (`needs_lab`) is given the lab too."""
    return method(model, lab) if getattr(method, "needs_lab", False) else method(model)


def named_around(name: str, method: Any, *, reads: bool = False) -> str:
    """The name of a method that wraps another (None: full). Raises InputError for what is none, and
    for one that reads text inside of one that does not (`reads`), and so has no lab to give it."""
    if getattr(method, "needs_lab", False) and not (reads or isinstance(method, type)):
        kind = type(method).__name__
        raise InputError(f"{kind} reads text, so it goes around {name}, not into it: {kind}(...).")
    if isinstance(method, type) or not (method is None or callable(method)):
        raise InputError(
            f"{method!r:.60} is no method: give one such as LoRA(), with its brackets."
        )
    own = getattr(method, "name", getattr(method, "__name__", "method"))
    return name if method is None else f"{name} {own}"


def size_of(parameter: nn.Parameter) -> int:
    """How many weights a parameter stands for; one in four bits stores two in a byte."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()


# A cell is (stack, part order, block) for sorting, and a row's content for one block.
_Content = tuple[str, int | None, float | None, float]
_Cell = tuple[tuple[int, str, int], _Content, int]
NOT_WEIGHTS = ("lora_", "ia3_l", "oft_R", "osf_svd_params", ".adapter.", ".original_module.")
"""Adapters, and what the trained copy of a layer stands for."""
_ORDER = {"virtual tokens": 0, "embeddings": 1, "block": 2, "norm": 3, "head": 4}


def _key(place: Place) -> tuple[int, str, int]:
    return _ORDER[place.part], place.stack, place.block


def _adapters(found: LayerMap) -> Iterable[_Cell]:
    """One cell for every layer that carries an adapter, and for every bottleneck."""
    bottlenecks: dict[str, tuple[Any, Any]] = {}
    for linear in _all_linears(found):
        name = linear.target if linear.kind != "cross" else f"cross {linear.target}"
        if read := _on_layer(found.model.get_submodule(linear.name)):
            yield _cell(linear, name + read[0], *read[1:])
        path = linear.name.rpartition(".")[0]
        behind = getattr(found.model.get_submodule(path), "adapter", None)
        bottlenecks |= {path: (linear, behind)} if isinstance(behind, Adapter) else {}
    for linear, behind in bottlenecks.values():
        words = {"ff": "feed-forward", "self": "attention", "cross": "cross attention"}
        yield _cell(linear, f"behind {words[linear.kind]}", behind.up.in_features, None, behind)


def _on_layer(module: Any) -> tuple[str, int | None, float | None, Any] | None:
    """What peft has put on a layer: a word for it, its size, its scale, where its weights are."""
    if hasattr(module, "lora_A"):
        sides = nn.ModuleList([module.lora_A["default"], module.lora_B["default"]])
        return "", module.r["default"], module.scaling["default"], sides
    if hasattr(module, "ia3_l"):
        return " scaled", None, None, module.ia3_l
    if hasattr(module, "oft_R"):
        return " turned", module.oft_block_size["default"], None, module.oft_R
    if hasattr(module, "osf_svd_params"):
        directions = module.osf_svd_params["default"]
        return " unprotected", len(directions["S_low"]), None, directions
    return None


def _cell(linear: Any, what: str, r: int | None, scale: float | None, held: nn.Module) -> _Cell:
    moving = sum(p.numel() for p in held.parameters() if p.requires_grad)
    place = Place("block", linear.stack, linear.block)
    return _key(place), (what, r, scale, 1.0 if moving else 0.0), moving


def _all_linears(found: LayerMap) -> Iterable[Any]:
    targets = ("o", "ff") if found.fused else ("q", "k", "v", "o", "ff")
    for stack in found.entry.stacks:
        yield from found.linears(targets, stack=stack.name)


def _weights(model: Any, found: LayerMap, factors: Mapping[str, float]) -> Iterable[_Cell]:
    """One cell for the plain weights of every part, and each share of the rate in it."""
    sums: dict[tuple[tuple[int, str, int], float], int] = {}
    for name, p in model.named_parameters():
        if any(mark in name for mark in NOT_WEIGHTS):
            continue
        lr = factors.get(name, 1.0) if p.requires_grad else 0.0
        key = _key(found.place(_plain(name))), lr
        sums[key] = sums.get(key, 0) + (p.numel() if p.requires_grad else 0)
    for (place, lr), moving in sums.items():
        virtual = place[0] == _ORDER["virtual tokens"]
        what = f"{model.active_peft_config.num_virtual_tokens} tokens" if virtual else "weights"
        yield place, (what, None, None, lr), moving


def _plain(name: str) -> str:
    """A parameter's name without what peft puts around a copy that is trained."""
    return name.replace(".modules_to_save.default", "")


def _merge_blocks(cells: Sequence[_Cell]) -> list[Row]:
    rows: list[Row] = []
    for (order, stack), group in groupby(cells, key=lambda cell: cell[0][:2]):
        if order != _ORDER["block"]:
            part = next(name for name, n in _ORDER.items() if n == order)
            part = "final norm" if part == "norm" else part
            rows += [Row(part, *content, moving) for _, content, moving in group]
            continue
        blocks: dict[int, list[tuple[_Content, int]]] = {}
        for (_, _, block), content, moving in group:
            blocks.setdefault(block, []).append((content, moving))
        prefix = "" if stack == "decoder" else f"{stack} "
        for alike, members in groupby(blocks.items(), key=lambda item: item[1]):
            first, *rest = [block for block, _ in members]
            name = f"{first + 1}-{rest[-1] + 1}" if rest else f"{first + 1}"
            name = f"{prefix}block{'s' if rest else ''} {name}"
            rows += [Row(name, *content, n * (1 + len(rest))) for content, n in alike]
    return rows
