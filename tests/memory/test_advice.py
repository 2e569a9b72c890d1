"""Memory arithmetic: published numbers, rules of the libraries, advice, pictures and slips.

What needs a model and a measurement is in test_memory.py. Run: pytest tests/memory/test_advice.py
"""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig

from ftlab.base.errors import InputError
from ftlab.memory.advice import out_of_memory_message, what_fits
from ftlab.memory.arithmetic import estimate
from ftlab.memory.parts import CARDS, GB, size
from ftlab.memory.plan import MemoryPlan, plan_of
from ftlab.memory.shapes import SHAPES, SHIPPED, shape
from ftlab.methods.lora import LoRA
from ftlab.models.layers import TARGETS
from ftlab.models.quantizing import quantize
from ftlab.plan import OPTIMIZERS, Plan
from ftlab.show import memory_bars, png

QV = ("q", "v")


def test_below_4096_numbers_eight_bits_save_nothing():
    thin = MemoryPlan("lora", rank=8, targets=QV)  # 8 x 128 = 1,024 numbers a matrix
    assert estimate("nano-gpt2", replace(thin, optimizer="adamw8bit"))["optimiser states"] == 8 * (
        estimate("nano-gpt2", thin)["adapters"] // 4
    )
    thick = replace(thin, rank=32, optimizer="adamw8bit")  # 32 x 128 = 4,096
    assert estimate("nano-gpt2", thick)["optimiser states"] < 2.1 * (
        estimate("nano-gpt2", thick)["adapters"] // 4
    )


def test_small_states_are_not_paged():
    """Of adapters on 7 billion weights: none at rank 8, all at rank 64."""
    plan = MemoryPlan("qlora", precision="fp16", optimizer="paged_adamw", targets=QV)
    assert estimate("llama-7b", plan).paged == 0
    assert estimate("llama-7b", replace(plan, rank=64))["optimiser states"] == 0


def test_bits_a_weight():
    """Half a bit for the constants, 0.127 when they are quantized: 0.373 saved (QLoRA, 3)."""
    form = shape("llama-7b")
    packed = sum(matrix.parameters for matrix in form.matrices)
    bits = {
        double: 8
        * estimate(form, MemoryPlan("qlora", double=double))["quantization constants"]
        / packed
        for double in (True, False)
    }
    assert bits[False] == pytest.approx(0.5, abs=1e-3)
    assert bits[True] == pytest.approx(0.127, abs=1e-3)
    assert bits[False] - bits[True] == pytest.approx(0.373, abs=1e-3)


# --- published numbers ---------------------------------------------------------------------------


def test_llama_65b_as_the_qlora_paper_counts_it():
    """More than 780 GB for 16-bit fine-tuning: 2 + 2 + 8 bytes a weight; under 48 GB by QLoRA."""
    config = LlamaConfig(
        num_hidden_layers=80, hidden_size=8192, intermediate_size=22_016, num_attention_heads=64,
        vocab_size=32_000, tie_word_embeddings=False,
    )  # fmt: skip
    form = shape(config)
    assert form.parameters == 65_285_660_672
    half = MemoryPlan("full", precision="bf16", base="bf16", optimizer="paged_adamw")
    found = estimate(form, half)
    states = found["optimiser states"] + found.paged
    assert found["weights"] + found["gradients"] + states > 780 * GB
    assert states == 8 * form.parameters
    plan = MemoryPlan(
        "qlora", precision="bf16", rank=64, targets=TARGETS, tokens=512, batch_size=1,
        optimizer="paged_adamw", gradient_checkpointing=True,
    )  # fmt: skip
    assert 35 * GB < estimate(form, plan).total < 48 * GB


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("gpt2", 124_439_808), ("smollm2-135m", 134_515_008), ("llama-1b", 1_235_814_400),
     ("llama-3b", 3_212_749_824), ("llama-7b", 6_738_415_616), ("llama-13b", 13_015_864_320)],
)  # fmt: skip
def test_published_shapes_have_their_published_sizes(name, numbers):
    assert shape(name).parameters == numbers


# --- advice, messages, pictures ------------------------------------------------------------------


def test_the_one_change_that_fits():
    plan = MemoryPlan("qlora", precision="fp16", batch_size=4, tokens=512, targets=TARGETS)
    advice = what_fits("llama-7b", plan, CARDS["T4"])
    assert advice.changes == ("gradient_checkpointing=True",) and advice.fits
    assert "One change makes it fit: gradient_checkpointing=True" in str(advice)
    done = replace(plan, gradient_checkpointing=True)
    assert what_fits("llama-7b", done, CARDS["T4"]).changes == ()


def test_two_changes_where_one_is_not_enough_and_none_where_two_are_not():
    plan = MemoryPlan("full", precision="fp16", batch_size=8, tokens=512)
    advice = what_fits("llama-7b", plan, CARDS["T4"])
    assert len(advice.changes) == 2 and "No single change" in str(advice)
    hopeless = what_fits("llama-13b", plan, 1 * GB)
    assert not hopeless.fits and "smaller model" in str(hopeless)


def test_the_message_adds_up_and_ends_with_what_to_do():
    plan = MemoryPlan("lora", precision="fp16", base="fp16", batch_size=4, tokens=512)
    text = out_of_memory_message("llama-7b", plan, CARDS["T4"])
    assert "weights" in text and "13.5 GB" in text and "too much" in text
    assert re.search(r"(One change makes it fit|No single change)", text.splitlines()[-1])
    assert max(map(len, text.splitlines())) <= 120
    small = out_of_memory_message("nano-gpt2", MemoryPlan(), CARDS["T4"])
    assert "something else is using the card" in small


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_row_is_said(optimizer):
    plan = MemoryPlan("full", optimizer=optimizer, batch_size=2)
    text = str(estimate("gpt2", plan))
    assert "activations" in text and ("paged" in text) == optimizer.startswith("paged")


def test_bars_and_table_say_what_they_draw():
    plans = [
        MemoryPlan("full", precision="fp16", batch_size=8, tokens=512),
        MemoryPlan("full", precision="fp16", optimizer="paged_adamw", tokens=512),
        MemoryPlan("qlora", precision="fp16", gradient_checkpointing=True),
    ]
    found = [estimate("llama-7b", plan) for plan in plans]
    picture = memory_bars(found, title="llama-7b")
    assert png(picture) and "QLoRA, checkpointing" in picture.alt and "fits T4" in picture.alt
    assert "paged" in picture.alt and "fits none of the cards" in picture.alt
    small = memory_bars({"one": estimate("nano-gpt2", MemoryPlan())})
    assert png(small) and "MB" in small.alt
    assert png(memory_bars([])) and "no plan" in memory_bars([]).alt


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1536, "1.5 kB"), (11_200_000, "11.2 MB"), (109 * GB, "109 GB")],
)
def test_sizes_read_well(count, words):
    assert size(count) == words


# --- plans read off models, and slips ------------------------------------------------------------


def tiny() -> Any:
    """A random GPT-2 of 2 blocks x 64."""
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_layer=2, n_embd=64, n_head=2))


def test_a_plan_is_read_off_a_live_model():
    pytest.importorskip("bitsandbytes")
    given = Plan(batch_size=4, optimizer="adamw8bit", gradient_checkpointing=True)
    model = LoRA({"1-12": 4}, targets=TARGETS)(quantize(tiny())).model
    plan = plan_of(model, given, tokens=64, learned=8)
    assert (plan.method, plan.stored, plan.plain, plan.double) == ("qlora", "nf4", "fp32", True)
    assert (plan.rank, plan.targets, plan.optimizer) == (4, TARGETS, "adamw8bit")
    assert plan.gradient_checkpointing and (plan.batch_size, plan.tokens) == (4, 64)
    assert plan_of(tiny(), Plan(), tokens=64).method == "full"
    half = LoRA()(tiny().to(torch.bfloat16)).model
    assert plan_of(half, Plan(), tokens=64).stored == "bf16"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "dora"}, "method='dora'"),
        ({"precision": "fp8"}, "precision='fp8'"),
        ({"optimizer": "sgd"}, "adamw8bit"),
        ({"base": "nf4"}, "qlora"),
        ({"method": "qlora", "base": "fp16"}, "four bits"),
        ({"base": "fp16"}, "small updates are lost"),
        ({"rest": "fp16"}, "4-bit base"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"tokens": 1.5}, "tokens=1.5"),
        ({"targets": ("key",)}, "Targets are"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(wrong, says):
    with pytest.raises(InputError, match=re.escape(says)):
        MemoryPlan(**wrong)


def test_unknown_models_and_lengths_are_refused():
    with pytest.raises(InputError, match="llama-7b"):
        estimate("llama-8b", MemoryPlan())
    with pytest.raises(InputError, match="at most 127"):
        estimate("gpt2", MemoryPlan(tokens=128, learned=128))


@pytest.mark.parametrize("name", [*SHIPPED, *SHAPES])
@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_every_known_shape_can_be_counted(name, method):
    found = estimate(name, MemoryPlan(method))
    assert found.total > 0 and found.name == name
