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
from ftlab.datasets.rows import once

ROLES = {"human": "user", "gpt": "assistant"}
"""ShareGPT's names of who speaks."""


def as_pair(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The row with prompt and answer where its form is known, else as it was.

    Raises InputError for columns that cannot be told apart and for a chat without an answer.
    """
    once((str(name).strip().lower() for name in row), f" in {where}")
    row = {str(name).strip().lower(): value for name, value in row.items()}
    prompt, answer = row.get("prompt"), row.get("completion", row.get("output"))
    if isinstance(prompt, list) and isinstance(answer, list):
        return row | _chat([*prompt, *answer], where)
    if {"prompt", "answer"} <= row.keys():
        return row
    for name in {"messages", "conversations"} & row.keys():
        return row | _chat(row[name], where)
    if "completion" in row and "prompt" in row:
        return row | {"answer": answer}
    if "instruction" in row and "output" in row:
        asked = [text for text in (row["instruction"], row.get("input")) if text]
        return row | {"prompt": "\n".join(map(str, asked)), "answer": answer}
    return row


def _chat(messages: Any, where: str) -> dict[str, Any]:
    told = messages if isinstance(messages, list) else []
    turns: list[tuple[Any, Any]] = [
        (turn.get("role", turn.get("from")), turn.get("content", turn.get("value")))
        for turn in told
        if isinstance(turn, dict)
    ]
    roles = [ROLES.get(role, role) for role, _ in turns]
    if len(roles) < 2 or roles[-1] != "assistant" or not all(isinstance(t, str) for _, t in turns):
        raise InputError(
            f"The chat in {where} needs messages in text, the last of them the assistant's answer; "
            f"its roles are {', '.join(map(str, roles)) or 'none'}: leave such a row out."
        )
    *before, (_, answer) = turns
    if [role for role in roles[:-1] if role != "system"] == ["user"]:
        return {"prompt": "\n\n".join(text for _, text in before), "answer": answer}
    said = [f"{str(r).title()}: {t}" for r, (_, t) in zip(roles[:-1], before, strict=True)]
    return {"prompt": "\n".join([*said, "Assistant:"]), "answer": answer}
