"""A share in words, the same everywhere."""


def percent(share: float) -> str:
    """A share as text: 0.224 gives "22 %", a missing one "not measured"."""
    if share != share:
        return "not measured"
    text = f"{100 * share:.0f}"
    return f"{'0' if text == '-0' else text} %"
