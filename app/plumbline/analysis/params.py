"""Parameters of analyses: one pydantic class gives the form, the command line and the docs.

A field says its unit and the widget it wants in ``json_schema_extra``::

    step: Annotated[int, Field(ge=1, le=60, json_schema_extra={"unit": "min"})] = 1

Titles and descriptions are English texts that pass through `tr` where they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

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


def _read_ids(value: object) -> object:
    """Accept one id, or several between commas, as typed on a command line."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


#: Ids of layers.
LayerRefs: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_read_ids),
    Field(json_schema_extra={"widget": "layers"}),
]


def _read_polygon(value: object) -> object:
    """Accept a ring as GeoJSON, WKT or text; the closing point may be there or not."""
    if isinstance(value, Mapping) and value.get("type") == "Polygon":
        value = _only_ring(value.get("coordinates"))
    elif isinstance(value, str) and "(" in value:
        name, _, body = value.strip().partition("(")
        rings = re.findall(r"\(([^()]*)\)", body)
        if name.split()[:1] != ["POLYGON"] or not body.endswith("))"):
            raise ValueError(
                tr("This is no polygon: give a list of points or POLYGON Z ((x y z, …)).")
            )
        value = tuple(_only_ring(rings).split(","))
    elif isinstance(value, str):
        value = _read_points(value)
    points = list(value) if isinstance(value, list | tuple) else value
    if isinstance(points, list) and len(points) > 3:
        first, last = (_split_numbers(points[n]) for n in (0, -1))
        if isinstance(first, list | tuple) and first == last:
            points.pop()
    return tuple(points) if isinstance(points, list) else value


def _only_ring(rings: object) -> Any:
    if not isinstance(rings, list | tuple) or len(rings) != 1:
        raise ValueError(tr("Give a polygon with one ring, without holes."))
    return rings[0]


#: A polygon without holes: a list of points in the project CRS; also GeoJSON or WKT.
Polygon: TypeAlias = Annotated[
    tuple[Point, ...],
    BeforeValidator(_read_polygon),
    Field(min_length=3, json_schema_extra={"widget": "points", "closed": True}),
]


def _read_region(value: object) -> object:
    """Accept polygons as GeoJSON, WKT, text or nested lists; return polygons of rings of points."""
    if isinstance(value, Mapping):
        if value.get("type") not in ("Polygon", "MultiPolygon"):
            raise ValueError(
                tr("This is no polygon: give a list of points or POLYGON Z ((x y z, …)).")
            )
        value = value.get("coordinates")
    elif isinstance(value, str) and "(" in value:
        value = _polygons_of_wkt(value)
    elif isinstance(value, str):
        value = _read_points(value)
    depth = _depth(value)
    # A ring, a polygon with its holes, or several polygons.
    polygons: Any = value if depth > 2 else [value] if depth == 2 else [[value]]
    if not isinstance(polygons, list | tuple):
        return polygons
    return tuple(
        tuple(_read_polygon(ring) for ring in polygon)
        if isinstance(polygon, list | tuple)
        else polygon
        for polygon in polygons
    )


def _polygons_of_wkt(text: str) -> list[list[tuple[str, ...]]]:
    kind = text.strip().partition("(")[0].split()[:1]
    polygons = [text.strip().partition("(")[2]]
    if kind == ["MULTIPOLYGON"]:
        polygons = re.findall(r"\((\s*\([^()]*\)(?:\s*,\s*\([^()]*\))*\s*)\)", polygons[0])
    if kind not in (["POLYGON"], ["MULTIPOLYGON"]) or not text.strip().endswith("))"):
        raise ValueError(tr("This is no polygon: give a list of points or POLYGON Z ((x y z, …))."))
    return [[tuple(r.split(",")) for r in re.findall(r"\(([^()]*)\)", p)] for p in polygons]


def _depth(value: object) -> int:
    """Return how deep lists are nested above points, a text being a point."""
    depth = 0
    while isinstance(value, list | tuple) and value:
        if isinstance(value[0], int | float):
            return depth
        if isinstance(value[0], str):
            return depth + 1
        value = value[0]
        depth += 1
    return depth


_Ring: TypeAlias = Annotated[tuple[Point, ...], Field(min_length=3)]

#: Polygons with holes: a ring of points, GeoJSON or WKT of a polygon or of several. The value is
#: polygons of rings of points; `region` makes a geometry of it.
Region: TypeAlias = Annotated[
    tuple[Annotated[tuple[_Ring, ...], Field(min_length=1)], ...],
    BeforeValidator(_read_region),
    Field(min_length=1, json_schema_extra={"widget": "region"}),
]


def widget_of(cls: type[Params], name: str) -> str:
    """Return the widget that a parameter asks for; an optional one says it inside a union."""
    field = cls.model_json_schema().get("properties", {}).get(name, {})
    found = (str(part.get("widget", "")) for part in (field, *field.get("anyOf", ())))
    return next((widget for widget in found if widget), "")


class Entities(BaseModel):
    """Some entities of a layer, or all of them where none are named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    entities: tuple[str, ...] = ()


def _read_entities(value: object) -> object:
    """Accept a layer id, ``{"layer": ID, "entities": [...]}``, or a list of these."""
    many = value if isinstance(value, list | tuple) else (value,)
    return tuple({"layer": one} if isinstance(one, str) else one for one in many)


#: Layers or entities: an id, ``{"layer": ID, "entities": [...]}``, or a list of these.
EntityRefs: TypeAlias = Annotated[
    tuple[Entities, ...],
    BeforeValidator(_read_entities),
    Field(min_length=1, json_schema_extra={"widget": "layers"}),
]
