"""What a lab takes when nothing is named: the profile's model and suite, or what ships.

The profile t4 wants things from the Hub. In a room of thirty people the Hub may be slow, busy or
out of reach, and the lesson must go on: then the models that ship are used, and one line says so.
What was named by hand is never replaced by something else.
"""

from ftlab import hub, profiles
from ftlab.models.load import Bundle, load
from ftlab.models.quantise import Quantise
from ftlab.world.load import Suite, load_suite, suite_for


def usual_model(seq2seq: bool = False, base: Quantise | None = None) -> Bundle:
    """The profile's model (with `seq2seq` its encoder-decoder model), or the one that ships."""
    wanted, shipped = (
        profile.seq2seq if seq2seq else profile.model
        for profile in (profiles.profile(), profiles.PROFILES["nano"])
    )
    try:
        return load(wanted, device=profiles.device(), base=base)
    except hub.Away as away:
        print(f"{wanted} cannot be had: {away.reason}. In its place: {shipped}, which ships.")
    return load(shipped, device=profiles.device(), base=base)


def usual_suite(bundle: Bundle) -> Suite:
    """The questions that fit a model; under t4 with general text from Wikipedia where it is had."""
    name = suite_for(bundle.model, bundle.name)
    if name != "english" or profiles.profile().name != "t4":
        return load_suite(name)
    try:
        return load_suite("wiki")
    except hub.Away as away:
        print(f"No Wikipedia text: {away.reason}. In its place: the general text that ships.")
    return load_suite(name)
