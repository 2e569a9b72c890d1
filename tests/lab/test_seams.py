"""What the next notebooks build on: penalties, rows, starts, measuring without training, identity.

pytest tests/lab/test_seams.py
"""

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from ftlab import record as records
from ftlab.base.errors import InputError
from ftlab.lab.lab import Lab, open_lab
from ftlab.methods import LoRA, full, merge
from ftlab.methods.prepared import Prepared, count
from ftlab.models import untie
from ftlab.plan import Plan

QUICK = Plan(steps=2, batch_size=4, measure_every=0, lr=1e-3)
SMALL = LoRA({"10-12": 2})


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_methods_are_taken_by_name(lab: Lab) -> None:
    assert lab.run(QUICK, method="lora_all").prepared.method == "lora_all"
    with pytest.raises(InputError, match="did you mean 'lora_qv'"):
        lab.run(QUICK, method="lora_qq")


def test_two_function_methods_that_differ_never_share_a_file(lab: Lab) -> None:
    """The slip that notebook 04 shows: alpha stands nowhere but in the live model."""

    def snippet(alpha: int) -> Any:
        def method(model: Any) -> Prepared:
            from peft import LoraConfig, get_peft_model

            wanted = LoraConfig(r=2, lora_alpha=alpha, target_modules=["c_fc"], fan_in_fan_out=True)
            return count(get_peft_model(model, wanted), "the snippet")

        return method

    one, two = (lab.run(QUICK, method=snippet(alpha)).finish().record for alpha in (8, 256))
    assert one.file_name != two.file_name
    assert one.extra["method"]["peft"]["default"]["lora_alpha"] == 8
    assert one.command.startswith("no command")


def test_untied_heads_and_other_questions_make_another_record(lab: Lab) -> None:
    def with_head(model: Any) -> Prepared:
        untie(model)
        return full(model)

    plain = lab.run(QUICK, method=lambda model: full(model)).finish().record
    assert lab.run(QUICK, method=with_head).finish().record.file_name != plain.file_name
    fewer = Lab(lab.bundle, lab.domain, lab.suite, target_items=3, per_skill=2, documents=2)
    fewer.evaluator.domain = fewer.domain
    again = fewer.run(QUICK, method=lambda model: full(model)).finish().record
    assert again.file_name != plain.file_name


def test_a_method_brings_a_penalty_and_rows(lab: Lab) -> None:
    seen: list[float] = []

    def anchored(model: Any) -> Prepared:
        before = weights(model)

        def penalty(model: nn.Module, batch: Any) -> torch.Tensor:
            found = 1e3 * sum(((p - before[n]) ** 2).sum() for n, p in model.named_parameters())
            seen.append(float(found.detach()))  # pyright: ignore
            return found  # pyright: ignore

        row = {"id": "own", "prompt": "Say:", "answer": " aha"}
        return dataclasses.replace(full(model), penalty=penalty, rows=[row])

    free, held = (lab.run(QUICK, method=m).finish() for m in (full, anchored))
    base = weights(lab.bundle.model)

    def distance(run: Any) -> float:
        return float(sum(((p - base[n]) ** 2).sum() for n, p in weights(run.model).items()))

    assert distance(held) < distance(free) and seen[0] == 0 < seen[1]
    assert held.rows[-1]["id"] == "own" and len(held.rows) == len(free.rows) + 1


def test_a_run_goes_on_from_another_run(lab: Lab) -> None:
    first = lab.run(QUICK).finish()
    after = weights(first.model)
    second = lab.run(QUICK, start=first)
    assert all(torch.equal(p, after[n]) for n, p in weights(second.model).items())
    second.finish()
    assert any(not torch.equal(p, after[n]) for n, p in weights(second.model).items())
    assert all(torch.equal(p, after[n]) for n, p in weights(first.model).items())
    record = second.record
    assert record.extra["start"]["name"] == first.name and "another run" in record.command
    assert record.file_name != first.record.file_name
    assert record.baseline == first.record.baseline  # retention still counts from the base


def test_adapters_go_on_or_are_merged_before_the_next_method(lab: Lab) -> None:
    first = lab.run(QUICK, method=SMALL).finish()
    on = lab.run(QUICK, start=first)
    assert on.prepared.trainable == first.prepared.trainable and on.method == first.method
    stage_two = lab.run(QUICK, start=first, method=LoRA({"1-3": 2}))
    ids = torch.arange(20)[None]
    merged = merge(first.model)(input_ids=ids).logits
    assert torch.allclose(stage_two.model(input_ids=ids).logits, merged, atol=1e-5)
    assert stage_two.finish().record.trainable == 3 * 2 * 2 * 256


def test_a_start_that_is_none_is_refused(lab: Lab) -> None:
    with pytest.raises(InputError, match="yesterday holds no adapter"):
        lab.run(QUICK, start="yesterday")
    with pytest.raises(InputError, match="start=5 is not possible"):
        lab.run(QUICK, start=5)  # pyright: ignore


def test_a_model_is_measured_without_training(lab: Lab, tmp_path) -> None:
    model = lab.fresh()
    with torch.no_grad():
        model.get_parameter("transformer.h.5.mlp.c_fc.weight").zero_()
    record = lab.measure(model, name="block 6 emptied", method="prune")
    assert record.retained < 1 and record.budget == {"examples": 0, "tokens": 0, "steps": 0}
    assert record.final == lab.evaluator.full(model)
    assert records.load(records.save(record, tmp_path)) == record
    assert lab.measure(lab.fresh(), name="block 6 emptied").file_name != record.file_name


def test_objects_and_names_open_the_same_lab(lab: Lab) -> None:
    again = open_lab(lab.domain, model=lab.bundle, suite=lab.suite)
    assert again.opened == {} and again.suite is lab.suite
    four = open_lab("clinic", model="nano-gpt2", base="nf4")
    assert str(four.bundle.base) == "nf4" and four.opened["domain"] == "clinic"
    with pytest.raises(InputError, match="nf4-double"):
        open_lab("clinic", model="nano-gpt2", base="nf5")


@pytest.mark.parametrize("slip", [LoRA, lambda model: model, lambda model: None])
def test_what_is_no_method_is_a_slip(lab: Lab, slip: Any) -> None:
    with pytest.raises(InputError, match="is no method: give one such as"):
        lab.run(QUICK, method=slip)


def test_replay_fits_the_model_whatever_the_suite_is_called(lab: Lab) -> None:
    own = Lab(lab.bundle, lab.domain, dataclasses.replace(lab.suite, name="mine"))
    plain, other = (one.run(QUICK, replay=0.25).rows for one in (lab, own))
    assert plain == other
