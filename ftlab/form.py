"""What the fields of a stored result are held to when it is read (`ftlab.base.jsonfile.read_as`).

To who reads the code they are the plain dicts they were.
"""

import dataclasses
from typing import Annotated, Any

from pydantic import AfterValidator, Field, FiniteFloat, GetPydanticSchema
from pydantic_core import core_schema

from ftlab.plan import Plan

Count = Annotated[int, Field(ge=0)]
Real = FiniteFloat | None
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
MaybeShare = Share | None
Kept = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
"""What was retained: more than 1 where there is more of it now, None where it cannot be said."""


def table(*may: str, **fields: Any) -> Any:
    """Annotates a dict that has these fields (those of `may`: perhaps), and may have more."""

    def schema(_: Any, handler: Any) -> Any:
        kinds = {name: handler.generate_schema(kind) for name, kind in fields.items()}
        field = core_schema.typed_dict_field
        rows = {name: field(kind, required=name not in may) for name, kind in kinds.items()}
        return core_schema.typed_dict_schema(rows, extra_behavior="allow")

    return GetPydanticSchema(schema)


def part(*may: str, **fields: Any) -> Any:
    """A dict within one, as `table`."""
    return Annotated[dict[str, Any], table(*may, **fields)]


Measurement = Annotated[dict[str, Any], table(
    "n", n=part("target", "skills", target=Count, skills=dict[str, Count]),
    target_score=Share, held_score=MaybeShare, target_loss=Real, general_loss=Real,
    skills=dict[str, Share], kept=dict[str, Kept], retention=Kept, learned=Real, forgotten=Real,
)]  # fmt: skip
"""What `ftlab.evaluate.measures` says."""
Row = Annotated[dict[str, Any], table(
    step=Count, loss=Real, lr=FiniteFloat, tokens=Count, examples=Count, grad_norm=Real,
    seconds=FiniteFloat, measured=Measurement | None,
)]  # fmt: skip
"""A Step."""
Bounds = Annotated[list[Real], Field(min_length=2, max_length=2)]
Gone = part("now", asked=str, was=str, now=str)
Evidence = Annotated[dict[str, Any], table(
    "target", "skills", "learned", target=part(lost=Count, won=Count), learned=Bounds,
    skills=dict[str, part(lost=Count, won=Count, gone=list[Gone])],
)]  # fmt: skip
"""What `ftlab.evaluate.evidence` says."""


def _plan(fields: dict[str, Any]) -> dict[str, Any]:
    if unknown := fields.keys() - {f.name for f in dataclasses.fields(Plan)}:
        raise ValueError(f"a plan has no {', '.join(sorted(unknown))}; a newer ftlab's?")
    Plan(**fields)
    return fields


PlanFields = Annotated[dict[str, Any], AfterValidator(_plan)]
