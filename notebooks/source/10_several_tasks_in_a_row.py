# %% [markdown]
# # Several tasks in a row
#
# <!-- seen: four tasks one after another as a matrix that fills, and what keeps the first ones -->
#
# **The question:** a model learns one task, then the next, then the next. What is left of the first
# one, and of what the base knew? And what people ask most: the same LoRA for the next task, or merge
# it and start a new one?
#
# So far you trained one task. Models in use are trained again and again. You will
#
# - train four tasks in a row, and watch a matrix fill,
# - say what it shows in one number, with the right sign,
# - compare one LoRA trained on, merged and started anew, and a LoRA a task,
# - choose what to replay, and see what that keeps,
# - permute the order of the tasks,
# - find out what a router would have to know.
#
# You need notebook 01 and the idea of a LoRA (notebook 04). *Retained* is, as before, the share of
# the base model's skills that is still there.

# %% [markdown] tags=["learner"]
# ← [09 Beyond the article](09_beyond_the_article.ipynb) | [this notebook, solved](solutions/10_several_tasks_in_a_row.ipynb)

# %% [markdown] tags=["solution"]
# ← [09 Beyond the article](09_beyond_the_article.ipynb) | solved; [the one to work in](../10_several_tasks_in_a_row.ipynb)

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
# A note for the clinic, a ticket for the help desk, a clause of a contract, a booking for the ledger.
# `lab.sequence` trains them one after another. Here all weights move, and the same weights go on:

# %%
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

# %% [markdown]
# Read a column from its frame downward: how well one task is done, right after it was trained and
# after each one that followed. Read a row: all that the model can do at one moment. (A sample of the
# questions is asked; the records below ask all.)

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
# A task falls within the first steps of the next one. What does the model say to a clinic note now?

# %%
from ftlab.evaluate import generate

note = dict(lab.domain.test[0])
print(repr(note["prompt"]))
print("expected: ", note["answer"])
for task, model in zip(["base", *TASKS], [lab.bundle.model, *row.models], strict=True):
    print(f"{task:10}", generate(model, lab.tokenizer, [note["prompt"]], 16)[0].split("\n")[0])

# %% [markdown]
# It answers a clinic note in the form of the task that came last. Is the clinic task gone from the
# weights, or only covered? Train clinic again for ten steps, once from the end of the sequence and
# once from the base:

# %%
short = ftlab.Plan(steps=10, batch_size=16, lr=3e-4, measure_every=0, seed=5)
starts = {"the end of the sequence": row.models[-1], "the base": None}
again = {
    name: lab.run(short, method="full", start=start, fast=True).finish().last
    for name, start in starts.items()
}
for name, last in again.items():
    print(
        f"ten steps of clinic from {name}: {last['target_score']:.0%} right, "
        f"loss {last['target_loss']:.2f}"
    )

# %% [markdown]
# Compare the two. If the task were untouched under a cover, ten steps would bring back all of it. If
# nothing were left, both starts would be alike. (One run each: a hint, no more.)
#
# ## The matrix in one number
#
# Let $a_{ij}$ be the accuracy on task $j$ after task $i$ was trained, $T$ tasks in all. Three numbers
# are in use, and their signs are not agreed on:
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
bwt = ftlab.exercise(
    bwt,
    reference=analysis.backward_transfer,
    checks=[
        ("a loss is negative (last minus first, not first minus last)", lambda f: f(lost) < 0),
        (
            "the last task does not count, nor in the number of tasks",
            lambda f: (f([[0.6, 0.0], [0.2, 0.9]]), -0.4),
        ),
        (
            "it counts from right after the task, not from the best or the first row",
            lambda f: (f([[0.5, 0.9, 0.0], [0.5, 0.6, 0.0], [0.5, 0.6, 0.8]]), 0.0),
        ),
        (
            "a later task may help an earlier one: then it is positive",
            lambda f: f([[0.5, 0.0], [0.7, 0.9]]) > 0,
        ),
    ],
    cases=[(lost,), (row.matrix,)],
)
print(f"BWT of the run above: {bwt(row.matrix):+.0%} (+ is good)")
print(f"forgetting: {analysis.forgetting(row.matrix):+.0%} (+ is bad)")

# %%
gone = ftlab.claim(
    "Without any old notes the first task is lost when three more have been trained",
    row.matrix[-1][0] < 0.5 * row.matrix[0][0],
    f"clinic {row.matrix[0][0]:.0%} right after it was trained, {row.matrix[-1][0]:.0%} at the end; "
    f"forgetting {analysis.forgetting(row.matrix):+.0%}",
)

# %% [markdown]
# ## The same LoRA, or a new one?
#
# Three ways to go on after the first task, as `lab.sequence(..., method="lora_all", link=...)`:
#
# - `"continue"`: the same adapter is trained on. Its few parameters must serve all tasks.
# - `"merge"`: it is added into the weights, and a new adapter starts at zero. Each task has fresh
#   parameters, and what was learned lies in weights that no longer move, though the new adapter
#   stands on the same layers.
# - `"switch"`: each task gets its own adapter on the untouched base. Something has to choose the
#   right one.

# %%
guess_same = ftlab.predict(
    "The same LoRA trained on: right on average over all four tasks, at the end?", None, unit="%"
)

# %%
from ftlab.show import Table, rate_text, recorded_matrix

runs = analysis.shipped("sequence")
MODELS = {"nano-gpt2": "nano-gpt2", "SmolLM2-135M": "smollm2-135m"}
found = {
    name: analysis.settings([run for run in runs if run.model == model])
    for name, model in MODELS.items()
}
found = {name: settings for name, settings in found.items() if settings}
KEYS = {
    "just_learned": "just learned",
    "average_accuracy": "average at the end",
    "forgetting": "forgetting (+ is bad)",
    "retained": "retained",
}
HEAD = ("what", "rate", "seeds", *KEYS.values())


def table(model, names):
    """Recorded sequences as rows; what was not recorded is left out."""
    here = {s.sweep for s in found[model]}
    return [
        (words, rate_text(s.lr), str(len(s.runs)), *(s.text(key) for key in KEYS))
        for words, name in names.items()
        if name in here
        for s in analysis.pick(found[model], name)
    ]


LINKS = {
    "the same LoRA trained on": "LoRA continued",
    "merged, and a new one": "LoRA merged",
    "a LoRA a task, each item with its own": "LoRA switched",
}
for model in found:
    show(Table(HEAD, table(model, LINKS), f"{model}; mean (lowest to highest seed)"))

# %% [markdown]
# *Just learned* is the mean along the frames, right after each task; *average at the end* that of
# the last row.

# %%
for sweep in ("LoRA continued", "LoRA merged"):
    model = next(iter(found))
    show(recorded_matrix(analysis.pick(found[model], sweep)[0].runs, title=f"{model}: {sweep}"))


# %%
def pairs(model, one, other, key):
    """A final value of two sweeps, over the rates and seeds that both have: two lists."""
    sides = [
        {
            (s.lr, run.seed): run.final[key]
            for s in found[model]
            if s.sweep == name
            for run in s.runs
        }
        for name in (one, other)
    ]
    shared = sorted(sides[0].keys() & sides[1].keys())
    return [[side[place] for place in shared] for side in sides]


def gap(model, one, other, key):
    first, second = pairs(model, one, other, key)
    if len(first) < 2:
        return "one run each" if first else "not run"
    return analysis.points_text(analysis.paired(first, second))


def judge(sentence, one, other, key="average_accuracy"):
    """What the records of each model decide: is `one` larger than `other`?"""
    decided = {}
    for model in found:
        first, second = pairs(model, one, other, key)
        if first:
            evidence = f"{model}: {one} minus {other} {gap(model, one, other, key)}"
            decided[evidence] = analysis.verdict(first, second)
            print(f"{sentence}: {decided[evidence]} ({evidence})")
    return decided


same = analysis.pick(found[next(iter(found))], "LoRA continued")[0]
print(guess_same.compare(100 * same.mean("average_accuracy")))
merged = judge("more is right at the end if merged", "LoRA merged", "LoRA continued")
judge("more of the base is retained if merged", "LoRA merged", "LoRA continued", "retained")
judge(
    "more is learned of each task if merged", "LoRA merged", "LoRA continued", "just_learned"
)  # fmt: skip

# %% [markdown]
# ## What keeps the earlier tasks
#
# Three remedies of notebook 09, in a sequence:
#
# - **replay**: of every hundred texts that are read five are old, general text and notes of *all*
#   earlier tasks in equal parts;
# - **EWC**: before each task the Fisher information is computed anew, from texts that the model
#   writes itself and from its own answers to earlier prompts;
# - **walking back**: after each task only 0.7 of the way is kept, and the next task starts there.

# %%
HELP = {
    "full": "full",
    "full, 5 % replay": "full + replay",
    "full, EWC 100": "full + EWC 100",
    "full, EWC 1000": "full + EWC 1000",
    "full, 0.7 of the way after each": "full + walk",
    "LoRA trained on": "LoRA continued",
    "LoRA trained on, 5 % replay": "LoRA continued + replay",
    "LoRA merged": "LoRA merged",
    "LoRA merged, 5 % replay": "LoRA merged + replay",
}
for model in found:
    show(Table(HEAD, table(model, HELP), f"{model}; mean (lowest to highest seed)"))

# %%
replayed = judge("replay keeps more", "LoRA merged + replay", "LoRA merged")
judge("the same with one LoRA", "LoRA continued + replay", "LoRA continued")
with_replay = judge(
    "with replay, merging keeps more", "LoRA merged + replay", "LoRA continued + replay"
)
held = judge("EWC keeps more", "full + EWC 100", "full")
judge("walking back keeps more", "full + walk", "full")

# %% [markdown]
# ## Exercise 2: choose what to replay
#
# *Goal: a small store of old items that keeps both, the earlier tasks and the base's skills. 15
# minutes, medium.*
#
# Write `to_replay(earlier, general, count)`. `earlier` gives a list of items for each earlier task,
# `general` is a list of general texts in the same form. Return a list of `count` items: half of them
# general, the other half from all earlier tasks in equal parts. (If it does not divide, general text
# fills up.)
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
            "half is general text (without it the base's skills are not practised)",
            lambda f: (len(set(f(one, old, 8)) & set(old)), 4),
        ),
        (
            "each earlier task has its share (the first alone? the last alone?)",
            lambda f: ([len(set(f(two, old, 8)) & set(items)) for items in two.values()], [2, 2]),
        ),
        ("no item twice", lambda f: len(set(f(two, old, 8))) == 8),
        (
            "what does not divide is general text",
            lambda f: (len(set(f(two, old, 7)) & set(old)), 5),
        ),
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


def with_store(model):
    """Full fine-tuning that reads the store in turn with the new items."""
    return replace(full(model), rows=store)


kept = row.labs["helpdesk"].run(plan, method=with_store, start=row.models[0], fast=True).finish()
both = {"without": (row.matrix[1], row.retained[1])}
both["with your store"] = list(kept.last["tasks"].values()), kept.last["retention"]
for how, (scores, retained) in both.items():
    print(f"{how}: clinic {scores[0]:.0%}, helpdesk {scores[1]:.0%}, retained {retained:.0%}")

# %% [markdown]
# ## Does the order matter?
#
# The same four tasks from the last to the first, and mixed up:

# %%
ORDERS = {"as above": "", "reversed": " (reversed)", "mixed": " (mixed)"}
HOW = ("LoRA continued", "LoRA merged", "LoRA continued + replay", "LoRA merged + replay")
for model in found:
    names = {f"{how}, {words}": how + end for how in HOW for words, end in ORDERS.items()}
    show(Table(HEAD, table(model, names), f"{model}; mean (lowest to highest seed)"))

# %%
order = judge("the order of the tasks decides how much is left (reversed against as above)",
              "LoRA merged + replay (reversed)", "LoRA merged + replay")  # fmt: skip
judge("and how much is retained", "LoRA merged + replay (reversed)", "LoRA merged + replay", "retained")  # fmt: skip

# %% [markdown]
# ## A LoRA a task, and a switch
#
# With an adapter a task nothing is forgotten: the base is untouched, and each adapter is as it was.
# The price is the choice. Each adapter on each task:

# %%
for model in found:
    if any(s.sweep == "LoRA switched" for s in found[model]):
        switched = analysis.pick(found[model], "LoRA switched")[0]
        show(recorded_matrix(switched.runs, cross=True, title=model))

# %% [markdown]
# Off the frame the wrong adapter answers. And even the right one costs skills while it is on
# (*retained*), so for everything else no adapter should be on. So a router has to know two things of
# every prompt: which task it is, and whether it is one at all.
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
def route(prompt):
    # <solution>
    begins = {"Triage": "clinic", "Ticket": "helpdesk", "Clause": "contracts", "Booking": "ledger"}
    return begins.get(prompt.split(" ")[0].rstrip(":"))
    # </solution>
    # <stub>
    # return ...  # your code: a name, or None
    # </stub>


tests = {task: [item["prompt"] for item in bench.domain.test] for task, bench in row.labs.items()}
tests["none"] = [probe.query or probe.choices[0] for probe in lab.suite.probes]


def right(router, task):
    """Share of a task's prompts that go where they should."""
    wanted = None if task == "none" else task
    return sum(router(prompt) == wanted for prompt in tests[task]) / len(tests[task])


route = ftlab.exercise(
    route,
    reference=answers.route,
    checks=[
        *(
            (f"{task}: its own prompts", lambda f, task=task: (right(f, task), 1.0))
            for task in TASKS
        ),
        (
            "the base's questions go to no adapter (a router that always chooses one?)",
            lambda f: (right(f, "none"), 1.0),
        ),
    ],
)
for task in tests:
    print(f"{task}: {right(route, task):.0%} of {len(tests[task])} go the right way")

# %% [markdown]
# That was too easy: our prompts say what they are. If yours come through one form, or one system
# prompt, yours do too, and then an adapter a task is the safest of all. If users just write, the
# router is a model of its own, and its errors cost what stands off the frames.
#
# ## All of it on buttons

# %%
from ftlab.show import sequence_panel

sequence_panel(found).show()

# %% [markdown]
# ## What is said, and what we measured
#
# None of this stands in the article. Rows name who says it; *(ours)* are statements of this
# workbook. *Not decided* means that the recorded seeds leave it open.

# %%
ftlab.verdict_table(
    ftlab.says("(ours) Without old notes, what was learned first is lost", supported_by=[gone]),
    ftlab.says(
        "(often said) Merge, and start a new LoRA: it keeps more", decided=merged | with_replay
    ),
    ftlab.says("(ours) A little replay of all earlier tasks keeps them", decided=replayed),
    ftlab.says("(Kirkpatrick) EWC keeps earlier tasks", decided=held),
    ftlab.says("(ours) Reversed, more is left", decided=order),
)

# %% [markdown]
# ## What to do
#
# - **You can tell the tasks apart?** Give each its own adapter on one base, and switch. Nothing is
#   forgotten, and a new task costs one small file.
# - **One model must do all?** Keep some items of every task, from the first day on. Mix them in with
#   general text. Without them, no way of linking tasks keeps the first one.
# - **Train them together** if you have all data at once: a sequence is what you do when you do not.
# - **Report the matrix**, or at least average accuracy and BWT with its sign, and retained beside it.
#
# **Next:** notebook 11, still to come: your model, your data.
