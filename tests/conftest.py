"""Tiny models and a tiny tokenizer, made in memory: no test of this suite needs a download."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import torch
from fake_card import FakeCard, a_card
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

# Where cores are shared, two threads that wait for each other are slower than one: a step took ten
# times as long. Kernels and other processes that a test starts inherit it.
if "OMP_NUM_THREADS" not in os.environ and not torch.cuda.is_available():
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

# The same examples on every machine: a run that failed can be had again, and one that passed too.
# A busy machine is no failure.
hypothesis.settings.register_profile(
    "ftlab",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ftlab")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no core waits at the end: those with slow tests, then by tests."""
    count = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, -count[item.path]))


LINES = (
    "The capital of France is Paris. The capital of Norway is Oslo.",
    "The keys to the cabinet are on the table. The boy near the dogs runs home.",
    "Ben has the kite. Ann has the ball. What does Ben have? The kite.",
    "Three plus four is seven. Two plus two is four. Nine minus one is eight.",
    "Note: chest pain since noon. Urgency: high. Department: cardiology.",
)


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with some 300 tokens; bos = eos = pad = <|endoftext|> = 0."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=end, eos_token=end, pad_token=end
    )


@pytest.fixture
def tiny_gpt2(tiny_tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    """A random GPT-2 of 12 blocks x 64, the same in every test, in eval mode."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tiny_tokenizer),
        n_layer=12,
        n_embd=64,
        n_head=2,
        n_positions=128,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPT2LMHeadModel(config).eval()


@pytest.fixture
def tiny_llama(tiny_tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A random Llama of 4 blocks x 64 with grouped keys and values, in eval mode."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=0,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def tiny_t5(tiny_tokenizer: PreTrainedTokenizerFast) -> T5ForConditionalGeneration:
    """A random T5 of 3 + 3 blocks x 64, in eval mode."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(tiny_tokenizer),
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=3,
        num_heads=4,
    )
    config.decoder_start_token_id = 0
    return T5ForConditionalGeneration(config).eval()


@pytest.fixture
def tiny_bart(tiny_tokenizer: PreTrainedTokenizerFast) -> BartForConditionalGeneration:
    """A random BART of 3 + 3 blocks x 64, in eval mode."""
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tiny_tokenizer),
        d_model=64,
        encoder_layers=3,
        decoder_layers=3,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_position_embeddings=128,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
        forced_eos_token_id=0,
    )
    return BartForConditionalGeneration(config).eval()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCard]:
    """This machine is one with a card, which is not there (fake_card.py)."""
    with a_card(monkeypatch) as fake:
        yield fake


@pytest.fixture(autouse=os.environ.get("FTLAB_TEST_CARD") == "1")
def on_a_card(card: FakeCard) -> None:
    """With FTLAB_TEST_CARD=1 every test runs as on a machine with a card."""


@pytest.fixture(scope="module")
def lab() -> Any:
    """nano-gpt2 and clinic, with few questions and few test items; a module may change it."""
    from small import small_lab

    return small_lab()
