"""Notebook 05's attention explorer: which attention carries what, and what was recorded for it.

    attention_panel(compare.shipped("nano-t5")).show()                    with controls
    attention_outcome("new_words", attentions=("encoder",), found=runs)   one picture of it

Left, both stacks and what each attention carries, and what was learned and retained, skill by
skill; right, the place among all recorded settings of that task. Adapters alone, in pairs and all
three train equally many parameters (rank 24; 12 and 12; 8, 8 and 8). Notable choice: a way to train
that was recorded at other rates only is answered with the nearest of those, drawn hollow and
named; everything that is shown, ranks and parameters too, is read from the recorded runs.

Run the tests: pytest tests/show/test_attention_panel.py
"""

from collections.abc import Iterable, Mapping, Sequence
from math import log
from statistics import fmean
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ftlab.analysis import compare
from ftlab.base.errors import InputError
from ftlab.experiments.seq2seq import ATTENTIONS, sweep_name
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.data import MEASURES
from ftlab.show.canvas.sheet import EDGE, Picture, panel, write, write_head
from ftlab.show.canvas.style import (
    INK,
    METHODS,
    PAPER,
    SOFT,
    rate_text,
    skill_marks,
    words,
)
from ftlab.show.panels.panel import Panel, choice, rate_slider, toggle
from ftlab.show.plots import recorded
from ftlab.show.plots.recorded import Found
from ftlab.show.plots.stacks import KINDS, STACKS, draw_attention, draw_stack

ALONE = ("encoder", "cross", "decoder")
WAYS = {
    "adapters": "adapters of equal size",
    "lora_article": "adapters, the article's plan",
    "full": "all weights",
    "freeze_encoder": "one stack, encoder frozen",
    "freeze_decoder": "one stack, decoder frozen",
}
"""What can be trained, and what a learner reads; the attentions are chosen for the first alone."""
STILL = {"freeze_encoder": {"encoder"}, "freeze_decoder": {"decoder", "cross"}}
"""The attentions that lie in a frozen stack."""
NONE, STUCK = "no adapter", "frozen"
TOP, STEP, LEFT, LONG = 1.48, 0.26, 1.5, 2.5  # inches: height and distance of bars, 0 and 100 %
RATE = 3e-4  # recorded for every way to train


@own_settings()
def attention_outcome(
    domain: str = "new_words",
    train: str = "adapters",
    attentions: Iterable[str] = ALONE,
    rate: float = 1e-3,
    *,
    found: Iterable[Any],
) -> Picture:
    """What one of WAYS trains on both stacks, and what was recorded for it on `domain`.

    `attentions` (encoder, cross, decoder) counts for "adapters" alone; `found`: recorded runs.
    Raises InputError for adapters on no attention, and for what was recorded at no rate.
    """
    settings = _settings(list(found), domain, rate)
    sweep = _sweep(train, list(attentions))
    chosen = recorded.nearest([_near(setting, rate) for setting in compare.pick(settings, sweep)])
    colour = METHODS["full" if train == "full" else sweep].colour
    figure = Picture(9.6, 4.55)
    _drawing(figure, train, chosen[0].runs[0])
    how = "recorded" if chosen[0].exact else f"nearest: {chosen[0].name}"
    how += "; lines: all seeds; dotted: 100 %"
    write_head(figure, EDGE, TOP + 0.18, "Learned, and retained by skill", how)
    _bars(figure, chosen[0], colour)
    others = [setting.runs for setting in settings]
    recorded.outcomes(figure, chosen, others, colour, f"all settings on {words(domain)}")
    figure.alt = sentence(domain, train, rate, chosen)
    return figure


def shifts(runs: Iterable[Any]) -> list[str]:
    """The tasks on which attentions were adapted. InputError if there is none."""
    names = sorted({run.domain for run in runs if run.method == "lora_kinds"})
    if not names:
        raise recorded.missing("adapts the attentions of an encoder-decoder model", "nano-t5")
    return names


def rates(runs: Iterable[Any]) -> list[float]:
    """All rates at which something was recorded on one of the `shifts`."""
    runs = list(runs)
    tasks = shifts(runs)
    return sorted({run.plan["lr"] for run in runs if run.domain in tasks})


def _settings(runs: Sequence[Any], domain: str, rate: float) -> list[Any]:
    """The recorded settings of a task, where there is something at that rate."""
    if domain not in (have := shifts(runs)):
        names = ", ".join(have)
        raise InputError(f"Attentions were not adapted on '{domain}'; choose one of {names}.")
    if rate not in rates(runs):
        listed = ", ".join(map(rate_text, rates(runs)))
        raise InputError(
            f"Nothing was recorded at the rate {rate_text(rate)}; choose from {listed}."
        )
    return compare.settings(runs, domain=domain)


def _sweep(train: str, attentions: Sequence[str]) -> str:
    """What the records call this way to train."""
    if train not in WAYS:
        raise InputError(f"'{train}' is no way to train; choose one of {', '.join(WAYS)}.")
    if train != "adapters":
        return recorded.FULL[0] if train == "full" else train
    if strange := [kind for kind in attentions if kind not in ATTENTIONS]:
        raise InputError(f"'{strange[0]}' is no attention; they are {', '.join(ALONE)}.")
    if not attentions:
        raise InputError(
            "No attention carries an adapter, so nothing would train and nothing was recorded; "
            "switch on at least one of the three."
        )
    return sweep_name(tuple(kind for kind in ATTENTIONS if kind in attentions))


def _near(setting: Any, rate: float) -> Found:
    """A recorded setting, and how many times the rates differ, as a logarithm."""
    name = f"at a rate of {rate_text(setting.lr)}"
    return Found(name, setting.runs, abs(log(setting.lr / rate)))


# --- what trains ----------------------------------------------------------------------------------


def _drawing(figure: Picture, train: str, run: Any) -> None:
    """Both stacks: filled what trains, dotted what is frozen, and what each attention carries."""
    axes = panel(figure, EDGE, 2.2, 5.5, 1.75)
    axes.set(xlim=(0.45, 8.25), ylim=(0.32, 3.15))
    axes.axis("off")
    rest = f"embeddings {'train too' if train == 'full' else 'frozen'}"
    count = recorded.counted(run.trainable, run.total)
    write_head(figure, EDGE, 3.95, "What trains", f"{count}; {rest}")
    for stack in STACKS:
        if train == "full" or (train in STILL and stack not in STILL[train]):
            draw_stack(axes, stack, stack, METHODS["full"].colour, 0.55)
        else:
            draw_stack(axes, stack, stack, "#F7F7F7", line=":")
    for kind, carried in carries(train, run).items():
        words = f"{KINDS[kind][0]}\n{carried}"
        draw_attention(axes, kind, words, carried not in (NONE, STUCK))


def carries(train: str, run: Any) -> dict[str, str]:
    """What a recorded run has on each attention, in words."""
    if train in ("full", *STILL):
        still = STILL.get(train, set())
        return {kind: STUCK if kind in still else "trains fully" for kind in ALONE}
    ranks: Mapping[str, int] = run.extra["method"]["ranks"]
    return {kind: f"rank {ranks[kind]}" if kind in ranks else NONE for kind in ALONE}


# --- what came of it ------------------------------------------------------------------------------


def measured(runs: Sequence[Any]) -> dict[str, list[float]]:
    """What was learned and retained, then retained by skill; of every run that has it."""
    found = {key: [run.final[key] for run in runs] for key in MEASURES}
    for skill in runs[0].final["kept"]:
        values = [run.final["kept"][skill] for run in runs]
        found[skill] = [value for value in values if value is not None]
    return {name: values for name, values in found.items() if values}


def _bars(figure: Picture, one: Found, colour: str) -> None:
    """Both measures and each skill, with their seeds; hollow bars if not of the very choice."""
    place: dict[str, Any] = {"transform": figure.dpi_scale_trans}
    for row, (name, values) in enumerate(measured(one.runs).items()):
        mark, y = skill_marks([name])[name], TOP - STEP * row - 0.05 * (name not in MEASURES)
        paint = colour if name in MEASURES else mark.colour
        look: dict[str, Any] = {"facecolor": paint, "alpha": 0.7}
        if not one.exact:
            look = {"facecolor": PAPER, "edgecolor": paint, "linestyle": (0, (3, 2))}
        bar = Rectangle((LEFT, y - 0.08), LONG * fmean(values), 0.16, **look, **place)
        ends = [LEFT + LONG * end(values) for end in (min, max)]
        figure.add_artist(bar)
        figure.add_artist(Line2D(ends, [y, y], color=INK, linewidth=1.6, **place))
        write(figure, LEFT - 0.08, y, MEASURES.get(name, mark.label), ha="right")
        write(figure, LEFT + LONG + 0.15, y, recorded.seeds_range(values))
    for x, dash in ((LEFT, "-"), (LEFT + LONG, ":")):
        look = {"color": SOFT, "linewidth": 0.8, "linestyle": dash}
        figure.add_artist(Line2D([x, x], [TOP + 0.13, 0.05], **look, **place))


# --- the words ------------------------------------------------------------------------------------


def sentence(domain: str, train: str, rate: float, chosen: Sequence[Found]) -> str:
    """What trains and what was recorded, in one sentence."""
    run, skills = chosen[0].runs[0], measured(chosen[0].runs)
    shares = {name: fmean(values) for name, values in skills.items() if name not in MEASURES}
    worst = recorded.least(shares) if chosen[0].exact else ""
    return (
        f"{words(domain).capitalize()}, {_trained(train, run)} at a rate of {rate_text(rate)}, "
        f"{recorded.counted(run.trainable, run.total)}: {recorded.outcome(chosen)}{worst}."
    )


def _trained(train: str, run: Any) -> str:
    """What trains, in words."""
    if train in ("full", *STILL):
        return METHODS[train].label
    said = carries(train, run).items()
    listed = [f"{rank} on the {KINDS[kind][0]}" for kind, rank in said if rank != NONE]
    plan = "the article's plan, " if train == "lora_article" else ""
    return f"{plan}adapters of {', '.join(listed)} attention"


# --- the controls ---------------------------------------------------------------------------------


def attention_panel(found: Iterable[Any]) -> Panel:
    """Choose a task, what trains and how fast; see what was recorded (`found`: runs) for it."""
    runs = list(found)
    toggles = {kind: toggle(KINDS[kind][0], 150, True, down="check") for kind in ALONE}
    ways = [(said, way) for way, said in WAYS.items()]
    controls = {
        "domain": choice("task", [(words(name), name) for name in shifts(runs)], shifts(runs)[-1]),
        "train": choice("train", ways, "adapters"),
        "rate": rate_slider("learning rate", rates(runs)),
        **toggles,
    }

    def switch(change: Any) -> None:
        for button in toggles.values():
            button.disabled = change["new"] != "adapters"

    controls["train"].observe(switch, names="value")

    def draw(domain: str, train: str, rate: float, **on: bool) -> Picture:
        carrying = [kind for kind in ALONE if on[kind]]
        return attention_outcome(domain, train, carrying, rate, found=runs)

    rows = {"": ["domain", "train", "rate"], "Adapters": list(toggles)}
    return Panel(controls, draw, rows=rows, presets=_presets())


def _presets() -> dict[str, dict[str, Any]]:
    """Buttons; a way to train with rates of its own comes at one that was recorded."""
    alone = {f"{KINDS[kind][0]} alone": {kind} for kind in ALONE} | {"all three": set(ALONE)}
    presets: dict[str, dict[str, Any]] = {
        said: {"train": "adapters"} | {kind: kind in on for kind in ALONE}
        for said, on in alone.items()
    }
    presets["the article's plan"] = {"train": "lora_article"}
    for way in ("full", *STILL):
        presets[METHODS[way].label] = {"train": way, "rate": RATE}
    return presets
