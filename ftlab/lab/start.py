"""What a run starts from: the base, another run or a model; and what the method makes of it."""

import copy
from typing import TYPE_CHECKING, Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.lab import weights
from ftlab.methods.export import merge
from ftlab.methods.prepared import Prepared, called, count

if TYPE_CHECKING:
    from ftlab.lab.lab import Lab


def prepared(lab: "Lab", method: Any, start: Any) -> Prepared:
    """What the method makes of the base, or of a copy of where the run starts."""
    if start is None:
        return _applied(method, lab.fresh(), lab)
    if method is not None:  # adapters of the start become part of its weights
        return _applied(method, merge(_model_of(start)), lab)
    model = copy.deepcopy(_model_of(start))
    if hasattr(start, "prepared"):  # the same parameters, on from where they are
        return start.prepared.on(model)
    return count(model, "as it was")


def _applied(method: Any, model: nn.Module, lab: "Lab") -> Prepared:
    """What a method makes of a model. Raises InputError for what is no method."""
    slip = f"{method!r:.60} is no method: give one such as LoRA(), with its brackets, or its name"
    if isinstance(method, type) or not callable(method):
        raise InputError(f"{slip}.")
    made = called(method, model, lab)
    if not isinstance(made, Prepared):
        raise InputError(f"{slip}; a function must return count(model, name), a Prepared.")
    return made


def _model_of(start: Any) -> nn.Module:
    return start.model if hasattr(start, "prepared") else start


def start_of(start: Any, folder: str) -> dict[str, str] | None:
    """What tells one start from another; None where a run starts from the base."""
    if start is None:
        return None
    name = start.name if hasattr(start, "prepared") else folder or type(start).__name__
    return {"name": name, "checksum": weights.checksum(_model_of(start))}
