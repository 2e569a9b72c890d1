"""The evaluator on a tiny base that has something to lose, before and after damage.

Run: pytest tests/evaluate/test_evaluator.py
"""

import copy
import json

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from probes_at_hand import WORDS, cloze_probes, moved

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain, Probe, Suite
from ftlab.evaluate import evaluator as module
from ftlab.evaluate.drift import kl_to_base
from ftlab.evaluate.evaluator import Evaluator, draw_items
from ftlab.evaluate.intervals import bootstrap_mean, wilson
from ftlab.evaluate.likelihood import DocumentLoss
from ftlab.evaluate.measures import Measures, detailed
from ftlab.evaluate.skills import SkillScore
from ftlab.evaluate.target import TargetScore
from ftlab.evaluate.teacher_forced import TeacherForced

# peft 0.21 asks transformers 5.23 for `is_gradient_checkpointing`, which warns that it goes in v6.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
KEYS = set(
    "target_score seen_score held_score target_chrf target_loss general_loss skills retention "
    "least_retained learned forgotten kept".split()
)


def items(n):
    return Dataset.from_list(
        [
            {"id": str(i), "prompt": f"Note: {word}.", "answer": f" {word}", "held": i % 4 == 0}
            for i, word in enumerate((WORDS * n)[:n])
        ]
    )


@pytest.fixture
def domain():
    return Domain("notes", items(4), items(20), items(24))


@pytest.fixture
def base(tiny_gpt2):
    """Two blocks do here, and are six times as fast."""
    tiny_gpt2.transformer.h = tiny_gpt2.transformer.h[:2]
    tiny_gpt2.config.n_layer = 2
    return tiny_gpt2


@pytest.fixture
def suite(base, tiny_tokenizer):
    """Two skills: one the random base is perfect in by construction, one it guesses."""
    known = tuple(cloze_probes(base, tiny_tokenizer, WORDS, right=True))
    pairs = [(f"The {a} runs.", f"The {a} run.") for a in WORDS]
    guessed = [
        Probe(f"g{i}", "grammar", "pair", "", pair, label)
        for i, pair in enumerate(pairs)
        for label in (0, 1)  # each once either way: one half is right, whatever the model
    ]
    documents = tuple(
        f"The {a} of the {b} is near." for a, b in zip(WORDS, WORDS[::-1], strict=True)
    )
    return Suite("tiny", (*known, *guessed), documents)


@pytest.fixture
def evaluator(tiny_tokenizer, domain, suite, base):
    return Evaluator(tiny_tokenizer, domain, suite, base, target_items=8, per_skill=4, documents=3)


def test_before_training_nothing_is_forgotten(evaluator, base):
    for measured in (evaluator.baseline, evaluator.baseline_full):
        assert measured["learned"] == measured["forgotten"] == 0
        assert measured["retention"] == 1
    assert set(evaluator.baseline) == KEYS
    assert evaluator(base) == evaluator.baseline
    assert evaluator.full(base) == evaluator.baseline_full
    assert evaluator.baseline_full["kl_target"] == evaluator.baseline_full["kl_general"] == 0


def test_a_fresh_lora_has_forgotten_nothing(evaluator, base):
    config = LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True, lora_dropout=0.5)
    assert evaluator(get_peft_model(base, config).train()) == evaluator.baseline


def test_a_model_is_measured_with_its_adapter_on(evaluator, base):
    """With what it adds merged into the weights it is the same model: so are all its numbers."""
    config = LoraConfig(r=4, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)
    tuned = get_peft_model(copy.deepcopy(base), config)
    torch.manual_seed(1)
    for name, p in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.5)
    merged = copy.deepcopy(tuned).merge_and_unload()
    teacher_forced = TeacherForced(evaluator)
    for measure in (evaluator, evaluator.full, teacher_forced):
        on, same = measure(tuned), measure(merged)
        for key in ("skills", "kept", "retention", "general_loss", "target_loss", "forgotten"):
            assert on[key] == pytest.approx(same[key], abs=1e-4), key
        assert on["retention"] < 1 and on["skills"] != evaluator.baseline["skills"]
        assert on["general_loss"] != pytest.approx(evaluator.baseline["general_loss"], rel=1e-3)


def test_the_base_is_measured_once_and_never_after_training(evaluator, base, monkeypatch):
    """Quickly once and fully once, however many models are held against it."""
    asked, real = [], module._measure

    def spy(model, *more):
        asked.append(model)
        return real(model, *more)

    monkeypatch.setattr(module, "_measure", spy)
    before, full = evaluator.baseline, evaluator.baseline_full
    for _ in range(2):
        evaluator(moved(base))
        evaluator.full(moved(base))
    assert sum(model is evaluator.base for model in asked) == 2 and len(asked) == 6
    with torch.no_grad():
        for p in (*base.parameters(), *evaluator.base.parameters()):
            p.mul_(1.5)  # even of a base that was spoiled meanwhile
    now = evaluator(base)
    assert (evaluator.baseline, evaluator.baseline_full) == (before, full)
    assert now["forgotten"] == pytest.approx(now["general_loss"] - before["general_loss"])
    assert now["learned"] == pytest.approx(before["target_loss"] - now["target_loss"])


def test_damage_is_seen(evaluator, base):
    quick, full = evaluator(moved(base)), evaluator.full(moved(base))
    for measured in (quick, full):
        assert measured["retention"] < 1
        assert measured["forgotten"] != 0
        assert measured["learned"] != 0
    rise = quick["general_loss"] - evaluator.baseline["general_loss"]
    fall = evaluator.baseline_full["target_loss"] - full["target_loss"]
    assert quick["forgotten"] == pytest.approx(rise)
    assert full["learned"] == pytest.approx(fall)
    assert full["kl_target"] > 0
    assert full["kl_general"] > 0


def test_training_in_place_does_not_move_the_base(evaluator, base):
    """Nor does wrapping: the evaluator has a copy, though nothing was measured before."""
    with torch.no_grad():
        base.transformer.wte.weight.mul_(3)
    assert evaluator(base)["forgotten"] != 0
    assert evaluator.baseline["forgotten"] == 0
    assert evaluator.full(base)["kl_general"] > 0


def test_full_says_how_sure_it_is(evaluator, domain, suite, base):
    full = evaluator.full(moved(base))
    assert set(full) == KEYS | {
        "bits_per_byte", "kl_target", "kl_general", "chance", "left_out", "n", "intervals"
    }  # fmt: skip
    assert full["n"]["target"] == len(domain.test)
    assert full["n"]["held"] == 6
    assert full["n"]["documents"] == len(suite.documents)
    assert sum(full["n"]["skills"].values()) == len(suite.probes)
    assert full["kept"]["grammar"] is None
    assert "grammar" in full["left_out"]
    assert full["retention"] == full["least_retained"] == min(1.0, full["kept"]["facts"])
    for name in ("target_score", "held_score", "seen_score", "general_loss"):
        low, high = full["intervals"][name]
        assert low <= full[name] <= high
    for name, (low, high) in full["intervals"]["skills"].items():
        assert low <= full["skills"][name] <= high


def test_each_interval_is_of_what_it_is_named_after():
    correct, held = (True,) * 6 + (False,) * 4, (False,) * 5 + (True,) * 5
    losses, lengths = (1.0, 4.0, 2.5, 3.0, 1.5), (90, 10, 40, 20, 60)
    known = SkillScore("facts", 0.75, 0.0, 4, (True, True, True, False))
    other = SkillScore("grammar", 0.5, 0.5, 2, (True, False))
    now = Measures(
        TargetScore(correct, held, loss=1.0),
        DocumentLoss(1.68, 1.0, losses, lengths),
        {"facts": known, "grammar": other},
    )
    found = detailed(now, now)["intervals"]
    expected = {
        "target_score": wilson(6, 10),
        "seen_score": wilson(5, 5),
        "held_score": wilson(1, 5),
        "general_loss": bootstrap_mean(losses, lengths),
    }
    skills = {"facts": wilson(3, 4), "grammar": wilson(1, 2)}
    assert found.pop("skills") == {name: [one.low, one.high] for name, one in skills.items()}
    assert found == {name: [one.low, one.high] for name, one in expected.items()}


def test_the_checksum_follows_every_question(tiny_tokenizer, domain, suite, base):
    """It decides whether a stored run is found again."""
    sizes = {"target_items": 8, "per_skill": 4, "documents": 3}

    def checksum(domain=domain, suite=suite, **more):
        return Evaluator(tiny_tokenizer, domain, suite, base, **sizes, **more).checksum()

    test = Dataset.from_list([*list(domain.test)[:-1], {**domain.test[-1], "answer": " other"}])
    first = Dataset.from_list([{**row, "id": f"v{row['id']}"} for row in domain.validation])
    known, *more = suite.probes
    renamed = Probe("other", *(getattr(known, n) for n in "skill form query choices label".split()))
    others = [
        checksum(Domain("notes", domain.train, domain.validation, test)),
        checksum(Domain("notes", domain.train, first, domain.test)),
        checksum(suite=Suite("tiny", (renamed, *more), suite.documents)),
        checksum(suite=Suite("tiny", suite.probes, (*suite.documents[:-1], "Another text."))),
        checksum(kl_texts=5),
        checksum(seed=1),
    ]
    assert checksum() == checksum() and len({checksum(), *others}) == 7


def test_the_seed_draws_items_probes_and_documents(tiny_tokenizer, domain, suite, base):
    sizes = {"target_items": 8, "per_skill": 4, "documents": 3}
    one, other = (
        Evaluator(tiny_tokenizer, domain, suite, base, **sizes, seed=seed) for seed in (0, 1)
    )
    assert one.quick_items != other.quick_items
    assert one.quick_suite.probes != other.quick_suite.probes
    assert one.quick_suite.documents != other.quick_suite.documents


def test_kl_is_taken_over_the_first_documents_and_test_items(tiny_tokenizer, domain, suite, base):
    """Of the whole suite and of the test split, not of the quick subset."""
    texts = {"target_items": 2, "per_skill": 2, "documents": 1}
    for many in (3, 1000):
        full = Evaluator(tiny_tokenizer, domain, suite, base, kl_texts=many, **texts).full(
            tuned := moved(base)
        )
        pairs = [(row["prompt"], row["answer"]) for row in domain.test][:many]
        for key, given in (("kl_target", pairs), ("kl_general", suite.documents[:many])):
            assert full[key] == kl_to_base(base, tuned, tiny_tokenizer, given), key
            assert full["n"][key] == len(given)


def test_everything_goes_into_json_and_back(evaluator, base):
    for measured in (evaluator(base), evaluator.full(base)):
        assert json.loads(json.dumps(measured, allow_nan=False)) == measured


def test_a_model_that_blew_up_is_none_not_a_crash(evaluator, base):
    with torch.no_grad():
        base.transformer.wte.weight.fill_(float("nan"))
    full = evaluator.full(base)
    assert json.dumps(full, allow_nan=False)
    assert full["general_loss"] is full["forgotten"] is full["kl_target"] is None
    assert full["retention"] == 0
    assert full["target_score"] == 0


def test_a_base_that_knows_nothing(tiny_tokenizer, domain, suite, base):
    guessing = Suite(
        "guessing", tuple(p for p in suite.probes if p.form == "pair"), suite.documents
    )
    evaluator = Evaluator(tiny_tokenizer, domain, guessing, base, documents=2)
    assert evaluator.baseline["retention"] is None
    assert evaluator.baseline_full["left_out"]


def test_the_quick_subset_is_seeded_even_and_never_from_the_test_split(
    evaluator, domain, suite, base, tiny_tokenizer
):
    drawn = evaluator.quick_items
    assert len(drawn) == 8
    assert sum(row["held"] for row in drawn) == 2  # a quarter, as in the split
    assert all(row in list(domain.validation) for row in drawn)
    assert drawn == draw_items(domain.validation, 8, seed=0)
    assert drawn != draw_items(domain.validation, 8, seed=1)
    asked = [probe.skill for probe in evaluator.quick_suite.probes]
    assert asked.count("facts") == asked.count("grammar") == 4
    assert len(evaluator.quick_suite.documents) == 3
    assert draw_items(domain.validation, 99, seed=0) == list(domain.validation)


def test_bad_input(tiny_tokenizer, domain, suite, base):
    with pytest.raises(InputError, match="target_items is 0"):
        Evaluator(tiny_tokenizer, domain, suite, base, target_items=0)
    empty = Domain("notes", domain.train, domain.train.select([]), domain.test)
    with pytest.raises(InputError, match="validation split of notes is empty"):
        Evaluator(tiny_tokenizer, empty, suite, base)
