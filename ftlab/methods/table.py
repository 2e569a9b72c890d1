"""The table of methods: what each is called, how it is drawn, and how it is made by name.

    METHODS["freeze_low"].label        lower half frozen
    named("lora_all")                  LoRA({"1-12": 4}, targets=all linear layers)
    name_of(LoRA())                    lora_qv, the row that makes it

A new method is its file, a row here, and a test. Records, plots, `lab.run(method="...")` and
`ftlab run --method` read this table. Notable choices:

- every colour has a contrast of at least 3:1 against white (WCAG 2.1, 1.4.11); no two methods of
  one plot share a marker;
- a row without `make` is no method of its own: a schedule, replay, a base that was not trained.
"""

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from difflib import get_close_matches
from typing import Any

import ftlab.methods as m  # its names are loaded when they are used: no torch before that
from ftlab.base.errors import InputError

LINEAR = ("q", "k", "v", "o", "ff")
ATTENTION = ("q", "k", "v", "o")


@dataclass(frozen=True)
class Row:
    """One method."""

    label: str
    """What a plot says."""
    colour: str
    """As #RRGGBB."""
    marker: str
    """As matplotlib writes it."""
    make: Callable[[int], Any] | None = None
    """seed -> the method, for what can be asked for by name."""


def _attentions(**ranks: int) -> Callable[[int], Any]:
    return lambda seed: m.AttentionLoRA(ranks)


METHODS: dict[str, Row] = {
    "base": Row("before fine-tuning", "#444444", "*"),
    "full": Row("full fine-tuning", "#D55E00", "o", lambda seed: m.full),
    "schedule": Row("warmup + cosine", "#705000", "s"),
    "freeze": Row("layers frozen", "#0072B2", "^", lambda seed: m.Freeze()),
    "freeze_low": Row(
        "lower half frozen", "#2E6F9E", "$◒$", lambda seed: m.Freeze({"1-6": 0.0, "7-12": 1.0})
    ),
    "freeze_top": Row(
        "upper half frozen", "#5B7F95", "$◓$", lambda seed: m.Freeze({"1-6": 1.0, "7-12": 0.0})
    ),
    "freeze_any": Row(
        "random half frozen", "#7A7F87", "$◪$", lambda seed: m.Freeze.random_half(seed)
    ),
    "lora_qv": Row("LoRA on Q and V", "#B0407F", "D", lambda seed: m.LoRA()),
    "lora_all": Row(
        "LoRA on all linear", "#008A66", "P", lambda seed: m.LoRA({"1-12": 4}, targets=LINEAR)
    ),
    "lora_band": Row("LoRA Q, V by band", "#8E2C8E", ">", lambda seed: m.LoRA.article()),
    "lora_even": Row(
        "LoRA all linear, thin", "#3D7D52", "d",
        lambda seed: m.LoRA({"1-8": 1, "9-12": 2}, targets=LINEAR, name="lora_even"),
    ),
    "lora_small": Row(
        "LoRA on all linear, r 2", "#00705A", "d",
        lambda seed: m.LoRA({"1-12": 2}, targets=LINEAR, name="lora_small"),
    ),
    "lora_head": Row("LoRA by band, head", "#C2185B", "h", lambda seed: m.LoRA.article(head=True)),
    "lora_attention": Row(
        "LoRA on all attention", "#A05A2C", "<",
        lambda seed: m.LoRA({"1-12": 8}, targets=ATTENTION),
    ),
    "lora_ff": Row(
        "LoRA on feed-forward", "#6B7A00", "v", lambda seed: m.LoRA({"1-12": 8}, targets=("ff",))
    ),
    "lora_decoder": Row("decoder's own", "#B0407F", "s", _attentions(decoder=24)),
    "lora_cross": Row("cross", "#3B3B98", "X", _attentions(cross=24)),
    "lora_encoder": Row("encoder", "#008A66", "^", _attentions(encoder=24)),
    "lora_decoder_cross": Row(
        "decoder's own + cross", "#6A3FA0", "h", _attentions(decoder=12, cross=12)
    ),
    "lora_decoder_encoder": Row(
        "decoder's own + encoder", "#8C6D00", "H", _attentions(decoder=12, encoder=12)
    ),
    "lora_cross_encoder": Row("cross + encoder", "#2F7F86", "8", _attentions(cross=12, encoder=12)),
    "lora_kinds": Row("all three", "#A05A2C", "D", _attentions(decoder=8, cross=8, encoder=8)),
    "lora_article": Row("the article's plan", "#4B4BA8", "P", lambda seed: m.AttentionLoRA()),
    "freeze_encoder": Row("encoder frozen", "#0072B2", "<", lambda seed: m.FreezeStack("encoder")),
    "freeze_decoder": Row("decoder frozen", "#7A7F87", ">", lambda seed: m.FreezeStack("decoder")),
    "bottleneck": Row("bottleneck adapters", "#B3541E", "v", lambda seed: m.Bottleneck()),
    "prefix": Row("prefix, random start", "#5E4FA2", "<", lambda seed: m.Prefix()),
    "prefix_words": Row(
        "prefix, start from words", "#3F6FB5", "s", lambda seed: m.Prefix(start="vocabulary")
    ),
    "prompt": Row("prompt tuning", "#94568C", ">", lambda seed: m.Prompt()),
    "ia3": Row("IA3", "#4D7C0F", "X", lambda seed: m.IA3()),
    "oft": Row("OFT on Q and V", "#0F766E", "H", lambda seed: m.OFT()),
    "osf": Row("OSF, half protected", "#9F1239", "p", lambda seed: m.OSF()),
    "tune_prune": Row("pruned last", "#B0407F", "D"),
    "prune_tune": Row("pruned first", "#0072B2", "s"),
    "tune_prune_tune": Row("pruned halfway", "#705000", "^"),
    "drop_tune": Row("blocks dropped, then fine-tuned", "#7A7F87", "v"),
    "update": Row("update pruned", "#008A66", "X"),
    "walk": Row("part of the way from the base", "#008A66", "P"),
    "lines": Row("part of the way, by depth", "#2F7F86", "X"),
    "recipe": Row("replay, then part of the way", "#7A1F4B", ">"),
    "replay_own": Row("replay, self-written", "#145A32", "v"),
    "replay_english": Row("replay of other text", "#7A7F87", "<"),
    "ewc": Row("EWC", "#0072B2", "s"),
    "l2sp": Row("L2-SP", "#705000", "^"),
    "kl": Row("KL on general text", "#8E2C8E", "D"),
    "kl_notes": Row("KL on the new answers", "#B0407F", "H"),
    "dft": Row("DFT", "#4B4BA8", "d"),
    "eaft": Row("EAFT", "#A05A2C", "h"),
    "stm": Row("STM", "#5B7F95", "8"),
    "qlora": Row("QLoRA", "#7A1F4B", "X", lambda seed: m.QLoRA()),
    "replay": Row("replay", "#145A32", "p"),
}  # fmt: skip

NAMES = tuple(name for name, row in METHODS.items() if row.make)
"""What can be asked for by name."""


def named(name: str, seed: int = 0) -> Any:
    """The method of that name; `seed` decides what is random in it. Raises InputError."""
    check_name(name)
    make = METHODS[name].make
    assert make is not None
    return make(seed)


def check_name(name: str) -> None:
    """Raise InputError for a name that is none, with the nearest that is one."""
    if name not in NAMES:
        close = get_close_matches(str(name), NAMES, n=1)
        near = f" (did you mean '{close[0]}'?)" if close else ""
        raise InputError(f"There is no method '{name}'{near}; the methods are {', '.join(NAMES)}.")


def name_of(method: Any, seed: int = 0) -> str | None:
    """The name by which `named` makes this very method; None for one that no row makes."""
    return next((name for name in NAMES if _same(named(name, seed), method)), None)


def _same(a: Any, b: Any) -> bool:
    """Equal in all but the name that was given."""
    return a is b or (is_dataclass(a) and type(a) is type(b) and _unnamed(a) == _unnamed(b))


def _unnamed(method: Any) -> Any:
    if not is_dataclass(method):
        return method
    inner = {k: _unnamed(v) for k, v in vars(method).items() if k == "adapters"}
    own = {"name": ""} if method.__dataclass_fields__.get("name") else {}
    return replace(method, **own, **inner)  # pyright: ignore
