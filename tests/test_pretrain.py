"""Pre-training: resumes to the same numbers, and the model that ships keeps its promises.

Run: pytest tests/test_pretrain.py
"""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from ftlab.errors import InputError
from ftlab.measure.skills import measure_skills
from ftlab.models import nano_gpt2
from ftlab.models import pretrain as work
from ftlab.models.card import gap_to_generator
from ftlab.models.load import load
from ftlab.paths import data_dir
from ftlab.world.build import PRETRAIN_SEED, training_stream
from ftlab.world.load import load_suite
from ftlab.world.rows import read_jsonl

SMALL = replace(
    work.RECIPES["nano-gpt2"],
    stages=(("general", 3), ("looking back", 3)),
    rows=2,
    width=64,
    blocks=2,
    heads=1,
    warmup=2,
)


@pytest.fixture(scope="module")
def nano():
    return load("nano-gpt2")


def test_the_learning_rate_rises_then_falls_to_the_floor():
    recipe = work.RECIPES["nano-gpt2"]
    rates = [work.learning_rate(recipe, step) for step in range(recipe.steps)]
    top = rates.index(max(rates))
    assert top == pytest.approx(recipe.warmup, abs=1)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(recipe.lr * recipe.floor, rel=0.01)


def test_rows_hold_whole_documents_and_batches_learn_no_padding(nano):
    tokenizer = nano.tokenizer
    batch = next(iter(nano_gpt2.batches(tokenizer, replace(SMALL, rows=4))))
    ids, labels = batch["input_ids"], batch["labels"]
    assert ids.shape == labels.shape == (4, SMALL.length)
    assert (ids[:, 0] == tokenizer.eos_token_id).all()
    assert ((labels == ids) | (labels == -100)).all()
    first = tokenizer.decode(ids[0][labels[0] != -100]).split(tokenizer.eos_token)
    expected = itertools.islice(training_stream(PRETRAIN_SEED), len(first) - 2)
    assert first[1:-1] == [document.text for document in expected]


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch, nano):
    monkeypatch.setattr(work, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(nano_gpt2, "train_tokenizer", lambda recipe: nano.tokenizer)

    class Stop(Exception):
        pass

    def stop_at_five(step, loss, rate):
        if step == 5:
            raise Stop

    whole = work.pretrain("nano-gpt2", out=tmp_path / "whole", recipe=SMALL)
    with pytest.raises(Stop):
        work.pretrain("nano-gpt2", out=tmp_path / "cut", recipe=SMALL, report=stop_at_five)
    resumed = work.pretrain("nano-gpt2", out=tmp_path / "cut", recipe=SMALL)
    assert resumed == whole
    assert [row[0] for row in whole] == [2, 4, 6]
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]


def test_a_rehearsal_keeps_every_stage():
    short = work.RECIPES["nano-gpt2"].scaled(45)
    assert len(short.stages) == len(work.RECIPES["nano-gpt2"].stages)
    assert short.steps == pytest.approx(45, abs=3)


def test_a_name_without_a_recipe_is_refused(tmp_path):
    with pytest.raises(InputError, match="nano-gpt2"):
        work.pretrain("nano-gpt3", out=tmp_path)


def test_nano_is_a_stock_gpt2_whose_widths_are_multiples_of_64(nano):
    config = nano.model.config
    assert type(nano.model).__name__ == "GPT2LMHeadModel"
    assert config.n_layer == 12
    assert config.n_embd % 64 == 0 and (config.n_inner or 4 * config.n_embd) % 64 == 0
    assert config.vocab_size % 64 == 0
    weights = data_dir() / "models" / "nano-gpt2" / "model.safetensors"
    assert weights.stat().st_size <= 16e6
    assert nano.model.lm_head.weight is nano.model.transformer.wte.weight


def test_nano_knows_every_skill(nano):
    scores = measure_skills(nano.model, nano.tokenizer, load_suite("world").probes)
    found = {name: score.accuracy for name, score in scores.items()}
    least = dict.fromkeys(found, 0.95) | {"grammar": 0.98}
    assert all(found[name] >= least[name] for name in found), found


def test_nano_is_close_to_the_best_possible_loss(nano):
    rows = [row for _, row in read_jsonl(data_dir() / "world" / "general.jsonl")]
    texts, nats = [str(row["text"]) for row in rows], [float(row["nats"]) for row in rows]
    loss, entropy = gap_to_generator(nano.model, nano.tokenizer, texts, nats)
    assert entropy - 0.02 < loss, "no model can beat the generator: the count of nats is wrong"
    assert math.exp(loss - entropy) < 1.10


def test_nano_answers_in_finite_numbers(nano):
    ids = torch.arange(0, 120)[None]
    assert nano.model(ids).logits.isfinite().all()
