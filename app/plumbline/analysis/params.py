"""Parameters of analyses: one pydantic class gives the form, the command line and the docs.

A field says its unit and the widget it wants in ``json_schema_extra``::

    step: Annotated[int, Field(ge=1, le=60, json_schema_extra={"unit": "min"})] = 1

Titles and descriptions are English texts that pass through `tr` where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from plumbline.core.i18n import tr


class Params(BaseModel):
    """Base of all parameters: frozen plain data, unknown names refused, only finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _split_numbers(value: object) -> object:
    """Accept ``"x,y,z"`` as typed on a command line or pasted from a table."""
    if isinstance(value, str):
        return tuple(value.replace(";", ",").replace("，", ",").replace(",", " ").split())
    return value


#: A point in the project CRS: ``[x, y, z]``.
Point3: TypeAlias = Annotated[
    tuple[float, float, float],
    BeforeValidator(_split_numbers),
    Field(json_schema_extra={"widget": "point"}),
]

#: A point in the project CRS: ``[x, y, z]``, or ``[x, y]`` where the height comes from a surface.
Point: TypeAlias = Annotated[
    tuple[float, float, float] | tuple[float, float],
    BeforeValidator(_split_numbers),
    Field(json_schema_extra={"widget": "point"}),
]


def _read_points(value: object) -> object:
    """Accept a line as GeoJSON, as WKT, or as text with a point on each line or between ``;``."""
    if isinstance(value, Mapping) and isinstance(value.get("coordinates"), list | tuple):
        return value["coordinates"]
    if isinstance(value, str) and "(" in value:
        name, _, body = value.strip().partition("(")
        if name.split()[:1] == ["LINESTRING"] and body.endswith(")"):
            return tuple(body[:-1].split(","))
        raise ValueError(tr("This is no line: give a list of points or LINESTRING Z (x y z, …)."))
    if isinstance(value, str):
        return tuple(p for p in value.replace("；", ";").replace("\n", ";").split(";") if p.strip())
    return value


#: A list of points; also GeoJSON or WKT of a line.
Points: TypeAlias = Annotated[
    tuple[Point, ...],
    BeforeValidator(_read_points),
    Field(json_schema_extra={"widget": "points"}),
]

#: Id of a layer.
LayerRef: TypeAlias = Annotated[str, Field(json_schema_extra={"widget": "layer"})]

#: Ids of layers.
LayerRefs: TypeAlias = Annotated[tuple[str, ...], Field(json_schema_extra={"widget": "layers"})]
