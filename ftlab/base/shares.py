"""Shares, skills and models in words, the same everywhere."""

SKILLS = {
    "facts": "facts (fill in)", "facts_choice": "facts (choose)", "order": "sentence order",
    "retell": "retelling",
}  # fmt: skip


def skill_name(key: str) -> str:
    """What a skill is called: `own_skill`, which is not listed, becomes "own skill"."""
    return SKILLS.get(key, key.replace("_", " "))


def model_name(name: str | None) -> str | None:
    """A model as its makers write it."""
    return "SmolLM2-135M" if name == "smollm2-135m" else name


def percent(share: float) -> str:
    """A share as text: 0.224 gives "22 %", a missing one "not measured"."""
    return "not measured" if share != share else f"{100 * share:z.0f} %"
