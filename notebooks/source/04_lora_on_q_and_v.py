# %% [markdown]
# # LoRA on Q and V
#
# <!-- for: everyone who uses LoRA -->
# <!-- seen: LoRA by hand, a snippet that does something else, where adapters belong -->
#
# **In this notebook** the weights of the model stay frozen. Small matrices are put beside the large
# ones, and only those are trained: *LoRA*, low-rank adaptation. You will
#
# - build a LoRA layer in a dozen lines and check it against the `peft` library,
# - run a snippet that passes for "LoRA on Q and V", and catch it doing something else,
# - try the article's recipe, ranks by layer band, and ask where adapters work best,
# - compare with full fine-tuning, on learning *and* on forgetting.
#
# You need notebook 01, or these lines: *learned* is the share of correct answers on the new task,
# *retained* is the share of the base model's skills that is still there. In tables, *new cases* are
# complaints that are in no training note, and *forgotten* is the rise of the loss on general text.

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## LoRA, by hand
#
# A linear layer computes $y = W x$. Fine-tuning would change $W$ by some $\Delta W$ of the same
# size. LoRA allows only a change that is the product of a tall and a flat matrix:
#
# $$y = W x + \frac{\alpha}{r}\, B A x$$
#
# $W$ stays frozen. $A$ has $r$ rows, $B$ has $r$ columns; $r$ is the *rank*, often 4 to 64. $A$
# starts at random and $B$ at zero, so at the start nothing has changed. The factor $\alpha / r$
# (you choose alpha) says how much the product counts. $A$ and $B$ together are called an *adapter*.

# %%
import torch
from torch import nn


class LoRALinear(nn.Module):
    """A frozen linear layer with a LoRA beside it."""

    def __init__(self, linear, r, alpha):
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(r, linear.in_features) / r)
        self.B = nn.Parameter(torch.zeros(linear.out_features, r))
        self.scale = alpha / r

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.A.T @ self.B.T)


layer = LoRALinear(nn.Linear(128, 128), r=8, alpha=16)
print(f"parameters: {128 * 128 + 128:,} frozen, {layer.A.numel() + layer.B.numel():,} trained")

# %% [markdown]
# The same in `peft`. We copy its matrices into ours, at several ranks and alphas, and give $B$
# values other than zero: at $B = 0$ a forgotten $\alpha / r$ would go unnoticed.

# %%
from peft import LoraConfig, get_peft_model

furthest = 0.0
for r in (1, 4, 8, 16):
    for alpha in (8, 32):
        wrapped = get_peft_model(
            nn.Sequential(nn.Linear(128, 128)),
            LoraConfig(r=r, lora_alpha=alpha, target_modules=["0"]),
        )
        theirs = wrapped.base_model.model[0]
        nn.init.normal_(theirs.lora_B["default"].weight, std=0.1)
        ours = LoRALinear(theirs.base_layer, r, alpha)
        ours.A.data = theirs.lora_A["default"].weight.data
        ours.B.data = theirs.lora_B["default"].weight.data
        x = torch.randn(5, 128)
        furthest = max(furthest, (ours(x) - theirs(x)).abs().max().item())
print(f"largest difference over eight pairs of rank and alpha: {furthest:.1e}")
assert furthest < 1e-5

# %% [markdown]
# ## The snippet that everybody copies
#
# With *attention* a word takes in something from the words before it. Three linear layers prepare
# it: the *query* Q of a word is compared with the *keys* K of the others, which gives each of them
# a share, and the *values* V are added up in these shares. A fourth layer, *O*, puts the sum to
# use.
#
# The LoRA paper adapts Q and V and leaves the keys alone. For GPT-2 people write this with
# `c_attn`, which is also what `peft` chooses for a GPT-2 if you name no layer:

# %%
from ftlab.methods import count

config = LoraConfig(
    r=8,
    lora_alpha=32,
    target_modules=["c_attn"],  # "the query and value projections"
    lora_dropout=0.05,
    bias="none",
    fan_in_fan_out=True,  # GPT-2 stores its matrices transposed
    task_type="CAUSAL_LM",
)


def the_snippet(model):
    return count(get_peft_model(model, config), "the snippet")


lab = ftlab.open_lab("clinic", model="nano-gpt2")
short = ftlab.Plan(steps=15, lr=3e-3, measure_every=0)
copied = lab.run(short, method=the_snippet).finish()
print(copied.prepared)
unnamed = get_peft_model(lab.fresh(), LoraConfig(fan_in_fan_out=True, task_type="CAUSAL_LM"))
print("if nothing is named, peft adapts:", *unnamed.peft_config["default"].target_modules)

# %% [markdown]
# It trains without a complaint. But GPT-2 stores Q, K and V side by side in *one* matrix, `c_attn`.
# Let us see what moved.

# %%
from ftlab.methods import merge
from ftlab.show import Table, show


def what_moved(run):
    """Mean length of the change of Q, K and V over all blocks."""
    blocks = zip(lab.bundle.model.transformer.h, merge(run.model).transformer.h, strict=True)
    changes = [new.attn.c_attn.weight - old.attn.c_attn.weight for old, new in blocks]
    thirds = torch.stack([change.detach() for change in changes]).chunk(3, dim=-1)
    return [third.flatten(1).norm(dim=1).mean().item() for third in thirds]


q, k, v = what_moved(copied)
print(f"change of Q {q:.3f}, of K {k:.3f}, of V {v:.3f}")

# %% [markdown]
# The keys moved as much as the rest. And counting parameters would not have shown it: this LoRA has
# exactly as many as a true one on Q and V.
#
# `ftlab` splits the fused matrix into three before it attaches anything (and fuses it again when
# the model is saved, so that the result is an ordinary GPT-2):

# %%
from ftlab.methods import LoRA

ours = lab.run(short, method=LoRA({"1-12": 8}, scale=4.0)).finish()
theirs, own = copied.prepared.trainable, ours.prepared.trainable
print(f"parameters: the snippet trains {theirs:,}, ours {own:,}")
q2, k2, v2 = what_moved(ours)
print(f"change of Q {q2:.3f}, of K {k2:.3f}, of V {v2:.3f}")
keys = ftlab.claim(
    "The snippet moves the keys; with the matrix split they do not move at all",
    k > 0.5 * min(q, v) and k2 == 0.0 and copied.prepared.trainable == ours.prepared.trainable,
    f"change of K {k:.3f} against exactly {k2:g}, equally many parameters",
)

# %% [markdown]
# ## Ranks by layer band
#
# The article's recipe goes by *bands* of neighbouring blocks: no adapters in blocks 1 to 6, rank 4
# to 8 with alpha 16 in 7 to 9, rank 8 to 16 with alpha 32 in 10 to 12, all on Q and V. The *head*,
# which turns the output of the last block into scores for the next token, is trained as a whole.
# Here is the recipe as a plan, with the higher ranks, and read back from the live model:

# %%
plan = ftlab.Plan(steps=100, batch_size=16, lr=3e-3)
recipe = LoRA({"7-9": 8, "10-12": 16}, alphas={"7-9": 16, "10-12": 32}, head=True, name="lora_head")
run = lab.run(plan, method=recipe, name="LoRA by band, head trainable")
print(run.prepared)
show(
    Table(
        ("part", "what", "rank", "alpha / rank", "trainable parameters"),
        [
            (
                row.part,
                row.what,
                str(row.r or "-"),
                f"{row.scale:g}" if row.r else "-",
                f"{row.trainable:,}",
            )
            for row in run.prepared.table()
        ],
    )
)

# %% [markdown]
# Two things in this table deserve a second look.
#
# **Alpha / rank.** With a fixed alpha, half the rank means *twice* the factor in front of the
# adapter. Comparing rank 4 with rank 8 at alpha 16 also compares two step sizes. When you compare
# ranks, keep alpha / rank fixed.
#
# **The head.** In GPT-2 the head is the embedding table: one tensor with two names. A trainable
# head would be a trainable embedding, and "embeddings frozen, head trainable" is a contradiction,
# unless the head gets a copy of its own. That copy is most of what this plan trains:

# %%
base = lab.bundle.model
print("one tensor, two names:", base.lm_head.weight is base.transformer.wte.weight)
in_head = sum(row.trainable for row in run.prepared.table() if row.part == "head")
print(f"the copy of the head: {in_head:,} of {run.prepared.trainable:,} trained parameters")

# %%
guess = ftlab.predict(
    "Retained, with LoRA by band and the head, at a rate of 3e-3?", None, unit="%"
)

# %%
with ftlab.Live(total=plan.steps, prediction=guess, title=run.name) as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %%
last = run.final  # the curves ask a sample of questions, this asks all of them
print(guess.compare(100 * last["retention"]))
print(f"Learned {last['target_score']:.0%}, retained {last['retention']:.0%}.")

# %% [markdown]
# (In the plot a skill may be a little above 100 %: by chance the tuned model answers some questions
# correctly that the base got wrong.)
#
# ## On, off, merged
#
# As long as the adapter is separate, it can be switched off, and the base is back. That is *not*
# the same as not forgetting: with the adapter on, the model has forgotten what the plot says. These
# are two different measurements, both useful. Or the adapter can be *merged*: added into $W$, so
# that one ordinary model is left. (*Logits* are the model's scores for each possible next token.)

# %%
import tempfile
from pathlib import Path

from peft import PeftModel

from ftlab.methods import save_adapter
from ftlab.models import untie  # the adapter brings a head of its own

ids = torch.tensor([lab.tokenizer("The capital of Norway is")["input_ids"]], device=base.device)
with torch.no_grad():
    tuned, plain = run.model(ids).logits, base(ids).logits
    with run.model.disable_adapter():
        off = run.model(ids).logits
    merged = merge(run.model)(ids).logits
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(run.model, folder)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        again = PeftModel.from_pretrained(untie(lab.fresh()), folder)(ids).logits
print(f"adapter on, against the base:   {(tuned - plain).abs().max():.1e}")
print(f"adapter off, against the base:  {(off - plain).abs().max():.1e}")
print(f"merged, against adapter on:     {(merged - tuned).abs().max():.1e}")
print(f"saved, loaded by peft alone:    {(again - tuned).abs().max():.1e} ({size / 1024:,.0f} kB)")
furthest = max((merged - tuned).abs().max().item(), (again - tuned).abs().max().item())
round_trip = ftlab.claim(
    "Switched off, the base is back; merged or reloaded, the tuned model is the same",
    (off - plain).abs().max() < 1e-5 and furthest < 1e-3,
    f"largest difference of a logit {furthest:.0e}",
)

# %% [markdown]
# ## Where should LoRA's learning rate sit?
#
# Full fine-tuning moves every weight by about the learning rate in a step. LoRA moves small
# matrices whose product is the change. So its rate must be found anew. Recorded, three seeds.

# %%
from ftlab import analysis
from ftlab.show import called, rate_text, sweep

nano = analysis.settings(analysis.shipped("nano"))
SWEPT = ("learning rate", "lora_qv", "lora_all")
show(
    sweep([r for kind in SWEPT for s in analysis.pick(nano, kind) for r in s.runs], "lr", log=True)
)
for kind in SWEPT:
    most = max(analysis.pick(nano, kind), key=lambda setting: setting.mean("target_score"))
    both = f"{most.text('target_score')}, retained {most.text('retention')}"
    print(f"{called(kind)} learns most at {rate_text(most.lr)}: {both}")

# %% [markdown]
# At 1e-3 full fine-tuning wrecks the model, and LoRA does not: the gentle rates of LoRA begin where
# those of full fine-tuning end. Far below them LoRA learns little in a hundred steps. And it has a
# cliff of its own: at 0.01 hardly any skill is left.

# %% [markdown]
# ## Q and V, or everywhere?
#
# Equally many trained parameters, as far as whole ranks allow, the same alpha / rank, in all twelve
# blocks: a higher rank on Q and V alone, or lower ranks on all attention, on the feed-forward
# layers (the two large ones that follow the attention in each block), or on everything linear.

# %%
from ftlab.show import settings_table

PLACES = ("lora_qv", "lora_attention", "lora_ff", "lora_all")
places = {kind: analysis.pick(nano, kind, 1e-3)[0] for kind in PLACES}
show(settings_table(list(places.values()), model="nano-gpt2, equally many parameters, rate 1e-3"))
sizes = [setting.runs[0].trainable for setting in places.values()]
print(f"trained parameters: {min(sizes):,} to {max(sizes):,}")

# %%
qv, everywhere, forward = (places[kind] for kind in ("lora_qv", "lora_all", "lora_ff"))
placement = ftlab.claim(
    "With equally many parameters, LoRA on all linear layers, or on the feed-forward layers alone, "
    "learns more than on Q and V and retains more (3 seeds)",
    all(
        analysis.more(one, qv, key)
        for one in (everywhere, forward)
        for key in ("target_score", "retention")
    ),
    f"at 1e-3 retained {everywhere.mean('retention'):.0%} and {forward.mean('retention'):.0%} "
    f"against {qv.mean('retention'):.0%}, learned {everywhere.mean('target_score'):.0%} and "
    f"{forward.mean('target_score'):.0%} against {qv.mean('target_score'):.0%}",
)

# %% [markdown]
# All at one rate. But a run that learns less forgets less. So compare at *matched learning*: what
# was forgotten at the moment when the loss on the new task had first fallen to half of what
# guessing the urgency costs (and to 1.3 times that). Each method may choose its rate, and may take
# up to 400 steps. With three more plans: *by band* is the recipe, with its head and without, and
# *all linear, thin* spreads as many parameters as the recipe's bands over every linear layer.

# %%
from statistics import fmean

from ftlab.show import matched_table

KINDS = ("learning rate", *PLACES, "lora_band", "lora_even", "lora_head", "replay")
LEVELS = [share * analysis.level(nano) for share in (1.3, 1.0)]
show(matched_table(nano, KINDS, LEVELS, model="nano-gpt2"))

# %%
matched = [analysis.best_at(nano, level) for level in LEVELS]


def worse(more, less):
    """Has `more` forgotten more than `less` at both levels, the whole 95 % interval above 0?"""
    return all(analysis.verdict(m[more].forgotten, m[less].forgotten) == "holds" for m in matched)


def forgotten(kind):
    return " and ".join(f"{fmean(m[kind].forgotten):.3f}" for m in matched)


qv_matched = ftlab.claim(
    "At matched learning, too, LoRA on Q and V has forgotten most (3 seeds)",
    worse("lora_qv", "lora_all") and worse("lora_qv", "lora_ff"),
    f"{forgotten('lora_qv')} nats per token at the two levels, against {forgotten('lora_all')} on "
    f"all linear layers, {forgotten('lora_ff')} on feed-forward",
)
less_than_full = ftlab.claim(
    "and more than full fine-tuning at its best rate (3 seeds)",
    worse("lora_qv", "learning rate"),
    f"{forgotten('lora_qv')} against {forgotten('learning rate')} nats per token",
)

# %% [markdown]
# And the rates? Here is where each learns most with at least 90 % retained, on the small model and
# on the real one, SmolLM2-135M.

# %%
smollm = analysis.whole(analysis.settings(analysis.shipped("laptop")))  # three seeds or more
WIDE = ("lora_ff", "lora_all")


def gentle_best(found, kind):
    able = [s for s in analysis.pick(found, kind) if s.mean("retention") >= 0.9]
    return max(able, key=lambda s: s.mean("target_score"))


best = {
    model: {kind: gentle_best(found, kind) for kind in ("learning rate", *WIDE)}
    for model, found in (("nano-gpt2", nano), ("SmolLM2", smollm))
}
for model, row in best.items():
    print(f"{model}:", ", ".join(f"{called(k)} {rate_text(s.lr)}" for k, s in row.items()))
ten_times = ftlab.claim(
    "On both models the best gentle rate of these two LoRAs is about ten times full fine-tuning's",
    all(5 < row[k].lr / row["learning rate"].lr < 20 for row in best.values() for k in WIDE),
    "; ".join(
        f"{model} " + ", ".join(f"{row[k].lr / row['learning rate'].lr:.0f} times" for k in WIDE)
        for model, row in best.items()
    ),
)
learns_less = ftlab.claim(
    "At these rates LoRA learns less than full fine-tuning in as many steps (nano, 3 seeds)",
    all(
        analysis.more(best["nano-gpt2"]["learning rate"], best["nano-gpt2"][k], "target_score")
        for k in WIDE
    ),
    ", ".join(f"{called(k)} {s.text('target_score')}" for k, s in best["nano-gpt2"].items()),
)
retains_no_more = ftlab.claim(
    "and three seeds do not show that LoRA on all linear layers retains more, on either model",
    not any(analysis.more(row["lora_all"], row["learning rate"]) for row in best.values()),
    "; ".join(
        f"{model}: {analysis.difference(row['lora_all'], row['learning rate'])}"
        for model, row in best.items()
    ),
)

# %% [markdown]
# ## Does a higher rank forget more?
#
# At the same alpha / rank and the same rate (3e-3), on Q and V. (Not at matched learning: a higher
# rank may have learned more, too.)

# %%
by_rank = [
    (2, analysis.pick(nano, "rank 2")[0]),
    (18, analysis.pick(nano, "lora_qv", 3e-3)[0]),
    (64, analysis.pick(nano, "rank 64")[0]),
]
for rank, setting in by_rank:
    print(
        f"rank {rank:2}: retained {setting.text('retention'):18} "
        f"learned {setting.text('target_score')}"
    )
rank_matters = ftlab.claim(
    "A higher rank forgets more at the same rate (3 seeds)",
    analysis.more(by_rank[0][1], by_rank[-1][1]),
    f"retained {by_rank[0][1].text('retention')} at rank 2, "
    f"{by_rank[-1][1].text('retention')} at 64",
)

# %% [markdown]
# ## The scoreboard so far
#
# Each method at its best rate (largest learned x retained), after 100 steps of 16 notes.

# %%
from ftlab.show import best_of, scoreboard

BOARD = ("learning rate", "schedule", "replay", "freeze", "lora_qv", "lora_ff", "lora_all")
BOARD += ("lora_band", "lora_head")
board = best_of([s for s in nano if s.sweep in BOARD])
show(scoreboard(board))
gentle = [s for s in board if s.mean("retention") > 0.9]
furthest_right = max(gentle, key=lambda s: s.mean("target_score"))
print(
    f"Of those that retain more than 90 %, {called(furthest_right.sweep)} learned most: "
    f"{furthest_right.text('target_score')}."
)

# %% [markdown]
# Full fine-tuning at a gentle rate, with replay or without, lies furthest in the good corner; LoRA
# on all linear or on feed-forward layers comes near it. LoRA's sure gains are others: few
# parameters to train and to store, and a base that is back at a switch.

# %% [markdown]
# ## Any two, side by side
#
# Choose two of the recorded runs. Try: LoRA on all linear layers against full fine-tuning that
# retains as much; which skills pay for it? Then choose the full fine-tuning of 400 steps, and read
# why that is no fair comparison.

# %%
from ftlab.show import compare_panel

compare_panel(nano).show()

# %% [markdown]
# ## The rank explorer
#
# All of it in one panel: a rank for each band, which layers get adapters, the rate, the schedule.
# (Its runs have fewer steps than those above, so that one of them takes seconds.) Every slider
# answers at once, from recorded runs. A filled mark was recorded for exactly these settings; a
# hollow one is an *estimate*, with bars as wide as such estimates are typically off.
#
# Try, and guess before each:
#
# - Choose the article's table. How much does it learn? Then move the same ranks to another place.
# - Press *sweep* beside a slider. It trains every stop of that slider, here and now, and draws each
#   as it comes. Does a higher rank learn more? Does a higher rate? (Each is one seed on a sample of
#   the questions. Choose another seed and sweep again before you believe a bump in the curve.)
# - Press *Train it for real*, then drag *a* from the trained model towards the base. At a = 0.5 every
#   weight stands halfway. What comes back first, and what goes last? (Notebook 09 builds on it.)
# - Ask both models for a fact that was lost.

# %%
from ftlab.show import rank_explorer

rank_explorer(lab).show()

# %% [markdown]
# How can it train in seconds? By caching the frozen layers' outputs. Below the lowest trained block
# nothing changes, so what comes out there for a text is the same in every epoch: it is computed
# once and cached. So a plan that leaves the lower blocks frozen costs less time as well. Here are
# the same ten steps the plain way and the short way, in turn, once with adapters in the upper half
# and once in all blocks (where nothing can be cached and only a few operations are fused):

# %%
upper, every = LoRA({"7-9": 8, "10-12": 16}), LoRA({"1-12": 8})
lab.run(ftlab.Plan(steps=25, measure_every=0), method=upper, fast=True).finish()  # fills the cache
ten = ftlab.Plan(steps=10, lr=3e-3, measure_every=0, precision="fp32")
times, apart = {}, 0.0
for name, method in (("upper half", upper), ("all blocks", every)):
    plain_run, fast_run = (lab.run(ten, method=method, fast=fast) for fast in (False, True))
    pairs = list(zip(plain_run, fast_run, strict=True))  # in turn, on the same machine
    apart = max(apart, *(abs(a.loss - b.loss) / a.loss for a, b in pairs[1:]))
    times[name] = plain_run.steps[-1].seconds / fast_run.steps[-1].seconds
    print(f"{name}: the short way is {times[name]:.1f} times as fast")
cheaper = ftlab.claim(
    "Where the lower half is frozen, its outputs can be cached, and a step takes less time",
    times["upper half"] > times["all blocks"] and apart < 1e-4,
    f"{times['upper half']:.1f} times as fast, against {times['all blocks']:.1f} with nothing to "
    f"cache; losses differ by {apart:.0e} at most",
)

# %% [markdown]
# ## The same on a real language model
#
# SmolLM2-135M: the four places with equally many parameters at one rate, the recipe's bands on Q
# and V, as many parameters spread thinly over all linear layers, and full fine-tuning at its gentle
# rate. And as a preview of notebook 09: full fine-tuning in which one text in twenty is general
# English (*replay*). Recorded, three seeds.

# %%
AT = {"learning rate": 1e-4, "replay": 1e-4} | dict.fromkeys(
    (*PLACES, "lora_band", "lora_even"), 1e-3
)
real = {kind: analysis.pick(smollm, kind, rate)[0] for kind, rate in AT.items()}
show(settings_table(list(real.values()), model="SmolLM2-135M"))

# %%
real_board = best_of([s for s in smollm if s.sweep in BOARD])
show(scoreboard(real_board))
highest = {s.sweep: max(one.lr for one in analysis.pick(smollm, s.sweep)) for s in real_board}
open_ended = [s for s in real_board if s.lr == highest[s.sweep]]
names = ", ".join(f"{called(s.sweep)} ({rate_text(s.lr)})" for s in open_ended)
print("Best at the highest rate that was run, so a higher one may do better:", names or "none")

# %%
real_qv, real_full = real["lora_qv"], real["learning rate"]
real_place = ftlab.claim(
    "SmolLM2: at the same rate, with equally many parameters, LoRA on all linear or on "
    "feed-forward layers retains more than on Q and V (3 seeds)",
    all(analysis.more(real[kind], real_qv) for kind in WIDE),
    "SmolLM2 at 1e-3, minus Q and V: "
    + "; ".join(
        f"{called(kind)} retained {analysis.difference(real[kind], real_qv)}, learned "
        f"{analysis.difference(real[kind], real_qv, 'target_score')}"
        for kind in WIDE
    ),
)
real_less = ftlab.claim(
    "SmolLM2: full fine-tuning at a gentle rate retains more than LoRA on Q and V (3 seeds)",
    analysis.more(real_full, real_qv),
    f"SmolLM2, full at 1e-4 minus Q and V at 1e-3: retained "
    f"{analysis.difference(real_full, real_qv)}, "
    f"learned {analysis.difference(real_full, real_qv, 'target_score')}",
)

# %% [markdown]
# So the real model agrees: not Q and V alone. Does LoRA only need longer? The same with 300 steps:

# %%
for setting in analysis.settings(analysis.shipped("laptop")):
    kind, longer, _ = setting.sweep.partition(" longer")
    if longer:
        print(
            f"{called(kind):22} {rate_text(setting.lr):4}  seeds {len(setting.runs)}  learned "
            f"{setting.mean('target_score'):4.0%}  retained {setting.mean('retention'):4.0%}  "
            f"forgotten {setting.mean('forgotten'):.2f} nats per token"
        )

# %% [markdown]
# With more steps LoRA learns the task as well as anything. By then it has forgotten more than full
# fine-tuning at its gentle rate (most of these are one seed, so take them as a hint).

# %% [markdown]
# ## How far can the small model be trusted?
#
# First the levels. How much does each method learn, if at least 90 % (or 80 %) of the skills must
# be left, and it may choose its rate? (Between two recorded rates both numbers are read off a
# straight line.)

# %%
levels = {kept: analysis.levels(nano, smollm, kept) for kept in (0.9, 0.8)}
show(
    Table(
        ("most learned", "nano-gpt2, 90 % left", "SmolLM2", "nano-gpt2, 80 % left", "SmolLM2"),
        [
            (called(kind), *(f"{share:.0%}" for at in levels.values() for share in at[kind]))
            for kind in levels[0.9]
        ],
        "each method at its best rate; means over seeds (higher is better)",
    )
)
apart = {kept: fmean(abs(a - b) for a, b in at.values()) for kept, at in levels.items()}
same_levels = ftlab.claim(
    "Method by method both models learn about as much: on average at most 15 points apart",
    max(apart.values()) <= 0.15,
    ", ".join(f"{100 * gap:.0f} points with {kept:.0%} left" for kept, gap in apart.items())
    + f", over {len(levels[0.9])} methods",
)
sides = analysis.sides(nano, smollm)
same_sides = ftlab.claim(
    "The same methods learn 70 % with 90 % left on both models, and the same do not",
    all(small == large for small, large in sides.values()),
    ", ".join(called(kind) for kind, (small, _) in sides.items() if small) + " do",
)

# %% [markdown]
# Then the order. Equal settings of both models, nothing to choose; nano's rates are one constant
# factor higher, which is found on full fine-tuning alone. Do both put them into the same order?
# (*Spearman's rank correlation* is 1 for the same order, 0 for none, -1 for the reverse.)

# %%
order = analysis.order(nano, smollm)
same_order = ftlab.claim(
    "Equal settings come in the same order of retention (Spearman at least 0.85)",
    order.retained >= 0.85,
    f"{order.retained:.2f} over {len(order.pairs)} settings, nano's rates {order.factor:.1f} times "
    "as high",
)
looser = ftlab.claim(
    "The order of what is learned agrees less (below 0.75)",
    order.learned < 0.75,
    f"{order.learned:.2f}",
)

# %% [markdown]
# And the hardest test: what each method has forgotten at matched learning, where each model may
# choose the rate. A dash says that no recorded rate got there.

# %%
at_half = analysis.matched(nano, smollm)


def told(one):
    if one.setting is None:
        return "-"
    return f"{fmean(one.forgotten):.2f}, rate {rate_text(one.setting.lr)}"


show(
    Table(
        ("forgotten, nats per token", "nano-gpt2", "SmolLM2"),
        [(called(kind), *map(told, pair)) for kind, pair in at_half.rows.items()],
        "when the loss on the new task had fallen to half of what guessing costs",
    )
)
open_order = ftlab.claim(
    "At matched learning the order of the methods is not decided: the interval holds 0",
    at_half.rank.low <= 0 <= at_half.rank.high,
    f"{at_half.rank.estimate:.2f} ({at_half.rank.low:.2f} to {at_half.rank.high:.2f}); at most "
    f"{at_half.ceiling:.2f} could be had from so few seeds",
)

# %% [markdown]
# So trust the small model for the levels: which methods reach the good corner, and what the rate
# and the place of an adapter do. Do not trust it to rank methods that are all gentle. And its
# forgetting is smaller: the real model was trained on other text than ours, and has more to lose.

# %% [markdown]
# ## Exercise 1: how many parameters?
#
# *Goal: count an adapter before you build it. 5 minutes, easy.*
#
# Write `lora_parameters(d_in, d_out, r)`: how many parameters does a LoRA of rank `r` train beside
# a linear layer from `d_in` to `d_out`?
#
# <details><summary>Hint 1</summary>A is r x d_in.</details>
#
# <details><summary>Hint 2</summary>B is d_out x r. Add the two.</details>

# %%
from ftlab.teach import answers


def lora_parameters(d_in, d_out, r):
    # <solution>
    return r * d_in + d_out * r
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


lora_parameters = ftlab.exercise(
    lora_parameters,
    reference=answers.lora_parameters,
    checks=[
        ("the layer from above", lambda f: (f(128, 128, 8), layer.A.numel() + layer.B.numel()))
    ],
    cases=[(128, 512, 4), (576, 1536, 1), (4096, 4096, 64)],
)
print(f"rank 8 beside a layer of 4096 x 4096: {lora_parameters(4096, 4096, 8):,} parameters")

# %% [markdown]
# ## Exercise 2: merge by hand
#
# *Goal: turn the adapter into an ordinary weight. 10 minutes, medium.*
#
# Write `merged_weight(W, A, B, alpha, r)`: the single matrix that does what layer and adapter did
# together.
#
# <details><summary>Hint 1</summary>Which product of A and B has the shape of W?</details>
#
# <details><summary>Hint 2</summary>Look at the formula at the top: what stands before B A x, and
# what is added to W x?</details>

# %%


def merged_weight(W, A, B, alpha, r):
    # <solution>
    return W + alpha / r * (B @ A)
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


W, A, B, x = torch.randn(6, 4), torch.randn(2, 4), torch.randn(6, 2), torch.randn(5, 4)


def change(f, alpha, r):
    """What `f` adds to W."""
    return f(W, A, B, alpha, r) - W


merged_weight = ftlab.exercise(
    merged_weight,
    reference=answers.merged_weight,
    checks=[
        ("it has the shape of W", lambda f: (list(f(W, A, B, 16, 2).shape), [6, 4])),
        ("B = 0 changes nothing", lambda f: torch.equal(f(W, A, 0 * B, 16, 2), W)),
        (
            "twice the alpha changes W twice as much",
            lambda f: torch.allclose(change(f, 8, 2), 2 * change(f, 4, 2), atol=1e-5),
        ),
        (
            "at the same alpha, twice the r changes W half as much",
            lambda f: torch.allclose(change(f, 8, 4), change(f, 8, 2) / 2, atol=1e-5),
        ),
        (
            "it does what layer and adapter do together",
            lambda f: torch.allclose(
                x @ f(W, A, B, 16, 2).T, x @ W.T + 16 / 2 * (x @ A.T @ B.T), atol=1e-4
            ),
        ),
    ],
)
print("the merged matrix has the shape", tuple(merged_weight(W, A, B, 16, 2).shape))

# %% [markdown]
# ## Exercise 3: as much, with a third of the parameters
#
# *Goal: learn at least as much as LoRA on all linear layers at a rate of 1e-3 (rank 4), with at
# least 90 % retained and no more than 40,000 trained parameters. 15 minutes, hard.*
#
# Where would you put yours, and how fast would you train it? A try takes half a minute or so.
#
# <details><summary>Hint 1</summary>A layer from d_in to d_out costs r x (d_in + d_out) parameters:
# 128 to 128 on q, k, v and o, and 128 to 512 and back on ff, in each of 12 blocks. How low may a
# rank be?</details>
#
# <details><summary>Hint 2</summary>What did the claims at matched learning say of the best rate
# when there are fewer parameters?</details>

# %%
# <solution>
my_lora, my_rate = LoRA({"1-12": 1}, targets=("q", "k", "v", "o", "ff")), 3e-3
# </solution>
# <stub>
# my_lora, my_rate = None, None  # such as LoRA({"7-12": 2}, targets=("q", "v", "ff")), 2e-3
# </stub>

to_reach = analysis.pick(nano, "lora_all", 1e-3)[0]
if my_lora is None:
    print(f"No LoRA of your own yet. To reach: learned {to_reach.text('target_score')}.")
else:
    mine = lab.run(ftlab.Plan(lr=my_rate, measure_every=0), method=my_lora).finish()
    learned, retained = mine.final["target_score"], mine.final["retention"]
    wanted, trained = to_reach.mean("target_score"), mine.prepared.trainable
    goals = {
        f"learned {learned:.0%} (at least {wanted:.0%})": learned >= wanted,
        f"retained {retained:.0%} (at least 90 %)": retained >= 0.9,
        f"{trained:,} trained parameters (at most 40,000)": trained <= 40_000,
    }
    for what, done in goals.items():
        print("✓" if done else "✗", what)

# %% [markdown]
# ## The article says, we measured
#
# The article is Sachchida Nand Singh, "Fine-Tuning Large Language Models (LLMs) Without
# Catastrophic Forgetting", Towards AI; its statements are in our words. Rows marked *(often said)*
# are common advice, not taken from it; *(ours)* is a statement of this workbook.

# %%
ftlab.verdict_table(
    ftlab.says("target_modules=['c_attn'] adapts Q and V", contradicted_by=[keys]),
    ftlab.says(
        "Q and V are the place for LoRA", contradicted_by=[placement, qv_matched, real_place]
    ),
    ftlab.says(
        "LoRA on Q and V forgets much less than full fine-tuning",
        contradicted_by=[less_than_full, real_less],
    ),
    ftlab.says("(often said) LoRA needs a rate about ten times higher", supported_by=[ten_times]),
    ftlab.says(
        "(often said) LoRA learns less and forgets less",
        supported_by=[learns_less],
        undecided_by=[retains_no_more],
    ),
    ftlab.says("(often said) A higher rank forgets more", supported_by=[rank_matters]),
    ftlab.says(
        "(often said) An adapter can be removed, merged and shared", supported_by=[round_trip]
    ),
    ftlab.says(
        "(ours) What the small model shows is true of the real one",
        supported_by=[same_levels, same_sides, same_order],
        contradicted_by=[looser],
        undecided_by=[open_order],
    ),
)

# %% [markdown]
# ## What you take along
#
# - LoRA trains a small share of the parameters; the adapter is a file of its own, and can be taken
#   off.
# - Print the plan from the live model. What a configuration is called and what it does are two
#   things.
# - A frozen base is no protection while the adapter is on. What is forgotten depends on the rate,
#   on the rank and on the place.
# - Where to put it: not on Q and V alone. On the feed-forward layers, or a little everywhere.
#
# **Next:** [05 Encoder-decoder priorities](05_encoder_decoder_priorities.ipynb) turns to models
# with an encoder and a decoder.
