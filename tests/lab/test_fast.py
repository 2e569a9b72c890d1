"""Training the short way gives the plain loop's numbers, and says where nothing can be kept.

Run: pytest tests/lab/test_fast.py
"""

import copy
import dataclasses
from contextlib import ExitStack, nullcontext

import pytest
import torch
from torch import nn

from ftlab.base.errors import InputError
from ftlab.evaluate.evaluator import Evaluator, Sizes
from ftlab.evaluate.teacher_forced import TeacherForced
from ftlab.lab.lab import Lab, open_lab
from ftlab.methods.freeze import Freeze
from ftlab.methods.full_tuning import full
from ftlab.methods.lora import LoRA
from ftlab.models.fused_forward import fused
from ftlab.models.prefix_cache import cached_below, why_not
from ftlab.plan import Plan
from ftlab.train.loop import train

ITEMS = [
    {"prompt": f"Note: {'chest pain ' * (n % 4)}{n}.", "answer": f" Code {n}."} for n in range(11)
]
PLAN = Plan(steps=6, batch_size=4, lr=1e-3)
UPPER = LoRA({"7-9": 8, "10-12": 16})
EVERYWHERE = LoRA({"1-12": 4}, targets=("q", "k", "v", "o", "ff"))
METHODS = {
    "upper LoRA": (UPPER, 6),
    "upper LoRA with a head": (dataclasses.replace(UPPER, head=True), 6),
    "LoRA on the top alone": (LoRA({"10-12": 2}, targets=("ff",)), 9),
    "LoRA everywhere": (EVERYWHERE, 0),
    "freeze the lower half": (Freeze({"1-6": 0.0, "7-12": 1.0}), 6),
    "a head alone": (Freeze({"1-12": 0.0}, head=1.0, norm=0.0, untied=True), 12),
    "full": (full, 0),
}


def without_dropout(model):
    """The model, its dropout off."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.config.embd_pdrop = 0.0
    return model


def trained(model, tokenizer, method, *, short: bool):
    """All steps, the trained model, and how many blocks were kept."""
    torch.manual_seed(0)
    moving = method(copy.deepcopy(model))
    with ExitStack() as stack:
        kept = stack.enter_context(cached_below(moving.model, {})) if short else 0
        _ = stack.enter_context(fused(moving.model)) if short else 0
        groups = moving.groups(PLAN)
        steps = list(train(moving.model, tokenizer, ITEMS, PLAN, groups=groups))
    return steps, moving.model, kept


def losses(steps):
    """Of every step but the first, which has none."""
    return [step.loss for step in steps[1:]]


def check_equal(model, tokenizer, method, kept):
    plain, one, _ = trained(model, tokenizer, method, short=False)
    short, two, found = trained(model, tokenizer, method, short=True)
    assert found == kept
    assert losses(short) == pytest.approx(losses(plain), rel=1e-4)
    assert [(s.lr, s.tokens) for s in short] == [(s.lr, s.tokens) for s in plain]
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-4), name
    assert not any("forward" in vars(module) for module in two.modules())


@pytest.mark.parametrize("name", METHODS)
def test_the_short_way_gives_the_plain_loops_numbers(tiny_gpt2, tiny_tokenizer, name):
    check_equal(without_dropout(tiny_gpt2), tiny_tokenizer, *METHODS[name])


def test_it_does_so_for_llama(tiny_llama, tiny_tokenizer):
    check_equal(tiny_llama, tiny_tokenizer, LoRA({"7-12": 4}), 2)


def test_nothing_is_kept_under_dropout_and_the_reason_is_told(tiny_gpt2, tiny_tokenizer):
    assert any(isinstance(m, nn.Dropout) and m.p > 0 for m in tiny_gpt2.modules())
    check_equal(tiny_gpt2, tiny_tokenizer, UPPER, 0)
    assert "dropout" in why_not(UPPER(tiny_gpt2).model)


def test_nothing_is_kept_where_the_lowest_parts_move(tiny_gpt2, tiny_t5):
    without_dropout(tiny_gpt2)
    assert "embeddings or the first block" in why_not(full(tiny_gpt2).model)
    assert "embeddings or the first block" in why_not(EVERYWHERE(copy.deepcopy(tiny_gpt2)).model)
    assert "causal" in why_not(LoRA({"10-12": 2})(tiny_t5).model)


def test_a_shelf_is_shared_by_runs_of_one_base_and_by_no_other(tiny_gpt2, tiny_tokenizer):
    base, shelf = without_dropout(tiny_gpt2), {}
    other = copy.deepcopy(base)
    with torch.no_grad():
        other.transformer.h[0].mlp.c_fc.weight.mul_(1.01)
    for model in (base, copy.deepcopy(base), other):
        with cached_below(UPPER(model).model, shelf):
            pass
    assert len(shelf) == 2


def test_dropout_in_the_adapter_keeps_its_own_forward(tiny_gpt2):
    for dropout, layers in ((0.1, 0), (0.0, 12)):
        model = LoRA({"1-12": 4}, dropout=dropout)(copy.deepcopy(tiny_gpt2)).model
        with fused(model) as count:
            assert count == layers + 1  # and the head


@pytest.mark.parametrize("targets", [("q",), ("v", "k"), ("q", "k", "v"), ("o", "ff"), ("q", "ff")])
def test_any_choice_of_layers_gives_the_same_gradients(tiny_gpt2, targets):
    """With B not zero, at a scale that is not 1."""
    torch.manual_seed(0)
    moving = LoRA({"1-6": 2, "9-12": 5}, alphas={"1-6": 3.0, "9-12": 1.0}, targets=targets)(
        tiny_gpt2
    )
    model, ids = moving.model, torch.randint(0, 300, (3, 9))
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.1)
    found = []
    for way in (nullcontext, lambda: fused(model)):
        model.zero_grad()
        with way():
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
        found.append([loss.detach(), *(p.grad for p in model.parameters() if p.requires_grad)])
    for plain, short in zip(*found, strict=True):
        assert torch.allclose(plain, short, rtol=1e-4, atol=1e-6)


# --- on the nano model ----------------------------------------------------------------------------


SMALL: Sizes = {"target_items": 8, "per_skill": 4, "documents": 4}


@pytest.fixture(scope="module")
def lab() -> Lab:
    made = open_lab("clinic", model="nano-gpt2", **SMALL)
    made.fast_sizes = SMALL
    return made


LIVE = Plan(steps=8, lr=6e-3, measure_every=4)


def test_steps_and_measures_equal_the_plain_runs(lab: Lab):
    plain, short = (lab.run(LIVE, method=UPPER, fast=fast).finish() for fast in (False, True))
    assert losses(short.steps) == pytest.approx(losses(plain.steps), rel=1e-4)
    for one, two in zip(plain.steps, short.steps, strict=True):
        assert (one.measured is None) == (two.measured is None)
        for name, value in (two.measured or {}).items():
            assert (one.measured or {})[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


def test_a_fast_run_after_another_begins_with_what_that_one_left(lab: Lab):
    """What is known of the base is taken for step 0 of a run that starts from the base alone."""
    base = lab.run(LIVE, method=UPPER, fast=True).finish()
    assert base.steps[0].measured == lab.teacher_forced.baseline
    after = lab.run(dataclasses.replace(LIVE, steps=1), start=base, fast=True).finish()
    first, left = after.steps[0].measured or {}, lab.teacher_forced(base.model)
    assert first["target_loss"] == pytest.approx(left["target_loss"], rel=1e-4)
    assert first["learned"] > 0.01 and first["forgotten"] == pytest.approx(left["forgotten"])


def test_the_teacher_forced_evaluator_sees_what_the_evaluator_sees(lab: Lab):
    asked: Sizes = {"target_items": 24, "per_skill": 4, "documents": 4}
    evaluator = Evaluator(lab.tokenizer, lab.domain, lab.suite, lab.bundle.model, **asked)
    plan = Plan(steps=40, lr=1e-2, measure_every=0)
    run = lab.run(plan, method=EVERYWHERE, fast=True).finish()
    theirs = evaluator(run.model)
    assert theirs["target_score"] > 0.05, "needs right answers"
    for name, value in TeacherForced(evaluator)(run.model).items():
        assert theirs[name] == pytest.approx(value, abs=1e-5), name


def test_stop_leaves_a_usable_model_and_no_shortcut(lab: Lab):
    run = lab.run(LIVE, method=UPPER, fast=True)
    stream = iter(run)
    for step in stream:
        if step.step == 2:
            within = run.say(["Note: chest pain."])  # generation goes through all blocks
            break
    stream.close()  # pyright: ignore
    assert [step.step for step in run.steps] == [0, 1, 2]
    assert run.say(["Note: chest pain."]) == within
    assert not run.model.training
    assert not any("forward" in vars(module) for module in run.model.modules())


def test_the_cache_is_filled_once_for_all_runs(lab: Lab):
    lab.prefix_cache.clear()
    for seed in (0, 1):
        lab.run(dataclasses.replace(LIVE, steps=1, seed=seed), method=UPPER, fast=True).finish()
    assert len(lab.prefix_cache) == 1


def test_a_run_is_trained_once(lab: Lab):
    run = lab.run(dataclasses.replace(LIVE, steps=1), method=UPPER, fast=True).finish()
    with pytest.raises(InputError, match="trained already"):
        run.finish()
