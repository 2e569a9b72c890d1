"""The layers that notebooks write themselves are those of the library, where a slip would show.

pytest tests/tools/test_own_lines.py
"""

import re
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from ftlab.methods import nf4
from ftlab.teach import answers
from tools.notebooks.build import ROOT


def own(notebook: str, name: str) -> Any:
    """The class that a notebook's source writes."""
    (source,) = (ROOT / "notebooks" / "source").glob(f"{notebook}_*.py")
    text = source.read_text(encoding="utf-8")
    (lines,) = re.findall(rf"^class {name}\b.*?(?=^\S)", text, re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {"torch": torch, "nn": nn, "nf4": nf4}
    exec(lines, space)
    return space[name]


def library(r: int, alpha: float, **more: Any) -> Any:
    """peft's LoRA on one layer, with a B that is not zero."""
    torch.manual_seed(0)
    config = LoraConfig(r=r, lora_alpha=alpha, target_modules=["0"], **more)  # pyright: ignore
    made: Any = get_peft_model(nn.Sequential(nn.Linear(24, 40)), config).base_model  # pyright: ignore
    layer = made.model[0]
    nn.init.normal_(layer.lora_B["default"].weight, std=0.3)
    return layer


@pytest.mark.parametrize("r", [1, 4, 8])
@pytest.mark.parametrize("alpha", [4, 16, 64])
def test_notebook_04s_lora_is_pefts(r: int, alpha: int) -> None:
    theirs = library(r, alpha)
    made = own("04", "LoRALinear")
    made.forward = answers.lora_forward  # the exercise is compared with this answer
    ours = made(theirs.base_layer, r, alpha)
    assert ours.A.shape == (r, 24) and ours.B.shape == (40, r) and ours.B.abs().max() == 0
    x = torch.randn(5, 24)
    assert torch.equal(ours(x), theirs.base_layer(x)), "at the start it is the base"
    ours.A.data, ours.B.data = (
        side["default"].weight.data for side in (theirs.lora_A, theirs.lora_B)
    )
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for one, two in ((ours.A, theirs.lora_A), (ours.B, theirs.lora_B)):
        torch.testing.assert_close(one.grad, two["default"].weight.grad, atol=1e-3, rtol=1e-4)
    assert [n for n, p in ours.named_parameters() if p.requires_grad] == ["A", "B"]


def test_notebook_06s_qlora_is_that_on_what_the_codes_stand_for() -> None:
    theirs = library(4, 16)
    weight = torch.randn(40, 64)
    stored, a = nf4.quantize(weight), torch.randn(4, 64)
    b, bias = theirs.lora_B["default"].weight.data, theirs.base_layer.bias
    ours = own("06", "QLoRALinear")(stored, bias, a, b, theirs.scaling["default"])
    x = torch.randn(3, 64)
    by_hand = x @ nf4.dequantize(stored).T + bias + 16 / 4 * (x @ a.T @ b.T)
    torch.testing.assert_close(ours(x), by_hand, atol=1e-4, rtol=1e-4)
