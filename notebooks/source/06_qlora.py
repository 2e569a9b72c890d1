# %% [markdown]
# # QLoRA: a base in four bits
#
# <!-- seen: a base in four bits, what that alone costs, and what fits on a card -->
# <!-- for: those who have one small graphics card -->
#
# **The question:** what does a base in four bits cost, and what does it save?
#
# *QLoRA* rounds every weight in the base's linear layers to one of sixteen values (times a scale), and
# trains LoRA on top. It made it possible to fine-tune a model of many billion weights on one graphics
# card. It has four parts:
#
# 1. **NF4**: sixteen values that suit weights; a 4-bit *code* says which of them a weight takes,
# 2. **double quantization**: the scale that each small group of weights needs is rounded, too,
# 3. **LoRA** in full precision, trained through the frozen codes,
# 4. **paged optimisers**: what they store leaves the card when it is full.
#
# You will write the first, measure what the rounding *alone* costs, train on it, merge correctly, and
# add up what fits on a card of 15 GB.
#
# You need notebook 04, or this: a LoRA is a pair of small matrices beside a large frozen one, and only
# they are trained. *Learned* is the share of correct answers on the new task, *retained* the share of
# the base's skills that is still there.

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
# *Goal: know how NF4 chooses its sixteen values, and check them against the library.*
#
# With 4 bits there are 16 codes, so 16 values. Which ones? A layer's weights are nearly *normally
# distributed*: many near zero, few large ones. Values at equal *distances* are used unevenly: those
# in the middle often, the outer ones rarely. NF4, "normal float with 4 bits", uses *quantiles* of the
# normal distribution instead: points that cut it into equal shares. So the values are used more evenly.
# (Not quite evenly: real weights are divided by the largest of a group, not by their spread. How evenly,
# we count below.) Zero gets a value of its own. We compute the values, and compare them with those of
# `bitsandbytes`, the library that QLoRA uses.

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
# <details><summary>Why 1/30 and 1/32?</summary>If sixteen values share all weights, the outermost stands
# half a share before the end: 1/32. With a zero in the middle a table is symmetric only if it has
# fifteen values, which makes it 1/30. The library takes the mean of the two.</details>
#
# ## Exercise 1: the nearest code
#
# *Goal: weights to codes. 15 minutes, medium.*
#
# The values lie between -1 and 1, the weights do not. So 64 neighbouring weights are divided by the
# largest absolute value among them, *absmax*. (Such a group is called a block of weights; it is not a
# block of the transformer.) Then each weight takes the nearest value.
#
# Write `quantized(blocks, levels)`. `blocks` has a row for each block. Return the codes (0 to 15, in
# the shape of `blocks`) and absmax (one for each block).
#
# <details><summary>Hint 1</summary>absmax: the largest of blocks.abs() in each row. As a column,
# absmax[:, None], it divides every row by its own.</details>
#
# <details><summary>Hint 2</summary>scaled[..., None] - levels has a distance for each weight and each
# value; .abs().argmin(-1) picks the nearest.</details>

# %%
from ftlab.teach import answers


def quantized(blocks, levels):
    # <solution>
    absmax = blocks.abs().amax(1)
    distances = (blocks / absmax[:, None])[..., None] - levels
    return distances.abs().argmin(-1), absmax
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


two = torch.tensor([[-2.0, 0.5, 0.0], [0.1, -0.4, 0.2]])  # two blocks of three weights
three = torch.tensor([-1.0, 0.0, 1.0])
quantized = ftlab.exercise(
    quantized,
    reference=answers.quantized,
    checks=[
        (
            "absmax is the largest absolute value of each block (abs, and row by row?)",
            lambda f: (f(two, three)[1], torch.tensor([2.0, 0.4])),
        ),
        ("a code for each weight", lambda f: (list(f(two, theirs)[0].shape), [2, 3])),
        ("0 takes the value 0 (divided first?)", lambda f: (int(f(two, three)[0][0, 2]), 1)),
        (
            "each takes the nearest value, not the next above or below",
            lambda f: (f(two, three)[0], torch.tensor([[0, 1, 1], [1, 0, 1]])),
        ),
    ],
    cases=[(two, theirs), (theirs.reshape(4, 4), theirs)],
)

# %% [markdown]
# ## Exercise 2: read the codes
#
# *Goal: from codes back to weights. 5 minutes, easy.*
#
# Write `decoded(codes, absmax, levels)`, the way back.
#
# <details><summary>Hint 1</summary>A tensor can be indexed by a tensor: levels[codes].</details>
#
# <details><summary>Hint 2</summary>Then times absmax[:, None], a column.</details>


# %%
def decoded(codes, absmax, levels):
    # <solution>
    return levels[codes] * absmax[:, None]
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


some = answers.quantized(two, theirs)
decoded = ftlab.exercise(
    decoded,
    reference=answers.decoded,
    checks=[
        ("the shape of the blocks", lambda f: (list(f(*some, theirs).shape), [2, 3])),
        (
            "the largest weight of each block comes back exactly (times its own absmax?)",
            lambda f: (f(*some, theirs)[[0, 1], [0, 1]], two[[0, 1], [0, 1]]),
        ),
    ],
    cases=[(*some, theirs), (some[0] * 0, some[1], theirs)],
    tolerance=1e-6,
)

# %% [markdown]
# ## A layer of the model
#
# *Goal: check your codes for a real layer, bit for bit, against `bitsandbytes`.*
#
# It is a feed-forward layer. Two codes share a byte.

# %%
from ftlab.show import four_bits, show

lab = ftlab.open_lab("clinic", model="nano-gpt2")
here = next(lab.bundle.model.parameters()).device
weight = lab.bundle.model.transformer.h[5].mlp.c_fc.weight.detach().T.contiguous().cpu()

blocks = weight.reshape(-1, 64)  # the layer is 512 x 128, so 1,024 blocks
codes, absmax = quantized(blocks, theirs)
again = decoded(codes, absmax, theirs).reshape(weight.shape)
show(four_bits(blocks[0, :5].tolist(), absmax[0].item(), theirs.tolist()))

# %%
packed, state = bnb.functional.quantize_4bit(weight, quant_type="nf4", blocksize=64)
library = bnb.functional.dequantize_4bit(packed, state)
two_in_a_byte = (codes.flatten()[::2] << 4 | codes.flatten()[1::2]).to(torch.uint8)
wrong = (again - weight).abs().mean() / weight.abs().mean()
print(f"mean error of a weight: {wrong:.1%} of a weight's mean size")
by_hand = ftlab.claim(
    "Quantized by hand, a layer equals that of bitsandbytes, bit for bit",
    torch.equal(two_in_a_byte, packed.flatten()) and torch.equal(again, library),
    f"of {weight.numel():,} weights {int((again != library).sum())} differ",
)

# %% [markdown]
# Are these sixteen values better than others? *int4* has equal distances and no value at +1; where the
# largest weight of a block is positive, all signs of the block are flipped, so that it takes -1. (The
# histogram is drawn without that flip.) *FP4* is a tiny floating-point format. (Error: length of the
# difference over the length of the weights; lower is better.)

# %%
from ftlab.show import error, usage, weight_levels

show(weight_levels(weight))
for kind in ("nf4", "int4"):
    shares = usage(weight, kind)
    print(f"{kind}: of this layer's weights a value takes {min(shares):.0%} to {max(shares):.0%}")
matrices = [
    p.detach().T.contiguous().cpu()
    for name, p in lab.bundle.model.named_parameters()
    if ".h." in name and p.ndim == 2
]
errors = {kind: [error(w, kind) for w in matrices] for kind in ("nf4", "int4", "fp4")}
means = ", ".join(f"{kind} {sum(found) / len(found):.1%}" for kind, found in errors.items())
smallest = [min(row) == row[0] for row in zip(*errors.values(), strict=True)]
evidence = f"nano-gpt2: {means}; smallest in {sum(smallest)} of {len(smallest)} layers"
best_levels = {evidence: "holds" if sum(smallest) > 0.75 * len(smallest) else "does not hold"}
print(evidence)

# %% [markdown]
# Look at the three means, in blocks of 64: NF4 is slightly better than int4, and clearly better than
# FP4. That depends on the size of the block: in the next figure, small blocks favour int4.
#
# ## How large a block?
#
# *Goal: see what a smaller block gains, and what its constants cost.*
#
# Each block stores its largest absolute value (its *absmax*); we call it the block's *constant*. A
# small block fits its weights better, but fewer weights share its constant: 32 bits over 64 weights
# are half a bit for each. *Double quantization* rounds the constants too, to 8 bits, in blocks of 256
# constants. Move the sliders: where would you stop?

# %%
from ftlab.show import block_panel

block_panel(weight).show()

# %% [markdown]
# ## Exercise 3: how many bits?
#
# *Goal: count what a 4-bit weight really takes. 5 minutes, easy.*
#
# Write `bits_a_weight(block, double)`: 4 bits for the code, and the weight's share of the constants. A
# constant has 32 bits; with double quantization it has 8, and 256 of them share one more of 32.
#
# <details><summary>Hint 1</summary>One constant is shared by `block` weights.</details>
#
# <details><summary>Hint 2</summary>256 constants belong to 256 * block weights.</details>


# %%
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
    checks=[
        ("blocks of 64: half a bit on top (32 bits for 64?)", lambda f: (f(64, False), 4.5)),
        (
            "double: nearly 4 + 8 / block (does the last constant belong to 256 blocks?)",
            lambda f: 0 < f(64, True) - (4 + 8 / 64) < 0.01,
        ),
    ],
    cases=[(64, True), (128, False), (4096, True)],
)

# %%
_, doubled = bnb.functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
constants = doubled.absmax.nbytes + doubled.state2.absmax.nbytes
saved_bits = 8 * (state.absmax.nbytes - constants) / weight.numel()
saves = ftlab.claim(
    "Double quantization saves about 0.37 bits a weight",
    0.36 < saved_bits < 0.38,
    f"{saved_bits:.3f} bits, counted in the library's own tensors",
)

# %% [markdown]
# ## What does the rounding alone cost?
#
# *Goal: measure what four bits cost a model before you train it.*
#
# We store the linear layers of the base's blocks in four bits. Embeddings, norms and the head stay as
# they are.

# %%
guess = ftlab.predict(
    "How much of its skills does nano-gpt2 retain when its layers are stored in four bits?",
    None,
    unit="%",
)

# %%
from ftlab import analysis
from ftlab.show import Table, skill_name

four = lab.quantized()  # a lab of its own: its base is the rounded one
recorded = analysis.pairs()  # LoRA on the plain base beside QLoRA on the rounded one
real = next(pair for pair in recorded if pair.where.startswith("SmolLM2"))
bases = {
    ("nano-gpt2", "32 bits"): lab.baseline,
    ("nano-gpt2", "4 bits"): four.baseline,
    ("SmolLM2-135M", "32 bits"): real.plain,
    ("SmolLM2-135M", "4 bits"): real.qlora.runs[0].baseline,
}
names = [skill_name(skill) for skill in lab.baseline["skills"]]
rows = [
    (*name, *(f"{share:.0%}" for share in found["skills"].values()), f"{found['general_loss']:.2f}")
    for name, found in bases.items()
]
head = ("model", "stored in", *names, "loss on text (lower is better)")
show(Table(head, rows, "before any training; skills: higher is better"))

# %%
left = {
    model: analysis.retained_of(bases[model, "4 bits"], bases[model, "32 bits"])
    for model, _ in bases
}
print(guess.compare(100 * left["nano-gpt2"]))
_ = ftlab.claim(
    "Rounding alone costs the small model next to nothing, and the real one more than 5 %",
    left["nano-gpt2"] > 0.95 > left["SmolLM2-135M"],
    ", ".join(f"{model} retains {share:.0%}" for model, share in left.items()),
)

# %% [markdown]
# In words? SmolLM2 before and after rounding:

# %% tags=["nbval-check-output"]
from ftlab.show import said_table

show(said_table("in four bits, untrained"))

# %% [markdown]
# The facts shown here are still right; only the wording has changed. What was lost shows in the table
# above: in facts and arithmetic, and in the loss on text. It is lost *before* the first training step,
# so it is not forgetting. But it must be counted. So from here on there are two baselines: what is
# retained of the base *that was trained on*, and what is left of the *plain* one, not rounded.
#
# Why does SmolLM2 lose so much? We have not tested it, and there are two reasons to be careful. A
# model of 135 million weights may have little to spare: published results, where rounding costs
# little, are for models fifty times as large. And our copy had already been rounded to four bits
# once, in the file that it comes from. So take this loss as a warning to measure, not as what every
# real model loses.
#
# ## Training through the codes
#
# *Goal: know how a gradient gets through a frozen layer of codes.*
#
# A code cannot be changed a little, so the base is frozen. But a gradient can go *through* a frozen
# layer: for that it needs only the weights, and they are computed from the codes when they are needed.
# The adapters $A$ and $B$ stay in full precision. It is your layer of notebook 04, with one line changed:

# %%
from torch import nn

from ftlab.methods import QLoRA, nf4


class QLoRALinear(nn.Module):
    """A layer in four bits, and a LoRA in full precision beside it."""

    def __init__(self, stored, bias, A, B, scale):
        super().__init__()
        self.stored, self.bias, self.scale = stored, bias, scale
        self.A, self.B = nn.Parameter(A.clone()), nn.Parameter(B.clone())

    def forward(self, x):
        frozen = x @ nf4.dequantize(self.stored).T + self.bias  # here
        return frozen + self.scale * (x @ self.A.T @ self.B.T)


# %%
from ftlab.models import Quantize

single = lab.quantized(Quantize(double=False)).fresh()  # as in the exercises
layer = QLoRA()(single).model.base_model.model.transformer.h[5].mlp.c_fc
A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
nn.init.normal_(B, std=0.1)  # at 0 a mistake would not show
stored = nf4.quantize(weight.to(here), levels=theirs)
ours = QLoRALinear(stored, layer.base_layer.bias, A.data, B.data, layer.scaling["default"]).to(here)
x = torch.randn(3, 128, device=here)
ours(x).square().sum().backward()
layer(x).square().sum().backward()
for name, one, other in (("A", ours.A.grad, A.grad), ("B", ours.B.grad, B.grad)):
    apart = ((one - other).norm() / other.norm()).item()
    print(f"gradient of {name}: differs from the library's by {apart:.0e}")
    assert apart < (1e-5 if ftlab.machine.precision() == "fp32" else 2e-2)

# %% [markdown]
# Now train it: rank 4 on every linear layer, on the rounded base. (The curve asks only a sample of
# the questions, so it jumps, and its last point can be far off. The result below it asks all of
# them.)

# %%
guess_kept = ftlab.predict(
    "Retained of its own base, with QLoRA at a rate of 3e-3?", None, unit="%"
)

# %%
plan = ftlab.Plan(steps=100, batch_size=16, lr=3e-3)
run = four.run(plan, method=QLoRA(), name="QLoRA on all linear layers")
with ftlab.Live(total=plan.steps, prediction=guess_kept, title=run.name, method="qlora") as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %%
from ftlab.models import stored_bytes

last = run.final
print(guess_kept.compare(100 * last["retention"]))
print(f"Learned {last['target_score']:.0%}, retained {last['retention']:.0%} of its own base.")
plain_lora = QLoRA().adapters(lab.fresh()).model  # the same adapters on the plain base
for name, model in (("LoRA", plain_lora), ("QLoRA", run.model)):
    print(f"{name}: {sum(stored_bytes(model).values()) / 1e6:.1f} MB of weights")

# %% [markdown]
# ## LoRA against QLoRA
#
# *Goal: compare LoRA and QLoRA in pairs that differ only in the base.*
#
# Three seeds, recorded. Within a pair the adapters are the same, and so are the notes and their order:
# rank 4 on all linear layers of nano-gpt2, the *thin* LoRA of notebook 04 on SmolLM2, Q and V on
# nano-t5. So compare within a pair only. *Retained of its own base* is the fair measure of forgetting;
# *left of the plain base* is what you end up with.


# %% tags=["nbval-check-output"]
def plain_share(pair, setting):
    """What is left of the plain base, mean over seeds."""
    values = analysis.left(setting, pair.plain)
    return f"{sum(values) / len(values):.0%}"


rows = [
    (pair.where if name == "LoRA" else "", name, f"{setting.mean('target_score'):.0%}",
     f"{setting.mean('retention'):.0%}", plain_share(pair, setting))
    for pair in recorded
    for name, setting in (("LoRA", pair.lora), ("QLoRA", pair.qlora))
]  # fmt: skip
head = ("setting", "method", "learned", "retained of its own base", "left of the plain base")
show(Table(head, rows, "higher is better in every column; mean of 3 seeds"))


# %%
def compared(key):
    """By setting: is QLoRA within 10 points of LoRA, below it, or is it open?"""
    found = {}
    for pair in recorded:
        evidence = f"{pair.where} {analysis.difference(pair.qlora, pair.lora, key)}"
        close = analysis.close(pair.qlora, pair.lora, key)
        below = analysis.more(pair.lora, pair.qlora, key)
        found[evidence] = "holds" if close else "does not hold" if below else "not decided"
    return found


learns, retains = compared("target_score"), compared("retention")
for what, found in (("learns as much", learns), ("retains as much of its own base", retains)):
    words = list(found.values())
    told = ", ".join(
        f"{word} in {words.count(word)} of {len(words)} settings" for word in sorted(set(words))
    )
    print(f"QLoRA {what} as LoRA, within 10 points: {told}")
left_lora, left_qlora = (analysis.left(setting, real.plain) for setting in (real.lora, real.qlora))
less = analysis.points_text(analysis.paired(left_qlora, left_lora))
told = analysis.verdict(left_lora, left_qlora)
print(f"SmolLM2, after QLoRA less is left of the plain base: {told} ({less})")

# %% [markdown]
# Nowhere is QLoRA shown to be worse than LoRA, and in most settings three seeds cannot decide it.
# (SmolLM2 was run at one rate, at which both learned little.) What is worse on the real model is the
# base that training starts from.
#
# ## Merging, and three ways to do it
#
# *Goal: find out into which base a QLoRA adapter should be merged.*
#
# Merging adds the adapter into the weights, so that one ordinary model is left. But into *which* weights?
# It was trained beside the rounded ones.

# %%
import copy
import warnings

from ftlab.methods import merge

dequantized = merge(run.model)  # 1. dequantize the base, then add the adapter

with warnings.catch_warnings():  # 2. add, and round the sum to four bits again
    warnings.simplefilter("ignore")
    into_codes = copy.deepcopy(run.model).merge_and_unload().eval()

adapter = {name: p for name, p in run.model.state_dict().items() if "lora_" in name}
plain_lora.load_state_dict(adapter, strict=False)
into_plain = merge(plain_lora)  # 3. add to the weights from before the rounding

# %%
ids = torch.tensor([lab.tokenizer(lab.domain.test[0]["prompt"])["input_ids"]], device=here)
merged = {
    "dequantized, then merged": dequantized,
    "merged into four bits": into_codes,
    "merged into the plain base": into_plain,
}
with torch.no_grad():
    trained = run.model(ids).logits
    off = {
        name: ((model(ids).logits - trained).norm() / trained.norm()).item()
        for name, model in merged.items()
    }
finals = {name: four.evaluator.full(model) for name, model in merged.items()}
rows = [("as it was trained", "", f"{last['target_score']:.0%}", f"{last['retention']:.0%}")]
rows += [
    (name, f"{off[name]:.2%}", f"{found['target_score']:.0%}", f"{found['retention']:.0%}")
    for name, found in finals.items()
]
show(Table(("model", "logits differ by", "learned", "retained of its own base"), rows))

# %%
limit = {"fp32": 2e-4, "fp16": 2e-3, "bf16": 2e-2}[ftlab.machine.precision()]
first, *others = off.values()
merging = ftlab.claim(
    "Merged into the dequantized base the model stays what it was; merged elsewhere it is another",
    first < limit and min(others) > max(0.01, 2 * limit),
    f"logits of one prompt differ by {first:.3%} (dequantized base), {others[0]:.1%} (four bits), "
    f"{others[1]:.1%} (plain base)",
)

# %% [markdown]
# Only the first is the model that you trained. But it is no longer in four bits, so it takes the
# memory again that you had saved. To use the model in four bits, leave the adapter beside the codes.
# The other two are other models, better or worse: measure before you ship one.
#
# ## Where the memory goes
#
# *Goal: know what fills the card in a training step, and what QLoRA saves.*
#
# During a training step this lies on the card:
#
# - the **weights**, and the constants of a 4-bit base,
# - the **adapters** in 32 bits, with a half-precision copy (16 bits) to multiply with, and a **gradient**
#   for every trained parameter,
# - the **optimiser's states**: for each of these AdamW stores two running averages (of the gradient,
#   and of its square), in 32 bits,
# - the **activations**: what the layers computed and the backward pass needs again,
# - the **logits and the loss**: a score for every token and every word of the vocabulary.
#
# `ftlab` adds them up from the shape of a model. The bars show the fullest moment of a step: that is at
# the loss, when there are no gradients yet. Here: 7 billion weights, four texts of 512 tokens, fp16
# (16 bits). The *T4* is the card that Colab lends for free, with about 15 GB to use. *Gradient
# checkpointing* stores only each block's input and computes the rest again: less memory, more time.
# *Paged* comes below.

# %%
from ftlab.memory import CARDS, MemoryPlan, estimate, size
from ftlab.show import memory_bars

BIG = {"precision": "fp16", "batch_size": 4, "tokens": 512}
WIDE = {"rank": 64, "targets": ("q", "k", "v", "o", "ff")}
SAVING = {"gradient_checkpointing": True}
plans = {
    "LoRA": MemoryPlan("lora", base="fp16", **BIG, **WIDE),
    "QLoRA": MemoryPlan("qlora", **BIG, **WIDE),
    "LoRA, checkpointing": MemoryPlan("lora", base="fp16", **SAVING, **BIG, **WIDE),
    "QLoRA, checkpointing": MemoryPlan("qlora", **SAVING, **BIG, **WIDE),
    "... and paged": MemoryPlan("qlora", optimizer="paged_adamw", **SAVING, **BIG, **WIDE),
}
seven = {name: estimate("llama-7b", wanted) for name, wanted in plans.items()}
show(memory_bars(seven, title="A model of 7 billion weights: what a step needs"))
full = MemoryPlan("full", **BIG)
print(f"full fine-tuning would need {size(estimate('llama-7b', full).total)}")

# %% [markdown]
# Compare the blue part, the weights: that is most of what the codes save. (A 4-bit layer also stores
# fewer activations; with checkpointing that hardly counts.) With checkpointing the blue part decides
# which card is large enough. Which models fit into the 15 GB of a T4?

# %%
FITS = {"full": full} | {n: plans[n] for n in ("LoRA, checkpointing", "QLoRA, checkpointing")}


def fit(model, wanted):
    """The predicted peak, and whether a T4 has room for it."""
    total = estimate(model, wanted).total
    return f"{size(total)}, {'fits' if total <= CARDS['T4'] else 'too large'}"


SIZES = ("smollm2-135m", "llama-1b", "llama-3b", "llama-7b", "llama-13b")
rows = [(model, *(fit(model, wanted) for wanted in FITS.values())) for model in SIZES]
show(Table(("model", *FITS), rows, "predicted peak of a step, 4 texts of 512 tokens, fp16"))

# %% [markdown]
# If the card is full in any of these notebooks, you get such a sum, with one change that makes it fit:

# %%
from ftlab.memory import out_of_memory_message

print(out_of_memory_message("llama-3b", MemoryPlan("lora", base="fp16", **BIG), CARDS["T4"]))

# %% [markdown]
# ## Paged optimisers
#
# *Goal: see what paging moves off the card, and when that makes room.*
#
# The peak is short (at the loss, or in the backward pass if few tokens are learned), and during it the
# optimiser's states only wait. *Paging* lets them wait elsewhere: CUDA moves them to the computer's
# memory, page by page, and back when the update needs them. (A drawing, not to scale.)

# %%
from ftlab.show import paging

show(paging())

# %% [markdown]
# This needs a CUDA card; on a CPU the library says so and continues without. So models with the
# shapes of 3 and 7 billion parameters (random weights: memory does not depend on their values) were
# trained for a few steps on a large card, where torch was allowed only 15 GB, as on a T4: fp16, rank
# 64, 4 texts of 512 tokens. Then the limit was made tight: midway between the peaks measured without
# and with paging. These peaks do not count paged states, and on so large a card the states may never
# have left it. What moving them costs on a T4 was not measured.

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
    )
    for run in on_card
]
heads = ("model", "optimiser", "limit", "predicted peak", "measured peak")
show(Table(heads, rows, f"QLoRA with checkpointing, measured on {on_card[0]['device']}"))

# %%
apart = [abs(run["predicted"] / run["peak"] - 1) for run in on_card if run["fits"]]
card_peak = ftlab.claim(
    "On a card, the predicted peak is within 5 % of the measured one",
    max(apart) < 0.05,
    f"furthest off {max(apart):.1%}, over {len(apart)} runs on {on_card[0]['device']}",
)
paging_helps = {}
for model in ("llama-3b", "llama-7b"):
    tight = [run for run in on_card if run["trial"]["tight"] and run["trial"]["model"] == model]
    fits = {run["trial"]["optimizer"]: run["fits"] for run in tight}
    helps = fits["paged_adamw"] and not fits["adamw"]
    limit = size(tight[0]["trial"]["cap"])
    told = "fits only with paging" if helps else "paging did not decide it"
    paging_helps[f"{model} in {limit}: {told}"] = "holds" if helps else "does not hold"
for where, verdict in paging_helps.items():
    print(f"a step fits with paging, and does not without: {verdict} ({where})")

# %% [markdown]
# The peaks count tensors. torch's allocator reserves more, since freed tensors leave gaps; and the card's
# own software takes some, too. That is why a model can fail although its tensors alone would fit: for the
# smaller model the limit left little room above the paged peak, and the gaps needed more. So leave a
# margin.
#
# <details><summary>fp16 or bf16?</summary>Both take 16 bits. fp16 has finer steps and ends at 65,504;
# bf16 reaches as far as fp32, with coarse steps. Large models often have a few very large activations,
# so bf16 is the safer one. But a T4 has no circuits for it, and yet torch says yes if you ask (it can
# emulate it, slowly). So ftlab asks for the card's generation (*compute capability*, 8.0 or
# later).</details>
#
# ## Exercise 4: 13 billion weights on a T4
#
# *Goal: a plan for `llama-13b` with a predicted peak below 15 GB, with four texts of 2,048 tokens
# and adapters of rank 64 on every linear layer. 15 minutes, open.*
#
# Start from "QLoRA, checkpointing", make the texts long, and see which part is in the way. There is
# more than one way out. Which would cost you the least time?
#
# <details><summary>Hint 1</summary>The cell prints the estimate of your plan, part by part: the last
# column is what lies on the card at the peak.</details>
#
# <details><summary>Hint 2</summary>Which part only waits at that moment, and may wait elsewhere
# (`optimizer="paged_adamw"`)? And must the loss be computed at every token, or only at those of the
# answer (`learned=64`: the last 64 tokens of each text)? The second costs no time at all, if your
# answers are that short. But alone it is not enough here: then the optimiser's states are in the
# way.</details>

# %%
# <solution>
BIG = {"precision": "fp16", "batch_size": 4, "tokens": 2048, "learned": 64}
mine = MemoryPlan("qlora", optimizer="paged_adamw", **SAVING, **BIG, **WIDE)
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
# Catastrophic Forgetting", Towards AI; its advice is in our words: the four parts at the top.
# *(often said)* is common advice that is not taken from it, *(QLoRA paper)* a statement of Dettmers
# and others (2023), *(ours)* one of this workbook.

# %%
ftlab.verdict_table(
    ftlab.says(
        "(QLoRA paper) NF4 rounds weights with a smaller error than int4 and FP4 (blocks of 64)",
        decided=best_levels,
    ),
    ftlab.says("(QLoRA paper) Double quantization saves 0.37 bits a weight", supported_by=[saves]),
    ftlab.says(
        "(often said) Rounding the base to four bits costs next to nothing (5 % at most)",
        decided={
            f"{model} retains {share:.0%}": "holds" if share > 0.95 else "does not hold"
            for model, share in left.items()
        },
    ),
    ftlab.says("(often said) QLoRA learns as much as LoRA (within 10 points)", decided=learns),
    ftlab.says(
        "(often said) It retains as much of its own base (within 10 points)", decided=retains
    ),
    ftlab.says(
        "(often said) Into whichever base a QLoRA adapter is merged, it is the same model",
        contradicted_by=[merging],
    ),
    ftlab.says(
        "Paged optimisers fit where others run out of memory (as torch counts it)",
        decided=paging_helps,
    ),
    ftlab.says(
        "(ours) The peak of the tensors can be predicted by adding up (QLoRA, checkpointing)",
        supported_by=[card_peak],
    ),
)

# %% [markdown]
# ## What to do from now on
#
# - Does LoRA in fp16 fit your card? Then use LoRA. QLoRA is for when it does not.
# - Measure the rounded base *before* you train. What is lost there is not forgetting,
#   but your users will miss it all the same.
# - Dequantize, then merge: that is the model that you measured. Any other merge must be measured again.
# - Do the sum before you rent the card.
#
# <details><summary>Further reading</summary>
#
# - Dettmers and others (2023), *QLoRA*. The authors' code puts adapters on every linear layer but the
#   head. Their README warns of fp16: only 80 % of the runs of a 7B model complete.
# - huggingface/peft, `method_comparison`: 63 ways to fine-tune Llama-3.2-3B with a forgetting column,
#   and none of them is QLoRA. So measure it yourself.
#
# </details>
#
# **Next:** [07 LoRA, adapters or prefix](07_lora_adapters_or_prefix.ipynb) asks which is the right
# tool.
