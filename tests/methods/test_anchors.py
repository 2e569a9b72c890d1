"""Anchors: each term and its gradient by hand, the Fisher information against autograd by item.

pytest tests/methods/test_anchors.py
"""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import kl_div, log_softmax

import ftlab
from ftlab.base.errors import InputError
from ftlab.methods import DFT, EWC, IA3, KL, L2SP, Bottleneck, Freeze, LoRA, Prefix, full, prune
from ftlab.methods.anchors import fisher
from ftlab.text.train_batches import collate, encode

ITEMS = [{"prompt": f"Note {n}: {'pain ' * (n % 3)}", "answer": f" Code {n}."} for n in range(9)]
ALL = LoRA({"1-12": 2}, targets=("q", "k", "v", "o", "ff"))


@pytest.fixture
def bench(tiny_gpt2: Any, tiny_tokenizer: Any) -> Any:
    """What an anchor asks of a lab: its base, texts to read, texts that the model wrote."""
    return SimpleNamespace(
        tokenizer=tiny_tokenizer,
        evaluator=SimpleNamespace(base=copy.deepcopy(tiny_gpt2)),
        replay_rows=lambda count: ITEMS[:6],
        own_items=lambda count, model: ITEMS[: min(count, 5)],
    )


def batch_of(tokenizer: Any, rows: Any = None) -> Any:
    return collate(encode(rows or ITEMS[:3], tokenizer, loss_on="answer", limit=128))


def applied(method: Any, *given: Any) -> Any:
    """What a method makes of a model."""
    return method(*given)


def shaken(prepared: Any, seed: int = 0) -> dict[str, torch.Tensor]:
    """Move what is trained; the weights of the base as they were, by name."""
    torch.manual_seed(seed)
    before = {n: p.detach().clone() for n, p in prepared.model.named_parameters()}
    with torch.no_grad():
        for p in prepared.model.parameters():
            if p.requires_grad:
                p.add_(0.05 * torch.randn_like(p))
    return before


def test_l2sp_is_half_the_squared_distance_and_pulls_back(tiny_gpt2, tiny_tokenizer) -> None:
    """d/dp of s/2 |p - start|^2 is s (p - start), of every trained weight and no other."""
    made = applied(L2SP(0.3, Freeze()), copy.deepcopy(tiny_gpt2))
    before = shaken(made)
    value = made.penalty(made.model, batch_of(tiny_tokenizer))
    value.backward()
    total = 0.0
    for name, p in made.model.named_parameters():
        apart = p.detach() - before[name]
        total += float(apart.double().square().sum())
        assert (p.grad is None) == (not p.requires_grad)
        if p.grad is not None:
            torch.testing.assert_close(p.grad, 0.3 * apart)
    assert value.detach().item() == pytest.approx(0.15 * total, rel=1e-5)


def test_of_a_lora_the_change_is_its_product(tiny_gpt2, tiny_tokenizer) -> None:
    made = applied(L2SP(1.0, ALL), copy.deepcopy(tiny_gpt2))
    assert (
        made.penalty(made.model, batch_of(tiny_tokenizer)).detach().item() == 0.0
    )  # B begins at 0
    shaken(made)
    merged = copy.deepcopy(made.model).merge_and_unload()
    base = dict(tiny_gpt2.named_parameters())
    apart = 0.0
    for name, p in merged.named_parameters():
        if name in base:
            apart += (p - base[name]).double().square().sum().detach().item()
        else:  # the attention was split into q, k and v
            assert ".attn." in name
    split = sum(
        (layer.scaling["default"] * layer.lora_B["default"].weight
         @ layer.lora_A["default"].weight).square().sum().detach().item()
        for layer in made.model.modules() if hasattr(layer, "lora_A")
    )  # fmt: skip
    value = made.penalty(made.model, batch_of(tiny_tokenizer)).detach().item()
    assert value == pytest.approx(split / 2, rel=1e-4)
    assert value >= apart / 2 * (1 - 1e-4)


def test_the_fisher_information_is_of_each_item(tiny_gpt2, tiny_tokenizer) -> None:
    """Against autograd by item with transformers' own loss; a batch's mean gives another number."""
    model = copy.deepcopy(tiny_gpt2)
    texts = encode(ITEMS, tiny_tokenizer, loss_on="answer", limit=128)
    weights = dict(model.named_parameters())
    found = fisher(model, weights, texts)
    by_hand = {name: torch.zeros_like(p) for name, p in weights.items()}
    for text in texts:
        model.zero_grad()
        labels = [*[-100] * text.learn_from, *text.ids[text.learn_from :]]
        loss = model(torch.tensor([text.ids]), labels=torch.tensor([labels])).loss * text.learned
        loss.backward()
        for name, p in weights.items():
            by_hand[name] += p.grad.square() / len(texts)
    for name, value in found.items():
        torch.testing.assert_close(value, by_hand[name], rtol=1e-3, atol=1e-7)
    model.zero_grad()
    summed: Any = sum(
        model(torch.tensor([t.ids]), labels=torch.tensor(
            [[*[-100] * t.learn_from, *t.ids[t.learn_from :]]])).loss * t.learned
        for t in texts
    )  # fmt: skip
    (summed / len(texts)).backward()
    of_mean = sum(float(p.grad.square().sum()) for p in weights.values())
    assert sum(float(v.sum()) for v in found.values()) > 1.2 * of_mean


def test_the_fisher_information_leaves_the_model_as_it_was(tiny_gpt2, tiny_tokenizer) -> None:
    made = ALL(copy.deepcopy(tiny_gpt2))
    moving = [p.requires_grad for p in made.model.parameters()]
    layers = {n: m.base_layer.weight for n, m in made.model.named_modules() if hasattr(m, "lora_A")}
    found = fisher(
        made.model, layers, encode(ITEMS[:2], tiny_tokenizer, loss_on="answer", limit=99)
    )
    assert [p.requires_grad for p in made.model.parameters()] == moving
    assert all(p.grad is None for p in made.model.parameters())
    assert all(value.shape == layers[name].shape and value.any() for name, value in found.items())


def test_ewc_weighs_each_change_with_it(tiny_gpt2, tiny_tokenizer, bench) -> None:
    made = applied(EWC(2.0, items=4), copy.deepcopy(tiny_gpt2), bench)
    model = copy.deepcopy(tiny_gpt2)
    texts = encode(ITEMS[:4], tiny_tokenizer, loss_on="answer", limit=128)
    weights = fisher(model, dict(model.named_parameters()), texts)
    before = shaken(made)
    value = made.penalty(made.model, batch_of(tiny_tokenizer))
    value.backward()
    total = 0.0
    for name, p in made.model.named_parameters():
        torch.testing.assert_close(
            p.grad, 2.0 * weights[name] * (p.detach() - before[name]), rtol=1e-4, atol=1e-8
        )
        total += float((weights[name] * (p.detach() - before[name]).square()).double().sum())
    assert value.detach().item() == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("on", ["general", "notes"])
def test_kl_is_that_of_the_predictions(tiny_gpt2, tiny_tokenizer, bench, on) -> None:
    made = applied(KL(0.5, on=on), copy.deepcopy(tiny_gpt2), bench)
    batch = batch_of(tiny_tokenizer)
    assert made.penalty(made.model, batch).detach().item() == pytest.approx(0, abs=1e-6)
    shaken(made)
    read = batch if on == "notes" else made.penalty._some(batch)
    with torch.no_grad():
        old, new = (
            log_softmax(m(read.ids, attention_mask=read.mask).logits[:, :-1], -1)
            for m in (tiny_gpt2, made.model)
        )
    learned = read.labels[:, 1:] != -100
    by_hand = kl_div(new[learned], old[learned], reduction="none", log_target=True).sum(-1).mean()
    value = made.penalty(made.model, batch).detach().item()
    assert value == pytest.approx(by_hand.item() / 2, rel=1e-4) and value > 0


def test_general_texts_follow_from_the_batch(tiny_gpt2, tiny_tokenizer, bench) -> None:
    """So a run that goes on after a stop reads what it would have read."""
    first, again = (applied(KL(), copy.deepcopy(tiny_gpt2), bench).penalty for _ in range(2))
    one, two = batch_of(tiny_tokenizer), batch_of(tiny_tokenizer, ITEMS[4:8])
    assert torch.equal(first._some(one).ids, again._some(one).ids)
    assert first._some(one).ids.tolist() != first._some(two).ids.tolist()


def test_anchors_add_up(tiny_gpt2, tiny_tokenizer, bench) -> None:
    """One around another: both terms count, and what weighs the tokens stays."""
    both = applied(KL(0.5, L2SP(0.3, DFT())), copy.deepcopy(tiny_gpt2), bench)
    shaken(both)
    alone = applied(KL(0.5), both.model, bench), applied(L2SP(0.3), copy.deepcopy(tiny_gpt2))
    alone[1].model.load_state_dict(both.model.state_dict())
    batch = batch_of(tiny_tokenizer)
    terms = [one.penalty(one.model, batch).detach().item() for one in (*alone, both)]
    assert terms[2] == pytest.approx(terms[0] + terms[1], rel=1e-5) and min(terms[:2]) > 0
    assert both.weigh is not None


def test_what_reads_text_goes_outside() -> None:
    with pytest.raises(InputError, match="EWC reads text, so it goes around l2sp"):
        L2SP(1.0, EWC(1.0))
    with pytest.raises(InputError, match="KL reads text, so it goes around masked"):
        prune.Masked(KL(1.0))  # pyright: ignore
    assert KL(1.0, EWC(1.0)).name == "kl ewc"


@pytest.mark.parametrize("method", [Prefix(4), IA3(), Bottleneck(4)])
def test_what_trains_no_weights_cannot_be_held_by_them(tiny_gpt2, method) -> None:
    with pytest.raises(InputError, match="none of the model's weights"):
        L2SP(1.0, method)(copy.deepcopy(tiny_gpt2))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: L2SP(-1.0), "strength=-1"),
        (lambda: EWC(1.0, LoRA), "with its brackets"),  # pyright: ignore
        (lambda: KL(1.0, on="answers"), "on='answers'"),  # pyright: ignore
    ],
)
def test_slips_are_named(make, says) -> None:
    with pytest.raises(InputError, match=says):
        make()


def test_names_follow_from_the_fields() -> None:
    assert [EWC().name, KL(on="notes").name, L2SP(1.0, LoRA()).name, L2SP(1.0, full).name] == [
        "ewc", "kl_notes", "l2sp lora_qv", "l2sp full",
    ]  # fmt: skip


@pytest.mark.parametrize("method", [L2SP(0.1, ALL), EWC(100.0, items=8), KL(), KL(on="notes")])
def test_a_lab_trains_under_an_anchor(lab, method) -> None:
    """Less of it changes than without; with replay beside it, and the fast way as well."""
    plan = ftlab.Plan(steps=3, lr=1e-3, measure_every=0, batch_size=4)
    held = lab.run(plan, method=method, replay=0.25, store=False).finish()
    assert held.steps[-1].penalty > 0
    assert held.record.extra["method"]["strength"] == method.strength
    fast = lab.run(plan, method=method, replay=0.25, store=False, fast=True).finish()
    assert fast.steps[-1].penalty == pytest.approx(held.steps[-1].penalty, rel=1e-3)
    free = lab.run(plan, method=method.method, replay=0.25, store=False).finish()
    assert [s.loss for s in held.steps[2:]] != [s.loss for s in free.steps[2:]]


def test_a_stronger_anchor_holds_nearer(lab) -> None:
    plan, base = ftlab.Plan(steps=5, lr=1e-3, measure_every=0, batch_size=4), lab.bundle.model
    start = {n: p.detach() for n, p in base.named_parameters()}

    def moved(strength: float) -> float:
        model = (
            lab.run(plan, method=L2SP(strength), store=False).finish().model.requires_grad_(False)
        )
        return sum((p - start[n]).square().sum().item() for n, p in model.named_parameters())

    assert moved(100.0) < 0.9 * moved(0.0)
