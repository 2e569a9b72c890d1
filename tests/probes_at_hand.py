"""Models changed by hand, and probes whose answers are known, since the model itself chose them."""

import copy

import torch

from ftlab.datasets.load import Probe
from ftlab.evaluate.likelihood import score_texts
from ftlab.text.requests import pair_segments

QUERIES = ("The capital of France is", "What does Ben have?", "Two plus two is", "Note: chest pain")
WORDS = tuple(" ".join(QUERIES).split())
CHOICES = (" Paris", " Oslo", " the kite", " four")


def moved(model, size=0.05):
    """A copy with noise of this size on every weight."""
    torch.manual_seed(1)
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return changed


def sharpened(model):
    """The model with larger matrices: one that finds all tokens alike would hide a fault."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model


def choice_probes(model, tokenizer, *, right):
    """Choice probes labelled with the model's own pick, or with another one."""
    for i, query in enumerate(QUERIES):
        scores = [score_texts(model, tokenizer, [(query, c)])[0].logprob for c in CHOICES]
        label = scores.index(max(scores))
        yield Probe(
            f"c{i}", "facts_choice", "choice", query, CHOICES, label if right else label - 1 & 3
        )


def cloze_probes(model, tokenizer, queries, *, right):
    """Clozes whose answer is the model's likeliest word after the query, or its unlikeliest.

    Queries are left out where the likeliest token is half a letter, and so not a word at all.
    """
    for i, (segment, query) in enumerate(
        zip(pair_segments(tokenizer, [(query, " x") for query in queries]), queries, strict=True)
    ):
        order = model(torch.tensor([segment.context])).logits[0, -1].argsort(descending=right)
        words = [tokenizer.decode([token]) for token in order.tolist()]
        words = words[:1] if right else [word for word in words if word.isalpha()][:1]
        again = pair_segments(tokenizer, [(query, word) for word in words])
        if again[0].continuation == (order[0].item(),) or not right:
            yield Probe(f"{right} {i}", "facts", "cloze", query, (" never", *words), 1)
