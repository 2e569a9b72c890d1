# %% [markdown]
# # QLoRA: a base in four bits
#
# <!-- for: those whose card is small -->
# <!-- seen: a base in four bits, what that alone costs, and what fits on a card -->
#
# **In this notebook** the base model is rounded, every weight to one of sixteen values, and LoRA is
# trained on top of it. That is *QLoRA*. It made it possible to fine-tune a model of many billion
# weights on one graphics card. You will
#
# - derive the sixteen values from the normal distribution, and find exactly the table that the
#   library `bitsandbytes` uses,
# - measure what the rounding *alone* costs, before any training,
# - train adapters on the rounded base, and compare with LoRA on the plain one,
# - merge the result correctly, and see three ways that look the same and are not,
# - add up, byte by byte, what fits on a card of 15 GB.
#
# You need notebook 04 (LoRA), or this: a LoRA is a pair of small matrices beside a large frozen
# one, and only they are trained. *Learned* is the share of correct answers on the new task,
# *retained* the share of the base's skills that is still there.
#
# Everything here is real, on a CPU too: real codes, and real gradients through them. There is one
# exception, *paging*, which needs a CUDA card; we say so where it comes up.

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
# A weight takes 32 bits, or 16. With 4 bits there are 16 codes, so 16 values. Which ones? Weights
# of a layer are nearly *normally distributed*: many near zero, few large ones.
#
# Values at equal *distances* would be a waste: the outer ones are hardly ever used. So place them
# at equal *probabilities*: a normal weight falls between one value and the next equally often.
# These are the *quantiles* of the normal distribution, and this is NF4, "normal float with 4 bits".
# Zero gets a value of its own; seven lie below it and eight above.
#
# The outermost quantile would be at infinity. So the table ends half a share before it. If sixteen
# values share all weights, half a share is 1/32; but with a zero in the middle a table is symmetric
# only if it has fifteen, which makes it 1/30. The library takes the mean of the two.

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
import bitsandbytes as bnb  # not installed? `pip install bitsandbytes`, then restart the kernel

theirs = bnb.functional.get_4bit_type("nf4", device="cpu")
print(f"largest difference from the table of bitsandbytes: {(levels - theirs).abs().max():.0e}")
assert torch.allclose(levels, theirs, atol=2e-7)

# %% [markdown]
# ## Block by block
#
# The values lie between -1 and 1, the weights do not. So 64 neighbouring weights, a *block*, are
# divided by the largest absolute value among them, and that one constant (*absmax*, in 32 bits) is
# stored beside their codes. Reading goes the other way: the value of the code, times absmax.

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
# Two codes fit into a byte: the first is shifted up by four bits, the second goes below it. The
# library stores them like this, so now we can compare byte for byte.

# %%
packed, state = bnb.functional.quantize_4bit(weight, quant_type="nf4", blocksize=64)
library = bnb.functional.dequantize_4bit(packed, state)
two_in_a_byte = (codes.flatten()[::2] << 4 | codes.flatten()[1::2]).to(torch.uint8)
print("codes that differ:", int((two_in_a_byte != packed.flatten()).sum()), "of", weight.numel())
print(f"weights that differ after reading: {int((again != library).sum())}")
wrong = (again - weight).abs().mean() / weight.abs().mean()
print(f"mean error of a weight: {wrong:.1%} of a weight's mean size")
by_hand = ftlab.claim(
    "Quantized by hand, a layer equals that of bitsandbytes, bit for bit",
    torch.equal(two_in_a_byte, packed.flatten()) and torch.equal(again, library),
    f"of {weight.numel():,} weights {int((again != library).sum())} differ",
)

# %% [markdown]
# The same weights with two other sets of values: *int4*, at equal distances, and *FP4*, a tiny
# floating-point format. (Error: length of the difference divided by the length of the weights;
# lower is better. It is small if values are dense where the weights are.)

# %%
from ftlab.show import show, weight_levels

show(weight_levels(weight))

# %% [markdown]
# (The thin bars at -1 and 1 are each block's own largest weight.) That was one layer. Now all of
# them:

# %%
from ftlab.show import error, usage

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
    "NF4 has a smaller error than int4 and FP4 in most layers of nano-gpt2",
    min(wins.values()) > 0.75 * len(matrices),
    ", ".join(f"{kind} {value:.1%}" for kind, value in mean_error.items())
    + f"; smaller than int4 in {wins['int4']}, than FP4 in {wins['fp4']} of {len(matrices)} layers",
)


def two_constants(weight):
    """Error of an int4 that stores a lowest and a highest value for each block."""
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
# Only slightly better. (An int4 that stores a lowest and a highest value for each block, for half a
# bit more a weight, comes as close as NF4.) And NF4's values are not used quite equally often
# either: the table ends at fewer standard deviations than the largest of 64 weights has, so the
# values in the middle get more than their share.

# %% [markdown]
# ## How large a block?
#
# A small block fits its weights better, but fewer weights share its constant: 32 bits over 64
# weights are half a bit for each. *Double quantization* rounds the constants too, to 8 bits, in
# blocks of 256 constants. Move the sliders: where would you stop?

# %%
from ftlab.show import block_panel

block_panel(weight).show()

# %% [markdown]
# The error grows slowly with the block size, the bits fall fast at first: from 64 on there is
# little left to save. With double quantization a block of 32 takes fewer bits than a block of 64
# without it.

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
# Nothing has been trained yet. We only store the base model in four bits: the linear layers of its
# blocks. Embeddings, norms and the head stay as they are.

# %%
guess = ftlab.predict(
    "How much of its skills does the base retain when each weight becomes one of 16 values?",
    None,
    unit="%",
)

# %%
from ftlab import analysis
from ftlab.models import Quantize
from ftlab.show import Table

HOWS = [Quantize(), Quantize(double=False), Quantize("fp4")]
labs = {str(how): lab.quantized(how) for how in HOWS}  # a lab each: its base is the rounded one
plain = lab.baseline
alone = {name: four.baseline for name, four in labs.items()}
retained_alone = {name: analysis.retained_of(found, plain) for name, found in alone.items()}
names = [skill.replace("_", " ") for skill in plain["skills"]]

show(
    Table(
        ("base", *names, "retained (higher is better)", "loss on text (lower is better)"),
        [
            (
                name,
                *(f"{share:.0%}" for share in found["skills"].values()),
                f"{retained_alone.get(name, 1.0):.1%}",
                f"{found['general_loss']:.3f}",
            )
            for name, found in {"32 bits": plain, **alone}.items()
        ],
        "nano-gpt2 before any training; the base, rounded in three ways (double: constants, too)",
    )
)
print(guess.compare(100 * retained_alone["nf4-double"]))

# %% [markdown]
# On this small model, trained long on a small world, the rounding costs next to nothing. Do not
# generalise from that yet. Here is the same on a real language model, SmolLM2-135M (recorded):

# %%
recorded = analysis.pairs()  # LoRA on the plain base beside QLoRA on the rounded one
real = next(pair for pair in recorded if pair.where.startswith("SmolLM2"))
real_plain, real_four = real.plain, real.qlora.runs[0].baseline  # before any training

show(
    Table(
        (
            "base",
            *(skill.replace("_", " ") for skill in real_plain["skills"]),
            "loss on text (lower is better)",
        ),
        [
            (name, *(f"{x:.0%}" for x in found["skills"].values()), f"{found['general_loss']:.3f}")
            for name, found in {"32 bits": real_plain, "nf4-double": real_four}.items()
        ],
        "SmolLM2-135M before any training",
    )
)

# %%
real_cost = 1 - analysis.retained_of(real_four, real_plain)
nano_cost = 1 - retained_alone["nf4-double"]
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
# That is a loss *before* the first training step, so it is not forgetting, and it would be wrong to
# call it that. It would be just as wrong to leave it out. So from here on there are two baselines:
# what is retained of the base *that was trained on* (its own, rounded), and what is left of the
# *plain* one.
#
# (Why so much? We have not tested it. Two suspects: a model of 135 million weights may have little
# to spare; published results, where rounding costs little, are for models fifty times as large. And
# the file that this one comes from had already been rounded to four bits once, in another format.)
#
# ## Training through the codes
#
# A code cannot be moved a little, so the base is frozen. But a gradient can go *through* a frozen
# layer: for $y = W x$ the gradient for $x$ is that of $y$ times $W$. All it needs is the weights,
# and they are read from the codes when they are needed. The adapters $A$ and $B$ stay in full
# precision:

# %%
from torch import nn

from ftlab.methods import nf4


class QLoRALinear(nn.Module):
    """A layer in four bits, and a LoRA in full precision beside it."""

    def __init__(self, stored, bias, A, B, scale):
        super().__init__()
        self.stored, self.bias, self.scale = stored, bias, scale
        self.A, self.B = nn.Parameter(A.clone()), nn.Parameter(B.clone())

    def forward(self, x):
        frozen = x @ nf4.dequantize(self.stored).T + self.bias
        return frozen + self.scale * (x @ self.A.T @ self.B.T)


# %%
from ftlab.methods import QLoRA

single = labs["nf4"]  # without double quantization, as in the lines above
wrapped = QLoRA()(single.fresh())
theirs_layer = wrapped.model.base_model.model.transformer.h[5].mlp.c_fc
nn.init.normal_(theirs_layer.lora_B["default"].weight, std=0.1)  # at 0 a mistake would not show
ours_layer = QLoRALinear(
    nf4.quantize(weight.to(here), levels=theirs),  # the library's table, to the last digit
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
    assert apart < (1e-5 if ftlab.machine.precision() == "fp32" else 2e-2)

# %% [markdown]
# Now the real run: rank 4 on every linear layer, as in notebook 04, on the rounded base. The run's
# own baseline is the rounded base.

# %%
guess_kept = ftlab.predict(
    "Retained of its own base, with QLoRA at a rate of 3e-3?", None, unit="%"
)

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
last = run.final  # the curve asks 32 notes and 125 questions at each point, this asks all
print(run.prepared)
print(guess_kept.compare(100 * last["retention"]))
print(f"Learned {last['target_score']:.0%}, retained {last['retention']:.0%} of its own base.")

# %% [markdown]
# ## LoRA against QLoRA
#
# The same adapters, the same notes in the same order, three seeds, recorded. *Retained of its own
# base* is the fair measure of forgetting; *left of the plain base* is what you end up with.


# %%
def shares(values):
    """Mean, lowest and highest of a few shares."""
    return f"{sum(values) / len(values):.0%} ({min(values):.0%} to {max(values):.0%})"


show(
    Table(
        ("setting", "method", "learned", "retained of its own base", "left of the plain base"),
        [
            (
                pair.where if name == "LoRA" else "",
                name,
                setting.text("target_score"),
                setting.text("retention"),
                shares(analysis.left(setting, pair.plain)),
            )
            for pair in recorded
            for name, setting in (("LoRA", pair.lora), ("QLoRA", pair.qlora))
        ],
        "higher is better in every column; mean of 3 seeds (lowest to highest)",
    )
)

# %%
for pair in recorded:
    learned = analysis.difference(pair.qlora, pair.lora, "target_score")
    own = analysis.difference(pair.qlora, pair.lora)
    print(f"{pair.where}: QLoRA - LoRA, learned {learned}; retained of its own base {own}")

# %% [markdown]
# The brackets hold 95 % intervals over three paired seeds. If an interval contains zero, these runs
# do not decide; and if it is wide, they say next to nothing. That is not the same as "no
# difference".


# %%
def how_many(key):
    """Where both are shown to be within 10 points, where QLoRA is clearly below; and in words."""
    near = [p.where for p in recorded if analysis.close(p.qlora, p.lora, key)]
    less = [p.where for p in recorded if analysis.more(p.lora, p.qlora, key)]
    undecided = [p.where for p in recorded if p.where not in (*near, *less)]
    words = f"within 10 points in {len(near)} of {len(recorded)} settings"
    words += f", clearly less in {', '.join(less) or 'none'}"
    return near, less, words + (f", undecided in {', '.join(undecided)}" if undecided else "")


near_learned, less_learned, learned_words = how_many("target_score")
near_retained, less_retained, retained_words = how_many("retention")
learns = ftlab.claim(
    "In no setting is QLoRA shown to learn less than LoRA (3 seeds each)",
    not less_learned,
    learned_words,
)
retains = ftlab.claim(
    "and in none to retain less of its own base",
    not less_retained,
    retained_words,
)
left_lora = analysis.left(real.lora, real.plain)
left_qlora = analysis.left(real.qlora, real.plain)
worse_off = ftlab.claim(
    "SmolLM2: three seeds do not show that less of the plain base's skills is left after QLoRA",
    analysis.verdict(left_lora, left_qlora) != "holds",
    f"{shares(left_qlora)} against {shares(left_lora)}",
)

# %% [markdown]
# So the promise "the same quality" is nowhere contradicted, and where three seeds can decide, it holds
# within ten points; in most settings they cannot. What is worse on the real model is the base that
# training starts from.
#
# And what is saved, and what does it cost in time? Here are the stored weights, and the time of a
# step, both methods in turn (the median of seven steps, after two that do not count):

# %%
from itertools import pairwise
from statistics import median

from ftlab.models import stored_bytes

nine = ftlab.Plan(steps=9, lr=1e-3, measure_every=0)
timed = {
    # the same adapters on the plain base
    "LoRA": lab.run(nine, method=QLoRA().adapters, store=False),
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
# Every layer is read from its codes in the forward pass and again in the backward pass. What that
# costs on a card is another question.
#
# ## Merging, and three ways to do it
#
# An adapter can be added into the weights, so that one ordinary model is left. But into *which*
# weights? It was trained beside the rounded ones.

# %%
import copy
import warnings

from ftlab.methods import merge

prompt = lab.domain.test[0]["prompt"]
ids = torch.tensor([lab.tokenizer(prompt)["input_ids"]], device=here)


def logits(model):
    with torch.no_grad():
        return model(ids).logits


trained = logits(run.model)

dequantized = merge(run.model)  # 1. dequantize the base, then add the adapter

with warnings.catch_warnings():  # 2. add, and round the sum to four bits again
    warnings.simplefilter("ignore")
    into_codes = copy.deepcopy(run.model).merge_and_unload().eval()

plain_base = QLoRA().adapters(lab.fresh()).model  # 3. add to the weights from before the rounding
adapter = {name: p for name, p in run.model.state_dict().items() if "lora_" in name}
plain_base.load_state_dict(adapter, strict=False)
into_plain = merge(plain_base)

# %%
off = {
    name: ((logits(model) - trained).norm() / trained.norm()).item()
    for name, model in {
        "dequantized, then merged": dequantized,
        "merged into four bits": into_codes,
        "merged into the plain base": into_plain,
    }.items()
}
ways = {
    "as it was trained": last,
    "dequantized, then merged": four.evaluator.full(dequantized),
    "merged into four bits": four.evaluator.full(into_codes),
    "merged into the plain base": four.evaluator.full(into_plain),
}
show(
    Table(
        ("model", "logits differ by (lower is better)", "learned", "retained of its own base"),
        [
            (
                name,
                f"{off.get(name, 0.0):.2%}",
                f"{found['target_score']:.1%}",
                f"{found['retention']:.1%}",
            )
            for name, found in ways.items()
        ],
        "logits: the scores of each next token, on one prompt; learned, retained: higher is better",
    )
)

# %%
limit = {"fp32": 2e-4, "fp16": 2e-3, "bf16": 2e-2}[ftlab.machine.precision()]
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
# Memory is what QLoRA is for. This must be on the card while a model is trained:
#
# - the **weights**, and for a 4-bit base their constants,
# - the **adapters**,
# - a **gradient** for every trained parameter,
# - the **optimiser's states**: AdamW stores two running means for each of these, in 32 bits,
# - the **activations**: what the layers computed in the *forward* pass and need again in the
#   *backward* pass,
# - the **logits and the loss**: a score for every learned token and every word of the vocabulary,
# - **half-precision copies**: full fine-tuning stores its weights in 32 bits and multiplies in 16,
# - a **workspace** for one layer at a time.
#
# They are not all there at once. The gradients, for instance, come as the activations go, so at the
# peak there may be none yet.
#
# `ftlab` adds them up from the shape of a model alone (`ftlab.memory.arithmetic` says how, with the
# sources). First for a model that we can measure: a training step of nano-gpt2, with full
# fine-tuning and with QLoRA. The predicted activations are compared with what torch really saves
# for the backward pass.

# %%
from ftlab.memory import estimate, measured_activations, plan_of, saved, shape, size
from ftlab.methods import full
from ftlab.text import collate, encode
from ftlab.train import autocast

items = encode(run.rows[:16], lab.tokenizer, loss_on="answer", limit=128)
batch = collate(items)
learned = round(sum(item.learned for item in items) / len(items))  # tokens of an answer
table_rows, errors_of_parts = [], []
for name, model in {"full": full(lab.fresh()).model, "QLoRA": run.model}.items():
    wanted = plan_of(model, plan, tokens=batch.ids.shape[1], learned=learned)
    predicted = estimate(model, wanted)
    really = stored_bytes(model)
    adapters = sum(p.nbytes for n, p in model.named_parameters() if "lora_" in n)
    parts = {
        "weights": really["codes"] + really["plain"] - adapters,
        "quantization constants": really["constants"],
        "adapters": adapters,
    }
    with autocast(model):
        parts["activations"] = measured_activations(model.train(), batch.on(here))
    model.eval()
    for part, measured in parts.items():
        found = saved(shape(model), wanted) if part == "activations" else predicted[part]
        if measured:
            errors_of_parts.append(abs(found / measured - 1))
            table_rows.append((name, part, size(found), size(measured)))

unrounded = (really["plain"] - adapters) / parts["weights"]  # of QLoRA, the last of the two

# %%
from ftlab.memory import measured_peak
from ftlab.text import summed_loss
from ftlab.train import optimizers

# the peak of a whole QLoRA step, from what torch says it has allocated
model_run = four.run(ftlab.Plan(steps=2, lr=1e-3, measure_every=0), method=QLoRA())
trained = [p for p in model_run.model.parameters() if p.requires_grad]
optimizer = optimizers.make([{"params": trained}], ftlab.Plan())
batch = batch.on(here)


def one_step():
    with autocast(model_run.model):
        loss = summed_loss(model_run.model, batch) / 100
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


model_run.model.train()
one_step()  # from now on the optimiser's states exist
before = sum(stored_bytes(model_run.model).values()) + optimizers.state_bytes(optimizer)
peak = before + measured_peak(one_step, here)
errors_of_parts.append(abs(predicted.total / peak - 1))  # of QLoRA, the last of the two
table_rows.append(("QLoRA", "the peak, all parts", size(predicted.total), size(peak)))
show(Table(("method", "part", "predicted", "measured"), table_rows, "one step of 16 notes"))
print(f"of QLoRA's weights {unrounded:.0%} are not rounded")

# %% [markdown]
# On a model this small the activations outweigh everything, and what is not rounded (embeddings,
# norms) is more than half of the stored weights. So QLoRA saves little here.
#
# Now a model of 7 billion weights, four texts of 512 tokens, computed in half precision, with the
# published shapes. (A `MemoryPlan` is the part of a plan that memory depends on: how the base is
# stored, where adapters are, how much is read at once.) *Gradient checkpointing* saves only each
# block's input, and computes the rest again in the backward pass: less memory, and the forward pass
# is computed twice. *Paged* comes below.

# %%
from ftlab.memory import MemoryPlan
from ftlab.show import memory_bars, memory_table

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
from ftlab.memory import CARDS

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
    "nano-gpt2: the prediction is within 5 % of what torch uses, part by part and at the peak",
    max(errors_of_parts) < 0.05,
    f"furthest off {max(errors_of_parts):.1%}, over {len(errors_of_parts)} parts",
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
# If the card is full in any of these notebooks, you get this table, with the one change that makes
# it fit. Like so:

# %%
from ftlab.memory import out_of_memory_message

print(out_of_memory_message("llama-3b", MemoryPlan("lora", base="fp16", **BIG), CARDS["T4"]))

# %% [markdown]
# ## Paged optimisers
#
# The peak of memory is short: at the end of the forward pass all activations are there, and the
# optimiser's states only wait. *Paging* lets them wait elsewhere: CUDA moves them to the computer's
# memory, page by page, and back when the update needs them. (This is a drawing; heights are not to
# scale.)

# %%
from ftlab.show import paging

show(paging())

# %% [markdown]
# This needs a CUDA card. On a CPU the library says so and continues without:

# %%
some = nn.Parameter(torch.zeros(200_000, device=here))
some.grad = torch.ones_like(some)
pager = bnb.optim.PagedAdamW8bit([some])
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    pager.step()
messages = {str(warning.message) for warning in said}
print("bitsandbytes:", "; ".join(messages) if messages else "no warning: here states are paged")

short = ftlab.Plan(steps=2, lr=1e-3, optimizer="paged_adamw8bit", measure_every=0)
paged_run = four.run(short, method=QLoRA()).finish()
print(f"it trained all the same: loss {paged_run.steps[-1].loss:.2f} after 2 steps")

# %% [markdown]
# *8-bit* states are another matter: they work everywhere. But small matrices stay in 32 bits (below
# 4,096 values), and LoRA's matrices on this model are smaller. So here they save nothing:

# %%
for what, parameters in {
    "adapters of this run": [p for p in run.model.parameters() if p.requires_grad],
    "all weights": list(lab.fresh().parameters()),
}.items():
    state_bytes = {}
    for name in ("adamw", "adamw8bit"):
        copies = [nn.Parameter(p.detach().clone()) for p in parameters]
        optimizer = optimizers.make([{"params": copies}], ftlab.Plan(optimizer=name))
        for p in copies:
            p.grad = torch.zeros_like(p)
        optimizer.step()
        state_bytes[name] = optimizers.state_bytes(optimizer)
    print(f"states of {what}: " + ", ".join(f"{n} {size(b)}" for n, b in state_bytes.items()))

# %% [markdown]
# ### Measured on a card
#
# All of this was predicted. So models of 3 and 7 billion parameters were trained for a few steps on
# a real card that was made as small as a T4: 15 GB, in fp16, rank 64, 4 texts of 512 tokens. (The
# weights are random; for memory their values do not matter.) Then the room was made tight: midway
# between the two measured peaks.

# %%
from ftlab.memory import measured_on_a_card

on_card = measured_on_a_card()
rows = [
    (
        run["trial"]["model"],
        run["trial"]["optimizer"],
        size(run["trial"]["cap"]),
        size(run["predicted"]),
        size(run["peak"]) if run["fits"] else "does not fit",
        f"{run['tokens_per_second']:,.0f}" if run["fits"] else "-",
    )
    for run in on_card
]
heads = ("model", "optimiser", "room", "predicted peak", "measured peak", "tokens/s")
show(Table(heads, rows, f"QLoRA with checkpointing, measured on {on_card[0]['device']}"))

# %%
apart = [abs(run["predicted"] / run["peak"] - 1) for run in on_card if run["fits"]]
small_room = [run for run in on_card if run["trial"]["tight"] and "7b" in run["name"]]
tight = {run["trial"]["optimizer"]: run for run in small_room}
card_peak = ftlab.claim(
    "On a card, the predicted peak is within 5 % of the measured one",
    max(apart) < 0.05,
    f"furthest off {max(apart):.1%}, over {len(apart)} runs on {on_card[0]['device']}",
)
paging_helps = ftlab.claim(
    "7 billion parameters: in tight room a step fits with paging, and does not without",
    tight["paged_adamw"]["fits"] and not tight["adamw"]["fits"],
    f"in {size(tight['adamw']['trial']['cap'])} of {on_card[0]['device']}",
)
gaps = [run["reserved"] / run["peak"] - 1 for run in on_card if run["fits"]]
print(f"torch reserved {min(gaps):.0%} to {max(gaps):.0%} more than the tensors took")

# %% [markdown]
# With 3 billion parameters neither fitted into the tight room. What torch's allocator reserves is
# more than what the tensors take, since pieces that were freed leave gaps. So leave a fifth of the
# card free.

# %% [markdown]
# ## fp16 or bf16?
#
# Both take 16 bits. fp16 has the finer steps and ends at 65,504; bf16 reaches as far as fp32, with
# coarse steps. Large models often have a few very large activations, so bf16 is the safer one. But
# a T4 has no circuits for it. If you ask torch whether a T4 supports bf16, it says yes, since it
# can emulate it, slowly; so we ask for the card's generation (8.0 or later).

# %%
number = torch.tensor(70_000.0)
print(f"70,000 in fp16: {number.half().item()}; in bf16: {number.bfloat16().item():,.0f}")
step_up = torch.tensor(1.001)
print(f"1.001 in fp16: {step_up.half().item():.4f}; in bf16: {step_up.bfloat16().item():.4f}")

print(f"this machine: {ftlab.machine.device()}, so we compute in {ftlab.machine.precision()}")

# %% [markdown]
# ## Exercise 1: how many bits?
#
# *Goal: count what a 4-bit weight really takes. 5 minutes, easy.*
#
# Write `bits_a_weight(block, double)`: 4 bits for the code, and the weight's share of the
# constants. A constant has 32 bits; with double quantization it has 8, and 256 of them share one
# more of 32.
#
# <details><summary>Hint 1</summary>One constant is shared by `block` weights.</details>
#
# <details><summary>Hint 2</summary>256 constants belong to 256 * block weights.</details>

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
)
print(f"blocks of 32, double: {bits_a_weight(32, True):.3f} bits")

# %% [markdown]
# ## Exercise 2: read the codes
#
# *Goal: from codes back to weights. 5 minutes, easy.*
#
# Write `decoded(codes, absmax, levels)`: `codes` has a row for each block, `absmax` one value for
# each block, `levels` the sixteen values.
#
# <details><summary>Hint 1</summary>A tensor can be indexed by a tensor: levels[codes].</details>
#
# <details><summary>Hint 2</summary>absmax[:, None] is a column.</details>

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
)
print("the first weights of the layer:", decoded(codes, absmax, theirs)[0, :4])

# %% [markdown]
# ## Exercise 3: 13 billion weights on a T4
#
# *Goal: a plan for `llama-13b` with a predicted peak below 15 GB, with four texts of 2,048 tokens
# and adapters of rank 64 on every linear layer. 10 minutes, medium.*
#
# Start from "QLoRA, checkpointing" above, make the texts long, and see which part is in the way.
#
# <details><summary>Hint 1</summary>Print your plan's `estimate`: the last column is the peak, part
# by part.</details>
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
    print("No plan of your own yet. The bars above show which parts are large.")
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
#
# The article is Sachchida Nand Singh, "Fine-Tuning Large Language Models (LLMs) Without
# Catastrophic Forgetting", Towards AI; its statements are in our words. Rows marked *(often said)*
# are common advice, not taken from it; *(QLoRA paper)* are statements of Dettmers et al. (2023),
# and *(ours)* is one of this workbook.

# %%
ftlab.verdict_table(
    ftlab.says(
        "(QLoRA paper) NF4 suits weights better than other 4-bit types",
        supported_by=[best_levels],
    ),
    ftlab.says("(QLoRA paper) Double quantization saves 0.37 bits a weight", supported_by=[saves]),
    ftlab.says(
        "(often said) Rounding the base to four bits costs nothing",
        supported_by=[costs_little],
        contradicted_by=[costs_much],
    ),
    ftlab.says(
        "QLoRA learns as much as LoRA (within 10 points)",
        undecided_by=[learns],
    ),
    ftlab.says(
        "QLoRA retains as much of its own base as LoRA (within 10 points)", undecided_by=[retains]
    ),
    ftlab.says(
        "(often said) After QLoRA as much is left of the plain base as after LoRA",
        undecided_by=[worse_off],
    ),
    ftlab.says(
        "(often said) The adapter can be merged into the model",
        supported_by=[mergeable],
        contradicted_by=[merging],
    ),
    ftlab.says(
        "(ours) Memory can be predicted by adding up (here: a small model)", supported_by=[adds_up]
    ),
)

# %% [markdown]
# Not in the table, because it takes a card to measure it (see "Measured on a card"): that 7 billion
# weights fit a T4 (predicted above), that paged optimisers survive where others run out of memory,
# and how fast all this is.
#
# ## What you take along
#
# - NF4: sixteen values at the quantiles of the normal distribution, and a constant for 64 weights.
# - Two baselines. Measure the rounded base *before* you train: what is lost there was not
#   forgotten, but it is gone.
# - The adapter belongs to the base that it was trained on. Dequantize, then merge.
# - Do the sum before you rent the card: weights, gradients, states, activations.
#
# **Next:** [07 LoRA, adapters or prefix](07_lora_adapters_or_prefix.ipynb) asks which is the right
# tool.
