"""Notebook 05's attention explorer: which attention carries what, and what was recorded for it.

    attention_panel(compare.shipped("nano-t5")).show()                    with controls
    attention_outcome("new_words", attentions=("encoder",), found=runs)   one picture of it

Left, both stacks and what each attention carries, and what was learned and kept, skill by skill;
right, the place among all recorded settings of that task. Adapters alone, in pairs and all
three train equally many numbers (rank 24; 12 and 12; 8, 8 and 8). Notable choice: a way to train
that was recorded at other rates only is answered with the nearest of those, drawn hollow and
named; everything that is shown, ranks and numbers too, is read from the recorded runs.

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
from ftlab.show.canvas.sheet import EDGE, LIFT, Picture, head, heading, panel
from ftlab.show.canvas.style import INK, METHODS, SOFT, percent, plain, skill_marks, words
from ftlab.show.panels.panel import Panel, choice, slider
from ftlab.show.plots.recorded import (
    Found,
    both_told,
    how_near,
    nearest,
    outcomes,
    told,
    write,
    write_head,
)
from ftlab.show.plots.stacks import KINDS, READS, draw_attention, draw_stack

ALONE = ("encoder", "cross", "decoder")
WAYS = {
    "adapters": "adapters, equal numbers",
    "lora_article": "adapters, the article's plan",
    "full": "all weights",
    "freeze_encoder": "one stack, encoder frozen",
    "freeze_decoder": "one stack, decoder frozen",
}
"""What can be trained, and what a learner reads; the attentions are chosen for the first alone."""
STILL = {"freeze_encoder": {"encoder"}, "freeze_decoder": {"decoder", "cross"}}
"""The attentions that lie in a frozen stack."""
NONE, STUCK = "no adapter", "frozen"
BOTH = {"target_score": "right answers", "retention": "skills kept"}
TOP, STEP, LEFT, LONG = 1.53, 0.26, 1.5, 2.5  # inches: height and distance of bars, 0 and 100 %
RATE = 3e-4  # recorded for every way to train


@own_settings
def attention_outcome(
    domain: str = "new_words",
    train: str = "adapters",
    attentions: Iterable[str] = ALONE,
    rate: float = 1e-3,
    *,
    found: Iterable[Any],
    title: str | None = None,
) -> Picture:
    """What one of WAYS trains on both stacks, and what was recorded for it on `domain`.

    `attentions` (encoder, cross, decoder) counts for "adapters" alone; `found`: recorded runs.
    Raises InputError for adapters on no attention, and for what was recorded at no rate.
    """
    runs = list(found)
    settings = _settings(runs, domain, rate)
    sweep = _sweep(train, list(attentions))
    chosen = nearest([_near(setting, rate) for setting in compare.pick(settings, sweep)])
    colour = METHODS["full" if train == "full" else sweep].colour
    lift = LIFT if title else 0.0
    figure = Picture(9.6, 4.55 + lift)
    _drawing(figure, train, chosen[0].runs[0])
    how = "recorded" if chosen[0].exact else f"nearest: {chosen[0].name}"
    how += "; lines: all seeds; dotted: 100 %"
    write_head(figure, EDGE, TOP + 0.18, "Learned, and kept by skill", how)
    _bars(figure, chosen[0], colour)
    plane = panel(figure, 6.25, 0.55, 2.95, 3.4)
    over = "Recorded for this choice" if chosen[0].exact else "Not recorded: the nearest that were"
    head(plane, over, f"upward: skills kept; pale: all settings on {words(domain)}")
    outcomes(plane, chosen, [setting.runs for setting in settings], colour)
    heading(figure, title)
    figure.alt = sentence(domain, train, rate, chosen)
    return figure


def shifts(runs: Iterable[Any]) -> list[str]:
    """The tasks on which attentions were adapted. InputError if there is none."""
    names = sorted({run.domain for run in runs if run.method == "lora_kinds"})
    if not names:
        raise InputError(
            "None of these recorded runs adapts the attentions of an encoder-decoder model; "
            'take those of compare.shipped("nano-t5").'
        )
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
        listed = ", ".join(map(plain, rates(runs)))
        raise InputError(f"Nothing was recorded at the rate {plain(rate)}; choose from {listed}.")
    return compare.settings(runs, domain=domain)


def _sweep(train: str, attentions: Sequence[str]) -> str:
    """What the records call this way to train."""
    if train not in WAYS:
        raise InputError(f"'{train}' is no way to train; choose one of {', '.join(WAYS)}.")
    if train != "adapters":
        return "learning rate" if train == "full" else train
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
    name = f"at a rate of {plain(setting.lr)}"
    return Found(name, setting.runs, abs(log(setting.lr / rate)))


# --- what moves -----------------------------------------------------------------------------------


def _drawing(figure: Picture, train: str, run: Any) -> None:
    """Both stacks: filled what trains, dotted what is frozen, and what each attention carries."""
    axes = panel(figure, EDGE, 2.2, 5.5, 1.75)
    rest = f"embeddings {'train too' if train == 'full' else 'frozen'}"
    write_head(figure, EDGE, 3.95, "What trains", f"{_numbers(run)}; {rest}")
    axes.set_xlim(0.45, 8.25)
    axes.set_ylim(0.32, 3.15)
    axes.axis("off")
    for x, stack, reads in zip((2.9, 5.7), ("encoder", "decoder"), READS, strict=True):
        draw_stack(axes, x, stack, reads)
        moves = train == "full" or (train in STILL and stack not in STILL[train])
        face = METHODS["full"].colour if moves else "#F7F7F7"
        for box in axes.patches[-4:]:
            box.set(facecolor=face, alpha=0.55 if moves else 1, linestyle="-" if moves else ":")
    for kind, carried in carries(train, run).items():
        draw_attention(axes, kind, {} if carried in (NONE, STUCK) else None)
        axes.texts[-1].set_text(f"{KINDS[kind][0]}\n{carried}")


def carries(train: str, run: Any) -> dict[str, str]:
    """What a recorded run has on each attention, in words."""
    if train in ("full", *STILL):
        still = STILL.get(train, set())
        return {kind: STUCK if kind in still else "trains fully" for kind in ALONE}
    ranks: Mapping[str, int] = run.extra["method"]["ranks"]
    return {kind: f"rank {ranks[kind]}" if kind in ranks else NONE for kind in ALONE}


def _numbers(run: Any) -> str:
    share = 100 * run.trainable / run.total
    return f"{run.trainable:,} of {run.total:,} numbers train ({share:.3g} %)"


# --- what came of it ------------------------------------------------------------------------------


def measured(runs: Sequence[Any]) -> dict[str, list[float]]:
    """What was learned and kept, then kept by skill; of every run that has it."""
    found = {key: [run.final[key] for run in runs] for key in BOTH}
    for skill in runs[0].final["kept"]:
        values = [run.final["kept"][skill] for run in runs]
        found[skill] = [value for value in values if value is not None]
    return {name: values for name, values in found.items() if values}


def _bars(figure: Picture, one: Found, colour: str) -> None:
    """Both numbers and each skill, with their seeds; hollow bars if not of the very choice."""
    place: dict[str, Any] = {"transform": figure.dpi_scale_trans}
    for row, (name, values) in enumerate(measured(one.runs).items()):
        mark, y = skill_marks([name])[name], TOP - STEP * row - 0.05 * (name not in BOTH)
        paint, label = (colour, BOTH[name]) if name in BOTH else (mark.colour, mark.label)
        look: dict[str, Any] = {"facecolor": paint, "alpha": 0.7}
        if not one.exact:
            look = {"facecolor": "white", "edgecolor": paint, "linestyle": (0, (3, 2))}
        bar = Rectangle((LEFT, y - 0.08), LONG * fmean(values), 0.16, **look, **place)
        ends = [LEFT + LONG * end(values) for end in (min, max)]
        figure.add_artist(bar)
        figure.add_artist(Line2D(ends, [y, y], color=INK, linewidth=1.6, **place))
        write(figure, LEFT - 0.08, y, label, ha="right")
        write(figure, LEFT + LONG + 0.15, y, told(values))
    for x, dash in ((LEFT, "-"), (LEFT + LONG, ":")):
        look = {"color": SOFT, "linewidth": 0.8, "linestyle": dash}
        figure.add_artist(Line2D([x, x], [TOP + 0.13, 0.05], **look, **place))


# --- the words ------------------------------------------------------------------------------------


def sentence(domain: str, train: str, rate: float, chosen: Sequence[Found]) -> str:
    """What trains and what was recorded, in one sentence."""
    run = chosen[0].runs[0]
    text = f"{words(domain).capitalize()}, {_trained(train, run)} at a rate of {plain(rate)}"
    text += f", {_numbers(run)}: "
    if chosen[0].exact:
        return f"{text}recorded, {both_told(chosen[0].runs)}{_least(chosen[0].runs)}."
    both = zip(how_near(chosen), chosen, strict=True)
    near = [f"{how} {one.name}, {both_told(one.runs)}" for how, one in both]
    return f"{text}not recorded; the same at other rates: {'; '.join(near)}."


def _trained(train: str, run: Any) -> str:
    """What trains, in words."""
    if train in ("full", *STILL):
        return METHODS[train].label
    said = carries(train, run).items()
    listed = [f"{rank} on the {KINDS[kind][0]}" for kind, rank in said if rank != NONE]
    plan = "the article's plan, " if train == "lora_article" else ""
    return f"{plan}adapters of {', '.join(listed)} attention"


def _least(runs: Sequence[Any]) -> str:
    """The skill of which least was kept; nothing to say where all is kept."""
    kept = {name: fmean(values) for name, values in measured(runs).items() if name not in BOTH}
    worst = min(kept, key=lambda skill: kept[skill])
    label = skill_marks([worst])[worst].label
    return f", least of {label} ({percent(kept[worst])})" if kept[worst] < 0.95 else ""


# --- the controls ---------------------------------------------------------------------------------


def attention_panel(found: Iterable[Any]) -> Panel:
    """Choose a task, what trains and how fast; see what was recorded (`found`: runs) for it."""
    runs = list(found)
    toggles = {kind: _toggle(KINDS[kind][0]) for kind in ALONE}
    ways = [(said, way) for way, said in WAYS.items()]
    controls = {
        "domain": choice("task", [(words(name), name) for name in shifts(runs)], shifts(runs)[-1]),
        "train": choice("train", ways, "adapters"),
        "rate": slider("learning rate", [(plain(rate), rate) for rate in rates(runs)], 1e-3),
        **toggles,
    }

    def switch(change: Any) -> None:
        for toggle in toggles.values():
            toggle.disabled = change["new"] != "adapters"

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


def _toggle(said: str) -> Any:
    """A button that stays down, and wears a tick, while its attention carries an adapter."""
    from ipywidgets import Layout, ToggleButton

    button = ToggleButton(description=said, value=True, icon="check", layout=Layout(width="150px"))

    def tick(change: Any) -> None:
        button.icon = "check" if change["new"] else ""

    button.observe(tick, names="value")
    return button
