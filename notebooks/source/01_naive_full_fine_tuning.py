# %% [markdown]
# # Naive full fine-tuning forgets
#
# <!-- seen: what is lost, skill by skill, and why -->
# <!-- for: everyone -->
#
# **The question:** what does a model lose while it learns a new task, and what decides how much?
#
# You fine-tune the small model in the simplest way: every weight is trained, the learning rate stays
# constant, and nothing protects what was there before. You will
#
# - watch the new task being learned and the old skills being lost in the same seconds,
# - write the training loop yourself,
# - read what a real language model says before and after,
# - test causes that people name, and find the one that matters most.
#
# You need notebook 00, or these two lines: *learned* is the share of correct answers on the new
# task, *retained* is the share of the base model's skills that is still there.

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
# *Goal: check your own guess of what one plain run forgets.*
#
# The model reads 1,600 triage notes: 100 steps of 16. (There are 400 different ones, so it reads each
# four times.) The learning rate is 1e-3, the default of torch's AdamW. (The Trainer of transformers takes
# 5e-5. You will see what that changes.)
#
# How much of what it knew will it still know afterwards? Put your guess in place of `None`.

# %%
guess = ftlab.predict("How much of the base's skills will be retained?", None, unit="%")

# %%
lab = ftlab.open_lab("clinic", model="nano-gpt2")
plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3)
run = lab.run(plan, name="full, rate 1e-3")

with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break
    live.end(run.final)  # the stars: the test after it, which asks everything

# %% [markdown]
# Left: the new task is learned. The dashed line shows *new cases*, notes about complaints that are in
# no training note. Right: every thin line is an old skill, the thick line is their mean. During the run
# only a sample of the questions is asked, so the lines jump. The stars stand for the test after the run,
# which asks everything: these two numbers count.
#
# Nothing in the notes contradicts what the model knew. It is lost all the same. The numbers of the
# test:

# %%
record = run.record
final = record.final
print(guess.compare(100 * final["retention"]))
print(f"new cases {final['held_score']:.0%}, the other new notes {final['seen_score']:.0%} right")
both = ftlab.claim(
    "The run learns the task and loses old skills in the same steps",
    final["target_score"] > record.baseline["target_score"] + 0.3 and final["retention"] < 0.8,
    f"learned {record.baseline['target_score']:.0%} to {final['target_score']:.0%}, "
    f"retained {final['retention']:.0%}",
)

# %% [markdown]
# ## Exercise 1: write the loop
#
# *Goal: the five lines that every fine-tuning comes down to. 15 minutes, medium.*
#
# You watched the package do it. Now write it yourself. For each batch:
#
# 1. the **loss**: cross-entropy of the logits against the labels. The logits at position t predict
#    the token at t + 1. Labels of -100 (prompt and padding) do not count;
# 2. a **gradient** for every weight: which way, and how steeply, the loss changes with it;
# 3. **clip** the gradients: scale them all down, so that their joint length is at most `clip`;
# 4. let the **optimiser** move the weights;
# 5. **clear** the gradients for the next batch.
#
# Append each loss, as a number, to `losses`. A toy model tests your loop before the real one gets it.
#
# <details><summary>Hint 1</summary>Shift by one: logits[:, :-1] belong to labels[:, 1:]. cross_entropy
# wants the two first dimensions as one: .flatten(0, 1) and .flatten(). Then backward, clip, step,
# zero_grad.</details>
#
# <details><summary>Hint 2</summary>torch.nn.functional.cross_entropy(..., ignore_index=-100) is the
# loss, torch.nn.utils.clip_grad_norm_(model.parameters(), ...) clips, loss.item() is a number. Three
# lines are still missing: the gradients before the clipping, then the step, then clearing the
# gradients.</details>

# %%
from types import SimpleNamespace

import torch

from ftlab.teach import answers


class Toy(torch.nn.Module):
    """Looks up the logits of the next token in a table, by the token that stands here."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 5, _weight=torch.arange(25.0).sin().reshape(5, 5))

    def forward(self, ids, attention_mask=None):
        return SimpleNamespace(logits=self.table(ids))


def toy_losses(function, clip, steps=3):
    """What a loop returns for three equal batches, with plain gradient descent."""
    ids, model = torch.tensor([[0, 1, 2, 4, 3]]), Toy()
    labels = torch.tensor([[-100, 1, 2, 4, -100]])
    batch = SimpleNamespace(ids=ids, mask=torch.ones_like(ids), labels=labels)
    descent = torch.optim.SGD(model.parameters(), lr=1.0)
    return function(model, descent, [batch] * steps, clip)


# %%
wanted = answers.train_on
loop_checks = [
    (
        "the first loss is right (no shift by one? counted what is labelled -100?)",
        lambda f: (toy_losses(f, 9.0, 1), toy_losses(wanted, 9.0, 1)),
    ),
    (
        "the second loss is lower: the weights moved (backward, step?)",
        lambda f: toy_losses(f, 9.0)[1] < toy_losses(f, 9.0)[0],
    ),
    (
        "long gradients are clipped, after backward and before the step",
        lambda f: (toy_losses(f, 0.01, 2), toy_losses(wanted, 0.01, 2)),
    ),
    (
        "the third loss is right (are the gradients cleared after each step?)",
        lambda f: (toy_losses(f, 9.0), toy_losses(wanted, 9.0)),
    ),
]


# %%
def train_on(model, optimizer, batches, clip):
    losses = []
    # <solution>
    for batch in batches:
        logits = model(batch.ids, attention_mask=batch.mask).logits  # (batch, tokens, vocabulary)
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=-100
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    # </solution>
    # <stub>
    # # for batch in batches:
    # #     logits = model(batch.ids, attention_mask=batch.mask).logits  # (batch, tokens, vocabulary)
    # #     then: the loss, gradients, clip, move, clear, losses.append(...)
    # return None  # delete this line when your loop is written
    # </stub>
    return losses


train_on = ftlab.exercise(train_on, reference=wanted, checks=loop_checks)

# %% [markdown]
# Does your loop do what the package did? The same model, the same notes, three steps:

# %%
import dataclasses

from ftlab.text import batch_indices, collate, encode

model = lab.fresh().train()
optimizer = torch.optim.AdamW(model.parameters(), lr=plan.lr, weight_decay=0.0)
examples = encode(run.rows, lab.tokenizer, loss_on="answer", limit=128)
batches = [
    collate([examples[i] for i in batch_indices(len(examples), plan.batch_size, n, plan.seed)])
    for n in (1, 2, 3)
]
by_hand = train_on(model, optimizer, [b.on(model.device) for b in batches], plan.clip)

# (on a GPU `run` multiplied in 16 bits; these lines do it in 32, so the package does here)
exact = lab.run(dataclasses.replace(plan, precision="fp32", measure_every=0), store=False)
by_package = [step.loss for step, _ in zip(exact, range(4), strict=False)][1:]
print("by hand: ", [f"{loss:.5f}" for loss in by_hand])
print("by ftlab:", [f"{loss:.5f}" for loss in by_package])
assert torch.allclose(torch.tensor(by_hand), torch.tensor(by_package), atol=1e-4)

# %% [markdown]
# There is no trick in it. And nothing in these lines asks about the old skills.
#
# ## What does it say now?
#
# *Goal: compare what the model writes before and after the training.*
#
# First the task, then sentences that have nothing to do with clinics.

# %%
from ftlab.show import Table, ask_panel, samples, show

show(samples(run.samples(3)))

# %%
beginnings = [
    "The capital of Norway is",
    "The chemical symbol of gold is",
    "3 + 4 =",
    "The opposite of rich is",
]
said = run.say(beginnings, 8)
show(Table(("beginning", "before", "after"), [list(row.values()) for row in said]))

# %% [markdown]
# Try a sentence of your own, or one of the three that are ready:

# %%
ask_panel(run).show()

# %% [markdown]
# ## Skill by skill
#
# *Goal: see which skills were lost, and whether lost facts are quite gone.*

# %%
from ftlab.show import skills_bars

show(skills_bars(record.baseline, final))
kept = final["kept"]
print(f"facts: retained {kept['facts']:.0%} in writing, {kept['facts_choice']:.0%} in choosing")

# %% [markdown]
# Both rows of facts ask for the same facts: once the model writes the answer, once it chooses among
# four. It still recognises some facts that it can no longer write, so they are not quite gone. Part of
# the loss is that the model now answers everything as if it were a note. For a user that is no comfort:
# the answer is still wrong.

# %% [markdown]
# ## A real language model
#
# *Goal: read what a real language model answers after the same task.*
#
# Our small model was made for this workbook. SmolLM2-135M-Instruct was not (*SmolLM2-135M* for short):
# it has 135 million weights, and others trained it on real text and then on instructions (Allal and
# others, 2025). It was given the same notes, 60 steps of 8, at a high rate and at a gentle one. This is
# what it says:

# %%
from ftlab.show import said_table

show(said_table("full, 1e-3", "full, 1e-4"))

# %% [markdown]
# At the high rate nearly every answer looks like one to a triage note, or is empty. At the gentle rate
# the model knows the task and still speaks English. (It is not unharmed: look at the water.) The only
# difference is the learning rate.
#
# <details><summary>How was this made?</summary><code>python -m tools.said</code> in a clone trains each
# run again, on a CPU in some ten minutes, and stores what it says. One seed; always the most probable
# word.</details>

# %% [markdown]
# ## Cause 1: the learning rate
#
# *Goal: find out what the learning rate does to learned and retained.*
#
# The article begins its list of causes with "learning rates too high". So: the same notes, the same
# steps, a tenth of the rate. How much will be retained?

# %%
gentle_guess = ftlab.predict("Retained, with a tenth of the learning rate?", None, unit="%")

# %%
gentle_plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-4)
gentle = lab.run(gentle_plan, name="full, rate 1e-4")
with ftlab.Live(total=gentle_plan.steps, prediction=gentle_guess, title=gentle.name) as live:
    for step in gentle:
        live.update(step)
        if live.stopped:
            break
    live.end(gentle.final)
print(gentle_guess.compare(100 * gentle.record.final["retention"]))

# %% [markdown]
# One run can be luck. Here are recorded runs at five rates, with three seeds or more each. (The *seed*
# decides the order in which the notes are read.) Start the slider at the gentle end; your guess is
# drawn in.

# %%
from itertools import pairwise

from ftlab import analysis
from ftlab.show import rate_panel, rate_text

recorded = analysis.shipped("nano")
nano = analysis.settings(recorded)  # runs that differ in their seed alone, together
smollm = analysis.settings(analysis.shipped("laptop"))
by_rate = {
    "nano-gpt2": analysis.pick(nano, "learning rate"),
    "SmolLM2-135M": analysis.pick(smollm, "learning rate"),
}
rate_panel(by_rate["nano-gpt2"], guess=gentle_guess, at=1e-4).show()


# %%
def falls(settings):
    """Is less retained at each higher rate (up to a point), and far less at the highest?"""
    shares = [setting.mean("retention") for setting in settings]
    return all(a >= b - 0.01 for a, b in pairwise(shares)) and shares[-1] < shares[0] - 0.3


rises = ftlab.claim(
    "The higher the learning rate, the less is retained, on both models",
    all(falls(settings) for settings in by_rate.values()),
    "; ".join(
        f"{model} {low.mean('retention'):.0%} at {rate_text(low.lr)}, "
        f"{high.mean('retention'):.0%} at {rate_text(high.lr)}"
        for model, (low, *_, high) in by_rate.items()
    ),
)

# %% [markdown]
# And the same rates on the *plane*, learned to the right and retained upward, for the small model and
# for the real one. The upper right corner is where we want to be.

# %%
from ftlab.show import scoreboard

for settings in by_rate.values():
    show(scoreboard(settings))

# %% [markdown]
# Look at the shape: from the gentlest rate on, the line runs to the right; then it falls and turns
# back. The rates that learn most are *not* those that forget most. Compare 3e-4 with 1e-3, on both
# models: 3e-4 learns more, and retains most of what 1e-3 destroys.
#
# <details><summary>All numbers, with seeds, and the new cases</summary>Run
# <code>show(settings_table(by_rate["nano-gpt2"]))</code> (from ftlab.show). At the highest rates the
# new cases fall furthest behind: only old knowledge can answer them, so what is forgotten hurts the
# new task too.</details>

# %% [markdown]
# ## Exercise 2: find a better learning rate
#
# *Goal: learn at least as much as the first run, and retain at least 90 %. 5 minutes, easy.*
#
# Choose a rate, if possible one that is not among the five. The cell trains 100 steps with it, then asks
# every question.
#
# <details><summary>Hint 1</summary>The good corner begins lower, at 80 % retained. Between which two
# points of the plane does the line fall below 90 %?</details>
#
# <details><summary>Hint 2</summary>At 3e-4 too little is retained. Go down from there.</details>

# %%
# <solution>
my_rate = 1.5e-4
# </solution>
# <stub>
# my_rate = None  # your choice
# </stub>

if my_rate is None:
    print("No rate chosen yet.")
else:
    mine = lab.run(ftlab.Plan(lr=my_rate, measure_every=0), name="my choice", fast=True).finish()
    learned, retained = mine.final["target_score"], mine.final["retention"]
    wish = final["target_score"]
    print("✓" if learned >= wish else "✗", f"learned {learned:.0%} (at least {wish:.0%})")
    print("✓" if retained >= 0.9 else "✗", f"retained {retained:.0%} (at least 90 %)")

# %% [markdown]
# ## Cause 2: too many steps
#
# *Goal: see in which part of a long run the skills are lost.*
#
# Often said: training for too long makes a model forget. Here are recorded runs of 400 steps at a
# moderate rate. Where would *you* have stopped?

# %%
from statistics import fmean

from ftlab.show import two_numbers

long_runs = analysis.pick(nano, "steps")[0].runs
title = f"400 steps at learning rate {rate_text(long_runs[0].plan['lr'])}, one seed"
show(two_numbers(long_runs[0].curve, title=title, final=long_runs[0].final))


def at_step(number, key):
    return [s["measured"][key] for r in long_runs for s in r.curve if s["step"] == number]


WHEN = (50, 150, 400)
early, middle, late = (at_step(number, "retention") for number in WHEN)
longer = ftlab.claim(
    "After 400 steps less is retained than after 50, in each of three seeds",
    all(b < a for a, b in zip(early, late, strict=True)),
    "; ".join(
        f"step {n}: learned {fmean(at_step(n, 'target_score')):.0%}, "
        f"retained {fmean(at_step(n, 'retention')):.0%}"
        for n in WHEN
    ),
)
while_learning = ftlab.claim(
    "Most of what is lost is lost in the first 150 steps, while the task is being learned",
    1 - fmean(middle) > 2 * (fmean(middle) - fmean(late)),
    f"retained, up to step 150: {100 * (fmean(middle) - 1):+.0f} points, "
    f"from there to 400: {100 * (fmean(late) - fmean(middle)):+.0f}",
)

# %% [markdown]
# So most is lost in the steps in which the task is learned. After that hardly anything more is lost
# here. But stopping at step 50 is no way out: look at what is learned by then. (The run reads the same
# 400 notes again and again. Once the model knows them by heart, the gradients are small. With new notes
# all the time, more may be lost.)

# %% [markdown]
# ## Cause 3: a small data set
#
# *Goal: test fairly what the size of the data set does, and read the verdict.*
#
# The article names "small data set" as a cause. To test it fairly, every run takes the same number of
# steps and reads the same number of notes, at the same rate. With fewer different notes, it reads each
# of them more often.
#
# Here is how this course decides between two settings. *+5 points (+2 to +8)*, for example, is the
# difference of their means over the seeds, with its 95 % interval. If the interval leaves out 0, the
# statement *holds* or *does not hold*. If it contains 0, the statement is *not decided*. *In part*
# means: decided in some tests, and open or the other way round in others.

# %%
from ftlab.show import sweep

at = {setting.lr: setting for setting in by_rate["nano-gpt2"]}
by_size = [*analysis.pick(nano, "data set"), at[3e-4]]
by_size.sort(key=lambda setting: setting.runs[0].extra["items"])
runs = [run for setting in by_size for run in setting.runs]
assert {run.budget["examples"] for run in runs} == {1600}  # all read equally many notes
rows = [run.final | {"rows": run.extra["items"], "method": "full"} for run in runs]
show(sweep(rows, "rows", log=True))

# %%
small, large = by_size[0], by_size[-1]
few, many = small.runs[0].extra["items"], large.runs[0].extra["items"]
for setting, notes in ((small, few), (large, many)):
    both_means = (f"{setting.mean(key):.0%}" for key in ("target_score", "retention"))
    print("{} notes: learned {}, retained {}".format(notes, *both_means))
told = f"nano-gpt2, retained, {many} notes minus {few}: {analysis.difference(large, small)}"
fewer = {told: analysis.verdict(large.values("retention"), small.values("retention"))}
print(f"A small data set forgets more: {fewer[told]} ({told})")

# %% [markdown]
# The means point the other way, but the seeds do not decide it, and with few notes far less was
# learned. A likely reason: a few notes are soon known by heart; then the loss is near zero, the
# gradients are small, and the weights hardly move. Here a small data set hurts what is *learned*.

# %% [markdown]
# ## Cause 4: how far did the weights move?
#
# *Goal: turn "important layers overwritten" into something that you can measure.*
#
# Two causes on the article's list remain: "all layers" are trained, and "important layers overwritten".
# Notebook 03 tests them. First we ask: does the distance that the weights move decide how much is lost?
#
# ## Exercise 3: how far did a weight move?
#
# *Goal: measure the move of a weight, in one line. 5 minutes, easy.*
#
# Write `relative_change(before, after)` for two tensors: the length of the difference, divided by the
# length of `before`.
#
# <details><summary>Hint 1</summary>Subtract first. A tensor's .norm() is its length, the root of the
# sum of squares.</details>
#
# <details><summary>Hint 2</summary>.item() turns a tensor of one element into a number.</details>


# %%
def relative_change(before, after):
    # <solution>
    return ((after - before).norm() / before.norm()).item()
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


ones = torch.ones(3, 3)
relative_change = ftlab.exercise(
    relative_change,
    reference=answers.relative_change,
    checks=[
        ("no change is 0", lambda f: (f(ones, ones), 0.0)),
        ("doubling is a change of 1 (divided by after?)", lambda f: (f(ones, 2 * ones), 1.0)),
        (
            "a turn is a change too (subtracted two lengths?)",
            lambda f: f(ones, ones.triu() - ones.tril(-1)) > 0.5,
        ),
    ],
    cases=[(ones, ones + 0.5)],
)

# %% [markdown]
# ## Far, or in the wrong direction?
#
# *Goal: find out whether the distance or the direction of the move does harm.*
#
# Now for every block, at both rates. (*emb* stands for the embeddings, the vectors that tokens start
# as; *norm* for the last normalisation.)

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
# All blocks moved: compare the bars of both rates. But is it the *distance* that does harm? Take the
# untouched base, and move every tensor exactly as far as the run at 1e-3 did, but in a random direction.


# %%
def moved_at_random(seed):
    """The base, each tensor moved as far as in the run, in a random direction."""
    trained, model = run.model.state_dict(), lab.fresh()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            push = torch.randn(weights.shape, generator=random).to(weights)
            weights += push * ((trained[name] - weights).norm() / push.norm())
    return model


shares = [lab.evaluator(moved_at_random(seed))["retention"] for seed in range(3)]
direction = ftlab.claim(
    "Moved as far, but in random directions, the model retains nearly everything (3 draws)",
    min(shares) > 0.85 and final["retention"] < 0.6,
    f"at random: retained {fmean(shares):.0%}; trained: {final['retention']:.0%}",
)

# %% [markdown]
# So distance alone does little harm. Distance *in the direction of training* does: training moves all
# weights together down the slope of one loss, and that loss does not ask about the old skills.

# %% [markdown]
# ## Exercise 4: another task
#
# *Goal: at least 80 % learned and 95 % retained on a task that you choose. 15 minutes, open.*
#
# Is forgetting special to clinics? Choose `"helpdesk"`, `"contracts"` or `"ledger"`, a rate and a
# number of steps. Before you run it, write down what you expect.
#
# <details><summary>Hint 1</summary>Start from the rate that was right for the clinic.</details>
#
# <details><summary>Hint 2</summary>Too little learned: more steps are gentler than a higher
# rate.</details>

# %%
# <solution>
task, my_plan = "ledger", ftlab.Plan(steps=100, lr=1e-4, measure_every=0)
# </solution>
# <stub>
# task, my_plan = None, ftlab.Plan(steps=100, lr=1e-3, measure_every=0)
# </stub>

if task is None:
    print("No task chosen yet.")
else:
    other = ftlab.open_lab(task, model="nano-gpt2").run(my_plan, name=task, fast=True).finish()
    learned, retained = other.final["target_score"], other.final["retention"]
    print("✓" if learned >= 0.8 else "✗", f"{task}: learned {learned:.0%} (at least 80 %)")
    print("✓" if retained >= 0.95 else "✗", f"retained {retained:.0%} (at least 95 %)")

# %% [markdown]
# ## With a GPU
#
# *Goal: repeat the first run with a larger model, if your machine can.*
#
# With a GPU, the next cell trains GPT-2 from the Hub. Without one it can train SmolLM2, in a few
# minutes: start Jupyter with `FTLAB_PROFILE=laptop`. Otherwise it trains nothing.

# %%
if ftlab.machine.profile().name == "nano":
    print("Profile nano: nothing larger is trained here.")
else:
    big = ftlab.open_lab("clinic")
    big_plan = ftlab.Plan(steps=60, batch_size=8, lr=1e-3, measure_every=20)
    big_run = big.run(big_plan, name=f"{big.bundle.name}, full, rate 1e-3")
    with ftlab.Live(total=big_plan.steps, title=big_run.name) as live:
        for step in big_run:
            live.update(step)
            if live.stopped:
                break

# %% [markdown]
# ## The article says, we measured
#
# In quotation marks: the article's own words, in short. Rows marked *(often said)* or *(ours)* are not
# in it.

# %%
ftlab.verdict_table(
    ftlab.says(
        "Naive fine-tuning learns the new task and loses old abilities", supported_by=[both]
    ),
    ftlab.says('"learning rates too high" make it forget', supported_by=[rises]),
    ftlab.says(
        "(often said) More steps forget more (400 against 50, at 3e-4)", supported_by=[longer]
    ),
    ftlab.says(
        "(ours) Most is lost while the task is being learned", supported_by=[while_learning]
    ),
    ftlab.says('A "small data set" makes it forget more', decided=fewer),
    ftlab.says(
        "(ours) The direction of the move decides how much is lost, not its length alone",
        supported_by=[direction],
    ),
)

# %% [markdown]
# ## From now on
#
# - **Lower the learning rate first.** Before any clever method, try a third and a tenth of your rate.
# - **Measure learned and retained during the run.** Stopping before the task is learned saves old
#   skills, but at the price of the task.
# - **Ask your model about something else** before you ship it.
#
# <details><summary>Further reading</summary>
#
# - Biderman and others (2024), *LoRA Learns Less and Forgets Less*: Llama-2-7B, trained on code. From
#   1 epoch to 16, full fine-tuning falls from .594 to .414 on general questions (base .671).
# - Kalajdzievski (2024), *Scaling Laws for Forgetting*: neither early stopping nor training fewer
#   parameters avoids forgetting.
# - Lin and others (2026), *SFT Doesn't Always Hurt*: a small learning rate alone gives most of the
#   retention, at nearly the same target score.
# - Marek (2026), small transformers: stopped at equal target loss, the loss on old text is 3.82 at a
#   rate of 1e-5, 3.84 at 1e-4 and 4.09 at 1e-3.
#
# </details>
