"""The loop: the right loss, the same numbers every time, and a usable model whatever happens."""

import copy
import math
import subprocess
import sys
from typing import Any

import pytest
import torch

from ftlab.base.errors import InputError, OutOfMemory
from ftlab.datasets.load import load_domain
from ftlab.methods.full_tuning import full
from ftlab.models.loading import load
from ftlab.text.loss import summed_loss
from ftlab.text.train_batches import collate, encode
from ftlab.train.loop import Plan, train

ITEMS = [
    {"id": f"item-{n}", "prompt": f"Note: {'chest pain ' * (n % 4)}{n}.", "answer": f" Code {n}."}
    for n in range(11)
]
PLAN = Plan(steps=7, batch_size=4, lr=1e-3, measure_every=3)


def run(model, tokenizer, plan=PLAN, **more):
    """All steps of a run on a copy of the model, and the copy."""
    model = copy.deepcopy(model)
    return list(train(model, tokenizer, ITEMS, plan, **more)), model


def weights(model) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


# --- the loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss_on", ["answer", "text"])
def test_loss_is_the_models_own(tiny_gpt2, tiny_tokenizer, loss_on):
    batch = collate(encode(ITEMS, tiny_tokenizer, loss_on=loss_on, limit=128))
    assert (batch.mask == 0).any(), "needs padding"
    with torch.no_grad():
        ours = summed_loss(tiny_gpt2, batch) / (batch.labels != -100).sum()
        theirs = tiny_gpt2(batch.ids, attention_mask=batch.mask, labels=batch.labels).loss
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)


def test_padding_moves_no_number(tiny_gpt2, tiny_tokenizer):
    short, long = encode([ITEMS[0], ITEMS[3]], tiny_tokenizer, loss_on="text", limit=128)
    with torch.no_grad():
        alone = summed_loss(tiny_gpt2, collate([short])) + summed_loss(tiny_gpt2, collate([long]))
        together = summed_loss(tiny_gpt2, collate([short, long]))
    assert together.item() == pytest.approx(alone.item(), rel=1e-5)


def test_one_step_is_adamw(tiny_gpt2, tiny_tokenizer):
    """Our step against one written out with torch alone, dropout off."""
    tiny_gpt2.config.resid_pdrop = tiny_gpt2.config.embd_pdrop = 0
    for module in tiny_gpt2.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    theirs = copy.deepcopy(tiny_gpt2)
    steps, ours = run(tiny_gpt2, tiny_tokenizer, Plan(steps=1, batch_size=len(ITEMS), clip=0.5))

    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-3, weight_decay=0)
    batch = collate(encode(ITEMS, tiny_tokenizer, loss_on="answer", limit=128))
    loss = theirs(batch.ids, attention_mask=batch.mask, labels=batch.labels).loss
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
    optimizer.step()

    assert steps[1].loss == pytest.approx(loss.item(), rel=1e-5)
    assert steps[1].grad_norm == pytest.approx(norm.item(), rel=1e-4) and norm > 0.5
    expected = weights(theirs)
    assert max((p - expected[name]).abs().max() for name, p in weights(ours).items()) < 1e-5


def test_weight_decay_spares_norms_and_biases(tiny_gpt2, tiny_tokenizer):
    plans = [Plan(steps=1, batch_size=4, weight_decay=decay) for decay in (0.0, 0.5)]
    without, with_decay = (weights(run(tiny_gpt2, tiny_tokenizer, plan)[1]) for plan in plans)
    differ = {name for name in without if not torch.equal(without[name], with_decay[name])}
    assert differ == {name for name, p in without.items() if p.ndim > 1}


# --- the stream -----------------------------------------------------------------------------------


def test_one_record_a_step(tiny_gpt2, tiny_tokenizer):
    begin = weights(tiny_gpt2)
    seen = []

    def measure(model):
        assert not model.training
        seen.append(weights(model))
        return {"target_score": 0.1, "loss": math.nan, "skills": {"facts": torch.tensor(0.5)}}

    steps, model = run(tiny_gpt2, tiny_tokenizer, measure=measure)
    assert [step.step for step in steps] == list(range(8))
    assert [step.step for step in steps if step.measured] == [0, 3, 6, 7]
    first, last = steps[0], steps[-1]
    assert (first.loss, first.grad_norm, first.lr, first.tokens) == (None, None, 0.0, 0)
    assert first.measured == {"target_score": 0.1, "loss": None, "skills": {"facts": 0.5}}
    assert same(seen[0], begin), "step 0 is the model before training"
    assert same(seen[-1], weights(model)), "the last step is measured after its update"

    lengths = [len(e.ids) for e in encode(ITEMS, tiny_tokenizer, loss_on="answer", limit=128)]
    assert last.examples == 28 and 2 * sum(lengths) < last.tokens < 3 * sum(lengths)  # 2.5 epochs
    seconds = [step.seconds for step in steps]
    assert seconds == sorted(set(seconds)), "time must go on"
    assert steps[1].loss and last.loss and last.loss < steps[1].loss


def test_learning_rate_follows_the_plan(tiny_gpt2, tiny_tokenizer):
    plan = Plan(steps=6, batch_size=2, lr=2e-3, schedule="linear", warmup=2)
    steps, _ = run(tiny_gpt2, tiny_tokenizer, plan)
    assert [step.lr for step in steps] == pytest.approx([0, 0, 1e-3, 2e-3, 1.5e-3, 1e-3, 0.5e-3])


def test_groups_have_their_own_peaks(tiny_gpt2, tiny_tokenizer):
    model = copy.deepcopy(tiny_gpt2)
    embedding, block = model.transformer.wte.weight, model.transformer.h[3].mlp.c_fc.weight
    before = weights(model)
    groups = [{"params": [embedding], "lr": 1e-5}, {"params": [block]}]
    plan = Plan(steps=1, batch_size=4, lr=1e-2, clip=0)
    list(train(model, tokenizer=tiny_tokenizer, data=ITEMS, plan=plan, groups=groups))
    after = weights(model)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"transformer.wte.weight", "transformer.h.3.mlp.c_fc.weight"}
    for name, lr in (("transformer.wte.weight", 1e-5), ("transformer.h.3.mlp.c_fc.weight", 1e-2)):
        assert (after[name] - before[name]).abs().max() == pytest.approx(lr, rel=0.01)


def test_target_score_ends_the_run(tiny_gpt2, tiny_tokenizer):
    scores = iter([0.0, 0.4, 0.8, 1.0])
    plan = Plan(steps=20, batch_size=2, measure_every=2, stop_at=0.75)
    steps, _ = run(
        tiny_gpt2, tiny_tokenizer, plan, measure=lambda m: {"target_score": next(scores)}
    )
    assert steps[-1].step == 4 and steps[-1].measured == {"target_score": 0.8}


# --- the same numbers -----------------------------------------------------------------------------


def test_same_seed_is_bit_equal(tiny_gpt2, tiny_tokenizer):
    first, one = run(tiny_gpt2, tiny_tokenizer)
    torch.manual_seed(99)
    second, two = run(tiny_gpt2, tiny_tokenizer)
    assert first == second and same(weights(one), weights(two))
    other, _ = run(tiny_gpt2, tiny_tokenizer, Plan(**{**vars(PLAN), "seed": 1}))
    assert other[1].loss != first[1].loss


def test_measuring_moves_no_number(tiny_gpt2, tiny_tokenizer):
    def measure(model):
        model.train()
        return {"draw": model(torch.tensor([[1, 2]])).logits.sum().item() + torch.rand(()).item()}

    never, _ = run(tiny_gpt2, tiny_tokenizer)
    often, _ = run(
        tiny_gpt2, tiny_tokenizer, Plan(**{**vars(PLAN), "measure_every": 1}), measure=measure
    )
    assert [step.loss for step in never] == [step.loss for step in often]


def test_callers_random_state_is_left_alone(tiny_gpt2, tiny_tokenizer):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(tiny_gpt2, tiny_tokenizer)
    assert torch.equal(torch.rand(3), expected)


def test_dropout_is_at_work(tiny_gpt2, tiny_tokenizer):
    """One item, one batch: without dropout the first loss would be that of eval mode."""
    plan = Plan(steps=1, batch_size=1)
    model = copy.deepcopy(tiny_gpt2)
    steps = list(train(model, tiny_tokenizer, ITEMS[:1], plan))
    batch = collate(encode(ITEMS[:1], tiny_tokenizer, loss_on="answer", limit=128))
    with torch.no_grad():
        still = summed_loss(tiny_gpt2, batch) / (batch.labels != -100).sum()
    assert steps[1].loss != pytest.approx(still.item(), rel=1e-6)


def test_dropout_is_drawn_anew_by_step_and_by_seed(tiny_gpt2, tiny_tokenizer):
    """One item and a rate of almost nothing, so that the losses differ by dropout alone."""

    def losses(seed):
        plan = Plan(steps=3, batch_size=1, lr=1e-30, seed=seed, measure_every=0)
        return [s.loss for s in train(tiny_gpt2, tiny_tokenizer, ITEMS[:1], plan)][1:]

    one, other = losses(0), losses(1)
    assert one == losses(0)
    assert len({*one, *other}) == 6


# --- a usable model -------------------------------------------------------------------------------


def assert_usable(model, marks):
    assert not model.training and all(p.grad is None for p in model.parameters())
    assert vars(model).keys() == marks, "something was left on the model"
    assert torch.isfinite(model(torch.tensor([[1, 2, 3]])).logits).all()


def test_stopping_leaves_a_usable_model(tiny_gpt2, tiny_tokenizer):
    model, marks = copy.deepcopy(tiny_gpt2), vars(tiny_gpt2).keys()
    for step in train(model, tiny_tokenizer, ITEMS, PLAN):
        assert not model.training and all(p.grad is None for p in model.parameters())
        if step.step == 3:
            break
    assert_usable(model, marks)
    full_run, _ = run(tiny_gpt2, tiny_tokenizer)
    part, twin = run(tiny_gpt2, tiny_tokenizer, Plan(**{**vars(PLAN), "steps": 3}))
    assert part == full_run[:4] and same(weights(model), weights(twin))


@pytest.mark.parametrize("where", ["measure", "step"])
def test_interrupt_leaves_a_usable_model(tiny_gpt2, tiny_tokenizer, where, monkeypatch):
    model, marks = copy.deepcopy(tiny_gpt2), vars(tiny_gpt2).keys()
    calls = []

    def interrupt(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return {"target_score": 0} if where == "measure" else summed_loss(*args)

    if where == "step":
        monkeypatch.setattr("ftlab.train.engine.summed_loss", interrupt)
    measure = interrupt if where == "measure" else None
    with pytest.raises(KeyboardInterrupt):
        list(train(model, tiny_tokenizer, ITEMS, PLAN, measure=measure))
    assert_usable(model, marks)
    assert len(list(train(model, tiny_tokenizer, ITEMS, Plan(steps=1, batch_size=2)))) == 2


def test_divergence_is_told_with_step_and_rate(tiny_gpt2, tiny_tokenizer):
    steps = []
    with pytest.raises(InputError, match=r"no longer a number at step \d.*learning rate 1e\+30"):
        for step in train(tiny_gpt2, tiny_tokenizer, ITEMS, Plan(steps=9, batch_size=2, lr=1e30)):
            steps.append(step)
    assert [step.step for step in steps] == list(range(len(steps))) and len(steps) >= 2
    assert not tiny_gpt2.training


@pytest.mark.parametrize("measure_every", [0, 1])
def test_divergence_is_told_on_the_last_step_too(tiny_gpt2, tiny_tokenizer, measure_every):
    asked, plan = [], Plan(steps=1, batch_size=2, lr=1e30, measure_every=measure_every)
    stream = train(tiny_gpt2, tiny_tokenizer, ITEMS, plan, measure=lambda m: {"n": asked.append(m)})
    with pytest.raises(InputError, match="loss is no longer a number at step 1"):
        list(stream)
    assert len(asked) == 1 and not tiny_gpt2.training, "measured before training, then never"


def test_a_loss_that_is_measured_must_be_a_number(tiny_gpt2, tiny_tokenizer):
    losses = iter([2.0, math.nan])

    def measure(model):
        return {"general_loss": next(losses), "retention": None}

    with pytest.raises(InputError, match=r"general_loss \(at step 3, .* is no number"):
        run(tiny_gpt2, tiny_tokenizer, measure=measure)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lr": 0}, "lr=0 is not possible; give a number above 0"),
        ({"lr": -1e-3}, "lr=-0.001"),
        ({"lr": math.nan}, "lr=nan"),
        ({"lr": "1e-3"}, "lr='1e-3'"),
        ({"steps": 0}, "steps=0 is not possible; give a whole number from 1 up"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"warmup": 101}, "warmup=101 is longer than the run of steps=100"),
        (
            {"schedule": "step"},
            "schedule='step' is not possible; give one of constant, cosine, linear",
        ),
        ({"loss_on": "prompt"}, "loss_on='prompt' is not possible; give one of answer, text"),
        ({"clip": -1}, "clip=-1"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1"),
        ({"stop_at": 0}, "stop_at=0"),
        ({"stop_at": 90}, "stop_at=90 is a share"),
        ({"seed": -1}, "seed=-1"),
        ({"max_tokens": 1}, "max_tokens=1"),
    ],
)
def test_contradictory_plans_are_told(settings, said):
    with pytest.raises(InputError, match=said):
        Plan(**settings)


def test_what_does_not_fit_is_told_at_once(tiny_gpt2, tiny_tokenizer):
    def refused(said, *, model=tiny_gpt2, data=ITEMS, plan=PLAN, **more):
        with pytest.raises(InputError, match=said):
            train(model, tiny_tokenizer, data, plan, **more)  # nothing is drawn from the stream

    refused("no items", data=[])
    refused("128 are allowed", data=[{"prompt": "x" * 300, "answer": " y"}])
    long = {"prompt": "x" * 300, "answer": " y"}  # the model reads 128, whatever the plan says
    refused("128 are allowed", data=[long], plan=Plan(max_tokens=1000))
    refused("needs to know the target score", plan=Plan(stop_at=0.9))
    refused("not the model's", groups=[{"params": [torch.nn.Parameter(torch.zeros(2))]}])
    twice = {"params": [tiny_gpt2.lm_head.weight]}
    refused("given twice", groups=[twice, twice])
    refused("float16", model=copy.deepcopy(tiny_gpt2).half())
    refused(
        "Nothing in the model is trainable", model=copy.deepcopy(tiny_gpt2).requires_grad_(False)
    )
    small = copy.deepcopy(tiny_gpt2)
    small.resize_token_embeddings(100)
    refused(r"gives token \d+ and the model knows 100", model=small)


def test_stop_at_needs_a_target_score(tiny_gpt2, tiny_tokenizer):
    with pytest.raises(InputError, match="'target_score'; this one gives retention"):
        run(tiny_gpt2, tiny_tokenizer, Plan(stop_at=0.9), measure=lambda m: {"retention": 1.0})


# --- the rest -------------------------------------------------------------------------------------


def test_full_lets_everything_move(tiny_gpt2):
    tiny_gpt2.requires_grad_(False)
    summary = full(tiny_gpt2)
    total = sum(p.numel() for p in tiny_gpt2.parameters())
    assert all(p.requires_grad for p in tiny_gpt2.parameters())
    assert (summary.trainable, summary.total, summary.share) == (total, total, 1.0)
    assert str(summary) == f"full: {total:,} of {total:,} parameters are trained (100 %)"


def test_import_is_light():
    code = (
        "import sys, ftlab.train.loop, ftlab.methods.full_tuning\n"
        "heavy = {'datasets', 'peft', 'transformers', 'bitsandbytes'} & sys.modules.keys()\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_between_steps_the_model_speaks_in_its_own_precision(
    tiny_gpt2, tiny_tokenizer, monkeypatch
):
    """Under autocast a model that has not moved would seem to have forgotten."""
    monkeypatch.setenv("FTLAB_PRECISION", "bf16")
    ids = torch.arange(12)[None]
    before = tiny_gpt2(ids).logits
    rows = [{"prompt": "a", "answer": " b"}, {"prompt": "c", "answer": " d"}]
    heard = []

    def measure(model):
        heard.append(model(ids).logits)
        return {"target_score": 0.0}

    plan = Plan(steps=2, batch_size=2, lr=1e-9, measure_every=1)
    list(train(tiny_gpt2, tiny_tokenizer, rows, plan, measure=measure))
    assert torch.equal(heard[0], before)
    assert all(torch.allclose(logits, before, atol=1e-5) for logits in heard[1:])


def test_a_full_card_gets_a_table_and_one_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    bundle = load()
    items = [dict(row) for row in load_domain("clinic").train][:20]
    steps = train(bundle.model, bundle.tokenizer, items, Plan(steps=3))
    next(steps)
    monkeypatch.setattr("ftlab.train.engine.Engine.step", full)
    monkeypatch.setattr("ftlab.train.loop.room", lambda device: 60 * 10**6)
    with pytest.raises(OutOfMemory) as told:
        next(steps)
    words = str(told.value)
    assert "activations" in words and "optimiser states" in words
    assert "One change makes it fit: gradient_checkpointing=True" in words
    assert told.value._render_traceback_() == words.splitlines()
    assert not bundle.model.training
