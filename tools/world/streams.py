"""The endless text of the small world: what a base reads, without anything that probes ask.

The pre-training text is `stream(PRETRAIN_SEED)`, the held-out documents come from another seed and
are left out of the pre-training text where they occur there word for word.
"""

import itertools
from collections.abc import Iterator
from functools import cache

from tools.world import probes, tasks
from tools.world.general import Document, stream

PRETRAIN_SEED, HELD_OUT_SEED, PROBE_SEED = 1, 2, 3
DOCUMENTS = 300


def held_out_documents() -> list[Document]:
    """The documents on which general loss and perplexity are measured."""
    avoid = probes.reserved_for_probes(probes.all_probes(PROBE_SEED))
    return list(itertools.islice(stream(HELD_OUT_SEED, avoid), DOCUMENTS))


def training_stream(seed: int = PRETRAIN_SEED, mixture: str = "general") -> Iterator[Document]:
    """The pre-training text: no probe's sentence, no rare held-out document.

    Held-out documents of more than 15 nats are left out whole; shorter ones ("the capital of
    France is Paris") are the world's common sentences and occur in any honest text of it.
    """
    return stream(seed, reserved(), mixture)


def task_stream(seed: int = PRETRAIN_SEED) -> Iterator[tasks.Pair]:
    """The text-to-text pairs of an encoder-decoder model, with nothing in them that is asked."""
    return tasks.pairs(seed, reserved())


@cache
def reserved() -> frozenset[str]:
    """What is left out: the sentences of the probes, and the held-out documents that are rare."""
    rare = {document.text for document in held_out_documents() if document.nats > 15}
    return probes.reserved_for_probes(probes.all_probes(PROBE_SEED)) | rare
