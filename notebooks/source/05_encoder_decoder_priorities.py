# %% [markdown]
# # Encoder-decoder priorities
#
# <!-- for: those who train T5 or BART -->
# <!-- seen: T5's three attentions, and which to adapt for what -->
#
# **The question:** in a model that reads and writes, which attention should learn?
#
# T5 and BART have two stacks: an *encoder* that reads the input, and a *decoder* that writes the
# answer. So they have three kinds of attention where GPT has one, and "LoRA on Q and V" does not say
# which one. You will
#
# - see how two module names, `q` and `v`, adapt all three attentions,
# - write a plan that says which attention gets which rank, and train it,
# - test the article's order (decoder first, then cross, then encoder) on two tasks that are new on
#   different sides,
# - freeze one stack and train the other.
#
# You need notebook 04: a LoRA is a pair of small trained matrices beside a frozen layer, their size
# given by the *rank*. *Learned* is the share of correct answers on the new task, *retained* the share
# of the base's skills that is still there.

# %%
try:
    import ftlab
except ModuleNotFoundError:  # a fresh runtime, for instance on Colab; it takes a minute
    # %pip install --quiet "$(git rev-parse --show-toplevel)[colab]"
    import ftlab
ftlab.hello()

# %% [markdown]
# ## A model that turns text into text
#
# *Goal: know nano-t5 and the four skills that it can lose.*
#
# `nano-t5` is a T5 of four encoder and four decoder blocks. This project trained it on the same small
# world as nano-gpt2, but on pairs: a text in, a text out. Its skills:

# %%
from ftlab.evaluate import generate
from ftlab.show import Table, show, skill_name, three_attentions

lab = ftlab.open_lab("new_words", model="nano-t5")
firsts = {probe.skill: probe for probe in reversed(lab.suite.probes)}
asked = [firsts[skill] for skill in lab.suite.skills]
said = generate(lab.bundle.model, lab.tokenizer, [probe.query for probe in asked], 32)
rows = [
    (skill_name(p.skill), p.query, answer.strip(), f"{lab.baseline['skills'][p.skill]:.0%}")
    for p, answer in zip(asked, said, strict=True)
]
show(Table(("skill", "in", "out", "correct, of all questions (higher is better)"), rows))

# %% [markdown]
# ## Three attentions
#
# *Goal: tell T5's three attentions apart by what each looks at.*

# %%
show(three_attentions(title="nano-t5"))

# %% [markdown]
# - The **encoder's own**: every word of the input looks at the whole input.
# - The **decoder's own**: every word of the answer looks at the answer so far.
# - **Cross-attention**: every word of the answer looks at what the encoder made of the input. It is
#   the only way from the input to the answer.
#
# ## Exercise 1: which attention is it?
#
# *Goal: read a module's name. 5 minutes, easy.*
#
# Write `attention_of(name)`, which returns `"encoder"`, `"decoder"` or `"cross"`. It should read the
# names of both families:
#
# | attention | T5 | BART |
# |---|---|---|
# | encoder's own | `encoder.block.0.layer.0.SelfAttention.q` | `encoder.layers.0.self_attn.q_proj` |
# | decoder's own | `decoder.block.0.layer.0.SelfAttention.q` | `decoder.layers.0.self_attn.q_proj` |
# | cross | `decoder.block.0.layer.1.EncDecAttention.q` | `decoder.layers.0.encoder_attn.q_proj` |
#
# <details><summary>Hint 1</summary>Ask for cross first: its names contain "decoder" as well. And
# "encoder_attn" is in the decoder.</details>
#
# <details><summary>Hint 2</summary>"EncDecAttention" or "encoder_attn" is cross; of the others, those
# with "encoder." are the encoder's.</details>

# %%
from ftlab.teach import answers


def attention_of(name):
    # <solution>
    if "EncDecAttention" in name or "encoder_attn" in name:
        return "cross"
    return "encoder" if "encoder." in name else "decoder"
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


T5, BART = "{}.block.2.layer.{}.{}.v", "model.{}.layers.2.{}.v_proj"
attention_of = ftlab.exercise(
    attention_of,
    reference=answers.attention_of,
    checks=[
        ("the encoder's own", lambda f: (f(T5.format("encoder", 0, "SelfAttention")), "encoder")),
        (
            "cross-attention lies in the decoder (did you ask for it first?)",
            lambda f: (f(T5.format("decoder", 1, "EncDecAttention")), "cross"),
        ),
        (
            "BART calls it encoder_attn, and it is no encoder's",
            lambda f: (f(BART.format("decoder", "encoder_attn")), "cross"),
        ),
    ],
    cases=[(BART.format(stack, "self_attn"),) for stack in ("encoder", "decoder")],
)

# %% [markdown]
# ## Two words, three attentions
#
# *Goal: find out where `peft` puts adapters if you name only `q` and `v`.*
#
# `peft`, the usual library for LoRA, chooses the same two names for a T5 if you give none. Your function
# tells where the adapters went:

# %%
from collections import Counter

from peft import LoraConfig, get_peft_model

config = LoraConfig(r=16, lora_alpha=32, target_modules=["q", "v"], task_type="SEQ_2_SEQ_LM")
copied = get_peft_model(lab.fresh(), config)


def adapted(model):
    """How many layers of which attention carry which rank, read from the live model."""
    carriers = [(n, m) for n, m in model.named_modules() if hasattr(m, "lora_A")]
    return Counter((attention_of(name), module.r["default"]) for name, module in carriers)


for (kind, rank), count in sorted(adapted(copied).items()):
    print(f"{kind:8} rank {rank}: {count} layers")
snippet = ftlab.claim(
    "target_modules=['q', 'v'] puts the same rank on all three attentions of a T5",
    set(adapted(copied)) == {("encoder", 16), ("decoder", 16), ("cross", 16)},
    f"{sum(adapted(copied).values())} layers, the same number on each attention",
)

# %% [markdown]
# That is not wrong, but nothing was chosen. And a pattern that tries to choose can match too much:
# `SelfAttention.q` is in the decoder, and in the encoder too.
#
# ## Exercise 2: the article's plan
#
# *Goal: a rank for each attention. 15 minutes, medium.*
#
# The article's order for encoder-decoder models: the decoder's own attention first (rank 8 to 16), then
# cross-attention (8 to 16), and the encoder's own as an option (4 to 8).
#
# Write `plan_of(names, ranks)`. `names` are all module names of a T5, `ranks` is a dictionary such as
# `{"decoder": 16, "cross": 16, "encoder": 8}`. Return a dictionary: for the name of each `q` and `v`
# whose attention is in `ranks`, its rank.
#
# <details><summary>Hint 1</summary>Keep names that end in ".q" or ".v", then ask attention_of.</details>
#
# <details><summary>Hint 2</summary>{name: ranks[attention_of(name)] for name in names if
# name.endswith((".q", ".v")) and ...}</details>


# %%
def plan_of(names, ranks):
    # <solution>
    return {
        name: ranks[attention_of(name)]
        for name in names
        if name.endswith((".q", ".v")) and attention_of(name) in ranks
    }
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


few = [
    "shared",
    "encoder.block.0.layer.0.SelfAttention.q",
    "encoder.block.0.layer.0.SelfAttention.o",
]
few += ["decoder.block.0.layer.0.SelfAttention.v", "decoder.block.0.layer.1.EncDecAttention.q"]
three = {"decoder": 16, "cross": 4, "encoder": 8}
plan_of = ftlab.exercise(
    plan_of,
    reference=answers.plan_of,
    checks=[
        ("q and v only (not o, not the embeddings)",
         lambda f: (set(f(few, three)), {*few[1:2], *few[3:]})),
        ("each has the rank of its own attention",
         lambda f: ([*f(few, three).values()], [8, 16, 4])),
        ("an attention that is not in ranks gets no adapter",
         lambda f: (f(few, {"cross": 4}), {few[4]: 4})),
    ],
)  # fmt: skip

# %% [markdown]
# Now peft gets your dictionary in place of two words:

# %%
from ftlab import methods


def by_attention(ranks):
    """What `lab.run` takes as a method: LoRA by your plan."""

    def method(model):
        mine = plan_of([name for name, _ in model.named_modules()], ranks)
        config = LoraConfig(
            target_modules=list(mine),
            rank_pattern=mine,
            alpha_pattern={name: 2 * rank for name, rank in mine.items()},
            task_type="SEQ_2_SEQ_LM",
        )
        return methods.count(get_peft_model(model, config), "lora_kinds")

    return method


ARTICLE = {"decoder": 16, "cross": 16, "encoder": 8}
planned = adapted(by_attention(ARTICLE)(lab.fresh()).model)
print("your plan, read from the live model:", dict(planned))
assert planned == adapted(methods.AttentionLoRA(ARTICLE)(lab.fresh()).model)
show(three_attentions(ARTICLE, title="The article's plan"))

# %% [markdown]
# ## What is new, the reading or the writing?
#
# *Goal: see two tasks: one new to read, the other new to write.*
#
# The article has one order for all tasks. Should it not depend on *what is new*? So here are two tasks
# about facts that the model knows: in **new format** the questions are old, but the answer must first say
# what was asked for; in **new words** the answers are old, but the question is asked in invented words.

# %%
formats = ftlab.open_lab("new_format", model="nano-t5")
rows = [
    (task, row["prompt"], row["answer"].strip())
    for task, bench in (("new format", formats), ("new words", lab))
    for row in list(bench.domain.train)[:3]
]
show(Table(("task", "in", "out"), rows))

# %% [markdown]
# <details><summary>How new are the words?</summary>The subject of a question (Vietnam) keeps its name,
# and most subjects are in one kind of fact only. So a model that understands that word alone can guess
# what is asked. That is why it already answers some questions before any training. Some facts are in no
# training item; the test asks about these, too.</details>
#
# Which attention would you adapt for which task? First all three, rank 8 each, on the new words:

# %%
guess = ftlab.predict(
    "Retained, with rank 8 on all three attentions at a rate of 3e-3?", None, unit="%"
)

# %%
plan = ftlab.Plan(steps=100, batch_size=16, lr=3e-3)
run = lab.run(plan, method=by_attention({"decoder": 8, "cross": 8, "encoder": 8}))
with ftlab.Live(total=plan.steps, prediction=guess, title="all three, rank 8") as live:
    for step in run:
        live.update(step)
        if live.stopped:
            break

# %%
final = run.final
print(guess.compare(100 * final["retention"]))
print(f"Learned {final['target_score']:.0%}, retained {final['retention']:.0%}.")

# %% [markdown]
# (The plot asks a sample of the questions; the lines below it ask all.) The base is frozen, and skills
# are lost all the same: while an adapter is on, it can change every answer.
#
# ## Each alone, in pairs, all together
#
# *Goal: compare what seven plans of equal size learn on both tasks.*
#
# Recorded, three seeds: LoRA on each attention alone (rank 24), on each pair (12 each) and on all three
# (8 each), so that all seven train the same number of parameters. Beside them the article's plan, which
# has more, and full fine-tuning. Each is shown at the rate at which it learned most. These rates differ,
# so compare only what is learned; what is retained follows below, at equal learning.

# %% tags=["nbval-check-output"]
from ftlab import analysis
from ftlab.show import called, rate_text

recorded = analysis.shipped("nano-t5")
TASKS = {"new format": "new_format", "new words": "new_words"}
ALONE = ("lora_decoder", "lora_cross", "lora_encoder")
PLANS = (*ALONE, "lora_decoder_cross", "lora_decoder_encoder", "lora_cross_encoder")
PLANS += ("lora_kinds", "lora_article")  # all three: with equal ranks, and the article's
NAMES = ("learning rate", *PLANS)
found = {task: analysis.settings(recorded, domain=domain) for task, domain in TASKS.items()}
best = {task: analysis.best_rates(settings) for task, settings in found.items()}
keys = ("target_score", "retention")
rows = [
    (
        called(name),
        *(
            cell
            for at in (best[task][name] for task in TASKS)
            for cell in (rate_text(at.lr), *(f"{at.mean(key):.0%}" for key in keys))
        ),
    )
    for name in NAMES
]
columns = ("rate", "learned", "retained")
header = ("plan", *(f"{task}: {word}" for task in TASKS for word in columns))
show(Table(header, rows, "nano-t5, means of 3 seeds; higher is better"))

# %%
orders = {task: analysis.priorities(recorded, domain) for task, domain in TASKS.items()}
ordered = {}
for task, order in orders.items():
    steps = [f"{called(s.first)} minus {called(s.second)}" for s in order.steps]
    gaps = [analysis.points_text(s.gap) for s in order.steps]
    told = ", ".join(f"{step} {gap}" for step, gap in zip(steps, gaps, strict=True))
    ordered[f"{task}, learned: {told}"] = order.verdict
    print(f"{task}: the article's order {order.verdict} ({told})")
least = ftlab.claim(
    "On both tasks the decoder's own attention alone learns least (3 seeds)",
    all(
        analysis.more(order.best[other], order.best["lora_decoder"], "target_score")
        for order in orders.values()
        for other in ("lora_cross", "lora_encoder")
    ),
    "; ".join(
        f"{task}: " + ", ".join(f"{called(n)} {o.best[n].mean('target_score'):.0%}" for n in ALONE)
        for task, o in orders.items()
    ),
)

# %% [markdown]
# The measurements do not follow the article's order. Its first, the decoder's own attention, learns
# least on both tasks. Its "option", the encoder's, learns most of the three where the words are new.
#
# <details><summary>What is not decided</summary>Between cross-attention and the encoder's, three seeds
# leave it open on the new format. In brackets stands the 95 % interval of the difference, paired by
# seed. Where a plan learned most at 3e-3, the highest rate that was run, a higher one might have done
# better.</details>
#
# ## And what is retained?
#
# *Goal: compare what each attention retains, also at equal learning.*
#
# Each attention alone at 3e-4 and 3e-3, and full fine-tuning at 1e-4 and 3e-4. Upper right is better.

# %%
from ftlab.show import scoreboard

for task, settings in found.items():
    full = [s for s in settings if s.sweep == "learning rate" and s.lr in (1e-4, 3e-4)]
    alone = [s for s in settings if s.sweep in ALONE and s.lr in (3e-4, 3e-3)]
    show(scoreboard(full + alone, title=task, crop=True))

# %% [markdown]
# A plan that learns less usually also forgets less. So we compare at *equal learning*: when the loss on
# the new task has fallen to a level that all of them reach, each at its best rate. (The slowest plan gets
# there with its last steps. So we look at a level a third higher as well.)

# %%
matched, cost, higher = {}, {}, {}
for task, settings in found.items():
    level = analysis.common_level(settings, NAMES)
    matched[task] = analysis.best_at(settings, level)
    for at, told in ((matched[task], cost), (analysis.best_at(settings, 4 / 3 * level), higher)):
        for name in ("lora_article", *ALONE):
            pair = at[name].retained, at["learning rate"].retained
            gap = analysis.points_text(analysis.paired(*pair))
            told[f"{task}, {called(name)} minus full: {gap}"] = analysis.verdict(*pair)
for where, verdicts in (("", cost), (", a third higher", higher)):
    for evidence, verdict in verdicts.items():
        print(f"retains more than full fine-tuning{where}? {verdict} ({evidence})")
quiet, loud = (matched["new words"][name] for name in ("lora_encoder", "lora_decoder"))
with_encoder = {}
for task in TASKS:
    all_three, without = (best[task][name] for name in ("lora_kinds", "lora_decoder_cross"))
    gap = analysis.difference(all_three, without, "target_score")
    more = analysis.verdict(all_three.values(keys[0]), without.values(keys[0]))
    told = f"{task}, learned, all three minus decoder's own + cross: {gap}"
    with_encoder[told] = "does not hold" if more == "holds" else "not decided"
    print(f"the encoder's can be left out without learning less: {with_encoder[told]} ({told})")
quiet_encoder = ftlab.claim(
    "New words, at equal learning: adapters in the encoder retain more than in the decoder",
    analysis.verdict(quiet.retained, loud.retained) == "holds",
    f"retained {quiet.interval.estimate:.0%} against {loud.interval.estimate:.0%}",
)

# %% [markdown]
# Full fine-tuning at its gentle rate is hard to beat here, too, at either level. To be fair to the
# article: on the new format its plan retains most of these four LoRA plans, but the interval is wide,
# and it has more parameters.
#
# ## Freeze the encoder, or the decoder?
#
# *Goal: find out when it helps to freeze a whole stack.*
#
# A simpler form of the same question: train one stack fully and freeze the other. (The embeddings, which
# both stacks share, are frozen each time.)

# %%
FROZEN = ("freeze_encoder", "freeze_decoder")
for task, settings in found.items():
    shown = [s for s in settings if s.sweep in ("learning rate", *FROZEN) and s.lr in (1e-4, 3e-4)]
    show(scoreboard(shown, title=task, crop=True))

# %%
still, free = (
    analysis.pick(found["new words"], name, 3e-4)[0] for name in ("freeze_decoder", "learning rate")
)
tolerant = ftlab.claim(
    "New words: with the decoder frozen, the model tolerates a rate at which it otherwise forgets",
    analysis.more(still, free) and abs(still.mean(keys[0]) - free.mean(keys[0])) < 0.05,
    f"at 3e-4 retained {still.mean('retention'):.0%} against {free.mean('retention'):.0%}, learned "
    f"{still.mean(keys[0]):.0%} and {free.mean(keys[0]):.0%}",
)
settings = found["new format"]
level = analysis.best_at(settings, analysis.common_level(settings, (*NAMES, *FROZEN)))
full = level["learning rate"].retained
frozen_worse = ftlab.claim(
    "New format, at equal learning: either stack frozen retains less than full fine-tuning",
    all(analysis.verdict(full, level[name].retained) == "holds" for name in FROZEN),
    ", ".join(f"{called(n)} {level[n].interval.estimate:.0%}" for n in ("learning rate", *FROZEN)),
)

# %% [markdown]
# Where only the words of the questions are new, the decoder has little to learn. With it frozen, the
# higher rate did no harm. Where the answers change, freezing either stack retains less than full
# fine-tuning *at equal learning* (the numbers above). In the figure the frozen decoder at 1e-4 lies
# higher, but look at what it has learned there.
#
# ## Choose the attentions
#
# *Goal: see what a task loses when one attention has no adapter.*
#
# Left: which attention gets which rank, and what came out. Right: its place among everything recorded
# on that task. Try: on the new format, which of the three can you switch off without learning less?

# %%
from ftlab.show import attention_panel

attention_panel(recorded).show()

# %% [markdown]
# ## Exercise 3: equally many parameters
#
# *Goal: compare plans fairly. 5 minutes, easy.*
#
# Each attention of nano-t5 has 8 matrices that carry an adapter (Q and V in four blocks), all of
# 128 x 128. Write `equal_rank(parameters, layers, width)`: `layers` is the number of matrices, each
# `width` x `width`. Return the largest rank at which a LoRA on all of them trains at most `parameters`
# parameters.
#
# <details><summary>Hint 1</summary>Notebook 04: beside a d x d layer a LoRA of rank r trains 2 r d
# parameters.</details>
#
# <details><summary>Hint 2</summary>What does one rank cost on all `layers` together? How often does
# that fit into `parameters`?</details>


# %%
def equal_rank(parameters, layers, width):
    # <solution>
    return parameters // (layers * 2 * width)
    # </solution>
    # <stub>
    # return None  # your code
    # </stub>


equal_rank = ftlab.exercise(
    equal_rank,
    reference=answers.equal_rank,
    checks=[
        ("one layer of width 1: rank 1 costs 2 (A and B?)", lambda f: (f(2, 1, 1), 1)),
        ("a rank is a whole number, rounded down", lambda f: (f(49151, 24, 128), 7)),
        ("all three attentions, 49,152 parameters", lambda f: (f(49152, 24, 128), 8)),
    ],
    cases=[(49152, 8, 128), (100_000, 16, 128), (1_000_000, 72, 768)],
)

# %% [markdown]
# ## Exercise 4: a plan of your own
#
# *Goal: the new words, at least 85 % learned and at least 95 % retained. 15 minutes, open.*
#
# Which attentions, which ranks, which rate? Your `by_attention` makes the method.
#
# <details><summary>Hint 1</summary>Which points lie in the good corner of the plane for the new
# words, and at which rates?</details>
#
# <details><summary>Hint 2</summary>Which attention alone retained most at equal learning? It had rank
# 24.</details>

# %%
# <solution>
my_ranks, my_rate = {"encoder": 24}, 3e-4
# </solution>
# <stub>
# my_ranks, my_rate = None, None  # such as {"decoder": 16, "cross": 4}, 1e-3
# </stub>

if my_ranks is None:
    print("No plan yet. The recorded ones are in the table above.")
else:
    mine = lab.run(ftlab.Plan(lr=my_rate, measure_every=0), method=by_attention(my_ranks)).finish()
    goals = {"target_score": ("learned", 0.85), "retention": ("retained", 0.95)}
    for key, (word, goal) in goals.items():
        value = mine.final[key]
        print("✓" if value >= goal else "✗", f"{word} {value:.0%} (at least {goal:.0%})")

# %% [markdown]
# ## The article says, we measured
#
# The article is Sachchida Nand Singh, "Fine-Tuning Large Language Models (LLMs) Without
# Catastrophic Forgetting", Towards AI; its advice is in our words. *(often said)* is common advice
# that is not taken from it; *(ours)* is a statement of this workbook.

# %%
ftlab.verdict_table(
    ftlab.says(
        "First the decoder's own attention, then cross, then the encoder's", decided=ordered
    ),
    ftlab.says("The decoder's own attention comes first", contradicted_by=[least]),
    ftlab.says(
        "The encoder's attention can be left out without learning less", decided=with_encoder
    ),
    ftlab.says(
        "(ours) Where the words are new, adapters in the encoder retain more than in the decoder",
        supported_by=[quiet_encoder],
    ),
    ftlab.says(
        "(ours) For T5, target_modules=['q', 'v'] adapts all three attentions alike",
        supported_by=[snippet],
    ),
    ftlab.says(
        "(often said) A plan such as the article's retains more than full fine-tuning",
        decided={evidence: verdict for evidence, verdict in cost.items() if "article" in evidence},
    ),
    ftlab.says(
        "(ours) Freeze the side that has nothing new to learn",
        supported_by=[tolerant],
        contradicted_by=[frozen_worse],
    ),
)

# %% [markdown]
# ## What to do from now on
#
# - Say which attention you mean, and read from the live model what you got.
# - Ask what is new, the reading or the writing. Are the words new? Then the encoder alone learns most
#   of the three, and retains more than the decoder.
# - Do not leave out the encoder without measuring: on the new format that cost a part of the task.
# - Does one side have nothing to learn? Freezing it can help (new words, decoder) and need not (new
#   format, encoder): measure it.
# - Compare plans with equally many parameters, each at its own rate.
#
# All of it was measured on nano-t5 alone: real encoder-decoder models have to be downloaded from the
# Hugging Face Hub. `ftlab.methods.AttentionLoRA` takes the same plans for any T5 or BART, such as
# `ftlab.open_lab("clinic", model="t5-small")`.
#
# <details><summary>Further reading</summary>
#
# - Lee and others (2023), *Surgical Fine-Tuning*: which block should learn depends on the shift. New
#   inputs want the first block, new outputs the last.
# - huggingface/peft: by default it adapts q and v in all three attentions, of T5 and of BART.
#   `layers_to_transform=[2]` hits block 2 of both stacks.
#
# </details>
#
# **Next:** [06 QLoRA: a base in four bits](06_qlora.ipynb) stores the frozen weights in four bits
# each.
