"""IA3, OFT and OSF: by hand, on every architecture, and what each promises.

pytest tests/methods/test_weight_adapters.py
"""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from ftlab.methods import IA3, OFT, OSF
from ftlab.models.bases import Quantize
from ftlab.models.layers import TARGETS, layer_map
from ftlab.models.quantizing import quantize
from ftlab.models.split import linear_layers
from ftlab.plan import Plan
from ftlab.train.engine import default_groups
from ftlab.train.loop import train

ROWS = [{"prompt": f"Item {n}:", "answer": f" word{n} is here."} for n in range(8)]
EVERYWHERE = OFT(16, targets=TARGETS)


def layers(model: Any, mark: str) -> list[tuple[str, Any]]:
    found = layer_map(model).model.named_modules()
    return [(name, module) for name, module in found if hasattr(module, mark)]


def train_it(model: Any, tokenizer: Any, lr: float, **plan: Any) -> Any:
    wanted = Plan(**{"steps": 5, "batch_size": 4, "lr": lr} | plan)
    list(train(model, tokenizer, ROWS, wanted))
    return model


def test_ia3_scales_keys_values_and_what_the_second_layer_reads(tiny_llama):
    moving = IA3()(tiny_llama)
    assert moving.trainable == 4 * (32 + 32 + 128)  # grouped keys and values are half as wide
    x = torch.randn(2, 5, 64)
    block = tiny_llama.model.layers[1]
    for layer in (block.self_attn.k_proj, block.mlp.down_proj):
        torch.nn.init.normal_(layer.ia3_l["default"])
        factor = layer.ia3_l["default"].flatten()
        w = layer.base_layer.weight
        read = torch.randn(2, 5, 128) if layer is block.mlp.down_proj else x
        by_hand = (read * factor) @ w.T if layer is block.mlp.down_proj else read @ w.T * factor
        torch.testing.assert_close(layer(read), by_hand)
    table = [(row.what, row.r, row.trainable) for row in moving.table() if row.trainable]
    assert table == [("k scaled", None, 128), ("v scaled", None, 128), ("ff scaled", None, 512)]


def test_the_factors_do_not_decay(tiny_llama):
    """They start at one, so decay would shrink the base's keys and values."""
    plain, decaying = default_groups(IA3()(tiny_llama).model), None
    assert [group.get("weight_decay", decaying) for group in plain] == [0.0]


@pytest.mark.parametrize("fixture", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_oft_reaches_every_linear_layer_and_stays_orthogonal(fixture, request, tiny_tokenizer):
    """At a rate where peft's five terms of the series leave |R R' - I| in the thousands."""
    model = request.getfixturevalue(fixture)
    moving = EVERYWHERE(model)
    inputs = [module.in_features for _, module in layers(moving.model, "oft_R")]
    assert moving.trainable == sum(inputs) * 15 // 2 > 0
    assert {row.r for row in moving.table() if row.r} == {16}
    trained = train_it(moving.model, tiny_tokenizer, 0.1)
    for _, module in layers(trained, "oft_R"):
        turn = module.oft_R["default"].get_weight()
        assert not torch.allclose(turn, torch.eye(len(turn)), atol=1e-3)
        torch.testing.assert_close(turn @ turn.T, torch.eye(len(turn)), atol=1e-4, rtol=0)


def test_oft_by_hand(tiny_gpt2):
    layer = dict(layers(EVERYWHERE(tiny_gpt2).model, "oft_R"))["transformer.h.3.mlp.c_proj"]
    torch.nn.init.normal_(layer.oft_R["default"].weight, std=0.3)
    x = torch.randn(2, 5, 256)
    turned = x @ layer.oft_R["default"].get_weight()
    torch.testing.assert_close(layer(x), layer.base_layer(turned), atol=1e-5, rtol=1e-5)


def test_osf_starts_as_the_base_and_trains_the_weak_directions(tiny_gpt2):
    ids = torch.arange(24).reshape(2, 12)
    before = tiny_gpt2(ids).logits
    moving = OSF(0.75)(tiny_gpt2)
    torch.testing.assert_close(moving.model(ids).logits, before, atol=1e-5, rtol=0)
    assert {row.r for row in moving.table() if row.trainable} == {16}
    assert moving.trainable == 12 * (4 * 16 * 129 + 2 * 16 * 321)


def leaked(model: Any) -> float:
    """The largest share of a layer's change that lies in its protected directions."""
    shares = []
    for _, module in layers(model, "osf_svd_params"):
        u, _, _ = torch.linalg.svd(module.base_layer.weight, full_matrices=False)
        one = torch.eye(module.in_features)
        change = (module(one) - module.base_layer(one)).detach().T  # (out, in)
        u = u[:, : module.effective_rank["default"]]
        shares.append(((u.T @ change).norm() / change.norm()).item())
    return max(shares)


def sgd(model: Any) -> Any:
    ids = torch.arange(24).reshape(2, 12)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)
    for _ in range(3):
        model.zero_grad()
        model(input_ids=ids).logits.logsumexp(-1).sum().backward()
        optimizer.step()
    return model


def test_osf_protects_from_gradients_also_in_a_copy(tiny_llama):
    model = OSF()(tiny_llama).model
    other = copy.deepcopy(model)
    assert leaked(sgd(model)) < 0.01
    assert leaked(sgd(other)) < 0.01


def test_osf_does_not_protect_from_adamw(tiny_llama, tiny_tokenizer):
    """As the docstring says: AdamW's steps are not along its gradients."""
    assert leaked(train_it(OSF()(tiny_llama).model, tiny_tokenizer, 1e-3)) > 0.05


def test_a_gpt2_made_linear_computes_the_same_bits(tiny_gpt2):
    stock = copy.deepcopy(tiny_gpt2)
    for shape in ((1, 1), (1, 7), (3, 12)):
        ids = torch.randint(0, 300, shape)
        x = torch.randn(*shape, 64)
        made = linear_layers(copy.deepcopy(stock)).transformer.h[0].mlp
        assert torch.equal(made(x), stock.transformer.h[0].mlp(x)), ids


@given(st.integers(-3, 1) | st.sampled_from([2.5, "32", True, None]))
def test_a_wrong_block_is_refused(block):
    with pytest.raises(InputError, match=r"block=.* give a whole number from 2 up"):
        OFT(block)


@given(st.floats(max_value=0) | st.floats(min_value=1) | st.sampled_from(["half", True, None, 8]))
def test_a_wrong_share_is_refused(share):
    with pytest.raises(InputError, match=r"protected=.* give a share above 0 and below 1"):
        OSF(share)


def test_what_does_not_fit_the_model_is_refused(tiny_gpt2, tiny_llama):
    for block in (24, 128):
        with pytest.raises(InputError, match=rf"block={block} does not divide the 64 inputs of"):
            OFT(block)(copy.deepcopy(tiny_gpt2))
    with pytest.raises(InputError, match=r"0\.01 of 64 directions is less than one"):
        OSF(0.01)(tiny_gpt2)
    with pytest.raises(InputError, match="here they are codes; use QLoRA"):
        OSF()(quantize(tiny_llama, Quantize()))
    for method in (OFT, OSF):
        with pytest.raises(InputError, match="'query' is none"):
            method(targets=("query",))


def test_names_follow_from_the_targets():
    assert [OFT().name, OFT(16, targets=("v", "q")).name] == ["oft", "oft"]
    assert OFT(16, targets=("ff",)).name == "OFT block 16 ff"
    assert [OSF(0.9).name, OSF(targets=("q",)).name] == ["osf", "OSF 0.5 q"]
