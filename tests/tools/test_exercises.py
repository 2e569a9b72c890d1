"""The exercises' own checks name a slip: each solution passes, and each plausible mistake in it
fails at a check whose sentence says what is wrong.

pytest tests/tools/test_exercises.py
"""

import math
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

import ftlab
from ftlab.methods import Freeze, nf4
from ftlab.teach import answers
from ftlab.train.schedules import lr_factor
from tools.notebooks.build import ROOT

NAMES = "retained most_lost loss_of train_on relative_change warmup_cosine fair_rate"
NAMES += " trainable_share freeze_lower lora_forward inject merged_weight attention_of plan_of"
NAMES += " equal_rank quantized bits_a_weight decoded bottleneck prefix_share wanda_score"
NAMES += " hold_zeros between fisher bwt to_replay route"
NAMES += " always_commonest lowest_that_learns may_ship"
SLIPS = (
    ("retained", "(base - chance)", "base", "nothing lost gives 1"),
    ("retained", "(now - chance) / (base - chance)", "now / base", "guessing gives 0"),
    ("retained", "max(0.0, (now - chance) / (base - chance))", "(now - chance) / (base - chance)",
     "worse than guessing is still 0"),
    ("retained", "max(0.0, (now - chance) / (base - chance))",
     "min(1.0, max(0.0, (now - chance) / (base - chance)))", "better than before"),
    ("most_lost", "min(shares", "max(shares", "equal to the reference"),
    ("most_lost", "min(shares, key=shares", "min(after, key=after", "not the lowest accuracy"),
    ("most_lost", "retained(after[name], before[name]", "retained(before[name], after[name]",
     "equal to the reference"),
    ("loss_of", "log_p[:-1].gather(1, ids[1:, None])", "log_p.gather(1, ids[:, None])", "(shift?)"),
    ("loss_of", "-log_p", "log_p", "the minus?"),
    ("loss_of", ".mean()", ".sum()", "mean, not sum?"),
    ("loss_of", "logits.log_softmax(-1)", "logits.softmax(-1)", "log_softmax?"),
    ("train_on", "logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten()",
     "logits.flatten(0, 1), batch.labels.flatten()", "no shift by one"),
    ("train_on", "ignore_index=-100", "ignore_index=1", "first loss"),
    ("train_on", "loss.backward()", "loss.detach()", "the weights moved"),
    ("train_on", "        optimizer.step()\n", "", "the weights moved"),
    ("train_on", "        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)\n", "",
     "gradients are clipped"),
    ("train_on", "        optimizer.zero_grad()\n", "", "cleared after each step"),
    ("relative_change", "/ before.norm()", "/ after.norm()", "doubling"),
    ("relative_change", "(after - before).norm()", "(after.norm() - before.norm())", "two lengths"),
    ("warmup_cosine", "done = step - 1", "done = step", "step - 1 are done"),
    ("warmup_cosine", "(steps - warmup)", "steps", "end of the warmup"),
    ("warmup_cosine", "done - warmup", "done", "after the warmup it is 1"),
    ("warmup_cosine", "done < warmup", "done <= warmup", "without a warmup"),
    ("fair_rate", "2e-3 *", "1e-3 *", "equal to the reference"),
    ("freeze_lower", "model.transformer.wpe.requires_grad_(False)\n", "pass\n", "final norm"),
    ("freeze_lower", "h[:n]", "h[:n - 1]", "final norm"),
    ("freeze_lower", "h[:n]", "h[-n:]", "equal to the reference"),
    ("lora_forward", "self.alpha / self.r", "self.alpha", "is it alpha / r?"),
    ("lora_forward", "self.alpha / self.r", "1 / self.r", "is alpha there?"),
    ("lora_forward", "self.linear(x) + ", "", "is self.linear(x) there?"),
    ("lora_forward", "self.alpha / self.r", "0", "A and B do something"),
    ("lora_forward", "self.linear(x) +", "self.linear(x) -", "equal to the reference"),
    ("inject", "model.requires_grad_(False)", "model.requires_grad_(True)", "nothing else is"),
    ("inject", "    return model\n", "    model.requires_grad_(False)\n    return model\n",
     "did you freeze after"),
    ("inject", "model.get_submodule(parent), last", "model, last", "deeper down"),
    ("inject", "r, alpha)", "alpha, r)", "in their places"),
    ("freeze_lower", "model.requires_grad_(True)", "pass", "trained again"),
    ("trainable_share", "p.numel() for p in model.parameters() if",
     "1 for p in model.parameters() if", "9 of 90"),
    ("trainable_share", "if p.requires_grad", "if not p.requires_grad", "all trained is 1"),
    ("trainable_share", "trained / sum(p.numel() for p in model.parameters())", "trained",
     "all trained is 1"),
    ("merged_weight", "alpha / r", "alpha", "twice the r changes W half as much"),
    ("merged_weight", "(B @ A)", "(A.T @ B.T)", "shape of W"),
    ("merged_weight", "alpha / r", "1 / r", "twice the alpha"),
    ("merged_weight", "W + alpha", "W - alpha", "equal to the reference"),
    ("merged_weight", "W + alpha", "alpha", "is W there?"),
    ("attention_of", 'in name or "encoder_attn" in name', "in name", "BART calls it encoder_attn"),
    ("attention_of", '"EncDecAttention" in name or "encoder_attn" in name', '"XX" in name',
     "cross-attention lies in the decoder"),
    ("attention_of", '"encoder." in name', '"decoder." in name', "the encoder's own"),
    ("plan_of", "name.endswith((\".q\", \".v\")) and ", "", "q and v only"),
    ("plan_of", " and attention_of(name) in ranks", "", "gets no adapter"),
    ("plan_of", "ranks[attention_of(name)]", "max(ranks.values())", "rank of its own attention"),
    ("equal_rank", "layers * 2 * width", "layers * width", "all three attentions"),
    ("equal_rank", "parameters // (", "1 + parameters // (", "all three attentions"),
    ("bits_a_weight", "return 4 + 32 / block", "return 4 + 16 / block", "blocks of 64"),
    ("bits_a_weight", "32 / (block * 256)", "32 / 256", "does the last constant"),
    ("quantized", "blocks.abs().amax(1)", "blocks.amax(1)", "abs, and row by row?"),
    ("quantized", "amax(1)", "amax().repeat(len(blocks))", "abs, and row by row?"),
    ("quantized", "(blocks / absmax[:, None])", "blocks", "each takes the nearest"),
    ("quantized", ".abs().argmin(-1)", ".argmin(-1)", "0 takes the value 0"),
    ("decoded", "absmax[:, None]", "absmax.mean()", "times its own absmax?"),
    ("bottleneck", "s + up", "up", "did you add it"),
    ("bottleneck", "F.gelu(down(s))", "down(s)", "is there a GELU"),
    ("bottleneck", "up(F.gelu(down(s)))", "F.gelu(up(down(s)))", "GELU stands in the middle"),
    ("bottleneck", "F.gelu", "F.relu", "GELU stands in the middle"),
    ("prefix_share", " / len(q) ** 0.5", "", "sqrt of d"),
    ("prefix_share", "[prefix, keys]", "[keys, prefix]", "the prefix comes first"),
    ("prefix_share", "scores.softmax(0)[: len(prefix)].sum()",
     "scores[: len(prefix)].softmax(0).sum()", "one softmax over all"),
    ("between", "before + a * (after - before)", "after + a * (before - after)", "other way round"),
    ("between", "a * (after - before)", "a * after", "not along it"),
    ("fisher", "** 2", "", "a fair coin"),
    ("fisher", "total / len(texts)", "total", "a sum?"),
    ("bwt", "matrix[-1][j] - matrix[j][j]", "matrix[j][j] - matrix[-1][j]", "a loss is negative"),
    ("bwt", "/ last", "/ len(matrix)", "left out, of the count too"),
    ("bwt", "matrix[j][j]", "max(row[j] for row in matrix)", "not from its best"),
    ("to_replay", "count // 2", "count", "half is general text"),
    ("to_replay", " // len(earlier)", "", "each earlier task has its share"),
    ("to_replay", "earlier.values()", "list(earlier.values())[-1:]", "the last alone?"),
    ("to_replay", "count - len(kept)", "count // 2", "general text fills up"),
    ("route", '.rstrip(":")', "", "helpdesk: its own prompts"),
    ("route", '.rstrip(":"))', '.rstrip(":"), "clinic")', "does your router always choose one?"),
    ("always_commonest", "key=train.count", "key=test.count", "the answer comes from train"),
    ("always_commonest", "/ len(test)", "/ len(train)", "a share of test"),
    ("lowest_that_learns", "min(rate", "max(rate", "a score just below the best"),
    ("lowest_that_learns", " - tolerance", "", "a score just below the best"),
    ("lowest_that_learns", "min(rate for", "min(score for", "it gives a rate"),
    ("may_ship", "gain[0] > 0", "gain[1] > 0", "a gain that may be none"),
    ("may_ship", "all(low >", "all(high >", "lost too much"),
    ("may_ship", "all(low > -tolerance for low, high in losses.values())",
     "sum(low for low, _ in losses.values()) / len(losses) > -tolerance", "each skill counts"),
    ("wanda_score", "inputs.norm(dim=0)", "inputs.abs().mean(dim=0)", "a norm over tokens"),
    ("wanda_score", "inputs.norm(dim=0)", "inputs.sum(dim=0)", "and not a sum"),
    ("wanda_score", "weight.abs()", "weight", "the sign of a weight"),
    ("wanda_score", " * inputs.norm(dim=0)", "", "always 0 needs no weight"),
    ("hold_zeros", "gradient.masked_fill(zero, 0.0)", "gradient * 0", "others still have"),
    ("hold_zeros", "layer.weight.register_hook(lambda gradient: gradient.masked_fill(zero, 0.0))",
     "layer.weight.data[zero] = 0.0", "18 zeros after a step"),
    ("hold_zeros", "layer.weight.register_hook(lambda gradient: gradient.masked_fill(zero, 0.0))",
     "layer.weight.requires_grad_(False)", "others still have"),
)  # fmt: skip
"""Exercise, a piece of its solution, a slip in its place, and words of a check that fails."""
HELPERS = {
    "train_on": ("01", "toy_losses", "loop_checks"),
    "lora_forward": ("04", "small_layer"),
    "inject": ("04", "small_layer", "trained"),
    "hold_zeros": ("08", "trained"),
    "fisher": ("09", "coins"),
}
"""Exercises whose checks stand in cells of their own: the notebook, and what these cells define."""


def cell(name: str) -> str:
    """The solved notebook's cell that checks this exercise."""
    for source in sorted((ROOT / "notebooks" / "source").glob("*.py")):
        for text in re.split(r"^# %%", source.read_text(encoding="utf-8"), flags=re.MULTILINE):
            if f"\n{name} = ftlab.exercise(" in text:
                return text.partition(")\nprint(")[0] + ("\n)" if ")\nprint(" in text else "")
    raise AssertionError(f"no notebook has the exercise {name}")


def helpers(notebook: str, *names: str) -> dict[str, Any]:
    """What the cells of a notebook make in which these functions, classes or values are defined."""
    (source,) = (ROOT / "notebooks" / "source").glob(f"{notebook}_*.py")
    space: dict[str, Any] = {"torch": torch}
    for text in re.split(r"^# %%", source.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if any(re.search(rf"^(def {name}\b|{name} = )", text, re.MULTILINE) for name in names):
            exec(compile(text, f"<{notebook}>", "exec"), space)
    return space


def small_model() -> Any:
    config = GPT2Config(vocab_size=8, n_positions=4, n_layer=12, n_embd=128, n_head=2)
    return GPT2LMHeadModel(config)


ASKED = {
    "clinic": "Triage note: a", "helpdesk": "Ticket: b", "contracts": "Clause: c",
    "ledger": "Booking note: d", "none": "The capital of e",
}  # fmt: skip


def goes_right(router: Any, task: str) -> float:
    """Of one prompt a task, for the router of notebook 10."""
    return float(router(ASKED[task]) == (None if task == "none" else task))


def cells_before(name: str) -> dict[str, Any]:
    """What the cells above an exercise have made."""
    torch.manual_seed(0)
    weights, found = torch.randn(6, 4), torch.randn(6, 4)
    theirs = nf4.nf4_levels()
    chances = {"facts": 0.0, "grammar": 0.5}
    runs = {
        lr: SimpleNamespace(
            plan={"lr": lr, "seed": 0},
            baseline={"skills": {"facts": 0.8, "grammar": 0.9}},
            final={"skills": now},
        )
        for lr, now in (
            (1e-4, {"facts": 0.7, "grammar": 0.6}),
            (3e-3, {"facts": 0.2, "grammar": 0.75}),
        )
    }
    probes = [SimpleNamespace(skill=skill, chance=chance) for skill, chance in chances.items()]
    path = "transformer.h.0.mlp.c_fc.weight"
    model = SimpleNamespace(state_dict=lambda: {path: found})
    lab = SimpleNamespace(fresh=small_model, suite=SimpleNamespace(probes=probes))
    zeros, q, keys = torch.zeros(3, 16), torch.randn(16), torch.randn(5, 16)
    return {
        "ftlab": ftlab, "torch": torch, "nn": nn, "F": F, "math": math, "answers": answers,
        "lab": lab, "runs": list(runs.values()), "high": runs[3e-3],
        "retained": ftlab.evaluate.retained, "run": SimpleNamespace(model=model),
        "before": {path: weights}, "lr_factors": ftlab.train.schedules.lr_factors,
        "by_hand": [lr_factor("cosine", t, steps=100, warmup=10) for t in range(1, 101)],
        "LOW": Freeze({"1-6": 0.0, "7-12": 1.0}),
        "trainable_share": answers.trainable_share,
        "attention_of": answers.attention_of,
        "two": torch.tensor([[-2.0, 0.5, 0.0], [0.1, -0.4, 0.2]]), "theirs": theirs,
        "q": q, "keys": keys, "zeros": zeros, "right": goes_right, "tests": {},
        "row": SimpleNamespace(matrix=[[0.6, 0.0], [0.1, 0.8]]), "TASKS": list(ASKED)[:4],
    }  # fmt: skip


def checked(name: str, code: str) -> Any:
    """The exercise's cell run with `code`; what the notebook would go on with."""
    space = cells_before(name) | (helpers(*HELPERS[name]) if name in HELPERS else {})
    exec(compile(code, f"<{name}>", "exec"), space)
    return space[name]


@pytest.mark.parametrize("name", NAMES.split())
def test_the_solution_passes(name: str, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("FTLAB_STRICT", "1")
    checked(name, cell(name))
    assert "✓ done" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "right", "wrong", "words"), SLIPS)
def test_a_slip_is_named(name: str, right: str, wrong: str, words: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("FTLAB_STRICT", "1")
    code = cell(name)
    begin, end = code.index("# <solution>"), code.index("# </solution>")
    solution = code[begin:end]
    assert solution.count(right) >= 1, "the notebook's solution has changed"
    slipped = solution[::-1].replace(right[::-1], wrong[::-1], 1)[::-1]  # its last place
    with pytest.raises(AssertionError, match="fails its checks") as told:
        checked(name, code[:begin] + slipped + code[end:])
    assert words in str(told.value)


def test_every_exercise_is_here() -> None:
    sources = sorted((ROOT / "notebooks" / "source").glob("*.py"))
    found = {
        name
        for source in sources
        for name in re.findall(r"^(\w+) = ftlab\.exercise\(", source.read_text("utf-8"), re.M)
    }
    found -= {"traps"}  # of notebook 08: its answers are yes and no, and measured there
    assert found == set(NAMES.split()) == {slip[0] for slip in SLIPS}
