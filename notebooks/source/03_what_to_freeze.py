# %% [markdown]
# # Layers: what to freeze
#
# <!-- seen: what each layer holds, and which ones to hold still -->
#
# **In this notebook** you decide which layers are trained. The article's plan for a model of 12
# blocks: embeddings and blocks 1 to 6 stay as they are (*frozen*), blocks 7 to 9 are trained
# lightly, blocks 10 to 12 fully. The reason given: low layers hold the language, high layers hold
# the task. You will
#
# - look into every layer and see what can be read there,
# - apply the plan and check, weight by weight, that frozen means frozen,
# - compare with what a sceptic would try: freeze the *upper* half, or a random half.
#
# You need notebook 01, or these two lines: *learned* is the share of correct answers on the new
# task, *retained* is the share of the base model's skills that is still there.

# %% [markdown] tags=["learner"]
# ← [02 Warmup and cosine decay](02_warmup_and_cosine_decay.ipynb) | [04 LoRA on Q and V](04_lora_on_q_and_v.ipynb) → | [this notebook, solved](solutions/03_what_to_freeze.ipynb)

# %% [markdown] tags=["solution"]
# ← [02 Warmup and cosine decay](02_warmup_and_cosine_decay.ipynb) | [04 LoRA on Q and V](04_lora_on_q_and_v.ipynb) → | solved; [the one to work in](../03_what_to_freeze.ipynb)

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## What does each layer hold?
#
# A text goes through the model as *vectors*, one per token. They start as *embeddings*, one for
# each word of the vocabulary; every block adds something to them; at the end the *head* turns the
# last vector into a score for every possible next token. So we can stop after any block, take the
# vector of the last token, and ask what can be read from it. There are two tools:
#
# - a **linear probe**: a small linear classifier, fitted on some texts and tested on others. If it
#   separates singular from plural, the layer holds that information;
# - the **logit lens**: send the vector straight to the model's head, as if the later blocks did not
#   exist. Does the right answer already come out?
#
# For the probes we use beginnings such as *The farmer near the lamps*: the last word is a thing,
# the subject is three words back, and each can be singular or plural. For the lens we use the
# fill-in questions about facts.

# %%
import random

from ftlab.evaluate import logit_lens, probe, states

PEOPLE = "teacher farmer singer driver nurse doctor baker painter writer dancer pilot guest".split()
THINGS = "table picture window chair plate bottle door carpet machine letter mirror bucket".split()

lab = ftlab.open_lab("clinic", model="nano-gpt2")
dice = random.Random(0)
texts, subject_is_plural, last_word = [], [], []
for _ in range(600):
    person, thing = dice.randrange(len(PEOPLE)), dice.randrange(len(THINGS))
    many, others = dice.randrange(2), dice.randrange(2)
    texts.append(f"The {PEOPLE[person]}{'s' * many} near the {THINGS[thing]}{'s' * others}")
    subject_is_plural.append(many)
    last_word.append(2 * thing + others)
print(texts[:3])

layers = states(lab.bundle.model, lab.tokenizer, texts)  # (13 layers, 600 texts, 128 values)


def read_off(labels):
    """Accuracy of a probe on every layer: fitted on 400 texts, tested on 200."""
    return [
        (n, probe(layer[:400], labels[:400], layer[400:], labels[400:]))
        for n, layer in enumerate(layers)
    ]


facts = [p for p in lab.suite.probes if p.skill == "facts"]
surfaced = logit_lens(
    lab.bundle.model, lab.tokenizer, [p.query for p in facts], [p.choices[0] for p in facts]
)
held = {
    "which word stands here": read_off(last_word),
    "is the subject plural?": read_off(subject_is_plural),
    "the fact asked for": list(enumerate(surfaced)),
}

# %%
from ftlab.show import lines, show

show(
    lines(
        held,
        name="What can be read off each layer",
        reading="share of texts for which it is read correctly (guessing singular or plural: 50 %)",
        xlabel="layer (0 is the embedding, 12 the last block)",
        percent=True,
        whole=True,
    )
)

# %%
number_at, fact_at = (
    next(layer for layer, share in held[name] if share > 0.9 * max(s for _, s in held[name]))
    for name in ("is the subject plural?", "the fact asked for")
)
low_high = ftlab.claim(
    "Word and grammatical number can be read in low layers, facts come out in high ones",
    number_at <= 6 < fact_at and held["which word stands here"][0][1] > 0.9,
    f"number from layer {number_at}, facts from layer {fact_at} "
    f"(after six blocks {held['the fact asked for'][6][1]:.0%} of them)",
)

# %% [markdown]
# That part of the story is right for this model. The word itself is there from the start; whether
# the subject is plural, which must be fetched from another word, appears after a block or two; the
# answer to a question about a fact comes together step by step in the upper half.
#
# But be careful what you conclude. The two tools are not alike: the lens asks whether the answer is
# there in the head's own terms; a probe, fitted for it, might find it lower. And *facts come out in
# the upper half* could just as well be a reason to protect the upper half! A picture of where
# things can be read does not say where an update does harm. For that we must train.

# %% [markdown]
# ## Frozen means frozen
#
# To freeze a weight, you tell PyTorch not to compute its gradient: `requires_grad = False`. The
# optimiser then leaves it alone. Setting its gradient to *zero* is not the same:

# %%
import torch

still = torch.nn.Parameter(torch.ones(1), requires_grad=False)
zeroed = torch.nn.Parameter(torch.ones(1))
zeroed.grad = torch.zeros(1)
torch.optim.AdamW([still, zeroed], lr=0.1, weight_decay=0.1).step()
print(f"requires_grad=False: {still.item():.4f}    gradient of zero: {zeroed.item():.4f}")
assert still.item() == 1.0 and zeroed.item() < 1.0

# %% [markdown]
# AdamW's *weight decay* shrinks every weight that has a gradient, even a gradient of zero.
#
# ## The plan
#
# Here is the plan as a table, read back from the live model. *Lightly* means a learning rate of its
# own, a tenth of the full one. There is no row for the head: in this model, as in GPT-2, the head
# is the table of embeddings again (the two are *tied*), so it is frozen with them.

# %%
from ftlab.methods import Freeze
from ftlab.show import Table

plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3)
run = lab.run(plan, method=Freeze(), name="embeddings and 1-6 frozen, 7-9 lightly, 10-12 fully")
print(run.prepared)
show(
    Table(
        ("part", "share of the learning rate", "trainable weights"),
        [(row.part, f"{row.lr:g}", f"{row.trainable:,}") for row in run.prepared.table()],
    )
)

# %%
guess = ftlab.predict("Retained, with this plan at a learning rate of 1e-3?", None, unit="%")

# %%
with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %%
last = run.last
print(guess.compare(100 * last["retention"]))
print(f"Learned {last['target_score']:.0%}, retained {last['retention']:.0%}.")

# %% [markdown]
# Compare with the naive runs at this rate, which the next cell prints: far more is retained. First,
# did the frozen weights really stay the same?

# %%
from ftlab import analysis

nano = analysis.settings(analysis.shipped("nano"))
full = analysis.pick(nano, "learning rate", 1e-3)[0]
print(f"naive, 3 seeds: learned {full.text('target_score')}, retained {full.text('retention')}")

# %%
from ftlab.evaluate import update_norms
from ftlab.show import layer_updates

before = {name: weights.detach() for name, weights in lab.bundle.model.named_parameters()}
norms = update_norms(before, run.model)
show(layer_updates(norms))

# %%
unmoved = ftlab.claim(
    "Not one bit of a frozen weight has changed",
    all(
        torch.equal(before[name], weights)
        for name, weights in run.model.named_parameters()
        if not weights.requires_grad
    ),
    f"{sum(not w.requires_grad for w in run.model.parameters())} tensors compared; "
    f"block 12 moved by {norms['block 12']['relative']:.1%}",
)

# %% [markdown]
# ## What it saves
#
# Freezing has a second use. Gradients need not be computed below the lowest block that is trained,
# and AdamW stores two values for every trained weight, none for the others. Here is what that
# saves, measured now, with either half frozen (and the embeddings frozen, both times):

# %%
import math
import time
from statistics import fmean

LOW = Freeze({"1-6": 0.0, "7-12": 1.0}, name="freeze_low")
TOP = Freeze({"1-6": 1.0, "7-12": 0.0}, name="freeze_top")


def costs_of(methods, count=16):
    """By name: seconds of the fastest step, and values stored for gradients and AdamW."""
    some = ftlab.Plan(steps=count + 1, lr=1e-4, measure_every=0)
    trials = {name: lab.run(some, method=method, store=False) for name, method in methods.items()}
    steps, fastest = {name: iter(trial) for name, trial in trials.items()}, {}
    for _ in range(count):  # in turn, so that other work on the machine slows all alike
        for name in trials:
            began = time.perf_counter()
            next(steps[name])
            fastest[name] = min(time.perf_counter() - began, fastest.get(name, math.inf))
    return {name: (fastest[name], 3 * trial.prepared.trainable) for name, trial in trials.items()}


everything = Freeze({"1-12": 1.0}, embeddings=1.0)
costs = costs_of(
    {"everything trained": everything, "lower half frozen": LOW, "upper half frozen": TOP}
)
whole = costs["everything trained"]
show(
    Table(
        ("", "time of a step, everything trained = 1", "gradients and AdamW, million values"),
        [
            (name, f"{seconds / whole[0]:.2f}", f"{values / 1e6:.2f}")
            for name, (seconds, values) in costs.items()
        ],
    )
)

# %%
cheaper = ftlab.claim(
    "With the lower half frozen a step is fastest, and needs less memory than full training",
    costs["lower half frozen"] < min(costs["upper half frozen"], whole)
    and costs["lower half frozen"][1] < whole[1],
    f"{costs['lower half frozen'][0] / whole[0]:.2f} (lower half frozen) and "
    f"{costs['upper half frozen'][0] / whole[0]:.2f} (upper half) of the full step's time, "
    f"{costs['lower half frozen'][1] / whole[1]:.2f} of the values for gradients and AdamW",
)

# %% [markdown]
# ## The controls
#
# If it is the *lower* layers that must be protected, then freezing the upper half instead should be
# worse, and freezing six random blocks should lie between. In all three the embeddings are frozen
# and equally many weights are trained. Three seeds, recorded. (*Layers frozen* is the article's
# plan. Every seed draws its own six random blocks.)

# %%
from ftlab.show import matched_table, scoreboard, settings_table

KINDS = ("learning rate", "freeze", "freeze_low", "freeze_any", "freeze_top")
at_high = [analysis.pick(nano, kind, 1e-3)[0] for kind in KINDS]
_, article, low, random_half, top = at_high
show(settings_table(at_high, model="nano-gpt2, all at 1e-3"))

# %% [markdown]
# And each of them at three rates, in the plane.

# %%
from ftlab.show import called, rate_text

board = [s for kind in KINDS for s in analysis.pick(nano, kind) if 1e-4 <= s.lr <= 1e-3]
show(scoreboard(board))
ahead = max((s for s in board if s.mean("retention") >= 0.9), key=lambda s: s.mean("target_score"))
print(
    f"Of all points that retain 90 % or more, {called(ahead.sweep)} at {rate_text(ahead.lr)} "
    "learned "
    f"most: learned {ahead.mean('target_score'):.0%}, retained {ahead.mean('retention'):.0%}."
)

# %%
retains_more = ftlab.claim(
    "At the same rate the article's plan retains far more than full fine-tuning (3 seeds)",
    analysis.more(article, full),
    f"retained {article.text('retention')} against {full.text('retention')}",
)
gentle_full, gentle_low = (
    analysis.pick(nano, kind, 1e-4)[0] for kind in ("learning rate", "freeze_low")
)
learns_less = ftlab.claim(
    "At a gentle rate a frozen half means less learned in as many steps (3 seeds)",
    analysis.more(gentle_full, gentle_low, "target_score"),
    f"at 1e-4 learned {gentle_low.text('target_score')} with the lower half frozen, "
    f"{gentle_full.text('target_score')} with everything trained",
)
low_not_top = ftlab.claim(
    "At the same rate, freezing the lower half retains more than freezing the upper half (3 seeds)",
    analysis.more(low, top),
    f"retained {low.text('retention')} against {top.text('retention')}; "
    f"learned {low.text('target_score')} against {top.text('target_score')}",
)

# %% [markdown]
# ## Is it a better bargain, or only a slower one?
#
# A run that learns less forgets less. So compare at *matched learning*: along each run, how much
# was forgotten at the moment when the loss on the new task had first fallen to a given level? The
# level says what must be known by then: half of what guessing the urgency costs, so more than a
# guess. Every method may choose its rate, and may take up to 400 steps. *Forgotten* is the rise of
# the loss on general text.

# %%
LEVELS = [share * analysis.level(nano) for share in (1.3, 1.0)]
show(matched_table(nano, KINDS, LEVELS, model="nano-gpt2"))

# %%
matched = [analysis.best_at(nano, level) for level in LEVELS]


def order(found, more, less):
    """Has `more` forgotten more than `less`: the verdict at each level."""
    return {analysis.verdict(m[more].forgotten, m[less].forgotten) for m in found}


def at_levels(found, kind):
    return " and ".join(f"{fmean(m[kind].forgotten):.3f}" for m in found)


place = ftlab.claim(
    "At matched learning the upper half frozen has forgotten more than the lower half (3 seeds)",
    order(matched, "freeze_top", "freeze_low") == {"holds"},
    f"{at_levels(matched, 'freeze_top')} against {at_levels(matched, 'freeze_low')} nats per token",
)
bargain = ftlab.claim(
    "and gentle full fine-tuning a little more than the lower half frozen (3 seeds)",
    order(matched, "learning rate", "freeze_low") == {"holds"},
    f"{at_levels(matched, 'learning rate')} nats per token",
)

# %% [markdown]
# So the place matters, not only the rate: with its lower half frozen the model has forgotten least.
# But look at the size of these numbers. Every method was allowed to go gently, and then all of them
# forget little. Beside full fine-tuning at a gentle rate, freezing gains next to nothing.

# %% [markdown]
# ## Design a freezing
#
# Switch blocks on and off. The left side shows what is trained, how many weights that is, and how
# far down gradients are needed. The right side shows what was recorded for this freezing, or for
# the two nearest ones if it was never run. Try: freeze every other block, then the same number from
# below. What changes, and at which rate?

# %%
from ftlab.show import freeze_panel

freeze_panel(nano, lab.bundle.model).show()

# %% [markdown]
# ## The same on a real language model
#
# SmolLM2-135M has 30 blocks; its lower half is blocks 1 to 15. 60 steps of 8 notes, three seeds
# each, recorded (`ftlab grid decoder --profile laptop`).

# %%
smollm = analysis.whole(analysis.settings(analysis.shipped("laptop")))  # three seeds or more
REAL = ("learning rate", "freeze", "freeze_low", "freeze_top")
real = {(kind, lr): analysis.pick(smollm, kind, lr)[0] for lr in (1e-4, 3e-4) for kind in REAL}
show(settings_table(list(real.values()), model="SmolLM2-135M"))

# %%
show(scoreboard([s for kind in REAL for s in analysis.pick(smollm, kind) if s.lr < 1e-3]))

# %%
real_levels = [share * analysis.level(smollm) for share in (1.3, 1.0)]
show(matched_table(smollm, REAL, real_levels, model="SmolLM2-135M"))

# %%
full_fast, low_fast, top_fast = (
    real[kind, 3e-4] for kind in ("learning rate", "freeze_low", "freeze_top")
)
real_retains = ftlab.claim(
    "SmolLM2: at the same rate the lower half frozen retains more than full fine-tuning (3 seeds)",
    analysis.more(low_fast, full_fast),
    f"SmolLM2 at 3e-4, lower half frozen minus full: retained "
    f"{analysis.difference(low_fast, full_fast)}, "
    f"learned {analysis.difference(low_fast, full_fast, 'target_score')}",
)
real_place = ftlab.claim(
    "SmolLM2: and more than the upper half frozen (3 seeds)",
    analysis.more(low_fast, top_fast),
    f"SmolLM2 at 3e-4, lower half minus upper: retained {analysis.difference(low_fast, top_fast)}",
)
full_gentle, plan_gentle = real["learning rate", 1e-4], real["freeze", 1e-4]
real_less = ftlab.claim(
    "SmolLM2: at a gentle rate the article's plan learns less in as many steps (3 seeds)",
    analysis.more(full_gentle, plan_gentle, "target_score"),
    f"SmolLM2 at 1e-4: learned {plan_gentle.text('target_score')} against "
    f"{full_gentle.text('target_score')}",
)
real_matched = [analysis.best_at(smollm, level) for level in real_levels]
real_bargain = ftlab.claim(
    "SmolLM2: at matched learning every freezing has forgotten more than gentle full fine-tuning",
    all(order(real_matched, kind, "learning rate") == {"holds"} for kind in REAL[1:]),
    "SmolLM2, nats per token: "
    + ", ".join(f"{called(kind)} {at_levels(real_matched, kind)}" for kind in REAL),
)
real_skills = ftlab.claim(
    "SmolLM2: which of the two has more of the skills left, three seeds do not decide",
    all(
        analysis.verdict(m["freeze_low"].retained, m["learning rate"].retained) == "not decided"
        for m in real_matched
    ),
    "SmolLM2 at matched learning: retained "
    + " and ".join(
        f"{fmean(m['freeze_low'].retained):.0%} against {fmean(m['learning rate'].retained):.0%}"
        for m in real_matched
    ),
)
real_half = ftlab.claim(
    "SmolLM2: at matched learning three seeds do not decide which half to freeze",
    order(real_matched, "freeze_top", "freeze_low") == {"not decided"},
    f"SmolLM2, lower half {at_levels(real_matched, 'freeze_low')}, upper half "
    f"{at_levels(real_matched, 'freeze_top')} nats per token",
)
for setting in analysis.settings(analysis.shipped("laptop")):
    if setting.sweep in ("freeze_low longer", "learning rate longer"):
        print(
            f"300 steps, {called(setting.sweep.split(' longer')[0])}, {rate_text(setting.lr)}, "
            f"seeds {len(setting.runs)}: learned {setting.mean('target_score'):.0%}, retained "
            f"{setting.mean('retention'):.0%}, forgotten {setting.mean('forgotten'):.2f}"
        )

# %% [markdown]
# At one and the same rate the real model agrees with the small one: the lower half frozen retains
# far more than full fine-tuning, and far more than the upper half frozen. At matched learning gentle
# full fine-tuning is ahead: the loss on general text has risen least there, and of the skills no
# more is shown to be left with the lower half frozen. The longer runs (one or two seeds, so a hint)
# put both into the good corner.

# %% [markdown]
# ## Exercise 1: freeze by hand
#
# *Goal: do what the plan does, without the package. 10 minutes, medium.*
#
# Write `freeze_lower(model, n)`: no gradient for the embeddings (`model.transformer.wte` and
# `.wpe`) and for the first `n` blocks (`model.transformer.h`), gradients for everything else.
# Return the number of trainable weights.
#
# <details><summary>Hint 1</summary>Every module has .requires_grad_(False), for all its weights at
# once.</details>
#
# <details><summary>Hint 2</summary>model.transformer.h is a list: slice it. Count with p.numel()
# where p.requires_grad.</details>

# %%
from ftlab.teach import answers


def freeze_lower(model, n):
    # <solution>
    model.requires_grad_(True)
    model.transformer.wte.requires_grad_(False)
    model.transformer.wpe.requires_grad_(False)
    for block in model.transformer.h[:n]:
        block.requires_grad_(False)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


freeze_lower = ftlab.exercise(
    freeze_lower,
    reference=answers.freeze_lower,
    checks=[
        ("with 12 only the final norm is trained", lambda f: (f(lab.fresh(), 12), 2 * 128)),
        ("6 equals the package", lambda f: (f(lab.fresh(), 6), LOW(lab.fresh()).trainable)),
    ],
    cases=[(lab.fresh(), 0), (lab.fresh(), 9)],
)
print(f"with the first 9 blocks frozen, {freeze_lower(lab.fresh(), 9):,} weights are trainable")

# %% [markdown]
# ## Exercise 2: a plan of your own
#
# *Goal: more learned than with the article's plan, and at least 75 % retained. 15 minutes, medium.*
#
# Bands are written in twelfths of the depth, here blocks. Name every block once: 0 is frozen, 1 is
# trained at the full rate, and a value between is trained lightly. The article's plan leaves much
# room: which of its three bands would you loosen? (Both plans are asked every question.)
#
# <details><summary>Hint 1</summary>The article's plan retains far more than 75 %, so you can afford
# to train more. Six of its blocks are not trained at all, and three at a tenth of the
# rate.</details>
#
# <details><summary>Hint 2</summary>Freeze only the lowest blocks, give those in the middle a share
# between 0.1 and 1, and try a higher rate. If too little is retained, lower the share or the
# rate.</details>

# %%
# <solution>
my_bands, my_rate = {"1-3": 0.0, "4-9": 0.3, "10-12": 1.0}, 2e-3
# </solution>
# <stub>
# my_bands, my_rate = None, None  # such as {"1-6": 0, "7-12": 1}, 3e-3
# </stub>

if my_bands is None:
    print("No plan of your own yet. The article's plan is in the plot above.")
else:
    own_plan = ftlab.Plan(lr=my_rate or 1e-3, measure_every=0)
    own = lab.run(own_plan, method=Freeze(my_bands), name="my plan").finish()
    learned, retained = own.final["target_score"], own.final["retention"]
    wanted = run.final["target_score"]
    goals = {
        f"learned {learned:.0%} (more than the {wanted:.0%} of the article's plan)": learned
        > wanted,
        f"retained {retained:.0%} (at least 75 %)": retained >= 0.75,
    }
    for what, done in goals.items():
        print("✓" if done else "✗", what)

# %% [markdown]
# ## The article says, we measured
#
# The article is Sachchida Nand Singh, "Fine-Tuning Large Language Models (LLMs) Without
# Catastrophic Forgetting", Towards AI; its statements are in our words. Rows marked *(often said)*
# are common advice, not taken from it.

# %%
ftlab.verdict_table(
    ftlab.says("Low layers hold words and grammar, high layers more", supported_by=[low_high]),
    ftlab.says(
        "Freezing embeddings and lower layers retains more, compared at the same rate",
        supported_by=[retains_more, real_retains],
    ),
    ftlab.says(
        "It is the lower layers that must be protected",
        supported_by=[low_not_top, real_place, place],
        undecided_by=[real_half],
    ),
    ftlab.says(
        "(often said) Freezing costs nothing in what is learned",
        contradicted_by=[learns_less, real_less],
    ),
    ftlab.says(
        "(often said) Freezing beats plain fine-tuning at a well-chosen rate",
        supported_by=[bargain],
        contradicted_by=[real_bargain],
        undecided_by=[real_skills],
    ),
    ftlab.says("(often said) Frozen layers save time and memory", supported_by=[cheaper]),
)

# %% [markdown]
# ## What you take along
#
# - If you freeze, freeze the lower half. At a high rate it retains far more than full fine-tuning,
#   and it saves time and memory.
# - At a gentle rate it is only slower. Before you compare a remedy with plain fine-tuning, give
#   plain fine-tuning a lower rate.
# - Check on the live model what is trained. A frozen weight has no gradient at all.
#
# **Next:** [04 LoRA on Q and V](04_lora_on_q_and_v.ipynb) freezes every weight and trains small
# matrices beside them.
