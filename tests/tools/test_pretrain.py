"""Pre-training: resumes to the same numbers, and the model that ships keeps its promises.

Run: pytest tests/tools/test_pretrain.py
"""

import itertools
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.datasets.load import load_suite
from ftlab.datasets.rows import read_jsonl
from ftlab.evaluate.skills import measure_skills
from ftlab.models.loading import load
from tools.pretrain import nano_gpt2
from tools.pretrain import nano_t5 as nano_t5_parts
from tools.pretrain import train as work
from tools.pretrain.card import gap_to_generator
from tools.world.streams import PRETRAIN_SEED, training_stream

ROOT = Path(__file__).resolve().parents[2]
SMALL = replace(
    work.RECIPES["nano-gpt2"],
    stages=(("general", 3), ("looking back", 3)),
    rows=2,
    width=64,
    blocks=2,
    heads=1,
    warmup=2,
    practice=2,
)


@pytest.fixture(scope="module")
def nano():
    return load("nano-gpt2")


def test_the_learning_rate_rises_then_falls_to_the_floor_and_so_once_more_for_the_practice():
    recipe = work.RECIPES["nano-gpt2"]
    rates = [work.learning_rate(recipe, step) for step in range(recipe.steps)]
    before = recipe.steps - recipe.practice
    for part, peak in ((rates[:before], recipe.lr), (rates[before:], recipe.lr / 2)):
        top = part.index(max(part))
        assert part[top] == pytest.approx(peak) and top <= recipe.warmup
        assert part[: top + 1] == sorted(part[: top + 1])
        assert part[top:] == sorted(part[top:], reverse=True)
        assert part[-1] == pytest.approx(peak * recipe.floor, rel=0.01)


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


# --- nano-t5

SMALL_T5 = replace(
    work.RECIPES["nano-t5"], stages=(("tasks", 5),), rows=4, width=64, blocks=2, heads=1, warmup=2
)


@pytest.fixture(scope="module")
def nano_t5():
    return load("nano-t5")


def test_nano_t5_is_a_stock_t5_whose_widths_are_multiples_of_64(nano_t5):
    config = nano_t5.model.config
    assert type(nano_t5.model).__name__ == "T5ForConditionalGeneration"
    assert config.num_layers >= 4 and config.num_decoder_layers >= 4
    sizes = (config.d_model, config.d_ff, config.d_kv * config.num_heads, config.vocab_size)
    assert all(size % 64 == 0 for size in sizes), sizes
    weights = data_dir() / "models" / "nano-t5" / "model.safetensors"
    assert weights.stat().st_size <= 16e6
    assert nano_t5.model.lm_head.weight is nano_t5.model.shared.weight


def test_nano_t5_has_every_skill(nano_t5):
    scores = measure_skills(nano_t5.model, nano_t5.tokenizer, load_suite("tasks").probes)
    found = {name: score.accuracy for name, score in scores.items()}
    assert set(found) == {"facts", "grammar", "order", "retell"}
    assert all(share >= 0.95 for share in found.values()), found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_nano_t5_answers_in_finite_numbers(nano_t5, dtype):
    """T5 was trained in bfloat16 and can overflow in float16: this one must not, on no probe."""
    import copy

    model = copy.deepcopy(nano_t5.model).to(dtype)
    probes = load_suite("tasks").probes[::10]
    batch = nano_t5.tokenizer([p.query for p in probes], return_tensors="pt", padding=True)
    start = torch.zeros(len(probes), 1, dtype=torch.long)
    with torch.no_grad():
        logits = model(**batch, decoder_input_ids=start).logits
    assert logits.dtype == dtype and logits.isfinite().all()


@pytest.mark.gpu
def test_nano_t5_keeps_its_skills_in_half_precision_on_a_gpu(nano_t5):
    import copy

    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    probes = load_suite("tasks").probes[::4]
    for dtype in (torch.float16, torch.bfloat16):
        model = copy.deepcopy(nano_t5.model).to("cuda", dtype)
        scores = measure_skills(model, nano_t5.tokenizer, probes)
        assert all(score.accuracy >= 0.9 for score in scores.values()), dtype


def test_the_gaps_of_a_text_are_tokens_of_their_own(nano_t5):
    tokenizer = nano_t5.tokenizer
    ids = tokenizer("The capital of <extra_id_0> is <extra_id_1>")["input_ids"]
    marks = [tokenizer.convert_tokens_to_ids(f"<extra_id_{n}>") for n in (0, 1)]
    assert [i for i in ids if i in marks] == marks and ids[-1] == tokenizer.eos_token_id
    assert tokenizer.unk_token_id is None or tokenizer.unk_token_id not in ids


def test_batches_of_pairs_pad_and_learn_the_end(nano_t5):
    tokenizer = nano_t5.tokenizer
    found = list(nano_t5_parts.batches(tokenizer, SMALL_T5))
    assert len(found) >= SMALL_T5.steps
    for batch in found:
        ids, labels = batch["input_ids"], batch["labels"]
        assert ids.shape == batch["attention_mask"].shape and len(ids) == len(labels) == 4
        assert ((ids != tokenizer.pad_token_id) == batch["attention_mask"].bool()).all()
        last = [row[row != -100][-1].item() for row in labels]
        assert last == [tokenizer.eos_token_id] * 4


@pytest.mark.parametrize(
    ("name", "parts", "recipe", "stop_at", "stretches"),
    [
        ("nano-gpt2", nano_gpt2, SMALL, 5, [2, 4, 6, 8]),
        ("nano-t5", nano_t5_parts, SMALL_T5, 3, [2, 4, 5]),
    ],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    name, parts, recipe, stop_at, stretches, tmp_path, monkeypatch
):
    bundle = load(name)
    monkeypatch.setattr(work, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(parts, "train_tokenizer", lambda recipe: bundle.tokenizer)

    class Stop(Exception):
        pass

    def stop(step, loss, rate):
        if step == stop_at:
            raise Stop

    whole = work.pretrain(name, out=tmp_path / "whole", recipe=recipe)
    with pytest.raises(Stop):
        work.pretrain(name, out=tmp_path / "cut", recipe=recipe, report=stop)
    assert work.pretrain(name, out=tmp_path / "cut", recipe=recipe) == whole
    assert [row[0] for row in whole] == stretches
    files = [(tmp_path / part / "model.safetensors").read_bytes() for part in ("whole", "cut")]
    assert files[0] == files[1]


def killed(out: Path, when: str) -> None:
    """Pre-train until this process is killed: in step 5, or while step 4 is stored."""
    move, write, moved = os.replace, work.save_file, []

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def replace(source: Any, goal: Any) -> None:
        if when == "between the two moves" and len(moved) == 2:  # the older one lies aside
            die()
        moved.append(move(source, goal))

    def save(tensors: Any, path: Path) -> None:
        write(tensors, path)
        if when == "while it is written" and moved:
            path.write_bytes(path.read_bytes()[:1000])
            die()

    os.replace, work.save_file, work.CHECKPOINT_EVERY = replace, save, 2
    nano_gpt2.train_tokenizer = lambda recipe: load("nano-gpt2").tokenizer
    work.pretrain(
        "nano-gpt2", out=out, recipe=SMALL, report=lambda n, *_: die() if n == 5 else None
    )


@pytest.mark.parametrize(
    ("when", "step"),
    [("between two checkpoints", 4), ("while it is written", 2), ("between the two moves", 2)],
)
def test_killed_it_goes_on_from_the_last_checkpoint_to_the_same_weights(
    when, step, tmp_path, monkeypatch, nano
):
    code = "import sys; from pathlib import Path; from tests.tools import test_pretrain as t; "
    code += "t.killed(Path(sys.argv[1]), sys.argv[2])"
    command = [sys.executable, "-c", code, str(tmp_path / "cut"), when]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert work.stored(tmp_path / "cut.checkpoint", SMALL)[-1][0] == step
    monkeypatch.setattr(work, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(nano_gpt2, "train_tokenizer", lambda recipe: nano.tokenizer)
    begun = []
    for name in ("cut", "whole"):
        work.pretrain(
            "nano-gpt2", out=tmp_path / name, recipe=SMALL, report=lambda n, *_: begun.append(n)
        )
    assert begun == [*range(step + 1, 9), *range(1, 9)]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("cut", "whole")]
    assert weights[0] == weights[1]
    names = {"cut", "cut.checkpoint", "whole", "whole.checkpoint"}
    assert {path.name for path in tmp_path.iterdir()} == names, "what was killed left something"


def test_a_loss_that_is_no_number_ends_it_and_writes_no_model(tmp_path, monkeypatch, nano):
    monkeypatch.setattr(nano_gpt2, "train_tokenizer", lambda recipe: nano.tokenizer)
    monkeypatch.setattr(work, "learning_rate", lambda recipe, step: 1e30)
    with pytest.raises(InputError, match="no longer a number at step 2"):
        work.pretrain("nano-gpt2", out=tmp_path / "m", recipe=SMALL)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_recipe_or_with_a_flipped_byte_is_refused(
    tmp_path, monkeypatch, nano_t5
):
    monkeypatch.setattr(nano_t5_parts, "train_tokenizer", lambda recipe: nano_t5.tokenizer)
    work.pretrain("nano-t5", out=tmp_path / "m", recipe=SMALL_T5)
    with pytest.raises(InputError, match="another recipe"):
        work.pretrain("nano-t5", out=tmp_path / "m", recipe=replace(SMALL_T5, seed=7))
    state = tmp_path / "m.checkpoint" / work.STATE
    raw = bytearray(state.read_bytes())
    raw[-1] ^= 1
    state.write_bytes(raw)
    with pytest.raises(InputError, match=r"state\.safetensors is missing or damaged"):
        work.pretrain("nano-t5", out=tmp_path / "m", recipe=SMALL_T5)


def test_the_tie_of_a_t5_comes_back_from_disk(tmp_path, monkeypatch, nano_t5):
    monkeypatch.setattr(nano_t5_parts, "train_tokenizer", lambda recipe: nano_t5.tokenizer)
    work.pretrain("nano-t5", out=tmp_path / "made", recipe=SMALL_T5)
    again = load(tmp_path / "made").model
    assert again.lm_head.weight is again.shared.weight
