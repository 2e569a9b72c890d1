"""What a lab takes when nothing is named: the profile's model and suite, or what ships.

The profile t4 wants things from the Hub. In a room of thirty people the Hub may be slow, busy or
out of reach, and the lesson must go on: then the models that ship are used, and one line says so.
What was named by hand is never replaced by something else.
"""

from dataclasses import replace
from typing import Any

from ftlab.base import machine
from ftlab.datasets.load import Suite, load_suite, suite_for
from ftlab.hub import reach
from ftlab.models.bases import Quantize
from ftlab.models.loading import Bundle, load
from ftlab.models.quantizing import quantize


def usual_model(seq2seq: bool = False, base: Quantize | None = None) -> Bundle:
    """The profile's model (with `seq2seq` its encoder-decoder model), or the one that ships."""
    wanted, shipped = (
        profile.seq2seq if seq2seq else profile.model
        for profile in (machine.profile(), machine.PROFILES["nano"])
    )
    try:
        return load(wanted, device=machine.device(), base=base)
    except reach.Offline as away:
        print(f"{wanted} cannot be had: {away.reason}. In its place: {shipped}, which ships.")
    return load(shipped, device=machine.device(), base=base)


def bundle_of(given: Any, how: Quantize | None, seq2seq: bool) -> Bundle:
    """The model that was given, by name or loaded, or the usual one; put into four bits `how`."""
    if isinstance(given, Bundle):
        return given if how is None else replace(given, model=quantize(given.model, how), base=how)
    return (
        load(str(given), device=machine.device(), base=how) if given else usual_model(seq2seq, how)
    )


def usual_suite(bundle: Bundle) -> Suite:
    """The questions that fit a model; under t4 with general text from Wikipedia where it is had."""
    name = suite_for(bundle.model, bundle.tokenizer)
    if name != "english" or machine.profile().name != "t4":
        return load_suite(name)
    try:
        return load_suite("wiki")
    except reach.Offline as away:
        print(f"No Wikipedia text: {away.reason}. In its place: the general text that ships.")
    return load_suite(name)
