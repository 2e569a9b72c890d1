"""Memory arithmetic against measurement: tensor bytes, saved activations, the allocator's peak.

On a CPU nothing here is simulated: weights, 4-bit codes and optimiser states are real tensors of
real models, activations are what autograd saved (attention is `sdpa`, numbers are float32), and
the peak is the running sum of torch's own allocations. Run: pytest tests/memory/test_memory.py
"""

import gc
import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from measured_memory import measured_activations, measured_peak
from transformers import LlamaConfig, LlamaForCausalLM

from ftlab.memory.arithmetic import estimate
from ftlab.memory.moments import moments
from ftlab.memory.parts import PARTS
from ftlab.memory.plan import MemoryPlan
from ftlab.memory.shapes import shape
from ftlab.methods.full_tuning import full
from ftlab.methods.lora import LoRA
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS
from ftlab.models.loading import load
from ftlab.models.quantizing import quantize, stored_bytes
from ftlab.plan import OPTIMIZERS, Plan
from ftlab.text.loss import summed_loss
from ftlab.text.train_batches import Batch, Example, collate
from ftlab.train import autocast, optimizers

MODELS = ("nano-gpt2", "nano-t5", "llama")
QV = ("q", "v")
METHODS = {"full": None, "q and v": QV, "all": TARGETS}


def llama(**sizes: Any) -> Any:
    """A random Llama with grouped keys and values, widths fit for blocks of 64."""
    torch.manual_seed(0)
    settings = {
        "vocab_size": 1024,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    }
    special = {"bos_token_id": 0, "eos_token_id": 0}
    return LlamaForCausalLM(LlamaConfig(**(settings | sizes), **special))  # type: ignore[arg-type]


def made(name: str) -> Any:
    return llama() if name == "llama" else load(name).model


def batch(model: Any, plan: MemoryPlan) -> Batch:
    """Texts as long as the plan says, one of them a token shorter: so there is a mask."""
    draw = torch.Generator().manual_seed(0)
    shorter = [0] * (plan.batch_size - 1) + [1 if plan.batch_size > 1 else 0]

    def ids(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(2, 500, (count,), generator=draw).tolist())

    if model.config.is_encoder_decoder:
        return collate(
            [Example(ids(plan.learned + 1), 1, ids(plan.tokens - less)) for less in shorter]
        )
    return collate([Example(ids(plan.tokens - s), plan.tokens - plan.learned) for s in shorter])


def step(model: Any, optimizer: Any, data: Batch, precision: Any = "fp32") -> None:
    model.train()
    with autocast(model, precision):
        loss = summed_loss(model, data) / 8
    loss.backward()
    optimizer.step()
    model.zero_grad(set_to_none=True)


def trained(model: Any, plan: MemoryPlan) -> Any:
    """The optimiser after one real step, whose states are there then."""
    groups = [{"params": [p for p in model.parameters() if p.requires_grad]}]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Paged optimizers are not supported on CPU")
        optimizer = optimizers.make(groups, Plan(optimizer=plan.optimizer))  # type: ignore[arg-type]
        step(model, optimizer, batch(model, plan))
    return optimizer


def moved(model: Any) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


# --- weights, adapters, gradients, states: to the byte -------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_full_fine_tuning_to_the_byte(name, optimizer):
    pytest.importorskip("bitsandbytes")
    model = made(name)
    full(model)
    plan = MemoryPlan("full", optimizer=optimizer, tokens=16, learned=4)
    found = estimate(model, plan)
    states = optimizers.state_bytes(trained(model, plan))
    assert found["weights"] == sum(p.nbytes for p in model.parameters())
    assert found["gradients"] == 4 * moved(model)
    assert found["optimiser states"] + found.paged == states  # a CPU does not page
    assert (found.paged > 0) == optimizer.startswith("paged")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("where", ["q and v", "all"])
@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit"])
def test_lora_to_the_byte(name, where, optimizer):
    pytest.importorskip("bitsandbytes")
    model, targets = made(name), METHODS[where]
    plan = MemoryPlan("lora", rank=16, targets=targets, optimizer=optimizer, tokens=16, learned=4)
    found = estimate(model.config, plan)
    wrapped = LoRA({"1-12": 16}, targets=targets)(model).model
    adapters = sum(p.nbytes for n, p in wrapped.named_parameters() if "lora_" in n)
    assert found["adapters"] == found["gradients"] == adapters == 4 * moved(wrapped)
    assert found["weights"] == sum(p.nbytes for p in wrapped.parameters()) - adapters
    assert found["optimiser states"] == optimizers.state_bytes(trained(wrapped, plan))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("double", [True, False])
def test_four_bits_to_the_byte(name, double):
    pytest.importorskip("bitsandbytes")
    model = made(name)
    plan = MemoryPlan("qlora", double=double)
    found = estimate(model.config, plan)
    stored = stored_bytes(quantize(model, Quantize(double=double)))
    assert found["weights"] == stored["codes"] + stored["plain"]
    assert found["quantization constants"] == stored["constants"]


# --- activations and the peak: within 5 % --------------------------------------------------------


def ready(name: str, method: str, *, again: bool, rows: int, packed: bool = False) -> tuple:
    """A model that a method was applied to, and its memory plan."""
    model, targets = made(name), METHODS[method]
    if packed:
        quantize(model)
    kind = "full" if targets is None else "qlora" if packed else "lora"
    plan = MemoryPlan(
        kind,
        gradient_checkpointing=again,
        batch_size=rows,
        tokens=64,
        learned=24,
        targets=targets or QV,
    )
    if targets is None:
        full(model)
    else:
        model = LoRA(targets=targets)(model).model
    if again:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model.train(), plan


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("again", [False, True])
def test_activations_within_5_percent(name, method, again):
    model, plan = ready(name, method, again=again, rows=4)
    found = estimate(model, plan)
    assert model.config._attn_implementation == "sdpa"
    saved = measured_activations(model, batch(model, plan))
    loss = 4 * 4 * plan.learned * model.config.vocab_size
    predicted = found["activations"] if not again else waiting(model, plan)
    assert predicted + loss == pytest.approx(saved, rel=0.05)


def waiting(model: Any, plan: MemoryPlan) -> int:
    """What waits at the loss; with checkpointing a block at a time is had again after that."""
    return next(m for m in moments(shape(model), plan) if m.name == "at the loss").activations


@pytest.mark.parametrize(
    ("name", "method"), [("llama", "full"), ("llama", "all"), ("nano-gpt2", "full")]
)
def test_under_autocast_within_5_percent(name, method):
    """Float32 weights, computed with in bfloat16: copies of the weights wait as well."""
    model, plan = ready(name, method, again=False, rows=4)
    plan = replace(plan, precision="bf16")
    moment = next(m for m in moments(shape(model), plan) if m.name == "at the loss")
    loss = 4 * 4 * plan.learned * model.config.vocab_size
    with torch.autocast("cpu", dtype=torch.bfloat16):
        saved = measured_activations(model, batch(model, plan))
    assert moment.activations + moment.copies + loss == pytest.approx(saved, rel=0.05)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize("again", [False, True])
def test_the_peak_within_5_percent(name, method, again):
    """Of a second step: weights, states, and the most that comes on top."""
    packed = method == "qlora"
    if packed:
        pytest.importorskip("bitsandbytes")
    places = "full" if method == "full" else "all"
    model, plan = ready(name, places, again=again, rows=4, packed=packed)
    optimizer, data = trained(model, plan), batch(model, plan)
    steady = sum(p.nbytes for p in model.parameters()) + optimizers.state_bytes(optimizer)
    steady += stored_bytes(model)["constants"]
    peak = steady + measured_peak(partial(step, model, optimizer, data))
    assert estimate(model, plan).total == pytest.approx(peak, rel=0.05)


def test_the_peak_grows_with_every_token_and_shrinks_with_checkpointing():
    plan = MemoryPlan("qlora", precision="fp16", batch_size=4, tokens=256, targets=TARGETS)
    short = estimate("llama-3b", plan)
    assert estimate("llama-3b", replace(plan, tokens=512)).total > short.total
    assert estimate("llama-3b", replace(plan, gradient_checkpointing=True)).total < short.total
    assert estimate("llama-3b", replace(plan, batch_size=2)).total < short.total


def test_parts_at_the_peak_add_up():
    found = estimate("nano-t5", MemoryPlan("full", batch_size=4, learned=8))
    assert [part.name for part in found.parts] == list(PARTS)
    assert found.total == sum(part.at_peak for part in found.parts)
    assert all(0 <= part.at_peak <= part.bytes for part in found.parts)


# --- a GPU ---------------------------------------------------------------------------------------

ON_CARD = {
    "full": MemoryPlan("full", precision="bf16", batch_size=4, tokens=256, learned=64),
    "lora": MemoryPlan(
        "lora", precision="bf16", base="bf16", batch_size=8, tokens=256, learned=64, targets=TARGETS
    ),
    "qlora": MemoryPlan(
        "qlora", precision="bf16", batch_size=8, tokens=256, learned=64, targets=TARGETS
    ),
}


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated")
@pytest.mark.parametrize("method", ON_CARD)
@pytest.mark.parametrize("again", [False, True])
def test_the_peak_on_a_gpu_within_5_percent(method, again):
    """A Llama of 8 blocks x 1024 under autocast, as `ftlab.train.engine` trains it on a card."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    half = "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp16"
    plan = replace(ON_CARD[method], precision=half, gradient_checkpointing=again)
    plan = replace(plan, base=half) if method == "lora" else plan
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[half]
    model = llama(
        vocab_size=32_000, hidden_size=1024, intermediate_size=2816, num_hidden_layers=8,
        num_attention_heads=16, num_key_value_heads=16, tie_word_embeddings=False,
    )  # fmt: skip
    model = model if method == "full" else model.to(dtype)
    form = shape(model)
    before = clean(dtype)
    model = on_card(model, plan)
    if again:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    optimizer = optimizers.make(
        [{"params": [p for p in model.parameters() if p.requires_grad]}], Plan()
    )
    data = batch(model, plan).on(torch.device("cuda"))
    run = partial(step, model, optimizer, data, half)
    run()
    steady = torch.cuda.memory_allocated() - before
    peak = steady + measured_peak(run, "cuda")
    assert estimate(form, plan).total == pytest.approx(peak, rel=0.05)


def on_card(model: Any, plan: MemoryPlan) -> Any:
    """The model on the GPU, as the plan's method leaves it."""
    if plan.method == "full":
        full(model)
        return model.cuda()
    quantize(model, device="cuda") if plan.packed else model.cuda()
    return LoRA({"1-12": plan.rank}, targets=plan.targets)(model).model


def clean(dtype: torch.dtype) -> int:
    """Bytes on the card: nothing of earlier tests, and what the libraries keep for themselves."""
    gc.collect()
    torch.cuda.empty_cache()
    some = torch.ones(64, 64, device="cuda", requires_grad=True)
    for wanted in (torch.float32, dtype):  # cuBLAS has a workspace a thread, autograd's as well
        with torch.autocast("cuda", dtype=wanted, enabled=wanted != torch.float32):
            product = some @ some
        product.sum().backward()
    some.grad = None
    return torch.cuda.memory_allocated() - some.nbytes
