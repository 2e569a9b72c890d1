# %% [markdown]
# # Start here
#
# A language model that learns something new may lose what it knew. This is called
# *catastrophic forgetting*, and this workbook lets you watch it happen, measure it, and then
# prevent it, one remedy at a time.
#
# **In this notebook** you meet the model that you will train, find out what it knows, and learn
# to read the two numbers that stand on every page after this one:
#
# 1. **learned**: how many answers of the new task are right, and
# 2. **kept**: how much of what the model could do before it can still do.
#
# You need Python. You do not need to know what a transformer looks like inside. Nothing here
# needs a network or a GPU.
#
# Much advice on the matter goes round. The other notebooks call it *the article*, put its
# sentences to the test, and end with a table: what it says, what we measured, the verdict.

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
# The next cell looks at this computer: versions, memory, the number format its processor really
# computes in, and how long each notebook will take here.

# %%
print(ftlab.preflight())

# %% [markdown]
# ## The model
#
# You will train `nano-gpt2`, built like GPT-2. A text is cut into *tokens* (pieces, often whole
# words), every token becomes a row of numbers, and *blocks* rework these rows one after another:
# 12 blocks, as in the smallest real GPT-2, but rows of only 128 numbers, where that has 768. The
# numbers it computes with are its *weights*; training changes them. It grew up on a small world
# of its own: a few hundred facts, some grammar, sums of single digits, little stories. It fits
# into a few megabytes, so a training run takes seconds, and we know exactly what it was taught.
# That is what makes forgetting measurable: every skill can be asked for.
#
# `open_lab` puts three things on the bench: the model, a task that it will be taught later
# (`clinic`), and a *suite* of questions about what it already knows.

# %%
from ftlab.show import show, skills_bars

lab = ftlab.open_lab("clinic", model="nano-gpt2")
print(f"{lab.bundle.name}: {sum(p.numel() for p in lab.bundle.model.parameters()):,} weights")
print(f"skills that can be asked for: {', '.join(lab.suite.skills)}")

# %% [markdown]
# Let it speak. We give the beginning of a sentence, the model writes on: always the token that
# it finds likeliest.

# %%
from ftlab.evaluate.target import generate

beginnings = [
    "The capital of Norway is",
    "The opposite of rich is",
    "A young sheep is called a",
    "3 + 4 =",
    "Ben has the kite. Eve has the drum. What does Eve have? The",
]
for beginning, ending in zip(
    beginnings, generate(lab.evaluator.base, lab.tokenizer, beginnings, 6), strict=True
):
    print(f"{beginning} |{ending}")

# %% [markdown]
# ## What it knows, in numbers
#
# Five samples are an impression, not a measurement. The suite asks several hundred questions.
#
# | skill | a question | right if |
# |---|---|---|
# | facts (fill in) | *The government of Nepal sits in ...* | the model writes exactly the answer |
# | facts (choose) | the same, with four answers to choose from | it finds the right one likeliest |
# | grammar | *The keys near the door are old* / *is old* | it finds the right sentence likelier |
# | arithmetic | *6 + 5 = ...* | it writes exactly the answer |
# | recall | *Ben has the kite. ... What does Ben have?* | it copies the right thing |
#
# None of these sentences stood in the text that the model learned from: each fact is asked in a
# wording that was never used for it, each sum in an order that never occurred.
#
# **Guess first.** A guess that is written down cannot change once the answer is known. Put a
# number in place of `None`, or leave it: nothing waits for you.

# %%
guess = ftlab.predict("How many of 100 facts will the model complete rightly?", None, unit="%")

# %%
baseline = lab.baseline
print(guess.compare(100 * baseline["skills"]["facts"]))
for skill, accuracy in baseline["skills"].items():
    low, high = baseline["intervals"]["skills"][skill]
    count = baseline["n"]["skills"][skill]
    print(f"{skill:13} {accuracy:6.1%} right of {count} (95 % interval {low:.1%} to {high:.1%})")

# %% [markdown]
# The *interval* says how sure we can be. These questions are a sample of all that could be asked.
# Draw such samples again and again, make the interval each time, and 95 in 100 of the intervals
# hold the score over all questions. Two scores whose intervals overlap widely should not be told
# apart.

# %% [markdown]
# ## What it does not know yet
#
# The task is `clinic`: read a triage note (who comes with what, and how bad it is), answer with
# the urgency and the department. (The notes are invented. This is no medical advice.) The model knows every word in them; it has read
# sentences such as *chest pain is a matter for cardiology*. It has never seen this *form*.

# %%
rows = [dict(row) for row in lab.domain.test][:3]
answers = generate(lab.evaluator.base, lab.tokenizer, [row["prompt"] for row in rows], 12)
for row, answer in zip(rows, answers, strict=True):
    print(row["prompt"])
    print(f"  wanted: {row['answer']}")
    print(f"  got:    {answer.splitlines()[0] if answer.strip() else '(nothing)'}\n")
print(
    f"right answers before any training: {baseline['target_score']:.0%} of {len(lab.domain.test)}"
)
held = sum(row["held"] for row in lab.domain.test)
print(f"test notes about a complaint that no training note mentions: {held}")

# %% [markdown]
# So there are two scores. *New items* are all test notes; none of them was trained on. *New cases*
# are the half that is about complaints which the training notes never mention. To get those right
# a model must learn the form *and* still know the general fact. Watch that number (`held_score` in
# the code): it is where forgetting hurts the new task itself.

# %% [markdown]
# ## Open the box: the loss
#
# A language model gives every possible next token a probability. The *loss* is how surprised it
# was by the token that really came: minus the logarithm of that probability, averaged over the
# tokens, in *nats*. 0 means never surprised. Here it is in five lines.

# %%
import torch

text = lab.suite.documents[0]
# the tokens as numbers; before the first stands the token that ends a text: here one begins
ids = torch.tensor([[lab.tokenizer.eos_token_id, *lab.tokenizer(text)["input_ids"]]])
ids = ids.to(lab.evaluator.base.device)
with torch.no_grad():
    logits = lab.evaluator.base(ids).logits  # (1, tokens, vocabulary), one score for every next token
log_probabilities = logits.log_softmax(-1)  # scores to logarithms of probabilities

# the odds at place t are about the token at place t + 1: shift by one
came = ids[0, 1:]
surprise = -log_probabilities[0, :-1].gather(1, came[:, None])[:, 0]
print(text)
print(f"loss by hand: {surprise.mean():.6f} nats per token")

with torch.no_grad():
    by_library = lab.evaluator.base(ids, labels=ids).loss.item()
assert abs(surprise.mean().item() - by_library) < 1e-5
print(f"loss by transformers: {by_library:.6f}: the same")

# %% [markdown]
# That shift by one looks like a detail. In a well-known public benchmark it was missing for
# seven months: the forgetting column compared every token with the odds at its *own* place.
# When it was mended (huggingface/peft, pull request 3419, July 2026), full fine-tuning and LoRA
# changed places in the table. So see for yourself what the slip does.

# %%
unshifted = -log_probabilities[0].gather(1, ids[0][:, None])[:, 0].mean().item()
print(f"with the shift:    {by_library:.2f} nats per token")
print(f"without the shift: {unshifted:.2f} nats per token, a number about nothing")
slip_shows = ftlab.claim(
    "Forgetting the shift makes a good model look bad",
    unshifted > by_library + 1,
    f"{unshifted:.2f} against {by_library:.2f} nats per token",
)

# %% [markdown]
# ## Exercise 1: how much is kept?
#
# *Goal: write the number that every plot shows. 5 minutes, easy.*
#
# A model that guesses among four answers is right in 25 % of cases without knowing anything. So
# what counts is how far above guessing a score lies, now and before. Write
# `kept(now, base, chance)`: 1 if nothing was lost, 0 if the model does no better than guessing
# (or worse).

# %%
from ftlab.evaluate.retention import retained as kept_by_ftlab


def kept(now, base, chance):
    # <solution>
    return max(0.0, (now - chance) / (base - chance))
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


kept = ftlab.exercise(
    kept,
    reference=kept_by_ftlab,
    checks=[
        ("nothing lost gives 1", lambda f: (f(0.9, 0.9, 0.25), 1.0)),
        ("no better than guessing gives 0", lambda f: (f(0.25, 0.9, 0.25), 0.0)),
        ("worse than guessing is still 0", lambda f: (f(0.1, 0.9, 0.25), 0.0)),
    ],
    cases=[(0.5, 1.0, 0.0), (0.6, 0.95, 0.5), (0.97, 0.95, 0.25)],
    hints=[
        "How far above chance is the score now? How far was it before? Divide.",
        "max(0.0, ...) keeps the result from falling below 0.",
    ],
)

# %% [markdown]
# **Retention**, the second of the two numbers, is the mean of `kept` over the skills.

# %% [markdown]
# ## How to read the plots
#
# Here is a real run, recorded earlier and shipped with the workbook: 100 training *steps* on
# `clinic`. In a step the model reads 16 notes, and every weight is moved a little so that the
# answers would surprise it less; the *learning rate* says how far. Here it is high.
#
# On the left what was learned: all new items (thick) and the new cases among them (dashed). On the
# right what was kept: a thin line for every skill, and their mean (thick). Lines that rise are
# good, lines that fall are bad. In the next notebook you make this picture yourself.

# %%
from ftlab import record as records
from ftlab.base.paths import data_dir
from ftlab.show import Point, plane, two_numbers

recorded = records.load_all(data_dir() / "records" / "nano")
runs = [r for r in recorded if r.domain == "clinic" and r.extra["sweep"] == "learning rate"]
high = next(r for r in runs if r.plan["lr"] == 1e-3 and r.plan["seed"] == 0)
show(two_numbers(high.curve, title="A recorded run, learning rate 0.001"))
print("On the way a small sample is asked, so the lines jump. In the end everything is asked:")
print(f"this run gets {high.final['target_score']:.0%} of the test notes right", end=" ")
print(f"and keeps {high.final['retention']:.0%} of its skills.")

# %% [markdown]
# The **plane** shows many runs at once: to the right is *learned*, upward is *kept*. The upper
# right corner is where we want to be. Each point here is a learning rate, averaged over three
# runs; the thin bars reach from the lowest to the highest of them. Look for two rates that learn
# about equally much: do they keep equally much?

# %%
rates = sorted({r.plan["lr"] for r in runs})
points = [
    Point(
        "full",
        [r.final["target_score"] for r in runs if r.plan["lr"] == rate],
        [r.final["retention"] for r in runs if r.plan["lr"] == rate],
        label=f"rate {rate:g}",
    )
    for rate in rates
]
show(plane(points, base=(baseline["target_score"], 1.0)))
for point in points:
    right, left = (sum(values) / len(values) for values in (point.target, point.retention))
    print(f"{point.label:12} {right:3.0%} learned, {left:3.0%} kept")

# %% [markdown]
# ## Exercise 2: read a run
#
# *Goal: take the two numbers apart. 5 minutes, easy.*
#
# Which skill did the recorded run lose most of? Compute it from the record: `before` and `after`
# are dicts, name of a skill to accuracy, and `chances` is one, name to what guessing gives. Use
# your `kept`. (The picture below the cell lets you check.)

# %%
from ftlab.teach import answers

chances = {probe.skill: probe.chance for probe in lab.suite.probes}
gentle = next(r for r in runs if r.plan["lr"] == 1e-4 and r.plan["seed"] == 0)


def most_lost(before, after):
    """The name of the skill of which the smallest share was kept."""
    # <solution>
    shares = {name: kept(after[name], before[name], chances[name]) for name in before}
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
    hints=[
        "Make a dict: for every skill in `before`, what `kept` says of it.",
        "min(shares, key=shares.get) finds the name with the smallest share.",
    ],
)
print("lost most:", most_lost(high.baseline["skills"], high.final["skills"]))
show(skills_bars(high.baseline, high.final))

# %% [markdown]
# ## If your machine may vanish: store your runs
#
# A borrowed machine, such as Colab's, can be taken away in the middle of a run. Give a folder that
# stays, and every run from then on is stored there. A cell that is run again then finds its run,
# says so, and shows the same curve without training again; a run that was broken off goes on where
# it was. On Colab the folder is on your Drive:
#
# ```python
# from google.colab import drive
# drive.mount("/content/drive")
# ftlab.store_runs("/content/drive/MyDrive/ftlab")
# ```
#
# Every notebook has a memory of its own, so this belongs under the first cell of each notebook in
# which you train. A stored run takes as much room as the weights that it trained (while it trains,
# three times that). Here nothing is stored unless you put a folder in place of `None`:

# %%
store_in = None  # such as "/content/drive/MyDrive/ftlab"
ftlab.store_runs(store_in)

# %% [markdown]
# ## What you take along
#
# - A base model's skills can be measured before you touch it. Do that first, always.
# - Two numbers belong together: what a run learns and what it keeps. One alone says little.
# - A measure deserves a test of its own: one missing shift turned a published table round.
#
# **Next:** [01 Naive full fine-tuning forgets](01_naive_full_fine_tuning.ipynb), where you
# train this model and watch the second number fall.
