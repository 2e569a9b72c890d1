"""Virtual tokens: trained vectors before every text; no weight of the model changes.

    Prompt   vectors before the embeddings of the text                  (tokens, d)
    Prefix   keys and values before the text's own, in every block      (tokens, 2 x blocks x d)

    Prefix(tokens=16)                               starts at random, as peft does
    Prefix(16, start="vocabulary")                  from 16 random tokens of the vocabulary
    Prefix(16, start=tokenizer("Urgency:").input_ids)      from a text, repeated or cut to 16

Notable choices and traps (peft 0.21):
- Neither starts as the base, so what was retained "before" is measured with the adapter off.
  `start="zeros"` neither, although peft's docstring says so: a key of zero has the score 0, and
  its share of the softmax is taken from the text.
- They take up the model's context: 16 tokens leave 16 fewer for the text.
- Of a T5 the prefix reaches the decoder's own attention alone: the encoder reads none of it, and
  its cross-attention is made anew from the encoder. The paper has one in all three.
- A T5 gets its prompt before the encoder's text. (peft would count a second table that nothing
  reads.)

Sources: Li and Liang, Prefix-Tuning (2021), section 4; Lester et al., The Power of Scale for
Parameter-Efficient Prompt Tuning (2021), section 3.2 on starts.
Run the tests: pytest tests/methods/test_virtual_tokens.py
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from ftlab.base.errors import InputError
from ftlab.methods.lora import task_of, with_peft
from ftlab.methods.prepared import Prepared, count
from ftlab.plan import check_choice, check_whole
from ftlab.text.scored_batches import context_limit, evaluating

Start = Annotated[str | Sequence[int], "a word such as 'vocabulary', or the token ids of a text"]
Tokens = Annotated[int, "a whole number from 1 up"]


@dataclass(frozen=True)
class Prompt:
    """Vectors before the text's embeddings. Call it on a model to wrap it."""

    tokens: Tokens = 16
    """How many."""
    start: Start = "vocabulary"
    """vocabulary (embeddings of random tokens), random (N(0, 1)), or the token ids of a text."""
    name: str = ""
    """What records and plots call it; by default it follows from the start."""

    def __post_init__(self) -> None:
        names = {"vocabulary": "prompt", "random": "Prompt, random start"}
        _settle(self, names, "Prompt from text")

    def __call__(self, model: nn.Module) -> Prepared:
        """Wrap the model with peft. Raises InputError where no room is left for a text."""
        from peft import PromptTuningConfig

        _check_room(model, self.tokens)
        ids = _ids(model, self.start, self.tokens)
        config = PromptTuningConfig(
            task_type=task_of(model), num_virtual_tokens=self.tokens, num_transformer_submodules=1
        )
        made: Any = with_peft(model, config)
        if ids is not None:
            with torch.no_grad():
                made.prompt_encoder["default"].embedding.weight.copy_(made.word_embeddings(ids))
        return count(made, self.name)


@dataclass(frozen=True)
class Prefix:
    """Keys and values before the text's own, in every block. Call it on a model to wrap it."""

    tokens: Tokens = 16
    """How many."""
    start: Start = "random"
    """random (N(0, 1)), zeros, vocabulary (of random tokens), or the token ids of a text."""
    name: str = ""
    """What records and plots call it; by default it follows from the start."""

    def __post_init__(self) -> None:
        names = {"random": "prefix", "vocabulary": "prefix_words", "zeros": "Prefix from zeros"}
        _settle(self, names, "Prefix from text")

    def __call__(self, model: Any) -> Prepared:
        """Wrap the model with peft. Raises InputError where no room is left for a text."""
        from peft import PrefixTuningConfig, initialize_kv_prefix_from_past_key_values

        _check_room(model, self.tokens)
        ids = _ids(model, self.start, self.tokens)
        if ids is not None and model.config.is_encoder_decoder:
            raise InputError("The prefix of an encoder-decoder model starts at random or zeros.")
        with evaluating(model):
            states = None if ids is None else model(ids[None], use_cache=True).past_key_values
        config = PrefixTuningConfig(
            task_type=task_of(model),
            num_virtual_tokens=self.tokens,
            init_weights="zero" if self.start == "zeros" else None,
        )
        made = with_peft(model, config)
        if states is not None:
            initialize_kv_prefix_from_past_key_values(made, past_key_values=states)
        return count(made, self.name)


def _settle(method: Any, names: dict[str, str], from_text: str) -> None:
    """Check the fields, put ids into a tuple, and name what has no name."""
    check_whole("tokens", method.tokens, 1)
    if isinstance(method.start, str):
        check_choice("start", method.start, (*names, "the token ids of a text"))
    else:
        object.__setattr__(method, "start", _checked(method.start))
    name = names[method.start] if isinstance(method.start, str) else from_text
    object.__setattr__(method, "name", method.name or name)


def _checked(start: Any) -> tuple[int, ...]:
    try:
        ids = tuple(start)
    except TypeError:
        ids = ()
    for token in ids:
        check_whole("a token of start", token, 0)
    if not ids:
        raise InputError(f"start={start!r} holds no token; give the ids of a text, or a word.")
    return ids


def _ids(model: Any, start: Any, tokens: int) -> Tensor | None:
    """The real tokens that the virtual ones start from; None where they need none. (tokens,)"""
    if start in ("random", "zeros"):
        return None
    size = model.config.vocab_size
    if start == "vocabulary":
        return torch.randint(0, size, (tokens,)).to(model.device)
    if max(start) >= size:
        raise InputError(f"start holds token {max(start)} and the model knows {size}.")
    repeated = (start * -(-tokens // len(start)))[:tokens]
    return torch.tensor(repeated, device=model.device)


def _check_room(model: nn.Module, tokens: int) -> None:
    limit = context_limit(model)
    if tokens >= limit:
        raise InputError(
            f"{tokens} virtual tokens leave no room for a text in the {limit} tokens that the "
            f"model reads; give at most {limit - 1}, better 8 to 32."
        )
