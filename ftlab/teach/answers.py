"""Reference answers of the exercises whose solution is nowhere else in the package.

The learner's notebooks compare with these; each solved notebook shows its own lines.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import cat, stack
from torch.autograd import grad
from torch.nn.functional import cross_entropy, gelu
from torch.nn.utils import clip_grad_norm_

from ftlab.evaluate.retention import retained
from ftlab.train.schedules import lr_factors


def most_lost(chances: Mapping[str, float]) -> Callable[[Mapping, Mapping], str]:
    """Notebook 00: a function (before, after) -> the skill of which least was retained."""

    def answer(before: Mapping[str, float], after: Mapping[str, float]) -> str:
        shares = {name: retained(after[name], before[name], chances[name]) for name in before}
        judged = {name: share for name, share in shares.items() if share is not None}
        return min(judged, key=lambda name: judged[name])

    return answer


def loss_of(logits: Any, ids: Any) -> Any:
    """Notebook 00: the mean surprise at each token but the first; logits (T, V), ids (T,)."""
    return cross_entropy(logits[:-1], ids[1:])


def train_on(model: Any, optimizer: Any, batches: Iterable[Any], clip: float) -> list[float]:
    """Notebook 01: one step of training on each batch; the loss of each, before its step."""
    losses = []
    for batch in batches:
        logits = model(batch.ids, attention_mask=batch.mask).logits  # (B, T, vocabulary)
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten())
        loss.backward()
        clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def relative_change(before: Any, after: Any) -> float:
    """Notebook 01: Frobenius norm of the change of a tensor, over that of the tensor before."""
    return float((after - before).norm() / before.norm())


def warmup_cosine(step: int, steps: int, warmup: int) -> float:
    """Notebook 02: warmup, then a cosine from 1 down to 0; `step` counts from 1."""
    done = step - 1
    if done < warmup:
        return done / warmup
    progress = (done - warmup) / (steps - warmup)
    return (1 + math.cos(math.pi * progress)) / 2


def fair_rate() -> float:
    """Notebook 02: the constant rate with the area of a linear decay from 0.002 over 100 steps."""
    factors = lr_factors("linear", steps=100)
    return 0.002 * sum(factors) / len(factors)


def trainable_share(model: Any) -> float:
    """Notebook 03: of all values in the weights, the share that is trained."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, trained in sizes if trained) / sum(size for size, _ in sizes)


def freeze_lower(model: Any, n: int) -> float:
    """Notebook 03: freeze embeddings and the first `n` blocks of a GPT-2; the trainable share."""
    model.requires_grad_(True)
    for part in (model.transformer.wte, model.transformer.wpe, *model.transformer.h[:n]):
        part.requires_grad_(False)
    return trainable_share(model)


def lora_forward(layer: Any, x: Any) -> Any:
    """Notebook 04: W x + alpha / r B A x, for vectors in the rows of x. (B, in) -> (B, out)"""
    return layer.linear(x) + layer.alpha / layer.r * (x @ layer.A.T @ layer.B.T)


def inject(made: Callable[..., Any]) -> Callable[..., Any]:
    """Notebook 04: a function (model, names, r, alpha) -> the model, frozen, with `made` layers."""

    def answer(model: Any, names: Iterable[str], r: int, alpha: float) -> Any:
        model.requires_grad_(False)
        for name in names:
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, made(model.get_submodule(name), r, alpha))
        return model

    return answer


def merged_weight(weight: Any, a: Any, b: Any, alpha: float, r: int) -> Any:
    """Notebook 04: W + alpha / r B A, of the shape of W (out, in)."""
    return weight + alpha / r * (b @ a)


def attention_of(name: str) -> str:
    """Notebook 05: encoder, decoder or cross, for the name of a module of T5 or BART."""
    if "EncDecAttention" in name or "encoder_attn" in name:
        return "cross"
    return "encoder" if "encoder." in name else "decoder"


def plan_of(names: Iterable[str], ranks: Mapping[str, int]) -> dict[str, int]:
    """Notebook 05: the rank of each q and v of a T5 whose attention is in `ranks`."""
    ours = [name for name in names if name.endswith((".q", ".v"))]
    kinds = {name: attention_of(name) for name in ours}
    return {name: ranks[kind] for name, kind in kinds.items() if kind in ranks}


def equal_rank(parameters: int, layers: int, width: int) -> int:
    """Notebook 05: the largest rank at which LoRA on `layers` square layers has no more."""
    return parameters // (2 * layers * width)


def bits_a_weight(block: int, double: bool) -> float:
    """Notebook 06: bits for a code and for its share of the constants, of 32 or 8 bits each."""
    return 4 + 8 / block + 32 / (block * 256) if double else 4 + 32 / block


def quantized(blocks: Any, levels: Any) -> Any:
    """Notebook 06: codes of the nearest levels, and absmax. -> (blocks, block), (blocks,)"""
    absmax = blocks.abs().amax(1)
    scaled = blocks / absmax[:, None]
    return (scaled[..., None] - levels).abs().argmin(-1), absmax


def decoded(codes: Any, absmax: Any, levels: Any) -> Any:
    """Notebook 06: the weights of codes (blocks, block): levels times the absmax of the row."""
    return levels[codes] * absmax[:, None]


def wanda_score(weight: Any, inputs: Any) -> Any:
    """Notebook 08: |W_ij| ||x_j||, of weight (out, in) and inputs (tokens, in)."""
    return weight.abs() * inputs.norm(dim=0)


def hold_zeros(layer: Any) -> Any:
    """Notebook 08: the layer itself; the gradient of a weight that is 0 now is 0 from here on."""
    zero = layer.weight == 0
    layer.weight.register_hook(lambda gradient: gradient.masked_fill(zero, 0.0))
    return layer


def bottleneck(s: Any, down: Any, up: Any) -> Any:
    """Notebook 07: what an adapter sends on, s + up(GELU(down(s))). (B, T, d)"""
    return s + up(gelu(down(s)))


def prefix_share(q: Any, keys: Any, prefix: Any) -> float:
    """Notebook 07: share of one query's attention that keys of a prefix (p, d) take."""
    scores = cat([prefix, keys]) @ q / math.sqrt(len(q))  # (p + t,)
    return float(scores.softmax(0)[: len(prefix)].sum())


def between(before: Any, after: Any, a: float) -> Any:
    """Notebook 09: a weight at `a` on the way from the base (0) to the trained model (1)."""
    return before + a * (after - before)


def fisher(model: Any, texts: Any) -> Any:
    """Notebook 09: mean over texts of the squared gradient of model(text), as model.weight."""
    return stack([grad(model(text), model.weight)[0] ** 2 for text in texts]).mean(0)


def to_replay(earlier: Mapping[str, list], general: list, count: int) -> list:
    """Notebook 10: `count` items, half general, the other half of all earlier tasks alike."""
    share = count // 2 // len(earlier)
    kept = [item for items in earlier.values() for item in items[:share]]
    return kept + general[: count - len(kept)]


def route(prompt: str) -> str | None:
    """Notebook 10: the task of a prompt by its first word; None for what is none of the four."""
    begins = {"Triage": "clinic", "Ticket": "helpdesk", "Clause": "contracts", "Booking": "ledger"}
    return begins.get(prompt.split(" ")[0].rstrip(":"))


def always_commonest(train: Sequence[str], test: Sequence[str]) -> float:
    """Notebook 11: share right of `test`, always giving the answer that is commonest in `train`."""
    said = Counter(train).most_common(1)[0][0]
    return list(test).count(said) / len(test)


def lowest_that_learns(scores: Mapping[float, float], room: float) -> float:
    """Notebook 11: the lowest rate whose score is at most `room` below the best score."""
    enough = max(scores.values()) - room
    return min(rate for rate, score in scores.items() if score >= enough)


def may_ship(
    gain: tuple[float, float], losses: Mapping[str, tuple[float, float]], room: float
) -> bool:
    """Notebook 11: is the gain's whole interval above 0, and that of each change above -room?"""
    return gain[0] > 0 and all(low > -room for low, _ in losses.values())
