# %% [markdown]
# # Warmup and cosine decay
#
# <!-- seen: a remedy that is a lower rate in disguise -->
#
# **In this notebook** the learning rate changes during the run. It rises at the start (*warmup*)
# and falls to almost nothing at the end (*cosine decay*). Most recipes for fine-tuning do this, and
# many say that it protects what the model knew. You will
#
# - write the schedule yourself, in ten lines, and check it against the library's,
# - look at what the very first steps do to the weights,
# - compare with a constant rate *fairly*: at the same peak, and at the same area under the curve.
#
# You need notebook 01, or this result: at a learning rate of 1e-3, a hundred steps of plain
# fine-tuning teach the small model its new task and cost it most of what it knew.

# %% [markdown] tags=["learner"]
# ← [01 Naive full fine-tuning forgets](01_naive_full_fine_tuning.ipynb) | [03 Layers: what to freeze](03_what_to_freeze.ipynb) → | [this notebook, solved](solutions/02_warmup_and_cosine_decay.ipynb)

# %% [markdown] tags=["solution"]
# ← [01 Naive full fine-tuning forgets](01_naive_full_fine_tuning.ipynb) | [03 Layers: what to freeze](03_what_to_freeze.ipynb) → | solved; [the one to work in](../02_warmup_and_cosine_decay.ipynb)

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## The schedule, by hand
#
# A schedule gives a factor between 0 and 1 for every step; the learning rate is the peak times this
# factor. Warmup is a straight line from 0 to 1. Then follows half a cosine wave, from 1 down to 0:
# flat at first, steep in the middle, flat at the end.

# %%
import math


def warmup_cosine(step, steps, warmup):
    """The factor at `step`, which counts from 1 to `steps`."""
    done = step - 1  # steps that were taken before this one
    if done < warmup:
        return done / warmup
    progress = (done - warmup) / (steps - warmup)  # 0 after the warmup, almost 1 at the end
    return (1 + math.cos(math.pi * progress)) / 2


by_hand = [warmup_cosine(step, 100, 10) for step in range(1, 101)]

# %% [markdown]
# The same from `transformers`, which thousands of training scripts use, and from `ftlab`:

# %%
import torch
from transformers import get_cosine_schedule_with_warmup

from ftlab.train import lr_factors

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
scheduler = get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=10, num_training_steps=100)
by_library = []
for _ in range(100):
    by_library.append(scheduler.get_last_lr()[0])
    optimizer.step()
    scheduler.step()

by_package = lr_factors("cosine", steps=100, warmup=10)
assert torch.allclose(torch.tensor(by_hand), torch.tensor(by_library), atol=1e-6)
assert torch.allclose(torch.tensor(by_hand), torch.tensor(by_package), atol=1e-6)
print("all three give the same hundred factors; at steps 1, 6, 11, 56 and 100:")
print(", ".join(f"{by_hand[i - 1]:.3f}" for i in (1, 6, 11, 56, 100)))

# %%
from ftlab.show import lines, show

curves = {"constant": [1.0] * 100, "schedule": by_hand}
show(
    lines(
        {name: list(enumerate(factors, 1)) for name, factors in curves.items()},
        name="What the learning rate does",
        reading="share of the peak; the area under a line is the sum of all its rates",
        xlabel="training step",
    )
)

# %% [markdown]
# ## Guess, then train
#
# Same peak as the naive run of notebook 01 (1e-3), same notes, same order, 100 steps. The cell
# prints what three recorded naive runs retained with that rate all the way; they differ in their
# *seed*, the order of the notes. How much will be retained with warmup and cosine decay?

# %%
from ftlab import analysis
from ftlab.show import scoreboard, settings_table

nano = analysis.settings(analysis.shipped("nano"))
constant = analysis.pick(nano, "learning rate", 1e-3)[0]
print(f"constant: learned {constant.text('target_score')}, retained {constant.text('retention')}")
guess = ftlab.predict("Retained, with warmup and cosine decay at the same peak?", None, unit="%")

# %%
lab = ftlab.open_lab("clinic", model="nano-gpt2")
plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3, schedule="cosine", warmup=10)
run = lab.run(plan, name="warmup and cosine, peak 1e-3")

with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %%
last = run.last
print(guess.compare(100 * last["retention"]))
print(f"Learned {last['target_score']:.0%}, retained {last['retention']:.0%}.")
for step in run.steps:
    if step.step == 50 and step.measured:
        halfway = step.measured
        print(f"Halfway: {halfway['target_score']:.0%} and {halfway['retention']:.0%}.")

# %% [markdown]
# Look at the right half of the plot: the damage is done while the rate is high. Once it has fallen
# the lines flatten, and part of what was lost may even come back. Did the *shape* of the schedule
# help, or did the model simply move less far?

# %% [markdown]
# ## Equal peak: more is retained
#
# Three seeds each, recorded (`ftlab grid decoder` makes them again): with a constant rate and with
# the schedule, at a gentle peak and at a high one.

# %%
cosine = analysis.pick(nano, "schedule", 1e-3)[0]
gentle = analysis.pick(nano, "learning rate", 3e-4)[0]
gentle_cosine = analysis.pick(nano, "schedule", 3e-4)[0]
show(settings_table([gentle, gentle_cosine, constant, cosine], model="nano-gpt2"))

# %%
equal_peak = ftlab.claim(
    "At the same peak, warmup + cosine retains more than a constant rate (3 seeds)",
    analysis.more(cosine, constant),
    f"at 1e-3 retained {cosine.text('retention')} against {constant.text('retention')}",
)
gentle_peak = ftlab.claim(
    "At a gentle peak three seeds do not show it",
    not analysis.more(gentle_cosine, gentle),
    f"at 3e-4 retained {analysis.difference(gentle_cosine, gentle)}",
)

# %% [markdown]
# ## Equal area: the fair comparison
#
# Warmup and decay also lower the rate: the area under the curve, the sum of all learning rates, is
# only half as large. With half as much rate to spend, any run forgets less, whatever the shape. So
# give the constant rate the same area. How high must it be?

# %%
from ftlab.show import rate_text

area = sum(by_hand) / len(by_hand)
print(f"mean factor of warmup + cosine: {area:.3f}")
print(f"a constant rate with the same area as the peak 1e-3: {rate_text(1e-3 * area)}")

# %%
half_plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3 * area)
half = lab.run(half_plan, name="constant, half the rate: the same area")
with ftlab.Live(total=half_plan.steps, title=half.name) as live:
    for step in half:
        live.update(step)
        if live.stopped:
            break

# %%
flat = analysis.pick(nano, "equal area", 5e-4)[0]
gentle_flat = analysis.pick(nano, "equal area", 1.5e-4)[0]
show(settings_table([gentle_cosine, gentle_flat, cosine, flat], model="nano-gpt2, equal area"))

# %%
show(scoreboard([constant, cosine, flat, gentle, gentle_cosine, gentle_flat]))

# %%
equal_area = ftlab.claim(
    "At equal area and a high peak the constant rate retains more, in each of three seeds",
    all(a > b for a, b in zip(flat.values("retention"), cosine.values("retention"), strict=True)),
    f"constant minus cosine: retained {analysis.difference(flat, cosine)}, "
    f"learned {analysis.difference(flat, cosine, 'target_score')}",
)
equal_area_gentle = ftlab.claim(
    "At a gentle peak, too, the constant rate forgets less on general text (3 seeds)",
    analysis.more(gentle_cosine, gentle_flat, "forgotten"),
    f"its loss there rose by {gentle_flat.mean('forgotten'):.2f} against "
    f"{gentle_cosine.mean('forgotten'):.2f} nats per token; "
    f"constant minus cosine: retained {analysis.difference(gentle_flat, gentle_cosine)}",
)

# %% [markdown]
# So the schedule is no protection in itself. What counts is how high the rate rises: with the same
# area but twice the peak, the schedule forgets more than the flat line. If you want to retain more,
# lower the *peak*.
#
# These are runs of a hundred steps. Decay is mostly praised for long runs, where it lets a model
# settle at the end; that is not tested here.

# %% [markdown]
# ## Open the box: the first steps
#
# Why use warmup at all? AdamW divides every gradient by its recent size. In the first step there is
# no history, so *every* weight moves by just about the full learning rate, however small its
# gradient is. That is a large step, and a blind one: the model has seen only sixteen notes. Here is
# how far the weights of the small model move in each of the first steps: the length of the change
# from one step to the next, in percent of the length of all weights.


# %%
def first_steps(warmup, count=20):
    """Length of each of the first steps, in percent of the length of the weights."""
    # a run of 100 steps, of which we take only the first
    plan = ftlab.Plan(steps=100, lr=1e-3, warmup=warmup, measure_every=0)
    run = lab.run(plan, store=False)
    before, sizes = None, []
    for step in run:
        now = torch.cat([p.detach().flatten() for p in run.model.parameters()])
        if before is not None:
            sizes.append((step.step, 100 * ((now - before).norm() / now.norm()).item()))
        before = now
        if step.step == count:
            break
    return sizes


steps_taken = {f"warmup of {n}" if n else "no warmup": first_steps(n) for n in (0, 10)}
show(
    lines(
        steps_taken,
        name="How far the weights move in one step",
        reading="change between two steps, in % of the weights' length",
        xlabel="training step",
        whole=True,
    )
)

# %%
cold, warm = steps_taken.values()
blind = ftlab.claim(
    "Without warmup the first step is the largest of twenty; with warmup all are smaller",
    cold[0][1] == max(size for _, size in cold) > max(size for _, size in warm),
    f"step 1 moves {cold[0][1]:.2f} %, step 20 {cold[-1][1]:.2f} %; with warmup step 1 moves "
    f"{warm[0][1]:.2f} % and the largest, step {max(warm, key=lambda s: s[1])[0]}, "
    f"{max(size for _, size in warm):.2f} %",
)

# %% [markdown]
# Does it pay to avoid the blind steps? Here is warmup alone, of 0, 10 or 50 steps, then a constant
# rate of 1e-3. Note that warmup takes away area, too: the first column shows how much is left.

# %%
warmups = [constant, *analysis.pick(nano, "warmup")]
warmups.sort(key=lambda s: s.runs[0].plan["warmup"])
for setting in warmups:
    length = setting.runs[0].plan["warmup"]
    left = sum(lr_factors("constant", steps=100, warmup=length)) / 100
    print(
        f"warmup {length:2}: area {left:4.0%}   retained {setting.text('retention'):18} "
        f"learned {setting.text('target_score')}"
    )
short = next(s for s in warmups if s.runs[0].plan["warmup"] == 10)
warmup_helps = ftlab.claim(
    "Three seeds do not show that a warmup of a tenth of the run retains more than none",
    not analysis.more(short, constant),
    f"retained {analysis.difference(short, constant)}, "
    f"learned {analysis.difference(short, constant, 'target_score')}",
)

# %% [markdown]
# ## Design a schedule
#
# Choose a peak, a warmup and a shape. The left side shows the learning rate and its area, the right
# side what was recorded for this curve, or for the two nearest ones if it was never run. Try: which
# curve learns 80 % and retains most? Does its shape matter more, or its peak?

# %%
from ftlab.show import schedule_panel

schedule_panel(nano).show()

# %% [markdown]
# ## The same on a real language model
#
# SmolLM2-135M on the same notes, 60 steps of 8, three seeds each, recorded (`ftlab grid decoder
# --profile laptop`): a gentle peak and a high one, and for the high one the constant rate of equal
# area.

# %%
laptop = analysis.settings(analysis.shipped("laptop"))
real_gentle = analysis.pick(laptop, "learning rate", 1e-4)[0]
real_gentle_cosine = analysis.pick(laptop, "schedule", 1e-4)[0]
real_constant = analysis.pick(laptop, "learning rate", 1e-3)[0]
real_cosine = analysis.pick(laptop, "schedule", 1e-3)[0]
real_flat = analysis.pick(laptop, "equal area", 5e-4)[0]
real = [real_gentle, real_gentle_cosine, real_constant, real_cosine, real_flat]
show(settings_table(real, model="SmolLM2-135M"))

# %%
show(scoreboard(real))

# %% [markdown]
# Two pairs and a fifth point. The two gentle settings lie close together, and so do the two with
# the high peak, far below. What separates the pairs is the height of the peak, not the shape of the
# curve; and at equal area the constant rate again retains more.

# %%
real_peak = ftlab.claim(
    "SmolLM2: at the same peak, three seeds do not show that warmup + cosine retains more",
    not analysis.more(real_cosine, real_constant)
    and not analysis.more(real_gentle_cosine, real_gentle),
    f"SmolLM2, cosine minus constant: retained {analysis.difference(real_cosine, real_constant)}; "
    f"at the gentle peak {analysis.difference(real_gentle_cosine, real_gentle)}",
)
real_height = ftlab.claim(
    "SmolLM2: a constant rate of a tenth of the peak retains more than the schedule (3 seeds)",
    analysis.more(real_gentle, real_cosine),
    f"SmolLM2, constant at 1e-4 minus cosine with peak 1e-3: "
    f"retained {analysis.difference(real_gentle, real_cosine)}, "
    f"learned {analysis.difference(real_gentle, real_cosine, 'target_score')}",
)
real_area = ftlab.claim(
    "SmolLM2: at equal area warmup + cosine retains less than a constant rate (3 seeds)",
    analysis.more(real_flat, real_cosine),
    f"SmolLM2, constant minus cosine: retained {analysis.difference(real_flat, real_cosine)}, "
    f"learned {analysis.difference(real_flat, real_cosine, 'target_score')}",
)

# %% [markdown]
# ## Exercise 1: do not go down to zero
#
# *Goal: change the schedule. 10 minutes, easy.*
#
# Many recipes end at a tenth of the peak instead of zero. Write `warmup_cosine_floor`: the same
# warmup, then a cosine from 1 down to `floor`.
#
# <details><summary>Hint 1</summary>What part of the factor may shrink? Only the part above the
# floor.</details>
#
# <details><summary>Hint 2</summary>floor + (1 - floor) * cosine is 1 at the start and floor at the
# end.</details>

# %%
from ftlab.teach import answers


def warmup_cosine_floor(step, steps, warmup, floor):
    # <solution>
    done = step - 1
    if done < warmup:
        return done / warmup
    progress = (done - warmup) / (steps - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


warmup_cosine_floor = ftlab.exercise(
    warmup_cosine_floor,
    reference=answers.warmup_cosine_floor,
    checks=[
        ("a floor of 0 is the schedule above", lambda f: (f(56, 100, 10, 0.0), by_hand[55])),
        ("the warmup is untouched", lambda f: (f(6, 100, 10, 0.1), 0.5)),
        ("a floor of 1 stays at the peak", lambda f: (f(77, 100, 10, 1.0), 1.0)),
    ],
    cases=[(30, 100, 10, 0.1), (100, 100, 10, 0.1), (11, 100, 10, 0.25)],
)
print(f"the last factor with a floor of 0.1: {warmup_cosine_floor(100, 100, 10, 0.1):.3f}")

# %% [markdown]
# ## Exercise 2: a rate with the same area
#
# *Goal: make a comparison fair. 5 minutes, easy.*
#
# A colleague shows you a run with a *linear* decay (no warmup) from 2e-3 to 0 that retained more
# than your run at a constant 2e-3. Which constant rate is the fair one to compare it with?
#
# <details><summary>Hint 1</summary>The area under a straight line from 1 to 0 is a
# triangle.</details>
#
# <details><summary>Hint 2</summary>A constant rate is a rectangle of the same width. How high, for
# the same area?</details>

# %%
# <solution>
fair_rate = 2e-3 * sum(lr_factors("linear", steps=100)) / 100
# </solution>
# <stub>
# fair_rate = None  # your number
# </stub>


fair_rate = ftlab.exercise(
    fair_rate,
    reference=answers.fair_rate(),
    tolerance=2e-5,
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
        "Warmup and cosine decay reduce forgetting, compared at the same peak",
        supported_by=[equal_peak],
        undecided_by=[gentle_peak, real_peak],
    ),
    ftlab.says(
        "(often said) It is the shape of the schedule that protects",
        contradicted_by=[equal_area, equal_area_gentle, real_area, real_height],
    ),
    ftlab.says("(often said) Warmup avoids large blind steps at the start", supported_by=[blind]),
    ftlab.says("(often said) A short warmup retains more than none", undecided_by=[warmup_helps]),
)

# %% [markdown]
# ## What you take along
#
# - Compared at the same peak, a schedule looks like a remedy. Compared at the same area, it is a
#   lower rate in disguise.
# - Use a warmup all the same: it removes the blind first steps and takes away hardly any area. That
#   a short one also retains more is not decided here.
# - When somebody shows you a remedy, ask what else changed with it. Here it was the area.
#
# **Next:** [03 Layers: what to freeze](03_what_to_freeze.ipynb) asks whether it matters *which*
# layers are trained.
