"""What the fields of a stored result are held to when it is read (`ftlab.base.jsonfile.read_as`).

To who reads the code they are the plain dicts they were.
"""

import dataclasses
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, GetPydanticSchema, with_config
from typing_extensions import TypedDict  # pydantic takes that of Python from 3.12 on

from ftlab.plan import Plan

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Shares = dict[str, Annotated[float, Field(ge=0)] | None]
"""What was retained, by skill: more than 1 where a skill grew, None where it cannot be said."""
FORM = ConfigDict(extra="allow", allow_inf_nan=False)


def like(kind: Any) -> Any:
    """An annotation: a file is held to `kind`."""
    return GetPydanticSchema(lambda _, handler: handler(kind))


@with_config(FORM)
class _Measured(TypedDict):
    """What every measurement says (`ftlab.evaluate.measures`); it may say more."""

    target_score: Share
    held_score: Share | None
    target_loss: float | None
    general_loss: float | None
    skills: dict[str, Share]
    kept: Shares
    retention: Annotated[float, Field(ge=0)] | None
    learned: float | None
    forgotten: float | None


Measurement = Annotated[dict[str, Any], like(_Measured)]


@with_config(FORM)
class _Row(TypedDict):
    """A Step."""

    step: Count
    loss: float | None
    lr: float
    tokens: Count
    examples: Count
    grad_norm: float | None
    seconds: float
    measured: Measurement | None


Curve = Annotated[list[dict[str, Any]], like(Annotated[list[_Row], Field(min_length=1)])]


def _plan(fields: dict[str, Any]) -> dict[str, Any]:
    if unknown := fields.keys() - {f.name for f in dataclasses.fields(Plan)}:
        raise ValueError(f"a plan has no {', '.join(sorted(unknown))}; a newer ftlab's?")
    Plan(**fields)
    return fields


PlanFields = Annotated[dict[str, Any], AfterValidator(_plan)]
