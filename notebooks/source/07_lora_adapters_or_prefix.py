# %% [markdown]
# # LoRA, adapters or prefix
#
# <!-- for: those who choose between kinds of adapters -->
# <!-- seen: eight ways to leave every weight alone, a switch, and what is forgotten while it is on -->
#
# **The question:** if the base stays as it is and only something new is trained beside it, which of the
# many ways should you take, and what is forgotten?
#
# You will
#
# - write a *bottleneck adapter*, put it into every block, train it, and switch it off again,
# - see why a prefix of zeros is not a prefix without effect,
# - compare eight methods, each at its best recorded rate and five of them at about equal size, in
#   three columns: learned; retained with the adapter on; retained with it off,
# - put two adapters onto one base, switch between them, and merge them.
#
# You need notebook 04 (LoRA), or this: a LoRA is a pair of small matrices beside a large frozen
# one. *Learned* is the share of correct answers on the new task, *retained* the share of the base's
# skills that is still there, *forgotten* the rise of the loss on general text (for SmolLM2, on text that
# it wrote itself).

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## Where something new can stand
#
# *Goal: know eight ways to adapt a model, and how much each trains.*
#
# Each block of the model has an attention layer and a feed-forward part. Eight ways to train something
# beside them (a prefix counts twice, for its two starts):
#
# - **LoRA**: two small matrices beside a large one. Their output is added to its output.
# - **Bottleneck adapter** (Houlsby and others, 2019): two small layers *behind* the attention and
#   behind the feed-forward.
# - **Prefix**: in every block, keys and values that stand before those of the text, as if *virtual
#   tokens* had been read first. They start at random, or from the keys and values of real words.
# - **Prompt tuning**: virtual tokens too, but only at the input, in place of embeddings.
# - **IA3** (Liu and others, 2022): one trained factor for each channel of the keys, of the values,
#   and of the feed-forward's inner states; they multiply what is there.
# - **OFT**, orthogonal fine-tuning (Qiu and others, 2023): the input of a layer is multiplied by a
#   trained rotation, so its length stays the same.
# - **OSF**, orthogonal subspace fine-tuning (Nayak and others, 2025): each matrix is written as a sum
#   of *directions*, sorted by strength (its singular value decomposition). In a copy of it the strongest
#   directions stay and the rest is trained. It was made against forgetting.
#
# How much does each train?

# %%
import torch
from torch import nn
from torch.nn import functional as F

from ftlab.methods import METHODS, named
from ftlab.show import Table, show
from ftlab.teach import answers

lab = ftlab.open_lab("clinic", model="nano-gpt2")
KINDS = "lora_small", "bottleneck", "prefix", "prefix_words", "prompt", "ia3", "oft", "osf"
WITH = *KINDS, "lora_all"  # and LoRA of twice the rank
trained = {kind: named(kind)(lab.fresh()).trainable for kind in WITH}
base_size = sum(p.numel() for p in lab.bundle.model.parameters())
show(
    Table(
        ("method", "parameters trained", "share of the base's parameters"),
        [(METHODS[k].label, f"{n:,}", f"{n / base_size:.2%}") for k, n in trained.items()],
    )
)

# %% [markdown]
# The first four and OFT have about the same size, on purpose. IA3's size is fixed by the model, and a
# prompt as large as the prefix would be longer than the 256 tokens that nano-gpt2 reads. OSF is shown
# as it comes by default: half of the directions are protected, so most weights train. The last row is
# LoRA at twice the rank.
#
# ## Exercise 1: the bottleneck adapter
#
# *Goal: write what an adapter does with what it reads. 10 minutes, medium.*
#
# An adapter gets `s`, what the attention or the feed-forward has computed, of the shape (batch, tokens,
# width). `down` makes it narrow, `up` makes it wide again. Between the two stands a GELU (a smooth
# nonlinearity, `F.gelu`), and what comes out is *added to* `s`. Write `bottleneck(s, down, up)`.
#
# <details><summary>Hint 1</summary>down and up are layers: call them like functions.</details>
#
# <details><summary>Hint 2</summary>If up gives only zeros, as it does at the start, s itself must
# come out. F.gelu is the nonlinearity between them.</details>


# %%
def bottleneck(s, down, up):
    # <solution>
    return s + up(F.gelu(down(s)))
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


s, down, up = torch.randn(2, 5, 16), nn.Linear(16, 3), nn.Linear(3, 16)


def added(f, s):
    """What the adapter adds to s."""
    return f(s, down, up) - s


bottleneck = ftlab.exercise(
    bottleneck,
    reference=answers.bottleneck,
    checks=[
        ("it has the shape of s", lambda f: (list(f(s, down, up).shape), [2, 5, 16])),
        ("with an up of zeros, s comes out (did you add it?)",
         lambda f: torch.equal(f(s, down, lambda narrow: 0 * up(narrow)), s)),
        ("it bends: twice the input does not add twice as much (is there a GELU?)",
         lambda f: not torch.allclose(added(f, 2 * s) + added(f, 0 * s), 2 * added(f, s), 0, 1e-4)),
        ("the GELU stands in the middle, so up's output is not bent",
         lambda f: (added(f, s), up(F.gelu(down(s))))),
    ],
    cases=[(s, down, up), (3 * s, down, up)],
    tolerance=1e-5,
)  # fmt: skip

# %% [markdown]
# Around it comes the module. `up` starts at zero, so that at first nothing changes. And it has a switch.

# %%
from ftlab.methods import put_behind


class BottleneckAdapter(nn.Module):
    """s -> s + up(GELU(down(s))); while it is off, s -> s."""

    def __init__(self, width, size):
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.on = True

    def forward(self, s):
        return bottleneck(s, self.down, self.up) if self.on else s


# %% [markdown]
# Its places: behind the attention and behind the feed-forward of every block, before the result is
# added to the stream that runs through the model. (`put_behind` puts the adapter there.) The base is
# frozen. With the same weights it gives the same output as `ftlab`'s own adapter:

# %%
from ftlab.methods import count


def by_hand(model):
    model.requires_grad_(False)
    for block in model.transformer.h:
        for sublayer in (block.attn, block.mlp):
            adapter = BottleneckAdapter(model.config.hidden_size, 8)
            put_behind(sublayer, adapter.to(model.device))
    return count(model, "bottleneck")


ours, theirs = by_hand(lab.fresh()).model, named("bottleneck")(lab.fresh()).model
with torch.no_grad():  # at up = 0 a mistake would not show
    for name, weights in theirs.named_parameters():
        if ".adapter." in name:
            weights.normal_(std=0.1)
            ours.get_parameter(name).copy_(weights)
    ids = torch.tensor([lab.tokenizer("The capital of Norway is")["input_ids"]]).to(ours.device)
    apart = (ours(ids).logits - theirs(ids).logits).abs().max().item()
print(f"largest difference from the package's: {apart:.0e}")
assert apart < 1e-4

# %% [markdown]
# ## Guess, then train
#
# *Goal: train your adapters, and see what is retained while they are on.*
#
# (The curve asks only a sample of the questions, so it jumps, and its last point can be far off. The
# result below it asks all of them.)

# %%
guess = ftlab.predict(
    "Retained, with bottleneck adapters on, at a rate of 3e-3? (The base is frozen.)",
    None,
    unit="%",
)

# %%
plan = ftlab.Plan(steps=100, batch_size=16, lr=3e-3)
run = lab.run(plan, method=by_hand, name="bottleneck adapters, by hand")
with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %%
on = run.final
print(guess.compare(100 * on["retention"]))
print(f"Learned {on['target_score']:.0%}, retained {on['retention']:.0%}, with the adapters on.")

# %% [markdown]
# ## The switch
#
# *Goal: find out whether lost facts come back when the adapters are off.*
#
# We ask the same model three times: with the adapters on, off, and on again. First notes of the new
# task, then facts that the base knew.

# %%
from ftlab.evaluate import generate


def switch(on):
    for module in run.model.modules():
        if isinstance(module, BottleneckAdapter):
            module.on = on


notes = [dict(row) for row in lab.domain.test][:16]
facts = [p for p in lab.suite.probes if p.skill == "facts"][:80]
prompts = [row["prompt"] for row in notes] + [p.query for p in facts]
right = [row["answer"].strip() for row in notes] + [p.choices[0].strip() for p in facts]

said = {}
for name, state in (("on", True), ("off", False), ("on again", True)):
    switch(state)
    said[name] = [text.strip() for text in generate(run.model, lab.tokenizer, prompts, 12)]


# %%
def is_right(name, i):
    return said[name][i].startswith(right[i])


def marked(name, i):
    """Whether it is right, and its first line."""
    return " ".join(["✓" if is_right(name, i) else "✗", *said[name][i].splitlines()[:1]])


changed = [i for i in range(len(prompts)) if is_right("on", i) != is_right("off", i)]
shown = [i for i in changed if i < len(notes)][:1] + [i for i in changed if i >= len(notes)][:3]
show(
    Table(
        ("prompt", "expected", *said),
        [(prompts[i], right[i], *(marked(name, i) for name in said)) for i in shown],
    )
)
for name, part in (("notes", range(len(notes))), ("facts", range(len(notes), len(prompts)))):
    rights = ", ".join(f"{state} {sum(is_right(state, i) for i in part)}" for state in said)
    print(f"{name}, correct of {len(part)}: {rights}")

# %% [markdown]
# (The table shows some of the items that changed; the two lines under it count all items.) On: the model
# can do triage, though not always, and a few facts are lost. Off: the facts are back, and the triage is
# gone. So the facts never left the weights; the adapters only cover them. Is it *all* back? Measured on
# everything:

# %%
switch(False)
off = lab.evaluator.full(run.model)
switch(True)
show(
    Table(
        ("", "learned", "retained", "forgotten, nats per token"),
        [
            (
                name,
                f"{found['target_score']:.0%}",
                f"{found['retention']:.1%}",
                f"{found['forgotten']:+.4f}",
            )
            for name, found in (("on", on), ("off", off), ("the base", lab.baseline))
        ],
    )
)
same_scores = off["skills"] == lab.baseline["skills"] and off["forgotten"] == 0

# %% [markdown]
# ## Every one of them has this switch
#
# *Goal: check this switch on every method, and compare what each costs.*
#
# `ftlab.methods.adapter_off` is that switch for all of them. Each method is trained for three steps, so
# that it does something. Then we compare its *logits* (the scores of each possible next token) on 16
# notes, on and off, with the base's. *Off* must be the base bit for bit, not nearly.
#
# We also measure what each costs: what training stores besides the weights (for each trained parameter a
# gradient and AdamW's two averages), the file that is saved, and the time of a forward pass with the
# adapter on. LoRA, IA3, OFT and OSF can be *merged* into the weights and then cost no time; a
# bottleneck, a prefix and a prompt cannot. Small differences in time may be noise.
#
# <details><summary>How to read the times</summary>The methods are timed in turn, six times, and the
# fastest time of each counts. On so small a model the extra calls weigh heavily: on a large one expect
# ratios nearer to 1. A prompt makes every text longer; these notes are short, so that shows.</details>

# %%
import math
import time

base = lab.bundle.model
few = ftlab.Plan(steps=3, lr=3e-3, measure_every=0)
models = {k: lab.run(few, method=k, store=False).finish().model.eval() for k in WITH}
texts = [lab.tokenizer(row["prompt"])["input_ids"] for row in notes]
length = min(map(len, texts))
ids = torch.tensor([text[:length] for text in texts], device=base.device)


def logits(model):
    with torch.no_grad():
        return model(ids).logits[:, -length:]  # a prompt's own tokens left out


fastest = {}
for _ in range(6):
    for name, model in {"base": base, **models}.items():
        began = time.perf_counter()
        logits(model)
        fastest[name] = min(time.perf_counter() - began, fastest.get(name, math.inf))

# %%
import tempfile
from pathlib import Path

from ftlab.methods import adapter_off, save_adapter

costs, bits = [], {}
plain = logits(base)
for name, model in models.items():
    moved = (logits(model) - plain).abs().max().item()
    with adapter_off(model):
        bits[name] = torch.equal(logits(model), plain)
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(model, folder)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    exact = "0, bit for bit" if bits[name] else "not the base"
    ratio = f"{fastest[name] / fastest['base']:.2f}"
    told = f"{moved:.1e}", exact, f"{3 * trained[name]:,}", f"{size / 1024:,.0f} kB", ratio
    costs.append((METHODS[name].label, *told))
whole = sum(p.numel() * p.element_size() for p in base.parameters())
head = (
    "method", "logits moved, on", "logits moved, off", "values for gradients and AdamW",
    "file", "forward pass, base = 1",
)  # fmt: skip
show(Table(head, costs, f"nano-gpt2, whose own file has {whole / 1024:,.0f} kB"))

# %%
bit_for_bit = ftlab.claim(
    "With the adapter off each of these models is the base, bit for bit",
    all(bits.values()) and same_scores,
    f"{sum(bits.values())} of {len(bits)} methods give the base's logits exactly; the trained "
    f"bottleneck model retains {off['retention']:.0%} with its adapters off",
)

# %% [markdown]
# (A LoRA's file holds Q, K and V as one matrix, as GPT-2 has them: that is larger than what was
# trained. On a base of billions of parameters every one of these files is small, except OSF's.)
#
# ## Zero keys are not zero effect
#
# *Goal: see why keys of zero still take attention from the text.*
#
# LoRA and the bottleneck start as the base: one of their layers is zero. Could a prefix start at zero,
# too? In attention a query compares itself with every key, and the scores become shares by
# *softmax*. A key of zero has the score 0, and $e^0 = 1$: it gets a share, and the text's keys get
# less.

# %%
torch.manual_seed(0)
q, keys, values = torch.randn(16), torch.randn(5, 16), torch.randn(5, 16)


def attend(keys, values):
    return (keys @ q / 16**0.5).softmax(0) @ values


zeros = torch.zeros(3, 16)
without = attend(keys, values)
with_zeros = attend(torch.cat([zeros, keys]), torch.cat([zeros, values]))
print("with a prefix of zeros, over without:", (with_zeros / without)[:4])

# %% [markdown]
# The output has shrunk. By how much?
#
# ## Exercise 2: the share of the prefix
#
# *Goal: compute what a prefix takes from the text. 10 minutes, medium.*
#
# Write `prefix_share(q, keys, prefix)`: which share of the attention of the query `q` (of width d)
# goes to the keys in `prefix` (p rows), if they stand before those of the text (`keys`, t rows)?
# Return a plain number.
#
# <details><summary>Hint 1</summary>One softmax over all p + t scores, not one for each
# part.</details>
#
# <details><summary>Hint 2</summary>A score is the product of query and key, divided by the square
# root of d. Then add the shares of the first p.</details>

# %%


def prefix_share(q, keys, prefix):
    # <solution>
    scores = torch.cat([prefix, keys]) @ q / len(q) ** 0.5
    return float(scores.softmax(0)[: len(prefix)].sum())
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


prefix_share = ftlab.exercise(
    prefix_share,
    reference=answers.prefix_share,
    checks=[
        ("it lies between 0 and 1", lambda f: 0 < f(q, keys, zeros) < 1),
        ("three zero keys before five zero keys take 3 of 8 (one softmax over all?)",
         lambda f: (f(q, torch.zeros(5, 16), zeros), 3 / 8)),
        ("the prefix comes first: a key far along q takes nearly all",
         lambda f: f(q, keys, 50 * q[None]) > 0.99),
        ("four times the width, with the same values repeated, doubles a score (sqrt of d?)",
         lambda f: (f(q.repeat(4), keys.repeat(1, 4), zeros.repeat(1, 4)), f(2 * q, keys, zeros))),
    ],
    cases=[(q, keys, zeros), (q, keys, keys[:2]), (2 * q, keys, torch.ones(4, 16))],
    tolerance=1e-5,
)  # fmt: skip
taken = prefix_share(q, keys, zeros)
print(f"three zero keys take {taken:.0%}; left for the text: {1 - taken:.3f}")
assert torch.allclose(with_zeros, (1 - taken) * without, atol=1e-5)

# %% [markdown]
# So the output shrinks by exactly the share that the zero keys take, in every attention of every block.
# Now on the model, *before the first training step*. (peft's documentation says of such a start,
# `init_weights="zero"`, that "the activations will be a no-op", that is, change nothing.)

# %%
from ftlab.methods import Prefix

STARTS = {
    "bottleneck adapters": named("bottleneck"),
    "prefix of zeros": Prefix(start="zeros"),
    "prefix from random words": Prefix(start="vocabulary"),
    "prefix at random": Prefix(),
}
starts = {}
for name, method in STARTS.items():
    torch.manual_seed(0)
    model = method(lab.fresh()).model.eval()
    starts[name] = (logits(model) - plain).abs().max().item(), lab.evaluator(model)["retention"]
show(
    Table(
        ("before any training", "largest change of a logit", "retained, on (a sample)"),
        [(name, f"{moved:.1f}", f"{left:.0%}") for name, (moved, left) in starts.items()],
    )
)
zero_prefix = ftlab.claim(
    "A prefix of zeros changes what the model says, untrained; bottleneck adapters change nothing",
    starts["prefix of zeros"][0] > 0.1 and starts["bottleneck adapters"][0] == 0,
    f"logits move by up to {starts['prefix of zeros'][0]:.1f} (zeros) and "
    f"{starts['prefix at random'][0]:.1f} (random)",
)

# %% [markdown]
# A prefix has no neutral start. One from real words does least harm: such keys and values are what the
# model is used to. One of zeros or at random starts with a broken model, and training must first repair
# it. So "before" is always measured with the adapter *off*; else a method that repairs its own damage
# would seem to improve the model.
#
# ## Three columns
#
# *Goal: read each method's result in three columns, at its own best rate.*
#
# *Learned* and *retained, on* were recorded, on nano-gpt2 and on the real model SmolLM2-135M, with
# LoRA of twice the rank and full fine-tuning beside them. The column *retained, off* repeats the test
# of the switch above, which was made on nano-gpt2. Each method is shown at the best rate that we ran
# (largest learned x retained; rates lie about a factor of 3 apart), after equally many steps for all.
# Where that is the lowest or the highest rate that we ran, a better one may lie beyond; the lines below
# the figures name these. Do not call such a method weak.

# %%
from ftlab import analysis
from ftlab.show import best_of, called, rate_text, scoreboard

adapters = analysis.shipped("adapters")


def with_full(model, folder):
    """The recorded adapters of a model, with full fine-tuning and the larger LoRA."""
    also = [
        r for r in analysis.shipped(folder) if r.extra.get("sweep") in ("learning rate", "lora_all")
    ]
    return analysis.settings([r for r in adapters if r.model == model] + also)


MODELS = {
    "nano-gpt2": with_full("nano-gpt2", "nano"),
    "SmolLM2-135M": with_full("smollm2-135m", "laptop"),
}
best = {model: {s.sweep: s for s in best_of(found)} for model, found in MODELS.items()}


# %% tags=["nbval-check-output"]
def three_columns(model):
    ranked = sorted(
        best[model].values(), key=lambda s: -s.mean("target_score") * s.mean("retention")
    )
    rows = [
        (
            called(s.sweep),
            f"{s.runs[0].trainable:,}",
            rate_text(s.lr),
            s.text("target_score"),
            s.text("retention"),
            "the base, exactly" if bits.get(s.sweep) else "no switch",
        )
        for s in ranked
    ]
    seeds = " to ".join(map(str, sorted({f([len(s.runs) for s in ranked]) for f in (min, max)})))
    head = ("method", "parameters", "best rate", "learned", "retained, on", "retained, off")
    steps = ranked[0].runs[0].plan["steps"]
    return Table(head, rows, f"{model}, {steps} steps; means of {seeds} seeds (lowest to highest)")


show(three_columns("nano-gpt2"))

# %% tags=["nbval-check-output"]
show(three_columns("SmolLM2-135M"))

# %%
show(scoreboard(best["nano-gpt2"].values()))

# %%
show(scoreboard(best["SmolLM2-135M"].values()))

# %%
for model, found in MODELS.items():
    rates = {kind: [s.lr for s in analysis.pick(found, kind)] for kind in best[model]}
    ends = [k for k, s in best[model].items() if s.lr in (min(rates[k]), max(rates[k]))]
    names = ", ".join(f"{called(k)} ({rate_text(best[model][k].lr)})" for k in ends) or "none"
    print(f"{model}, best rate at an end of what was run, so a better one may lie beyond: {names}")

# %% [markdown]
# Before you call a method bad, ask what its makers would say. For a prefix and for a prompt: "So few
# steps? We train for many times as long." They are right, and these columns say nothing about what a
# prefix can do with ten thousand steps, or on a model of billions of parameters. They say what you get
# for the same small budget. And the makers of the prefix, Li and Liang, train it through a small network
# of its own, because it is hard to train directly; the plain one is what most people run today.
#
# On an encoder-decoder model a prefix has one more handicap. In peft it reaches a single place of T5,
# the decoder's attention to what it has written itself; it touches neither what the encoder reads nor
# how the decoder looks at it. Beside it, LoRA at that same place (*decoder's own*), and LoRA where the
# decoder looks at the encoder (*cross*, see notebook 05), each at its own best rate:

# %% tags=["nbval-check-output"]
T5 = {"prefix": "adapters", "lora_decoder": "nano-t5", "lora_cross": "nano-t5"}
rows = []
for domain in ("new_format", "new_words"):
    runs = [
        r
        for sweep, folder in T5.items()
        for r in analysis.shipped(folder)
        if r.model == "nano-t5" and r.extra.get("sweep") == sweep
    ]
    for s in best_of(analysis.settings(runs, domain=domain)):
        cells = f"{s.runs[0].trainable:,}", s.text("target_score"), s.text("retention")
        rows.append((domain.replace("_", " "), called(s.sweep), rate_text(s.lr), *cells))
head = ("task", "method", "best rate", "parameters", "learned", "retained")
show(Table(head, rows, "nano-t5, means of 3 seeds (lowest to highest)"))

# %% [markdown]
# On both tasks LoRA on the cross-attention learns more than the prefix and retains far more. They are
# not of equal size (see *parameters*), and on a T5 the prefix cannot start from words here. At the
# prefix's own place LoRA does not always learn more. If you have a T5, take LoRA rather than this
# prefix; notebook 05 helps to decide on which attention.
#
# ## At the same learning
#
# *Goal: compare what the methods have forgotten at the same loss.*
#
# A method that learns less usually also forgets less. So, as in the other notebooks, we compare at the
# same learning. (Only runs as long as those above count here. Notebooks 03 and 04 also used longer ones,
# so more methods got there, and some forgot less.) We follow the loss on the new task until it first
# falls to a fixed level, and read off what was forgotten by then. The right-hand level is half the loss
# of a model that knows the form of an answer and only guesses how urgent the note is; the left-hand one
# is 1.3 times that, so it is easier. In so few steps many methods never get there, so the tables compare
# only the others.

# %% tags=["nbval-check-output"]
from ftlab.show import matched_table

SWEEPS = ("learning rate", "lora_all", *KINDS)
levels = {
    model: [share * analysis.level(found) for share in (1.3, 1.0)]
    for model, found in MODELS.items()
}
show(matched_table(MODELS["nano-gpt2"], SWEEPS, levels["nano-gpt2"], model="nano-gpt2"))

# %% tags=["nbval-check-output"]
show(matched_table(MODELS["SmolLM2-135M"], SWEEPS, levels["SmolLM2-135M"], model="SmolLM2-135M"))

# %% [markdown]
# ## The verdicts
#
# *Goal: know when the seeds decide a question, and when they do not.*
#
# A verdict is read from the seeds: *holds* or *does not hold* if the 95 % interval of the difference,
# paired by seed, leaves out zero, else *not decided*. (From two seeds an interval is so wide that even a
# large difference may stay open.)


# %%
def settle(statement, pairs, unit=100, digits=0):
    """A row of the last table: is the first above the second, on each model?"""
    decided = {}
    for model, (what, first, second) in pairs.items():
        found = analysis.verdict(first, second)
        many = min(len(first), len(second))
        seeds = f"{many} seed{'' if many == 1 else 's'}"
        mean = unit * sum(a - b for a, b in zip(first, second, strict=False)) / many
        mean = round(mean, digits) + 0.0  # no -0
        evidence = f"{model}, {what}: {mean:+.{digits}f}, {seeds}, {found}"
        print(f"{statement}? {evidence}")
        decided[evidence] = found
    return ftlab.says(statement, decided=decided)


def least(model, key, without):
    """The setting that has least of `key` among the other adapters."""
    others = [s for kind, s in best[model].items() if kind in KINDS and kind != without]
    return min(others, key=lambda s: s.mean(key))


def against(model, first, second, key):
    words = {"target_score": "learned", "retention": "retained"}[key]
    what = f"{called(first.sweep)} minus {called(second.sweep)}, {words}, points"
    return what, first.values(key), second.values(key)


# %% [markdown]
# **Do adapters make forgetting harmless?** The README of peft says that with many data sets, each with
# its adapter, you can "not have to worry about catastrophic forgetting or overfitting the backbone or
# base model" ([huggingface/peft,
# README](https://github.com/huggingface/peft#save-compute-and-storage)). With the adapter off, that is
# true. But it is on when you use it, and peft's own [method
# comparison](https://github.com/huggingface/peft/tree/main/method_comparison/MetaMathQA) has a column
# `forgetting` (what we call *forgotten*), measured with the adapter on. It is not zero there either,
# and largest for a prefix with a random start.


# %%
def on_alone(model):
    """What each adapter retains at its own best rate, means of the seeds."""
    return {k: s.mean("retention") for k, s in best[model].items() if k in KINDS}


forget = [
    ftlab.claim(
        f"{model}: with the adapter on, at its own best rate, not every method retains even half",
        min(left.values()) < 0.5,
        f"{model}, adapter on: {sum(share >= 0.9 for share in left.values())} of {len(left)} "
        f"methods retain 90 %, the least {min(left.values()):.0%}",
    )
    for model, left in ((model, on_alone(model)) for model in MODELS)
]
worry = ftlab.says(
    "(often said; peft's README) With adapters you need not worry about forgetting",
    supported_by=[bit_for_bit],
    contradicted_by=forget,
)

# %%
random_prefix = settle(
    "(often said) With the adapter on, a prefix with a random start retains least",
    {
        m: against(m, least(m, "retention", "prefix"), best[m]["prefix"], "retention")
        for m in MODELS
        if "prefix" in best[m]
    },
)
ia3_least = settle(
    "(often said) IA3, with so few parameters, learns least",
    {
        m: against(m, least(m, "target_score", "ia3"), best[m]["ia3"], "target_score")
        for m in MODELS
        if "ia3" in best[m]
    },
)
equal_size = settle(
    "(the article's question) With about equally many parameters, LoRA learns more than a prefix",
    {
        m: against(m, best[m]["lora_small"], best[m]["prefix_words"], "target_score")
        for m in MODELS
        if "prefix_words" in best[m]
    },
)

# %%
matched = {m: analysis.best_at(found, levels[m][1]) for m, found in MODELS.items()}
osf_pairs = {
    m: (
        "full minus OSF, forgotten at equal learning, nats per token",
        list(matched[m]["learning rate"].forgotten),
        list(matched[m]["osf"].forgotten),
    )
    for m in MODELS
    if "osf" in matched[m] and matched[m]["osf"].setting
}
osf_holds = settle(
    "(its makers) OSF, made against forgetting, forgets less than full fine-tuning",
    osf_pairs,
    unit=1,
    digits=3,
)

# %% [markdown]
# OSF keeps its *gradients* out of the protected directions. But AdamW divides each gradient by its own
# recent size, value by value. So its step points elsewhere, in part back into what was to be protected.
# Look at both models' lines before you believe either: they need not agree. And by the share of
# parameters that it trains (first table), OSF is closer to full fine-tuning than to an adapter, in
# memory and in its file, too.
#
# ## Choose one yourself
#
# *Goal: find the smallest adapter that learns enough, and see what it retains.*
#
# Choose a method, its size and its rate, on either model. A filled bar was recorded for exactly this
# choice; a dashed one belongs to the nearest choice that was, which the line above names. Try
# SmolLM2-135M: which method reaches 70 % learned with the fewest parameters? What does it retain there,
# and what happens to both if you raise its rate?

# %%
from ftlab.show import adapter_panel

both = [run for found in MODELS.values() for setting in found for run in setting.runs]
adapter_panel(both).show()

# %% [markdown]
# ## Two adapters on one base
#
# *Goal: switch between two adapters, and find out whether they can be merged.*
#
# The switch can have more than two positions. Here is a second task, *helpdesk*, learned by an adapter of
# its own on the same base. Both are LoRA on the feed-forward layers. We save them and load them
# side by side into one model.

# %%
from peft import PeftModel

from ftlab.evaluate import measure_target
from ftlab.methods import LoRA

desk = ftlab.open_lab("helpdesk", model="nano-gpt2")
sixty = ftlab.Plan(steps=60, batch_size=16, lr=3e-3, measure_every=0)
method = LoRA({"1-12": 4}, targets=("ff",))
pair = {
    "clinic": lab.run(sixty, method=method).finish(),
    "helpdesk": desk.run(sixty, method=method).finish(),
}
with tempfile.TemporaryDirectory() as folder:
    for name, one in pair.items():
        save_adapter(one.model, Path(folder) / name)
    two = PeftModel.from_pretrained(lab.fresh(), Path(folder) / "clinic", adapter_name="clinic")
    two.load_adapter(Path(folder) / "helpdesk", "helpdesk")

# %% [markdown]
# Can they be merged into *one* adapter that does both? peft's `add_weighted_adapter` offers, among
# others:
#
# - **cat**: the matrices are put side by side. It is exactly the sum of both changes, and twice as
#   large.
# - **linear**: the As are added, and the Bs are added. Then $(B_1 + B_2)(A_1 + A_2)$ holds not only
#   both changes but also $B_1 A_2$ and $B_2 A_1$, which nobody trained.
# - **TIES**: small entries are dropped; where the two disagree in sign, the heavier side wins.
# - **DARE**: entries are dropped at random, and the rest is enlarged to make up for it.
#
# In peft, *ties* and *dare_linear* do this to the As and to the Bs separately, so they have those
# cross terms, too. The papers merge the whole change $BA$; peft calls that *ties_svd* and
# *dare_linear_svd*. So do not judge the papers by this table.
#
# Each way gets a *weight* for either adapter. We try 1 (both changes in full), one half, or both.

# %%
MERGES = {
    "cat, weights 1": {},
    "cat, weights 0.5": {},
    "linear, weights 1": {},
    "linear, weights 0.5": {},
    "ties, weights 1": {"density": 0.5},
    "dare_linear, weights 0.5": {"density": 0.5},
}
torch.manual_seed(0)  # DARE drops at random
for name, more in MERGES.items():
    kind, _, weight = name.partition(", weights ")
    two.add_weighted_adapter(
        list(pair), [float(weight)] * 2, name.replace(".", ","), combination_type=kind, **more
    )

# %%
tested = {
    name: [dict(row) for row in one.domain.test][:48] for name, one in (("c", lab), ("h", desk))
}
merged = {}
for name in (*pair, *MERGES):
    two.set_adapter(name.replace(".", ","))  # a module's name has no dots
    scores = [measure_target(two, lab.tokenizer, rows) for rows in tested.values()]
    shares = [sum(score.correct) / len(score.correct) for score in scores]
    merged[name] = *shares, lab.evaluator(two)["retention"]
show(
    Table(
        ("adapter in use", "clinic, learned", "helpdesk, learned", "retained (a sample)"),
        [(name, *(f"{share:.0%}" for share in row)) for name, row in merged.items()],
        "one base, one run each, 48 test items a task: a small difference may be chance",
    )
)
alike = [
    torch.cosine_similarity(*(a[name].weight.flatten() for name in pair), dim=0).item()
    for a in (m.lora_A for m in two.modules() if hasattr(m, "lora_A"))
]
print(f"mean cosine between the As of the two adapters: {sum(alike) / len(alike):.2f}")
both_tasks = max(min(row[:2]) for name, row in merged.items() if name in MERGES)
print(f"in the best merge, the weaker of the two tasks reaches {both_tasks:.0%}")

# %% [markdown]
# Switching is safe: only one adapter is on at a time, so the other cannot disturb it. Merging is not:
# compare each merge with the two rows at the top, task by task, and look at what is retained. The exact
# sum (*cat*) guarantees nothing, since each adapter was trained without the other. And *linear* is, in
# the words of peft's documentation, "a very rough approximation": both adapters started from the same
# seed, and their As still point much the same way (the cosine above). So the cross terms are large, and
# with weights of 1 too much is added. If you need both tasks at once, train one adapter on both.
#
# ## When to choose which
#
# *Goal: know which method to try first for your own case.*
#
# - **Full fine-tuning at a gentle rate** if you need no switch and have the memory: see its place
#   in both tables of three columns.
# - **LoRA on all linear layers** if you want a switch; every tool knows it. If you no longer need the
#   switch, merge it into the weights: then it costs no time. The tables say what it retains while it
#   is on.
# - **IA3** if the file must be tiny and a prompt learns too little. Give it a higher rate than LoRA,
#   and look at the table at the same learning first.
# - **OFT** only after a trial on your model. On SmolLM2 it retains much at a gentle rate; pushed
#   to learn as much as the others, it forgot most (see *at the same learning*). On nano-gpt2 LoRA of
#   rank 2 is ahead on both measures; a rate below those that we ran may suit OFT better.
# - **Bottleneck adapters** where you want something nonlinear. They cannot be merged, so their extra
#   layers cost time in every forward pass (see the table at *Every one of them has this switch*).
# - **Prefix or prompt** only with many steps or a very large model, and started from words.
# - **OSF** if you would train all weights anyway and want a switch besides.

# %% [markdown]
# ## Often said, and measured
#
# The article (Sachchida Nand Singh, "Fine-Tuning Large Language Models (LLMs) Without Catastrophic
# Forgetting", Towards AI) asks which of these to take: that row is marked *(the article's question)*.
# *(often said)* marks common advice, *(its makers)* what the authors of a method say.

# %%
ftlab.verdict_table(worry, random_prefix, ia3_least, equal_size, osf_holds)

# %% [markdown]
# ## What to do from now on
#
# - An adapter is a switch. Off, the base is there, bit for bit. On, it retains what the column
#   *retained, on* says.
# - So ask: will it be on while the old skills are needed? If a router or a user can switch, use an
#   adapter for each task. If not, choose by the column *retained, on*, as with any other method.
# - Look for each method's own rate before you call it weak.
# - A prefix or a prompt does not start as the base: skills can be lost before the first step.
#
# **Next:** [08 Fine-tune, then prune](08_fine_tune_then_prune.ipynb) takes weights away instead of
# adding some.
