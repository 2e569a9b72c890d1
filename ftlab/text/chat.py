"""Prompts in the chat template of a tokenizer, as a model that was tuned on chats knows them.

    user: Hi   ->   <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n

The answer stays as it is and ends, as every answer here, with the tokenizer's end token. With
"auto" what came as a chat or an instruction is written so, where the tokenizer has a template; with
"on" every prompt is; with "off" none, and a chat is plain text ("User: ...").
"""

import json
from collections.abc import Callable
from typing import Any

from ftlab.base.errors import InputError, first_line
from ftlab.datasets.forms import CHATS
from ftlab.datasets.items import Item
from ftlab.plan import check_choice
from ftlab.text.segments import encode

TRIAL = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


def writer(tokenizer: Any, chat: str) -> Callable[[Item], Item]:
    """What writes an item as the model is to read it, without its turns.

    Raises InputError for "on" where there is no template; so does the writer, for a chat that the
    template does not take and for a prompt that is written in one already.
    """
    check_choice("chat", chat, CHATS)
    has = bool(tokenizer.chat_template)
    if chat == "on" and not has:
        raise InputError(
            "chat='on' is not possible: the tokenizer has no chat template; leave it at 'auto'."
        )
    lead = _lead(tokenizer) if has and chat != "off" else ""

    def write(item: Item) -> Item:
        plain = {key: value for key, value in item.items() if key != "turns"}
        turns = json.loads(item.get("turns") or "[]")
        if chat == "off" or not has or not (turns or (chat == "on" and item["prompt"])):
            return plain
        prompt = _rendered(tokenizer, turns or _question(tokenizer, item), item["id"])
        answer, one = item["answer"], item["answer"][:2]
        bare = answer[1:] if one[:1] == " " and not one[1:].isspace() else answer
        return plain | {"prompt": prompt, "answer": bare if bare[0].isspace() else lead + bare}

    return write


def _question(tokenizer: Any, item: Item) -> list[dict[str, str]]:
    """A prompt as the user's message."""
    if set(encode(tokenizer, [item["prompt"]])[0]) & set(tokenizer.all_special_ids):
        raise InputError(
            f"The prompt of '{item['id']}' holds special tokens, so it is written in a template "
            "already; give chat='off', --chat off."
        )
    return [{"role": "user", "content": item["prompt"]}]


def _rendered(tokenizer: Any, turns: list[dict[str, str]], name: str) -> str:
    try:
        return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template raises what it likes
        roles = ", ".join(turn["role"] for turn in turns)
        raise InputError(
            f"The tokenizer's chat template does not take '{name}', whose roles are {roles} "
            f"({first_line(error)}); leave such rows out, or give chat='off', --chat off."
        ) from error


def _lead(tokenizer: Any) -> str:
    """The blank that the template puts between the assistant's name and the answer, or ""."""
    before = _rendered(tokenizer, TRIAL[:1], "a trial")
    whole = tokenizer.apply_chat_template(TRIAL, tokenize=False)
    return " " if whole.startswith(f"{before} ") else ""
