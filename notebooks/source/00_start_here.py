# %% [markdown]
# # Start here
#
# <!-- seen: the two measures, what the base model knows, and where the course leads -->
# <!-- for: everyone -->
#
# **The question:** how do we see what a language model forgets?
#
# A language model that learns something new can lose what it knew. This is called *catastrophic
# forgetting*. In this course you see it happen, measure it, and take most of it away, at little cost.
#
# We use two measures throughout:
#
# 1. **learned**: the share of the new task's questions that the model answers correctly,
# 2. **retained**: the share of its old skills that is still there.
#
# You need Python and a little PyTorch. You do not need to know what is inside a transformer. Nothing
# here needs a network or a GPU.
#
# Every notebook comes with its outputs, so you can read it without running it. But it also asks you to
# guess results. For that, clear them first: *Edit > Clear Outputs of All Cells* (Colab: *Edit > Clear
# all outputs*).

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## Where we are going
#
# *Goal: read a plot of learned against retained, and know which corner is best.*
#
# Every point below is a way to teach a small model the same task. To the right: it learned more.
# Upward: it retained more. Before any training the model has learned 0 % and retained 100 %. The upper
# right corner is where we want to be. The notebooks try one remedy after another; not every one helps.
#
# A point is the mean of several runs that differ only in their *seed*: the number that fixes what is
# random, such as the order of the training data. The thin bars run from the lowest to the highest of
# them. (The learning rates differ from point to point.)

# %%
from ftlab import analysis
from ftlab.show import Point, plane, show

recorded = analysis.shipped("nano")
nano = analysis.settings(recorded + analysis.shipped("remedies"))
STEPS = {
    "01: naive": ("learning rate", 1e-3),
    "01: a gentle rate": ("learning rate", 1e-4),
    "02: warmup + cosine": ("schedule", 1e-3),
    "03: lower half frozen": ("freeze_low", 1e-3),
    "04: LoRA": ("lora_all", 3e-3),
    "09: the recipe": ("replay 5%, walk 80%", 3e-4),
}
points = []
for label, (name, rate) in STEPS.items():
    way = analysis.pick(nano, name, rate)[0]
    both = way.values("target_score"), way.values("retention")
    points.append(Point(way.method, *both, label=label))
show(plane(points, crop=True, model="nano-gpt2"))

# %% [markdown]
# The naive run loses most of what the model knew. The recipe of notebook 09 learns most on average and
# retains nearly all; plain fine-tuning at a gentle rate comes close. In between you will see which
# remedies help, which are a lower learning rate in disguise, and what each one costs.
#
# ## The course
#
# *Goal: find the notebooks for your work, and how long each takes to run.*

# %%
from ftlab.teach import course

course()

# %% [markdown]
# One popular article gives rules for all this: Sachchida Nand Singh, *Fine-Tuning Large Language
# Models (LLMs) Without Catastrophic Forgetting*, Towards AI. We call it *the article*. Every later
# notebook ends with a table: what is said, what we measured, the verdict. In notebooks 01 to 08 it is
# about the article and about common advice.
#
# ## Is this machine ready?
#
# *Goal: check that everything is installed, and what this machine can do.*
#
# Versions, memory, the precision it computes in, and how long each notebook took to run when it was
# built (reading and exercises not counted):

# %%
print(ftlab.preflight())

# %% [markdown]
# ## The model
#
# *Goal: know the parts of the model that you train, and let it write.*
#
# You will train `nano-gpt2`, built like GPT-2. A text is split into *tokens* (often whole words). Every
# token becomes a vector, its *embedding*. *Blocks* rework these vectors one after another, and the
# *head* turns the last vectors into a score for every possible next token. The right side of the drawing
# opens one block: *attention* fetches what is needed from earlier tokens (q, k, v and o are its four
# weight matrices; notebook 04 comes back to them), then *feed-forward* works on each token by itself.

# %%
from ftlab.show import transformer

show(transformer(12))

# %% [markdown]
# The values that it computes with are its *weights*; training changes them. The smallest real GPT-2
# has 12 blocks as well, but its vectors have 768 values; here they have 128. So a training run takes
# seconds.
#
# The model grew up in a small world of its own: a few hundred facts, some grammar, sums of single
# digits, little stories. We know exactly what it was taught, so we can test every skill.
#
# `open_lab` sets up three things: the model, a task that it will learn later (`clinic`), and a *suite*
# of questions about what it already knows. Then we let it write.

# %%
from ftlab.evaluate import generate

lab = ftlab.open_lab("clinic", model="nano-gpt2")
base = lab.bundle.model
print(f"{lab.bundle.name}: {sum(p.numel() for p in base.parameters()):,} weights\n")

beginnings = [
    "The capital of Norway is",
    "The opposite of rich is",
    "3 + 4 =",
    "Ben has the kite. Eve has the drum. What does Eve have? The",
]
endings = generate(base, lab.tokenizer, beginnings, 6)
for beginning, ending in zip(beginnings, endings, strict=True):
    print(f"{beginning} |{ending}")

# %% [markdown]
# Ask it something yourself. It knows its own small world only.

# %%
from ftlab.show import ask_panel

ask_panel(lab).show()

# %% [markdown]
# ## What it knows, in numbers
#
# *Goal: measure what the model knows before anything is trained.*
#
# The suite asks about 1,100 questions:
#
# | skill | a question | correct if |
# |---|---|---|
# | facts (fill in) | *The government of Nepal sits in ...* | the model writes exactly the answer |
# | facts (choose) | the same, with four answers to choose from | the right answer is the most probable |
# | grammar | *The keys near the door are old* / *is old* | the correct sentence is more probable |
# | arithmetic | *6 + 5 = ...* | it writes exactly the answer |
# | recall | *Ben has the kite. ... What does Ben have?* | it copies the right thing |
#
# None of these sentences was in the training text: each fact is asked in new words.
#
# **Guess first.** A guess that you wrote down cannot change once you know the answer. Put a number in
# place of `None`, or leave it: the notebook runs either way.

# %%
guess = ftlab.predict("How many of 100 facts will the model complete correctly?", None, unit="%")

# %%
from ftlab.show import skill_name

baseline = lab.baseline
print(guess.compare(100 * baseline["skills"]["facts"]))
for skill, accuracy in baseline["skills"].items():
    low, high = baseline["intervals"]["skills"][skill]
    count = baseline["n"]["skills"][skill]
    name, share = f"{skill_name(skill):15}", f"{accuracy:6.1%} correct of {count}"
    print(f"{name} {share} (95 % interval {low:.1%} to {high:.1%})")

# %% [markdown]
# <details><summary>What is the interval?</summary>These questions are a sample of all that could be
# asked. If we drew such samples again and again, 95 in 100 of the intervals would contain the score
# over all questions. If the intervals of two scores overlap widely, do not read anything into the
# difference.</details>
#
# ## Exercise 1: how much is retained?
#
# *Goal: write the measure that every plot shows. 5 minutes, easy.*
#
# With four answers to choose from, guessing alone is right in 25 % of cases. So what counts is how far
# *above guessing* a score is, now and before the training. Write `retained(now, base, chance)`, the
# share of a skill that is left:
#
# - 1 if nothing was lost,
# - 0 if the model does no better than guessing, or worse,
# - more than 1 if the skill has improved (do not cut it off at 1).
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
        ("better than before gives more than 1 (cut off?)", lambda f: (f(1.0, 0.75, 0.25), 1.5)),
    ],
    cases=[(0.5, 1.0, 0.0), (0.6, 0.95, 0.5), (0.97, 0.95, 0.25)],
)

# %% [markdown]
# The second measure, **retained**, is the mean of this share over the skills; the two ways of asking
# for facts are averaged first and count as one skill. In the mean a share counts as 1 at most, so that
# a skill that improved does not hide one that was lost.
#
# ## What it does not know yet
#
# *Goal: meet the new task, and tell new items from new cases.*
#
# The new task is `clinic`: read a triage note (who comes with what, and how bad it is) and answer with
# the urgency and the department. (The notes are invented. This is not medical advice.) The model knows
# every word in them, but it has never seen notes of this *form*.

# %%
rows = [dict(row) for row in lab.domain.test][:2]
said = generate(base, lab.tokenizer, [row["prompt"] for row in rows], 12)
for row, answer in zip(rows, said, strict=True):
    print(row["prompt"])
    print(f"  wanted: {row['answer']}")
    print(f"  got:    {answer.splitlines()[0] if answer.strip() else '(nothing)'}\n")
total = len(lab.domain.test)
print(f"correct before any training: {baseline['target_score']:.0%} of {total} test notes")
held = sum(row["held"] for row in lab.domain.test)
print(f"test notes about a complaint that is in no training note: {held}")

# %% [markdown]
# That gives two scores. *New items* are all test notes; none of them is trained on. *New cases* are the
# half whose complaint is in no training note. To answer those, a model must learn the form *and* still
# know an old fact: which department treats the complaint. There forgetting hurts the new task itself.
#
# ## Open the box: the loss
#
# *Goal: say what the loss measures, and when it is low.*
#
# A language model gives every possible next token a probability. The *loss* says how surprised it was
# by the token that really came: minus the natural logarithm of that probability, averaged over the
# tokens, in *nats*. 0 means never surprised.
#
# ## Exercise 2: the loss by hand
#
# *Goal: two lines, and the slip that turned a published table around. 10 minutes, medium.*
#
# Write `loss_of(logits, ids)`. `ids` are the tokens of a text; `logits[t]` holds a score for every
# token of the vocabulary, as a prediction of the token **after** position t. `log_softmax(-1)` turns
# scores into logarithms of probabilities.
#
# <details><summary>Hint 1</summary>Which logits predict ids[1]? Those of position 0. The last position
# predicts a token that never came.</details>
#
# <details><summary>Hint 2</summary>log_p = logits.log_softmax(-1); gather(1, ids[1:, None]) takes one
# value from each row. Which rows of log_p belong to ids[1:]? Then the minus and the mean.</details>

# %%
import torch

from ftlab.teach import answers


def loss_of(logits, ids):
    # <solution>
    log_p = logits.log_softmax(-1)
    return -log_p[:-1].gather(1, ids[1:, None]).mean()
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


torch.manual_seed(0)
ids, any_logits = torch.tensor([3, 1, 4, 1, 5]), torch.randn(5, 9)
sure = 99.0 * torch.nn.functional.one_hot(ids.roll(-1), 9)  # gives all to the token after
loss_of = ftlab.exercise(
    loss_of,
    reference=answers.loss_of,
    checks=[
        ("who is sure of the right NEXT token has loss 0 (shift?)", lambda f: (f(sure, ids), 0.0)),
        ("a surprise is never below 0 (the minus?)", lambda f: f(any_logits, ids) >= 0),
        (
            "pure guessing among 9 costs log(9) (log_softmax? mean, not sum?)",
            lambda f: (f(torch.zeros(5, 9), ids), 2.1972246),
        ),
    ],
    cases=[(any_logits, ids)],
)

# %%
text = lab.suite.documents[0]
# token ids; the first is the token that ends a text, since here a new text begins
ids = torch.tensor([lab.tokenizer.eos_token_id, *lab.tokenizer(text)["input_ids"]])
ids = ids.to(base.device)
with torch.no_grad():
    logits = base(ids[None]).logits[0]  # (tokens, vocabulary)
    by_library = base(ids[None], labels=ids[None]).loss.item()
by_hand = loss_of(logits, ids).item()
print(text)
print(f"loss by hand: {by_hand:.6f} nats per token; by transformers: {by_library:.6f}")
assert abs(by_hand - by_library) < 1e-5

# %% [markdown]
# That shift by one looks like a detail. A well-known public benchmark lacked it for seven months: its
# forgetting column compared every token with the prediction at the token's *own* position. After the
# fix (huggingface/peft, pull request 3419, July 2026), full fine-tuning and LoRA changed places in its
# table. This is what the slip does:

# %%
unshifted = -logits.log_softmax(-1).gather(1, ids[:, None])[:, 0].mean().item()
slip_shows = ftlab.claim(
    "Leaving out the shift makes a good model look bad",
    unshifted > by_library + 1,
    f"{unshifted:.2f} against {by_library:.2f} nats per token",
)

# %% [markdown]
# ## How to read the plots
#
# *Goal: read both panels of a run: learned left, retained right.*
#
# A recorded run: 100 training *steps* on `clinic`. In each step the model reads 16 notes, and every
# weight is moved a little, so that the right answers would surprise the model less. The *learning rate*
# says how far. Here it is much too high.
#
# Left: what was learned, all new items (thick) and the new cases (dashed). Right: what was retained, a
# thin line for every skill and their mean (thick). During the run only a sample of the questions is
# asked, so the lines jump. The stars are the test after the run, which asks everything.

# %%
from ftlab.show import two_numbers

runs = [r for r in recorded if r.domain == "clinic" and r.extra["sweep"] == "learning rate"]
high = next(r for r in runs if r.plan["lr"] == 3e-3 and r.plan["seed"] == 0)
show(two_numbers(high.curve, title="A recorded run, learning rate 3e-3", final=high.final))

# %% [markdown]
# Now move the learning rate yourself. These are recorded runs on another task, helpdesk tickets, at
# three rates: 1e-4, 3e-4 and 1e-3. First a guess:

# %%
rate_guess = ftlab.predict("Retained, at a rate of 1e-3?", None, unit="%")

# %%
from ftlab.show import rate_panel

tickets = analysis.pick(analysis.settings(recorded, domain="helpdesk"), "learning rate")
rate_panel(tickets, guess=rate_guess, at=1e-3).show()

# %%
print(rate_guess.compare(100 * tickets[-1].mean("retention")))

# %% [markdown]
# ## Exercise 3: read a run
#
# *Goal: read a run skill by skill. 5 minutes, easy.*
#
# Of which skill did a gentle run on `clinic`, at a rate of 1e-4, retain least? `before` and `after` are
# dicts from the name of a skill to its accuracy, `chances` from the name to what guessing gives. Use
# your `retained`.
#
# <details><summary>Hint 1</summary>Make a dict: for every skill in `before`, its share
# `retained`.</details>
#
# <details><summary>Hint 2</summary>min(shares, key=shares.get) finds the name with the smallest
# share.</details>

# %%
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
        ("it names a skill", lambda f: f(high.baseline["skills"], high.final["skills"]) in chances),
        (
            "it is the smallest share that was retained, not the lowest accuracy",
            lambda f: (f({"facts": 1.0, "grammar": 0.8}, {"facts": 0.85, "grammar": 0.8}), "facts"),
        ),
    ],
    cases=[(run.baseline["skills"], run.final["skills"]) for run in (gentle, high)],
)
print("lost most:", most_lost(gentle.baseline["skills"], gentle.final["skills"]))

# %% [markdown]
# ## Exercise 4: questions of your own
#
# *Goal: five questions, of which the base answers at least three. 10 minutes, open.*
#
# What would *you* not want it to lose? Write beginnings and the right continuations. (The *Ask* box
# further up helps to find some. In notebook 01 you can ask them again, after training.)
#
# <details><summary>Hint 1</summary>It knows capitals, opposites, young animals, symbols, sums of single
# digits, who has what.</details>
#
# <details><summary>Hint 2</summary>A continuation begins with a space: ("The opposite of hot is",
# " cold").</details>

# %%
# <solution>
mine = [
    ("The capital of Norway is", " Oslo"),
    ("The opposite of rich is", " poor"),
    ("3 + 4 =", " 7"),
    ("2 + 6 =", " 8"),
    ("The capital of Atlantis is", " unknown"),
]
# </solution>
# <stub>
# mine = []  # such as ("The opposite of hot is", " cold")
# </stub>

if not mine:
    print("No questions of your own yet.")
else:
    said = generate(base, lab.tokenizer, [beginning for beginning, _ in mine], 6)
    right = [s.startswith(answer) for s, (_, answer) in zip(said, mine, strict=True)]
    for (beginning, _), ending, good in zip(mine, said, right, strict=True):
        print("✓" if good else "✗", f"{beginning}{ending}")
    print("goal reached" if len(mine) >= 5 and sum(right) >= 3 else "not there yet")

# %% [markdown]
# ## If your machine may vanish: store your runs
#
# *Goal: choose a folder from which an interrupted run can go on.*
#
# A borrowed machine, such as Colab's, can be taken away in the middle of a run. Name a folder that
# stays, and every run from then on is stored there: run a cell again, and it continues where it
# stopped. Do this below the first code cell of every notebook in which you train.
#
# <details><summary>On Colab</summary>
#
# ```python
# from google.colab import drive
# drive.mount("/content/drive")
# ftlab.store_runs("/content/drive/MyDrive/ftlab")
# ```
#
# A stored run takes as much space as the weights that it trained, three times that while it trains.
#
# </details>

# %%
store_in = None  # such as "/content/drive/MyDrive/ftlab"
ftlab.store_runs(store_in)

# %% [markdown]
# ## What the article says
#
# *Goal: know the causes and the remedies that the article names.*
#
# Its four causes: "learning rates too high", training "all layers", a "small data set" and "important
# layers overwritten". Its remedies: warmup and cosine decay, freezing, LoRA on Q and V with ranks by
# layer, QLoRA, adapters, and pruning last. Notebooks 01 to 08 test them one after the other. What is
# not in the article is marked *(often said)*, *(ours)*, or with the name of who says it.
#
# ## From now on
#
# - **Measure what a model can do before you train it.** Afterwards it is too late.
# - **Two measures belong together**, learned and retained. One alone says little.
# - **Test your measure, too.** One missing shift turned a published table around.
#
# <details><summary>Further reading</summary>
#
# - The article: Sachchida Nand Singh, *Fine-Tuning Large Language Models (LLMs) Without Catastrophic
#   Forgetting*, Towards AI.
# - huggingface/peft, `method_comparison`: 63 ways to fine-tune Llama-3.2-3B with an accuracy and a
#   forgetting column. Full fine-tuning at 1e-5: accuracy .472, forgetting .030 nats. LoRA on Q and V
#   at 1e-4: .478 and .050.
# - Biderman and others (2024), *LoRA Learns Less and Forgets Less*: the title is the result, for
#   Llama-2-7B on code and mathematics.
#
# </details>
