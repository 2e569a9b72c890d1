# %% [markdown]
# # QLoRA: a base in four bits
#
# **In this notebook** the base model is rounded, every weight to one of sixteen values, and LoRA is
# trained on what is left of it. That is *QLoRA*. It made it possible to fine-tune a model of many
# billion weights on one small graphics card. You will
#
# - build the sixteen values from nothing but the bell curve, and find the very table that the
#   library `bitsandbytes` uses,
# - measure what the rounding *alone* costs, before anything is trained,
# - train adapters on the rounded base, and compare with LoRA on the plain one,
# - merge the result rightly, and see three ways that look the same and are not,
# - add up, byte by byte, what fits on a card of 15 GB.
#
# You need notebook 04 (LoRA), or this: a LoRA is a pair of small matrices beside a large frozen
# one, and only they are trained. *Kept* (retention) is the share of the base's skills that is left.
#
# Everything here is real, on a CPU too: real codes, real gradients through them. Except one thing,
# *paging*, which needs a CUDA card; where it comes up, we say so.

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh kernel, for instance on Colab
    # %pip install --quiet --editable $(git rev-parse --show-toplevel)
    raise SystemExit("ftlab was missing: restart the kernel and run this cell again.") from None
ftlab.hello()

# %% [markdown]
# ## Sixteen values
#
# A weight takes 32 bits, or 16. With 4 bits there are 16 codes, so 16 values. Which? Look at the
# weights of one layer first. They are nearly *normal*: many near zero, few large ones.
#
# If we place the values at equal *distances*, the outer ones are hardly ever used. Place them at
# equal *probabilities* instead, where equally many weights fall between one and the next: at the
# *quantiles* of the normal distribution. That is NF4, "normal float with 4 bits". Zero gets a value
# of its own, so eight lie below it (with the lowest, -1) and eight above.

# %%
import torch

bell = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
outermost = 0.9677083  # 1 would be infinitely far out
above = bell.icdf(torch.linspace(outermost, 0.5, 9, dtype=torch.float64))[:-1]
below = -bell.icdf(torch.linspace(outermost, 0.5, 8, dtype=torch.float64))[:-1]
levels = torch.cat([below, torch.zeros(1), above.flip(0)])
levels = (levels / levels.max()).float()
print(len(levels), "values:", ", ".join(f"{value:.3f}" for value in levels))

# %%
from ftlab.optional import bitsandbytes

bnb = bitsandbytes()
theirs = bnb.functional.get_4bit_type("nf4", device="cpu")
print(f"largest difference from the table of bitsandbytes: {(levels - theirs).abs().max():.0e}")
assert torch.allclose(levels, theirs, atol=2e-7)

# %% [markdown]
# ## Block by block
#
# The values lie between -1 and 1, the weights do not. So 64 neighbouring weights, a *block*, are
# divided by the largest among them, and that one number (*absmax*, in 32 bits) is stored beside
# their codes. Reading goes the other way: value of the code, times absmax.

# %%
lab = ftlab.open_lab("clinic")
weight = lab.bundle.model.transformer.h[5].mlp.c_fc.weight.detach().T.contiguous()  # (512, 128)

blocks = weight.reshape(-1, 64)
absmax = blocks.abs().amax(1)  # one for each block
codes = (blocks / absmax[:, None]).unsqueeze(-1).sub(theirs).abs().argmin(-1)  # 0 to 15
again = (theirs[codes] * absmax[:, None]).reshape(weight.shape)

packed, state = bnb.functional.quantize_4bit(weight, quant_type="nf4", blocksize=64)
library = bnb.functional.dequantize_4bit(packed, state)
two_in_a_byte = (codes.flatten()[::2] << 4 | codes.flatten()[1::2]).to(torch.uint8)
print("codes that differ:", int((two_in_a_byte != packed.flatten()).sum()), "of", weight.numel())
print(f"weights that differ after reading: {int((again != library).sum())}")
wrong = (again - weight).abs().mean() / weight.abs().mean()
print(f"mean error of a weight: {wrong:.1%} of its size")
by_hand = ftlab.claim(
    "Quantised by hand, a layer is that of bitsandbytes, bit for bit",
    torch.equal(two_in_a_byte, packed.flatten()) and torch.equal(again, library),
    f"{weight.numel():,} weights, 0 differ",
)

# %% [markdown]
# The same weights with two other sets of values: *int4*, at equal distances, and *FP4*, a tiny
# floating-point number. (Error: length of the difference over the length of the weights.)

# %%
from ftlab.show import show
from ftlab.show.levels import error, usage, weight_levels

show(weight_levels(weight))

# %%
errors = {kind: error(weight, kind) for kind in ("nf4", "int4", "fp4")}
best_levels = ftlab.claim(
    "On real weights NF4 is off by less than int4 and FP4",
    errors["nf4"] < min(errors["int4"], errors["fp4"]),
    ", ".join(f"{kind} {value:.1%}" for kind, value in errors.items()),
)
print(f"the least used value of NF4 takes {min(usage(weight, 'nf4')):.1%} of the weights,")
print(f"that of int4 {min(usage(weight, 'int4')):.1%}, that of FP4 {min(usage(weight, 'fp4')):.1%}")

# %% [markdown]
# ## How large a block?
#
# A small block fits its weights better, but its constant is shared by fewer: 32 bits over 64 weights
# are half a bit for each. *Double quantisation* rounds the constants too, to 8 bits, in blocks of
# 256 constants. Move the sliders: where would you stop?

# %%
from ftlab.show.panels import block_panel

block_panel(weight).show()

# %%
_, doubled = bnb.functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
plain_bits = 8 * (packed.nbytes + state.absmax.nbytes) / weight.numel()
second = doubled.absmax.nbytes + doubled.state2.absmax.nbytes
double_bits = 8 * (packed.nbytes + second) / weight.numel()
print(f"bits a weight: {plain_bits:.3f}, with double quantisation {double_bits:.3f}")
saves = ftlab.claim(
    "Double quantisation saves about 0.37 bits a weight",
    0.36 < plain_bits - double_bits < 0.38,
    f"{plain_bits - double_bits:.3f} bits, counted in the library's own tensors",
)

# %% [markdown]
# ## What does the rounding alone cost?
#
# Nothing has been trained yet. We only put the base model into four bits: the linear layers of its
# blocks. Embeddings, norms and the head stay as they are.

# %%
guess = ftlab.predict(
    "How much of its skills does the base keep when each weight becomes one of 16 values?",
    None,
    unit="%",
)

# %%
from ftlab.measure import compare
from ftlab.models.quantise import Quantise
from ftlab.show import Table

HOWS = [Quantise(), Quantise(double=False), Quantise("fp4")]
labs = {str(how): lab.quantised(how) for how in HOWS}  # a lab each: its base is the rounded one
plain = lab.baseline
alone = {name: four.baseline for name, four in labs.items()}
left_alone = {name: compare.kept_of(found, plain) for name, found in alone.items()}

show(
    Table(
        ("base", *plain["skills"], "kept (higher is better)", "loss on text (lower is better)"),
        [
            (
                name,
                *(f"{share:.0%}" for share in found["skills"].values()),
                f"{left_alone.get(name, 1.0):.1%}",
                f"{found['general_loss']:.3f}",
            )
            for name, found in {"32 bits": plain, **alone}.items()
        ],
        "nano-gpt2 before any training; one model, rounded in three ways",
    )
)
print(guess.compare(100 * left_alone["nf4-double"]))

# %% [markdown]
# On this small model, trained long on a small world, the rounding costs next to nothing. Do not take
# that home yet. The same on a real language model, SmolLM2-135M (recorded):

# %%
recorded = compare.shipped("qlora")
of = {name: [r for r in recorded if r.model == name] for name in {r.model for r in recorded}}
real_four = of["smollm2-135m"][0].baseline
laptop = compare.settings(compare.shipped("laptop"))
real_plain = compare.pick(laptop, "lora_even", 1e-3)[0].runs[0].baseline

show(
    Table(
        ("base", *real_plain["skills"], "loss on text (lower is better)"),
        [
            (name, *(f"{x:.0%}" for x in found["skills"].values()), f"{found['general_loss']:.3f}")
            for name, found in {"32 bits": real_plain, "nf4-double": real_four}.items()
        ],
        "SmolLM2-135M before any training",
    )
)
real_cost = 1 - compare.kept_of(real_four, real_plain)
nano_cost = 1 - left_alone["nf4-double"]
costs_little = ftlab.claim(
    "nano-gpt2: rounding alone costs less than 5 % of its skills",
    nano_cost < 0.05,
    f"{nano_cost:.1%} lost",
)
costs_much = ftlab.claim(
    "SmolLM2: rounding alone costs more than 5 % of its skills, arithmetic most of all",
    real_cost > 0.05
    and max(real_plain["skills"], key=lambda s: real_plain["skills"][s] - real_four["skills"][s])
    == "arithmetic",
    f"{real_cost:.0%} lost; arithmetic {real_plain['skills']['arithmetic']:.0%} to "
    f"{real_four['skills']['arithmetic']:.0%}",
)

# %% [markdown]
# That is a loss *before* the first training step, and it would be wrong to call it forgetting. It
# would be just as wrong to leave it out. So from here on there are two baselines: what is kept of
# the base *that was trained on* (its own, rounded), and what is left of the *plain* one.
#
# (Why so much? A model of 135 million weights has little to spare; published results, where
# rounding costs little, are of models fifty times as large. And the file this one comes from had been
# rounded to four bits once before, in another format.)
#
# ## Training through the codes
#
# A code cannot be moved a little, so the base is frozen. But a gradient can go *through* a frozen
# layer. All it needs is the weights, and they are read from the codes when they are needed:

# %%
from torch import nn

from ftlab.methods import nf4
from ftlab.methods.qlora import QLoRA


class QLoRALinear(nn.Module):
    """A layer in four bits, and a LoRA in full precision beside it."""

    def __init__(self, stored, bias, A, B, scale):
        super().__init__()
        self.stored, self.bias, self.scale = stored, bias, scale
        self.A, self.B = nn.Parameter(A.clone()), nn.Parameter(B.clone())

    def forward(self, x):
        frozen = x @ nf4.dequantise(self.stored).T + self.bias
        return frozen + self.scale * (x @ self.A.T @ self.B.T)


single = labs["nf4"]  # without double quantisation, as in the lines above
wrapped = QLoRA()(single.fresh())
theirs_layer = wrapped.model.base_model.model.transformer.h[5].mlp.c_fc
nn.init.normal_(theirs_layer.lora_B["default"].weight, std=0.1)  # at 0 a mistake would not show
ours_layer = QLoRALinear(
    nf4.quantise(weight),
    theirs_layer.base_layer.bias,
    theirs_layer.lora_A["default"].weight.data,
    theirs_layer.lora_B["default"].weight.data,
    theirs_layer.scaling["default"],
)
x, y = (torch.randn(3, 128).requires_grad_() for _ in range(2))
y.data.copy_(x.data)
ours_layer(x).square().sum().backward()
theirs_layer(y).square().sum().backward()
pairs = {
    "output": (ours_layer(x), theirs_layer(y)),
    "gradient of A": (ours_layer.A.grad, theirs_layer.lora_A["default"].weight.grad),
    "gradient of B": (ours_layer.B.grad, theirs_layer.lora_B["default"].weight.grad),
    "gradient that goes on to the layer below": (x.grad, y.grad),
}
for name, (a, b) in pairs.items():
    print(f"{name}: differs by {((a - b).norm() / b.norm()).item():.0e}")
    assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)

# %% [markdown]
# Now for real: rank 4 on every linear layer, as in notebook 04, on the rounded base. The run's own
# baseline is the rounded base.

# %%
guess_kept = ftlab.predict("Kept of its own base, with QLoRA at a rate of 0.003?", None, unit="%")

# %%
four = labs["nf4-double"]
plan = ftlab.Plan(steps=100, batch_size=16, lr=3e-3)
run = four.run(plan, method=QLoRA(), name="QLoRA on all linear layers")
with ftlab.Live(total=plan.steps, prediction=guess_kept, title=run.name, method="qlora") as live:
    for step in run:
        live.update(step)

# %%
last = run.steps[-1].measured
print(run.moving)
print(guess_kept.compare(100 * last["retention"]))
print(f"{last['target_score']:.0%} of the notes right, {last['retention']:.0%} kept of its base.")

# %% [markdown]
# ## LoRA against QLoRA
#
# The same adapters, the same notes in the same order, three seeds, recorded. *Kept of its own base*
# is the fair measure of forgetting; *left of the plain base* is what you will have in your hands.

# %%
nano = compare.settings(compare.shipped("nano"))
nano_q = compare.settings(of["nano-gpt2"])
t5 = compare.shipped("nano-t5")
ROWS = []
for rate in (1e-3, 3e-3, 1e-2):
    pair = (compare.pick(nano, "lora_all", rate)[0], compare.pick(nano_q, "qlora", rate)[0])
    ROWS.append((f"nano-gpt2, rate {rate:g}", plain, *pair))
real_q = compare.pick(compare.settings(of["smollm2-135m"]), "qlora", 1e-3)[0]
ROWS.append(
    ("SmolLM2-135M, rate 0.001", real_plain, compare.pick(laptop, "lora_even", 1e-3)[0], real_q)
)
for domain in ("new_format", "new_words"):
    plain_runs = compare.settings(t5, domain=domain)
    four_runs = compare.settings(of["nano-t5"], domain=domain)
    pair = (compare.pick(plain_runs, "lora_kinds", 1e-3)[0], compare.pick(four_runs, "qlora")[0])
    ROWS.append((f"nano-t5, {domain.replace('_', ' ')}", pair[0].runs[0].baseline, *pair))


def left(setting, base):
    """Mean over the seeds of what is left of the plain base's skills."""
    shares = [compare.kept_of(r.final, base) for r in setting.runs]
    return f"{sum(shares) / len(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})"


show(
    Table(
        ("", "", "right", "kept of its own base", "left of the plain base"),
        [
            (
                where if name == "LoRA" else "",
                name,
                setting.told("target_score"),
                setting.told("retention"),
                left(setting, base),
            )
            for where, base, lora, qlora in ROWS
            for name, setting in (("LoRA", lora), ("QLoRA", qlora))
        ],
        "higher is better in every column; mean of 3 seeds (lowest to highest)",
    )
)

# %%
differences = {
    where: (
        compare.difference(qlora, lora, "target_score"),
        compare.difference(qlora, lora, "retention"),
    )
    for where, _, lora, qlora in ROWS
}
for where, (right, own) in differences.items():
    print(f"{where}: QLoRA - LoRA, right {right}; kept of its own base {own}")

# %% [markdown]
# In brackets stand 95 % intervals of three paired seeds. Where one holds zero, these runs do not
# decide; and where it is wide, they say next to nothing. That is not the same as "no difference".

# %%
SMALL = [row for row in ROWS if "nano" in row[0]]
learns = ftlab.claim(
    "nano-gpt2 and nano-t5: in no setting does LoRA clearly learn more than QLoRA",
    not any(compare.more(lora, qlora, "target_score") for _, _, lora, qlora in SMALL),
    "right, QLoRA - LoRA: " + ", ".join(differences[where][0] for where, *_ in SMALL),
)
real_lora = compare.pick(laptop, "lora_even", 1e-3)[0]
learns_less = ftlab.claim(
    "SmolLM2: after as many notes QLoRA has fewer right than LoRA (3 seeds)",
    compare.more(real_lora, real_q, "target_score"),
    f"right {real_q.told('target_score')} against {real_lora.told('target_score')}",
)
keeps = ftlab.claim(
    "On none of the three models does QLoRA clearly keep less of its own base",
    not any(compare.more(lora, qlora) for _, _, lora, qlora in ROWS),
    "kept, QLoRA - LoRA: " + ", ".join(own for _, own in differences.values()),
)
left_lora = [compare.kept_of(r.final, real_plain) for r in real_lora.runs]
left_qlora = [compare.kept_of(r.final, real_plain) for r in real_q.runs]
worse_off = ftlab.claim(
    "SmolLM2: of the plain base's skills less is left after QLoRA than after LoRA (3 seeds)",
    compare.verdict(left_lora, left_qlora) == "holds",
    f"{sum(left_qlora) / 3:.0%} against {sum(left_lora) / 3:.0%}",
)

# %% [markdown]
# So the promise "the same quality" holds on the small models as far as three seeds can see, and not
# quite on the real one: it learns a little less and, above all, it starts from a poorer base. Of
# *its own* base it forgets no more.
#
# ## Merging, and three ways to do it
#
# An adapter can be added into the weights, so that one ordinary model is left. But into *which*
# weights? It was trained beside the rounded ones.

# %%
import copy
import warnings

from ftlab.methods.export import merge

ids = torch.tensor([lab.tokenizer(lab.domain.test[0]["prompt"])["input_ids"]])


def logits(model):
    with torch.no_grad():
        return model(ids).logits


trained = logits(run.model)

rightly = merge(run.model)  # 1. dequantise the base, then add the adapter

with warnings.catch_warnings():  # 2. add, and round the sum to four bits again
    warnings.simplefilter("ignore")
    into_codes = copy.deepcopy(run.model).merge_and_unload().eval()

plain_base = QLoRA().adapters(lab.fresh()).model  # 3. add to the weights from before the rounding
adapter = {name: p for name, p in run.model.state_dict().items() if "lora_" in name}
plain_base.load_state_dict(adapter, strict=False)
into_plain = merge(plain_base)

off = {
    name: ((logits(model) - trained).norm() / trained.norm()).item()
    for name, model in {
        "dequantised, then merged": rightly,
        "merged into four bits": into_codes,
        "merged into the plain base": into_plain,
    }.items()
}
for name, share in off.items():
    print(f"{name}: answers differ from the trained model's by {share:.2%}")
merging = ftlab.claim(
    "Dequantise first, then merge: the other two ways change the model",
    off["dequantised, then merged"] < 0.002
    and min(off["merged into four bits"], off["merged into the plain base"]) > 0.01,
    ", ".join(f"{share:.2%}" for share in off.values()),
)

# %% [markdown]
# ## Where the memory goes
#
# Memory is what QLoRA is for. What has to lie on the card while a model is trained:
#
# - the **weights**, and for a 4-bit base their constants,
# - the **adapters**,
# - a **gradient** for every number that moves,
# - the **optimiser's states**: AdamW keeps two running means for each of these, in 32 bits,
# - the **activations**: what the layers computed on the way up and need again on the way down.
#
# `ftlab` adds them up from the shape of a model alone (`ftlab.measure.memory` says how, with the
# sources). First for a model that we can measure: a training step of nano-gpt2, fully and by QLoRA.
# The activations are held against what torch really keeps for the way down.

# %%
from ftlab.batches import collate, encode
from ftlab.measure.activations import kept
from ftlab.measure.memory import estimate
from ftlab.measure.memory_measured import measured_activations
from ftlab.measure.memory_parts import CARDS, size
from ftlab.measure.memory_plan import MemoryPlan, plan_of
from ftlab.measure.memory_shapes import shape
from ftlab.methods.full import full
from ftlab.models.quantise import stored_bytes

items = encode(run.rows[:16], lab.tokenizer, loss_on="answer", limit=128)
batch = collate(items)
learned = round(sum(item.learned for item in items) / len(items))  # tokens of an answer
rows_of_table, foretold_right = [], []
for name, model in {"full": full(lab.fresh()).model, "QLoRA": run.model}.items():
    wanted = plan_of(model, plan, tokens=batch.ids.shape[1], learned=learned)
    foretold = estimate(model, wanted)
    really = stored_bytes(model)
    adapters = sum(p.nbytes for n, p in model.named_parameters() if "lora_" in n)
    pairs = {
        "weights": really["codes"] + really["plain"] - adapters,
        "quantisation constants": really["constants"],
        "adapters": adapters,
        "activations": measured_activations(model.train(), batch),
    }
    model.eval()
    for part, measured in pairs.items():
        thought = kept(shape(model), wanted) if part == "activations" else foretold[part]
        if measured:
            foretold_right.append(abs(thought / measured - 1))
            rows_of_table.append((name, part, size(thought), size(measured)))
show(Table(("method", "part", "foretold", "measured"), rows_of_table, "one step of 16 notes"))

# %% [markdown]
# On a model this small the embeddings, which are not rounded, are a third of all weights, and the
# activations outweigh everything. So QLoRA saves little here. Now a model of 7 billion weights, four
# texts of 512 tokens, half precision, on the shapes that are published:

# %%
from ftlab.show.memory import memory_bars, memory_table

BIG = {"precision": "fp16", "batch_size": 4, "tokens": 512}
WIDE = {"rank": 64, "targets": ("q", "k", "v", "o", "ff")}
plans = {
    "full": MemoryPlan("full", **BIG),
    "full, 8-bit AdamW": MemoryPlan("full", optimizer="adamw8bit", **BIG),
    "LoRA": MemoryPlan("lora", base="fp16", **BIG, **WIDE),
    "LoRA, checkpointing": MemoryPlan(
        "lora", base="fp16", gradient_checkpointing=True, **BIG, **WIDE
    ),
    "QLoRA": MemoryPlan("qlora", **BIG, **WIDE),
    "QLoRA, checkpointing": MemoryPlan("qlora", gradient_checkpointing=True, **BIG, **WIDE),
    "... and paged": MemoryPlan(
        "qlora", gradient_checkpointing=True, optimizer="paged_adamw", **BIG, **WIDE
    ),
}
seven = {name: estimate("llama-7b", wanted) for name, wanted in plans.items()}
show(memory_bars(seven, title="A model of 7 billion weights: what a step needs"))

# %%
show(memory_table(seven))

# %% [markdown]
# *Gradient checkpointing* keeps only each block's input, and computes the rest again on the way down:
# less memory, and the way up is walked twice.
#
# Which size fits a T4 (15 GB) with which method?

# %%
SIZES = ("smollm2-135m", "llama-1b", "llama-3b", "llama-7b", "llama-13b")
METHODS = {name: plans[name] for name in ("full", "LoRA, checkpointing", "QLoRA, checkpointing")}
needs = {
    model: {name: estimate(model, wanted).total for name, wanted in METHODS.items()}
    for model in SIZES
}
show(
    Table(
        ("model", *METHODS),
        [
            (
                model,
                *(f"{size(x)} {'fits' if x <= CARDS['T4'] else '-'}" for x in found.values()),
            )
            for model, found in needs.items()
        ],
        "predicted peak of a step, 4 texts of 512 tokens, fp16; fits: in the 15 GB of a T4",
    )
)
adds_up = ftlab.claim(
    "The arithmetic is within 5 % of what torch holds",
    max(foretold_right) < 0.05,
    f"furthest off {max(foretold_right):.1%}, over {len(foretold_right)} parts",
)
fits = ftlab.claim(
    "By this arithmetic 7 billion weights fit a T4 with QLoRA, and not with LoRA on fp16",
    needs["llama-7b"]["QLoRA, checkpointing"]
    < CARDS["T4"]
    < needs["llama-7b"]["LoRA, checkpointing"],
    f"{size(needs['llama-7b']['QLoRA, checkpointing'])} against "
    f"{size(needs['llama-7b']['LoRA, checkpointing'])}, predicted",
)

# %% [markdown]
# When the card is full in any of these notebooks, this table is what you get, with the one change
# that makes it fit. Like so:

# %%
from ftlab.measure.memory_advice import out_of_memory_message

print(out_of_memory_message("llama-3b", MemoryPlan("lora", base="fp16", **BIG), CARDS["T4"]))

# %% [markdown]
# ## Paged optimisers
#
# The peak of memory is short: at the end of the way up all activations are there, and the
# optimiser's states only wait. *Paging* lets them wait elsewhere: CUDA moves them to the computer's
# memory, page by page, and back when the update needs them. (A drawing; heights are not to scale.)

# %%
from ftlab.show.paging import paging

show(paging())

# %% [markdown]
# This needs a CUDA card. On a CPU the library says so and goes on without:

# %%
some = nn.Parameter(torch.zeros(200_000))
some.grad = torch.ones_like(some)
pager = bnb.optim.PagedAdamW8bit([some])
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    pager.step()
told = {str(warning.message) for warning in said}
print("bitsandbytes:", "; ".join(told) if told else "no warning: here states are paged")

short = ftlab.Plan(steps=2, lr=1e-3, optimizer="paged_adamw8bit", measure_every=0)
paged_run = four.run(short, method=QLoRA()).finish()
print(f"it trained all the same: loss {paged_run.steps[-1].loss:.2f} after 2 steps")

# %% [markdown]
# *8-bit* states are another matter, they work everywhere. But small matrices stay in 32 bits (below
# 4,096 numbers), and LoRA's matrices on this model are smaller. So here it saves nothing:

# %%
from ftlab import optimizers

for what, parameters in {
    "adapters of this run": [p for p in run.model.parameters() if p.requires_grad],
    "all weights": list(lab.fresh().parameters()),
}.items():
    kept_bytes = {}
    for name in ("adamw", "adamw8bit"):
        copies = [nn.Parameter(p.detach().clone()) for p in parameters]
        optimizer = optimizers.make([{"params": copies}], ftlab.Plan(optimizer=name))
        for p in copies:
            p.grad = torch.zeros_like(p)
        optimizer.step()
        kept_bytes[name] = optimizers.state_bytes(optimizer)
    print(f"states of {what}: " + ", ".join(f"{n} {size(b)}" for n, b in kept_bytes.items()))

# %% [markdown]
# ### Measured on a card
#
# `ftlab grid qlora --profile t4` trains models of 3 and 7 billion weights (random ones: for memory
# their values do not matter) under a cap of 15 GB, and then with just as much room as the paged
# optimiser needs.

# %%
from ftlab.paths import data_dir
from ftlab.plain import read_json

found = [read_json(path) for path in sorted((data_dir() / "records" / "t4").glob("*.json"))]
for trial in found:
    print(trial["name"], "on", trial["device"])
if not found:
    print("No card was at hand when this workbook was made: nothing is recorded here, so the")
    print("figures for 7 billion weights above are predictions. On a card, run the command.")

# %% [markdown]
# ## fp16 or bf16?
#
# Both take 16 bits. fp16 has the finer steps and ends at 65,504; bf16 reaches as far as fp32, with
# coarse steps. Large models often have a few very large activations, so bf16 is the safer one. But
# a T4 has no circuits for it. It *says* it supports bf16, and imitates it slowly; so we ask for the
# card's generation (8.0 or later) and not for its opinion.

# %%
number = torch.tensor(70_000.0)
print(f"70,000 in fp16: {number.half().item()}; in bf16: {number.bfloat16().item():,.0f}")
step_up = torch.tensor(1.001)
print(f"1.001 in fp16: {step_up.half().item():.4f}; in bf16: {step_up.bfloat16().item():.4f}")

from ftlab.profiles import device, precision

print(f"this machine: {device()}, so we compute in {precision()}")

# %% [markdown]
# ## Exercise 1: how many bits?
#
# *Goal: count what a 4-bit weight really takes. 5 minutes, easy.*
#
# Write `bits_a_weight(block, double)`: 4 bits for the code, and the weight's share of the constants.
# A constant has 32 bits; with double quantisation 8, and 256 of them share one more of 32.

# %%
from ftlab.teach import answers


def bits_a_weight(block, double):
    # <solution>
    if double:
        return 4 + 8 / block + 32 / (block * 256)
    return 4 + 32 / block
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


bits_a_weight = ftlab.exercise(
    bits_a_weight,
    reference=answers.bits_a_weight,
    checks=[("blocks of 64, as measured above", lambda f: (f(64, False), plain_bits))],
    cases=[(64, True), (128, False), (4096, True)],
    hints=["One constant is shared by `block` weights.", "256 constants are 256 * block weights."],
)
print(f"blocks of 32, double: {bits_a_weight(32, True):.3f} bits")

# %% [markdown]
# ## Exercise 2: read the codes
#
# *Goal: from codes back to weights. 5 minutes, easy.*
#
# Write `decoded(codes, absmax, levels)`: `codes` has a row for each block, `absmax` a number.

# %%


def decoded(codes, absmax, levels):
    # <solution>
    return levels[codes] * absmax[:, None]
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


decoded = ftlab.exercise(
    decoded,
    reference=answers.decoded,
    checks=[
        ("the layer from above", lambda f: (f(codes, absmax, theirs), library.reshape(-1, 64)))
    ],
    cases=[(codes[:3], absmax[:3], theirs), (codes[:1] * 0, absmax[:1], theirs)],
    tolerance=1e-6,
    hints=["A tensor can be indexed by a tensor: levels[codes].", "absmax[:, None] is a column."],
)
print("the first weights of the layer:", decoded(codes, absmax, theirs)[0, :4])

# %% [markdown]
# ## Exercise 3: 13 billion weights on a T4
#
# *Goal: a plan for `llama-13b` that the arithmetic puts below 15 GB, with texts of at least 256
# tokens. 10 minutes, medium.*

# %%
# <solution>
mine = MemoryPlan(
    "qlora",
    precision="fp16",
    batch_size=1,
    tokens=256,
    rank=16,
    targets=("q", "v"),
    gradient_checkpointing=True,
    optimizer="paged_adamw8bit",
)
# </solution>
# <stub>
# mine = None  # such as MemoryPlan("lora", base="fp16", precision="fp16", tokens=256, ...)
# </stub>

if mine is None:
    print("no plan of your own yet; the bars above show which parts are large.")
else:
    needed = estimate("llama-13b", mine)
    print(needed)
    done = needed.total <= CARDS["T4"] and mine.tokens >= 256
    print("It fits." if done else "Not yet: see which part is the largest.")

# %% [markdown]
# ## The article says, we measured

# %%
ftlab.verdict_table(
    ftlab.says("NF4 suits weights better than other 4-bit types", supported_by=[best_levels]),
    ftlab.says("Double quantisation saves 0.37 bits a weight", supported_by=[saves]),
    ftlab.says(
        "Rounding the base to four bits costs nothing",
        supported_by=[costs_little],
        contradicted_by=[costs_much],
    ),
    ftlab.says(
        "QLoRA learns as much as LoRA", supported_by=[learns], contradicted_by=[learns_less]
    ),
    ftlab.says("QLoRA keeps as much as LoRA", supported_by=[keeps], contradicted_by=[worse_off]),
    ftlab.says("The adapter can be merged into the model", contradicted_by=[merging]),
    ftlab.says("QLoRA puts large models on small cards", supported_by=[adds_up, fits]),
)

# %% [markdown]
# Not in the table, since no card was at hand to measure it on: that paged optimisers survive where
# others run out of memory, and how fast all this is.
#
# ## What you take along
#
# - NF4: sixteen values at the quantiles of the bell curve, and a constant for 64 weights.
# - Two baselines. Measure the rounded base *before* you train: what is lost there was not forgotten,
#   but it is gone.
# - The adapter belongs to the base it was trained on. Dequantise, then merge.
# - Do the sum before you rent the card: weights, gradients, states, activations.
#
# **Next:** notebook 07 asks which is the right tool: LoRA, adapters or prefixes.
