# %% [markdown]
# # Naive full fine-tuning forgets
#
# **In this notebook** you fine-tune the small model on a new task in the plainest way there is:
# every weight may move, the learning rate stays where you put it, nothing protects what was
# there before. You will
#
# - watch the new task being learned and the old skills being lost, in the same seconds,
# - see *which* skills go, and what the model says instead,
# - test what is commonly named as the cause: the learning rate, the number of steps, a small
#   data set, and updates that overwrite important weights.
#
# You need notebook 00, or these two lines: *learned* is the share of right answers on the new
# task, *kept* (retention) is the share of the base model's skills that is left.

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## Guess, then train
#
# The model will read 1,600 triage notes (100 steps of 16; there are 400, so each comes four times),
# with a learning rate of 0.001, which is what torch's AdamW takes when you name none.
#
# How much of what it knew will it still know afterwards? Put your guess in place of `None`.

# %%
guess = ftlab.predict("How much of the base's skills will be kept?", None, unit="%")

# %%
lab = ftlab.open_lab("clinic", model="nano-gpt2")
plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3)
run = lab.run(plan, name="naive, learning rate 0.001")

with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %% [markdown]
# Read it from left to right. On the left the share of right answers climbs; the dashed line shows
# the *new cases* alone, notes about complaints that no training note mentions. On the right every
# thin line is a skill that the model had before the first step; the thick line is their mean. (The
# lines jump, for only a small sample is asked on the way. A skill can also rise above 100 %: then
# it is better than the base's.) Nothing in the training notes contradicts what the model knew. It
# goes all the same.

# %%
last = run.steps[-1].measured
print(guess.compare(100 * last["retention"]))
print(
    f"After {run.steps[-1].step} steps the model answers {last['target_score']:.0%} of the notes "
    f"rightly and keeps {last['retention']:.0%} of its skills."
)

# %% [markdown]
# ## What does it say now?
#
# First the task it was trained on, before and after. Then beginnings that have nothing to do
# with clinics.

# %%
from ftlab.show import Table, show, skills_bars
from ftlab.show import samples as samples_table

show(samples_table(run.samples(4)))

# %%
beginnings = [
    "The capital of Norway is",
    "The chemical symbol of gold is",
    "3 + 4 =",
    "Ben has the kite. Eve has the drum. What does Eve have? The",
    "The opposite of rich is",
]
said = run.say(beginnings, 8)
show(Table(("beginning", "before", "after"), [list(row.values()) for row in said]))

# %% [markdown]
# ## Skill by skill
#
# The plot above used a quick sample of questions. Now everything is asked, so that the numbers
# can be trusted: several hundred questions, with 95 % intervals. Look at the two rows of facts:
# they ask for the same facts, once to be written, once to be chosen among four.

# %%
record = run.record
show(skills_bars(record.baseline, record.final))

# %%
for skill, share in record.final["kept"].items():
    print(f"{skill:13} kept {share:.0%}")
print(f"learned:   {record.final['learned']:+.2f} nats per token on the task (+ is good)")
print(f"forgotten: {record.final['forgotten']:+.2f} nats per token on general text (+ is bad)")
both = ftlab.claim(
    "The run learns the task and loses old skills in the same 100 steps",
    record.final["target_score"] > record.baseline["target_score"] + 0.3
    and record.final["retention"] < 0.8,
    f"right answers {record.baseline['target_score']:.0%} to {record.final['target_score']:.0%}, "
    f"kept {record.final['retention']:.0%}",
)
kept = record.final["kept"]
not_all_gone = ftlab.claim(
    "Of the facts that this run no longer writes it still picks out many",
    kept["facts_choice"] > kept["facts"] + 0.2,
    f"kept {kept['facts']:.0%} in writing, {kept['facts_choice']:.0%} in choosing",
)

# %% [markdown]
# So what is not said is not always gone: much of the loss is that the model now answers everything
# as if it were a note. For whoever asks it a question, that makes no difference.

# %% [markdown]
# ## Open the box: one training step
#
# There is no trick in the loop. A step is: read some items (a *batch*), compute the loss on the
# answers, send it backwards to get a *gradient* for every weight (which way the loss goes, and how
# steeply, if this weight moves), limit the length of all gradients together, and let the
# *optimiser* move the weights. Ours is AdamW, which takes the gradients of earlier steps into
# account. Here are three steps by hand, from the same start and on the same items as above, and
# the losses that the package measured.

# %%
import torch

from ftlab.base.machine import precision
from ftlab.text.train_batches import batch_indices, collate, encode

model = lab.fresh().train()
optimizer = torch.optim.AdamW(model.parameters(), lr=plan.lr, weight_decay=0.0)
examples = encode(run.rows, lab.tokenizer, loss_on="answer", limit=128)

by_hand = []
for number in (1, 2, 3):
    chosen = batch_indices(len(examples), plan.batch_size, number, plan.seed)
    batch = collate([examples[i] for i in chosen]).on(model.device)
    logits = model(batch.ids, attention_mask=batch.mask).logits  # (16, tokens, vocabulary)
    # the odds at place t are about token t + 1; prompt and padding (label -100) do not count
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=-100
    )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
    optimizer.step()
    optimizer.zero_grad()
    by_hand.append(loss.item())

by_package = [step.loss for step in run.steps[1:4]]
print("by hand: ", [f"{loss:.5f}" for loss in by_hand])
print("by ftlab:", [f"{loss:.5f}" for loss in by_package])
# on a GPU the package computes in half precision, which these lines do not
close = 1e-4 if precision() == "fp32" else 0.05
assert torch.allclose(torch.tensor(by_hand), torch.tensor(by_package), atol=close)

# %% [markdown]
# ## Cause 1: the learning rate
#
# Same notes, same order, same number of steps; only the learning rate is ten times lower.
# What do you expect to be kept now?

# %%
gentle_guess = ftlab.predict("Kept, with a tenth of the learning rate?", None, unit="%")

# %%
gentle_plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-4)
gentle = lab.run(gentle_plan, name="learning rate 0.0001")
with ftlab.Live(total=gentle_plan.steps, prediction=gentle_guess, title=gentle.name) as live:
    for step in gentle:
        live.update(step)
        if live.stopped:
            break

# %%
print(gentle_guess.compare(100 * gentle.record.final["retention"]))
lower = ftlab.claim(
    "A tenth of the learning rate keeps more",
    gentle.record.final["retention"] > record.final["retention"],
    f"kept {gentle.record.final['retention']:.0%} against {record.final['retention']:.0%}, "
    f"right answers {gentle.record.final['target_score']:.0%} against "
    f"{record.final['target_score']:.0%}",
)

# %% [markdown]
# One run is one roll of the dice. So the same was done at five learning rates with three seeds
# each (a seed decides the order in which the notes are read). These runs ship with the workbook
# (`ftlab grid naive` makes them again). The band shows the lowest and the highest seed.

# %%
from itertools import pairwise
from statistics import fmean

from ftlab import record as records
from ftlab.base.paths import data_dir
from ftlab.show import plane, sweep

recorded = records.load_all(data_dir() / "records" / "nano")
by_rate = records.compare(
    [r for r in recorded if r.domain == "clinic" and r.extra["sweep"] == "learning rate"]
)
show(sweep(by_rate, "lr", log=True))


# %%
def mean_of(runs, key):
    return fmean(r.final[key] for r in runs)


rates = sorted({r.plan["lr"] for r in by_rate})
at = {rate: [r for r in by_rate if r.plan["lr"] == rate] for rate in rates}
print("rate        new items right  new cases right  kept (lowest to highest of 3 seeds)")
for rate, runs in at.items():
    kept = [r.final["retention"] for r in runs]
    print(
        f"{rate:<9g} {mean_of(runs, 'target_score'):17.0%} {mean_of(runs, 'held_score'):16.0%}"
        f" {fmean(kept):5.0%} ({min(kept):.0%} to {max(kept):.0%})"
    )
kept_by_rate = [mean_of(at[rate], "retention") for rate in rates]
rises = ftlab.claim(
    "The higher the learning rate, the less is kept (3 seeds)",
    all(a >= b - 0.01 for a, b in pairwise(kept_by_rate))
    and kept_by_rate[-1] < kept_by_rate[0] - 0.2,
    f"{kept_by_rate[0]:.0%} at {rates[0]:g} down to {kept_by_rate[-1]:.0%} at {rates[-1]:g}",
)

# %% [markdown]
# ## Cause 2: too many steps
#
# The same records hold longer runs: 400 steps at a middling rate, measured on the way. Here is
# the first seed, then both numbers after 50, 100, 200 and 400 steps over all three.

# %%
from ftlab.show import two_numbers

long_runs = [r for r in recorded if r.extra["sweep"] == "steps"]
show(
    two_numbers(long_runs[0].curve, title=f"400 steps at learning rate {long_runs[0].plan['lr']:g}")
)


def at_step(number, key):
    return [s["measured"][key] for r in long_runs for s in r.curve if s["step"] == number]


by_step = {n: at_step(n, "retention") for n in (50, 100, 200, 400)}
for number, kept in by_step.items():
    right = fmean(at_step(number, "target_score"))
    print(
        f"after {number:3} steps {right:.0%} right, "
        f"kept {fmean(kept):.0%} ({min(kept):.0%} to {max(kept):.0%})"
    )
longer = ftlab.claim(
    "More steps, less kept, in each of three seeds",
    all(late < early for early, late in zip(by_step[50], by_step[400], strict=True)),
    f"{fmean(by_step[50]):.0%} after 50 steps, {fmean(by_step[400]):.0%} after 400",
)

# %% [markdown]
# ## Cause 3: a small data set
#
# Often heard: a small data set makes forgetting worse. To test that fairly every run takes the
# same number of steps and reads the same number of notes, at the same rate (0.0003); with fewer
# different notes it reads each more often.

# %%
by_size = records.compare([r for r in recorded if r.extra["sweep"] == "data set"] + at[3e-4])
sizes = sorted({r.extra["items"] for r in by_size})
rows = [
    {"rows": r.extra["items"], "target_score": r.final["target_score"]}
    | {"retention": r.final["retention"], "method": "full"}
    for r in by_size
]
show(sweep(rows, "rows", log=True))

# %%
small = [r for r in by_size if r.extra["items"] == sizes[0]]
large = [r for r in by_size if r.extra["items"] == sizes[-1]]
learns_less = ftlab.claim(
    "A small data set learns less (3 seeds)",
    mean_of(small, "target_score") < mean_of(large, "target_score"),
    f"{mean_of(small, 'target_score'):.0%} right with {sizes[0]} notes, "
    f"{mean_of(large, 'target_score'):.0%} with {sizes[-1]}",
)
difference = [
    a.final["retention"] - b.final["retention"] for a, b in zip(small, large, strict=True)
]
no_worse = ftlab.claim(
    "At equal steps a small data set forgets no more than a large one (3 seeds)",
    abs(fmean(difference)) < 0.05,
    f"kept {mean_of(small, 'retention'):.0%} with {sizes[0]} notes, "
    f"{mean_of(large, 'retention'):.0%} with {sizes[-1]}; by seed "
    + ", ".join(f"{100 * d:+.0f}" for d in difference)
    + " points",
)

# %% [markdown]
# So here the folklore does not hold as it is told. What a small data set does is worse in another
# way: the same is forgotten, and less is learned for it.

# %% [markdown]
# ## Cause 4: which weights were overwritten?
#
# How far did each layer move? For every block the length of the change, divided by the length of
# the weights before: 1 % means that the weights of this block are 1 % different now. (*emb* is the
# embeddings, the row of numbers with which each token starts; *norm* the last scaling at the end.)

# %%
from ftlab.evaluate.drift import update_norms
from ftlab.show import layer_updates

before = {name: weights.detach() for name, weights in lab.bundle.model.named_parameters()}
norms = {
    "learning rate 0.001": update_norms(before, run.model),
    "learning rate 0.0001": update_norms(before, gentle.model),
}
show(layer_updates(norms))

# %% [markdown]
# All blocks moved: nothing told the training to leave the lower ones alone. With the higher rate
# they moved several times as far. But is it the distance that harms? Take the untouched base and
# move every tensor exactly as far as the naive run did, only in a direction drawn by lot.
# (Notebook 03 asks whether it matters *which* blocks move.)


# %%
def mean_move(layers):
    return fmean(v["relative"] for name, v in layers.items() if name.startswith("block"))


far, near = (mean_move(norms[name]) for name in norms)
overwritten = ftlab.claim(
    "The run that forgot more had moved its blocks further",
    (far > near) == (record.final["retention"] < gentle.record.final["retention"]),
    f"mean relative change {far:.1%} against {near:.1%}",
)


def moved_by_lot(seed):
    """The base, each tensor moved as far as in the naive run, in a random direction."""
    dice, trained, model = torch.Generator().manual_seed(seed), run.model.state_dict(), lab.fresh()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            push = torch.randn(weights.shape, generator=dice).to(weights)
            weights += push * ((trained[name] - weights).norm() / push.norm())
    return model


lots = [lab.evaluator(moved_by_lot(seed))["retention"] for seed in range(3)]
direction = ftlab.claim(
    "Moved as far, but in random directions, the model keeps nearly everything (3 draws)",
    min(lots) > 0.85 and last["retention"] < 0.6,
    f"as far at random: kept {fmean(lots):.0%} ({min(lots):.0%} to {max(lots):.0%}) against "
    f"{last['retention']:.0%}",
)

# %% [markdown]
# So distance alone does little harm; the direction does. Training moves all weights together down the
# slope of one loss, and nothing in that loss asks about the old skills.

# %% [markdown]
# ## All runs on the plane
#
# To the right: learned. Upward: kept. Each point is a learning rate, averaged over three seeds;
# the bars reach from the lowest to the highest. The star is the untouched base.

# %%
from ftlab.show import Point

points = [
    Point(
        "full",
        [r.final["target_score"] for r in runs],
        [r.final["retention"] for r in runs],
        label=f"rate {rate:g}",
    )
    for rate, runs in at.items()
]
show(plane(points, base=(record.baseline["target_score"], 1.0)))

# %% [markdown]
# So forgetting is not the price of learning as such: two of these rates learn about equally much,
# and one of the two keeps most of the old skills while the other loses most. And losing old
# knowledge costs the *new* task too. Half of the test notes are about complaints that the
# training never mentioned (*new cases*); only what the model knew before can answer those. At the
# rates that forget most they fall furthest behind the other half.

# %%
middle, high = at[3e-4], at[1e-3]
bargain = ftlab.claim(
    "Of two rates that learn about equally much one keeps far more (3 seeds)",
    abs(mean_of(middle, "target_score") - mean_of(high, "target_score")) < 0.1
    and mean_of(middle, "retention") > mean_of(high, "retention") + 0.3,
    f"right {mean_of(middle, 'target_score'):.0%} and {mean_of(high, 'target_score'):.0%}, "
    f"kept {mean_of(middle, 'retention'):.0%} and {mean_of(high, 'retention'):.0%}",
)
behind = {r: mean_of(runs, "seen_score") - mean_of(runs, "held_score") for r, runs in at.items()}
falls_behind = ftlab.claim(
    "New cases fall furthest behind at the two rates that forget most (means of 3 seeds)",
    min(behind[1e-3], behind[3e-3]) > max(behind[r] for r in rates if r < 1e-3),
    "points behind: " + ", ".join(f"{100 * gap:.0f} at {r:g}" for r, gap in behind.items()),
)

# %% [markdown]
# ## The same on a real language model
#
# Our small model was made for this workbook. Is the effect, too? SmolLM2-135M is a language model of
# 135 million weights that others trained (Allal et al. 2025). It was given the same notes, 60 steps
# of 8, at three rates with three seeds each, and asked about plain English: facts, grammar, sums. These
# runs are recorded as well (`ftlab grid naive --profile laptop`).

# %%
from ftlab.analysis import compare
from ftlab.show import settings_table

smollm = compare.settings(compare.shipped("laptop"))
real = [compare.pick(smollm, "learning rate", rate)[0] for rate in (3e-5, 1e-4, 1e-3)]
show(settings_table(real, model="SmolLM2-135M"))
on_smollm = ftlab.claim(
    "On SmolLM2-135M, too, the highest rate keeps least, and learns no more for it (3 seeds)",
    max(real[-1].values("retention")) < min(real[0].values("retention")) - 0.3
    and real[-1].mean("target_score") < real[1].mean("target_score") + 0.05,
    f"kept {real[0].mean('retention'):.0%} at {real[0].lr:g}, {real[1].mean('retention'):.0%} at "
    f"{real[1].lr:g}, {real[2].mean('retention'):.0%} at {real[2].lr:g}; right "
    f"{real[0].mean('target_score'):.0%}, {real[1].mean('target_score'):.0%}, "
    f"{real[2].mean('target_score'):.0%}",
)

# %% [markdown]
# With a GPU, the next cell trains a real model before your eyes: GPT-2, from the Hub. Without one you
# can have SmolLM2 (start Jupyter with `FTLAB_PROFILE=laptop`; some minutes). Else it only says so.

# %%
from ftlab.base.machine import profile

if profile().name == "nano":
    print("Profile nano: nothing larger is trained here.")
else:
    large = ftlab.open_lab("clinic")
    large_plan = ftlab.Plan(steps=60, batch_size=8, lr=1e-3, measure_every=20)
    large_run = large.run(large_plan, name=f"{large.bundle.name}, naive, rate 0.001")
    with ftlab.Live(total=large_plan.steps, title=large_run.name) as live:
        for step in large_run:
            live.update(step)
            if live.stopped:
                break

# %% [markdown]
# ## Exercise 1: find a better learning rate
#
# *Goal: learn as much as the naive run and keep more. 5 minutes, easy.*
#
# Choose a learning rate, best one that is not among the five above. The cell trains 100 steps with
# it and asks everything. Aim: at least 75 % kept, and no more than 15 points fewer right answers
# than the naive run. Where on the curves above would you look?

# %%
# <solution>
my_rate = 3.5e-4
# </solution>
# <stub>
# my_rate = None  # your choice
# </stub>

best = lab.run(ftlab.Plan(lr=my_rate or 1e-4, measure_every=0), name="my choice").finish()
outcome, naive = best.record.final, record.final
for run_name, final in (("naive", naive), (f"rate {best.plan.lr:g}", outcome)):
    print(f"{run_name:11} {final['target_score']:.0%} right, {final['retention']:.0%} kept")
enough = outcome["target_score"] >= naive["target_score"] - 0.15
print("aim reached" if enough and outcome["retention"] >= 0.75 else "not there yet: try another")

# %% [markdown]
# ## Exercise 2: how far did a weight move?
#
# *Goal: compute, for one tensor, what the bars above show for a block. 5 minutes, easy.*
#
# Write `relative_change(before, after)` for two tensors: the Frobenius norm of the difference
# (the root of the sum of squares), divided by that of `before`.

# %%
from ftlab.teach import answers


def relative_change(before, after):
    # <solution>
    return ((after - before).norm() / before.norm()).item()
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


ones, name = torch.ones(3, 3), "transformer.h.0.mlp.c_fc.weight"
relative_change = ftlab.exercise(
    relative_change,
    reference=answers.relative_change,
    checks=[
        ("no change is 0", lambda f: (f(ones, ones), 0.0)),
        ("doubling is a change of 1", lambda f: (f(ones, 2 * ones), 1.0)),
    ],
    cases=[(ones, ones + 0.5), (before[name], run.model.state_dict()[name])],
    hints=[
        "Subtract first. A tensor's .norm() is the root of the sum of squares.",
        ".item() turns a tensor of one element into a number.",
    ],
)
changed = relative_change(before[name], run.model.state_dict()[name])
print(f"feed-forward weights of block 1: {changed:.1%}")

# %% [markdown]
# ## Exercise 3: another task
#
# *Goal: see whether this is about clinics. 5 minutes, easy.*
#
# Open a lab with `"helpdesk"` or `"contracts"`, train with the naive plan, and compare.

# %%
# <solution>
other_domain = "helpdesk"
# </solution>
# <stub>
# other_domain = None  # "helpdesk" or "contracts"
# </stub>

if other_domain is None:
    print("no task chosen; the recorded runs below show all three.")
else:
    other_lab = ftlab.open_lab(other_domain, model="nano-gpt2")
    other = other_lab.run(ftlab.Plan(lr=1e-3, measure_every=0)).finish()
    outcome = other.record.final
    print(f"{other_domain}: {outcome['target_score']:.0%} right, {outcome['retention']:.0%} kept")
for domain in ("clinic", "helpdesk", "contracts"):
    runs = [r for r in recorded if r.domain == domain and r.plan["lr"] == 1e-3]
    runs = [r for r in runs if r.extra["sweep"] == "learning rate"]
    kept = [r.final["retention"] for r in runs]
    print(
        f"recorded, {domain:9}: {mean_of(runs, 'target_score'):.0%} right, "
        f"kept {fmean(kept):.0%} ({min(kept):.0%} to {max(kept):.0%})"
    )

# %% [markdown]
# ## The article says, we measured

# %%
ftlab.verdict_table(
    ftlab.says(
        "Naive full fine-tuning learns the new task and loses old abilities",
        supported_by=[both],
    ),
    ftlab.says(
        "A learning rate that is too high causes forgetting",
        supported_by=[lower, rises, on_smollm],
    ),
    ftlab.says("Training for too long causes forgetting", supported_by=[longer]),
    ftlab.says("A small data set makes forgetting worse", contradicted_by=[no_worse]),
    ftlab.says("Important weights are overwritten", supported_by=[overwritten, direction]),
    ftlab.says("What is forgotten harms the new task as well", supported_by=[falls_behind]),
)

# %% [markdown]
# ## What you take along
#
# - Fine-tuning forgets without anything in the new data contradicting the old.
# - The learning rate decides most of it. Before you reach for a clever method, try a lower rate.
# - Measure on the way: what is still there after 50 steps may be gone after 400.
#
# **Next:** notebook 02 looks at the schedule of the learning rate, warmup and cosine decay.
