# %% [markdown]
# # QLoRA: a base in four bits
#
# **In this notebook** the base model is rounded, every weight to one of sixteen values, and LoRA is
# trained on what is left of it. That is *QLoRA*. It made it possible to fine-tune a model of many
# billion weights on one graphics card. You will
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
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## Sixteen values
#
# A weight takes 32 bits, or 16. With 4 bits there are 16 codes, so 16 values. Which? Look at the
# weights of one layer first. They are nearly *normal*: many near zero, few large ones.
#
# If we place the values at equal *distances*, the outer ones are hardly ever used. Place them at
# equal *probabilities* instead, where a normal weight would fall between one and the next equally
# often: at the *quantiles* of the normal distribution. That is NF4, "normal float with 4 bits". Zero
# gets a value of its own; seven lie below it and eight above.
#
# The outermost quantile would lie at infinity. So the table ends half a share before it. Sixteen
# values that share all weights make half a share 1/32; but with a zero in the middle a table is
# symmetric only if it has fifteen, which makes it 1/30. The library takes the mean of the two.

# %%
import torch

bell = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
outermost = 1 - (1 / 30 + 1 / 32) / 2  # the quantile of 1 would be infinitely far out
above = bell.icdf(torch.linspace(outermost, 0.5, 9, dtype=torch.float64))[:-1]
below = -bell.icdf(torch.linspace(outermost, 0.5, 8, dtype=torch.float64))[:-1]
levels = torch.cat([below, torch.zeros(1), above.flip(0)])
levels = (levels / levels.max()).float()
print(len(levels), "values:", ", ".join(f"{value:.3f}" for value in levels))

# %%
from ftlab.base.libraries import bitsandbytes

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
lab = ftlab.open_lab("clinic", model="nano-gpt2")
here = next(lab.bundle.model.parameters()).device
weight = lab.bundle.model.transformer.h[5].mlp.c_fc.weight.detach().T.contiguous().cpu()

blocks = weight.reshape(-1, 64)  # the layer is 512 x 128, so 1,024 blocks
absmax = blocks.abs().amax(1)  # one for each block
distances = (blocks / absmax[:, None])[..., None] - theirs  # of each weight to each of 16 values
codes = distances.abs().argmin(-1)  # the nearest: 0 to 15
again = (theirs[codes] * absmax[:, None]).reshape(weight.shape)

show_four = zip(blocks[0, :4], codes[0, :4], again.flatten()[:4], strict=True)
for old, code, new in show_four:
    print(f"weight {old:+.4f}  code {code:2d}  value {theirs[code]:+.3f}  read again {new:+.4f}")

# %% [markdown]
# Two codes fit into a byte: the first is shifted up by four bits, the second put below. That is how
# the library stores them, so now we can compare byte for byte.

# %%
packed, state = bnb.functional.quantize_4bit(weight, quant_type="nf4", blocksize=64)
library = bnb.functional.dequantize_4bit(packed, state)
two_in_a_byte = (codes.flatten()[::2] << 4 | codes.flatten()[1::2]).to(torch.uint8)
print("codes that differ:", int((two_in_a_byte != packed.flatten()).sum()), "of", weight.numel())
print(f"weights that differ after reading: {int((again != library).sum())}")
wrong = (again - weight).abs().mean() / weight.abs().mean()
print(f"mean error of a weight: {wrong:.1%} of a weight's mean size")
by_hand = ftlab.claim(
    "Quantized by hand, a layer is that of bitsandbytes, bit for bit",
    torch.equal(two_in_a_byte, packed.flatten()) and torch.equal(again, library),
    f"of {weight.numel():,} weights {int((again != library).sum())} differ",
)

# %% [markdown]
# The same weights with two other sets of values: *int4*, at equal distances, and *FP4*, a tiny
# floating-point number. (Error: length of the difference over the length of the weights; lower is
# better. Values that stand close where the weights are many make it small.)

# %%
from ftlab.show import show
from ftlab.show.plots.levels import error, usage, weight_levels

show(weight_levels(weight))

# %% [markdown]
# (The thin bars at -1 and 1 are each block's own largest weight.) One layer is one layer. All of
# them:

# %%
matrices = [
    p.detach().T.contiguous().cpu()
    for name, p in lab.bundle.model.named_parameters()
    if ".h." in name and p.ndim == 2
]
errors = {kind: [error(w, kind) for w in matrices] for kind in ("nf4", "int4", "fp4")}
mean_error = {kind: sum(values) / len(values) for kind, values in errors.items()}
wins = {
    kind: sum(a < b for a, b in zip(errors["nf4"], errors[kind], strict=True))
    for kind in ("int4", "fp4")
}
best_levels = ftlab.claim(
    "NF4 is off by less than int4 and than FP4 in most layers of nano-gpt2",
    min(wins.values()) > 0.75 * len(matrices),
    ", ".join(f"{kind} {value:.1%}" for kind, value in mean_error.items())
    + f"; less than int4 in {wins['int4']}, than FP4 in {wins['fp4']} of {len(matrices)} layers",
)


def two_constants(weight):
    """Error of an int4 that stores a lowest and a highest number for each block."""
    blocks = weight.reshape(-1, 64)
    low, high = blocks.amin(1, keepdim=True), blocks.amax(1, keepdim=True)
    step = (high - low) / 15
    read = ((blocks - low) / step).round() * step + low
    return ((read - blocks).norm() / blocks.norm()).item()


mean_of_two = sum(map(two_constants, matrices)) / len(matrices)
print(f"int4 with two constants for each block: {mean_of_two:.1%}")
end = bell.icdf(torch.tensor(outermost, dtype=torch.float64)).item()
reach = (absmax / blocks.std(1)).mean().item()
print(f"NF4's table ends at {end:.2f} standard deviations, the largest of 64 lies at {reach:.2f}")
print(f"the least used value of NF4 takes {min(usage(weight, 'nf4')):.1%} of the weights,")
print(f"that of int4 {min(usage(weight, 'int4')):.1%}, that of FP4 {min(usage(weight, 'fp4')):.1%}")

# %% [markdown]
# Better, not by worlds. (An int4 that stores a lowest and a highest number for each block, for half a
# bit more a weight, comes as close as NF4.) And NF4's values are not used quite equally either: the
# table was made to end at fewer standard deviations than the largest of 64 weights has, so the values
# in the middle get more than their share.

# %% [markdown]
# ## How large a block?
#
# A small block fits its weights better, but its constant is shared by fewer: 32 bits over 64 weights
# are half a bit for each. *Double quantization* rounds the constants too, to 8 bits, in blocks of
# 256 constants. Move the sliders: where would you stop?

# %%
from ftlab.show.panels.panel import block_panel

block_panel(weight).show()

# %% [markdown]
# The error grows slowly with the block, the bits fall fast at first: from 64 on there is little left
# to save. With double quantization a block of 32 costs less than one of 64 does without.

# %%
_, doubled = bnb.functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
plain_bits = 8 * (packed.nbytes + state.absmax.nbytes) / weight.numel()
second = doubled.absmax.nbytes + doubled.state2.absmax.nbytes
double_bits = 8 * (packed.nbytes + second) / weight.numel()
print(f"bits a weight: {plain_bits:.3f}, with double quantization {double_bits:.3f}")
saves = ftlab.claim(
    "Double quantization saves about 0.37 bits a weight",
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
from ftlab.analysis import compare
from ftlab.models.bases import Quantize
from ftlab.show import Table
from ftlab.show.canvas.style import skill_marks

HOWS = [Quantize(), Quantize(double=False), Quantize("fp4")]
labs = {str(how): lab.quantized(how) for how in HOWS}  # a lab each: its base is the rounded one
plain = lab.baseline
alone = {name: four.baseline for name, four in labs.items()}
left_alone = {name: compare.retained_of(found, plain) for name, found in alone.items()}
names = [mark.label for mark in skill_marks(plain["skills"]).values()]

show(
    Table(
        ("base", *names, "kept (higher is better)", "loss on text (lower is better)"),
        [
            (
                name,
                *(f"{share:.0%}" for share in found["skills"].values()),
                f"{left_alone.get(name, 1.0):.1%}",
                f"{found['general_loss']:.3f}",
            )
            for name, found in {"32 bits": plain, **alone}.items()
        ],
        "nano-gpt2 before any training; one model, rounded in three ways (double: constants too)",
    )
)
print(guess.compare(100 * left_alone["nf4-double"]))

# %% [markdown]
# On this small model, trained long on a small world, the rounding costs next to nothing. Do not take
# that home yet. The same on a real language model, SmolLM2-135M (recorded):

# %%
from ftlab.analysis.four_bits import left, pairs

recorded = pairs()  # LoRA on the plain base beside QLoRA on the rounded one
real = next(pair for pair in recorded if pair.where.startswith("SmolLM2"))
real_plain, real_four = real.plain, real.qlora.runs[0].baseline  # before any training

show(
    Table(
        (
            "base",
            *(mark.label for mark in skill_marks(real_plain["skills"]).values()),
            "loss on text (lower is better)",
        ),
        [
            (name, *(f"{x:.0%}" for x in found["skills"].values()), f"{found['general_loss']:.3f}")
            for name, found in {"32 bits": real_plain, "nf4-double": real_four}.items()
        ],
        "SmolLM2-135M before any training",
    )
)
real_cost = 1 - compare.retained_of(real_four, real_plain)
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
# (Why so much? We have not tested it. Two suspects: a model of 135 million weights may have little to
# spare, and published results, where rounding costs little, are of models fifty times as large. And
# the file this one comes from had been rounded to four bits once before, in another format.)
#
# ## Training through the codes
#
# A code cannot be moved a little, so the base is frozen. But a gradient can go *through* a frozen
# layer: for $y = W x$ the gradient for $x$ is that of $y$ times $W$. All it needs is the weights, and
# they are read from the codes when they are needed. The adapters $A$ and $B$ stay in full precision:

# %%
from torch import nn

from ftlab.base.machine import device, precision
from ftlab.methods import nf4
from ftlab.methods.qlora import QLoRA


class QLoRALinear(nn.Module):
    """A layer in four bits, and a LoRA in full precision beside it."""

    def __init__(self, stored, bias, A, B, scale):
        super().__init__()
        self.stored, self.bias, self.scale = stored, bias, scale
        self.A, self.B = nn.Parameter(A.clone()), nn.Parameter(B.clone())

    def forward(self, x):
        frozen = x @ nf4.dequantize(self.stored).T + self.bias
        return frozen + self.scale * (x @ self.A.T @ self.B.T)


single = labs["nf4"]  # without double quantization, as in the lines above
wrapped = QLoRA()(single.fresh())
theirs_layer = wrapped.model.base_model.model.transformer.h[5].mlp.c_fc
nn.init.normal_(theirs_layer.lora_B["default"].weight, std=0.1)  # at 0 a mistake would not show
ours_layer = QLoRALinear(
    nf4.quantize(weight),
    theirs_layer.base_layer.bias,
    theirs_layer.lora_A["default"].weight.data,
    theirs_layer.lora_B["default"].weight.data,
    theirs_layer.scaling["default"],
)
ours_layer = ours_layer.to(here)
x = torch.randn(3, 128, device=here).requires_grad_()
y = x.detach().clone().requires_grad_()
ours_layer(x).square().sum().backward()
theirs_layer(y).square().sum().backward()
sides = {
    "output": (ours_layer(x), theirs_layer(y)),
    "gradient of A": (ours_layer.A.grad, theirs_layer.lora_A["default"].weight.grad),
    "gradient of B": (ours_layer.B.grad, theirs_layer.lora_B["default"].weight.grad),
    "gradient that goes on to the layer below": (x.grad, y.grad),
}
for name, (a, b) in sides.items():
    apart = ((a - b).norm() / b.norm()).item()
    print(f"{name}: differs by {apart:.0e}")
    assert apart < (1e-5 if precision() == "fp32" else 2e-2)

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
        if live.stopped:
            break

# %%
last = run.final  # the curve asks 32 notes and 125 probes at each point, this asks all of them
print(run.moving)
print(guess_kept.compare(100 * last["retention"]))
print(f"{last['target_score']:.0%} of the notes right, {last['retention']:.0%} kept of its base.")

# %% [markdown]
# ## LoRA against QLoRA
#
# The same adapters, the same notes in the same order, three seeds, recorded. *Kept of its own base*
# is the fair measure of forgetting; *left of the plain base* is what you will have in your hands.

# %%


def shares(values):
    """Mean, lowest and highest of a few shares."""
    return f"{sum(values) / len(values):.0%} ({min(values):.0%} to {max(values):.0%})"


show(
    Table(
        ("setting", "method", "right", "kept of its own base", "left of the plain base"),
        [
            (
                pair.where if name == "LoRA" else "",
                name,
                setting.told("target_score"),
                setting.told("retention"),
                shares(left(setting, pair.plain)),
            )
            for pair in recorded
            for name, setting in (("LoRA", pair.lora), ("QLoRA", pair.qlora))
        ],
        "higher is better in every column; mean of 3 seeds (lowest to highest)",
    )
)

# %%
for pair in recorded:
    right = compare.difference(pair.qlora, pair.lora, "target_score")
    own = compare.difference(pair.qlora, pair.lora)
    print(f"{pair.where}: QLoRA - LoRA, right {right}; kept of its own base {own}")

# %% [markdown]
# In brackets stand 95 % intervals of three paired seeds. Where one holds zero, these runs do not
# decide; and where it is wide, they say next to nothing. That is not the same as "no difference".


# %%
def how_many(key):
    """Where both are shown to be within 10 points, where QLoRA is clearly below; and in words."""
    near = [p.where for p in recorded if compare.close(p.qlora, p.lora, key)]
    less = [p.where for p in recorded if compare.more(p.lora, p.qlora, key)]
    undecided = [p.where for p in recorded if p.where not in (*near, *less)]
    words = f"within 10 points in {len(near)} of {len(recorded)} settings"
    words += f", clearly less in {', '.join(less) or 'none'}"
    return near, less, words + (f", undecided in {', '.join(undecided)}" if undecided else "")


near_right, less_right, right_words = how_many("target_score")
near_kept, less_kept, kept_words = how_many("retention")
learns = ftlab.claim(
    "QLoRA's right answers are shown to be within 10 points of LoRA's in half of the settings",
    len(near_right) >= len(recorded) / 2,
    right_words,
)
keeps = ftlab.claim(
    "What QLoRA keeps of its own base is within 10 points of LoRA in half, clearly less in none",
    len(near_kept) >= len(recorded) / 2 and not less_kept,
    kept_words,
)
left_lora, left_qlora = left(real.lora, real.plain), left(real.qlora, real.plain)
worse_off = ftlab.claim(
    "SmolLM2: of the plain base's skills less is left after QLoRA than after LoRA (3 seeds)",
    compare.verdict(left_lora, left_qlora) == "holds",
    f"{shares(left_qlora)} against {shares(left_lora)}",
)

# %% [markdown]
# So the promise "the same quality" holds, within ten points, wherever three seeds can tell; in the
# other settings they cannot. What is poorer on the real model is the base that one starts from.
#
# And what is saved, and what does it cost in time? Weights as they are stored, and steps of both in
# turn (the median of seven, after two that do not count):

# %%
from itertools import pairwise
from statistics import median

from ftlab.models.quantizing import stored_bytes

nine = ftlab.Plan(steps=9, lr=1e-3, measure_every=0)
timed = {
    "LoRA": lab.run(
        nine, method=QLoRA().adapters, store=False
    ),  # the same adapters on the plain base
    "QLoRA": four.run(nine, method=QLoRA(), store=False),
}
for _ in zip(*timed.values(), strict=True):  # a step of each in turn
    pass
for name, made in timed.items():
    ends = [step.seconds for step in made.steps]
    took = median(b - a for a, b in pairwise(ends[2:]))
    stored = sum(stored_bytes(made.model).values())
    print(f"{name}: {stored / 1e6:.1f} MB of weights; {took:.2f} s a step on this machine")

# %% [markdown]
# Every layer is read from its codes on the way up and again on the way down. What that costs on a card
# is another question.
#
# ## Merging, and three ways to do it
#
# An adapter can be added into the weights, so that one ordinary model is left. But into *which*
# weights? It was trained beside the rounded ones.

# %%
import copy
import warnings

from ftlab.methods.export import merge

prompt = lab.domain.test[0]["prompt"]
ids = torch.tensor([lab.tokenizer(prompt)["input_ids"]], device=here)


def logits(model):
    with torch.no_grad():
        return model(ids).logits


trained = logits(run.model)

rightly = merge(run.model)  # 1. dequantize the base, then add the adapter

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
        "dequantized, then merged": rightly,
        "merged into four bits": into_codes,
        "merged into the plain base": into_plain,
    }.items()
}
ways = {
    "as it was trained": last,
    "dequantized, then merged": four.evaluator.full(rightly),
    "merged into four bits": four.evaluator.full(into_codes),
    "merged into the plain base": four.evaluator.full(into_plain),
}
show(
    Table(
        ("model", "logits differ by (lower is better)", "right", "kept of its own base"),
        [
            (
                name,
                f"{off.get(name, 0.0):.2%}",
                f"{found['target_score']:.1%}",
                f"{found['retention']:.1%}",
            )
            for name, found in ways.items()
        ],
        "logits: the scores of each next word, on one prompt; right, kept: higher is better",
    )
)

# %%
limit = {"fp32": 2e-4, "fp16": 2e-3, "bf16": 2e-2}[precision()]
mergeable = ftlab.claim(
    "Merged into the dequantized base, the model stays what it was",
    off["dequantized, then merged"] < limit,
    f"logits differ by {off['dequantized, then merged']:.3%}",
)
two_ways = off["merged into four bits"], off["merged into the plain base"]
merging = ftlab.claim(
    "Merged into the codes, or into the weights from before the rounding, it is another model",
    min(two_ways) > max(0.01, 2 * limit),
    f"logits differ by {two_ways[0]:.1%} and {two_ways[1]:.1%}",
)

# %% [markdown]
# Only the first is the model that you trained. The other two are different models; whether they are
# worse, nobody knows before they are measured.

# %% [markdown]
# ## Where the memory goes
#
# Memory is what QLoRA is for. What has to lie on the card while a model is trained:
#
# - the **weights**, and for a 4-bit base their constants,
# - the **adapters**,
# - a **gradient** for every number that moves,
# - the **optimiser's states**: AdamW keeps two running means for each of these, in 32 bits,
# - the **activations**: what the layers computed on the way up (the *forward* pass) and need again
#   on the way down (the *backward* pass),
# - the **logits and the loss**: a number for every learned token and every word of the vocabulary,
# - **half-precision copies**: full fine-tuning keeps its weights in 32 bits and multiplies in 16,
# - a **workspace** for one layer at a time.
#
# They are not all there at once. The gradients, for instance, come when activations go, so at the
# fullest moment there may be none yet.
#
# `ftlab` adds them up from the shape of a model alone (`ftlab.memory.arithmetic` says how, with the
# sources). First for a model that we can measure: a training step of nano-gpt2, fully and by QLoRA.
# The activations are held against what torch really keeps for the way down.

# %%
from ftlab.memory.activations import saved
from ftlab.memory.arithmetic import estimate
from ftlab.memory.measured import measured_activations, measured_peak
from ftlab.memory.parts import CARDS, size
from ftlab.memory.plan import MemoryPlan, plan_of
from ftlab.memory.shapes import shape
from ftlab.methods.full_tuning import full
from ftlab.text.loss import summed_loss
from ftlab.text.train_batches import collate, encode
from ftlab.train import optimizers

items = encode(run.rows[:16], lab.tokenizer, loss_on="answer", limit=128)
batch = collate(items)
learned = round(sum(item.learned for item in items) / len(items))  # tokens of an answer
rows_of_table, foretold_right = [], []
for name, model in {"full": full(lab.fresh()).model, "QLoRA": run.model}.items():
    wanted = plan_of(model, plan, tokens=batch.ids.shape[1], learned=learned)
    foretold = estimate(model, wanted)
    really = stored_bytes(model)
    adapters = sum(p.nbytes for n, p in model.named_parameters() if "lora_" in n)
    parts = {
        "weights": really["codes"] + really["plain"] - adapters,
        "quantization constants": really["constants"],
        "adapters": adapters,
        "activations": measured_activations(model.train(), batch.on(here)),
    }
    model.eval()
    for part, measured in parts.items():
        thought = saved(shape(model), wanted) if part == "activations" else foretold[part]
        if measured:
            foretold_right.append(abs(thought / measured - 1))
            rows_of_table.append((name, part, size(thought), size(measured)))

unrounded = (really["plain"] - adapters) / parts["weights"]  # of QLoRA, the last of the two

# and the fullest moment of a whole QLoRA step, by torch's own book of what it hands out
pupil = four.run(ftlab.Plan(steps=2, lr=1e-3, measure_every=0), method=QLoRA())
moving = [p for p in pupil.model.parameters() if p.requires_grad]
optimizer = optimizers.make([{"params": moving}], ftlab.Plan())
batch = batch.on(here)


def one_step():
    (summed_loss(pupil.model, batch) / 100).backward()
    optimizer.step()
    optimizer.zero_grad()


pupil.model.train()
one_step()  # the optimiser's states are there from now on
before = sum(stored_bytes(pupil.model).values()) + optimizers.state_bytes(optimizer)
peak = before + measured_peak(one_step, here)
thought = foretold.total  # of QLoRA, the last of the two
foretold_right.append(abs(thought / peak - 1))
rows_of_table.append(("QLoRA", "the fullest moment, all parts", size(thought), size(peak)))
show(Table(("method", "part", "foretold", "measured"), rows_of_table, "one step of 16 notes"))
print(f"of QLoRA's weights {unrounded:.0%} are those that are not rounded")

# %% [markdown]
# On a model this small the activations outweigh everything, and what is not rounded (embeddings,
# norms) is more than half of what is left of the weights. So QLoRA saves little here.
#
# Now a model of 7 billion weights, four texts of 512 tokens, computed in half precision, on the shapes
# that are published. (A `MemoryPlan` is the part of a plan that memory depends on: how the base is
# stored, where adapters stand, how much is read at once.) *Gradient checkpointing* keeps only each
# block's input, and computes the rest again on the way down: less memory, and the way up is walked
# twice. *Paged* comes below.

# %%
from ftlab.show.plots.memory import memory_bars, memory_table

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
    "nano-gpt2: the arithmetic is within 5 % of what torch holds, part by part and at the peak",
    max(foretold_right) < 0.05,
    f"furthest off {max(foretold_right):.1%}, over {len(foretold_right)} parts",
)
fits = ftlab.claim(
    "Predicted: 7 billion weights fit a T4 with QLoRA, and not with LoRA on fp16",
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
from ftlab.memory.advice import out_of_memory_message

print(out_of_memory_message("llama-3b", MemoryPlan("lora", base="fp16", **BIG), CARDS["T4"]))

# %% [markdown]
# ## Paged optimisers
#
# The peak of memory is short: at the end of the way up all activations are there, and the
# optimiser's states only wait. *Paging* lets them wait elsewhere: CUDA moves them to the computer's
# memory, page by page, and back when the update needs them. (A drawing; heights are not to scale.)

# %%
from ftlab.show.plots.paging import paging

show(paging())

# %% [markdown]
# This needs a CUDA card. On a CPU the library says so and goes on without:

# %%
some = nn.Parameter(torch.zeros(200_000, device=here))
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
# `python -m tools.bench.gpu_memory`, in a clone, trains models of 3 and 7 billion weights (random ones: for memory
# their values do not matter) under a cap of 15 GB, and then with just as much room as the paged
# optimiser needs.

# %%
from ftlab.base.jsonfile import read_json
from ftlab.base.paths import data_dir

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
# a T4 has no circuits for it. Asked whether it supports bf16, torch says yes, since it can imitate
# it, slowly; so we ask for the card's generation (8.0 or later).

# %%
number = torch.tensor(70_000.0)
print(f"70,000 in fp16: {number.half().item()}; in bf16: {number.bfloat16().item():,.0f}")
step_up = torch.tensor(1.001)
print(f"1.001 in fp16: {step_up.half().item():.4f}; in bf16: {step_up.bfloat16().item():.4f}")

print(f"this machine: {device()}, so we compute in {precision()}")

# %% [markdown]
# ## Exercise 1: how many bits?
#
# *Goal: count what a 4-bit weight really takes. 5 minutes, easy.*
#
# Write `bits_a_weight(block, double)`: 4 bits for the code, and the weight's share of the constants.
# A constant has 32 bits; with double quantization 8, and 256 of them share one more of 32.

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
# *Goal: a plan for `llama-13b` that the arithmetic puts below 15 GB, with four texts of 2,048 tokens
# and adapters of rank 64 on every linear layer. 10 minutes, medium.*
#
# Start from "QLoRA, checkpointing" above, make the texts long, and see which part is in the way.
#
# <details><summary>Hint 1</summary>Print your plan's `estimate`: the last column is the fullest
# moment, part by part.</details>
#
# <details><summary>Hint 2</summary>Which of the parts only waits at that moment, and may wait
# elsewhere?</details>

# %%
# <solution>
mine = MemoryPlan(
    "qlora",
    precision="fp16",
    batch_size=4,
    tokens=2048,
    learned=64,
    **WIDE,
    gradient_checkpointing=True,
    optimizer="paged_adamw",
)
# </solution>
# <stub>
# mine = None  # such as MemoryPlan("qlora", precision="fp16", batch_size=4, tokens=2048, **WIDE)
# </stub>

if mine is None:
    print("no plan of your own yet; the bars above show which parts are large.")
else:
    needed = estimate("llama-13b", mine)
    print(needed)
    asked_for = {
        "below 15 GB": needed.total <= CARDS["T4"],
        "four texts of 2,048 tokens": mine.batch_size >= 4 and mine.tokens >= 2048,
        "rank 64 everywhere": mine.rank >= 64 and len(mine.targets) == 5,
    }
    for what, done in asked_for.items():
        print("✓" if done else "✗", what)

# %% [markdown]
# ## The article says, we measured

# %%
ftlab.verdict_table(
    ftlab.says("NF4 suits weights better than other 4-bit types", supported_by=[best_levels]),
    ftlab.says("Double quantization saves 0.37 bits a weight", supported_by=[saves]),
    ftlab.says(
        "Rounding the base to four bits costs nothing",
        supported_by=[costs_little],
        contradicted_by=[costs_much],
    ),
    ftlab.says(
        "QLoRA learns as much as LoRA (within 10 points, where three seeds can tell)",
        supported_by=[learns],
    ),
    ftlab.says("QLoRA keeps as much as LoRA", supported_by=[keeps], contradicted_by=[worse_off]),
    ftlab.says(
        "The adapter can be merged into the model",
        supported_by=[mergeable],
        contradicted_by=[merging],
    ),
    ftlab.says("Memory can be foretold by adding up (here: a small model)", supported_by=[adds_up]),
)

# %% [markdown]
# Not in the table, since it takes a card to measure it (see "Measured on a card"): that 7 billion
# weights fit a T4 (predicted above), that paged optimisers survive where others run out of memory,
# and how fast all this is.
#
# ## What you take along
#
# - NF4: sixteen values at the quantiles of the bell curve, and a constant for 64 weights.
# - Two baselines. Measure the rounded base *before* you train: what is lost there was not forgotten,
#   but it is gone.
# - The adapter belongs to the base it was trained on. Dequantise, then merge.
# - Do the sum before you rent the card: weights, gradients, states, activations.
#
# **Next:** notebook 07, still to come, asks which is the right tool: LoRA, adapters or prefixes.
