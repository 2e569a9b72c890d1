"""What the model cannot read is refused before anything is trained, with its number and names.

pytest tests/evaluate/test_fit.py
"""

import copy
from typing import Any, cast

import pytest
from datasets import Dataset, concatenate_datasets

from ftlab.base.errors import InputError
from ftlab.datasets.load import Domain, Probe, Suite
from ftlab.evaluate.evaluator import Evaluator
from ftlab.text.tidy import tidy

PROBE = Probe("p-1", "facts", "choice", "The capital of France is", (" Paris", " Rome"), 0)
LONG = "word " * 130


def rows(*prompts: str, answer: str = " yes") -> Dataset:
    return Dataset.from_list(
        [{"id": f"i-{n}", "prompt": p, "answer": answer} for n, p in enumerate(prompts)]
    )


def evaluator(model, tokenizer, *, test=None, validation=None, probe=PROBE, text="A text.") -> None:
    short = rows("a", "b")
    domain = Domain("mine", short, validation or short, test or short)
    Evaluator(tokenizer, domain, Suite("own", (PROBE, probe), (text,)), model)


def test_what_fits_is_taken_to_the_last_token(tiny_gpt2, tiny_tokenizer) -> None:
    room = len(tiny_tokenizer(" yes")["input_ids"]) + 1 + 4  # the end, and spare tokens
    fits = "\n" * (128 - room)
    evaluator(tiny_gpt2, tiny_tokenizer, test=rows(fits), text=LONG)  # a document has windows
    with pytest.raises(InputError, match=r"1 of 1 test items.*do not fit the 128 tokens"):
        evaluator(tiny_gpt2, tiny_tokenizer, test=rows(fits + "\n"))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_items_are_counted_and_named(split: str, tiny_gpt2, tiny_tokenizer) -> None:
    long: Any = {split: rows("a", LONG, LONG * 2)}
    with pytest.raises(InputError, match=rf"2 of 3 {split} items.*'i-1' has.*longest, 'i-2',"):
        evaluator(tiny_gpt2, tiny_tokenizer, **long)
    with pytest.raises(InputError, match=r"room for the longest answer \(\d+\).*--too-long skip"):
        evaluator(tiny_gpt2, tiny_tokenizer, **cast(Any, {split: rows("a", "b", answer=LONG)}))


def test_what_the_refusal_advises_is_possible(tiny_gpt2, tiny_tokenizer) -> None:
    three, wordy = rows("a" * 90, "b" * 90, "c" * 90), rows("d", answer=" yes" * 30)
    odd = concatenate_datasets([three, wordy])
    mine = Domain("mine", rows("a", "b"), odd, odd)  # shorter than 90 is only what is too long
    with pytest.raises(InputError, match=r"leave some out .*too_long='skip'"):
        evaluator(tiny_gpt2, tiny_tokenizer, test=odd)
    done = tidy(mine, tiny_tokenizer, too_long="skip", reads=128)
    assert len(done.test) == 3
    evaluator(tiny_gpt2, tiny_tokenizer, test=done.test, validation=done.validation)


def test_probes_and_whole_documents_too(tiny_gpt2, tiny_bart, tiny_tokenizer) -> None:
    probe = Probe("p-2", "facts", "choice", LONG, (" Paris", " Rome"), 0)
    with pytest.raises(InputError, match=r"2 of 4 probes do not fit.*'p-2' has"):
        evaluator(tiny_gpt2, tiny_tokenizer, probe=probe)
    masked = copy.deepcopy(tiny_tokenizer)
    masked.mask_token = masked.eos_token
    with pytest.raises(InputError, match="1 of 1 documents do not fit"):
        evaluator(tiny_bart, masked, text=LONG)
