"""Three splits of a user's items, none of which shares a prompt with another.

What is missing of validation and test is cut from the training rows, a tenth of the whole each, by
a seeded shuffle. Rows with the same prompt stay together, so that no test item was trained on; of
splits that were given, train loses the prompts of the others, which is said. `held` items never go
to training.
"""

import random
from collections.abc import Mapping
from typing import Any

from ftlab.base.errors import InputError
from ftlab.datasets.items import Item

SPLITS = {"train": "train", "validation": "validation|valid|val|dev", "test": "test"}
"""The splits, and what people call them."""
FEWEST = 10  # rows that can be cut into three splits with a meaning


def complete(splits: dict[str, list[Item]], name: str, seed: int = 0) -> dict[str, list[Item]]:
    """All three splits: what is missing of validation and test is cut from train, 10 % each."""
    missing = [split for split in SPLITS if split not in splits]
    done = _apart(splits, name)
    if missing:
        if len(done["train"]) < FEWEST:
            raise InputError(
                f"{name} has {len(done['train'])} examples to train on; at least {FEWEST} are "
                "needed to cut them into train, validation and test."
            )
        done |= _cut(done["train"], missing, seed)
    empty = [split for split in SPLITS if not done[split]]
    if empty:
        raise InputError(
            f"{name} leaves nothing for {' and '.join(empty)}; give more examples "
            "with different prompts that are not marked held."
        )
    trained = next((item for item in done["train"] if item["held"]), None)
    if trained is not None:
        raise InputError(
            f"The training split of {name} holds '{trained['id']}', which is marked "
            "held; move held items to validation and test."
        )
    return {split: done[split] for split in SPLITS}


def prompt_key(item: Mapping[str, Any]) -> str:
    """What makes two prompts one; of text alone, which has none, two texts."""
    return " ".join((item["prompt"] or item["answer"]).split())


def _apart(splits: dict[str, list[Item]], name: str) -> dict[str, list[Item]]:
    """No prompt in two splits: test keeps it, then validation; a line says what goes."""
    done, taken = dict[str, list[Item]](), set[str]()
    for split in ("test", "validation", "train"):
        if split in splits:
            others = " or ".join(done)
            items = done[split] = [item for item in splits[split] if prompt_key(item) not in taken]
            if gone := len(splits[split]) - len(items):
                print(f"{name}: {gone} items of {split} go, whose prompts {others} has.")
            taken |= set(map(prompt_key, items))
    return done


def _cut(items: list[Item], missing: list[str], seed: int) -> dict[str, list[Item]]:
    """Cut a tenth of the prompts, and the held ones, off `items` for each missing split."""
    prompts = {prompt_key(item): False for item in items}
    for item in items:
        prompts[prompt_key(item)] |= item["held"]
    order = sorted(prompts)
    random.Random(seed).shuffle(order)
    free = [prompt for prompt in order if not prompts[prompt]]
    held = [prompt for prompt in order if prompts[prompt]]
    tenth = max(1, round(len(free) / 10))
    goes = dict.fromkeys(free, "train")
    for n, split in enumerate(missing):
        goes |= dict.fromkeys(free[n * tenth : (n + 1) * tenth], split)
        goes |= dict.fromkeys(held[n :: len(missing)], split)
    return {
        split: [item for item in items if goes[prompt_key(item)] == split]
        for split in ("train", *missing)
    }
