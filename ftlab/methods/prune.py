"""Pruning: weights set to 0, blocks left out, or a part of an update taken back. Nothing trains.

    magnitude   |W|                                     the smallest of every matrix go
    wanda       |W_ij| * ||x_j||                        the smallest of every row go: what a weight
                                                        adds to its output, on given texts
    random      drawn by a seed                         a control
    blocks      1 - mean cos(h before, h after)         the blocks that turn the state least go
    update      W0 + the kept share of (W1 - W0)        the base stays whole: what it learned is cut

    pruned = prune.magnitude(model, 0.5)                     a copy; the model stays as it was
    lab.run(plan, start=pruned, method=prune.Masked())       trained, with its zeros (`masked.py`)

Notable choices:
- Pruned are the linear layers of all blocks, each by itself: not embeddings, norms and biases, and
  not the head unless asked. GPT-2's fused q, k and v are one matrix.
- Counts are exact: round(share * size) of each matrix, spread over the rows to within one where
  rows are compared. Equal scores go in order. Zeros that are there already count.
- What comes back is a plain model of the same class, adapters merged: it saves and loads as ever,
  and a 0 takes as much room and time as any number.
- Inputs for Wanda are those of the unpruned model, read once; its authors prune block by block and
  read each block's inputs anew.

Sources: Han et al. (2015); Sun et al., A Simple and Effective Pruning Approach for LLMs (2023),
section 3; Men et al., ShortGPT (2024); for the update Huang et al., Mitigating Catastrophic
Forgetting in LLMs with Forgetting-aware Pruning (EMNLP 2025, arXiv 2509.08255).
Run the tests: pytest tests/methods/test_prune.py
"""

import copy
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from numbers import Real
from typing import Annotated, Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from ftlab.base.errors import InputError
from ftlab.methods.calibrate import influence, input_norms
from ftlab.methods.export import merge
from ftlab.methods.masked import Masked
from ftlab.models.layers import layer_map
from ftlab.text.requests import Text

__all__ = [
    "Masked", "blocks", "influence", "magnitude", "random", "sparsity", "update", "wanda",
    "without",
]  # fmt: skip

Share = Annotated[float, "a share from 0 to 1, such as 0.5"]


def magnitude(model: Any, sparsity: Share, *, head: bool = False) -> Any:
    """A copy whose smallest weights are 0: the share `sparsity` of every matrix.

    Raises InputError for a share that is none, and for a head that is the embedding table.
    """
    return _pruned(merge(model), sparsity, lambda _, weight: weight.abs().reshape(1, -1), head)


def random(model: Any, sparsity: Share, seed: int, *, head: bool = False) -> Any:
    """A copy with weights drawn at random set to 0; raises InputError as `magnitude` does."""
    dice = torch.Generator().manual_seed(seed)

    def score(_: str, weight: Tensor) -> Tensor:
        drawn = 1 - torch.rand(weight.shape, generator=dice).to(weight.device)  # never 0
        return (drawn * (weight != 0)).reshape(1, -1)

    return _pruned(merge(model), sparsity, score, head)


def wanda(
    model: Any, tokenizer: Any, texts: Sequence[Text], sparsity: Share, *, head: bool = False
) -> Any:
    """A copy in which each output has lost the inputs that add least to it on these texts.

    `texts` are whole texts or (prompt, answer) pairs. Raises InputError as `magnitude` does, and
    where there is nothing to read.
    """
    _check_share(sparsity, "sparsity")
    made = merge(model)
    norms = input_norms(made, tokenizer, texts, _matrices(made, head))
    return _pruned(made, sparsity, lambda name, weight: weight.abs() * norms[name], head)


def sparsity(model: Any, *, head: bool = False) -> dict[str, float]:
    """Share of weights that are 0: of "all" the linear layers, then of each, in [0, 1].

    Of the model as it would be saved, that is, with its adapters merged.
    """
    layers = _matrices(merge(model), head)
    zeros = {name: int((layer.weight == 0).sum()) for name, layer in layers.items()}
    sizes = {name: layer.weight.numel() for name, layer in layers.items()}
    return {"all": sum(zeros.values()) / sum(sizes.values())} | {
        name: zeros[name] / sizes[name] for name in layers
    }


def update(base: Any, tuned: Any, keep: Share, *, score: str = "magnitude", seed: int = 0) -> Any:
    """The base with the share `keep` of what tuning changed in each tensor, by the highest score.

        magnitude   |D|                                 D = tuned - base
        fapm        |D| - mean(|base|) |D| / |base|     a change of a small weight counts less
        random      drawn by `seed`

    Raises InputError for a share or a score that is none, and for models of different shape.
    """
    _check_share(keep, "keep")
    if score not in SCORES:
        raise InputError(f"score={score!r} is not possible; the scores are {', '.join(SCORES)}.")
    made, after = merge(base), dict(merge(tuned).named_parameters())
    _check_alike(dict(made.named_parameters()), after)
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, before in made.named_parameters():
            value = SCORES[score](after[name] - before, before, dice)
            kept = lowest(-value.reshape(1, -1), keep).reshape(before.shape)
            before.copy_(torch.where(kept, after[name], before))
    return made


def _fapm(change: Tensor, before: Tensor, _: Any) -> Tensor:
    change, before = change.abs(), before.abs()
    return (change - before.mean() * change / before).nan_to_num(0.0, neginf=-torch.inf)


SCORES: Mapping[str, Callable[[Tensor, Tensor, torch.Generator], Tensor]] = {
    "magnitude": lambda change, before, dice: change.abs(),
    "fapm": _fapm,
    "random": lambda change, _, dice: torch.rand(change.shape, generator=dice).to(change.device),
}
"""(change, base, dice) -> what is kept longest."""


def blocks(
    model: Any, count: int, tokenizer: Any, texts: Sequence[Text], *, stack: str = "decoder"
) -> Any:
    """A copy without the `count` blocks of least `influence` on these texts; see `without`."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"count={count!r} is not possible; give a whole number of blocks from 1.")
    least = influence(model, tokenizer, texts, stack=stack)
    order = sorted(range(1, len(least) + 1), key=lambda number: least[number - 1])
    return without(model, order[:count], stack=stack)


def without(model: Any, numbers: int | Collection[int], *, stack: str = "decoder") -> Any:
    """A copy without the block or blocks of these numbers, counted from 1.

    It is made anew from a configuration with fewer blocks, so that all that counts blocks (caches,
    kinds of layers, what is saved) agrees. Raises InputError for numbers that are none, and for
    all of them.
    """
    made = merge(model)
    found = layer_map(made).stack(stack)
    depth = layer_map(made).depth(stack)
    gone = [numbers] if isinstance(numbers, int) else list(numbers)
    wrong = [n for n in gone if isinstance(n, bool) or n not in range(1, depth + 1)]
    left = [i for i in range(depth) if i + 1 not in gone]
    if wrong or not left:
        given = f"{wrong[0]!r} is none" if wrong else "none would be left"
        raise InputError(f"The blocks of this {stack} are 1 to {depth}, and {given}.")
    config = copy.deepcopy(made.config)
    for key in ("layer_types", "no_rope_layers"):
        if isinstance(kinds := vars(config).get(key), list):
            setattr(config, key, [kinds[i] for i in left])
    setattr(config, found.count, len(left))
    _check_cache(config, layer_map(made).stack().count)
    with torch.random.fork_rng(devices=[]):
        fewer = type(made)(config).to(made.device, made.dtype)
    state = {_moved(name, found.blocks, left): t for name, t in made.state_dict().items()}
    fewer.load_state_dict({name: t for name, t in state.items() if name})
    fewer.generation_config = copy.deepcopy(made.generation_config)
    return fewer.eval()


def _check_cache(config: Any, count: str) -> None:
    """transformers (5.23) gives a T5's decoder a cache of as many layers as the encoder has."""
    room, needed = config.get_text_config(decoder=True).num_hidden_layers, getattr(config, count)
    if room < needed:
        raise InputError(
            f"An encoder of {room} blocks and a decoder of {needed} cannot write in transformers, "
            "whose cache then is too small; leave out as many of the decoder first."
        )


def _moved(name: str, path: str, left: Sequence[int]) -> str:
    """The name of a tensor when only these blocks are left; empty where it goes with its block."""
    match = re.fullmatch(rf"{re.escape(path)}\.(\d+)\.(.+)", name)
    if not match:
        return name
    number, rest = int(match[1]), match[2]
    if "relative_attention_bias" in rest:  # T5's first block holds it for all of its stack
        return name
    return f"{path}.{left.index(number)}.{rest}" if number in left else ""


def lowest(score: Tensor, share: float) -> Tensor:
    """True where the score is among the lowest: exactly round(share * size) of all, in each row
    as many as in any other, to within one. (rows, n) -> (rows, n)"""
    each, more = divmod(round(share * score.numel()), len(score))
    counts = each + (torch.arange(len(score), device=score.device) < more).long()  # (rows,)
    first = torch.arange(score.shape[1], device=score.device) < counts[:, None]  # (rows, n)
    return torch.zeros_like(first).scatter_(1, score.argsort(dim=1, stable=True), first)


def _pruned(made: Any, share: float, score: Callable[[str, Tensor], Tensor], head: bool) -> Any:
    """`made` itself, with the lowest scores of every matrix set to 0.

    `score` is called with a layer's name and weight (out, in); what it gives is compared by row.
    """
    _check_share(share, "sparsity")
    with torch.no_grad():
        for name, layer in _matrices(made, head).items():
            weight = layer.weight.T if isinstance(layer, Conv1D) else layer.weight  # (out, in)
            weight.masked_fill_(lowest(score(name, weight), share).reshape(weight.shape), 0.0)
    return made


def _matrices(model: Any, head: bool) -> dict[str, Any]:
    """The layers that are pruned, by path."""
    found = layer_map(model)
    if head and found.tied:
        raise InputError(
            "The head of this model is its embedding table, and pruning it would prune that; give "
            "it weights of its own first (ftlab.models.untie), or leave head=False."
        )
    return found.matrices() | ({found.entry.head: found.head} if head else {})


def _check_share(value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(
            f"{what}={value!r} is not possible; give a share from 0 to 1, such as 0.5."
        )


def _check_alike(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    shapes = [{name: tuple(t.shape) for name, t in model.items()} for model in (before, after)]
    if odd := sorted({name for name, _ in shapes[0].items() ^ shapes[1].items()}):
        raise InputError(
            f"The models differ in {len(odd)} tensors ({odd[0]} is one), so there is no update; "
            "give a model and what it was tuned from (of a tuned head: ftlab.models.untie(base))."
        )
