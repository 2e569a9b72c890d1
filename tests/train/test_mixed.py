"""A step is a step in every precision, and precision belongs to a run, not to the process.

Run: pytest tests/train/test_mixed.py
"""

import copy
from itertools import islice
from statistics import fmean
from typing import Any

import pytest
import torch

from ftlab.base.errors import InputError
from ftlab.lab.command import command_of
from ftlab.lab.lab import Lab, open_lab
from ftlab.text.loss import summed_loss
from ftlab.text.train_batches import batch_indices, collate, encode
from ftlab.train.loop import Plan, train
from ftlab.train.mixed import MOST_REPEATS, MixedPrecision
from tests.small import narrow_lab

ITEMS = [{"prompt": f"Note {n}: {'pain ' * (n % 3)}", "answer": f" Code {n}."} for n in range(9)]
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
CLOSE = {"fp32": 1e-6, "bf16": 5e-2, "fp16": 5e-3}


def plan(precision: Any, **more: Any) -> Plan:
    given = {"steps": 4, "batch_size": 4, "lr": 1e-3, "schedule": "cosine", "warmup": 2}
    return Plan(**(given | more), precision=precision)


@pytest.fixture(scope="module")
def lab() -> Lab:
    made = narrow_lab()
    made.fast_sizes = made.sizes
    return made


@pytest.fixture
def tiny_gpt2(tiny_gpt2: Any) -> Any:
    """Four of its blocks."""
    tiny_gpt2.transformer.h = tiny_gpt2.transformer.h[:4]
    tiny_gpt2.config.n_layer = 4
    return tiny_gpt2


@pytest.fixture
def still(tiny_gpt2: Any) -> Any:
    """Without dropout, so that lines by hand can repeat a step."""
    for module in tiny_gpt2.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    return tiny_gpt2


def by_hand(model: Any, tokenizer: Any, asked: Plan, factors: list[float]) -> list[float]:
    """Losses of a loop in torch's words: autocast, AdamW, and in fp16 a fixed scale."""
    examples = encode(ITEMS, tokenizer, loss_on="answer", limit=128)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=asked.lr, weight_decay=0.0, fused=True)
    losses = []
    for number in range(1, asked.steps + 1):
        chosen = batch_indices(len(examples), asked.batch_size, number, asked.seed)
        batch = collate([examples[i] for i in chosen]).on(model.device)
        learned = sum(examples[i].learned for i in chosen)
        half = asked.precision != "fp32"
        with torch.autocast("cpu", dtype=HALF.get(str(asked.precision)), enabled=half):
            loss = summed_loss(model, batch) / learned
        scale = 2**16 if asked.precision == "fp16" else 1
        (loss * scale).backward()
        for p in model.parameters():
            p.grad /= scale
        torch.nn.utils.clip_grad_norm_([*matrices, *others], asked.clip)
        for group in optimizer.param_groups:
            group["lr"] = asked.lr * factors[number - 1]
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_by_hand_and_by_package_are_the_same(precision: str, still: Any, tiny_tokenizer: Any):
    asked = plan(precision)
    ours = list(train(copy.deepcopy(still), tiny_tokenizer, ITEMS, asked))[1:]
    factors = [step.lr / asked.lr for step in ours]
    hand = by_hand(copy.deepcopy(still), tiny_tokenizer, asked, factors)
    assert [step.loss for step in ours] == pytest.approx(hand, rel=1e-6)


def test_three_precisions_in_one_process_one_after_another(still: Any, tiny_tokenizer: Any):
    exact = [s.loss for s in train(copy.deepcopy(still), tiny_tokenizer, ITEMS, plan("fp32"))]
    for precision in ("bf16", "fp16", "fp32"):
        found = list(train(copy.deepcopy(still), tiny_tokenizer, ITEMS, plan(precision)))
        losses = [step.loss for step in found]
        assert losses[1:] == pytest.approx(exact[1:], rel=CLOSE[precision])
        assert (losses == exact) == (precision == "fp32")
    assert not torch.is_autocast_enabled("cpu")


def overflowing(monkeypatch: pytest.MonkeyPatch, start: float) -> None:
    """fp16 starts from a scale that is far too large."""
    made = MixedPrecision.__init__

    def init(self: Any, device: torch.device, precision: str) -> None:
        made(self, device, precision)
        self.scaler = torch.amp.GradScaler(device.type, start, enabled=precision == "fp16")

    monkeypatch.setattr(MixedPrecision, "__init__", init)


def test_an_overflow_repeats_the_batch_and_moves_nothing_on(
    still: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
):
    fits = list(train(copy.deepcopy(still), tiny_tokenizer, ITEMS, plan("fp16")))
    overflowing(monkeypatch, 2.0**30)
    large = list(train(copy.deepcopy(still), tiny_tokenizer, ITEMS, plan("fp16")))
    assert large[1].repeats >= 10 and not any(step.repeats for step in large[2:])
    assert large[1].row()["repeats"] == large[1].repeats and "repeats" not in large[2].row()
    for one, other in zip(fits[1:], large[1:], strict=True):
        assert (one.lr, one.tokens, one.examples) == (other.lr, other.tokens, other.examples)
        assert other.loss == pytest.approx(one.loss, rel=1e-3)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-2)


def test_dropout_is_the_same_when_a_batch_is_repeated(
    tiny_gpt2: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
):
    fits = list(train(copy.deepcopy(tiny_gpt2), tiny_tokenizer, ITEMS, plan("fp16")))
    overflowing(monkeypatch, 2.0**30)
    large = list(train(copy.deepcopy(tiny_gpt2), tiny_tokenizer, ITEMS, plan("fp16")))
    assert [s.loss for s in large[1:]] == pytest.approx([s.loss for s in fits[1:]], rel=1e-3)


def test_a_gradient_that_no_scale_helps_is_refused(still: Any, tiny_tokenizer: Any):
    calls: list[int] = []

    def hopeless(model: Any, _batch: Any) -> torch.Tensor:
        calls.append(1)
        weight = model.lm_head.weight
        return (weight.sum() * 0).sqrt()  # 0, with a gradient that is no number

    before = copy.deepcopy(still.state_dict())
    with pytest.raises(InputError, match="gradient is no longer a number at step 1"):
        list(train(still, tiny_tokenizer, ITEMS, plan("fp16"), penalty=hopeless))
    assert len(calls) == MOST_REPEATS + 1
    assert all(torch.equal(value, before[name]) for name, value in still.state_dict().items())


def test_a_run_goes_on_with_the_scale_it_had(
    still: Any, tiny_tokenizer: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    overflowing(monkeypatch, 2.0**24)
    asked = plan("fp16", checkpoint_every=1)
    whole = list(train(copy.deepcopy(still), tiny_tokenizer, ITEMS, asked))
    for step in train(copy.deepcopy(still), tiny_tokenizer, ITEMS, asked, checkpoint=tmp_path):
        if step.step == 3:
            break
    rest = list(train(copy.deepcopy(still), tiny_tokenizer, ITEMS, asked, checkpoint=tmp_path))
    assert rest == whole[-len(rest) :] and not any(step.repeats for step in rest)


def test_another_precision_is_another_run(still: Any, tiny_tokenizer: Any, tmp_path: Any):
    list(train(copy.deepcopy(still), tiny_tokenizer, ITEMS, plan("fp32"), checkpoint=tmp_path))
    with pytest.raises(InputError, match=r"belongs to another run \(precision was fp32, now bf16"):
        train(copy.deepcopy(still), tiny_tokenizer, ITEMS, plan("bf16"), checkpoint=tmp_path)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("method", ["lora_all", "freeze_low"])
def test_the_short_way_works_in_half_precision(precision: str, method: str, lab: Lab):
    """The rank explorer's way: below the lowest trained block from a cache."""
    asked = Plan(steps=3, batch_size=4, measure_every=0, precision=precision)  # pyright: ignore
    plain = lab.run(asked, method=method).finish()
    fast = lab.run(asked, method=method, fast=True).finish()
    for one, other in zip(plain.steps[1:], fast.steps[1:], strict=True):
        assert other.loss == pytest.approx(one.loss, rel=CLOSE[precision])
    assert fast.precision == precision


def test_a_record_says_its_precision(lab: Lab):
    run = lab.run(Plan(steps=1, batch_size=2, precision="bf16")).finish()
    assert (run.record.precision, run.record.plan["precision"]) == ("bf16", "bf16")
    whole = open_lab("clinic", model="nano-gpt2").run(Plan(steps=1, precision="bf16"))
    assert "--precision bf16" in command_of(whole)


def test_a_precision_that_is_none_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="precision='tf32' is not possible; give one of"):
        plan("tf32")
    monkeypatch.setenv("FTLAB_PRECISION", "half")
    with pytest.raises(InputError, match="FTLAB_PRECISION=half is not known; set it to one of"):
        lab.run(Plan(steps=1)).finish()


def test_half_precision_learns_as_much_as_float32(lab: Lab):
    """The mean loss of the last steps, over two seeds on the same batches."""
    found: dict[str, list[float]] = {}
    for precision in CLOSE:
        for seed in range(2):
            asked = plan(precision, steps=15, lr=3e-3, seed=seed, schedule="constant", warmup=0)
            steps = list(islice(lab.run(asked, method="full", fast=True), asked.steps))  # one less
            found.setdefault(precision, []).append(fmean(s.loss for s in steps[-5:]))  # pyright: ignore
    for precision in HALF:  # 0.1 % apart; with 0.8 of the rate, 11 %
        assert fmean(found[precision]) == pytest.approx(fmean(found["fp32"]), rel=0.01), found
