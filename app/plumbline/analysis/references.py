"""Geometry parameters that name features: ``{"layer": "parcels", "where": "编号 = 'A-01'"}``.

A reference is resolved on the scene's thread, before the parameters are validated: the request that
is stored, sent and replayed holds the coordinates themselves, and the layer is among its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline.analysis.params import Params, widget_of
from plumbline.core.data import VectorData
from plumbline.core.errors import Problem, RefusedError, UserError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.core.scene import Scene
from plumbline.core.where import where

#: Something valid to check the other parameters with before the layer is there.
_STAND_IN = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
_WIDGETS = ("points", "region")


def references(cls: type[Params], params: Mapping[str, Any]) -> dict[str, str]:
    """Return the layer that each geometry parameter names, by parameter."""
    return {
        name: value["layer"]
        for name, value in params.items()
        if isinstance(value, Mapping)
        and isinstance(value.get("layer"), str)
        and set(value) <= {"layer", "where"}
        and name in cls.model_fields
        and widget_of(cls, name) in _WIDGETS
    }


def without_references(cls: type[Params], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in which every reference is a small geometry that is valid."""
    return {**params, **dict.fromkeys(references(cls, params), _STAND_IN)}


def resolve(
    cls: type[Params], params: Mapping[str, Any], scene: Scene
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return parameters with the geometry of the features that they name, and what is wrong."""
    resolved, problems = dict(params), []
    for name, layer_id in references(cls, params).items():
        if layer_id not in scene:
            resolved[name] = _STAND_IN  # the caller says that the layer is not there
            continue
        try:
            text = str(params[name].get("where", ""))
            resolved[name] = _geometry(scene[layer_id], text, widget_of(cls, name))
        except UserError as error:
            problems.append(Problem(name, str(error)))
    return resolved, tuple(problems)


def _geometry(layer: Layer, expression: str, widget: str) -> Any:
    """Return the chosen features as one line, one ring, or polygons with holes."""
    import shapely

    if not isinstance(layer.data, VectorData):
        raise RefusedError(
            tr("“{name}” holds no features to take a shape from.", name=layer.name),
            tr("Choose a vector layer."),
        )
    rows = where(layer, expression)
    shapes = layer.data.features.geometry.to_numpy()[rows]
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    if len(shapes) == 0:
        raise RefusedError(
            tr("No feature of “{name}” is chosen.", name=layer.name),
            tr("Check the expression: {text}", text=expression[:200] or "–"),
        )
    joined = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
    if joined.geom_type in ("LineString", "MultiLineString"):
        line = shapely.line_merge(joined)
        if line.geom_type == "LineString":
            return [list(point) for point in line.coords]
    parts = [p for p in shapely.get_parts(joined) if p.geom_type == "Polygon"]
    if widget == "region" and parts:
        return shapely.geometry.mapping(shapely.MultiPolygon(parts))
    if len(parts) == 1 and not parts[0].interiors:
        return [list(point) for point in parts[0].exterior.coords]
    raise RefusedError(
        tr(
            "The {n} chosen features of “{name}” are not one shape.", n=len(shapes), name=layer.name
        ),
        tr("Choose one line, or one polygon without holes."),
    )
