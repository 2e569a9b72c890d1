# %% [markdown]
# # Naive full fine-tuning forgets
#
# <!-- seen: what is lost, skill by skill, and why -->
#
# **In this notebook** you fine-tune the small model on a new task in the simplest way: every weight
# is trained, the learning rate stays constant, and nothing protects what was there before. You will
#
# - see the new task being learned and the old skills being lost, in the same seconds,
# - see *which* skills are lost, and what the model says instead,
# - test what is commonly named as the cause: the learning rate, the number of steps, a small data
#   set, and updates that overwrite important weights.
#
# You need notebook 00, or these two lines: *learned* is the share of correct answers on the new
# task, *retained* is the share of the base model's skills that is still there.

# %% [markdown] tags=["learner"]
# ← [00 Start here](00_start_here.ipynb) | [02 Warmup and cosine decay](02_warmup_and_cosine_decay.ipynb) → | [this notebook, solved](solutions/01_naive_full_fine_tuning.ipynb)

# %% [markdown] tags=["solution"]
# ← [00 Start here](00_start_here.ipynb) | [02 Warmup and cosine decay](02_warmup_and_cosine_decay.ipynb) → | solved; [the one to work in](../01_naive_full_fine_tuning.ipynb)

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
# The model will read 1,600 triage notes (100 steps of 16; there are 400, so it reads each four
# times). The learning rate is 1e-3, the default of torch's AdamW.
#
# How much of what it knew will it still know afterwards? Put your guess in place of `None`.

# %%
guess = ftlab.predict("How much of the base's skills will be retained?", None, unit="%")

# %%
lab = ftlab.open_lab("clinic", model="nano-gpt2")
plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3)
run = lab.run(plan, name="naive, learning rate 1e-3")

with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %% [markdown]
# Read it from left to right. On the left *learned* rises; the dashed line shows the *new cases*
# alone, notes about complaints that are in no training note. On the right every thin line is a
# skill that the model had before the first step; the thick line is their mean. (The lines jump
# because only a small sample is asked during the run. A skill can also rise above 100 %: then it is
# better than in the base, and in the mean it counts as 100 %.) Nothing in the training notes contradicts what the model knew. It is
# lost all the same.

# %%
last = run.last
print(guess.compare(100 * last["retention"]))
print(
    f"After {run.steps[-1].step} steps: learned {last['target_score']:.0%}, "
    f"retained {last['retention']:.0%}."
)

# %% [markdown]
# ## What does it say now?
#
# First the task it was trained on, before and after. Then sentence beginnings that have nothing to
# do with clinics.

# %%
from ftlab.show import Table, samples, show

show(samples(run.samples(4)))

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
# The plot above used a small sample of questions. Now all of them are asked, several hundred, with
# 95 % intervals, so that the numbers can be trusted. Look at the two rows of facts: they ask for
# the same facts, once to be written, once to be chosen among four.

# %%
from ftlab.show import skills_bars

record = run.record
show(skills_bars(record.baseline, record.final))

# %%
for skill, share in record.final["kept"].items():
    print(f"{skill:13} retained {share:.0%}")
print(f"loss on the task:     {-record.final['learned']:+.2f} nats per token (a fall is good)")
print(f"loss on general text: {record.final['forgotten']:+.2f} nats per token (a rise is bad)")
both = ftlab.claim(
    "The run learns the task and loses old skills in the same 100 steps",
    record.final["target_score"] > record.baseline["target_score"] + 0.3
    and record.final["retention"] < 0.8,
    f"learned {record.baseline['target_score']:.0%} to {record.final['target_score']:.0%}, "
    f"retained {record.final['retention']:.0%}",
)
by_skill = record.final["kept"]
not_all_gone = ftlab.claim(
    "This run still recognises many facts that it can no longer write",
    by_skill["facts_choice"] > by_skill["facts"] + 0.2,
    f"retained {by_skill['facts']:.0%} in writing, {by_skill['facts_choice']:.0%} in choosing",
)

# %% [markdown]
# So what the model no longer says is not always gone: much of the loss is that it now answers
# everything as if it were a note. For anyone who asks it a question, that makes no difference.

# %% [markdown]
# ## Open the box: one training step
#
# There is no trick in the loop. One step: read some items (a *batch*), compute the loss on the
# answers, compute a *gradient* for every weight (which way, and how steeply, the loss changes with
# this weight), limit the length of all gradients together, and let the *optimiser* move the
# weights. Ours is AdamW, which takes earlier gradients into account. Here are three steps by hand,
# from the same start and on the same items as above, beside the losses that the package measured.

# %%
import dataclasses

import torch

from ftlab.text import batch_indices, collate, encode

model = lab.fresh().train()
optimizer = torch.optim.AdamW(model.parameters(), lr=plan.lr, weight_decay=0.0)
examples = encode(run.rows, lab.tokenizer, loss_on="answer", limit=128)

by_hand = []
for number in (1, 2, 3):
    chosen = batch_indices(len(examples), plan.batch_size, number, plan.seed)
    batch = collate([examples[i] for i in chosen]).on(model.device)
    logits = model(batch.ids, attention_mask=batch.mask).logits  # (16, tokens, vocabulary)
    # the prediction at t is for token t + 1; prompt and padding (label -100) do not count
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=-100
    )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
    optimizer.step()
    optimizer.zero_grad()
    by_hand.append(loss.item())

# (on a GPU `run` multiplied in 16 bits; these lines do it in 32, so the package does here)
exact = lab.run(dataclasses.replace(plan, precision="fp32", measure_every=0))
by_package = [step.loss for step, _ in zip(exact, range(4), strict=False)][1:]
print("by hand: ", [f"{loss:.5f}" for loss in by_hand])
print("by ftlab:", [f"{loss:.5f}" for loss in by_package])
assert torch.allclose(torch.tensor(by_hand), torch.tensor(by_package), atol=1e-4)

# %% [markdown]
# ## Cause 1: the learning rate
#
# Same notes, same order, same number of steps; only the learning rate is ten times lower. How much
# do you expect to be retained now?

# %%
gentle_guess = ftlab.predict("Retained, with a tenth of the learning rate?", None, unit="%")

# %%
gentle_plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-4)
gentle = lab.run(gentle_plan, name="learning rate 1e-4")
with ftlab.Live(total=gentle_plan.steps, prediction=gentle_guess, title=gentle.name) as live:
    for step in gentle:
        live.update(step)
        if live.stopped:
            break

# %%
print(gentle_guess.compare(100 * gentle.record.final["retention"]))
lower = ftlab.claim(
    "A tenth of the learning rate retains more",
    gentle.record.final["retention"] > record.final["retention"],
    f"retained {gentle.record.final['retention']:.0%} against {record.final['retention']:.0%}, "
    f"learned {gentle.record.final['target_score']:.0%} against "
    f"{record.final['target_score']:.0%}",
)

# %% [markdown]
# One run can be luck. So the same was done at five learning rates with three seeds each (the seed
# decides the order in which the notes are read). These runs ship with the workbook (`ftlab grid
# decoder` makes them again). The band shows the lowest and the highest seed.

# %%
from itertools import pairwise
from statistics import fmean

from ftlab import analysis
from ftlab.show import rate_text, sweep

recorded = analysis.shipped("nano")
nano = analysis.settings(recorded)  # runs that differ in their seed alone, together
by_rate = analysis.pick(nano, "learning rate")
show(sweep([run for setting in by_rate for run in setting.runs], "lr", log=True))


# %%
print("rate  learned  of new cases  retained (lowest to highest seed)")
for setting in by_rate:
    print(
        f"{rate_text(setting.lr):4} {setting.mean('target_score'):8.0%} "
        f"{setting.mean('held_score'):13.0%}  {setting.text('retention')}"
    )
retained = [setting.mean("retention") for setting in by_rate]
rises = ftlab.claim(
    "The higher the learning rate, the less is retained (3 seeds)",
    all(a >= b - 0.01 for a, b in pairwise(retained)) and retained[-1] < retained[0] - 0.2,
    f"{retained[0]:.0%} at {rate_text(by_rate[0].lr)} down to {retained[-1]:.0%} at "
    f"{rate_text(by_rate[-1].lr)}",
)

# %% [markdown]
# ## Cause 2: too many steps
#
# The records also hold longer runs: 400 steps at a moderate rate, measured along the way. Here is
# the first seed, then both measures after 50, 100, 200 and 400 steps, over all three seeds.

# %%
from ftlab.show import two_numbers

long_runs = analysis.pick(nano, "steps")[0].runs
rate = rate_text(long_runs[0].plan["lr"])
title = f"400 steps at learning rate {rate}"
show(two_numbers(long_runs[0].curve, title=title, final=long_runs[0].final))


def at_step(number, key):
    return [s["measured"][key] for r in long_runs for s in r.curve if s["step"] == number]


by_step = {n: at_step(n, "retention") for n in (50, 100, 200, 400)}
for number, shares in by_step.items():
    learned = fmean(at_step(number, "target_score"))
    print(
        f"after {number:3} steps: learned {learned:.0%}, "
        f"retained {fmean(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})"
    )
longer = ftlab.claim(
    "More steps retain less, in each of three seeds",
    all(late < early for early, late in zip(by_step[50], by_step[400], strict=True)),
    f"{fmean(by_step[50]):.0%} after 50 steps, {fmean(by_step[400]):.0%} after 400",
)

# %% [markdown]
# ## Cause 3: a small data set
#
# Often said: a small data set makes forgetting worse. To test this fairly, every run takes the same
# number of steps and reads the same number of notes, at the same rate (3e-4). With fewer different
# notes, it reads each of them more often.

# %%
at = {setting.lr: setting for setting in by_rate}
by_size = [*analysis.pick(nano, "data set"), at[3e-4]]
by_size.sort(key=lambda setting: setting.runs[0].extra["items"])
runs = [run for setting in by_size for run in setting.runs]
assert {run.budget["examples"] for run in runs} == {1600}  # all read equally many notes
rows = [
    {
        "rows": run.extra["items"],
        "target_score": run.final["target_score"],
        "retention": run.final["retention"],
        "method": "full",
    }
    for run in runs
]
show(sweep(rows, "rows", log=True))

# %%
small, large = by_size[0], by_size[-1]
few, many = small.runs[0].extra["items"], large.runs[0].extra["items"]
learns_less = ftlab.claim(
    "A small data set learns less (3 seeds)",
    analysis.more(large, small, "target_score"),
    f"learned {small.mean('target_score'):.0%} with {few} notes, "
    f"{large.mean('target_score'):.0%} with {many}",
)
no_worse = ftlab.claim(
    "At equal steps three seeds do not show that a small data set forgets more",
    not analysis.more(large, small),
    f"retained {small.mean('retention'):.0%} with {few} notes, {large.mean('retention'):.0%} with "
    f"{many}: {analysis.difference(small, large)}",
)
level = analysis.level(nano)  # of the target loss: half of what guessing the urgency costs
reached = [analysis.at_loss(run, level) is not None for run in small.runs]
never_there = ftlab.claim(
    f"With {few} notes no run has learned the rule: the loss on test notes stays high",
    not any(reached),
    f"{sum(reached)} of {len(reached)} seeds got below {level:.2f} nats per token",
)

# %% [markdown]
# So at equal steps this often-heard rule is not confirmed; if anything, it is the other way round. A
# few notes are soon known by heart. Then their loss is near 0, its gradients are small, and the
# weights hardly move: little is forgotten, but the rule is not learned either. Perhaps something
# else is meant, a small data set that is read until the rule comes out of it. Here it never does.

# %% [markdown]
# ## Cause 4: which weights were overwritten?
#
# How far did each layer move? For every block, the bars show the length of the change, divided by
# the length of the weights before: at 1 %, this block's weights have changed by 1 %. (*emb* stands
# for the embeddings, the vectors that tokens start as; *norm* for the last normalisation.)

# %%
from ftlab.evaluate import update_norms
from ftlab.show import layer_updates

before = {name: weights.detach() for name, weights in lab.bundle.model.named_parameters()}
norms = {
    "learning rate 1e-3": update_norms(before, run.model),
    "learning rate 1e-4": update_norms(before, gentle.model),
}
show(layer_updates(norms))

# %% [markdown]
# All blocks moved: nothing kept the lower ones in place. At the higher rate they moved several
# times as far. But is it the distance that does harm? Take the untouched base and move every tensor
# exactly as far as the naive run did, but in a random direction. (Notebook 03 asks whether it
# matters *which* blocks move.)


# %%
def mean_move(layers):
    return fmean(v["relative"] for name, v in layers.items() if name.startswith("block"))


far, near = (mean_move(norms[name]) for name in norms)
overwritten = ftlab.claim(
    "The run that forgot more had moved its blocks further",
    (far > near) == (record.final["retention"] < gentle.record.final["retention"]),
    f"mean relative change {far:.1%} against {near:.1%}",
)


def moved_at_random(seed):
    """The base, each tensor moved as far as in the naive run, in a random direction."""
    random, trained, model = (
        torch.Generator().manual_seed(seed),
        run.model.state_dict(),
        lab.fresh(),
    )
    with torch.no_grad():
        for name, weights in model.named_parameters():
            push = torch.randn(weights.shape, generator=random).to(weights)
            weights += push * ((trained[name] - weights).norm() / push.norm())
    return model


shares = [lab.evaluator(moved_at_random(seed))["retention"] for seed in range(3)]
direction = ftlab.claim(
    "Moved as far, but in random directions, the model retains nearly everything (3 draws)",
    min(shares) > 0.85 and last["retention"] < 0.6,
    f"as far at random: retained {fmean(shares):.0%} ({min(shares):.0%} to {max(shares):.0%}) "
    f"against {last['retention']:.0%}",
)

# %% [markdown]
# So distance alone does little harm; the direction does. Training moves all weights together down
# the slope of one loss, and nothing in that loss asks about the old skills.

# %% [markdown]
# ## All runs on the plane
#
# *Learned* to the right, *retained* upward. Each point is a learning rate, averaged over three
# seeds; the bars reach from the lowest to the highest seed. The star is the untouched base.

# %%
from ftlab.show import Point, plane

points = [
    Point(
        "full",
        setting.values("target_score"),
        setting.values("retention"),
        label=f"rate {rate_text(setting.lr)}",
    )
    for setting in by_rate
]
show(plane(points, base=(record.baseline["target_score"], 1.0)))

# %% [markdown]
# So learning does not have to mean forgetting: the rates that learn most are not those that forget
# most. And forgetting hurts the *new*
# task, too. Half of the test notes are about complaints that are in no training note (*new cases*);
# only what the model knew before can answer those. At the rates that forget most, they fall
# furthest behind the other half.

# %%
middle, high = at[3e-4], at[1e-3]
bargain = ftlab.claim(
    "A third of the rate learns as much or more, and retains far more (3 seeds)",
    middle.mean("target_score") > high.mean("target_score") - 0.02
    and middle.mean("retention") > high.mean("retention") + 0.3,
    f"learned {middle.mean('target_score'):.0%} and {high.mean('target_score'):.0%}, "
    f"retained {middle.mean('retention'):.0%} and {high.mean('retention'):.0%}",
)
behind = {s.lr: s.mean("seen_score") - s.mean("held_score") for s in by_rate}
falls_behind = ftlab.claim(
    "New cases fall furthest behind at the two rates that forget most (means of 3 seeds)",
    min(behind[1e-3], behind[3e-3]) > max(gap for rate, gap in behind.items() if rate < 1e-3),
    "points behind: "
    + ", ".join(f"{100 * gap:.0f} at {rate_text(r)}" for r, gap in behind.items()),
)

# %% [markdown]
# ## The same on a real language model
#
# Our small model was made for this workbook. Does a real one forget in the same way? SmolLM2-135M
# has 135 million weights and was trained by others (Allal et al. 2025). It was given the same
# notes, 60 steps of 8, at three rates with three seeds each, and asked about plain English: facts,
# grammar, sums. These runs are recorded as well (`ftlab grid decoder --profile laptop`).

# %%
from ftlab.show import settings_table

smollm = analysis.settings(analysis.shipped("laptop"))
real = [analysis.pick(smollm, "learning rate", rate)[0] for rate in (3e-5, 1e-4, 1e-3)]
show(settings_table(real, model="SmolLM2-135M"))
on_smollm = ftlab.claim(
    "On SmolLM2-135M, too, the highest rate retains least, and learns no more for it (3 seeds)",
    max(real[-1].values("retention")) < min(real[0].values("retention")) - 0.3
    and real[-1].mean("target_score") < real[1].mean("target_score") + 0.05,
    "retained "
    + ", ".join(f"{s.mean('retention'):.0%} at {rate_text(s.lr)}" for s in real)
    + "; learned "
    + ", ".join(f"{s.mean('target_score'):.0%}" for s in real),
)

# %% [markdown]
# With a GPU, the next cell trains a real model live: GPT-2, from the Hub. Without one it can train
# SmolLM2 (start Jupyter with `FTLAB_PROFILE=laptop`; it takes some minutes). Otherwise it only says
# so.

# %%
if ftlab.machine.profile().name == "nano":
    print("Profile nano: nothing larger is trained here.")
else:
    large = ftlab.open_lab("clinic")
    large_plan = ftlab.Plan(steps=60, batch_size=8, lr=1e-3, measure_every=20)
    large_run = large.run(large_plan, name=f"{large.bundle.name}, naive, rate 1e-3")
    with ftlab.Live(total=large_plan.steps, title=large_run.name) as live:
        for step in large_run:
            live.update(step)
            if live.stopped:
                break

# %% [markdown]
# ## Exercise 1: find a better learning rate
#
# *Goal: learn as much as the naive run and retain more. 5 minutes, easy.*
#
# Choose a learning rate, if possible one that is not among the five above. The cell trains 100
# steps with it and asks everything. Aim: at least 75 % retained, and at most 15 points less learned
# than in the naive run. Where on the curves above would you look?

# %%
# <solution>
my_rate = 3.5e-4
# </solution>
# <stub>
# my_rate = None  # your choice
# </stub>

best = lab.run(ftlab.Plan(lr=my_rate or 1e-4, measure_every=0), name="my choice").finish()
outcome, naive = best.record.final, record.final
for run_name, final in (("naive", naive), (f"rate {rate_text(best.plan.lr)}", outcome)):
    print(f"{run_name:11} learned {final['target_score']:.0%}, retained {final['retention']:.0%}")
enough = outcome["target_score"] >= naive["target_score"] - 0.15
print("aim reached" if enough and outcome["retention"] >= 0.75 else "not there yet: try another")

# %% [markdown]
# ## Exercise 2: how far did a weight move?
#
# *Goal: compute, for one tensor, what the bars above show for a block. 5 minutes, easy.*
#
# Write `relative_change(before, after)` for two tensors: the Frobenius norm of the difference (the
# root of the sum of squares), divided by that of `before`.
#
# <details><summary>Hint 1</summary>Subtract first. A tensor's .norm() is the root of the sum of
# squares.</details>
#
# <details><summary>Hint 2</summary>.item() turns a tensor of one element into a number.</details>

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
)
changed = relative_change(before[name], run.model.state_dict()[name])
print(f"feed-forward weights of block 1: {changed:.1%}")

# %% [markdown]
# ## Exercise 3: another task
#
# *Goal: see whether forgetting is special to clinics. 5 minutes, easy.*
#
# Open a lab with `"helpdesk"`, `"contracts"` or `"ledger"`, train with the naive plan, and compare.

# %%
# <solution>
other_domain = "helpdesk"
# </solution>
# <stub>
# other_domain = None  # "helpdesk", "contracts" or "ledger"
# </stub>

if other_domain is None:
    print("No task chosen yet. The recorded runs below show all of them.")
else:
    other_lab = ftlab.open_lab(other_domain, model="nano-gpt2")
    other = other_lab.run(ftlab.Plan(lr=1e-3, measure_every=0)).finish()
    outcome = other.record.final
    learned, left = outcome["target_score"], outcome["retention"]
    print(f"{other_domain}: learned {learned:.0%}, retained {left:.0%}")
for domain in ("clinic", "helpdesk", "contracts", "ledger"):
    found = analysis.settings(recorded, domain=domain)
    setting = analysis.pick(found, "learning rate", 1e-3)[0]
    print(
        f"recorded, {domain:9}: learned {setting.mean('target_score'):.0%}, "
        f"retained {setting.text('retention')}"
    )

# %% [markdown]
# ## The article says, we measured
#
# The article is Sachchida Nand Singh, "Fine-Tuning Large Language Models (LLMs) Without
# Catastrophic Forgetting", Towards AI; its statements are in our words. Rows marked *(often said)*
# are common advice, not taken from it.

# %%
ftlab.verdict_table(
    ftlab.says(
        "Naive full fine-tuning learns the new task and loses old abilities",
        supported_by=[both],
    ),
    ftlab.says(
        "(often said) A learning rate that is too high causes forgetting",
        supported_by=[lower, rises, on_smollm],
    ),
    ftlab.says("(often said) Training for too long causes forgetting", supported_by=[longer]),
    ftlab.says("(often said) A small data set makes forgetting worse", undecided_by=[no_worse]),
    ftlab.says(
        "(often said) Important weights are overwritten", supported_by=[overwritten, direction]
    ),
    ftlab.says(
        "(often said) What is forgotten harms the new task as well", supported_by=[falls_behind]
    ),
)

# %% [markdown]
# ## What you take along
#
# - Fine-tuning forgets even if nothing in the new data contradicts the old.
# - The learning rate decides most of it. Before you try a clever method, try a lower rate.
# - Measure along the way: what is still there after 50 steps may be gone after 400.
#
# **Next:** [02 Warmup and cosine decay](02_warmup_and_cosine_decay.ipynb) changes the learning rate
# during the run.
