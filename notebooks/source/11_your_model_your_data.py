# %% [markdown]
# # Your model, your data
#
# <!-- for: everyone, at the end -->
# <!-- seen: ten steps from a file of your own to a report, and a decision: ship or don't -->
#
# **The question:** you tuned a model on your own file: is it ready for its users?
#
# The notebooks so far took single steps. Here you take them all, on a file of your own. You will
#
# - look at the file, and find the score that costs nothing,
# - ask whether a prompt would do,
# - measure the base: both measures, before anything is trained,
# - choose a rate, a method and a little replay, and stop in time,
# - walk part of the way back, and keep a switch,
# - read a report with intervals, and decide.
#
# You need notebook 01. Most steps name the notebook that they come from.

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## Your file
#
# *Goal: open your own file as a lab, with its prompts and answers.*
#
# Put the path of your own file here: `.csv`, `.jsonl`, `.parquet`, a folder, a name on the Hub.
# `COLUMNS` says which of its columns is the prompt and which the answer (`""` if they are called
# *prompt* and *answer*). Until then a file of ours stands in: 400 tickets to a help desk, and whether
# somebody should be called at night. The model is the profile's: nano-gpt2, or SmolLM2-135M under
# `FTLAB_PROFILE=laptop`. The code is the same.
#
# In a terminal `ftlab data FILE --columns ...` shows more: lengths, duplicates, one item as the model
# reads it.

# %%
from ftlab.datasets import example

MY_FILE = example()
COLUMNS = "prompt=ticket,answer=call"

lab = ftlab.open_lab(MY_FILE, columns=COLUMNS)
base = lab.bundle.model
items = lab.items(20)
for item in items[:3]:
    print(repr(item["prompt"]), "→", repr(item["answer"]))

# %% [markdown]
# ## Exercise 1: the score that costs nothing
#
# *Goal: what always saying the same would score. 5 minutes, easy.*
#
# Write `always_commonest(train, test)`: both are lists of answers. Take the answer that is commonest
# in `train`, and return the share of `test` that it gets right.
#
# <details><summary>Hint 1</summary>Two steps: find the answer in `train`, then count it in `test`. A
# list has `.count`.</details>
#
# <details><summary>Hint 2</summary>`max(..., key=train.count)` finds the answer that stands there most
# often.</details>

# %%
from ftlab.teach import answers


def always_commonest(train, test):
    # <solution>
    commonest = max(set(train), key=train.count)
    return test.count(commonest) / len(test)
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


TRAIN, TEST = ["yes"] * 5 + ["no"] * 3, ["no"] * 6 + ["yes"] * 4
always_commonest = ftlab.exercise(
    always_commonest,
    reference=answers.always_commonest,
    checks=[
        ("it is a share of test (of train?)", lambda f: (f(["no"], TEST), 0.6)),
        (
            "the answer comes from train: nobody may look at test first",
            lambda f: (f(TRAIN, TEST), 0.4),
        ),
        ("an answer that test never gives scores 0", lambda f: (f(["maybe"], TEST), 0)),
    ],
    cases=[(TRAIN, TEST), (TEST, TRAIN)],
)

# %%
train = [row["answer"].strip() for row in lab.domain.train]
test = [row["answer"].strip() for row in lab.domain.test]
free = always_commonest(train, test)
print(f"Always the commonest answer: {free:.0%} of {len(test)} test items right.")

# %% [markdown]
# A model that scores this may have learned one word only. Keep the number in mind; the report will.
#
# ## Step 1: words that the base has
#
# *Goal: choose answer words that the base already finds likely.*
#
# Where several wordings of an answer are right, the one that the base would use itself moves the model
# least. For long answers, let the base write them, and keep those that are right. For labels, measure
# how surprised it is by each:

# %%
from collections import Counter

from ftlab.evaluate import score_texts

# For a file of your own: a word to try in place of each label; {} if answers are no labels.
WORDS = {"yes": "high", "maybe": "medium", "no": "low"}


def surprise(word):
    """Nats that a label costs after our prompts, all its tokens together, on average."""
    scores = score_texts(base, lab.tokenizer, [(item["prompt"], f" {word}") for item in items])
    return -sum(score.logprob for score in scores) / len(scores)


for label in WORDS:
    pieces = [lab.tokenizer.tokenize(f" {word}") for word in (label, WORDS[label])]
    print(
        f"{label}: {surprise(label):.1f} nats {pieces[0]}; "
        f"{WORDS[label]}: {surprise(WORDS[label]):.1f} nats {pieces[1]}"
    )

# %% [markdown]
# A label that costs $n$ nats has a chance of one in $e^n$: a few nats more make it hopelessly unlikely.
# nano-gpt2 has hardly ever met *yes*, and an adapter leaves the embeddings alone, so it would learn to
# write it slowly or not at all. (A larger model may show no such gap: read your own numbers.) So we say
# *high*, *medium* and *low*, words that the base has. (*low* costs a little more than *no*; we take it
# so that the three words are of one kind.)

# %%
from dataclasses import replace

from datasets import Dataset


def reworded(row):
    """The same row, with another word for its label."""
    label = row["answer"].strip()
    return row | {"answer": row["answer"].replace(label, WORDS.get(label, label))}


splits = {
    name: Dataset.from_list([reworded(dict(row)) for row in getattr(lab.domain, name)])
    for name in ("train", "validation", "test")
}
lab = ftlab.open_lab(replace(lab.domain, **splits), model=lab.bundle)
train, test = ([row["answer"].strip() for row in splits[name]] for name in ("train", "test"))

# %% [markdown]
# ## Step 2: would a prompt do?
#
# *Goal: measure what the base scores with a few examples in its prompt.*
#
# Nothing is forgotten where nothing is trained. So ask the base first: six tickets with their answers,
# then the one that we ask about. It need not find the format: it chooses among the labels, by their
# probability. (This needs labels. If your answers are free text, ignore the result, and the first two
# rows of the last table.)

# %%
guess = ftlab.predict("Right by prompt alone, with six examples?", None, unit="%")

# %%
from ftlab.evaluate import wilson

LABELS = [label for label, _ in Counter(train).most_common(8)]
EXAMPLES = "".join(f"{row['prompt']}{row['answer']}\n" for row in lab.items(6))


def chosen(model, items, before=""):
    """The label that the model finds likeliest, for each item."""
    pairs = [(before + item["prompt"], f" {label}") for item in items for label in LABELS]
    scores = [s.logprob for s in score_texts(model, lab.tokenizer, pairs)]
    rows = [scores[i : i + len(LABELS)] for i in range(0, len(scores), len(LABELS))]
    return [LABELS[row.index(max(row))] for row in rows]


items = [dict(row) for row in lab.domain.test]
prompted = [a == b for a, b in zip(chosen(base, items, EXAMPLES), test, strict=True)]
right = wilson(sum(prompted), len(prompted))
print(
    f"By prompt: {right.estimate:.0%} ({right.low:.0%} to {right.high:.0%}); for free: {free:.0%}."
)
print(guess.compare(100 * right.estimate))

# %% [markdown]
# Guessing among three labels would be right in a third of the cases. nano-gpt2 is far too small to
# learn from examples in a prompt, so this is no verdict on prompts: ask the model that you would ship.
# If the prompt already scores what your users need, stop here and train nothing. If it only beats what
# is free, try a better prompt first.
#
# ## Step 3: measure the base
#
# *Goal: know what the base can do, so that a loss can be seen.*
#
# What the base cannot do cannot be forgotten. If your users need a skill that is not in this list,
# write fifty questions or more for it (`docs/own-data.md`; with ten, the interval is too wide to allow
# shipping even if nothing is lost) and open the lab with `suite="my_folder"`.

# %%
from ftlab.show import Table, rate_text, show, skill_name

before = lab.baseline
rows = []
for skill, share in before["skills"].items():
    guessing, asked = before["chance"][skill], before["n"]["skills"][skill]
    rows.append((skill_name(skill), f"{share:.0%}", f"{guessing:.0%}", str(asked)))
caption = f"{lab.bundle.name}, before training; {before['target_score']:.0%} right on your task"
show(Table(("skill", "right", "by guessing", "questions"), rows, caption))

# %% [markdown]
# ## Steps 4 and 5: a method, and the lowest rate that learns
#
# *Goal: take a method that can be switched off, and compare three rates for it.*
#
# We take LoRA on all linear layers (notebooks 04 and 07), since it can be switched off. There it
# learned less than full fine-tuning and, while on, retained less; so replay comes with it. It wants ten
# times full fine-tuning's rate, or more. The rate decides most (notebook 01). So here are three short
# runs, at rates a factor of three apart. We read them on *validation* items: the test items choose no
# rate and no method.

# %%
RATES = [1e-3, 3e-3, 1e-2]
sweep = {}
for rate in RATES:
    plan = ftlab.Plan(steps=80, lr=rate, measure_every=40)
    name = f"LoRA, {rate_text(rate)}"
    sweep[rate] = lab.run(plan, method="lora_all", name=name, fast=True).finish()
    last = sweep[rate].last
    print(f"{name}: learned {last['target_score']:.0%}, retained {last['retention']:.0%}")

# %% [markdown]
# ## Exercise 2: choose the rate
#
# *Goal: the rule as a function. 5 minutes, easy.*
#
# Write `lowest_that_learns(scores, tolerance)`: `scores` maps a rate to its score. Return the lowest
# rate whose score is at most `tolerance` below the best.
#
# <details><summary>Hint 1</summary>How high must a score be? Start from the best one.</details>
#
# <details><summary>Hint 2</summary>Keep the rates whose score reaches it, then take the
# smallest.</details>


# %%
def lowest_that_learns(scores, tolerance):
    # <solution>
    enough = max(scores.values()) - tolerance
    return min(rate for rate, score in scores.items() if score >= enough)
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


SEEN = {1e-5: 0.2, 1e-4: 0.85, 1e-3: 0.9, 1e-2: 0.4}
lowest_that_learns = ftlab.exercise(
    lowest_that_learns,
    reference=answers.lowest_that_learns,
    checks=[
        ("it gives a rate, not a score", lambda f: f(SEEN, 0.1) in SEEN),
        ("a score just below the best will do (the best one?)", lambda f: (f(SEEN, 0.1), 1e-4)),
        ("with no tolerance it is the best one", lambda f: (f(SEEN, 0.0), 1e-3)),
        ("low, but it must have learned", lambda f: (f(SEEN, 0.6), 1e-4)),
    ],
    cases=[(SEEN, 0.05), ({1e-3: 0.5, 1e-4: 0.5}, 0.0)],
)

# %%
rate = lowest_that_learns({rate: run.last["target_score"] for rate, run in sweep.items()}, 0.1)
print(f"The lowest of our rates that learns: {rate_text(rate)}.")

# %% [markdown]
# ## Steps 6 and 7: replay, and when to stop
#
# *Goal: add a little old text, and end a run once it has learned enough.*
#
# - **6, replay.** One item in twenty is old text. You have none? The base writes it (notebook 09).
# - **7, stop in time.** `stop_at`: a run ends when it has learned what you need. If that is only
#   at the last step, nothing was saved. (More than 100 % retained: a question or two more right than
#   the base had.)

# %%
GOAL = 0.95
plan = ftlab.Plan(steps=100, lr=rate, measure_every=20, stop_at=GOAL)


def candidate(seed=0):
    """The recipe of steps 4 to 7, for a seed."""
    return lab.run(
        replace(plan, seed=seed),
        method="lora_all",
        replay=0.05,
        replay_source="own",
        name=f"LoRA and replay, seed {seed}",
        fast=True,
    )


mine = candidate()
with ftlab.Live(total=plan.steps, title=mine.name) as live:
    for step in mine:
        live.update(step)
        if live.stopped:
            break

# %% [markdown]
# ## Step 8: part of the way back
#
# *Goal: choose how far to walk back, on validation items only.*
#
# It costs no training (notebook 09):

# %%
from ftlab.methods import partway

at = partway(base, mine.model)
WAYS = [1.0, 0.8, 0.6]
way = {a: lab.teacher_forced(at(a)) for a in WAYS}
for a, found in way.items():
    print(
        f"{a:g} of the way: {found['target_score']:.0%} learned, {found['retention']:.0%} retained"
    )
best = max(WAYS, key=lambda a: (way[a]["target_score"] * way[a]["retention"], a))
print(f"We stand at {best:g}. (2 or 3 points are one question here; the report decides.)")

# %% [markdown]
# ## Step 9: keep a switch
#
# *Goal: switch an adapter off, and check what is left of the base's skills.*
#
# An adapter that you do not merge can be taken off, request by request. `mine.save("tuned")` writes it
# in peft's format, with its tokenizer, at full strength. The model of step 8 is merged, so it has no
# switch. To have both, load the saved adapter and serve it inside
# `peft.helpers.rescale_adapter_scale(model, 0.8)`, with your own share: for a LoRA that is the same
# model.

# %%
from ftlab.methods import adapter_off

asked = [p for p in lab.suite.probes if p.form == "cloze"][:1]
for said in mine.say([p.query for p in asked]):
    print(f"asked {said['prompt']!r}\nbase {said['before']!r}\ntuned {said['after']!r}")
with adapter_off(mine.model) as model:
    off = lab.teacher_forced(model)
print(f"With the adapter off: {off['retention']:.0%} retained.")

# %% [markdown]
# ## Step 10: the report
#
# *Goal: read a report with intervals, and decide whether to ship.*
#
# Now the test items: no choice after step 2 was made on them. And every question of the suite, of
# which we asked at most 40 a skill on the way. The rule is printed with the verdict:

# %%
shipped = at(best)
name = mine.name if best == 1 else f"{mine.name}, {best:g} of the way"
report = ftlab.report(mine if best == 1 else lab.measure(shipped, name=name))
print(report)

# %%
from ftlab.show import changes_plot

show(changes_plot(report))

# %% [markdown]
# One skill that is *shown* to have lost more than its tolerance gives *Don't ship*. One that only *may*
# have lost more gives *Don't ship yet: it is not decided*: too few questions were asked, or too few
# seeds run. Two more seeds show whether the recipe works or this run was lucky. Each takes as long as
# the first: `ftlab.report([mine, candidate(1).finish(), candidate(2).finish()])`. (These three are the
# models before step 8.)
#
# As one page that opens anywhere, for the people who were not here:
#
# ```python
# from pathlib import Path
#
# from ftlab.show import report_page
#
# Path("report.html").write_text(report_page(report), encoding="utf-8")
# ```
#
# In a terminal, and in CI: `ftlab run --domain FILE` writes its record into the folder `runs`, and
# `ftlab report runs --html report.html` judges it. Its exit code is 0 for ship, 1 for don't and for not
# decided, 2 for a command that is wrong.
#
# ## Exercise 3: write the rule
#
# *Goal: the verdict as a function. 10 minutes, medium.*
#
# Write `may_ship(gain, losses, tolerance)`. `gain` is the interval (low, high) of the task's gain,
# `losses` maps each skill to the interval of its change (below 0: it lost). Return True if the whole
# gain is above 0 and no skill can have lost more than `tolerance`. (The report also asks that the score
# beats always giving the commonest answer. Leave that out here.)
#
# <details><summary>Hint 1</summary>Which end of an interval is the bad one? For a gain and for a change
# it is the same.</details>
#
# <details><summary>Hint 2</summary>The gain is one comparison. For the losses
# `all(... for ... in losses.values())` asks every skill; compare the bad end with -tolerance.</details>


# %%
def may_ship(gain, losses, tolerance):
    # <solution>
    return gain[0] > 0 and all(low > -tolerance for low, high in losses.values())
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


FINE = {"facts": (-0.04, 0.01), "grammar": (-0.02, 0.03)}
may_ship = ftlab.exercise(
    may_ship,
    reference=answers.may_ship,
    checks=[
        (
            "a gain, and losses within the tolerance: ship",
            lambda f: (f((0.2, 0.4), FINE, 0.1), True),
        ),
        (
            "a gain that may be none is none (its upper end?)",
            lambda f: (f((-0.1, 0.4), FINE, 0.1), False),
        ),
        (
            "a skill that may have lost too much is enough (the upper end, or the middle?)",
            lambda f: (f((0.2, 0.4), FINE | {"recall": (-0.2, 0.05)}, 0.1), False),
        ),
        (
            "each skill counts, not their mean",
            lambda f: (f((0.2, 0.4), FINE | {"recall": (-0.15, -0.11)}, 0.1), False),
        ),
    ],
    cases=[((0.2, 0.4), FINE, 0.03), ((0.0, 0.4), FINE, 0.1)],
)

# %%
changes = {s.name: (s.interval.low, s.interval.high) for s in report.skills if s.judged}
gain = report.task.interval.low, report.task.interval.high
print("by your rule:", "ship" if may_ship(gain, changes, report.tolerance) else "don't ship")

# %% [markdown]
# ## Exercise 4: your decision
#
# *Goal: a run of your own that may ship, on your own file if you have one. 20 minutes, open.*
#
# Follow the report's own advice. It asks for no change? Then try another way: full fine-tuning at a
# tenth of the rate, more replay, or EWC (`from ftlab.methods import EWC`, `method=EWC(100.0)`). Part of
# the way back is a model too: `my_run = lab.measure(partway(base, mine.model)(0.5), name="0.5")`.
# Choose on validation items, and report once: each further report on the same test items flatters you a
# little. Then write down in one sentence what you would tell the person who asked for the model.
#
# <details><summary>Hint 1</summary>Learned too little? More steps, or a higher goal. A skill is lost? A
# lower rate, or more replay.</details>
#
# <details><summary>Hint 2</summary>One seed is enough for the exercise. It says something about this
# model, and nothing about the next one.</details>

# %%
# <solution>
my_plan = ftlab.Plan(steps=100, lr=min(RATES) / 10, measure_every=50)  # full, a tenth of it
my_run = lab.run(my_plan, replay=0.05, replay_source="own", fast=True)
my_sentence = "It beats the commonest answer, and no skill can have lost more than ten points."
# </solution>
# <stub>
# my_run = None  # such as lab.run(ftlab.Plan(lr=3e-4), replay=0.05, replay_source="own", fast=True)
# my_sentence = ""
# </stub>

if my_run is None:
    print("No run of your own yet. The report above says what one change it would make.")
else:
    my_report = ftlab.report(my_run.finish() if hasattr(my_run, "finish") else my_run)
    print(my_report)
    print(
        ("✓ " if my_report.ship and my_sentence else "✗ ") + "a run that may ship, and a sentence"
    )

# %% [markdown]
# ## What is said, and what we measured
#
# Rows name who says it; *(ours)* are statements of this workbook. All of it was measured above, on
# your file if you gave one. *Not decided* means that the interval leaves it open.

# %%
from ftlab.evaluate import paired_difference


def decide(interval):
    """Is the whole interval above 0, or below?"""
    if interval.low <= 0 <= interval.high:
        return "not decided"
    return "holds" if interval.low > 0 else "does not hold"


tuned = [a == b for a, b in zip(chosen(shipped, items), test, strict=True)]
over = paired_difference([float(x) for x in tuned], [float(x) for x in prompted])
training_does = {f"tuned minus prompted: {ftlab.analysis.points_text(over)}": decide(over)}
beats = wilson(sum(tuned), len(tuned))
words = f"{beats.estimate:.0%} ({beats.low:.0%} to {beats.high:.0%}), for free {free:.0%}"
off_retained = off["retention"]

# %%
ftlab.verdict_table(
    ftlab.says(
        "(ours) For this base, training beats a prompt with six examples", decided=training_does
    ),
    ftlab.says(
        "(ours) These rows are enough to beat the commonest answer",
        decided={words: "holds" if beats.low > free else "not decided"},
    ),
    ftlab.says(
        "(ours) With the adapter off, the base's skills are all there again (a sample)",
        decided={f"retained {off_retained:.0%}": "holds" if off_retained == 1 else "does not hold"},
    ),
    ftlab.says(
        "(ours) This run of the recipe may ship (one seed)",
        decided={f"{report.verdict} Gain {report.task.text}": report.decided},
    ),
)

# %% [markdown]
# ## What you take along
#
# - Ask for two measures, always. You are now the one who asks.
# - Before training: what is free, what a prompt gives, what the base can do.
# - While training: the lowest rate that learns, a little old text, and an end.
# - After training: part of the way back, a switch, and a report whose rule was written down before you
#   saw its numbers.
# - *I do not know yet* is a result. It says how many more questions to ask.
#
# That was the last notebook. The commands: `ftlab data`, `ftlab run`, `ftlab report`.
