"""The forms in which people have prompts and answers, each made into a row with these two.

    {"prompt": ..., "answer": ...}                          ours; "Prompt" is read like "prompt"
    {"prompt": ..., "completion": ...}                      TRL's, as text or as messages
    {"instruction": ..., "input": ..., "output": ...}       Alpaca's
    {"messages": [{"role": "user", "content": ...}, ...]}   a chat
    {"conversations": [{"from": "human", "value": ...}]}    ShareGPT's

Of a chat the last message is the answer, which must be the assistant's. A question alone, perhaps
after a system message, is the prompt as it is; of more turns each is named: "User: ...".
"""

from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.rows import capital, kind, once

ROLES = {"human": "user", "gpt": "assistant"}
"""ShareGPT's names of who speaks."""


def as_pair(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The row with prompt and answer where its form is known, else as it was.

    Raises InputError, saying where, for columns that cannot be told apart and for a chat that is
    none.
    """
    try:
        once(str(name).strip().lower() for name in row)
        row = {str(name).strip().lower(): value for name, value in row.items()}
        return row if {"prompt", "answer"} <= row.keys() else row | _pair(row)
    except InputError as fault:
        raise InputError(f"{str(fault).rstrip('.')} ({where}).") from fault


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    prompt, answer = row.get("prompt"), row.get("completion")
    if isinstance(prompt, list) and isinstance(answer, list):
        return _chat([*prompt, *answer])
    for name in ("messages", "conversations"):
        if name in row:
            return _chat(row[name])
    if {"prompt", "completion"} <= row.keys():
        return {"answer": answer}
    if {"instruction", "output"} <= row.keys():
        asked = [row["instruction"], row.get("input")]
        texts = [text for text in asked if isinstance(text, str) and text.strip()]
        return {"prompt": "\n".join(texts), "answer": row["output"]}
    return {}


def _chat(messages: Any) -> dict[str, Any]:
    turns = [_turn(message) for message in messages] if isinstance(messages, list) else []
    if len(turns) < 2 or turns[-1][0] != "assistant":
        last = f"is the {turns[-1][0]}'s" if turns else "is missing"
        raise InputError(
            f"A chat needs a question and the assistant's answer at its end, and here the last of "
            f"{len(turns)} messages {last}; leave such a row out."
        )
    *before, (_, answer) = turns
    if [role for role, _ in before if role != "system"] == ["user"]:
        return {"prompt": "\n\n".join(text for _, text in before), "answer": answer}
    said = [f"{capital(role)}: {text}" for role, text in before]
    return {"prompt": "\n".join([*said, "Assistant:"]), "answer": answer}


def _turn(message: Any) -> tuple[str, str]:
    """Who speaks, and what."""
    known = message if isinstance(message, dict) else {}
    role, text = (known.get(a, known.get(b)) for a, b in (("role", "from"), ("content", "value")))
    if not isinstance(role, str) or not isinstance(text, str):
        raise InputError(
            f"A message says {kind(text)} as {role or 'nobody'}; it needs a role and its text."
        )
    return ROLES.get(role, role), text
