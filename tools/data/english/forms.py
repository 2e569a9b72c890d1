"""The two shapes that the English suite's questions take, as plain rows for a JSON line."""

from tools.world.dice import Dice


def choice(name: str, skill: str, query: str, right: str, wrong: list[str], label: int) -> dict:
    """A question whose right option stands at place `label` among the wrong ones.

    Options begin with the space that parts them from the query.
    """
    options = [f" {option}" for option in wrong]
    options.insert(label, f" {right}")
    return row(name, skill, "choice", query, options, label)


def cloze(name: str, skill: str, query: str, answer: str) -> dict:
    """A text to go on with: right when the model's own next tokens are the answer."""
    return row(name, skill, "cloze", query, [f" {answer}"], 0)


def pair(name: str, skill: str, right: str, wrong: str, label: int) -> dict:
    """Two whole sentences; the right one stands at place `label`."""
    return row(name, skill, "pair", "", [wrong, right] if label else [right, wrong], label)


def row(name: str, skill: str, form: str, query: str, choices: list[str], label: int) -> dict:
    """One probe, with the keys in the order in which the files have them."""
    return {
        "id": name,
        "skill": skill,
        "form": form,
        "query": query,
        "choices": choices,
        "label": label,
    }


def even_labels(dice: Dice, n: int, options: int) -> list[int]:
    """`n` labels in random order, each of 0 .. options-1 equally often (to within one)."""
    return dice.picks([i % options for i in range(n)], n)
