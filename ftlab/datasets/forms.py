"""The forms in which people have prompts and answers, each made into a row with these two.

    {"prompt": ..., "answer": ...}                          ours; "Prompt" is read like "prompt"
    {"prompt": ..., "completion": ...}                      TRL's, as text or as messages
    {"instruction": ..., "input": ..., "output": ...}       Alpaca's
    {"messages": [{"role": "user", "content": ...}, ...]}   a chat
    {"conversations": [{"from": "human", "value": ...}]}    ShareGPT's
    {"text": ...}                                           text alone: no prompt, all is learned

Columns of other names are named by the user: `Reading`. Of a chat the last message of the assistant
is the answer, and all before it is the prompt; what stands after it is left out. As plain text a
question alone, perhaps after a system message, is the prompt as it is; of more turns each is named:
"User: ...". The messages themselves stay beside it ("turns"), for a model with a chat template.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ftlab.base.errors import InputError
from ftlab.datasets.rows import kind, once
from ftlab.plan import check_choice

ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant"}
"""Other names of who speaks."""
COLUMNS = ("prompt", "answer", "system", "id", "held", "text", "messages")
"""What a column can be said to be."""
Turns = list[dict[str, str]]
Faulty = Literal["refuse", "skip"]
Chat = Literal["auto", "on", "off"]
TooLong = Literal["skip", "cut", "refuse"]
FAULTY, CHATS, TOO_LONG = get_args(Faulty), get_args(Chat), get_args(TooLong)


@dataclass(frozen=True)
class Reading:
    """How rows are read: which columns, and what becomes of faulty ones."""

    columns: str = ""
    """What other columns are, as "prompt=context+question,answer=label"; + joins lines."""
    faulty: Faulty = "refuse"
    """Refuse a set with a faulty row, or leave such rows out."""
    named: dict[str, list[str]] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        check_choice("faulty", self.faulty, FAULTY)
        object.__setattr__(self, "named", _named(self.columns))


def _named(columns: str) -> dict[str, list[str]]:
    pairs = [part.partition("=") for part in columns.split(",")] if columns else []
    found = {name.strip(): [one.strip() for one in of.split("+")] for name, _, of in pairs}
    if len(found) < len(pairs) or not (
        found.keys() <= set(COLUMNS) and all(map(all, found.values()))
    ):
        raise InputError(
            f"columns='{columns}' cannot be read; write it as prompt=question,answer=label; "
            f"what can be named: {', '.join(COLUMNS)}."
        )
    return found


def as_pair(row: dict[str, Any], where: str, reading: Reading | None = None) -> dict[str, Any]:
    """The row with prompt and answer where its form is known, else as it was; perhaps with turns.

    Of text alone the turns are [], and the prompt is empty. Raises InputError for columns that
    cannot be told apart or are not there, and for a chat without an answer.
    """
    once((str(name).strip().lower() for name in row), f" in {where}")
    row = {str(name).strip().lower(): value for name, value in row.items()}
    if reading and reading.named:
        row = {name: _joined(row, of, where) for name, of in reading.named.items()}
    row = {name: value for name, value in row.items() if name not in ("turns", "after")}
    prompt, answer = row.get("prompt"), row.get("completion", row.get("output"))
    if isinstance(prompt, list) and all(isinstance(turn, dict) for turn in prompt):
        answer = row.get("answer", answer)
        said = answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}]
        return row | _chat([*prompt, *said], where)
    if {"prompt", "answer"} <= row.keys():
        return row | _asked(row.get("system"), prompt, row["answer"])
    for name in ("messages", "conversations"):
        if name in row:
            return row | _chat(row[name], where, row.get("system"))
    if "completion" in row and "prompt" in row:
        return row | {"answer": answer}
    if "instruction" in row and "output" in row:
        asked = [text for text in (row["instruction"], row.get("input")) if text]
        prompt = "\n".join(map(str, asked))
        turns = [{"role": "user", "content": prompt}] if prompt else []
        return row | {"prompt": prompt, "answer": answer} | ({"turns": turns} if turns else {})
    if "text" in row and not {"prompt", "answer"} & row.keys():
        return row | {"prompt": "", "answer": row["text"], "turns": []}
    return row


def _joined(row: dict[str, Any], columns: list[str], where: str) -> Any:
    """A column, or several as lines of one text; a number is its digits."""
    for column in columns:
        if column.lower() not in row:
            there = ", ".join(f"'{key}'" for key in row) or "none"
            raise InputError(
                f"{where[:1].upper()}{where[1:]} has no column '{column}' (there is: {there})."
            )
    found = [row[column.lower()] for column in columns]
    found = [str(one) if type(one) in (int, float) else one for one in found]
    if not found[1:]:
        return found[0]
    for column, value in zip(columns, found, strict=True):
        if value is not None and not isinstance(value, str):
            raise InputError(f"The column '{column}' in {where} is {kind(value)}, not text.")
    return "\n".join(text for text in found if text)


def _asked(system: Any, prompt: Any, answer: Any) -> dict[str, Any]:
    """A prompt with a system message before it, where there is one."""
    if not (system and isinstance(system, str) and isinstance(prompt, str)):
        return {}
    turns = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
    return {"prompt": plain(turns), "answer": answer, "turns": turns}


def _chat(messages: Any, where: str, system: Any = None) -> dict[str, Any]:
    told = messages if isinstance(messages, list) else []
    turns: list[tuple[Any, Any]] = [
        (turn.get("role", turn.get("from")), _content(turn.get("content", turn.get("value"))))
        for turn in told
        if isinstance(turn, dict)
    ]
    turns = [(ROLES.get(str(role), role), text) for role, text in turns]
    roles = [role for role, _ in turns]
    while turns and turns[-1][0] != "assistant":
        turns.pop()
    if len(turns) < 2 or not all(isinstance(text, str) for _, text in turns):
        raise InputError(
            f"The chat in {where} needs messages in text, and an answer of the assistant after the "
            f"first; its roles are {', '.join(map(str, roles)) or 'none'}: leave such a row out."
        )
    *before, (_, answer) = turns
    if system and isinstance(system, str) and before[0][0] != "system":
        before.insert(0, ("system", system))
    kept = [{"role": str(role), "content": text} for role, text in before]
    after = len(roles) - len(turns)
    return {"prompt": plain(kept), "answer": answer, "turns": kept, "after": after}


def _content(value: Any) -> Any:
    """The text of a message; one that comes in parts is put together."""
    if not isinstance(value, list):
        return value
    parts = [part.get("text") if isinstance(part, dict) else None for part in value]
    return "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None


def plain(turns: Turns) -> str:
    """Messages as plain text, up to where the answer begins."""
    if [turn["role"] for turn in turns if turn["role"] != "system"] == ["user"]:
        return "\n\n".join(turn["content"] for turn in turns)
    said = [f"{turn['role'].title()}: {turn['content']}" for turn in turns]
    return "\n".join([*said, "Assistant:"])
