"""Bands of blocks: "7-9" of 12, the third quarter of the depth, on a model of any depth.

    read_bands({"1-6": 0, "7-9": 4, "10-12": 8}, depth=12)     {0: 0, 1: 0, ..., 11: 8}
    read_bands({"1-6": 0, "7-9": 4, "10-12": 8}, depth=30)     blocks 1-15, 16-22 and 23-30

A band is written in twelfths of the depth (another `of` may be given), counted from 1, ends
included; several parts are separated by commas. Block i of n (from 0) lies in the twelfth that
holds its middle, (i + 1/2) / n.
"""

import re
from collections.abc import Mapping
from typing import Annotated, TypeVar

from ftlab.base.errors import InputError

T = TypeVar("T")
Ranks = Annotated[Mapping[str, int], 'ranks by band, such as {"7-9": 8, "10-12": 16}']
Shares = Annotated[
    Mapping[str, float], 'shares of the learning rate by band, such as {"1-6": 0, "7-12": 1}'
]
Targets = Annotated[tuple[str, ...] | str, 'the layers, such as ("q", "v") or ("ff",)']


def parts_of(band: str, of: int = 12) -> set[int]:
    """The twelfths that a band names, from 1. Raises InputError for words and wrong numbers."""
    found: set[int] = set()
    for part in str(band).split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= of:
            raise InputError(
                f"The band '{band}' is not possible: write it as '7-9' or '2,5', with numbers "
                f"from 1 to {of}, the smaller first."
            )
        found.update(range(first, last + 1))
    return found


def read_bands(bands: Mapping[str, T], depth: int, of: int = 12) -> dict[int, T]:
    """What every block of a stack of `depth` gets; blocks that no band names are left out.

    Raises InputError for bands that overlap, or name nothing on a model so shallow.
    """
    given: dict[int, T] = {}
    owner: dict[int, str] = {}
    for band, value in bands.items():
        for part in parts_of(band, of):
            if part in given:
                raise InputError(
                    f"The bands '{owner[part]}' and '{band}' both name {part}; "
                    "let every block belong to one band."
                )
            given[part], owner[part] = value, band
    where = {block: int((block + 0.5) / depth * of) + 1 for block in range(depth)}
    for band in bands:
        if not parts_of(band, of) & set(where.values()):
            raise InputError(
                f"The band '{band}' of {of} holds none of the {depth} blocks of this model; "
                "make it wider."
            )
    return {block: given[part] for block, part in where.items() if part in given}
