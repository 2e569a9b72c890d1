"""Adapter off equals base, bit for bit, for every method; on again, it acts as before.

pytest tests/methods/test_off.py
"""

import copy
from typing import Any

import peft
import pytest
import torch

from ftlab.base.errors import InputError
from ftlab.evaluate.target import _continue, _how
from ftlab.methods import (
    IA3,
    OFT,
    OSF,
    AttentionLoRA,
    Bottleneck,
    Freeze,
    LoRA,
    Prefix,
    Prompt,
    QLoRA,
    adapter_off,
    full,
    merge,
)
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS
from ftlab.models.quantizing import quantize
from ftlab.text.scored_batches import Rows, last_logits

METHODS = {
    "bottleneck": Bottleneck(),
    "prefix": Prefix(),
    "prefix from zeros": Prefix(start="zeros"),
    "prompt": Prompt(),
    "ia3": IA3(),
    "oft": OFT(),
    "oft everywhere": OFT(16, targets=TARGETS),
    "osf": OSF(),
    "lora": LoRA(),
    "lora everywhere": LoRA({"7-12": 4}, targets=TARGETS),
    "lora with a head": LoRA(head=True),
}
MODELS = ["tiny_gpt2", "tiny_llama", "tiny_t5"]
SHAPES = [(1, 1), (2, 12), (5, 31)]


def said(model: Any, shape: tuple[int, int]) -> torch.Tensor:
    ids = torch.arange(shape[0] * shape[1]).reshape(shape) % 250
    source = ids if model.config.is_encoder_decoder else None
    rows = Rows(ids=ids, mask=torch.ones_like(ids), logits_to_keep=shape[1], source=source)
    with torch.no_grad():
        return last_logits(model, rows)


def written(model: Any) -> list[list[int]]:
    start = 0 if model.config.is_encoder_decoder else None
    return _continue(model, [[5, 9, 33], [7, 8, 9, 10]], _how(5, 0, start, drawn=False))


def shaken(model: Any) -> Any:
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.2 * torch.randn_like(p))
    return model.eval()


def moving(model: Any) -> list[str]:
    return [name for name, p in model.named_parameters() if p.requires_grad]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("fixture", MODELS)
def test_off_is_the_base_and_on_is_on(fixture, name, request):
    base = request.getfixturevalue(fixture).requires_grad_(False)  # as the evaluator's base
    model = shaken(METHODS[name](copy.deepcopy(base)).model)
    trained, own = moving(model), {id(m): set(vars(m)) for m in model.modules()}
    acting = [said(model, shape) for shape in SHAPES]
    with adapter_off(model) as off:
        assert off is model
        with adapter_off(model):  # within another it changes nothing
            pass
        for shape, on in zip(SHAPES, acting, strict=True):
            assert torch.equal(said(model, shape), said(base, shape)), shape
            assert not torch.allclose(on, said(base, shape), atol=1e-3)
        assert written(model) == written(base)
    for shape, on in zip(SHAPES, acting, strict=True):
        assert torch.equal(said(model, shape), on)
    assert moving(model) == trained
    left = {name for m in model.modules() for name in set(vars(m)) - own.get(id(m), set())}
    assert not left & {"forward", "generate"}


def test_an_error_inside_switches_on_again(tiny_llama):
    for method in (Bottleneck(), Prompt(), LoRA()):
        model = shaken(method(copy.deepcopy(tiny_llama)).model)
        on = said(model, (2, 12))
        with pytest.raises(KeyError), adapter_off(model):
            raise KeyError
        assert torch.equal(said(model, (2, 12)), on)


def test_a_prompt_on_a_t5_is_off_in_generation_too(tiny_t5):
    """peft's own switch leaves it on there."""
    with torch.no_grad():
        for p in tiny_t5.parameters():
            p.mul_(3)
    base = copy.deepcopy(tiny_t5)
    model = shaken(Prompt(start="random")(tiny_t5).model)
    with model.disable_adapter():
        assert written(model) != written(base)
    with adapter_off(model):
        assert written(model) == written(base)


def test_by_attention_and_over_four_bits(tiny_t5, tiny_gpt2):
    base = copy.deepcopy(tiny_t5).requires_grad_(False)
    with adapter_off(shaken(AttentionLoRA()(tiny_t5).model)) as off:
        assert torch.equal(said(off, (2, 12)), said(base, (2, 12)))
    four = quantize(tiny_gpt2, Quantize())
    oft = () if peft.__version__ < "0.21" else (OFT(),)  # 0.20: no OFT on codes (TypeError)
    for method in (QLoRA(), Bottleneck(), IA3(), *oft, Prefix()):
        with adapter_off(shaken(method(copy.deepcopy(four)).model)) as off:
            assert torch.equal(said(off, (2, 12)), said(four, (2, 12)))


@pytest.mark.parametrize("make", [full, Freeze(), lambda m: LoRA()(m)], ids=["full", "freeze", "x"])
def test_what_has_no_switch_is_refused(make, tiny_gpt2):
    made = make(tiny_gpt2).model
    with (
        pytest.raises(InputError, match="no adapter that could be switched off"),
        adapter_off(merge(made)),
    ):
        pass
