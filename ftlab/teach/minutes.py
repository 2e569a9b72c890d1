"""How long a notebook takes on this machine: what it is made of, times how fast this machine is.

    seconds = fixed + figures x (seconds of one figure) + steps x (seconds of one step)

Two probes say how fast a machine is. The *step*: a GPT-2 of 12 blocks x 128 reads 16 texts of 64
tokens and is updated once; torch, on as many threads as it takes. The *figure*: a plot of a few
curves, drawn; Python, on one thread, like imports, tokens and the notebooks' own plots. The two
differ from machine to machine and with the number of threads, so each is counted by itself;
`fixed` is what takes as long everywhere, such as the two seconds in which notebook 00 probes.

Where the notebooks are built, `ftlab.teach.kernel` watches what each spends its time on, and
`note` keeps it in data/minutes.json (of another profile than nano in minutes-laptop.json or so):

    {"00_start_here": {"seconds": 14.2, "fixed": 2.1, "figures": 80.1, "steps": 28.9, "cores": 2}}

`predict_minutes` turns that into minutes of this machine; `make execute` holds the forecast to
what every notebook really took (`ftlab.teach.forecast`). Notable choices: a probe gives the mean
of its samples, not the median, since a notebook waits through every pause of a busy machine; and
both probes take turns, so that they meet the same pauses.
"""

import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ftlab.errors import InputError
from ftlab.paths import data_dir
from ftlab.plain import read_json, write_json

BATCH, LENGTH, VOCABULARY = 16, 64, 2048
EVERY_S, SHORT_S = 4.0, 0.4
"""In a pause, `Pace` probes again when this long has passed, for this long."""


@dataclass(frozen=True)
class Speed:
    """How fast a machine is: the mean seconds of both probes."""

    step: float
    """One training step of the probe."""
    figure: float
    """One figure, drawn."""


@dataclass(frozen=True)
class Cost:
    """What a notebook is made of, whatever the machine."""

    seconds: float
    """What it took where it was measured."""
    fixed: float
    """Seconds that are the same everywhere."""
    figures: float
    """Its imports, plots and Python, in figures of the probe."""
    steps: float
    """Its training and measuring, in steps of the probe."""
    cores: int
    """Processor cores where it was measured."""

    def on(self, speed: Speed) -> float:
        """Seconds on a machine of this speed."""
        return self.fixed + self.figures * speed.figure + self.steps * speed.step


def minutes_file(profile: str = "nano") -> Path:
    """Where the costs of the notebooks on `profile` are kept."""
    return data_dir() / ("minutes.json" if profile == "nano" else f"minutes-{profile}.json")


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ---- probing


def probe(seconds: float = 2.0) -> Speed:
    """How fast this machine is now, over about `seconds`; at least 2 of each probe are timed."""
    return prober()(seconds)


def prober() -> Callable[[float], Speed]:
    """A `probe` that can be used again and again at once; making it loads what it needs."""
    each = {"step": _step(), "figure": _draw}
    for run in (*each.values(), *each.values()):
        run()  # the first are slower: they load, and find their memory

    def probe(seconds: float) -> Speed:
        taken: dict[str, list[float]] = {name: [] for name in each}
        end = time.perf_counter() + seconds
        while len(taken["step"]) < 2 or time.perf_counter() < end:
            for name, run in each.items():
                taken[name].append(_timed(run))
        return Speed(fmean(taken["step"]), fmean(taken["figure"]))

    return probe


def _timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _step() -> Callable[[], None]:
    """A function that trains the probe for one step, on the device that would be used."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from ftlab.profiles import device

    on = device()
    config = GPT2Config(
        n_layer=12, n_embd=128, n_head=2, vocab_size=VOCABULARY, n_positions=LENGTH,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # the learner's seeds are none of our business
        model: Any = GPT2LMHeadModel(config).eval()  # eval: no dropout, which would draw too
        ids = torch.randint(VOCABULARY, (BATCH, LENGTH)).to(on)  # (B, T)
    model.to(on)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if on == "cuda":
            torch.cuda.synchronize()  # else only the asking is timed

    return step


def _draw() -> None:
    """Draw a figure as the notebooks do: without pyplot, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=110)
    for place in (121, 122):
        axes = figure.add_subplot(place, title="a title over a panel", xlabel="training steps")
        for curve in range(6):
            axes.plot([0, 20, 40, 60, 80, 100], [curve, 3, 2, 5, 4, curve], "o-", label=f"{curve}")
        axes.legend()
    FigureCanvasAgg(figure).print_png(io.BytesIO())


class Pace:
    """How fast this machine is while something else runs: probed in its pauses.

    `feel()` in every pause, `speed` at the end. `spent` is what the probing itself took, in
    seconds, to be taken off a time that was measured around it.
    """

    def __init__(self, probe: Callable[[float], Speed] | None = None) -> None:
        self._probe, self.spent = probe or prober(), 0.0
        self._felt: list[tuple[float, Speed]] = []

    def feel(self, *, every: float = EVERY_S, seconds: float = SHORT_S) -> None:
        """Probe for `seconds`, unless that was done less than `every` seconds ago."""
        start = time.perf_counter()
        if self._felt and start - self._felt[-1][0] < every:
            return
        found = self._probe(seconds)
        self._felt.append((time.perf_counter(), found))
        self.spent += time.perf_counter() - start

    @property
    def speed(self) -> Speed:
        """The mean over the time from the first probe to the last, each weighed by its time."""
        if len(self._felt) == 1:
            return self._felt[0][1]
        spans = [
            (after - before, a, b)
            for (before, a), (after, b) in zip(self._felt, self._felt[1:], strict=False)
        ]
        whole = sum(span for span, _, _ in spans)
        step = sum(span * (a.step + b.step) / 2 for span, a, b in spans) / whole
        figure = sum(span * (a.figure + b.figure) / 2 for span, a, b in spans) / whole
        return Speed(step, figure)

    @property
    def unsteady(self) -> float:
        """The slowest step felt over the fastest: 1 on a steady machine."""
        return self.slowest.step / self.fastest.step

    @property
    def fastest(self) -> Speed:
        """The fastest that it was felt, step and figure apart."""
        return Speed(min(s.step for _, s in self._felt), min(s.figure for _, s in self._felt))

    @property
    def slowest(self) -> Speed:
        """The slowest that it was felt, step and figure apart."""
        return Speed(max(s.step for _, s in self._felt), max(s.figure for _, s in self._felt))


# ---- what is kept


def cost(seconds: float, shares: dict[str, float], speed: Speed) -> Cost:
    """What a notebook is made of that took `seconds` on a machine of this speed.

    shares: the parts of that time, "fixed", "figures" and "steps", which sum to 1.
    """
    parts = {name: seconds * share for name, share in shares.items()}
    figures, steps = parts["figures"] / speed.figure, parts["steps"] / speed.step
    rounded = (round(x, 1) for x in (seconds, parts["fixed"], figures, steps))
    return Cost(*rounded, cores=cores())


def note(name: str, found: Cost, *, profile: str = "nano", file: Path | None = None) -> Path:
    """Keep what the notebook `name` costs."""
    file = file or minutes_file(profile)
    known = read_json(file) if file.is_file() else {}
    known[name] = asdict(found)
    return write_json(file, dict(sorted(known.items())))


def costs(profile: str = "nano", *, file: Path | None = None) -> dict[str, Cost]:
    """What each notebook costs on `profile`.

    Raises InputError when that was never measured, or cannot be read.
    """
    file = file or minutes_file(profile)
    if not file.is_file():
        raise InputError(
            f"The notebooks were never timed on the profile {profile}; "
            f"`python -m ftlab.teach.notebooks --time {profile}` in a clone times them."
        )
    try:
        return {name: _cost(entry) for name, entry in read_json(file).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{file.name} has an entry that is no cost ({json.dumps(str(error))}); "
            "measure again with `make notebooks`."
        ) from error


def _cost(entry: dict[str, Any]) -> Cost:
    numbers = [float(entry[key]) for key in ("seconds", "fixed", "figures", "steps")]
    return Cost(*numbers, cores=int(entry["cores"]))


def predict_minutes(
    speed: Speed, *, profile: str = "nano", file: Path | None = None
) -> dict[str, float]:
    """Minutes per notebook on a machine of this speed. Raises InputError as `costs` does."""
    return {name: found.on(speed) / 60 for name, found in costs(profile, file=file).items()}
