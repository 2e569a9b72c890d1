# %% [markdown]
# # Several tasks in a row
#
# <!-- for: those who train one model on one task after another -->
# <!-- seen: four tasks one after another as a matrix that fills, and what keeps the first ones -->
#
# **The question:** a model learns a task, then another, then two more: how do you keep the first one,
# and what the base knew?
#
# So far you trained one task. Models in use are trained again and again. You will
#
# - train four tasks in a row, and watch a matrix fill,
# - say what it shows in one number, with the right sign,
# - answer what people ask most: the same LoRA for the next task, or merge it and start a new one?
# - choose what to replay, and find two remedies that do more together,
# - change the order of the tasks, and train all four at once,
# - find out what a router would have to know.
#
# You need notebook 01, the idea of a LoRA (notebook 04), and replay, EWC and walking back (notebook
# 09). *Retained* is, as before, the share of the base model's skills that is still there.

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## Four tasks
#
# *Goal: train four tasks one after another, and read the matrix of accuracies.*
#
# A note for the clinic, a ticket for the help desk, a clause of a contract, a booking for the ledger:
# `lab.sequence` takes them in turn. Here all weights are trained, and each task goes on from the
# weights that the one before left:

# %%
import numpy as np

from ftlab.show import task_matrix

lab = ftlab.open_lab("clinic", model="nano-gpt2")
TASKS = ["clinic", "helpdesk", "contracts", "ledger"]
plan = ftlab.Plan(steps=60, batch_size=16, lr=3e-4, measure_every=20)
row = lab.sequence(TASKS, plan, method="full", link="continue")

for task, bench in row.labs.items():
    item = bench.items(1)[0]
    print(f"{task}:\n    {item['prompt']!r}\n    {item['answer']!r}")

# %%
guess = ftlab.predict("Accuracy on the first task, after three more were trained?", None, unit="%")


# %%
def picture(steps):
    return task_matrix(row.matrix, row.tasks, retained=row.retained, title="One after another")


with ftlab.Live(total=row.total, draw=picture) as live:
    for _ in live.follow(row):
        pass
row.check_ended()  # after Stop: the cells below need all four tasks

# %% [markdown]
# Read a column from its frame downward: how well one task is done, right after it was trained and after
# each one that followed. Read a row: what the model can do at one moment. (*BWT* in the title is
# explained below. A sample of the questions is asked; the records below ask all.)

# %%
print(guess.compare(100 * row.matrix[-1][0]))

# %%
from ftlab.show import lines, show

curves = {
    task: [(step.step, step.measured["tasks"][task]) for step in row.steps if step.measured]
    for task in TASKS
}
show(
    lines(
        curves,
        name="Accuracy on each task",
        reading="higher is better; a new task every 60 steps",
        xlabel="step",
        percent=True,
    )
)

# %% [markdown]
# ## Gone, or covered?
#
# *Goal: find out whether ten more steps bring a lost task back.*
#
# Clinic is gone as soon as the next task is trained; in the figure the others fall more slowly. What does
# the model say to a clinic note now?

# %%
from ftlab.evaluate import generate

note = dict(lab.domain.test[0])
print(repr(note["prompt"]))
print("expected: ", note["answer"])
for task, model in zip(["base", *TASKS], [lab.bundle.model, *row.models], strict=True):
    print(f"{task:10}", generate(model, lab.tokenizer, [note["prompt"]], 16)[0].split("\n")[0])

# %% [markdown]
# Its answers drift towards the task that came last, with pieces of the earlier ones in between. Is
# the clinic task gone from the weights, or only covered? Train clinic again for ten steps, once from
# the end of the sequence and once from the base:

# %%
short = ftlab.Plan(steps=10, batch_size=16, lr=3e-4, measure_every=0, seed=5)
starts = {"the end of the sequence": row.models[-1], "the base": None}
again = {
    name: lab.run(short, method="full", start=start, fast=True).finish().last
    for name, start in starts.items()
}
for name, last in again.items():
    print(
        f"ten steps of clinic from {name}: {last['target_score']:.0%} learned, "
        f"loss {last['target_loss']:.2f}"
    )

# %% [markdown]
# Compare the two, and both with the frame of clinic above. A better score than from the base can have
# two causes: something of clinic is left, or the other tasks taught how short answers look. To tell
# them apart, one would start from a model that was trained on the other three tasks and never saw
# clinic. (One run each: a hint, no more.)
#
# ## The matrix in one number
#
# *Goal: read average accuracy, forgetting and BWT off a matrix, with their signs.*
#
# Let $a_{ij}$ be the accuracy on task $j$ after task $i$ was trained, $T$ tasks in all. Libraries
# define forgetting differently, and with different signs:
#
# | number | formula | sign |
# |---|---|---|
# | average accuracy | mean over $j$ of $a_{Tj}$ | higher is better |
# | forgetting (Avalanche, and here) | mean over $j < T$ of $a_{jj} - a_{Tj}$ | + is bad |
# | BWT, backward transfer (Avalanche, and here) | minus forgetting | + is good |
# | forgetting (Mammoth) | mean over $j < T$ of $\max_i a_{ij} - a_{Tj}$ | never below 0 |
# | "forgetting" (an example of PEFT) | last minus first | - is bad |
#
# The last task is left out: it has had no time to be forgotten. Whoever gives you such a number, ask
# for the sign.
#
# ## Exercise 1: BWT of a matrix
#
# *Goal: the number, with the right sign. 10 minutes, easy.*
#
# Write `bwt(matrix)`: rows in the order of training, columns in the same order of tasks, from 0.
#
# <details><summary>Hint 1</summary>matrix[-1] is the last row, matrix[j][j] what task j could do right
# after it was trained.</details>
#
# <details><summary>Hint 2</summary>Add matrix[-1][j] - matrix[j][j] for all j but the last, and divide
# by how many those are.</details>

# %%
from ftlab import analysis


def bwt(matrix):
    # <solution>
    last = len(matrix) - 1
    return sum(matrix[-1][j] - matrix[j][j] for j in range(last)) / last
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


lost = [[0.8, 0.1, 0.0], [0.5, 0.9, 0.2], [0.4, 0.6, 0.7]]
early = [[0.5, 0.9, 0.0], [0.5, 0.6, 0.0], [0.5, 0.6, 0.8]]  # task 1 was best before its training
bwt = ftlab.exercise(
    bwt,
    reference=analysis.backward_transfer,
    checks=[
        ("a loss is negative (last minus first, not first minus last)", lambda f: f(lost) < 0),
        (
            "the last task is left out, of the count too",
            lambda f: (f([[0.6, 0], [0.2, 0.9]]), -0.4),
        ),
        ("it counts from right after a task, not from its best", lambda f: (f(early), 0.0)),
        ("where a later task helps, it is positive", lambda f: f([[0.5, 0.0], [0.7, 0.9]]) > 0),
    ],
    cases=[(lost,), (row.matrix,)],
)
print(f"BWT of the run above: {100 * bwt(row.matrix):+.0f} points (+ is good)")
print(f"forgetting: {100 * analysis.forgetting(row.matrix):+.0f} points (+ is bad)")

# %% [markdown]
# ## The same LoRA, or a new one?
#
# *Goal: compare three ways for a LoRA to go on to the next task.*
#
# In code: `lab.sequence(..., method="lora_all", link=...)`, a LoRA on all linear layers, with one of
# these as `link`:
#
# - `"continue"`: the same adapter is trained further. Its few parameters must serve all tasks.
# - `"merge"`: it is added into the weights, and a new adapter starts at zero. Each task has fresh
#   parameters, and what was learned lies in weights that no longer move, though the new adapter
#   stands on the same layers.
# - `"switch"`: each task gets its own adapter on the untouched base. Something has to choose the
#   right one.

# %%
guess_same = ftlab.predict(
    "The same LoRA trained further: average accuracy on all four tasks, at the end?",
    None,
    unit="%",
)

# %% [markdown]
# From here on we read recorded sequences, whose models were asked every question of the test split.

# %%
from ftlab.show import Table, rate_text, recorded_matrix

runs = analysis.shipped("sequence")
found = {}
for model in ("nano-gpt2", "SmolLM2-135M"):
    mine = analysis.settings([run for run in runs if run.model == model.lower()])
    if mine:
        found[model] = mine
    print(f"{model}: {sum(len(s.runs) for s in mine) or 'no'} sequences recorded")

KEYS = {
    "just_learned": "just learned",
    "average_accuracy": "average at the end",
    "forgetting": "forgetting (+ is bad)",
    "retained": "retained",
}


def table(model, names):
    """Recorded sequences as rows; what was not recorded is left out."""
    rows, plan = [], found[model][0].runs[0].plan
    for words, name in names.items():
        for s in (s for s in found[model] if s.sweep == name):
            rows.append((words, rate_text(s.lr), str(len(s.runs)), *map(s.text, KEYS)))
    head = ("what", "rate", "seeds", *KEYS.values())
    size = f"{plan['steps']} steps of {plan['batch_size']} items a task"
    return Table(head, rows, f"{model}; {size}; mean (lowest to highest seed)")


# %% [markdown]
# (One sequence of SmolLM2-135M takes more than half an hour on a CPU core, so few are recorded, with
# fewer steps. On a larger machine `ftlab grid sequence --model smollm2-135m` records more, and they
# appear here. Where there are two rates, the matrices and verdicts below take the higher one. On
# SmolLM2 neither rate learns all of every task in so few steps, see *just learned*; the higher one
# costs more of the base.)

# %%
LINKS = {
    "the same LoRA trained further": "LoRA continued",
    "merged, then a new LoRA": "LoRA merged",
    "one LoRA per task, switched": "LoRA switched",
}
for model in found:
    show(table(model, LINKS))
    for sweep in ("LoRA continued", "LoRA merged"):
        alike = analysis.pick(found[model], sweep)[-1].runs
        show(recorded_matrix(alike, title=f"{model}: {sweep}"))

# %% [markdown]
# *Just learned* is the mean along the frames, right after each task; *average at the end* that of
# the last row. *Switched* assumes that the right adapter is always chosen; its *retained* is the mean
# over the four adapters, each while it is on.
#
# Is one way better than another? Sequences with the same seed are paired.


# %%
def values(model, name, of):
    """`of(run)` of a sweep, at the higher rate if there are two: by seed."""
    alike = [s for s in found[model] if s.sweep == name][-1:]
    return {run.seed: of(run) for s in alike for run in s.runs}


def judge(sentence, one, other, key="average_accuracy", by=values, where=""):
    """What the records of each model decide: is `one` larger than `other`?"""
    decided = {}
    for model in found:
        a, b = (by(model, name, lambda run: run.final[key]) for name in (one, other))
        pairs = [(a[seed], b[seed]) for seed in sorted(a.keys() & b.keys())]
        if pairs:
            first, second = zip(*pairs, strict=True)
            gap = f"{100 * (first[0] - second[0]):+.0f} points, one run each"
            if len(pairs) > 1:
                gap = f"{analysis.points_text(analysis.paired(first, second))}, {len(pairs)} pairs"
            evidence = f"{model}{where}: {one} minus {other} {gap}"
            decided[evidence] = analysis.verdict(first, second)
            print(f"{decided[evidence]}: {sentence} ({evidence})")
    return decided


# %%
same = analysis.pick(found["nano-gpt2"], "LoRA continued")[0]
print(guess_same.compare(100 * same.mean("average_accuracy")))
pair = "LoRA merged", "LoRA continued"
judge("merged, accuracy is higher at the end", *pair)
judge("merged, more is learned of each task", *pair, "just_learned")
_ = judge("merged, more of the base is retained", *pair, "retained")

# %% [markdown]
# On SmolLM2 either way loses the first three tasks (see the last rows of its matrices), so its average
# at the end comes from the last task alone. Whichever you choose: what is left of the first task, in
# the records, as the mean over the rates of each seed?

# %%
lost = {}
for model in found:
    for name in ("full", "LoRA continued", "LoRA merged"):
        alike = [run for s in found[model] if s.sweep == name for run in s.runs]
        matrices = [
            np.mean([run.extra["sequence"]["matrix"] for run in alike if run.seed == seed], axis=0)
            for seed in sorted({run.seed for run in alike})
        ]
        first, last = [m[0, 0] for m in matrices], [m[-1, 0] for m in matrices]
        if first:
            shares = f"{np.mean(first):.0%} at first, {np.mean(last):.0%} at the end"
            told = f"{model}, {name}: clinic {shares}, {len(first)} seeds"
            lost[told] = analysis.verdict([score / 2 for score in first], last)
            print(f"{lost[told]}: less than half of the first task is left ({told})")

# %% [markdown]
# ## What keeps the earlier tasks
#
# *Goal: know what replay, EWC and walking back each do for earlier tasks.*
#
# From notebook 09, in a sequence:
#
# - **replay**: of every hundred texts that are read five are old; half of these are general text, half
#   items of all earlier tasks in turn;
# - **EWC**: before each task the Fisher information is computed anew, from texts that the model
#   writes itself and from its own answers to earlier prompts (so you need those prompts, not their
#   answers);
# - **walking back**: after each task the model goes back to 0.7 of the way that it took, and the next
#   task starts there.

# %%
guess_both = ftlab.predict(
    "Full fine-tuning with EWC and a little replay: average accuracy at the end?", None, unit="%"
)

# %% tags=["nbval-check-output"]
HELP = {
    "full": "full",
    "full, 0.7 of the way after each": "full + walk",
    "full, EWC 100": "full + EWC 100",
    "full, EWC 1000": "full + EWC 1000",
    "full, 5 % replay": "full + replay",
    "full, EWC 100 and 5 % replay": "full + EWC 100 + replay",
    "LoRA continued": "LoRA continued",
    "LoRA continued, 5 % replay": "LoRA continued + replay",
    "LoRA merged": "LoRA merged",
    "LoRA merged, 5 % replay": "LoRA merged + replay",
    "one LoRA per task, switched": "LoRA switched",
}
helped = [model for model in found if any("+" in s.sweep for s in found[model])]
for model in helped:
    show(table(model, HELP))
both = analysis.pick(found["nano-gpt2"], "full + EWC 100 + replay")[0]
print(guess_both.compare(100 * both.mean("average_accuracy")))

# %%
from ftlab.show import Point, plane

UNDER = "learned: accuracy at the end, mean of the four tasks"
MARKS = {"": "full", "walk": "walk", "replay": "replay", "EWC 100 + replay": "recipe"}
DRAWN = [name for name in HELP.values() if "continued" not in name and "1000" not in name]
for model in helped:
    points = []
    for name in DRAWN:
        link, _, added = name.partition(" + ")
        mark = MARKS.get(added, "ewc") if link == "full" else "lora_all"
        for s in [s for s in found[model] if s.sweep == name][-1:]:  # the higher rate of two
            label = f"{name}, {rate_text(s.lr)}"
            points.append(Point(mark, s.values("average_accuracy"), s.values("retained"), label))
    show(plane(points, model=model, learned=UNDER, crop=True))

# %% [markdown]
# On nano-gpt2 all three remedies move a sequence up and to the right. EWC moves it more up: it holds
# what the base knew. Replay moves it more to the right: it keeps the earlier tasks. Walking back does
# less of both. The number behind EWC is its strength; at 1000 the model is held so firmly that it
# hardly learns the third task (choose it on the buttons below). A lower rate alone moves a sequence up,
# and keeps hardly any more of the tasks: compare the two rows of plain *full*. On SmolLM2 only replay
# was recorded, with merged LoRAs: it moves far up and to the right, too. What do the records decide?

# %%
replayed = judge("replay: accuracy is higher at the end", "full + replay", "full")
replayed |= judge("the same with LoRA", "LoRA merged + replay", "LoRA merged")
judge("and more of the base is retained", "LoRA merged + replay", "LoRA merged", "retained")
pair = ("LoRA merged + replay", "LoRA continued + replay")
judge("with replay, merging leaves more", *pair)
held = judge("EWC: accuracy is higher at the end", "full + EWC 100", "full")
judge("EWC: more of the base is retained", "full + EWC 100", "full", "retained")
judge("walking back: accuracy is higher at the end", "full + walk", "full")
together = judge("both: more than with replay alone", "full + EWC 100 + replay", "full + replay")
together |= judge("both: more than with EWC alone", "full + EWC 100 + replay", "full + EWC 100")

# %% [markdown]
# ## Exercise 2: choose what to replay
#
# *Goal: a small store of old items that keeps both, the earlier tasks and the base's skills. 15
# minutes, medium.*
#
# Write `to_replay(earlier, general, count)`. `earlier` gives a list of items for each earlier task,
# `general` is a list of general texts in the same form. Return a list of `count` items: half of them
# general, the other half from all earlier tasks in equal parts. Take the first of each list, the
# earlier tasks in their order, then the general texts. (If the numbers do not divide evenly, general
# text fills up.)
#
# <details><summary>Hint 1</summary>How many of each earlier task? Half of count, divided by how many
# tasks there are, rounded down.</details>
#
# <details><summary>Hint 2</summary>Collect those first; general[: count - len(kept)] is the rest.
# </details>

# %%
from ftlab.teach import answers


def to_replay(earlier, general, count):
    # <solution>
    share = count // 2 // len(earlier)
    kept = [item for items in earlier.values() for item in items[:share]]
    return kept + general[: count - len(kept)]
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


one, two = ({"one": list("abcdefgh")}, {"one": list("abcdefgh"), "two": list("klmnopqr")})
old = list("12345678")
to_replay = ftlab.exercise(
    to_replay,
    reference=answers.to_replay,
    checks=[
        ("as many as were asked for", lambda f: (len(f(two, old, 8)), 8)),
        (
            "half is general text: the base's skills",
            lambda f: (len(set(f(one, old, 8)) & set(old)), 4),
        ),
        (
            "each earlier task has its share (the first alone? the last alone?)",
            lambda f: ([len(set(f(two, old, 8)) & set(items)) for items in two.values()], [2, 2]),
        ),
        ("no item twice", lambda f: len(set(f(two, old, 8))) == 8),
        ("general text fills up", lambda f: (len(set(f(two, old, 7)) & set(old)), 5)),
    ],
    cases=[(one, old, 4), (two, old, 8), (two, old, 7)],
)

# %% [markdown]
# Now with your choice: help desk after clinic once more, with forty old items among the four hundred
# tickets.

# %%
from dataclasses import replace

from ftlab.datasets import mix
from ftlab.methods import full

general = mix(lab.items(), lab.replay_source, 0.5, 80)[40:]  # 40 notes, then 40 general texts
store = to_replay({"clinic": lab.items()}, general, 40)


def reading(rows):
    """Full fine-tuning that reads these in turn with the new items."""
    return lambda model: replace(full(model), rows=rows)


desk = row.labs["helpdesk"]
mixed = desk.run(plan, method=reading(store), start=row.models[0], fast=True).finish().last
for how, (clinic, helpdesk, *_), retained in (
    ("without", row.matrix[1], row.retained[1]),
    ("with your store", mixed["tasks"].values(), mixed["retention"]),
):
    print(f"{how}: clinic {clinic:.0%}, helpdesk {helpdesk:.0%}, retained {retained:.0%}")

# %% [markdown]
# ## Does the order matter?
#
# *Goal: check whether the order of the tasks changes what is left of them.*
#
# The same four tasks, also from the last to the first, and mixed up; three seeds each:

# %% tags=["nbval-check-output"]
ORDERS = {"as above": "", "reversed": " (reversed)", "mixed": " (mixed)"}
HOW = ("LoRA continued", "LoRA merged", "LoRA continued + replay", "LoRA merged + replay")
names = {f"{how}, {words}": how + end for how in HOW for words, end in ORDERS.items()}
show(table("nano-gpt2", names))
for how in HOW:
    for words, end in list(ORDERS.items())[1:]:
        judge(f"{words}, accuracy is higher at the end", how + end, how)

# %% [markdown]
# Most of this is not decided. Where a line is, the order costs some points; replay changes far more. So
# take the orders together, for the question from above: the same LoRA, or merge and start a new one?
# Each seed counts once, with the mean of its three orders.


# %%
def over_orders(model, name, of):
    """`of(run)` by seed, the mean of all orders."""
    each = [values(model, name + end, of) for end in ORDERS.values()]
    return {
        seed: np.mean([one[seed] for one in each]) for seed in set.intersection(*map(set, each))
    }


all_orders = {"by": over_orders, "where": ", mean of three orders"}
merged = {}
for added in ("", " + replay"):
    pair = "LoRA merged" + added, "LoRA continued" + added
    merged |= judge("merged, accuracy is higher at the end", *pair, **all_orders)
    judge("merged, more of the base is retained", *pair, "retained", **all_orders)

# %% [markdown]
# Three orders decide half of it. Without replay, merging costs more of the base; with replay, it leaves
# more of the tasks. The other two differences are small and not decided: without replay the earlier
# tasks are lost either way. (This is nano-gpt2, at one rate. SmolLM2 has one order; what it decides
# stands above.)

# %% [markdown]
# ## All at once
#
# *Goal: compare the sequence with one training on all four tasks, mixed.*
#
# If you have all four tasks on the same day, you can mix them, and none is earlier than another. As
# many steps, and as many reads of each item, as in your own sequence above:

# %%
*others, last = row.labs.values()
others = [item for bench in others for item in bench.items()]
long = replace(plan, steps=row.total, measure_every=0)
mixed = last.run(long, method=reading(others), fast=True).finish().last
for how, scores, retained in (
    ("one after another", row.matrix[-1], row.retained[-1]),
    ("all at once", list(mixed["tasks"].values()), mixed["retention"]),
):
    each = ", ".join(f"{task} {score:.0%}" for task, score in zip(TASKS, scores, strict=True))
    print(f"{how}: {each}; on average {np.mean(scores):.0%}, retained {retained:.0%}")

# %% [markdown]
# ## One LoRA per task, and a switch
#
# *Goal: see what each adapter does on its own task and on the others.*
#
# With one adapter per task nothing is forgotten: the base is untouched, and each adapter is as it was.
# The price is the choice. Each adapter on each task:

# %%
for model in found:
    for switched in found[model]:
        if switched.sweep == "LoRA switched":
            show(recorded_matrix(switched.runs, cross=True, title=model))

# %% [markdown]
# The cells outside the frames show the wrong adapter: it gets nothing right. And even the right one
# costs skills while it is on (*retained*), so for everything else no adapter should be on. So a
# *router*, the part that chooses the adapter, has to know two things of every prompt: which task it is,
# and whether it is one at all.
#
# ## Exercise 3: a router
#
# *Goal: which adapter, or none. 10 minutes, easy.*
#
# Look at the prompts under *Four tasks*. Write `route(prompt)`: the name of the task, or `None` for
# what is none of the four.
#
# <details><summary>Hint 1</summary>How does each kind of prompt begin?</details>
#
# <details><summary>Hint 2</summary>prompt.startswith("Ticket:") is one of four.</details>

# %%
# What your router will be asked: each task's test prompts, and the base's own questions.
tests = {task: [item["prompt"] for item in bench.domain.test] for task, bench in row.labs.items()}
tests["none"] = [probe.query or probe.choices[0] for probe in lab.suite.probes]


def right(router, task):
    """Share of a task's prompts that go where they should."""
    wanted = None if task == "none" else task
    return sum(router(prompt) == wanted for prompt in tests[task]) / len(tests[task])


# %%
def route(prompt):
    # <solution>
    begins = {"Triage": "clinic", "Ticket": "helpdesk", "Clause": "contracts", "Booking": "ledger"}
    return begins.get(prompt.split(" ")[0].rstrip(":"))
    # </solution>
    # <stub>
    # return ...  # your code: a name, or None
    # </stub>


own = [(f"{task}: its own prompts", lambda f, t=task: (right(f, t), 1.0)) for task in TASKS]
none = "the base's questions go to no adapter (does your router always choose one?)"
route = ftlab.exercise(
    route, reference=answers.route, checks=[*own, (none, lambda f: (right(f, "none"), 1.0))]
)
for task in tests:
    print(f"{task}: {right(route, task):.0%} of {len(tests[task])} go the right way")

# %% [markdown]
# That was too easy: our prompts say what they are. If each of your tasks has its own form or its own
# system prompt, yours do too. Then one adapter per task loses no task, and you know which one to
# switch on. If users just write, the router is a model of its own, and a prompt that it sends to the
# wrong adapter gets a wrong answer.
#
# ## All of it on buttons
#
# *Goal: switch remedies on and off, and see which cells of the matrix stay filled.*

# %%
from ftlab.show import sequence_panel

sequence_panel(found).show()

# %% [markdown]
# ## What is said, and what we measured
#
# None of this is in the article. Rows name who says it; *(ours)* are statements of this workbook. *Not
# decided* means that the recorded seeds leave it open. *In part* means: decided in some tests, and open
# in others.

# %%
ftlab.verdict_table(
    ftlab.says("(ours) With no remedy, most of what was learned first is lost", decided=lost),
    ftlab.says(
        "(often said) Merge, and start a new LoRA: more of the earlier tasks is left",
        decided=merged,
    ),
    ftlab.says(
        "(ours) 5 % replay, half of it from earlier tasks, leaves more of them", decided=replayed
    ),
    ftlab.says("(Kirkpatrick) EWC leaves more of earlier tasks", decided=held),
    ftlab.says("(ours) Replay and EWC leave more together than alone", decided=together),
)

# %% [markdown]
# ## What to do
#
# - **You have the data of all tasks today?** Train them together, mixed.
# - **You can tell the tasks apart?** One adapter per task on one base, and a switch. No task is
#   forgotten, and a new one costs one small file. While an adapter is on, some of the base's skills
#   are lost, so answer the rest without one.
# - **They come one by one, and one model must do all?** Keep some items of every task, from the first
#   day on. Replay a little of them, with as much general text; that keeps the tasks. Hold the base with
#   EWC, so that less is lost in the first place.
# - **The same LoRA, or merge and a new one?** That comes second. Without old items either loses the
#   earlier tasks. With replay, merge: over three orders it left more of them on nano-gpt2.
# - **Report the matrix**, or at least average accuracy and BWT with its sign, and retained beside it.
#
# **Next:** [notebook 11](11_your_model_your_data.ipynb): your model, your data.
