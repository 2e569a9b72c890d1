"""What a model has learned, what it has forgotten, and how far it has moved.

    tokens      text to token ids, as lm-evaluation-harness does it
    batches     many short texts through the model at once, without changing a single number
    scoring     log-likelihoods of texts, and the loss of documents
    skills      accuracy per skill on probes
    learning    the target task: greedy answers, exact match, loss
    retention   the share of the base's skills that is left; the signs of learned and forgotten
    drift       KL(base || tuned) and the size of the update, block by block
    intervals   how sure a number is
    watch       all of it in one call, quick enough for every few steps

Import from the modules (`from ftlab.measure.watch import Watch`): `retention` and `intervals`
need no torch, and this page loads nothing.
"""
