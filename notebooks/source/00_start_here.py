# %% [markdown]
# # Start here
#
# <!-- seen: the two measures, and what the base model knows -->
#
# A language model that learns something new can lose what it knew. This is called *catastrophic
# forgetting*. In this workbook you see it happen, measure it, and then prevent it, one remedy at a
# time.
#
# **In this notebook** you meet the model that you will train, find out what it knows, and learn the
# two measures that every later notebook uses:
#
# 1. **learned**: the share of the new task's questions that the model answers correctly,
# 2. **retained**: the share of its old skills that is still there.
#
# You need some Python. You do not need to know what is inside a transformer. Nothing here needs a
# network or a GPU.
#
# One popular article gives rules for fine-tuning without forgetting: Sachchida Nand Singh,
# "Fine-Tuning Large Language Models (LLMs) Without Catastrophic Forgetting", Towards AI. We call it
# *the article* and test each rule. Every later notebook ends with a table: what the article says, in
# our words; what we measured; the verdict.

# %% [markdown] tags=["learner"]
# [01 Naive full fine-tuning forgets](01_naive_full_fine_tuning.ipynb) → | [this notebook, solved](solutions/00_start_here.ipynb)

# %% [markdown] tags=["solution"]
# [01 Naive full fine-tuning forgets](01_naive_full_fine_tuning.ipynb) → | solved; [the one to work in](../00_start_here.ipynb)

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## Is this machine ready?
#
# The next cell checks this computer: versions, memory, the precision it computes in, and how long
# each notebook will take here.

# %%
print(ftlab.preflight())

# %% [markdown]
# ## The model
#
# You will train `nano-gpt2`, built like GPT-2. A text is split into *tokens* (often whole words), and
# every token becomes a vector. *Blocks* then rework these vectors one after another: 12 blocks, as in
# the smallest real GPT-2, but with vectors of only 128 values, where that has 768. The values it
# computes with are its *weights*; training changes them.
#
# The model was trained on a small world of its own: a few hundred facts, some grammar, sums of single
# digits, little stories. It takes up a few megabytes, so a training run takes seconds. And we know
# exactly what it was taught, so we can test every skill. That makes forgetting measurable.
#
# `open_lab` sets up three things: the model, a task that it will learn later (`clinic`), and a *suite*
# of questions about what it already knows.

# %%
lab = ftlab.open_lab("clinic", model="nano-gpt2")
base = lab.bundle.model
print(f"{lab.bundle.name}: {sum(p.numel() for p in base.parameters()):,} weights")
print(f"skills that can be tested: {', '.join(lab.suite.skills)}")

# %% [markdown]
# Let it write. We give the beginning of a sentence and the model continues it, always with the most
# probable token.

# %%
from ftlab.evaluate import generate

beginnings = [
    "The capital of Norway is",
    "The opposite of rich is",
    "A young sheep is called a",
    "3 + 4 =",
    "Ben has the kite. Eve has the drum. What does Eve have? The",
]
endings = generate(base, lab.tokenizer, beginnings, 6)
for beginning, ending in zip(beginnings, endings, strict=True):
    print(f"{beginning} |{ending}")

# %% [markdown]
# ## What it knows, in numbers
#
# Five samples are an impression, not a measurement. The suite asks several hundred questions.
#
# | skill | a question | correct if |
# |---|---|---|
# | facts (fill in) | *The government of Nepal sits in ...* | the model writes exactly the answer |
# | facts (choose) | the same, with four answers to choose from | the right answer is the most probable |
# | grammar | *The keys near the door are old* / *is old* | the correct sentence is more probable |
# | arithmetic | *6 + 5 = ...* | it writes exactly the answer |
# | recall | *Ben has the kite. ... What does Ben have?* | it copies the right thing |
#
# None of these sentences was in the training text: each fact is asked in words that were never used
# for it, each sum in an order that never occurred.
#
# **Guess first.** A guess that you wrote down cannot change once you know the answer. Put a number in
# place of `None`, or leave it: the notebook runs either way.

# %%
guess = ftlab.predict("How many of 100 facts will the model complete correctly?", None, unit="%")

# %%
baseline = lab.baseline
print(guess.compare(100 * baseline["skills"]["facts"]))
for skill, accuracy in baseline["skills"].items():
    low, high = baseline["intervals"]["skills"][skill]
    count = baseline["n"]["skills"][skill]
    print(f"{skill:13} {accuracy:6.1%} correct of {count} (95 % interval {low:.1%} to {high:.1%})")

# %% [markdown]
# The *interval* says how sure we can be. These questions are a sample of all that could be asked. If we
# drew such samples again and again and computed the interval each time, 95 in 100 intervals would
# contain the score over all questions. If the intervals of two scores overlap widely, do not read
# anything into the difference.

# %% [markdown]
# ## What it does not know yet
#
# The new task is `clinic`: read a triage note (who comes with what, and how bad it is) and answer with
# the urgency and the department. (The notes are invented. This is not medical advice.) The model knows
# every word in them, and it has read sentences such as *chest pain is a matter for cardiology*. But it
# has never seen notes of this *form*.

# %%
rows = [dict(row) for row in lab.domain.test][:3]
answers = generate(base, lab.tokenizer, [row["prompt"] for row in rows], 12)
for row, answer in zip(rows, answers, strict=True):
    print(row["prompt"])
    print(f"  wanted: {row['answer']}")
    print(f"  got:    {answer.splitlines()[0] if answer.strip() else '(nothing)'}\n")
total = len(lab.domain.test)
print(f"correct before any training: {baseline['target_score']:.0%} of {total} test notes")
held = sum(row["held"] for row in lab.domain.test)
print(f"test notes about a complaint that is in no training note: {held}")

# %% [markdown]
# So there are two scores. *New items* are all test notes; none of them is trained on. *New cases* are
# the half whose complaint is in no training note. To answer those, a model must learn the form *and*
# still know the general fact. Keep an eye on this score (`held_score` in the code): this is where
# forgetting hurts the new task itself.

# %% [markdown]
# ## Open the box: the loss
#
# A language model gives every possible next token a probability. The *loss* says how surprised it was
# by the token that really came: minus the logarithm of that probability, averaged over the tokens, in
# *nats*. 0 means never surprised. Here it is in five lines.

# %%
import torch

text = lab.suite.documents[0]
# token ids; the first is the token that ends a text, since here a new text begins
ids = torch.tensor([[lab.tokenizer.eos_token_id, *lab.tokenizer(text)["input_ids"]]])
ids = ids.to(base.device)
with torch.no_grad():
    logits = base(ids).logits  # (1, tokens, vocabulary): a score for every possible next token
log_probabilities = logits.log_softmax(-1)  # scores to logarithms of probabilities

# the prediction at position t is for the token at position t + 1: shift by one
came = ids[0, 1:]  # the tokens that really came
surprise = -log_probabilities[0, :-1].gather(1, came[:, None])[:, 0]
print(text)
print(f"loss by hand: {surprise.mean():.6f} nats per token")

with torch.no_grad():
    by_library = base(ids, labels=ids).loss.item()
assert abs(surprise.mean().item() - by_library) < 1e-5
print(f"loss by transformers: {by_library:.6f}: the same")

# %% [markdown]
# That shift by one looks like a detail. A well-known public benchmark lacked it for seven months: its
# forgetting column compared every token with the prediction at the token's *own* position. After the
# fix (huggingface/peft, pull request 3419, July 2026), full fine-tuning and LoRA changed places in its
# table. This is what the mistake does:

# %%
unshifted = -log_probabilities[0].gather(1, ids[0][:, None])[:, 0].mean().item()
print(f"with the shift:    {by_library:.2f} nats per token")
print(f"without the shift: {unshifted:.2f} nats per token, which means nothing")
slip_shows = ftlab.claim(
    "Forgetting the shift makes a good model look bad",
    unshifted > by_library + 1,
    f"{unshifted:.2f} against {by_library:.2f} nats per token",
)

# %% [markdown]
# ## Exercise 1: how much is retained?
#
# *Goal: compute the measure that every plot shows. 5 minutes, easy.*
#
# With four answers to choose from, guessing alone is right in 25 % of cases. So what counts is how far
# above guessing a score is: now, and before the training. Write `retained(now, base, chance)`, the
# share of a skill that is left:
#
# - 1 if nothing was lost,
# - 0 if the model does no better than guessing, or worse,
# - more than 1 if the skill has improved. Do not cut it off there.
#
# <details><summary>Hint 1</summary>How far above chance is the score now? How far was it before?
# Divide.</details>
#
# <details><summary>Hint 2</summary>max(0.0, ...) keeps the result from falling below 0.</details>

# %%


def retained(now, base, chance):
    # <solution>
    return max(0.0, (now - chance) / (base - chance))
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


retained = ftlab.exercise(
    retained,
    reference=ftlab.evaluate.retained,
    checks=[
        ("nothing lost gives 1", lambda f: (f(0.9, 0.9, 0.25), 1.0)),
        ("no better than guessing gives 0", lambda f: (f(0.25, 0.9, 0.25), 0.0)),
        ("worse than guessing is still 0", lambda f: (f(0.1, 0.9, 0.25), 0.0)),
        ("better than before gives more than 1", lambda f: (f(1.0, 0.75, 0.25), 1.5)),
    ],
    cases=[(0.5, 1.0, 0.0), (0.6, 0.95, 0.5), (0.97, 0.95, 0.25)],
)

# %% [markdown]
# The second measure, **retained**, is the mean of this share over all skills. In the mean a share
# counts as 1 at most, so that a skill that improved does not hide one that was lost. (In the recorded
# runs it is called `retention`, and *learned* is called `target_score`.)

# %% [markdown]
# ## How to read the plots
#
# Here is a real run, recorded earlier and shipped with the workbook: 100 training *steps* on `clinic`.
# In each step the model reads 16 notes, and every weight is moved a little so that the right answers
# would surprise it less. The *learning rate* says how far they move. Here it is high.
#
# The left side shows what was learned: all new items (thick) and the new cases among them (dashed). The
# right side shows what was retained: a thin line for every skill, and their mean (thick). Lines that
# rise are good, lines that fall are bad. In the next notebook you make this picture yourself.

# %%
from ftlab.analysis import shipped
from ftlab.show import Point, plane, rate_text, show, two_numbers

recorded = shipped("nano")
runs = [r for r in recorded if r.domain == "clinic" and r.extra["sweep"] == "learning rate"]
high = next(r for r in runs if r.plan["lr"] == 1e-3 and r.plan["seed"] == 0)
show(two_numbers(high.curve, title="A recorded run, learning rate 1e-3", final=high.final))
print("During the run a sample of the questions is asked, so the lines jump.")
stars = f"learned {high.final['target_score']:.0%}, retained {high.final['retention']:.0%}."
print(f"The stars: the test after it, which asks everything: {stars}")

# %% [markdown]
# The **plane** shows many runs at once: *learned* to the right, *retained* upward. The upper right corner
# is where we want to be. Each point is a learning rate, averaged over its runs; the thin bars reach
# from the lowest to the highest of them. Find two rates that learn about equally much: do they
# also retain equally much?

# %%
rates = sorted({r.plan["lr"] for r in runs})
points = [
    Point(
        "full",
        [r.final["target_score"] for r in runs if r.plan["lr"] == rate],
        [r.final["retention"] for r in runs if r.plan["lr"] == rate],
        label=f"rate {rate_text(rate)}",
    )
    for rate in rates
]
show(plane(points, base=(baseline["target_score"], 1.0)))
for point in points:
    learned, left = (sum(values) / len(values) for values in (point.target, point.retention))
    print(f"{point.label:12} learned {learned:3.0%}, retained {left:3.0%}")

# %% [markdown]
# ## Exercise 2: read a run
#
# *Goal: read a run skill by skill. 5 minutes, easy.*
#
# Of which skill did the recorded run retain least? Compute it from the record: `before` and `after` are
# dicts from the name of a skill to its accuracy, and `chances` is a dict from the name to what guessing
# gives. Use your `retained`. (The picture below the cell lets you check.)
#
# <details><summary>Hint 1</summary>Make a dict: for every skill in `before`, its share
# `retained`.</details>
#
# <details><summary>Hint 2</summary>min(shares, key=shares.get) finds the name with the smallest
# share.</details>

# %%
from ftlab.show import skills_bars
from ftlab.teach import answers

chances = {probe.skill: probe.chance for probe in lab.suite.probes}
gentle = next(r for r in runs if r.plan["lr"] == 1e-4 and r.plan["seed"] == 0)


def most_lost(before, after):
    """The name of the skill of which the smallest share was retained."""
    # <solution>
    shares = {name: retained(after[name], before[name], chances[name]) for name in before}
    return min(shares, key=shares.get)
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


most_lost = ftlab.exercise(
    most_lost,
    reference=answers.most_lost(chances),
    checks=[
        ("it names a skill", lambda f: f(high.baseline["skills"], high.final["skills"]) in chances)
    ],
    cases=[(run.baseline["skills"], run.final["skills"]) for run in (gentle, high)],
)
print("lost most:", most_lost(high.baseline["skills"], high.final["skills"]))
show(skills_bars(high.baseline, high.final))

# %% [markdown]
# ## If your machine may vanish: store your runs
#
# A borrowed machine, such as Colab's, can be taken away in the middle of a run. If you name a folder
# that stays, every run from then on is stored there. When you run a cell again, it finds its run, says
# so, and shows the same curve without training again. A run that was interrupted continues where it
# stopped. On Colab the folder is on your Drive:
#
# ```python
# from google.colab import drive
# drive.mount("/content/drive")
# ftlab.store_runs("/content/drive/MyDrive/ftlab")
# ```
#
# Each notebook is on its own, so do this below the first cell of every notebook in which you train. A
# stored run takes as much space as the weights that it trained (three times that while it trains). Here
# nothing is stored unless you put a folder in place of `None`:

# %%
store_in = None  # such as "/content/drive/MyDrive/ftlab"
ftlab.store_runs(store_in)

# %% [markdown]
# ## What you take along
#
# - Measure a base model's skills before you train it. Always do that first.
# - Two measures belong together: learned and retained. One alone says little.
# - Test your measure, too: one missing shift turned a published table around.
#
# **Next:** [01 Naive full fine-tuning forgets](01_naive_full_fine_tuning.ipynb), where you train this
# model and see what it retains.
