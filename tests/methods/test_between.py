"""Between base and trained model: both ends exact, a LoRA's way is that of its scale.

pytest tests/methods/test_between.py
"""

from typing import Any

import pytest
import torch

import ftlab
from ftlab.base.errors import InputError
from ftlab.lab.lab import Lab
from ftlab.methods import Bottleneck, Freeze, LoRA, full
from ftlab.methods.between import partway

IDS = torch.tensor([[1, 5, 9, 30, 7]])


def trained(lab: Lab, method: Any) -> Any:
    plan = ftlab.Plan(steps=3, lr=3e-3, measure_every=0)
    return lab.run(plan, method=method, store=False).finish().model.eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


METHODS = [full, Freeze(), LoRA({"1-12": 4}, targets=("q", "v", "ff"), head=True)]


@pytest.mark.parametrize("method", METHODS, ids=["full", "freeze", "lora"])
def test_both_ends_are_base_and_trained_model(lab: Lab, method: Any) -> None:
    base, tuned = lab.bundle.model, trained(lab, method)
    at = partway(base, tuned)
    assert torch.allclose(logits(at(1.0)), logits(tuned), atol=1e-4)
    assert not torch.allclose(logits(at(0.5)), logits(tuned), atol=1e-2)
    assert torch.equal(logits(at(0)), logits(base))


def test_a_loras_way_is_that_of_its_scale(lab: Lab) -> None:
    base, tuned = lab.bundle.model, trained(lab, LoRA({"1-12": 4}))
    half = logits(partway(base, tuned)(0.5))
    for module in tuned.modules():
        if hasattr(module, "lora_A"):
            module.scaling["default"] *= 0.5
    assert torch.allclose(half, logits(tuned), atol=1e-4)


def test_what_has_no_line_to_the_base_is_refused(lab: Lab) -> None:
    base = lab.bundle.model
    with pytest.raises(InputError, match="cannot be merged"):
        partway(base, trained(lab, Bottleneck(4)))
    other = ftlab.open_lab("clinic", model="nano-t5", target_items=4, per_skill=2, documents=2)
    with pytest.raises(InputError, match="differ in shape at"):
        partway(other.bundle.model, base)
    wrongs: list[Any] = [float("nan"), True, "0.5"]
    for wrong in wrongs:
        with pytest.raises(InputError, match="give a share"):
            partway(base, base)(wrong)


def test_by_depth_each_block_has_its_share(lab: Lab) -> None:
    """LiNeS: equal steps from the first block to the last; embeddings first, norm last."""
    base, tuned = lab.bundle.model, trained(lab, full)
    start, end = dict(base.named_parameters()), dict(tuned.named_parameters())
    moved = dict(partway(base, tuned)(0.2, 0.8).named_parameters())
    shares = {f"transformer.h.{k}.": 0.2 + 0.6 * k / 11 for k in range(12)}
    shares |= {"transformer.wte": 0.2, "transformer.wpe": 0.2, "transformer.ln_f": 0.8}
    seen = set()
    for name, p in moved.items():
        prefix = next(one for one in shares if name.startswith(one))
        seen.add(prefix)
        by_hand = start[name] + shares[prefix] * (end[name] - start[name])
        torch.testing.assert_close(p, by_hand, rtol=1e-5, atol=1e-7)
    assert seen == set(shares)
    assert torch.equal(logits(partway(base, tuned)(1, 1)), logits(tuned))
