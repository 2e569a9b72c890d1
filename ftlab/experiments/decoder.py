"""What is in the recorded grids: every run by name, for the small model and for a real one.

    points("decoder", "nano-gpt2")        what `ftlab grid decoder` makes

Seeds stand outside, so that an unfinished grid holds whole seeds. Rates were chosen after one
seed each; the rates that lie at the ends are there to show where a method stops learning, and
where it breaks.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftlab.base.errors import InputError
from ftlab.plan import Plan

SEEDS = (0, 1, 2)
RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)


@dataclass(frozen=True)
class Point:
    """One run of a grid."""

    sweep: str
    """What the run is about: the method, or the quantity that differs from its neighbours."""
    domain: str
    """What is learned."""
    plan: Plan
    """How."""
    items: int | None = None
    """How many training items (None: all)."""
    method: Callable[[Any], Any] | None = None
    """What may move (None: everything)."""
    replay: float = 0.0
    """Share of general text."""
    shown: str | None = None
    """The method's name in plots, where it is not what the method calls itself."""
    base: Any = None
    """How the base is put into four bits (a Quantize), and measured so (None: it is not)."""

    @property
    def name(self) -> str:
        """Unique in its grid; begins the record's file name."""
        words = [self.sweep, self.domain, f"lr {self.plan.lr:g}", f"{self.plan.steps} steps"]
        words += [f"{self.items} items"] if self.items else []
        words += [f"{self.plan.schedule}"] if self.plan.schedule != "constant" else []
        words += [f"warmup {self.plan.warmup}"] if self.plan.warmup else []
        words += [f"replay {self.replay:.0%}"] if self.replay else []
        return ", ".join([*words, f"seed {self.plan.seed}"])


def points(name: str, model: str) -> list[Point]:
    """The runs of a grid, `name`, for a model. Raises InputError for a grid that is none."""
    from ftlab.experiments.qlora import qlora
    from ftlab.experiments.seq2seq import seq2seq

    nano = "nano" in model
    grids: Mapping[str, Callable[[], Iterator[Point]]] = {
        "naive": naive if nano else naive_laptop,
        "decoder": decoder if nano else decoder_laptop,
        "seq2seq": seq2seq,
        "qlora": lambda: qlora(model),
    }
    if name not in grids:
        raise InputError(f"There is no grid '{name}'; the grids are: {', '.join(grids)}.")
    return list(grids[name]())


def model_of(name: str, profile: str) -> str:
    """The model whose runs a grid holds. Raises InputError where the profile has none for it."""
    if name != "seq2seq":
        return {"nano": "nano-gpt2", "laptop": "smollm2-135m"}[profile]
    if profile != "nano":
        raise InputError(
            "The grid seq2seq is made on nano-t5 (--profile nano); for another model name it "
            "with --model, such as --model t5-small."
        )
    return "nano-t5"


def naive() -> Iterator[Point]:
    """Full fine-tuning with nothing to protect the base: notebook 01's four causes."""
    for seed in SEEDS:
        for rate in RATES:
            yield Point("learning rate", "clinic", Plan(lr=rate, seed=seed, measure_every=20))
    for seed in SEEDS:
        plan = Plan(lr=3e-4, steps=400, seed=seed, measure_every=50)
        yield Point("steps", "clinic", plan)
    for seed in SEEDS:
        for items in (16, 64):  # all 400: the run above at the same rate
            yield Point("data set", "clinic", Plan(lr=3e-4, seed=seed, measure_every=0), items)
    for domain in ("helpdesk", "contracts"):
        for seed in SEEDS:
            yield Point("learning rate", domain, Plan(lr=1e-3, seed=seed, measure_every=0))


def naive_laptop() -> Iterator[Point]:
    """The same question put to a real language model, as far as a laptop's patience goes."""
    for seed in SEEDS:
        for rate in (3e-5, 1e-4, 1e-3):
            yield Point("learning rate", "clinic", laptop_plan(rate, seed))


def laptop_plan(rate: float, seed: int, **more: Any) -> Plan:
    """How every run on the real model is trained."""
    return Plan(lr=rate, steps=60, batch_size=8, measure_every=20, seed=seed, **more)


def decoder() -> Iterator[Point]:
    """Remedies for a GPT-style model (notebooks 02 to 04); the baseline is the grid naive."""
    for seed in SEEDS:
        yield from _remedies(seed)
        yield from _schedules(seed)
        yield from _placements(seed)


def _remedies(seed: int) -> Iterator[Point]:
    """Each method at a few rates."""
    for sweep, method in freezings(seed).items():
        gentle = (1e-4,) if sweep in ("freeze_low", "freeze_top") else ()
        for rate in (*gentle, 3e-4, 1e-3, 3e-3):
            yield _nano(sweep, rate, seed, method=method)
    for rate in (1e-4, 3e-4, 1e-3):
        yield _nano("replay", rate, seed, replay=0.05)
    for rate in (1e-3, 3e-3, 1e-2):
        yield _nano("lora_band", rate, seed, method=article(head=False))
        yield _nano("lora_even", rate, seed, method=even({"1-8": 1, "9-12": 2}))
    for rate in (3e-4, 1e-3, 3e-3):
        yield _nano("lora_head", rate, seed, method=article(head=True))


def _schedules(seed: int) -> Iterator[Point]:
    """Cosine at equal peak and at equal area; warmups of several lengths."""
    for rate in (1e-4, 3e-4, 1e-3):
        yield _nano("schedule", rate, seed, shown="schedule", schedule="cosine", warmup=10)
    for rate in (3e-4, 1e-3):  # the constant rate with the area of that cosine
        yield _nano("equal area", round(rate * cosine_area(100, 10), 9), seed, shown="full")
    for warmup in (10, 50):
        yield _nano("warmup", 1e-3, seed, shown="schedule", warmup=warmup)


def _placements(seed: int) -> Iterator[Point]:
    """LoRA here and there at equal parameters (18, 9, 7, 4: 110,592, and 107,520 for ff)."""
    for rate in (1e-3, 3e-3, 1e-2):
        for sweep, rank, targets in PLACES:
            yield _nano(sweep, rate, seed, method=lora(sweep, {"1-12": rank}, targets))
    for rank in (2, 64):  # at the same alpha / r
        yield _nano(f"rank {rank}", 3e-3, seed, method=lora("lora_qv", {"1-12": rank}, ("q", "v")))


PLACES = (
    ("lora_qv", 18, ("q", "v")),
    ("lora_attention", 9, ("q", "k", "v", "o")),
    ("lora_ff", 7, ("ff",)),
    ("lora_all", 4, ("q", "k", "v", "o", "ff")),
)


def decoder_laptop() -> Iterator[Point]:
    """The remedies on a real language model; full fine-tuning is in the grid naive."""
    for seed in SEEDS:
        spread = even({"1-10": 1, "11-12": 2})
        yield Point("lora_band", "clinic", laptop_plan(1e-3, seed), method=article(head=False))
        yield Point("lora_even", "clinic", laptop_plan(1e-3, seed), method=spread)
        for rate in (1e-4, 1e-3):
            cosine = laptop_plan(rate, seed, schedule="cosine", warmup=6)
            yield Point("schedule", "clinic", cosine, shown="schedule")
        flat = laptop_plan(round(1e-3 * cosine_area(60, 6), 9), seed)
        yield Point("equal area", "clinic", flat, shown="full")
        low = freezings(seed)["freeze_low"]
        yield Point("freeze_low", "clinic", laptop_plan(1e-4, seed), method=low)
        yield Point("replay", "clinic", laptop_plan(1e-4, seed), replay=0.05)
    for seed in SEEDS:
        top = freezings(seed)["freeze_top"]
        yield Point("freeze_top", "clinic", laptop_plan(1e-4, seed), method=top)


def _nano(
    sweep: str,
    rate: float,
    seed: int,
    *,
    method: Any = None,
    replay: float = 0.0,
    shown: str | None = None,
    **more: Any,
) -> Point:
    plan = Plan(lr=rate, seed=seed, measure_every=20, **more)
    return Point(sweep, "clinic", plan, method=method, replay=replay, shown=shown)


def freezings(seed: int) -> dict[str, Any]:
    """The article's plan and its controls; embeddings are frozen in all of them."""
    from ftlab.methods.freeze import Freeze

    return {
        "freeze": Freeze(),
        "freeze_low": Freeze({"1-6": 0.0, "7-12": 1.0}, name="freeze_low"),
        "freeze_top": Freeze({"1-6": 1.0, "7-12": 0.0}, name="freeze_top"),
        "freeze_any": Freeze.random_half(seed),
    }


def article(*, head: bool) -> Any:
    """The article's LoRA plan: q and v, 7-9 with rank 8 and alpha 16, 10-12 with 16 and 32."""
    from ftlab.methods.lora import LoRA

    name = "lora_head" if head else "lora_band"
    alphas = {"7-9": 16.0, "10-12": 32.0}
    return LoRA({"7-9": 8, "10-12": 16}, alphas=alphas, head=head, name=name)


def even(ranks: dict[str, int]) -> Any:
    """As many numbers as `article` without its head, spread over all linear layers."""
    return lora("lora_even", ranks, ("q", "k", "v", "o", "ff"))


def lora(name: str, ranks: dict[str, int], targets: tuple[str, ...]) -> Any:
    """A LoRA with alpha = 2 r."""
    from ftlab.methods.lora import LoRA

    return LoRA(ranks, targets=targets, name=name)


def cosine_area(steps: int, warmup: int) -> float:
    """Mean of the factors of warmup + cosine: what a constant rate is multiplied with."""
    from ftlab.train.schedules import lr_factors

    factors = lr_factors("cosine", steps=steps, warmup=warmup)
    return sum(factors) / len(factors)


BASES = ("plain", "nf4-double", "nf4", "fp4-double", "fp4")


def base_of(name: str) -> Any:
    """How `ftlab run --base` puts the base into four bits; None for a plain one.

    Raises InputError for a name that is none.
    """
    if name not in BASES:
        raise InputError(f"There is no base '{name}'; give one of {', '.join(BASES)}.")
    from ftlab.models.quantizing import Quantize

    kind, _, double = name.partition("-")
    return None if name == "plain" else Quantize(kind, bool(double))  # pyright: ignore


def presets(seed: int = 0) -> dict[str, Any]:
    """The methods that a command line can name; None is full fine-tuning."""
    from ftlab.methods.qlora import QLoRA

    everywhere = ("q", "k", "v", "o", "ff")
    return {
        "full": None,
        **freezings(seed),
        "lora_band": article(head=False),
        "lora_head": article(head=True),
        "lora_qv": lora("lora_qv", {"1-12": 8}, ("q", "v")),
        "lora_all": lora("lora_all", {"1-12": 4}, everywhere),
        "qlora": QLoRA(),
    }


PRESETS = (
    "full", "freeze", "freeze_low", "freeze_top", "freeze_any", "lora_band", "lora_head",
    "lora_qv", "lora_all", "qlora",
)  # fmt: skip
