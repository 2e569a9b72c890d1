"""What is learned, in which order, and how it is padded."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab.base.errors import InputError
from ftlab.text.train_batches import IGNORE, Example, batch_indices, checksum, collate, encode

ITEM = {"id": "x-1", "prompt": "The capital of France is", "answer": " Paris"}


def test_answer_and_end_are_learned(tiny_tokenizer):
    (answer,) = encode([ITEM], tiny_tokenizer, loss_on="answer", limit=99)
    end = tiny_tokenizer.eos_token_id
    assert tiny_tokenizer.decode(answer.ids[answer.learn_from : -1]) == " Paris"
    assert tiny_tokenizer.decode(answer.ids[1 : answer.learn_from]) == ITEM["prompt"]
    assert answer.ids[0] == answer.ids[-1] == end

    (text,) = encode([ITEM], tiny_tokenizer, loss_on="text", limit=99)
    assert text.ids == answer.ids and text.learned == len(text.ids) - 1


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 40), st.integers(1, 17), st.integers(0, 5))
def test_every_epoch_holds_every_item_once(n: int, batch_size: int, seed: int):
    batches = [batch_indices(n, batch_size, step, seed) for step in range(1, 3 * n + 1)]
    assert all(len(batch) == batch_size for batch in batches)
    row = [i for batch in batches for i in batch]
    epochs = [row[k : k + n] for k in range(0, len(row) - n + 1, n)]
    assert all(Counter(epoch) == Counter(range(n)) for epoch in epochs)


def test_seed_alone_decides_the_order():
    first = batch_indices(100, 16, 1, 7)
    assert first == batch_indices(100, 16, 1, 7) != batch_indices(100, 16, 1, 8)
    one, two = batch_indices(100, 100, 1, 7), batch_indices(100, 100, 2, 7)
    assert one != two, "epochs must be reshuffled"
    assert first == one[:16], "the order must not depend on the batch size"


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(2, 9), st.integers(1, 8)), min_size=1, max_size=6))
def test_collate_pads_and_masks(sizes: list[tuple[int, int]]):
    examples = [Example(tuple(range(1, n + 1)), min(k, n - 1)) for n, k in sizes]
    batch = collate(examples)
    B, T = len(examples), max(len(example.ids) for example in examples)
    assert batch.ids.shape == batch.mask.shape == batch.labels.shape == (B, T)
    for row, example in enumerate(examples):
        n = len(example.ids)
        assert batch.ids[row, :n].tolist() == list(example.ids)
        assert batch.mask[row].tolist() == [1] * n + [0] * (T - n)
        learned = (batch.labels[row] != IGNORE).nonzero().flatten().tolist()
        assert learned == list(range(example.learn_from, n))
    first = int((batch.labels != IGNORE).nonzero()[:, 1].min())
    assert batch.logits_to_keep == T - (first - 1), "the head sees what predicts the first"
    assert torch.equal(batch.labels[batch.labels != IGNORE], batch.ids[batch.labels != IGNORE])


def test_checksum_follows_what_is_learned(tiny_tokenizer):
    def of(items, loss_on="answer"):
        return checksum(encode(items, tiny_tokenizer, loss_on=loss_on, limit=99))

    other = {**ITEM, "answer": " Rome"}
    assert of([ITEM]) == of([{**ITEM, "id": "y"}])
    assert len({of([ITEM]), of([other]), of([ITEM], "text"), of([ITEM, other])}) == 4


def test_too_long_items_are_counted_and_what_is_possible_is_said(tiny_tokenizer):
    items = [ITEM, ITEM | {"id": "b", "prompt": "x" * 40}, ITEM | {"id": "c", "prompt": "x" * 90}]
    with pytest.raises(InputError) as told:
        encode(items, tiny_tokenizer, loss_on="answer", limit=24, reads=64)
    for part in ("Item 1 (b)", "2 of 3", "Item 2 (c), has", "raise max_tokens", "model reads 64"):
        assert part in str(told.value)
    with pytest.raises(InputError, match=r"64 are allowed; shorten such items, .*--longest 64"):
        encode(items[::2], tiny_tokenizer, loss_on="answer", limit=99, reads=64)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "no items"),
        (["text"], "Item 0 is a str"),
        ([{"id": "a-7", "prompt": "x"}], r"Item 0 \(a-7\) has no answer"),
        ([{"answer": " x"}], "Item 0 has no prompt"),
        ([ITEM, {"prompt": "x", "answer": 3}], "Item 1 has no answer in text"),
        ([{"prompt": "x", "answer": "  "}], "empty answer"),
        ([ITEM, {**ITEM, "prompt": "x" * 40}], r"Item 1 \(x-1\) is \d+ tokens long and 24 are"),
    ],
)
def test_bad_items_are_told(tiny_tokenizer, data, said):
    with pytest.raises(InputError, match=said):
        encode(data, tiny_tokenizer, loss_on="answer", limit=24)
