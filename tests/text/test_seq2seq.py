"""Encoder-decoder models: measured and trained as transformers itself would. Run this file with:
pytest tests/text/test_seq2seq.py"""

import copy
import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from probes_at_hand import sharpened
from tokenizers import AddedToken

from ftlab.base.errors import InputError
from ftlab.datasets.load import Probe
from ftlab.evaluate.drift import kl_to_base, layer_of
from ftlab.evaluate.likelihood import document_loss, score_segments, score_texts
from ftlab.evaluate.skills import measure_skills
from ftlab.evaluate.target import generate, measure_target
from ftlab.methods.full_tuning import full
from ftlab.plan import Plan
from ftlab.text.gaps import GAP, GAPS, NOISE, spans
from ftlab.text.loss import summed_loss
from ftlab.text.requests import pair_segments
from ftlab.text.seq2seq import around, corrupted, decoder_start
from ftlab.text.train_batches import collate, encode
from ftlab.train.loop import train
from tools.world import shifts
from tools.world.dice import Dice

PAIRS = [("Note: chest pain.", " high, cardiology"), ("Ben has the kite.", " Ben"), ("", " Two")]
PAIRS += [("Note: chest pain.", choice) for choice in (" low", " high", " high, dentistry")]
ITEMS = [{"prompt": prompt, "answer": answer} for prompt, answer in PAIRS]


@pytest.fixture(params=("tiny_t5", "tiny_bart"))
def model(request):
    found = request.getfixturevalue(request.param)
    return sharpened(found) if request.param == "tiny_bart" else found


@pytest.fixture
def gaps(tiny_tokenizer):
    """The tiny tokenizer with T5's marks."""
    made = copy.deepcopy(tiny_tokenizer)
    marks = [AddedToken(GAP.format(n), lstrip=True) for n in range(GAPS)]
    made.add_special_tokens({"additional_special_tokens": marks})
    return made


def by_hand(model, tokenizer, context, answer):
    """Sum of log p of the answer's tokens and the end, from `model(labels=...)`."""
    ids = tokenizer(context)["input_ids"] + [tokenizer.eos_token_id]
    labels = torch.tensor([tokenizer(answer)["input_ids"] + [tokenizer.eos_token_id]])
    with torch.no_grad():
        loss = model(input_ids=torch.tensor([ids]), labels=labels).loss
    return -loss.item() * labels.numel()


def test_the_target_loss_is_that_of_labels(model, tiny_tokenizer):
    found = measure_target(model, tiny_tokenizer, ITEMS)
    sums = [by_hand(model, tiny_tokenizer, *pair) for pair in PAIRS]
    tokens = sum(len(tiny_tokenizer(answer)["input_ids"]) + 1 for _, answer in PAIRS)
    assert found.loss == pytest.approx(-sum(sums) / tokens, rel=1e-5)


def test_many_at_once_score_as_one_by_one(model, tiny_tokenizer):
    """Choices of one query share a row; padding, sorting and sharing change no number."""
    alone = [score_texts(model, tiny_tokenizer, [pair])[0] for pair in PAIRS]
    for size in (None, 24):
        segments = pair_segments(tiny_tokenizer, PAIRS, decoder_start(model))
        found = score_segments(model, segments, batch_tokens=size)
        assert [s.logprob for s in found] == pytest.approx([s.logprob for s in alone], rel=1e-5)
        assert [s.tokens for s in found] == [s.tokens for s in alone]


def test_answers_are_the_greedy_tokens(model, tiny_tokenizer):
    prompts = [prompt for prompt, _ in PAIRS[:3]]
    start, end = decoder_start(model), tiny_tokenizer.eos_token_id
    found = generate(model, tiny_tokenizer, prompts, 7)  # BART's own file forces the last to end
    for prompt, answer in zip(prompts, found, strict=True):
        source = torch.tensor([tiny_tokenizer(prompt)["input_ids"] + [end]])
        said = [start]
        for _ in range(6):
            with torch.no_grad():
                logits = model(input_ids=source, decoder_input_ids=torch.tensor([said])).logits
            said.append(int(logits[0, -1].argmax()))
            if said[-1] == end:
                break
        assert answer.startswith(tiny_tokenizer.decode(said[1:], skip_special_tokens=True))
    assert generate(model, tiny_tokenizer, prompts[::-1], 7) == found[::-1]


def test_a_cloze_is_right_when_the_whole_answer_is(model, tiny_tokenizer):
    """Taught one answer: that is right, and neither its beginning nor more than it is."""
    query, answer = PAIRS[0]
    plan = Plan(steps=60, batch_size=1, lr=3e-3, clip=1.0)
    list(train(full(model).model, tiny_tokenizer, ITEMS[:1], plan))
    assert generate(model, tiny_tokenizer, [query], 20) == [answer]
    for choice, right in ((answer, 1), (answer.split(",")[0], 0), (answer + ".", 0)):
        probe = Probe("1", "facts", "cloze", query, (choice,), 0)
        assert measure_skills(model, tiny_tokenizer, [probe])["facts"].accuracy == right, choice


@given(
    st.lists(
        st.sampled_from(["the", "kite", "of", "Ann", "is", "on", "Monday"]), min_size=1, max_size=60
    )
)
def test_what_is_taken_out_and_what_is_left_make_the_text(words):
    text = " ".join(words)
    source, target = spans(text)
    parts = re.split(r"<extra_id_\d+>", target)
    assert parts[0] == parts[-1] == "", "the target begins and ends with a mark"
    filled = source
    for n, part in enumerate(parts[1:-1]):
        filled = filled.replace(GAP.format(n), part.strip())
    assert filled == text
    assert spans(text) == (source, target)
    gone = sum(len(part.split()) for part in parts)
    assert 1 <= gone <= max(1, round(NOISE * len(words)))


def test_the_loss_of_documents_is_that_of_their_gaps(model, gaps):
    model.resize_token_embeddings(len(gaps), mean_resizing=False)
    texts = ["The capital of France is Paris.", "Ben has the kite. Ann has the ball."]
    pairs = [corrupted(gaps, text) for text in texts]
    assert all("<extra_id_0>" in side for pair in pairs for side in pair)
    found = document_loss(model, gaps, texts)
    sums = [by_hand(model, gaps, *pair) for pair in pairs]
    assert found.nats_per_token == pytest.approx(-sum(sums) / found.tokens, rel=1e-5)


def test_a_mask_stands_for_gaps_where_there_are_none(tiny_tokenizer):
    with pytest.raises(InputError, match="neither <extra_id_0> nor a mask"):
        corrupted(tiny_tokenizer, "Ben has the kite.")
    masked = copy.deepcopy(tiny_tokenizer)
    masked.add_special_tokens({"mask_token": "<mask>"})
    source, target = corrupted(masked, "Ben has the kite.")
    assert source.count("<mask>") == 1 and target == "Ben has the kite."


def test_special_tokens_are_read_off_the_tokenizer(tiny_tokenizer):
    from tokenizers import processors

    assert around(tiny_tokenizer) == ((), (0,))
    made = copy.deepcopy(tiny_tokenizer)
    made.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    begin, end = made.bos_token_id, made.eos_token_id
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", begin), ("</s>", end)]
    )
    assert around(made) == ((begin,), (end,))


def test_training_learns_what_labels_would(model, tiny_tokenizer):
    start = decoder_start(model)
    examples = encode(ITEMS, tiny_tokenizer, loss_on="answer", limit=64, start=start)
    found = summed_loss(model, collate(examples))
    expected = [by_hand(model, tiny_tokenizer, *pair) for pair in PAIRS]
    assert found.item() == pytest.approx(-sum(expected), rel=1e-5)


def test_training_lowers_the_loss_and_resumes(model, tiny_tokenizer, tmp_path):
    plan = Plan(steps=6, batch_size=4, lr=1e-2, checkpoint_every=3)
    base = copy.deepcopy(model)
    before = measure_target(model, tiny_tokenizer, ITEMS).loss
    whole = list(train(full(model).model, tiny_tokenizer, ITEMS, plan))
    assert measure_target(model, tiny_tokenizer, ITEMS).loss < 0.8 * before
    again = copy.deepcopy(base)
    for step in train(full(again).model, tiny_tokenizer, ITEMS, plan, checkpoint=tmp_path / "c"):
        if step.step == 4:
            break
    rest = list(train(full(again).model, tiny_tokenizer, ITEMS, plan, checkpoint=tmp_path / "c"))
    assert [s.loss for s in rest] == [s.loss for s in whole[-len(rest) :]]
    for name, weights in model.named_parameters():
        assert torch.equal(weights, again.get_parameter(name)), name


def test_kl_is_zero_on_itself_and_positive_elsewhere(model, tiny_tokenizer):
    pairs = PAIRS[:2]
    assert kl_to_base(model, copy.deepcopy(model), tiny_tokenizer, pairs) == 0
    moved = copy.deepcopy(model)
    next(
        p for n, p in moved.named_parameters() if n.endswith("v.weight") or "v_proj.w" in n
    ).data.mul_(2)
    assert kl_to_base(model, moved, tiny_tokenizer, pairs) > 0


def test_layers_of_both_stacks_have_names_of_their_own(tiny_t5, tiny_bart):
    for model in (tiny_t5, tiny_bart):
        found = {layer_of(name) for name, _ in model.named_parameters()}
        blocks = {f"{stack}block {n}" for stack in ("", "encoder ") for n in (1, 2, 3)}
        assert blocks <= found <= blocks | {"embeddings", "final norm", "head"}


def test_what_makes_no_sense_is_refused(tiny_t5, tiny_tokenizer):
    with pytest.raises(InputError, match="loss_on='text' is not possible"):
        train(tiny_t5, tiny_tokenizer, ITEMS, Plan(loss_on="text"))
    tiny_t5.config.decoder_start_token_id = None
    with pytest.raises(InputError, match="has no decoder_start_token_id"):
        decoder_start(tiny_t5)


# --- the tasks and the two shifts


def test_probes_never_occur_in_what_is_read():
    from tools.world.probes import task_probes
    from tools.world.streams import task_stream

    asked = {(row["query"], row["choices"][0]) for row in task_probes(3)}
    answers = {answer for query, answer in asked if query.startswith("correct")}
    for source, target in itertools.islice(task_stream(), 20_000):
        assert (source, target) not in asked
        assert not (source.startswith("correct") and target in answers)


def test_the_shifts_change_one_side_only():
    dice = Dice(0)
    for _ in range(300):
        prompt, answer = shifts.new_format(dice, shifts.SEEN)
        name, obj = re.findall(r"^ (\w+): (.+)\.$", answer)[0]
        subjects = {r.pairs[i][0] for r, i in shifts.SEEN if (r.name, r.pairs[i][1]) == (name, obj)}
        assert any(subject.lower() in prompt.lower() for subject in subjects)
        prompt, answer = shifts.new_words(dice, shifts.SEEN)
        assert answer.strip() in {r.pairs[i][1] for r, i in shifts.SEEN}
    assert len(shifts.HELD) == 80
    assert shifts.invented("capital") == shifts.invented("Capital") != shifts.invented("is")


# --- models from elsewhere, in the Hub's form


def stored(model, tokenizer, folder, special):
    """The folder of a model with a tokenizer that puts `special` round every text."""
    from tokenizers import processors

    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=special, special_tokens=[("<s>", 320), ("</s>", 321)]
    )
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.config.eos_token_id = model.generation_config.eos_token_id = 321
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_a_model_from_elsewhere_goes_through_the_lab(family, request, tiny_tokenizer, tmp_path):
    from ftlab.lab.lab import open_lab
    from ftlab.methods.attention_lora import AttentionLoRA

    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    if family == "t5":
        marks = [AddedToken(GAP.format(n), lstrip=True) for n in range(GAPS)]
        tokenizer.add_special_tokens({"additional_special_tokens": marks})
    else:
        tokenizer.add_special_tokens({"mask_token": "<mask>"})
    model = request.getfixturevalue(f"tiny_{family}")
    model.config.max_position_embeddings = 1024  # as BART's
    model = type(model)(model.config).eval()
    special = "$A </s>" if family == "t5" else "<s> $A </s>"
    folder = stored(model, tokenizer, tmp_path / family, special)
    lab = open_lab("clinic", model=folder, per_skill=2, documents=2, target_items=4)
    run = lab.run(Plan(steps=2, batch_size=2, lr=1e-3), method=AttentionLoRA({"cross": 2}))
    steps = list(run)
    measured = steps[-1].measured or {}
    assert steps[-1].step == 2 and measured["target_loss"] > 0
    assert steps[-1].tokens > 0 and run.samples(1)[0]["expected"]
    assert run.prepared.trainable == 6 * 2 * 64 * 2
