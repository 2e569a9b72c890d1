# %% [markdown]
# # Warmup and cosine decay
#
# **In this notebook** the learning rate stops being one number. It rises at the start (*warmup*)
# and falls to almost nothing at the end (*cosine decay*). Most recipes for fine-tuning do this,
# and many say that it protects what the model knew. You will
#
# - write the schedule yourself, in ten lines, and check it against the library's,
# - look at what the very first steps do to the weights,
# - compare with a constant rate *fairly*: at the same peak, and at the same area under the curve.
#
# You need notebook 01, or this much of it: at a learning rate of 0.001 a hundred steps of plain
# fine-tuning teach the small model its new task and cost it most of what it knew.

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
# A schedule is a factor between 0 and 1 for every step; the learning rate is the peak times this
# factor. Warmup is a straight line from 0 to 1. Then follows half a wave of a cosine, from 1 down
# to 0: flat at first, steep in the middle, flat at the end.

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

from ftlab.train.schedules import lr_factors

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
print("three times the same hundred numbers, for instance at steps 1, 6, 11, 56 and 100:")
print(", ".join(f"{by_hand[i - 1]:.3f}" for i in (1, 6, 11, 56, 100)))

# %%
from ftlab.show import lines, show

curves = {"constant": [1.0] * 100, "schedule": by_hand}
show(
    lines(
        {name: list(enumerate(factors, 1)) for name, factors in curves.items()},
        name="What the learning rate does",
        reading="share of the peak; the area under a line is how much rate is spent in all",
        xlabel="training step",
    )
)

# %% [markdown]
# ## Guess, then train
#
# Same peak as the naive run of notebook 01 (0.001), same notes, same order, 100 steps. The cell
# says what naive runs kept, with that rate all the way: three of them, recorded, which differ in
# their *seed*, the order of the notes. What will warmup and cosine decay keep?

# %%
from ftlab.analysis import compare
from ftlab.show import scoreboard, settings_table

nano = compare.settings(compare.shipped("nano"))
constant = compare.pick(nano, "learning rate", 1e-3)[0]
print(f"constant rate: {constant.told('target_score')} right, {constant.told('retention')} kept")
guess = ftlab.predict("Kept, with warmup and cosine decay at the same peak?", None, unit="%")

# %%
lab = ftlab.open_lab("clinic", model="nano-gpt2")
plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3, schedule="cosine", warmup=10)
run = lab.run(plan, name="warmup and cosine, peak 0.001")

with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %%
last = run.steps[-1].measured
print(guess.compare(100 * last["retention"]))
print(
    f"Warmup and cosine: {last['target_score']:.0%} of the notes right, "
    f"{last['retention']:.0%} of the skills kept."
)
halfway = next(step.measured for step in run.steps if step.step == 50)
print(f"Halfway, at step 50, {halfway['target_score']:.0%} and {halfway['retention']:.0%}.")

# %% [markdown]
# Look at the right half of the plot: the damage is done while the rate is high. When it has fallen
# the lines flatten, and part of what was lost may even come back. Did the *shape* help, or did the
# model simply travel less far?

# %% [markdown]
# ## Equal peak: more kept, less learned
#
# Three seeds each, recorded (`ftlab grid naive` and `ftlab grid decoder` make them again): with a
# constant rate and with the schedule, at a gentle peak and at a high one.

# %%
cosine = compare.pick(nano, "schedule", 1e-3)[0]
gentle = compare.pick(nano, "learning rate", 3e-4)[0]
gentle_cosine = compare.pick(nano, "schedule", 3e-4)[0]
show(settings_table([gentle, gentle_cosine, constant, cosine], model="nano-gpt2"))

# %%
equal_peak = ftlab.claim(
    "At the same peak, warmup + cosine keeps more than a constant rate (3 seeds)",
    compare.more(cosine, constant),
    f"at 0.001 kept {cosine.told('retention')} against {constant.told('retention')}",
)
learns_less = ftlab.claim(
    "but it learns less as well (3 seeds)",
    cosine.mean("target_score") < constant.mean("target_score")
    and gentle_cosine.mean("target_score") < gentle.mean("target_score"),
    f"right {cosine.mean('target_score'):.0%} against {constant.mean('target_score'):.0%} at "
    f"0.001, {gentle_cosine.mean('target_score'):.0%} against {gentle.mean('target_score'):.0%} "
    "at 0.0003",
)

# %% [markdown]
# ## Equal area: the fair comparison
#
# Warmup and decay take rate away: the area under the curve, the sum of all learning rates, is
# only half as large. Whoever has half the rate to spend forgets less, whatever the shape. So give
# the constant rate the same area. How high must it be?

# %%
area = sum(by_hand) / len(by_hand)
print(f"mean factor of warmup + cosine: {area:.3f}")
print(f"a constant rate with the same area as the peak 0.001: {1e-3 * area:.6f}")

# %%
half_plan = ftlab.Plan(steps=100, batch_size=16, lr=1e-3 * area)
half = lab.run(half_plan, name="constant, half the rate: the same area")
with ftlab.Live(total=half_plan.steps, title=half.name) as live:
    for step in half:
        live.update(step)
        if live.stopped:
            break

# %%
flat = compare.pick(nano, "equal area", 5e-4)[0]
gentle_flat = compare.pick(nano, "equal area", 1.5e-4)[0]
show(settings_table([gentle_cosine, gentle_flat, cosine, flat], model="nano-gpt2, equal area"))

# %%
show(scoreboard([constant, cosine, flat, gentle, gentle_cosine, gentle_flat]))

# %%
equal_area = ftlab.claim(
    "At equal area and a high peak the plain constant rate keeps more, in each of three seeds",
    all(a > b for a, b in zip(flat.values("retention"), cosine.values("retention"), strict=True)),
    f"constant minus cosine: kept {compare.difference(flat, cosine)}, "
    f"right {compare.difference(flat, cosine, 'target_score')}",
)
equal_area_gentle = ftlab.claim(
    "At equal area and a gentle peak the shape makes little difference to what is kept (3 seeds)",
    abs(gentle_flat.mean("retention") - gentle_cosine.mean("retention")) < 0.05,
    f"constant minus cosine: kept {compare.difference(gentle_flat, gentle_cosine)}",
)

# %% [markdown]
# So the schedule is no protection in itself. What counts is how high the rate climbs: with the same
# area but twice the peak, the schedule forgets more than the flat line where the peak is high, and
# about as much where it is gentle. If you want to keep more, lower the *peak*.
#
# These are runs of a hundred steps. Decay is mostly praised for long ones, where it lets a model
# settle at the end; that is not tested here.

# %% [markdown]
# ## Open the box: the first steps
#
# Why warm up at all? AdamW divides every gradient by its recent size. In the first step there is
# no history, so *every* weight moves by just about the full learning rate, however small its
# gradient is. That makes it a large step, and it is taken blindly, after sixteen notes. Here is how
# far the weights of the small model move in each of the first steps: the length of the change
# between two steps, in percent of the length of all weights.


# %%
def first_steps(warmup, count=20):
    """Length of each of the first steps, in percent of the length of the weights."""
    # a run of 100 steps, of which we watch the first
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
    "Without warmup the first step is the largest of twenty, with warmup all are smaller than it",
    cold[0][1] == max(size for _, size in cold) > max(size for _, size in warm),
    f"step 1 moves {cold[0][1]:.2f} %, step 20 {cold[-1][1]:.2f} %; with warmup step 1 moves "
    f"{warm[0][1]:.2f} % and the largest, step {max(warm, key=lambda s: s[1])[0]}, "
    f"{max(size for _, size in warm):.2f} %",
)

# %% [markdown]
# Does avoiding the blind steps pay? The warmup alone, of 0, 10 or 50 steps, then a constant rate
# of 0.001. Mind that a warmup takes away area, too: the first column says how much is left.

# %%
warmups = compare.settings(r for s in (constant, *compare.pick(nano, "warmup")) for r in s.runs)
warmups.sort(key=lambda s: s.runs[0].plan["warmup"])
for setting in warmups:
    length = setting.runs[0].plan["warmup"]
    left = sum(lr_factors("constant", steps=100, warmup=length)) / 100
    print(
        f"warmup {length:2}: area {left:4.0%}   kept {setting.told('retention'):18} "
        f"right {setting.told('target_score')}"
    )
short = next(s for s in warmups if s.runs[0].plan["warmup"] == 10)
warmup_helps = ftlab.claim(
    "A warmup of a tenth of the run keeps more than none (3 seeds)",
    compare.more(short, constant),
    f"kept {compare.difference(short, constant)}, "
    f"right {compare.difference(short, constant, 'target_score')}",
)

# %% [markdown]
# ## Design a schedule
#
# Choose a peak, a warmup and a shape: left the learning rate and its area, right what was recorded for
# that curve, or for the two nearest to it where it was never run. Try: which curve gets four notes in
# five right and keeps most? Does its shape matter more, or its peak?

# %%
from ftlab.show.panels.schedule import schedule_panel

schedule_panel(nano).show()

# %% [markdown]
# ## The same on a real language model
#
# SmolLM2-135M on the same notes, 60 steps of 8, three seeds each, recorded
# (`ftlab grid decoder --profile laptop`): a gentle peak and a high one, and for the high one the
# constant rate of equal area.

# %%
laptop = compare.settings(compare.shipped("laptop"))
real_gentle = compare.pick(laptop, "learning rate", 1e-4)[0]
real_gentle_cosine = compare.pick(laptop, "schedule", 1e-4)[0]
real_constant = compare.pick(laptop, "learning rate", 1e-3)[0]
real_cosine = compare.pick(laptop, "schedule", 1e-3)[0]
real_flat = compare.pick(laptop, "equal area", 5e-4)[0]
real = [real_gentle, real_gentle_cosine, real_constant, real_cosine, real_flat]
show(settings_table(real, model="SmolLM2-135M"))

# %%
show(scoreboard(real))

# %% [markdown]
# Two pairs and a fifth point. The two gentle settings lie close together, and so do the two with
# the high peak, far below. What parts them is the height of the peak, not the shape of the curve;
# and at equal area the constant rate again keeps more.

# %%
real_peak = ftlab.claim(
    "SmolLM2: at the same peak, three seeds do not show that warmup + cosine keeps more",
    not compare.more(real_cosine, real_constant)
    and not compare.more(real_gentle_cosine, real_gentle),
    f"SmolLM2, cosine minus constant: kept {compare.difference(real_cosine, real_constant)}; at "
    f"the gentle peak {compare.difference(real_gentle_cosine, real_gentle)}",
)
real_height = ftlab.claim(
    "SmolLM2: a constant rate of a tenth of the peak keeps more than the schedule does (3 seeds)",
    compare.more(real_gentle, real_cosine),
    f"SmolLM2, constant at 0.0001 minus cosine with peak 0.001: "
    f"kept {compare.difference(real_gentle, real_cosine)}, "
    f"right {compare.difference(real_gentle, real_cosine, 'target_score')}",
)
real_area = ftlab.claim(
    "SmolLM2: at equal area warmup + cosine keeps less than a constant rate (3 seeds)",
    compare.more(real_flat, real_cosine),
    f"SmolLM2, constant minus cosine: kept {compare.difference(real_flat, real_cosine)}, "
    f"right {compare.difference(real_flat, real_cosine, 'target_score')}",
)

# %% [markdown]
# ## Exercise 1: do not go down to zero
#
# *Goal: change the schedule. 10 minutes, easy.*
#
# Many recipes end at a tenth of the peak instead of zero. Write `warmup_cosine_floor`: the same
# warmup, then a cosine from 1 down to `floor`.

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
    hints=[
        "What part of the factor may shrink? Only the part above the floor.",
        "floor + (1 - floor) * cosine is 1 at the start and floor at the end.",
    ],
)
print(f"the last factor with a floor of 0.1: {warmup_cosine_floor(100, 100, 10, 0.1):.3f}")

# %% [markdown]
# ## Exercise 2: a rate with the same area
#
# *Goal: make a comparison fair. 5 minutes, easy.*
#
# A colleague shows you a run with a *linear* decay (no warmup) from 0.002 to 0 that kept more than
# your run at a constant 0.002. Which constant rate would you have to compare it with?

# %%
# <solution>
fair_rate = 0.002 * sum(lr_factors("linear", steps=100)) / 100
# </solution>
# <stub>
# fair_rate = None  # your number
# </stub>


fair_rate = ftlab.exercise(
    fair_rate,
    reference=answers.fair_rate(),
    tolerance=2e-5,
    hints=[
        "The area under a straight line from 1 to 0 is a triangle.",
        "A constant rate is a rectangle of the same width. How high, for the same area?",
    ],
)

# %% [markdown]
# ## The article says, we measured

# %%
ftlab.verdict_table(
    ftlab.says(
        "Warmup and cosine decay reduce forgetting, compared at the same peak",
        supported_by=[equal_peak],
        contradicted_by=[real_peak],
    ),
    ftlab.says(
        "It is the shape of the schedule that protects",
        contradicted_by=[equal_area, equal_area_gentle, real_area, real_height],
    ),
    ftlab.says("Warmup avoids large blind steps at the start", supported_by=[blind]),
    ftlab.says("A short warmup keeps more than none", supported_by=[warmup_helps]),
)

# %% [markdown]
# ## What you take along
#
# - Compared at the same peak a schedule looks like a remedy. Compared at the same area it is not
#   one: it is a lower rate in disguise.
# - Warm up all the same: it takes the blind first steps away, and a short warmup takes away hardly
#   any area.
# - When somebody shows you a remedy, ask what else changed.
#
# **Next:** notebook 03 asks whether it matters *which* layers move.
